"""Where a face was in the frames before it was found: followed backwards by its picture.

For files alone, where frames can wait: a newcomer, whom the detector finds in the second or fifth frame, is covered
from the first one on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.faces.config import LookbackConfig
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.box import Box

Gray = NDArray[np.uint8]


@dataclass(slots=True)
class SeenFrame:
    """A frame that has not been drawn into, and the places of the faces known in it. Places that are found by looking
    back are added to both lists. is_cut: nearly all of the picture differs from the frame before."""

    image: Image
    places: list[Box]
    comes_from: list[Box] = field(default_factory=list)
    is_cut: bool = False


def look_back(earlier: Sequence[SeenFrame], newest: SeenFrame, config: LookbackConfig | None = None) -> None:
    """Add to earlier frames, the oldest first, where the faces were that are new in the newest one."""
    if not earlier:
        return
    config = config or LookbackConfig()
    for box in newest.places:
        if not _is_known(box, earlier[-1], config):
            _follow_back(earlier, newest, box, config)


def _follow_back(earlier: Sequence[SeenFrame], newest: SeenFrame, box: Box, config: LookbackConfig) -> None:
    scale = config.patch_px / max(box.width, box.height, 1.0)
    patch = _shrunk(newest.image, box.grown(config.patch_growth), scale, config.least_px)
    if patch is None or float(patch.std()) < config.least_contrast:
        return
    is_over_cut = newest.is_cut
    for frame in reversed(earlier):
        if _is_known(box, frame, config):
            return
        window = box.grown(config.search_growth)
        shown = _shrunk(frame.image, window, scale, config.least_px)
        if shown is None or shown.shape[0] < patch.shape[0] or shown.shape[1] < patch.shape[1]:
            return
        _, match, _, (across, down) = cv2.minMaxLoc(cv2.matchTemplate(shown, patch, cv2.TM_CCOEFF_NORMED))
        if match < (config.cut_match if is_over_cut else _least_match(box, frame.image, config)):
            return
        grown = box.grown(config.patch_growth)
        left, top = max(0, int(window.left)) + across / scale, max(0, int(window.top)) + down / scale
        box = box.moved(left - max(0, int(grown.left)), top - max(0, int(grown.top)))
        frame.places.append(box)
        frame.comes_from.append(box)
        is_over_cut = frame.is_cut


def _least_match(box: Box, image: Image, config: LookbackConfig) -> float:
    height, width = image.shape[:2]
    is_inside = Box(0, 0, width, height).contains(box.grown(config.at_side))
    return config.inside_match if is_inside else config.side_match


def _is_known(box: Box, frame: SeenFrame, config: LookbackConfig) -> bool:
    return any(place.grown(config.known_margin).holds(box.centre) for place in frame.places)


def _shrunk(image: Image, box: Box, scale: float, least_px: int) -> Gray | None:
    """The part of the frame in this box, as far as there is any, in gray at this scale."""
    height, width = image.shape[:2]
    left, top = max(0, int(box.left)), max(0, int(box.top))
    right, bottom = min(width, int(box.right)), min(height, int(box.bottom))
    size = round((right - left) * scale), round((bottom - top) * scale)
    if min(*size, right - left, bottom - top) < least_px:
        return None
    part = cv2.extractChannel(np.ascontiguousarray(image[top:bottom, left:right]), 1)
    shrunk: Gray = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return shrunk
