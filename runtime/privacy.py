"""The guard: decides what may leave the process, and is the only maker of `SafeFrame`.

It fails closed. Whatever is not known to be covered is not shown: the last safe picture stays for half a second, then
the whole frame is pixelated or replaced by the user's placeholder. The raw picture leaves only where the user asked for
it in this run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.frames import _GUARD, Frame, Image, PrivacyState, SafeFrame
from toonfilter.runtime.geometry.alignment import CropTransform, Landmarks
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.geometry.pixelate import cover_softly, pixelated
from toonfilter.runtime.likeness import (
    LEAST_DETAIL,
    MOST_LIKENESS,
    detail,
    likeness,
    pattern,
    pattern_likeness,
    view_of,
)

if TYPE_CHECKING:
    from toonfilter.runtime.bundle import Bundle

COVER_TILES = 12
"""Tiles along the longer side of a covered frame. Raising it lets more of a large face be recognised."""
HOLD_S = 0.5
"""How long the last safe picture may stand in, at most. Raising it shows people where they are no more."""
_NO_PICTURE_SIZE = (72, 128)
"""Height and width, px, of the black picture that stands for what is none."""
_SAME_LEVELS = 1
"""A pixel that changed by no more is as before. Raising it takes more for unchanged, and covers more."""
_MOST_UNCHANGED = 0.25
"""Share of a drawn face that may look as before. Raising it lets thinner drawings pass."""
_MOST_AS_BEFORE = 0.9
"""Share of a frame that was drawn whole that may look as before; dark rooms and bars stay as they are. Raising it lets
pictures pass on which hardly anything was drawn."""
_MOST_RAW = 0.1
"""Share of a place without a drawing that may look as before; a part of a face would show."""


@dataclass(frozen=True, slots=True)
class LostPolicy:
    """What is shown when no face is found.

    action: `hold` keeps the last safe picture for at most hold_s, then covers; `cover` covers at once; `image` shows
    the placeholder at once; `pass` shows the raw picture and needs confirmed=True, given anew in every run.
    placeholder: uint8 [H, W, 3] RGB, shown instead of the pixelated frame wherever the frame is covered.
    """

    action: Literal["hold", "cover", "image", "pass"] = "hold"
    hold_s: float = HOLD_S
    placeholder: Image | None = None
    confirmed: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.hold_s <= HOLD_S:
            raise ConfigError(f"hold time is {self.hold_s} s; must be 0 to {HOLD_S} s")
        if self.action == "image" and self.placeholder is None:
            raise ConfigError("on-lost image needs a picture: --on-lost image=FILE")
        if self.action == "pass" and not self.confirmed:
            raise ConfigError(
                "on-lost pass shows the real picture whenever no face is found; "
                "if that is what you want in this run, add --i-accept-exposure"
            )


@dataclass(frozen=True, slots=True)
class HiddenFace:
    """Where a face is, and what hides it: a drawing on these landmarks, or, without any, a cover over the box.

    box: from brow to chin, frame px. landmarks: float32 [478, 3] frame px. roll_rad: clockwise.
    """

    box: Box
    landmarks: Landmarks | None = None
    roll_rad: float = 0.0

    @classmethod
    def drawn(cls, face: Face) -> "HiddenFace":
        """A face with a mesh."""
        return cls(face.box, face.landmarks, face.fit.roll_rad)

    def is_hidden(self, original: Image, rendered: Image) -> bool:
        """Whether what leaves no longer shows this face. original, rendered: uint8 [H, W, 3] RGB, before and after."""
        points, most = (_grid(self.box), _MOST_RAW) if self.landmarks is None else (self.landmarks, _MOST_UNCHANGED)
        if _unchanged(original, rendered, points) > most:
            return False
        return likeness(original, rendered, self._view) <= MOST_LIKENESS

    def is_shown(self, original: Image, rendered: Image) -> bool:
        """Whether this face can be recognised under its cover. A bare wall, which is like its cover, shows nobody."""
        return likeness(original, rendered, self._view) > MOST_LIKENESS and detail(original, self._view) > LEAST_DETAIL

    @property
    def _view(self) -> CropTransform:
        return view_of(self.box, self.roll_rad)


def _distinct(places: Sequence[Box]) -> int:
    """How many faces these are: places of which one holds the other's middle are one face, covered twice."""
    counted: list[Box] = []
    for place in places:
        if not any(one.holds(place.centre) or place.holds(one.centre) for one in counted):
            counted.append(place)
    return len(counted)


