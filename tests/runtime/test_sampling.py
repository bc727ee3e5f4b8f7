"""Sampled squares show the place they should, however much they are shrunk or enlarged."""

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import CropTransform
from toonfilter.runtime.geometry.sampling import halved, halvings_for, shrunk_region, take_view
from toonfilter.runtime.render.blending import paste
from toonfilter.runtime.render.portrait import Portrait

SIZE = 64


def ramps(height: int = 480, width: int = 640) -> Any:
    """Red tells the column, green the row, more exactly than bytes could."""
    rows, columns = np.indices((height, width), np.float32)
    return np.dstack([columns, rows, rows])


@pytest.mark.parametrize("side_px", [40.0, 70.0, 127.0, 129.0, 200.0, 300.0])
@pytest.mark.parametrize("roll_rad", [0.0, 0.3])
def test_a_view_shows_its_place(side_px: float, roll_rad: float) -> None:
    transform = CropTransform(301.3, 222.7, side_px, roll_rad, SIZE)
    view = take_view(ramps(), transform)
    points = np.array([[10, 10], [53, 12], [32, 32], [11, 50]])
    for (x, y), place in zip(points, transform.to_frame(points), strict=True):
        # OpenCV warps to a thirty-second of a pixel of what it is given.
        assert view[y, x, :2] == pytest.approx(place, abs=0.1)


def test_nothing_beyond_a_view_that_is_shrunk_darkens_its_sides() -> None:
    flat = np.full((480, 640, 3), 180, np.uint8)
    for side_px in np.arange(129.0, 300.0, 7.3).tolist():
        for x, y in ((301.3, 222.7), (267.4, 242.5), (310.0, 233.0)):
            assert (take_view(flat, CropTransform(x, y, side_px, 0.0, SIZE)) == 180).all()


@pytest.mark.parametrize(
    ("ratio", "least", "halvings"),
    [
        (0.3, 1.0, 0),
        (1.0, 1.0, 0),
        (1.99, 1.0, 0),
        (2.0, 1.0, 1),
        (3.9, 1.0, 1),
        (4.1, 1.0, 2),
        (1.59, 0.8, 0),
        (1.61, 0.8, 1),
    ],
)
def test_so_much_remains_for_the_sampling(ratio: float, least: float, halvings: int) -> None:
    assert halvings_for(ratio, least) == halvings


def test_halving_takes_means() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    means = picture.reshape(4, 4, 6, 4, 3).mean((1, 3))
    assert np.abs(halved(picture, 2) - means).max() <= 1
    assert halved(picture, 0) is picture


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 2), (5, 200)])
def test_a_picture_smaller_than_its_shrinking_is_shrunk_less(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 99, np.uint8)
    transform = CropTransform(0.0, 0.0, 900.0, 0.1, SIZE)
    small, matrix = shrunk_region(image, transform.crop_to_frame, SIZE, 4)
    assert small.size > 0
    assert (small == 99).all()
    assert np.isfinite(matrix).all()
    assert take_view(image, transform).shape == (SIZE, SIZE, 3)


def pasted(drawing: Image, mask: NDArray[np.uint8], transform: CropTransform) -> Image:
    frame = np.zeros((480, 640, 3), np.uint8)
    landmarks = np.zeros((478, 3), np.float32)
    paste(frame, drawing, mask, Portrait(drawing, None, transform, landmarks, landmarks))
    return frame


@pytest.mark.parametrize("place", [(320.0, 240.0), (90.5, 400.3)])
@pytest.mark.parametrize("roll_rad", [0.0, -0.4])
def test_a_large_drawing_lies_where_one_warp_lays_it(place: tuple[float, float], roll_rad: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    drawing = cv2.GaussianBlur(noise, (0, 0), 3)
    mask = cv2.GaussianBlur(cv2.circle(np.zeros((SIZE, SIZE), np.uint8), (32, 32), 20, 255, -1), (0, 0), 3)
    transform = CropTransform(*place, 301.0, roll_rad, SIZE)
    in_two_steps = pasted(drawing, mask, transform)
    weighted = drawing * (mask[..., None] / np.float32(255))
    at_once = (
        cv2.warpAffine(weighted, transform.crop_to_frame, (640, 480), flags=cv2.INTER_LINEAR).round().astype(np.uint8)
    )
    assert at_once.max() > 100
    assert cv2.PSNR(in_two_steps, at_once) > 45
