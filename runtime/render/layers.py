"""The layers of a person, back to front: cloth, skin, shade, hair, headwear, and their ink."""

from collections.abc import Mapping

import cv2
import numpy as np
import skia
from numpy.typing import NDArray

from toonfilter.runtime.render.canvas import clipped, paint, path_of, stroke
from toonfilter.runtime.render.colour import Lab, ink, picture_lab, shade, to_rgb
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.face_map import FaceMap
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.palette import Palette, cloth_plane
from toonfilter.runtime.render.shade import Light, shade_shapes
from toonfilter.runtime.render.style import BaseRules

_PARTS = ("skin", "hair", "beard", "headwear", "over")
_JAW = (132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361)


def contested(planes: Mapping[str, Plane]) -> dict[str, Plane]:
    """Planes whose edge lies where another part of the person wins, so that parts meet without gaps.

    Beyond the person they go on: clip them to its outline. Adds `cloth`.
    """
    parts = {name: planes[name] for name in _PARTS if name in planes}
    parts["cloth"] = cloth_plane(planes)
    calm = {name: cv2.GaussianBlur(plane, (0, 0), 1.2) for name, plane in parts.items()}
    result = {**planes, "person": cv2.max(planes["person"], planes["hair"])}
    for name, plane in calm.items():
        others = np.maximum.reduce([other for key, other in calm.items() if key != name])
        result[name] = cv2.addWeighted(plane, 0.5, others, -0.5, 128)
    return result


def draw_silhouette(canvas: skia.Canvas, figure: Figure, palette: Palette, rules: BaseRules) -> skia.Path:
    """The outer ink of the whole person. Returns its outline."""
    unit = figure.unit_px
    person = path_of(figure.outlines(figure.fields["person"], blur_u=0.025, smooth_u=0.035))
    colour = paintable(palette.cloth[0]) if palette.cloth else palette.skin
    canvas.drawPath(person, stroke(ink(colour), 2 * rules.outer_line_u * unit))
    canvas.drawPath(person, paint(to_rgb(colour)))
    return person


def draw_cloth(canvas: skia.Canvas, figure: Figure, colours: tuple[Lab, ...], plane: Plane, rules: BaseRules) -> None:
    """Flat regions of few colours with thin ink between them. plane: where the cloth is."""
    if not colours:
        return
    unit = figure.unit_px
    region = path_of(figure.outlines(plane, blur_u=0.01, smooth_u=0.03))
    with clipped(canvas, region):
        canvas.drawPath(region, paint(to_rgb(paintable(colours[0]))))
        for colour, soft in zip(colours[1:], _memberships(figure, colours, plane)[1:], strict=True):
            shapes = path_of(figure.outlines(soft, blur_u=0.02, smooth_u=0.04, least_u2=0.012))
            canvas.drawPath(shapes, stroke(ink(paintable(colour)), rules.fold_line_u * unit, rules.fold_ink))
            canvas.drawPath(shapes, paint(to_rgb(paintable(colour))))
        folds = cv2.min(figure.fields["ink"], plane)
        lines = path_of(figure.outlines(folds, level=170, blur_u=0.012, smooth_u=0.02, least_u2=0.004))
        canvas.drawPath(lines, paint(ink(paintable(colours[0])), rules.fold_ink))
    canvas.drawPath(region, stroke(ink(paintable(colours[0])), rules.inner_line_u * unit))


def draw_skin(canvas: skia.Canvas, figure: Figure, skin: Lab, light: Light, rules: BaseRules) -> None:
    """Flat skin, one shade of the face's form, the neck in the chin's shadow, the line of the jaw."""
    unit = figure.unit_px
    shapes = figure.outlines(figure.fields["skin"], blur_u=0.02, smooth_u=0.045, least_u2=0.03)
    region = path_of(shapes)
    flat, dark = to_rgb(skin), shade(to_rgb(skin), rules.shade)
    canvas.drawPath(region, stroke(ink(skin), rules.inner_line_u * unit))
    canvas.drawPath(region, paint(flat))
    if figure.landmarks is None:
        return
    face = figure.landmarks
    hull = path_of([cv2.convexHull(np.ascontiguousarray(face[:, :2]))[:, 0]])
    across = face[263, :2] - face[33, :2]
    across = across / (np.linalg.norm(across) + 1e-6)
    down = np.array([-across[1], across[0]], np.float32)
    with clipped(canvas, region):
        jaw = face[list(_JAW), :2]
        drop = down * rules.neck_shadow_u * unit - across * np.sign(light.side) * 0.10 * unit
        with clipped(canvas, outside=hull):
            line = _curve(jaw, 40)
            below = path_of([np.concatenate([line, line[::-1] + drop])])
            canvas.drawPath(below, paint(dark))
            canvas.drawPath(below, stroke(dark, 0.04 * unit))
        canvas.drawPath(path_of(shade_shapes(FaceMap(face), light)), paint(dark))
        _cast_by_hair(canvas, figure, dark, down, light)
        jaw_line = _curve(jaw, 40)[5:-5]
        canvas.drawPath(path_of([jaw_line], closed=False), stroke(ink(skin), 0.8 * rules.inner_line_u * unit, 0.85))


