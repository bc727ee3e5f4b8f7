"""Glasses as vectors: rims, bridge, temples, glare; sunglasses with dark lenses."""

import numpy as np
import skia

from toonfilter.runtime.geometry.landmarks import NOSE_BRIDGE, TEMPLE_ENDS
from toonfilter.runtime.geometry.proportions import Points
from toonfilter.runtime.render.colour import Colour, Lab, to_rgb
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.brush import (
    Pen,
    Shape,
    Widths,
    closed_curve,
    linear,
    normals,
    polygon,
    ring,
    taper,
    to_argb,
)
from toonfilter.runtime.render.features.curves import resampled
from toonfilter.runtime.render.features.lens import lens_points
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import LENS_POINTS, GlassesLook, Look
from toonfilter.runtime.styles.feature_rules import FeatureRules, GlassesRules

DARK_LENS = 0.6
"""Darkness of the lenses from which no eyes are drawn behind them."""
_TURN = np.linspace(0, 2 * np.pi, LENS_POINTS, endpoint=False).astype(np.float32)
_RISING = np.clip(-np.sin(_TURN), 0, 1)
_FALLING = np.clip(np.sin(_TURN), 0, 1)
_MOST_LENS_LIGHT = 36.0
"""Most lightness of dark and coloured lenses, L*: mirrored ones would not hide the eyes if they were pale."""
_GROWS = 0.45
"""Share of the eyes' growth that rims follow."""
_LEAST_WIDTH, _RIM_CONTRAST = 0.022, 0.16
"""Least width of a rim, in pupil distances, and least difference of its lightness and that of skin, over the latter."""
_INNER_TOP = round(LENS_POINTS * 0.555)
_OUTER_TOP = round(LENS_POINTS * 0.955)
_WHITE = np.ones(3, np.float32)


def draw_glasses(canvas: skia.Canvas, face: FaceGeometry, look: Look, rules: FeatureRules) -> None:
    """Over everything else of the face; nothing where nobody wears any."""
    glasses = look.glasses
    if glasses is None:
        return
    pen = Pen()
    rim = to_rgb(_seen_rim(glasses.colour, look.skin))
    shade = to_rgb(look.shadow)
    rims = [_worn(face, glasses, side) for side in (0, 1)]
    beyond = face.beyond_nose
    for side in (face.far_side, 1 - face.far_side):
        if face.eye_visibility[side] < 0.05:
            continue
        with pen.faded(face.eye_visibility[side]):
            if side == face.far_side and beyond is not None:
                with pen.inside(polygon(beyond)):
                    _lens(pen, face, glasses, rules.glasses, rims[side], rim, shade)
            else:
                _lens(pen, face, glasses, rules.glasses, rims[side], rim, shade)
            _temple(pen, face, glasses, rules.glasses, rims[side], side, rim)
    _bridge(pen, face, glasses, rules.glasses, rims, rim)
    pen.draw(canvas)


def _seen_rim(colour: Lab, skin: Lab) -> Lab:
    """Dark rims a little darker, and none in the skin's own lightness."""
    rim = colour.copy()
    apart = float(rim[0] - skin[0]) / max(float(skin[0]), 1)
    if apart < _RIM_CONTRAST:
        rim[0] = min(float(rim[0]) * 0.85, float(skin[0]) * (1 - 2.2 * _RIM_CONTRAST))
    return rim


def _worn(face: FaceGeometry, glasses: GlassesLook, side: int) -> Points:
    """The rim in the style's proportions: it makes way for larger eyes, but less in height, or it would turn round."""
    plain = lens_points(face, glasses.outline, side)
    moved = face.warp.move(plain) - plain
    middle = moved.mean(0)
    # They grow less than the eyes, and dark lenses hardly, for there are no eyes behind them to make room for.
    share = np.float32(_GROWS * (1 - 0.7 * smoothstep(glasses.darkness, 0.3, DARK_LENS)))
    worn: Points = plain + middle + (moved - middle) * share
    return worn


def _width_px(face: FaceGeometry, glasses: GlassesLook, rules: GlassesRules) -> np.float32:
    return np.float32(max(glasses.width * rules.width, _LEAST_WIDTH) * face.unit_px)


def _band(points: Points, widths: Widths) -> Shape:
    """A closed band along a closed curve."""
    extended = np.concatenate([points[-1:], points, points[:1]])
    offset = normals(extended)[1:-1] * (widths * np.float32(0.5))[:, None]
    return ring(points + offset, points - offset)


