"""Shade as a printer's dots or pencil strokes that lie on the head, so that they turn with it and never swim."""

import math
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import skia
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import NOSE_TIP
from toonfilter.runtime.render.canvas import paint, path_of, stroke
from toonfilter.runtime.render.colour import Colour
from toonfilter.runtime.render.contours import Plane, Points, outlines
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.face_map import SIDE, FaceMap

_LEAST_STEP_PX = 4.0
"""Distance of dots below which no screen shows them. Raising it coarsens dots on small faces."""
_TILE_PX = (8, 16, 32, 64)
_BANDS = ((114, 0.22), (124, 0.42))
"""Levels of the field from which dots are drawn, and the share of the paper that they cover: they grow into shade."""
_WHOLE_LEVEL, _LEAST_CELLS = 136, 40.0
"""Level from which shade is whole, and its least area on the map: dots alone look like a rash. Raising them: less."""
_HATCH_STEP_CELLS = 1.5
_HATCH_POINTS = 48
_LEAST_RUN = 3
_SHADE_LEVEL = 128


def dots(head: FaceGeometry, step_u: float, cover: float, colour: Colour, alpha: float = 1.0) -> skia.Paint:
    """A brush that prints dots: rows along the head's diagonals, which move, turn and shrink with it.

    step_u: distance of neighbours, in distances of the pupils. cover: share of the area, 0 to 0.9.
    """
    step_px = max(step_u * head.unit_px, _LEAST_STEP_PX)
    # The tile's side is the distance of dots in one row of two that interlock.
    side_px = step_px * math.sqrt(2)
    tile = _tile(min(_TILE_PX, key=lambda one: abs(math.log(one / side_px))), round(cover, 2))
    scale = side_px / head.unit_px / tile.width()
    (a, b), (c, d) = (head.across_face * scale).tolist(), (head.down_face * scale).tolist()
    x, y = head.flat[NOSE_TIP].tolist()
    matrix = skia.Matrix()
    matrix.setAll(a, c, x, b, d, y, 0, 0, 1)
    brush = paint(colour, alpha)
    repeat = skia.TileMode.kRepeat
    brush.setShader(tile.makeShader(repeat, repeat, skia.SamplingOptions(skia.FilterMode.kLinear), matrix))
    return brush


def draw_dots(
    canvas: skia.Canvas, head: FaceGeometry, face: FaceMap, field: Plane, step_u: float, colour: Colour
) -> None:
    """field: uint8 [SIDE, SIDE] on the map; shade is where it is 128 or more, and dots shrink where it ends."""
    whole = _shapes(field, _WHOLE_LEVEL)
    if not whole:
        return
    for level, cover in _BANDS:
        around = [one for one in _shapes(field, level) if any(_holds(one, inner) for inner in whole)]
        canvas.drawPath(path_of(face.shapes(around)), dots(head, step_u, cover, colour))
    canvas.drawPath(path_of(face.shapes(whole)), paint(colour))


def _shapes(field: Plane, level: int) -> list[Points]:
    return outlines(field, level=level, blur_px=0.8, smooth_px=2.0, least_px2=_LEAST_CELLS)


def _holds(shape: Points, other: Points) -> bool:
    """Whether a place of the other's outline lies inside."""
    return any(cv2.pointPolygonTest(shape, (x, y), False) >= 0 for x, y in other[::4].tolist())


@lru_cache(maxsize=16)
def _tile(side_px: int, cover: float) -> skia.Image:
    """Alpha of one dot in the middle and a quarter in each corner, that repeats without seams."""
    wave = np.cos(2 * np.pi * (np.arange(side_px) + 0.5) / side_px)
    # The sum of two waves, turned by an eighth: round hills that meet as a chequerboard does.
    hills = np.sort((wave[:, None] * wave).ravel())
    threshold = hills[min(len(hills) - 1, round((1 - cover) * len(hills)))]
    soft = np.clip((wave[:, None] * wave - threshold) * side_px / 5 + 0.5, 0, 1)
    alpha = np.ascontiguousarray(np.round(soft * 255).astype(np.uint8))
    return skia.Image.fromarray(alpha, skia.kAlpha_8_ColorType, skia.kPremul_AlphaType, copy=True)


def draw_hatching(canvas: skia.Canvas, face: FaceMap, field: Plane, unit_px: float, colour: Colour) -> None:
    """Strokes from top right to bottom left. field: as in `draw_dots`."""
    runs: list[Points] = []
    for line in _strokes():
        inside = _sampled(field, line) >= _SHADE_LEVEL
        edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(np.int8), [0]])))
        runs += [face.to_picture(line[a:b]) for a, b in edges.reshape(-1, 2) if b - a >= _LEAST_RUN]
    canvas.drawPath(path_of(runs, closed=False), stroke(colour, 0.011 * unit_px, 0.75))


def _sampled(field: Plane, cells: Points) -> NDArray[np.float32]:
    values: NDArray[np.float32] = cv2.remap(field, cells[:, None, 0], cells[:, None, 1], cv2.INTER_LINEAR)[:, 0].astype(
        np.float32
    )
    return values


@lru_cache(maxsize=1)
def _strokes() -> tuple[Points, ...]:
    """Slanting lines across the map: float32 [_HATCH_POINTS, 2] cells each."""
    along = np.linspace(0, 1, _HATCH_POINTS)[:, None]
    starts = np.arange(0, 2 * SIDE, _HATCH_STEP_CELLS)
    lines = [np.array([s, 0.0]) + along * np.array([-SIDE * 0.8, SIDE * 1.0]) for s in starts]
    return tuple(line.astype(np.float32) for line in lines)
