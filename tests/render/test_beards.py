"""Beards: skin is seen through sparse ones."""

import cv2
import numpy as np
import skia

from toonfilter.runtime.render.colour import to_rgb
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.hair import draw_beard
from toonfilter.runtime.render.palette import Palette
from toonfilter.runtime.render.shade import Light
from toonfilter.runtime.styles.style import BaseRules


def darkness(face, cover: float) -> float:
    """How much darker than the skin the middle of a dense beard of this cover is drawn, 0 to 255."""
    head = FaceGeometry.of(face[1].landmarks)
    plane = np.zeros((640, 640), np.uint8)
    cheek = tuple(round(float(value)) for value in head.flat[205])
    cv2.circle(plane, cheek, round(0.3 * head.unit_px), 255, -1)
    figure = Figure(np.full((640, 640, 3), 128, np.uint8), {"beard": plane}, np.eye(2, 3), head.unit_px, head)
    palette = Palette(beard_cover=cover)
    skin = to_rgb(palette.skin)
    pixels = np.zeros((640, 640, 4), np.uint8)
    pixels[:] = (*np.round(skin * 255), 255)
    with skia.Surface(pixels) as canvas:
        draw_beard(canvas, figure, palette, Light(), BaseRules())
    inside = cv2.circle(np.zeros_like(plane), cheek, max(1, round(0.1 * head.unit_px)), 255, -1) > 0
    return float(skin.mean() * 255 - pixels[..., :3][inside].mean())


def test_skin_is_seen_through_sparse_beards(face) -> None:
    sparse, half, dense = (darkness(face, cover) for cover in (0.2, 0.6, 1.0))
    assert 5 < sparse < half - 10 < dense - 20
