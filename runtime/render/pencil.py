"""Graphite on paper: what is drawn loses its colours, and the paper's tooth shows through it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import cv2
import numpy as np
import skia
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.render.contours import Points

_PAPER, _GRAPHITE = np.array([246, 241, 230], np.float32) / 255, np.array([38, 37, 40], np.float32) / 255
_LUMA = np.array([0.30, 0.59, 0.11], np.float32)
_TOOTH_PX = 256
_TOOTH = 0.30
"""How much of a dark line the paper's tooth leaves white, at most. Raising it gives softer, grainier lines."""
_GRAIN_LEVELS = 3.0
"""Standard deviation of the paper's own grain, in levels of 255. Raising it gives rougher paper."""
_WOBBLE_U, _WOBBLE_STEP_U = 0.016, 0.35
"""How far a second line strays from the first, and how quickly, in distances of the pupils."""


@contextmanager
def on_paper(canvas: skia.Canvas) -> Iterator[None]:
    """What is drawn inside becomes graphite: its lightness lies between graphite's and paper's."""
    rows = []
    for dark, light in zip(_GRAPHITE.tolist(), _PAPER.tolist(), strict=True):
        rows += [*(_LUMA * (light - dark)).tolist(), 0.0, dark]
    layer = skia.Paint(ColorFilter=skia.ColorFilters.Matrix([*rows, 0, 0, 0, 1, 0]))
    canvas.saveLayer(None, layer)
    try:
        yield
        tooth = skia.Paint(BlendMode=skia.BlendMode.kSrcATop, Color4f=skia.Color4f(1, 1, 1, 1))
        repeat = skia.TileMode.kRepeat
        tooth.setShader(_tooth().makeShader(repeat, repeat, skia.SamplingOptions()))
        canvas.drawPaint(tooth)
    finally:
        canvas.restore()


@lru_cache(maxsize=2)
def paper(height: int, width: int) -> Image:
    """Blank paper with its grain: uint8 [height, width, 3] RGB; not to be changed."""
    repeats = (-(-height // _TOOTH_PX), -(-width // _TOOTH_PX))
    grain = np.tile(_noise(), repeats)[:height, :width, None] * np.float32(_GRAIN_LEVELS)
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


@lru_cache(maxsize=1)
def _tooth() -> skia.Image:
    alpha = np.clip((_noise() * 0.35 + 0.4) * _TOOTH, 0, _TOOTH)
    levels = np.ascontiguousarray(np.round(alpha * 255).astype(np.uint8))
    return skia.Image.fromarray(levels, skia.kAlpha_8_ColorType, skia.kPremul_AlphaType, copy=True)


@lru_cache(maxsize=1)
def _noise() -> NDArray[np.float32]:
    """float32 [_TOOTH_PX, _TOOTH_PX], mean 0, standard deviation 1; it repeats without seams."""
    rough = np.random.default_rng(7).normal(size=(_TOOTH_PX, _TOOTH_PX)).astype(np.float32)
    wrapped = cv2.copyMakeBorder(rough, 8, 8, 8, 8, cv2.BORDER_WRAP)
    fine, wide = (cv2.GaussianBlur(wrapped, (0, 0), sigma)[8:-8, 8:-8] for sigma in (0.7, 1.8))
    mixed = fine / fine.std() + np.float32(0.35) * wide / wide.std()
    noise: NDArray[np.float32] = mixed / mixed.std()
    return noise
