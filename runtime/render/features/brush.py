"""The pen: smooth outlines, tapered strokes, flat and graded fills, recorded first and then built and drawn in one go.

Building paths point by point costs more than drawing them; so the points of all shapes go through numpy together.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import skia
from numpy.typing import NDArray

from toonfilter.runtime.geometry.proportions import Points
from toonfilter.runtime.render.colour import Colour
from toonfilter.runtime.render.paths import CLOSE, CUBIC, LINE, MOVE, path_of_bytes, polygons

Widths = NDArray[np.float32]
"""float32 [N]: px at each point of a curve."""
MULTIPLY = skia.BlendMode.kMultiply
_OVER = skia.BlendMode.kSrcOver
_LEAST_ALPHA = 0.004
_ROW_BYTES, _POINT_OFFSET = 24, 16
"""Of a segment of a curve, float32 [6], and where its last point begins in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A closed shape: runs float32 [N, 2] px, smooth along each, with corners between them.

    is_closed: the one run goes on smoothly from its last to its first point. is_hollow: shapes within are holes.
    """

    runs: tuple[Points, ...]
    is_closed: bool = False
    is_hollow: bool = False


def outline(*runs: Points) -> Shape:
    """A shape with corners between its runs."""
    return Shape(runs)


def closed_curve(points: Points) -> Shape:
    """A smooth shape without corners."""
    return Shape((_wrapped(points),), is_closed=True)


def ring(outer: Points, inner: Points) -> Shape:
    """The band between two smooth closed curves."""
    return Shape((_wrapped(outer), _wrapped(inner)), is_closed=True, is_hollow=True)


def _wrapped(points: Points) -> Points:
    return np.concatenate([points[-1:], points, points[:2]])


def polygon(points: Points) -> skia.Path:
    """A closed path of straight lines."""
    return polygons([points], even_odd=False)


@lru_cache(maxsize=256)
def taper(count: int, start: float = 0.1, end: float = 0.1, peak: float = 0.5) -> Widths:
    """Width along a stroke, float32 [count], 1 at the peak. start, end: width of the ends. Read only."""
    along = np.linspace(0, 1, count)
    rise = start + (1 - start) * np.sin(np.clip(along / peak, 0, 1) * np.pi / 2)
    fall = end + (1 - end) * np.sin(np.clip((1 - along) / (1 - peak), 0, 1) * np.pi / 2)
    widths: Widths = np.minimum(rise, fall).astype(np.float32)
    widths.flags.writeable = False
    return widths


@lru_cache(maxsize=64)
def bow(count: int, power: float = 1.0) -> Widths:
    """0 at both ends, 1 in the middle: a half wave to a power, float32 [count]. Read only."""
    wave: Widths = (np.sin(np.linspace(0, np.pi, count)).clip(0) ** power).astype(np.float32)
    wave.flags.writeable = False
    return wave


def part(curve: Points, start: float, end: float) -> Points:
    """The points of a curve between two shares of its length in points."""
    last = len(curve) - 1
    return curve[round(start * last) : round(end * last) + 1]


def normals(curve: Points) -> Points:
    """Unit normals along a curve, float32 [N, 2]: to the left of its direction as the picture shows it, y down."""
    return _normals(curve, np.array([0]), np.array([len(curve) - 1]))


def _normals(curves: Points, firsts: NDArray[np.intp], lasts: NDArray[np.intp]) -> Points:
    """As `normals`, of several curves in one array. firsts, lasts: where they begin and end."""
    steps = np.empty_like(curves)
    steps[1:-1] = curves[2:] - curves[:-2]
    steps[firsts] = curves[firsts + 1] - curves[firsts]
    steps[lasts] = curves[lasts] - curves[lasts - 1]
    lengths = np.maximum(np.hypot(steps[:, 0], steps[:, 1]), 1e-6)
    turned: Points = np.stack([steps[:, 1], -steps[:, 0]], 1) / lengths[:, None]
    return turned


@dataclass(slots=True)
class _Op:
    """One recorded step. shape: to fill or to clip by; None where the step needs none."""

    kind: str
    shape: Shape | skia.Path | None = None
    colour: Colour | None = None
    alpha: float = 1.0
    blend: skia.BlendMode = _OVER
    shader: skia.Shader | None = None
    matrix: skia.Matrix | None = None


class Pen:
    """Records steps; `draw` lays them onto a canvas in their order. One for each drawing; not thread safe."""

    def __init__(self) -> None:
        self._ops: list[_Op] = []
        self._curves: list[Points] = []
        self._widths: list[Widths] = []
        self._stroke_ops: list[_Op] = []

    def fill(self, shape: Shape | skia.Path, colour: Colour, alpha: float = 1.0, blend: skia.BlendMode = _OVER) -> None:
        """Flat colour, sRGB 0 to 1."""
        if alpha > _LEAST_ALPHA:
            self._ops.append(_Op("fill", shape, colour, min(alpha, 1.0), blend))

    def stroke(self, curve: Points, widths: Widths, colour: Colour, alpha: float = 1.0) -> None:
        """A brush stroke along a curve, float32 [N, 2] px. widths: px, float32 [N]."""
        if alpha > _LEAST_ALPHA:
            step = _Op("fill", None, colour, min(alpha, 1.0))
            self._ops.append(step)
            self._stroke_ops.append(step)
            self._curves.append(curve)
            self._widths.append(widths)

    def graded(self, shape: Shape | skia.Path, shader: skia.Shader, alpha: float = 1.0) -> None:
        """Fill with a gradient."""
        self._ops.append(_Op("graded", shape, None, alpha, shader=shader))

    def glow(self, centre: Points, across: Points, down: Points, colour: Colour, alpha: float) -> None:
        """A soft ellipse that fades to nothing. across, down: px from the centre to its edge."""
        if alpha > _LEAST_ALPHA:
            with self.frame(centre, across, down):
                self.graded(_UNIT_DISC, _glow_shader(to_argb(colour)), alpha)

    @contextmanager
    def frame(self, centre: Points, across: Points, down: Points) -> Iterator[None]:
        """Coordinates in which `centre` is the origin and `across`, `down` are the unit vectors; for paths of skia."""
        matrix = skia.Matrix()
        (a, b), (c, d), (x, y) = across.tolist(), down.tolist(), centre.tolist()
        matrix.setAll(a, c, x, b, d, y, 0, 0, 1)
        self._ops.append(_Op("frame", matrix=matrix))
        yield
        self._ops.append(_Op("restore"))

    @contextmanager
    def faded(self, alpha: float) -> Iterator[None]:
        """Draw everything inside together, this strongly."""
        if alpha > 0.99:
            yield
            return
        self._ops.append(_Op("fade", alpha=alpha))
        yield
        self._ops.append(_Op("restore"))

    @contextmanager
    def inside(self, shape: Shape | skia.Path) -> Iterator[None]:
        """Draw only inside a shape."""
        self._ops.append(_Op("clip", shape))
        yield
        self._ops.append(_Op("restore"))

    def draw(self, canvas: skia.Canvas) -> None:
        """Lay everything onto the canvas."""
        self._shape_strokes()
        # What is both filled and clipped by is built once.
        shapes = {id(step.shape): step.shape for step in self._ops if isinstance(step.shape, Shape)}
        paths = dict(zip(shapes, paths_through(list(shapes.values())), strict=True))
        flat, graded = skia.Paint(AntiAlias=True), skia.Paint(AntiAlias=True)
        for step in self._ops:
            path = paths[id(step.shape)] if isinstance(step.shape, Shape) else step.shape
            _perform(canvas, step, path, flat, graded)

    def _shape_strokes(self) -> None:
        """Turn strokes into shapes, all at once."""
        if not self._curves:
            return
        ends = np.cumsum([len(curve) for curve in self._curves])
        firsts = np.concatenate([[0], ends[:-1]])
        curves = np.concatenate(self._curves).astype(np.float32, copy=False)
        half = (np.concatenate(self._widths) * np.float32(0.5))[:, None]
        offsets = _normals(curves, firsts, ends - 1) * half
        left, right = curves + offsets, curves - offsets
        for step, first, end in zip(self._stroke_ops, firsts.tolist(), ends.tolist(), strict=True):
            step.shape = Shape((left[first:end], right[first:end][::-1]))


def _perform(canvas: skia.Canvas, step: _Op, path: skia.Path | None, flat: skia.Paint, graded: skia.Paint) -> None:
    if step.kind == "fill" and step.colour is not None:
        red, green, blue = step.colour.tolist()
        flat.setColor4f(skia.Color4f(red, green, blue, step.alpha))
        flat.setBlendMode(step.blend)
        canvas.drawPath(path, flat)
    elif step.kind == "graded":
        graded.setShader(step.shader)
        graded.setAlphaf(step.alpha)
        canvas.drawPath(path, graded)
    elif step.kind == "restore":
        canvas.restore()
    elif step.kind == "fade":
        canvas.saveLayerAlpha(None, round(step.alpha * 255))
    else:
        canvas.save()
        if step.kind == "frame":
            canvas.concat(step.matrix)
        else:
            canvas.clipPath(path, skia.ClipOp.kIntersect, True)


def paths_through(shapes: Sequence[Shape]) -> list[skia.Path]:
    """Cubic paths through the points of all shapes."""
    runs = [run for shape in shapes for run in shape.runs]
    if not runs:
        return []
    points = np.concatenate(runs).astype(np.float32, copy=False)
    ends = np.cumsum([len(run) for run in runs])
    firsts, lasts = np.concatenate([[0], ends[:-1]]), ends - 1
    tangents = np.empty_like(points)
    tangents[1:-1] = (points[2:] - points[:-2]) * np.float32(1 / 6)
    tangents[firsts] = (points[firsts + 1] - points[firsts]) * np.float32(1 / 3)
    tangents[lasts] = (points[lasts] - points[lasts - 1]) * np.float32(1 / 3)
    # Row i is the segment from the point before to point i.
    rows = np.empty((len(points), 6), np.float32)
    rows[1:, 0:2] = points[:-1] + tangents[:-1]
    rows[:, 2:4] = points - tangents
    rows[:, 4:6] = points
    numbers = rows.tobytes()
    paths, place = [], 0
    for shape in shapes:
        found, verbs = [], []
        for number, run in enumerate(shape.runs):
            first, end = place, place + len(run)
            place = end
            if shape.is_closed:
                # The first and the last point are there for their tangents only.
                first, end = first + 1, end - 1
            # All but the point itself of a run's first row leads there from before it.
            found.append(numbers[first * _ROW_BYTES + _POINT_OFFSET : end * _ROW_BYTES])
            verbs.append((MOVE if number == 0 or shape.is_closed else LINE) + CUBIC * (end - first - 1))
        paths.append(path_of_bytes(b"".join(found), b"".join([*verbs, CLOSE]), even_odd=shape.is_hollow))
    return paths


def to_argb(colour: Colour, alpha: float = 1.0) -> int:
    """A colour as skia's gradients want it."""
    return tones(colour, [alpha])[0]


