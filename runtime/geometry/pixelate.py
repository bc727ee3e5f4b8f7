"""Large flat tiles in place of a part of a frame."""

from collections.abc import Sequence

import cv2
import numpy as np

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.box import Box

_MOSAIC_TILES = 5
TILES_REACH = 0.45
"""How far `mosaic` reaches beyond its box, in longer sides of the box: over the whole head."""
_TILE_SAMPLES = 32


def mosaic(image: Image, box: Box, drawn: Sequence[Landmarks] = ()) -> None:
    """Replace a place in the frame by a few large tiles, in place. The box is widened to the whole head first.

    drawn: landmarks, in frame px, of faces that are drawn already. Where a drawing hides everything it stays.
    """
    height, width = image.shape[:2]
    head = box.grown(TILES_REACH)
    left, top = max(0, int(head.left)), max(0, int(head.top))
    right, bottom = min(width, int(head.right) + 1), min(height, int(head.bottom) + 1)
    if right <= left or bottom <= top:
        return
    region = image[top:bottom, left:right]
    kept = np.zeros(region.shape[:2], np.uint8)
    for landmarks in drawn:
        outline = cv2.convexHull(np.ascontiguousarray(landmarks[:, :2])) - np.array([left, top], np.float32)
        cv2.fillConvexPoly(kept, np.rint(outline).astype(np.int32), 255)
    if not kept.any():
        pixelated(region, _MOSAIC_TILES, region)
        return
    cv2.copyTo(pixelated(region, _MOSAIC_TILES), cv2.bitwise_not(kept), region)


def pixelated(image: Image, tiles: int, into: Image | None = None) -> Image:
    """The picture in about tiles x tiles flat squares: new memory of the same shape, or written over `into`."""
    height, width = image.shape[:2]
    longer = max(height, width)
    small = (max(1, min(width, round(tiles * width / longer))), max(1, min(height, round(tiles * height / longer))))
    # A thousand pixels of a tile give its colour as well as all of them.
    step = max(1, longer // (_TILE_SAMPLES * tiles))
    means = cv2.resize(np.ascontiguousarray(image[::step, ::step]), small, interpolation=cv2.INTER_AREA)
    enlarged: Image = cv2.resize(means, (width, height), dst=into, interpolation=cv2.INTER_NEAREST)
    return enlarged
