"""What tells the tracker when and where to look: time, and what moved."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.faces.config import NewcomerConfig, TrackingConfig
from toonfilter.runtime.faces.search_config import ScheduleConfig
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.geometry.pixelate import TILES_REACH

_NEIGHBOURS = np.ones((3, 3), np.uint8)


class RateLimiter:
    """Every frame is a beat, but no more than 30 of them in a second: faces come no faster when frames do."""

    def __init__(self, config: ScheduleConfig | None = None) -> None:
        config = config or ScheduleConfig()
        self._beat_s = 1 / config.beats_per_s
        self._early_s = config.early_beats * self._beat_s
        self._last_s = self._next_s = float("-inf")

    def is_due(self, time_s: float | None) -> bool:
        """Whether the frame of this time is a beat; call it once for each. Without a time, or one that stands still,
        each is."""
        if time_s is None or time_s <= self._last_s:
            return True
        self._last_s = time_s
        # Cameras jitter: one that comes a little early still counts.
        if time_s < self._next_s - self._early_s:
            return False
        beat_s = self._beat_s
        is_late = time_s > self._next_s + beat_s
        self._next_s = time_s + beat_s if is_late else max(self._next_s + beat_s, time_s + beat_s / 2)
        return True


class Newcomers:
    """Where something comes in at the left or right side: covered before there is enough of a face to be found."""

    def __init__(self, config: NewcomerConfig | None = None) -> None:
        self._config = config or NewcomerConfig()
        self._sides: list[tuple[Box, int] | None] = [None, None]

    @property
    def boxes(self) -> list[Box]:
        """The places now, in frame pixels."""
        return [side[0] for side in self._sides if side is not None]

    def update(
        self, changed: NDArray[np.bool_], moved: NDArray[np.bool_], known: list[Box], width: int, height: int
    ) -> None:
        """One more beat. width, height: of the frame.

        moved: bool, a thumbnail: what changed beside known faces. changed: of that, what a camera that moves a little
        does not explain.
        """
        scale_x, scale_y = width / changed.shape[1], height / changed.shape[0]
        config = self._config
        changed = _without_bodies(changed, known, (scale_x, scale_y), config)
        extents = [_came_in(changed, config), _came_in(changed[:, ::-1], config)]
        if _share_between(changed, extents) > config.camera_share:
            # The camera moves: what is new at a side is more of the room.
            extents = [None, None]
        # Who comes in may stand still for a moment; what a moving camera brings in moves on.
        reaches = [None if side is None else (0, 0, int(side[0].width / scale_x) + 1) for side in self._sides]
        apart = [extent or reach for extent, reach in zip(extents, reaches, strict=True)]
        moved = _without_bodies(moved, known, (scale_x, scale_y), config)
        passed = 1 if _share_between(moved, apart) < config.still_share else config.side_beats // config.moving_beats
        for number, extent in enumerate(extents):
            before = self._sides[number]
            after = None if before is None or before[1] < passed else (before[0], before[1] - passed)
            if extent is not None:
                top, bottom, inner = extent[0] * scale_y, extent[1] * scale_y, extent[2] * scale_x
                box = Box(width - inner, top, width, bottom) if number else Box(0, top, inner, bottom)
                after = (box if after is None else box.united(after[0]), config.side_beats)
            if after is not None and any(_touches(after[0], face) for face in known):
                after = None
            self._sides[number] = after


def _share_between(changed: NDArray[np.bool_], extents: Sequence[tuple[int, int, int] | None]) -> float:
    """Share of the columns in which something changed between what came in at the sides, 0 to 1."""
    first, end = (0 if extent is None else extent[2] for extent in extents)
    return float(changed[:, first : changed.shape[1] - end].any(axis=0).sum()) / changed.shape[1]


def _without_bodies(
    changed: NDArray[np.bool_], known: list[Box], scales: tuple[float, float], config: NewcomerConfig
) -> NDArray[np.bool_]:
    """What changed beside the followed people's own heads and bodies; new memory where there are any."""
    scale_x, scale_y = scales
    if not known:
        return changed
    others = changed.copy()
    for face in known:
        chin = max(0, int(face.bottom / scale_y))
        crown = max(0, int((face.top - config.crown * face.height) / scale_y))
        for rows, reach in ((slice(crown, chin), config.head_reach), (slice(chin, None), config.body_reach)):
            left, right = (int((face.centre[0] + side * reach * face.width) / scale_x) for side in (-1, 1))
            others[rows, max(0, left) : max(0, right + 1)] = False
    return others


