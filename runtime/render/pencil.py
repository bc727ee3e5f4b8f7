"""Graphite on paper: what is drawn loses its colours, and the paper's tooth shows through it."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.render.canvas import Pixels
from toonfilter.runtime.render.contours import Points

_PAPER = np.array([246, 241, 230], np.float32) / 255
_GRAPHITE = 0.06
"""Light that the darkest line gives back, over the paper's. Raising it gives a harder, paler pencil."""
_TOOTH_PX = 256
_TOOTH = 0.27
"""How much of a dark line the paper's tooth leaves white, at most. Raising it gives softer, grainier lines."""
_GRAIN_LEVELS = 2.4
"""Standard deviation of the paper's own grain, in levels of 255. Raising it gives rougher paper."""
_WOBBLE_U, _WOBBLE_STEP_U = 0.016, 0.35
"""How far a second line strays from the first, and how quickly, in distances of the pupils."""


def pencilled(drawn: Pixels, ground: Image) -> Image:
    """What is drawn as graphite on paper, over the ground: uint8 [H, W, 3] RGB.

    drawn: uint8 [H, W, 4] RGBA, premultiplied; opaque where somebody is. ground: uint8 [H, W, 3], not changed.
    """
    height, width = ground.shape[:2]
    alpha = cv2.extractChannel(drawn, 3)
    light = cv2.add(cv2.cvtColor(drawn, cv2.COLOR_RGBA2GRAY), cv2.bitwise_not(alpha))
    # The paper's tooth takes no graphite: dark places become lighter, light ones hardly.
    dark = cv2.multiply(cv2.bitwise_not(light), _tooth(height, width), scale=1 / 255)
    light = cv2.cvtColor(cv2.bitwise_not(dark), cv2.COLOR_GRAY2RGB)
    sheet = paper(height, width)
    if ground is not sheet:
        outside = cv2.cvtColor(cv2.bitwise_not(alpha), cv2.COLOR_GRAY2RGB)
        behind = cv2.multiply(ground, outside, scale=1 / 255)
        sheet = cv2.add(behind, cv2.multiply(sheet, cv2.bitwise_not(outside), scale=1 / 255))
    result: Image = cv2.multiply(sheet, light, scale=1 / 255)
    return result


@lru_cache(maxsize=2)
def paper(height: int, width: int) -> Image:
    """Blank paper with its grain: uint8 [height, width, 3] RGB; not to be changed."""
    grain = _tiled(_noise(), height, width)[..., None] * np.float32(_GRAIN_LEVELS)
    sheet: Image = np.clip(_PAPER * 255 + grain, 0, 255).astype(np.uint8)
    sheet.flags.writeable = False
    return sheet


def strayed(shapes: Sequence[Points], origin: Points, unit_px: float) -> list[Points]:
    """Outlines a little beside these, as a second stroke of a pencil runs. origin: float32 [2] px, on the head."""
    moved = []
    for points in shapes:
        place = (points - origin) / np.float32(_WOBBLE_STEP_U * unit_px)
        wave = np.stack([np.sin(place[:, 1] * 1.7 + place[:, 0]), np.sin(place[:, 0] * 1.9 - 0.6 * place[:, 1])], 1)
        moved.append((points + wave * np.float32(_WOBBLE_U * unit_px)).astype(np.float32))
    return moved


@lru_cache(maxsize=2)
def _tooth(height: int, width: int) -> NDArray[np.uint8]:
    """What the paper takes of graphite: uint8 [height, width]."""
    kept = np.clip(1 - (_noise() * 0.35 + 0.4) * _TOOTH, 1 - _TOOTH, 1) * np.float32(1 - _GRAPHITE)
    tooth: NDArray[np.uint8] = np.round(_tiled(kept, height, width) * 255).astype(np.uint8)
    return tooth


def _tiled(tile: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    return np.tile(tile, (-(-height // _TOOTH_PX), -(-width // _TOOTH_PX)))[:height, :width]


@lru_cache(maxsize=1)
def _noise() -> NDArray[np.float32]:
    """float32 [_TOOTH_PX, _TOOTH_PX], mean 0, standard deviation 1; it repeats without seams."""
    rough = np.random.default_rng(7).normal(size=(_TOOTH_PX, _TOOTH_PX)).astype(np.float32)
    wrapped = cv2.copyMakeBorder(rough, 8, 8, 8, 8, cv2.BORDER_WRAP)
    fine, wide = (cv2.GaussianBlur(wrapped, (0, 0), sigma)[8:-8, 8:-8] for sigma in (0.7, 1.8))
    mixed = fine / fine.std() + np.float32(0.2) * wide / wide.std()
    noise: NDArray[np.float32] = mixed / mixed.std()
    return noise
