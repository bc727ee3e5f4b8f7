"""Drawing with skia into memory that numpy and OpenCV share."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import skia
from numpy.typing import NDArray

from toonfilter.runtime.render.colour import Colour
from toonfilter.runtime.render.contours import Points

Pixels = NDArray[np.uint8]
"""uint8 [H, W, 4]: RGBA, opaque."""


def canvas_on(pixels: Pixels) -> skia.Canvas:
    """A canvas that draws into `pixels`, which must outlive it."""
    return skia.Canvas(pixels, colorType=skia.kRGBA_8888_ColorType)


def paint(colour: Colour, alpha: float = 1.0, *, blend: skia.BlendMode = skia.BlendMode.kSrcOver) -> skia.Paint:
    """Flat, antialiased. colour: sRGB 0 to 1."""
    red, green, blue = (float(c) for c in np.clip(colour, 0, 1))
    return skia.Paint(Color4f=skia.Color4f(red, green, blue, alpha), AntiAlias=True, BlendMode=blend)


def stroke(colour: Colour, width_px: float, alpha: float = 1.0) -> skia.Paint:
    """A line with round joins and ends."""
    line = paint(colour, alpha)
    line.setStyle(skia.Paint.kStroke_Style)
    line.setStrokeWidth(width_px)
    line.setStrokeJoin(skia.Paint.kRound_Join)
    line.setStrokeCap(skia.Paint.kRound_Cap)
    return line


def path_of(shapes: Iterable[Points], *, closed: bool = True) -> skia.Path:
    """Polygons as one path; holes by the even-odd rule."""
    path = skia.Path()
    path.setFillType(skia.PathFillType.kEvenOdd)
    for points in shapes:
        path.addPoly([skia.Point(x, y) for x, y in points.tolist()], closed)
    return path


@contextmanager
def clipped(canvas: skia.Canvas, *paths: skia.Path, outside: skia.Path | None = None) -> Iterator[None]:
    """Draw only inside all of `paths`, and not inside `outside`."""
    canvas.save()
    for path in paths:
        canvas.clipPath(path, skia.ClipOp.kIntersect, True)
    if outside is not None:
        canvas.clipPath(outside, skia.ClipOp.kDifference, True)
    try:
        yield
    finally:
        canvas.restore()