def tones(colour: Colour, alphas: Sequence[float]) -> list[int]:
    """One colour with several opacities; see `to_argb`."""
    red, green, blue = (_level(share) for share in colour.tolist())
    rgb = red << 16 | green << 8 | blue
    return [_level(alpha) << 24 | rgb for alpha in alphas]


def _level(share: float) -> int:
    return round(min(max(share, 0.0), 1.0) * 255)


def linear(start: Points, end: Points, colours: Sequence[int], places: Sequence[float]) -> skia.Shader:
    """A gradient along a line."""
    return skia.GradientShader.MakeLinear(
        [skia.Point(*start.tolist()), skia.Point(*end.tolist())], list(colours), list(places)
    )


@lru_cache(maxsize=64)
def _glow_shader(argb: int) -> skia.Shader:
    clear = argb & 0x00FFFFFF
    return skia.GradientShader.MakeRadial(skia.Point(0, 0), 1.0, [argb, clear | (140 << 24), clear], [0.0, 0.45, 1.0])


def disc(x: float, y: float, radius: float) -> skia.Path:
    """A circle as a path of skia."""
    path = skia.Path()
    path.addCircle(x, y, radius)
    return path


def oval(x: float, y: float, across: float, down: float) -> skia.Path:
    """An ellipse as a path of skia."""
    path = skia.Path()
    path.addOval(skia.Rect.MakeLTRB(x - across, y - down, x + across, y + down))
    return path


_UNIT_DISC = disc(0, 0, 1)
