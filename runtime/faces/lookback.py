"""Where a face was in the frames before it was found: followed backwards by its picture.

For files alone, where frames can wait: a newcomer, whom the detector finds in the second or fifth frame, is covered
from the first one on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.box import Box

LOOKAHEAD_FRAMES = 8
"""How many later frames may tell of a face. Higher: later finds are covered from their first frame on; more memory."""
_PATCH_PX = 24
_PATCH_GROWTH = 0.1
_SEARCH_GROWTH = 0.7
_LEAST_MATCH, _LEAST_MATCH_INSIDE, _LEAST_MATCH_OVER_CUT = 0.5, 0.65, 0.8
"""Correlation of a face's picture with a place before: at a side, where half a face comes in; elsewhere; and where all
of the picture changed between both. Raising them leaves more newcomers open in frames before they are found."""
_AT_SIDE = 0.3
_LEAST_CONTRAST = 2.0

Gray = NDArray[np.uint8]


@dataclass(slots=True)
class SeenFrame:
    """A frame that has not been drawn into, and the places of the faces known in it. Places that are found by looking
    back are added to both lists. is_cut: nearly all of the picture differs from the frame before."""

    image: Image
    places: list[Box]
    comes_from: list[Box] = field(default_factory=list)
    is_cut: bool = False


def look_back(earlier: Sequence[SeenFrame], newest: SeenFrame) -> None:
    """Add to earlier frames, the oldest first, where the faces were that are new in the newest one."""
    if not earlier:
        return
    for box in newest.places:
        if not _is_known(box, earlier[-1]):
            _follow_back(earlier, newest, box)


def _follow_back(earlier: Sequence[SeenFrame], newest: SeenFrame, box: Box) -> None:
    scale = _PATCH_PX / max(box.width, box.height, 1.0)
    patch = _shrunk(newest.image, box.grown(_PATCH_GROWTH), scale)
    if patch is None or float(patch.std()) < _LEAST_CONTRAST:
        return
    is_over_cut = newest.is_cut
    for frame in reversed(earlier):
        if _is_known(box, frame):
            return
        window = box.grown(_SEARCH_GROWTH)
        shown = _shrunk(frame.image, window, scale)
        if shown is None or shown.shape[0] < patch.shape[0] or shown.shape[1] < patch.shape[1]:
            return
        _, match, _, (across, down) = cv2.minMaxLoc(cv2.matchTemplate(shown, patch, cv2.TM_CCOEFF_NORMED))
        if match < (_LEAST_MATCH_OVER_CUT if is_over_cut else _least_match(box, frame.image)):
            return
        grown = box.grown(_PATCH_GROWTH)
        left, top = max(0, int(window.left)) + across / scale, max(0, int(window.top)) + down / scale
        box = box.moved(left - max(0, int(grown.left)), top - max(0, int(grown.top)))
        frame.places.append(box)
        frame.comes_from.append(box)
        is_over_cut = frame.is_cut


def _least_match(box: Box, image: Image) -> float:
    height, width = image.shape[:2]
    return _LEAST_MATCH_INSIDE if Box(0, 0, width, height).contains(box.grown(_AT_SIDE)) else _LEAST_MATCH


def _is_known(box: Box, frame: SeenFrame) -> bool:
    return any(place.grown(0.2).holds(box.centre) for place in frame.places)


def _shrunk(image: Image, box: Box, scale: float) -> Gray | None:
    """The part of the frame in this box, as far as there is any, in gray at this scale."""
    height, width = image.shape[:2]
    left, top = max(0, int(box.left)), max(0, int(box.top))
    right, bottom = min(width, int(box.right)), min(height, int(box.bottom))
    size = round((right - left) * scale), round((bottom - top) * scale)
    if min(*size, right - left, bottom - top) < 4:
        return None
    part = cv2.extractChannel(np.ascontiguousarray(image[top:bottom, left:right]), 1)
    shrunk: Gray = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return shrunk