def _lens(
    pen: Pen, face: FaceGeometry, glasses: GlassesLook, rules: GlassesRules, points: Points, rim: Colour, shade: Colour
) -> None:
    width = _width_px(face, glasses, rules)
    path = closed_curve(points)
    slim = np.float32(np.clip(np.ptp(points @ face.right) / (0.75 * face.unit_px), 0.4, 1.0))
    widths = width * (1 + np.float32(0.30) * _RISING - np.float32(1 - glasses.lower) * np.float32(0.6) * _FALLING)
    # Seen from the side, upright parts of a rim look thinner.
    widths = widths * (1 - (1 - slim) * np.float32(0.5) * np.abs(np.cos(_TURN)))
    if rules.shadow > 0:
        moved = points + face.down * np.float32(0.030 * face.unit_px)
        pen.fill(_band(moved, widths), shade, rules.shadow * (1 - glasses.darkness))
    _glass(pen, face, glasses, rules, points, path)
    pen.fill(_band(points, widths), rim)
    top = points[round(0.60 * LENS_POINTS) : round(0.90 * LENS_POINTS)] - face.down * width * np.float32(0.22)
    light = rim + (_WHITE - rim) * np.float32(0.32)
    pen.stroke(top, taper(len(top), 0.05, 0.05, 0.5) * width * np.float32(0.34), light, 0.8)


def _glass(
    pen: Pen, face: FaceGeometry, glasses: GlassesLook, rules: GlassesRules, points: Points, path: Shape
) -> None:
    """Tint and glare: two slanting bands of light."""
    unit = np.float32(face.unit_px)
    centre = points.mean(0)
    dark = glasses.darkness
    with pen.inside(path):
        if dark > 0.02:
            lens = glasses.lens * np.array([1, 1.3, 1.3], np.float32)
            lens[0] = min(float(lens[0]), _MOST_LENS_LIGHT)
            deep = to_rgb(lens * np.array([0.7, 1, 1], np.float32))
            soft = to_rgb(lens + np.array([13, 0, 0], np.float32))
            shader = linear(
                centre - face.down * np.float32(0.4) * unit,
                centre + face.down * np.float32(0.4) * unit,
                [to_argb(deep, 0.97), to_argb(soft, 0.94)],
                [0.15, 1.0],
            )
            pen.graded(path, shader, dark)
        slant = face.right * np.float32(0.34) - face.down
        for place, wide, share in ((-0.17, 0.10, 1.0), (-0.02, 0.032, 0.75)):
            start = centre + face.right * np.float32(place) * unit
            side = face.right * np.float32(wide) * unit
            reach = slant * np.float32(0.6) * unit
            band = np.stack([start - reach, start + reach, start + reach + side, start - reach + side])
            pen.fill(polygon(band), _WHITE, rules.glare * share * (1 - 0.25 * dark))


def _bridge(
    pen: Pen, face: FaceGeometry, glasses: GlassesLook, rules: GlassesRules, rims: list[Points], rim: Colour
) -> None:
    width = _width_px(face, glasses, rules)
    nose = face.flat[NOSE_BRIDGE] * np.float32(0.55) + face.flat[6] * np.float32(0.45)
    start, end = rims[0][_INNER_TOP], rims[1][_INNER_TOP]
    level = (start + end) / 2
    middle = nose + face.down * ((level - nose) @ face.down - np.float32(0.045 * face.unit_px))
    points = [start, middle, end]
    if face.eye_visibility[face.far_side] < 0.5 or abs(face.yaw) > 48:
        points = points[:2] if face.far_side == 1 else points[1:]
    arc = resampled(np.stack(points).astype(np.float32), 7)
    pen.stroke(arc, np.full(7, max(float(width) * 0.95, 0.020 * face.unit_px), np.float32), rim)


def _temple(
    pen: Pen,
    face: FaceGeometry,
    glasses: GlassesLook,
    rules: GlassesRules,
    points: Points,
    side: int,
    rim: Colour,
) -> None:
    """From the hinge to the ear, where the head shows it."""
    width = _width_px(face, glasses, rules)
    hinge = points[_OUTER_TOP]
    first, second = TEMPLE_ENDS[side]
    ear = (
        face.flat[first] * np.float32(0.85)
        + face.flat[second] * np.float32(0.15)
        - face.down * np.float32(0.03 * face.unit_px)
    )
    reach = float((ear - hinge) @ (hinge - points.mean(0))) / face.unit_px**2
    alpha = smoothstep(reach, 0.005, 0.03)
    if alpha < 0.02:
        return
    middle = (hinge + ear) / 2 - face.down * np.float32(0.012 * face.unit_px)
    line = resampled(np.stack([hinge, middle, ear]).astype(np.float32), 5)
    pen.stroke(line, np.linspace(1.15, 0.85, 5, dtype=np.float32) * width, rim, alpha)
