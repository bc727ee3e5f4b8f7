"""What tells the tracker when and where to look: time, and what moved."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.faces import Box
from toonfilter.runtime.frames import Image

_MOTION_SIZE = (96, 54)
_MOTION_LEVELS = 14
_MOTION_PIXELS = 8
_KNOWN_MARGIN = 0.3
_BEAT_S = 1 / 30
_EARLY = 0.25


class Beats:
    """Every frame is a beat, but no more than 30 of them in a second: faces come no faster when frames do."""

    def __init__(self) -> None:
        self._last_s = self._next_s = float("-inf")

    def is_due(self, time_s: float | None) -> bool:
        """Whether the frame of this time is a beat; call it once for each. Without a time, or one that stands still,
        each is."""
        if time_s is None or time_s <= self._last_s:
            return True
        self._last_s = time_s
        # Cameras jitter: one that comes a little early still counts.
        if time_s < self._next_s - _EARLY * _BEAT_S:
            return False
        is_late = time_s > self._next_s + _BEAT_S
        self._next_s = time_s + _BEAT_S if is_late else max(self._next_s + _BEAT_S, time_s + _BEAT_S / 2)
        return True


class Motion:
    """What changed since the detector last looked, at thumbnail size."""

    def __init__(self) -> None:
        self._looked_at: NDArray[np.uint8] | None = None
        self._now: NDArray[np.uint8] | None = None

    def elsewhere(self, image: Image, known: list[Box]) -> Box | None:
        """Around what changed where no known face is, in frame pixels; None when nothing did."""
        height, width = image.shape[:2]
        step = max(1, height // (4 * _MOTION_SIZE[1]))
        thinned = np.ascontiguousarray(image[::step, ::step, 1])
        self._now = cv2.resize(thinned, _MOTION_SIZE, interpolation=cv2.INTER_AREA)
        if self._looked_at is None:
            return None
        changed = cv2.absdiff(self._now, self._looked_at) > _MOTION_LEVELS
        scale_x, scale_y = _MOTION_SIZE[0] / width, _MOTION_SIZE[1] / height
        for box in known:
            wide = box.grown(_KNOWN_MARGIN)
            rows = slice(max(0, int(wide.top * scale_y)), max(0, int(wide.bottom * scale_y) + 1))
            columns = slice(max(0, int(wide.left * scale_x)), max(0, int(wide.right * scale_x) + 1))
            changed[rows, columns] = False
        if int(np.count_nonzero(changed)) < _MOTION_PIXELS:
            return None
        left, top, box_width, box_height = cv2.boundingRect(changed.astype(np.uint8))
        return Box(left / scale_x, top / scale_y, (left + box_width) / scale_x, (top + box_height) / scale_y)

    def remember(self) -> None:
        """The detector looked at the newest picture."""
        self._looked_at = self._now
