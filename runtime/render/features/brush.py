"""The pen: smooth outlines as cubic paths, tapered strokes, flat and graded fills, with one paint reused for all."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import skia
from numpy.typing import NDArray

from toonfilter.runtime.geometry.proportions import Points
from toonfilter.runtime.render.colour import Colour

Widths = NDArray[np.float32]
"""float32 [N]: px at each point of a curve."""
MULTIPLY = skia.BlendMode.kMultiply
_OVER = skia.BlendMode.kSrcOver


@lru_cache(maxsize=128)
def taper(count: int, start: float = 0.1, end: float = 0.1, peak: float = 0.5) -> NDArray[np.float32]:
    """Width along a stroke, float32 [count], 1 at the peak. start, end: width of the ends. Read only."""
    along = np.linspace(0, 1, count)
    rise = start + (1 - start) * np.sin(np.clip(along / peak, 0, 1) * np.pi / 2)
    fall = end + (1 - end) * np.sin(np.clip((1 - along) / (1 - peak), 0, 1) * np.pi / 2)
    widths: NDArray[np.float32] = np.minimum(rise, fall).astype(np.float32)
    widths.flags.writeable = False
    return widths


def normals(curve: Points) -> Points:
    """Unit normals along a curve, float32 [N, 2]: to the left of its direction as the picture shows it, y down."""
    steps = np.empty_like(curve)
    steps[1:-1] = curve[2:] - curve[:-2]
    steps[0], steps[-1] = curve[1] - curve[0], curve[-1] - curve[-2]
    lengths = np.maximum(np.hypot(steps[:, 0], steps[:, 1]), 1e-6)
    return np.stack([steps[:, 1] / lengths, -steps[:, 0] / lengths], 1)


def ribbon(curve: Points, widths: NDArray[np.float32]) -> tuple[Points, Points]:
    """Both edges of a stroke, each a run for `outline`."""
    offset = normals(curve) * (widths * np.float32(0.5))[:, None]
    return curve + offset, (curve - offset)[::-1]


def outline(*runs: Points) -> skia.Path:
    """A closed path: smooth along each run float32 [N, 2], with corners between runs."""
    path = skia.Path()
    started = False
    for run in runs:
        x, y = run[0].tolist()
        if started:
            path.lineTo(x, y)
        else:
            path.moveTo(x, y)
            started = True
        curve_to = path.cubicTo
        for segment in _cubics(run):
            curve_to(*segment)
    path.close()
    return path


def _cubics(run: Points) -> list[list[float]]:
    tangents = np.empty_like(run)
    tangents[1:-1] = (run[2:] - run[:-2]) / 6
    tangents[0], tangents[-1] = (run[1] - run[0]) / 3, (run[-1] - run[-2]) / 3
    segments: list[list[float]] = np.concatenate(
        [run[:-1] + tangents[:-1], run[1:] - tangents[1:], run[1:]], axis=1
    ).tolist()
    return segments


def closed_curve(points: Points) -> skia.Path:
    """A smooth closed path through points, without corners."""
    after = np.roll(points, -1, 0)
    tangents = (after - np.roll(points, 1, 0)) / 6
    segments = np.concatenate([points + tangents, after - np.roll(tangents, -1, 0), after], axis=1).tolist()
    path = skia.Path()
    path.moveTo(*points[0].tolist())
    for segment in segments:
        path.cubicTo(*segment)
    path.close()
    return path


def polygon(points: Points) -> skia.Path:
    """A closed path of straight lines."""
    path = skia.Path()
    path.addPoly([skia.Point(x, y) for x, y in points.tolist()], True)
    return path


class Pen:
    """Draws onto a canvas. Not thread safe; make one for each drawing."""

    def __init__(self, canvas: skia.Canvas) -> None:
        self.canvas = canvas
        self._flat = skia.Paint(AntiAlias=True)
        self._graded = skia.Paint(AntiAlias=True)

    def fill(self, path: skia.Path, colour: Colour, alpha: float = 1.0, blend: skia.BlendMode = _OVER) -> None:
        """Flat colour, sRGB 0 to 1."""
        if alpha <= 0.004:
            return
        red, green, blue = colour.tolist()
        self._flat.setColor4f(skia.Color4f(red, green, blue, min(alpha, 1.0)))
        self._flat.setBlendMode(blend)
        self.canvas.drawPath(path, self._flat)

    def stroke(self, curve: Points, widths: NDArray[np.float32], colour: Colour, alpha: float = 1.0) -> None:
        """A brush stroke along a curve. widths: px, float32 [N]."""
        if alpha > 0.004:
            self.fill(outline(*ribbon(curve, widths)), colour, alpha)

    def graded(self, path: skia.Path, shader: skia.Shader, alpha: float = 1.0) -> None:
        """Fill with a gradient."""
        self._graded.setShader(shader)
        self._graded.setAlphaf(alpha)
        self.canvas.drawPath(path, self._graded)

    def glow(self, centre: Points, across: Points, down: Points, colour: Colour, alpha: float) -> None:
        """A soft ellipse that fades to nothing. across, down: px from the centre to its edge."""
        if alpha <= 0.004:
            return
        clear = to_argb(colour, 0.0)
        shader = skia.GradientShader.MakeRadial(
            skia.Point(0, 0), 1.0, [to_argb(colour, alpha), to_argb(colour, alpha * 0.55), clear], [0.0, 0.45, 1.0]
        )
        with self.frame(centre, across, down):
            self._graded.setShader(shader)
            self._graded.setAlphaf(1.0)
            self.canvas.drawCircle(0, 0, 1, self._graded)

    @contextmanager
    def frame(self, centre: Points, across: Points, down: Points) -> Iterator[None]:
        """Coordinates in which `centre` is the origin and `across`, `down` are the unit vectors."""
        matrix = skia.Matrix()
        matrix.setAll(
            float(across[0]),
            float(down[0]),
            float(centre[0]),
            float(across[1]),
            float(down[1]),
            float(centre[1]),
            0,
            0,
            1,
        )
        self.canvas.save()
        self.canvas.concat(matrix)
        try:
            yield
        finally:
            self.canvas.restore()

    @contextmanager
    def faded(self, alpha: float) -> Iterator[None]:
        """Draw everything inside together, this strongly."""
        if alpha > 0.99:
            yield
            return
        self.canvas.saveLayerAlpha(None, round(alpha * 255))
        try:
            yield
        finally:
            self.canvas.restore()

    @contextmanager
    def inside(self, path: skia.Path) -> Iterator[None]:
        """Draw only inside a path."""
        self.canvas.save()
        self.canvas.clipPath(path, skia.ClipOp.kIntersect, True)
        try:
            yield
        finally:
            self.canvas.restore()


def to_argb(colour: Colour, alpha: float = 1.0) -> int:
    """A colour as skia's gradients want it."""
    red, green, blue = (round(min(max(value, 0.0), 1.0) * 255) for value in colour.tolist())
    argb: int = skia.Color(red, green, blue, round(min(max(alpha, 0.0), 1.0) * 255))
    return argb


def linear(start: Points, end: Points, colours: Sequence[int], places: Sequence[float]) -> skia.Shader:
    """A gradient along a line."""
    return skia.GradientShader.MakeLinear(
        [skia.Point(*start.tolist()), skia.Point(*end.tolist())], list(colours), list(places)
    )
