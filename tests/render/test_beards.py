"""Beards: dense ones are one colour, sparse ones are hairs on skin."""

import cv2
import numpy as np
import skia

from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.hair import draw_beard
from toonfilter.runtime.render.palette import Palette
from toonfilter.runtime.render.shade import Light
from toonfilter.runtime.styles.style import BaseRules


def detail(face, scale: float, cover: float) -> float:
    """Mean contrast of neighbours within a beard of this cover on a cheek; the face is so many times as large."""
    side = round(640 * scale)
    head = FaceGeometry.of(face[1].landmarks * np.float32(scale))
    plane = np.zeros((side, side), np.uint8)
    cheek = tuple(round(float(value)) for value in head.flat[205])
    cv2.circle(plane, cheek, round(0.3 * head.unit_px), 255, -1)
    figure = Figure(
        np.full((side, side, 3), 128, np.uint8),
        {"beard": plane, "skin": np.full_like(plane, 255)},
        np.eye(2, 3),
        head.unit_px,
        head,
    )
    pixels = np.full((side, side, 4), 255, np.uint8)
    with skia.Surface(pixels) as canvas:
        draw_beard(canvas, figure, Palette(beard_cover=cover), Light(), BaseRules())
    grey = pixels[..., :3].mean(-1).astype(np.float32)
    contrast = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 0.05 * head.unit_px))
    inside = cv2.circle(np.zeros_like(plane), cheek, max(1, round(0.1 * head.unit_px)), 255, -1) > 0
    return float(contrast[inside].mean())


def test_sparse_beards_are_hairs_and_dense_ones_are_smooth(face) -> None:
    assert detail(face, 2.0, 0.4) > 3 * detail(face, 2.0, 1.0) + 1


def test_hairs_of_small_faces_are_not_drawn_one_by_one(face) -> None:
    assert detail(face, 0.5, 0.4) < 3
