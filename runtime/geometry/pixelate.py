"""A few large tiles, or flowing colours, in place of a frame or of a part of it."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.box import Box

_SOFT_TILES = 5
"""Colours along a side of a soft cover. Raising it lets more of a face be recognised."""
TILES_REACH = 0.45
"""How far `cover_softly` reaches beyond its box, in longer sides of the box: over the whole head."""
_SOLID_SHARE = 0.8
"""Radius up to which the oval is solid. Raising it makes its border harder."""
_TILE_SAMPLES = 32
"""Pixels along a tile that its colour is the mean of. Raising it is slower and no safer."""


def cover_softly(image: Image, box: Box, drawn: Sequence[Landmarks] = ()) -> None:
    """Replace a place in the frame by an oval of a few flowing colours of its own, in place.

    The oval reaches over the whole head, and is solid over the box itself. drawn: landmarks, in frame px, of faces that
    are drawn already. Where a drawing hides everything it stays.
    """
    height, width = image.shape[:2]
    head = box.grown(TILES_REACH)
    left, top = max(0, int(head.left)), max(0, int(head.top))
    right, bottom = min(width, int(head.right) + 1), min(height, int(head.bottom) + 1)
    if right <= left or bottom <= top:
        return
    region = image[top:bottom, left:right]
    shown = _oval(head, (left, top, right, bottom))
    for landmarks in drawn:
        outline = cv2.convexHull(np.ascontiguousarray(landmarks[:, :2])) - np.array([left, top], np.float32)
        cv2.fillConvexPoly(shown, np.rint(outline).astype(np.int32), 0)
    weight = cv2.merge([shown] * 3)
    soft = cv2.multiply(_flowing(region), weight, scale=1 / 255)
    kept = cv2.multiply(region, cv2.bitwise_not(weight), scale=1 / 255)
    cv2.add(kept, soft, dst=region)


def _oval(head: Box, part: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """uint8 [H, W]: 255 in the oval within this box, fading to 0 at its border. part: left, top, right, bottom px."""
    left, top, right, bottom = part
    across = (np.arange(left, right) + 0.5 - head.centre[0]) / (head.width / 2)
    down = (np.arange(top, bottom) + 0.5 - head.centre[1]) / (head.height / 2)
    radius = np.sqrt((across**2)[None, :] + (down**2)[:, None])
    return (255 * np.clip((1 - radius) / (1 - _SOLID_SHARE), 0, 1)).astype(np.uint8)


def _flowing(image: Image) -> Image:
    """The picture as a few colours that flow into each other."""
    small = _means(image, _SOFT_TILES)
    flowing: Image = cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return flowing


def pixelated(image: Image, tiles: int, into: Image | None = None) -> Image:
    """The picture in about tiles x tiles flat squares: new memory of the same shape, or written over `into`."""
    height, width = image.shape[:2]
    means = _means(image, tiles)
    enlarged: Image = cv2.resize(means, (width, height), dst=into, interpolation=cv2.INTER_NEAREST)
    return enlarged


def _means(image: Image, tiles: int) -> Image:
    """The picture shrunk to about tiles x tiles pixels."""
    height, width = image.shape[:2]
    longer = max(height, width)
    small = (max(1, min(width, round(tiles * width / longer))), max(1, min(height, round(tiles * height / longer))))
    # A thousand pixels of a tile give its colour as well as all of them.
    step = max(1, longer // (_TILE_SAMPLES * tiles))
    means: Image = cv2.resize(np.ascontiguousarray(image[::step, ::step]), small, interpolation=cv2.INTER_AREA)
    return means
