"""Drawing with skia into memory that numpy and OpenCV share."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import skia
from numpy.typing import NDArray

from toonfilter.runtime.render.colour import Colour
from toonfilter.runtime.render.contours import Points
from toonfilter.runtime.render.paths import polygons

Pixels = NDArray[np.uint8]
"""uint8 [H, W, 4]: RGBA, premultiplied, opaque where nothing else is said."""


_PICTURES = skia.kBGRA_8888_ColorType
"""Order of channels for which alone Skia has fast ways. Pictures keep their own, under that name."""


class Sheet(skia.Canvas):  # type: ignore[misc]
    """A canvas on pixels. for_pictures: a second one on the same pixels, which fills shapes with pictures several times
    faster; it knows nothing of what the first one clips."""

    def __init__(self, pixels: Pixels, *, is_opaque: bool) -> None:
        # Where nothing is transparent both are the same, and this one is faster by a tenth of a drawing.
        alpha = skia.kUnpremul_AlphaType if is_opaque else skia.kPremul_AlphaType
        super().__init__(pixels, colorType=skia.kRGBA_8888_ColorType, alphaType=alpha)
        self.for_pictures = skia.Canvas(pixels, colorType=_PICTURES, alphaType=skia.kPremul_AlphaType)


def canvas_on(pixels: Pixels, *, is_opaque: bool = True) -> Sheet:
    """A canvas that draws into `pixels`, which must outlive it. is_opaque: False where it begins transparent."""
    return Sheet(pixels, is_opaque=is_opaque)


def canvas_for_pictures(canvas: skia.Canvas) -> tuple[skia.Canvas, skia.ColorType]:
    """What to fill shapes with pictures on, and the order of channels that these are to be declared with."""
    if isinstance(canvas, Sheet) and canvas.getSaveCount() == 1:
        return canvas.for_pictures, _PICTURES
    # Something is clipped, or a layer lies over the pixels.
    return canvas, skia.kRGBA_8888_ColorType


def paint(colour: Colour, alpha: float = 1.0, *, blend: skia.BlendMode = skia.BlendMode.kSrcOver) -> skia.Paint:
    """Flat, antialiased. colour: sRGB 0 to 1."""
    red, green, blue = (min(max(level, 0.0), 1.0) for level in colour.tolist())
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
    return polygons(shapes, closed=closed)


def draw_soft(canvas: skia.Canvas, shapes: Iterable[Points], colour: Colour, alpha: float, soft_px: float) -> None:
    """Shapes whose edges fade over about soft_px to either side."""
    brush = paint(colour, alpha)
    if soft_px > 0.3:
        brush.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, soft_px, False))
    canvas.drawPath(path_of(shapes), brush)


def ribbons(
    shapes: Iterable[Points],
    width_px: float,
    *,
    taper: float = 0.42,
    lit_from: tuple[float, float] = (-0.5, -0.86),
) -> skia.Path:
    """Closed lines of a brush: thin where the outline faces the light, wide on the far side.

    shapes: closed outlines. width_px: of a line that runs along the light. taper: how much thinner and wider,
    0 to 1. lit_from: unit vector, x right, y down.
    """
    sides: list[Points] = []
    toward = np.array(lit_from, np.float32)
    for points in shapes:
        padded = np.concatenate([points[-1:], points, points[:1]])
        along = padded[2:] - padded[:-2]
        normal = np.stack([along[:, 1], -along[:, 0]], 1)
        normal /= np.sqrt((normal * normal).sum(1, keepdims=True)) + 1e-6
        if _signed_area(padded) < 0:
            normal = -normal
        reach = normal * (0.5 * width_px * (1 - taper * (normal @ toward)))[:, None]
        sides += [points + reach, points - reach]
    return polygons(sides)


def tapered(line: Points, width_px: float, taper: float) -> skia.Path:
    """An open line as a brush draws it. width_px: in its middle, more with a strong taper. taper: 0 gives even ends."""
    bow = np.sin(np.linspace(0, np.pi, len(line), dtype=np.float32))
    half = 0.5 * width_px * (1 + 0.5 * taper) * (1 - taper + taper * bow)
    along = np.gradient(line, axis=0)
    normal = np.stack([along[:, 1], -along[:, 0]], 1)
    normal /= np.sqrt((normal * normal).sum(1, keepdims=True)) + 1e-6
    reach = normal * half[:, None].astype(np.float32)
    return path_of([np.concatenate([line + reach, (line - reach)[::-1]])])


def _signed_area(closed: Points) -> float:
    x, y = closed[:, 0], closed[:, 1]
    return float(x[:-1] @ y[1:] - y[:-1] @ x[1:])


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
