"""The guard: decides what may leave the process, and is the only maker of `SafeFrame`.

It fails closed. Whatever is not known to be covered is not shown: the last safe picture stays for half a second, then
the whole frame is pixelated or replaced by the user's placeholder. The raw picture leaves only where the user asked for
it in this run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.frames import _GUARD, Frame, Image, PrivacyState, SafeFrame
from toonfilter.runtime.geometry.pixelate import pixelated

COVER_TILES = 12
HOLD_S = 0.5
_NO_PICTURE_SIZE = (72, 128)
_SAME_LEVELS = 1
_MOST_UNCHANGED = 0.25

Points = NDArray[np.intp]
Colours = NDArray[np.int16]


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


class CoverageCheck:
    """Checks that drawings really replaced the faces: what lay on the mesh points before must be gone afterwards."""

    def __init__(self, image: Image, faces: Sequence[Face]) -> None:
        """image: uint8 [H, W, 3] RGB before drawing. faces: those that will be drawn."""
        height, width = image.shape[:2]
        self._seen: list[tuple[Points, Points, Colours]] = []
        for face in faces:
            columns, rows = np.rint(face.landmarks[:, :2]).astype(np.intp).T
            inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
            rows, columns = rows[inside], columns[inside]
            self._seen.append((rows, columns, image[rows, columns].astype(np.int16)))

    def covered(self, image: Image) -> int:
        """How many of the faces are gone. image: the same picture after drawing."""
        count = 0
        for rows, columns, before in self._seen:
            change = np.abs(image[rows, columns] - before).max(axis=1, initial=0)
            count += bool(np.mean(change <= _SAME_LEVELS, dtype=np.float64) <= _MOST_UNCHANGED) if len(rows) else True
        return count


class Guard:
    """Turns frames into safe frames and keeps the last protected one. Not thread safe."""

    def __init__(self, policy: LostPolicy | None = None) -> None:
        self._policy = policy or LostPolicy()
        self._last: SafeFrame | None = None

    def protected(self, frame: Frame, image: Image, *, faces_found: int, faces_covered: int) -> SafeFrame:
        """The picture in which every known face is covered; anything less is covered whole.

        image: uint8 [H, W, 3] RGB with the drawings in it; handed over to the safe frame.
        """
        if faces_covered < faces_found or faces_found == 0:
            return self.cover(frame, f"{faces_covered} of {faces_found} faces covered", faces_found=faces_found)
        self._last = SafeFrame(
            image,
            frame,
            PrivacyState.PROTECTED,
            faces_found=faces_found,
            faces_covered=faces_covered,
            _guard=_GUARD,
        )
        return self._last

    def can_hold(self, frame: Frame) -> bool:
        """Whether the last protected picture may stand in for this frame."""
        if self._policy.action != "hold" or self._last is None:
            return False
        age_s = frame.captured_at_s - self._last.captured_at_s
        return 0 <= age_s <= self._policy.hold_s and self._last.image.shape == frame.image.shape

    def lost(self, frame: Frame, reason: str) -> SafeFrame:
        """What is shown when no face is found: as the policy says."""
        if self._policy.action == "pass":
            self._last = None
            return SafeFrame(frame.image, frame, PrivacyState.EXPOSED, reason=reason, _guard=_GUARD)
        if self._last is not None and self.can_hold(frame):
            return SafeFrame(self._last.image, frame, PrivacyState.HOLDING, reason=reason, _guard=_GUARD)
        return self.cover(frame, reason)

    def forget(self) -> None:
        """Nothing protected so far may stand in any more: settings changed."""
        self._last = None

    def cover(self, frame: Frame, reason: str, *, faces_found: int = 0) -> SafeFrame:
        """The whole frame pixelated, or the placeholder. Nothing is held over it afterwards."""
        self.forget()
        return cover(frame, reason, self._policy.placeholder, faces_found=faces_found)


def cover(frame: Frame, reason: str, placeholder: Image | None = None, *, faces_found: int = 0) -> SafeFrame:
    """The frame as `covered`: pixelated beyond recognition, or the placeholder in the frame's size.

    Needs no model and no tracker, so it works before they are loaded and after they failed. What is no picture at all
    becomes a black one.
    """
    raw = frame.image if _is_picture(frame.image) else np.zeros((*_NO_PICTURE_SIZE, 3), np.uint8)
    height, width = raw.shape[:2]
    if placeholder is None:
        image = pixelated(raw, COVER_TILES)
    else:
        image = cv2.resize(placeholder, (width, height), interpolation=cv2.INTER_AREA)
    return SafeFrame(
        image,
        frame,
        PrivacyState.COVERED,
        faces_found=faces_found,
        faces_covered=faces_found,
        reason=reason,
        _guard=_GUARD,
    )


def _is_picture(image: object) -> bool:
    """Whether a camera or a filter really delivered uint8 [H, W, 3]."""
    return (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and image.ndim == 3
        and image.shape[2] == 3
        and image.size > 0
    )
