"""Filling shapes with pictures: quickly where nothing is clipped, and in the same colours."""

from typing import Any

import numpy as np
import pytest
import skia

from toonfilter.runtime.render.canvas import Pixels, canvas_on, clipped, path_of
from toonfilter.runtime.render.tones import Patch, lay

SIZE = 60
RED, GREEN = (200, 40, 10, 255), (20, 160, 60, 255)
PATCH = Patch(0, 0, 20, 20, 10.25, 10.25, (40, 40))


def box(left: float, top: float, right: float, bottom: float) -> skia.Path:
    return path_of([np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)])


def picture(colour: tuple[int, ...]) -> Pixels:
    return np.full((40, 40, 4), colour, np.uint8)


def ground() -> Pixels:
    return np.full((SIZE, SIZE, 4), GREEN, np.uint8)


@pytest.mark.parametrize(("colour", "is_opaque"), [(RED, True), ((100, 20, 5, 128), False)])
def test_both_ways_give_the_same_colours(colour: tuple[int, ...], is_opaque: bool) -> None:
    quick, plain = ground(), ground()
    order: Any = skia.kRGBA_8888_ColorType
    for canvas in (canvas_on(quick), skia.Canvas(plain, colorType=order, alphaType=skia.kUnpremul_AlphaType)):
        lay(canvas, picture(colour), PATCH, box(12.5, 12, 40, 41.3), is_opaque=is_opaque)
    assert (quick != ground()).any()
    assert np.abs(quick.astype(int) - plain).max() <= 2


def test_what_is_clipped_stays() -> None:
    pixels = ground()
    canvas = canvas_on(pixels)
    with clipped(canvas, box(0, 0, 25, SIZE)):
        lay(canvas, picture(RED), PATCH, box(12, 12, 40, 40))
    assert tuple(pixels[20, 20]) == RED
    assert tuple(pixels[20, 35]) == GREEN


def test_transparent_pictures_lie_on_transparent_pixels() -> None:
    pixels = np.zeros((SIZE, SIZE, 4), np.uint8)
    lay(canvas_on(pixels, is_opaque=False), picture(RED), PATCH, box(12, 12, 40, 40))
    assert tuple(pixels[20, 20]) == RED
    assert tuple(pixels[50, 50]) == (0, 0, 0, 0)
