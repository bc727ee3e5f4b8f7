"""Shade as dots or pencil strokes that lie on the face's map, so that they turn with the head and never swim."""

from functools import lru_cache

import cv2
import numpy as np
import skia
from numpy.typing import NDArray

from toonfilter.runtime.render.canvas import paint, path_of, stroke
from toonfilter.runtime.render.colour import Colour
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.face_map import SIDE, FaceMap

_DOT_STEP_CELLS = 2.6
_DOT_U = 0.034
"""Radius of the largest dot, in distances of the pupils; dots shrink where the shade ends."""
_HATCH_STEP_CELLS = 2.4
_HATCH_U = 0.011
_HATCH_POINTS = 48
_LEAST_RUN = 3
_SHADE_LEVEL = 128


def draw_dots(canvas: skia.Canvas, face: FaceMap, field: Plane, unit_px: float, colour: Colour) -> None:
    """field: uint8 [SIDE, SIDE] on the map; shade is where it is 128 or more."""
    cells = _lattice()
    level = _sampled(field, cells)
    cells, level = cells[level >= _SHADE_LEVEL], level[level >= _SHADE_LEVEL]
    sizes = _DOT_U * unit_px * np.clip((level - _SHADE_LEVEL) / 40 + 0.45, 0, 1)
    path = skia.Path()
    for (x, y), size in zip(face.to_picture(cells).tolist(), sizes.tolist(), strict=True):
        path.addCircle(x, y, size)
    canvas.drawPath(path, paint(colour))


def draw_hatching(canvas: skia.Canvas, face: FaceMap, field: Plane, unit_px: float, colour: Colour) -> None:
    """As `draw_dots`, with strokes from top right to bottom left."""
    runs: list[Points] = []
    for line in _strokes():
        inside = _sampled(field, line) >= _SHADE_LEVEL
        edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(np.int8), [0]])))
        runs += [face.to_picture(line[a:b]) for a, b in edges.reshape(-1, 2) if b - a >= _LEAST_RUN]
    canvas.drawPath(path_of(runs, closed=False), stroke(colour, _HATCH_U * unit_px, 0.75))


def _sampled(field: Plane, cells: Points) -> NDArray[np.float32]:
    values: NDArray[np.float32] = cv2.remap(field, cells[:, None, 0], cells[:, None, 1], cv2.INTER_LINEAR)[:, 0].astype(
        np.float32
    )
    return values


@lru_cache(maxsize=1)
def _lattice() -> Points:
    """Rows of points, every second one shifted by half a step: float32 [N, 2] cells."""
    rows = np.arange(2, SIDE - 2, _DOT_STEP_CELLS * 0.87)
    places = [
        np.stack([np.arange(2 + (n % 2) * _DOT_STEP_CELLS / 2, SIDE - 2, _DOT_STEP_CELLS)] * 2, 1) * [1, 0] + [0, row]
        for n, row in enumerate(rows)
    ]
    lattice: Points = np.concatenate(places).astype(np.float32)
    return lattice


@lru_cache(maxsize=1)
def _strokes() -> tuple[Points, ...]:
    """Slanting lines across the map: float32 [_HATCH_POINTS, 2] cells each."""
    along = np.linspace(0, 1, _HATCH_POINTS)[:, None]
    starts = np.arange(0, 2 * SIDE, _HATCH_STEP_CELLS)
    lines = [np.array([s, 0.0]) + along * np.array([-SIDE * 0.8, SIDE * 1.0]) for s in starts]
    return tuple(line.astype(np.float32) for line in lines)