def _grid(box: Box) -> NDArray[np.float32]:
    """float32 [256, 2]: points all over the box, px."""
    across, down = (np.linspace(*ends, 16) for ends in ((box.left, box.right), (box.top, box.bottom)))
    points: NDArray[np.float32] = np.stack(np.meshgrid(across, down), -1).reshape(-1, 2).astype(np.float32)
    return points


def _is_raw(original: Image, rendered: Image) -> bool:
    """Whether the picture as a whole looks as before."""
    height, width = original.shape[:2]
    return _unchanged(original, rendered, _grid(Box(0, 0, width - 1, height - 1))) > _MOST_AS_BEFORE


def _unchanged(original: Image, rendered: Image, points: NDArray[np.float32]) -> float:
    """Share of these points, as far as they lie in the frame, that look as before, 0 to 1."""
    height, width = original.shape[:2]
    columns, rows = np.rint(points[:, :2]).astype(np.intp).T
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    if not inside.any():
        return 0.0
    rows, columns = rows[inside], columns[inside]
    change = np.abs(original[rows, columns].astype(np.int16) - rendered[rows, columns]).max(axis=1)
    return float(np.mean(change <= _SAME_LEVELS))


class HeldPicture:
    """The last safe picture, and how long it may stand in for one that is missing. kept_at_s: since when it counts."""

    def __init__(self, hold_s: float = HOLD_S) -> None:
        self._hold_s = hold_s
        self._picture: SafeFrame | None = None
        self.kept_at_s = float("-inf")

    def keep(self, picture: SafeFrame, at_s: float) -> None:
        """From now on this one stands in. at_s: when it was fresh."""
        self._picture, self.kept_at_s = picture, at_s

    def forget(self) -> None:
        """Nothing stands in until there is another one."""
        self._picture = None

    def stand_in(self, at_s: float) -> SafeFrame | None:
        """The picture, if it may be shown at this time; one that is too old is forgotten."""
        if not 0 <= at_s - self.kept_at_s <= self._hold_s:
            self.forget()
        return self._picture