def _touches(place: Box, face: Box) -> bool:
    """Whether tiles on a place, which reach beyond it, would lie on a followed face."""
    return place.grown(TILES_REACH).overlap(face) > 0


def _came_in(changed: NDArray[np.bool_], config: NewcomerConfig) -> tuple[int, int, int] | None:
    """First row, end row and end column of what changed at the left side; None if little did, or half the picture."""
    rows = np.flatnonzero(changed[:, : config.side_columns].any(axis=1))
    if len(rows) < config.side_rows:
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = changed[top:bottom].any(axis=0)
    still = np.flatnonzero(~(columns[:-1] | columns[1:]))
    inner = int(still[0]) if len(still) else len(columns)
    if inner > config.widest * len(columns):
        return None
    return max(0, top - 1), bottom + 1, inner + 1


@dataclass(frozen=True, slots=True)
class Change:
    """What changed where no known face is. around: since the detector last looked; None when nothing did.

    is_cut: the whole picture changed. is_sudden: much did from the frame before to this one.
    """

    around: Box | None = None
    is_cut: bool = False
    is_sudden: bool = False


class Motion:
    """What changed since the detector last looked, at thumbnail size."""

    def __init__(self, config: TrackingConfig) -> None:
        self._config = config
        self._looked_at: NDArray[np.uint8] | None = None
        self._now: NDArray[np.uint8] | None = None
        self.newcomers = Newcomers(config.newcomers)
        self.is_cut = False

    def change(self, image: Image, known: list[Box]) -> Change:
        """What this frame brings. known: faces in it, as of the frame before, in frame px."""
        height, width = image.shape[:2]
        size = self._config.change.thumbnail_px
        step = max(1, height // (4 * size[1]))
        thinned = np.ascontiguousarray(image[::step, ::step, 1])
        self.is_cut = False
        before, self._now = self._now, cv2.resize(thinned, size, interpolation=cv2.INTER_AREA)
        if self._looked_at is None or before is None:
            return Change()
        levels = self._config.change.levels
        changed = cv2.absdiff(self._now, self._looked_at) > levels
        self.is_cut = is_cut = float(np.count_nonzero(changed)) > self._config.change.large * changed.size
        sudden = cv2.absdiff(self._now, before) > 2 * levels
        scale_x, scale_y = size[0] / width, size[1] / height
        for box in known:
            wide = box.grown(self._config.change.known_margin)
            rows = slice(max(0, int(wide.top * scale_y)), max(0, int(wide.bottom * scale_y) + 1))
            columns = slice(max(0, int(wide.left * scale_x)), max(0, int(wide.right * scale_x) + 1))
            changed[rows, columns] = sudden[rows, columns] = False
        if not self._config.is_patient:
            self.newcomers.update(self._unexplained(changed), changed, known, width, height)
        is_sudden = int(np.count_nonzero(sudden)) >= self._config.change.sudden_pixels
        if int(np.count_nonzero(changed)) < self._config.change.pixels:
            return Change(None, is_cut, is_sudden)
        left, top, box_width, box_height = cv2.boundingRect(changed.astype(np.uint8))
        around = Box(left / scale_x, top / scale_y, (left + box_width) / scale_x, (top + box_height) / scale_y)
        return Change(around, is_cut, is_sudden)

    def _unexplained(self, changed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of what changed, what neither the light of the whole picture nor a camera that moves a little explains.

        A pixel is explained that looks like one of its neighbours did. Looked at where a side changed only.
        """
        if self._looked_at is None or self._now is None or not changed[:, [0, 1, -2, -1]].any():
            return changed
        gain = float(np.median(self._now)) / max(1.0, float(np.median(self._looked_at)))
        relit = cv2.convertScaleAbs(self._looked_at, alpha=gain)
        brightest, darkest = cv2.dilate(relit, _NEIGHBOURS), cv2.erode(relit, _NEIGHBOURS)
        beyond = cv2.max(cv2.subtract(self._now, brightest), cv2.subtract(darkest, self._now))
        remaining: NDArray[np.bool_] = changed & (beyond > self._config.change.levels)
        return remaining

    def remember(self) -> None:
        """The detector looked at the newest picture."""
        self._looked_at = self._now
