"""Shade as a printer's dots or pencil strokes that lie on the head, so that they turn with it and never swim."""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import skia
from numpy.typing import NDArray

from toonfilter.runtime.geometry.alignment import mean_face
from toonfilter.runtime.geometry.landmarks import CHIN
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
_HATCH_STEP_CELLS, _HATCH_POINTS, _LEAST_RUN = 1.25, 44, 4
_LEAN, _MOST_STROKES = 0.8, 400
"""How far strokes go to the left while they go down by one; and how many a region gets at most."""
_HATCH_U, _HATCH_ALPHA = 0.0075, 0.45
"""Width of a stroke in distances of the pupils, and its opacity. Raising them darkens shade."""
_LEAST_HATCHED = 150
"""Least area of shade that is hatched, in cells. Raising it leaves more of the face white."""
_HATCH_LEVELS = (116, 158)
"""Levels of the field from which there are strokes, and strokes across them."""


@dataclass(frozen=True, slots=True)
class PatternFrame:
    """Where patterns beside the mesh lie. values: float32 [4], x and y of the origin in units, logarithm of the unit in
    px, roll in rad."""

    values: NDArray[np.float32]

    @classmethod
    def of(cls, head: FaceGeometry) -> "PatternFrame":
        """At the head's chin as it is at rest: speech, and a turn to the side, would move what is far away."""
        x, y = (head.project(mean_face()[[CHIN]])[0] / np.float32(head.unit_px)).tolist()
        roll = math.atan2(float(head.right[1]), float(head.right[0]))
        return cls(np.array([x, y, math.log(head.unit_px), roll], np.float32))

    @property
    def unit_px(self) -> float:
        return math.exp(float(self.values[2]))

    @property
    def origin(self) -> Points:
        """float32 [2] px."""
        origin: Points = self.values[:2] * np.float32(self.unit_px)
        return origin

    @property
    def axes(self) -> NDArray[np.float32]:
        """float32 [2, 2]: across and down, px for each unit."""
        cos, sin = math.cos(float(self.values[3])), math.sin(float(self.values[3]))
        return np.array([[cos, sin], [-sin, cos]], np.float32) * np.float32(self.unit_px)