class Guard:
    """Turns frames into safe frames and keeps the last protected one. Not thread safe."""

    def __init__(self, policy: LostPolicy | None = None) -> None:
        self._policy = policy or LostPolicy()
        self._held = HeldPicture(self._policy.hold_s)

    def release(self, frame: Frame, original: Image, rendered: Image, faces: Sequence[HiddenFace]) -> SafeFrame:
        """The picture in which every known face is hidden, which is measured; anything less is covered whole.

        original: uint8 [H, W, 3] RGB before anything was drawn. rendered: the same afterwards; handed over to the safe
        frame. A face that can still be recognised, and a place that no drawing hides, is covered first.
        """
        if np.may_share_memory(original, rendered):
            return self.cover(frame, "nothing to measure against", faces_found=len(faces))
        drawn = 0
        kept = [face.landmarks for face in faces if face.landmarks is not None]
        for face in faces:
            if face.is_hidden(original, rendered):
                drawn += face.landmarks is not None
                continue
            cover_softly(rendered, face.box, [landmarks for landmarks in kept if landmarks is not face.landmarks])
            if face.is_shown(original, rendered):
                return self.cover(frame, "a face is not hidden", faces_found=len(faces))
        if not faces:
            return self.cover(frame, "no face found")
        meshed = sum(face.landmarks is not None for face in faces)
        covered = meshed - drawn + _distinct([face.box for face in faces if face.landmarks is None])
        safe = SafeFrame(
            rendered,
            frame,
            PrivacyState.PROTECTED,
            faces_found=drawn + covered,
            faces_drawn=drawn,
            faces_covered=covered,
            _guard=_GUARD,
        )
        self._held.keep(safe, frame.captured_at_s)
        return safe

    def exposed(self, frame: Frame, image: Image, reason: str) -> SafeFrame:
        """A picture that hides nobody, which the user asked for in this run; covered where nobody did."""
        self.forget()
        if not self._policy.confirmed:
            return self.cover(frame, reason)
        return SafeFrame(image, frame, PrivacyState.EXPOSED, reason=reason, _guard=_GUARD)

    def lost(
        self,
        frame: Frame,
        reason: str,
        *,
        drawn: tuple[Image, Image] | None = None,
        places: Sequence[HiddenFace] = (),
    ) -> SafeFrame:
        """What is shown when no face is found: as the policy says.

        drawn: the frame before and after it was drawn whole, people as figures without faces, uint8 [H, W, 3] RGB; it
        stands in for tiles, once it was measured that little is as it was. places: where somebody may be; what the
        drawing does not hide there is covered first, and measured again.
        """
        if self._policy.action == "pass":
            return self.exposed(frame, frame.image, reason)
        held = self._held.stand_in(frame.captured_at_s) if self._policy.action == "hold" else None
        if held is not None and held.image.shape == frame.image.shape:
            return SafeFrame(held.image, frame, PrivacyState.HOLDING, reason=reason, _guard=_GUARD)
        if drawn is None or self._policy.placeholder is not None:
            return self.cover(frame, reason)
        original, rendered = drawn
        if np.may_share_memory(original, rendered) or _is_raw(original, rendered):
            return self.cover(frame, "nothing was drawn")
        for place in places:
            if place.is_hidden(original, rendered):
                continue
            cover_softly(rendered, place.box)
            if place.is_shown(original, rendered):
                return self.cover(frame, "a face is not hidden")
        self.forget()
        return SafeFrame(rendered, frame, PrivacyState.COVERED, reason=reason, _guard=_GUARD)

    def forget(self) -> None:
        """Nothing protected so far may stand in any more: settings changed."""
        self._held.forget()

    def cover(self, frame: Frame, reason: str, *, faces_found: int = 0) -> SafeFrame:
        """The whole frame pixelated, or the placeholder. Nothing is held over it afterwards."""
        self.forget()
        return cover(frame, reason, self._policy.placeholder, faces_found=faces_found)


def cover(frame: Frame, reason: str, placeholder: Image | None = None, *, faces_found: int = 0) -> SafeFrame:
    """The frame as `covered`: pixelated beyond recognition, or the placeholder in the frame's size.

    Needs no model and no tracker, so it works before they are loaded and after they failed. What is no picture at all
    becomes a black one. A placeholder that looks like the frame itself is pixelated, too.
    """
    raw = frame.image if _is_picture(frame.image) else np.zeros((*_NO_PICTURE_SIZE, 3), np.uint8)
    height, width = raw.shape[:2]
    image = None if placeholder is None else cv2.resize(placeholder, (width, height), interpolation=cv2.INTER_AREA)
    if image is None or _shows(image, raw):
        image = pixelated(raw, COVER_TILES)
    return SafeFrame(
        image,
        frame,
        PrivacyState.COVERED,
        faces_found=faces_found,
        faces_covered=faces_found,
        reason=reason,
        _guard=_GUARD,
    )


def _shows(image: Image, raw: Image) -> bool:
    """Whether a cover shows the frame that it is to cover."""
    return np.may_share_memory(image, raw) or pattern_likeness(pattern(raw), pattern(image)) > MOST_LIKENESS


def _is_picture(image: object) -> bool:
    """Whether a camera or a filter really delivered uint8 [H, W, 3]."""
    return (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and image.ndim == 3
        and image.shape[2] == 3
        and image.size > 0
    )


def check_drawings_only(bundle: "Bundle", *, is_file: bool, confirmed: bool) -> None:
    """Refuse a style that makes people of cartoons, where it was not asked for in this run.

    Raises:
        ConfigError: it was not, or the frames come from a camera.
    """
    if not is_file:
        raise ConfigError(
            f"style {bundle.name} makes people of cartoons and would show a real face; "
            "use it on cartoons, with `toonfilter image` or `toonfilter video`"
        )
    if not confirmed:
        raise ConfigError(
            f"style {bundle.name} hides nobody: whoever is in the picture can be recognised; "
            "if it shows cartoons only, add --i-accept-exposure"
        )