def draw_hair(canvas: skia.Canvas, figure: Figure, base: Lab, plane: Plane, rules: BaseRules) -> skia.Path:
    """Hair in three tones that follow its strands, with its outline. Returns the outline."""
    unit = figure.unit_px
    region = path_of(figure.outlines(plane, blur_u=0.018, smooth_u=0.03, least_u2=0.02))
    canvas.drawPath(region, stroke(ink(base), 2 * rules.hair_line_u * unit))
    canvas.drawPath(region, paint(to_rgb(base)))
    relief = hair_relief(figure, plane)
    with clipped(canvas, region):
        for level, step in rules.hair_tones:
            tone = base + np.array([step, 0, 0], np.float32)
            tone[1:] *= 1 - 0.006 * step
            signed = relief if level > 0 else -relief
            soft = np.clip(128 + (signed - abs(level)) * 9, 0, 255).astype(np.uint8)
            shapes = figure.outlines(soft, blur_u=0.012, smooth_u=0.025, least_u2=0.006)
            canvas.drawPath(path_of(shapes), paint(to_rgb(tone)))
        if "ink" in figure.fields:
            lines = cv2.min(figure.fields["ink"], plane)
            strands = figure.outlines(lines, level=150, blur_u=0.01, smooth_u=0.02, least_u2=0.004)
            canvas.drawPath(path_of(strands), paint(ink(base, 0.4), 0.8))
    return region


def draw_beard(canvas: skia.Canvas, figure: Figure, skin: Lab, base: Lab, rules: BaseRules) -> None:
    """A beard as hair with a soft edge; stubble, where the plane is weaker, as a tint of the skin."""
    plane = figure.fields["beard"]
    tint = to_rgb(skin + (base - skin) * np.float32(0.45))
    shadow = path_of(figure.outlines(plane, level=64, blur_u=0.04, smooth_u=0.05, least_u2=0.03))
    canvas.drawPath(shadow, paint(tint, rules.stubble))
    dense = figure.outlines(plane, level=160, blur_u=0.02, smooth_u=0.03, least_u2=0.02)
    if not dense:
        return
    region = path_of(dense)
    canvas.drawPath(region, paint(to_rgb(base)))
    relief = hair_relief(figure, plane)
    with clipped(canvas, region):
        for level, step in rules.beard_tones:
            soft = np.clip(128 + (np.sign(level) * relief - abs(level)) * 9, 0, 255).astype(np.uint8)
            shapes = figure.outlines(soft, blur_u=0.012, smooth_u=0.02, least_u2=0.004)
            canvas.drawPath(path_of(shapes), paint(to_rgb(base + np.array([step, 0, 0], np.float32))))


def hair_relief(figure: Figure, plane: Plane) -> NDArray[np.float32]:
    """How much lighter or darker than their surroundings strands are, in L* of a middling contrast: float32 [S, S]."""
    tone = figure.fields["tone"].astype(np.float32) / 2.55
    weight = cv2.erode(plane, np.ones((3, 3), np.uint8)).astype(np.float32) / 255 + 1e-3
    unit = figure.unit_crop_px
    near = _spread(tone, weight, 0.03 * unit)
    wide = _spread(tone, weight, 0.30 * unit)
    relief: NDArray[np.float32] = (near - wide) * 60 / (wide + 16)
    return relief


def _spread(values: NDArray[np.float32], weight: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    blurred = cv2.GaussianBlur(values * weight, (0, 0), sigma_px) / cv2.GaussianBlur(weight, (0, 0), sigma_px)
    spread: NDArray[np.float32] = blurred
    return spread


def _cast_by_hair(canvas: skia.Canvas, figure: Figure, dark: NDArray[np.float32], down: Points, light: Light) -> None:
    """Hair throws a narrow shadow on the forehead."""
    assert figure.landmarks is not None
    unit = figure.unit_px
    eyes = figure.landmarks[[33, 263], :2].mean(0)
    hair = path_of(figure.outlines(figure.fields["hair"], blur_u=0.02, smooth_u=0.04))
    shift = down * 0.085 * unit + np.array([-np.sign(light.side) * 0.03 * unit, 0], np.float32)
    hull = path_of([cv2.convexHull(np.ascontiguousarray(figure.landmarks[:, :2]))[:, 0]])
    cross = np.array([down[1], -down[0]], np.float32)
    corners = ((-3, 0.35), (3, 0.35), (3, 4), (-3, 4))
    above = np.stack([eyes + cross * a * unit - down * b * unit for a, b in corners])
    with clipped(canvas, hull, path_of([above.astype(np.float32)])):
        canvas.translate(float(shift[0]), float(shift[1]))
        canvas.drawPath(hair, paint(dark))


def _memberships(figure: Figure, colours: tuple[Lab, ...], plane: Plane) -> list[Plane]:
    """For each colour how near the cloth's pixels are to it, against the others: uint8 [S, S], 128 at the border."""
    if len(colours) == 1:
        return [plane]
    lab = picture_lab(cv2.bilateralFilter(figure.photo, 5, 30, 4))
    weight = cv2.erode(plane, np.ones((3, 3), np.uint8)).astype(np.float32) / 255 + 1e-3
    sigma = 0.035 * figure.unit_crop_px
    stacked = np.stack([_spread(((lab - colour) ** 2).sum(2), weight, sigma) for colour in colours])
    soft = []
    for number in range(len(colours)):
        others = np.delete(stacked, number, 0).min(0)
        share = (others - stacked[number]) / (others + stacked[number] + 1)
        soft.append(np.clip(128 + 127 * share, 0, 255).astype(np.uint8))
    return soft


def paintable(colour: Lab) -> Lab:
    """A cloth's colour, a little lighter and livelier."""
    return np.array([9 + 0.91 * colour[0], colour[1] * 1.12, colour[2] * 1.12], np.float32)


def _curve(points: Points, count: int) -> Points:
    """`count` points on a smooth line through the points (Catmull-Rom)."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    spans = len(padded) - 3
    place = np.linspace(0, spans, count)
    index = np.minimum(place.astype(int), spans - 1)
    t = (place - index)[:, None]
    a, b, c, d = (padded[index + k] for k in range(4))
    line = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    smooth: Points = line.astype(np.float32)
    return smooth