def dots(frame: PatternFrame, step_u: float, cover: float, colour: Colour, alpha: float = 1.0) -> skia.Paint:
    """A brush that prints dots: rows along diagonals, which move, turn and grow with the frame.

    step_u: distance of neighbours, in distances of the pupils. cover: share of the area, 0 to 0.9.
    """
    step_px = max(step_u * frame.unit_px, _LEAST_STEP_PX)
    # The tile's side is the distance of dots in one row of two that interlock.
    side_px = step_px * math.sqrt(2)
    tile = _tile(min(_TILE_PX, key=lambda one: abs(math.log(one / side_px))), round(cover, 2))
    scale = side_px / frame.unit_px / tile.width()
    ((a, b), (c, d)), (x, y) = (frame.axes * scale).tolist(), frame.origin.tolist()
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
        canvas.drawPath(path_of(face.shapes(around)), dots(PatternFrame.of(head), step_u, cover, colour))
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
    """Strokes over the form of the face, crossed where it is darker. field: as in `draw_dots`."""
    # Beyond the mesh places are guessed, and long strokes would show it.
    field = _large_only(cv2.multiply(field, face.known.astype(np.uint8)), _HATCH_LEVELS[0])
    runs: list[Points] = []
    for strokes, level in zip(_strokes(), _HATCH_LEVELS, strict=True):
        inside = _sampled(field, strokes.reshape(-1, 2)).reshape(strokes.shape[:2]) >= level
        edges = np.diff(np.pad(inside.astype(np.int8), ((0, 0), (1, 1))), axis=1)
        numbers, firsts = np.nonzero(edges == 1)
        lasts = np.nonzero(edges == -1)[1]
        # A hand does not end its strokes along a line.
        firsts, lasts = np.maximum(firsts - numbers % 3, 0), lasts + (numbers * 7) % 4 - 1
        for number, first, last in zip(numbers.tolist(), firsts.tolist(), lasts.tolist(), strict=True):
            if last - first >= _LEAST_RUN:
                runs.append(strokes[number, first:last])
    if not runs:
        return
    lines = face.shapes(runs)
    pressed = [line[len(line) // 6 : len(line) - len(line) // 4] for line in lines]
    canvas.drawPath(path_of(lines, closed=False), stroke(colour, _HATCH_U * unit_px, _HATCH_ALPHA))
    canvas.drawPath(path_of(pressed, closed=False), stroke(colour, 1.7 * _HATCH_U * unit_px, _HATCH_ALPHA))


def _large_only(field: Plane, level: int) -> Plane:
    """A field without small patches of shade, in which single strokes would look like bristles."""
    field = cv2.GaussianBlur(field, (0, 0), 1.0)
    _, marks, stats, _ = cv2.connectedComponentsWithStats(cv2.compare(field, level, cv2.CMP_GE), connectivity=4)
    kept = (stats[:, cv2.CC_STAT_AREA] >= _LEAST_HATCHED).astype(np.uint8) * 255
    kept[0] = 0
    large: Plane = cv2.bitwise_and(field, kept[marks])
    return large


def hatch_clip(canvas: skia.Canvas, frame: PatternFrame, colour: Colour, step_u: float) -> None:
    """Parallel strokes over all of the clip, in the frame's own directions. step_u: their distance, in distances of the
    pupils."""
    bounds = canvas.getLocalClipBounds()
    if bounds.isEmpty():
        return
    axes, origin = frame.axes, frame.origin
    corners = np.array([(x, y) for x in (bounds.left(), bounds.right()) for y in (bounds.top(), bounds.bottom())])
    places = (corners - origin) @ np.linalg.inv(axes)
    (left, top), (right, bottom) = places.min(0).tolist(), places.max(0).tolist()
    starts = np.arange(math.floor(left / step_u), math.ceil((right + _LEAN * (bottom - top)) / step_u)) * step_u
    if len(starts) > _MOST_STROKES:
        return
    # A stroke has its place at the origin's height, wherever the clip begins.
    first = np.stack([starts - _LEAN * (top - math.floor(top)), np.full(len(starts), top)], 1)
    last = first + np.array([-_LEAN, 1.0]) * (bottom - top)
    lines = np.stack([first, last], 1) @ axes + origin
    brush = stroke(colour, 1.5 * _HATCH_U * frame.unit_px, 1.4 * _HATCH_ALPHA)
    canvas.drawPath(path_of(list(lines.astype(np.float32)), closed=False), brush)


def _sampled(field: Plane, cells: Points) -> NDArray[np.float32]:
    values: NDArray[np.float32] = cv2.remap(field, cells[:, None, 0], cells[:, None, 1], cv2.INTER_LINEAR)[:, 0].astype(
        np.float32
    )
    return values


@lru_cache(maxsize=1)
def _strokes() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Slanting lines across the map, and others that cross them: float32 [N, _HATCH_POINTS, 2] cells each."""
    along = np.linspace(0, 1, _HATCH_POINTS)[:, None]
    sets = []
    for lean, step in ((_LEAN, _HATCH_STEP_CELLS), (0.1, 1.1 * _HATCH_STEP_CELLS)):
        starts = np.arange(0, (1 + lean) * SIDE, step)
        sway = 0.5 * np.sin(np.arange(len(starts)) * 2.4)
        lines = [
            np.array([s, 0.0]) + along * np.array([-SIDE * (lean + 0.02 * w), SIDE])
            for s, w in zip(starts, sway, strict=True)
        ]
        sets.append(np.stack(lines).astype(np.float32))
    return sets[0], sets[1]
