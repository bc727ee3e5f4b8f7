"""The nose: a shadow below the tip, nostrils, wings, a plane of shade, and the bridge's line when the head turns."""

import numpy as np

from toonfilter.runtime.geometry.landmarks import (
    BELOW_NOSE,
    DRAWN_WINGS,
    NOSE_BASE,
    NOSE_HOLLOWS,
    NOSE_RIDGE,
    NOSE_TIP,
    NOSE_UNDERSIDE,
    NOSTRIL_TOPS,
    NOSTRILS,
    RIDGE_EDGES,
)
from toonfilter.runtime.geometry.proportions import Points
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.brush import Pen, bow, linear, outline, taper, tones
from toonfilter.runtime.render.features.curves import FaceCurves, resampled
from toonfilter.runtime.render.features.palette import FeatureColours
from toonfilter.runtime.render.features.shapes import shape_path
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.styles.feature_rules import NoseRules

_BRIDGE_FROM, _BRIDGE_FULL = 16.0, 36.0
"""Yaw in degrees from which the bridge's line shows, and at which it is whole."""
_MIRRORS = 12.0
"""Yaw in degrees to the person's right from which shade lies on the other side."""
_LIGHT_DOWN_U = 0.050
"""How far the light reaches down from its middle, in distances of the pupils."""


def draw_nose(pen: Pen, face: FaceGeometry, curves: FaceCurves, colours: FeatureColours, rules: NoseRules) -> None:
    """The nose at any pose."""
    if rules.shape or rules.shade_shape:
        _shaped(pen, face, colours, rules)
        _bridge(pen, face, curves, colours, rules)
        return
    if rules.kind == "small":
        light, across_u = _small(pen, face, colours, rules)
    else:
        light, across_u = _soft(pen, face, colours, rules)
    _bridge(pen, face, curves, colours, rules)
    unit = np.float32(face.unit_px)
    across, down = face.right * np.float32(across_u) * unit, face.down * np.float32(_LIGHT_DOWN_U) * unit
    # Tip and outline of a profile lie elsewhere than its mesh has them.
    pen.glow(light, across, down, colours.skin.light, rules.light * (1 - face.profile))


def _soft(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: NoseRules) -> tuple[Points, float]:
    """Planes, wings and nostrils. Returns where the light lies, float32 [2] px, and how wide it is, in units."""
    _plane(pen, face, colours, rules)
    _under(pen, face, colours, rules)
    _wings(pen, face, colours, rules)
    _nostrils(pen, face, colours, rules)
    above, left = face.flat[NOSE_RIDGE[-2]], face.right * np.float32(0.020) * np.float32(face.unit_px)
    return face.flat[NOSE_TIP] * np.float32(0.7) + above * np.float32(0.3) - left, 0.055


def _small(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: NoseRules) -> tuple[Points, float]:
    """A pointed shadow below the tip and a short stroke along its edge. Returns as `_soft`."""
    unit = np.float32(face.unit_px)
    side = -1 if face.yaw < -_MIRRORS else 1
    base = face.flat[list(NOSE_BASE)]
    width = float((base[-1] - base[0]) @ face.right)
    tip = _below_tip(face)
    across = face.right * np.float32(0.30 * max(width, 0.1 * face.unit_px))
    down = face.down * np.float32(0.075) * unit
    shadow = np.stack([tip - across, tip - down * np.float32(0.35), tip + across])
    low = np.stack([tip + across, tip + across * np.float32(0.5 * side) + down, tip - across])
    pen.fill(outline(shadow, low), colours.skin.shade, rules.under_shade)
    edge = np.stack([tip - across * np.float32(0.9), tip - down * np.float32(0.10), tip + across * np.float32(0.9)])
    pen.stroke(
        resampled(edge, 7), taper(7, 0.1, 0.1, 0.5) * np.float32(rules.wing_u) * unit, colours.skin.soft_ink, 0.9
    )
    return tip - down * np.float32(0.9) - face.right * np.float32(0.02) * unit, 0.035


def _shaped(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: NoseRules) -> None:
    """The style's own shapes below the tip, mirrored where the head turns to its right."""
    across = face.across_face * np.float32(-1 if face.yaw < -_MIRRORS else 1)
    with pen.frame(_below_tip(face), across, face.down_face):
        pen.fill(shape_path(rules.shade_shape), colours.skin.shade, rules.under_shade)
        pen.fill(shape_path(rules.shape), colours.skin.soft_ink, 0.9)


def _below_tip(face: FaceGeometry) -> Points:
    """float32 [2] px: nearer to the lip than to the tip."""
    below: Points = face.flat[NOSE_TIP] * np.float32(0.35) + face.flat[BELOW_NOSE] * np.float32(0.65)
    return below


def _plane(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: NoseRules) -> None:
    """One crisp plane along the side that looks away from the light, from the brow to the wing."""
    side = 1 if face.yaw > -_MIRRORS else 0
    if rules.side_shade <= 0 or abs(face.yaw) > _BRIDGE_FULL:
        return
    fade = 1 - smoothstep(abs(face.yaw), _BRIDGE_FROM, _BRIDGE_FULL) if side == face.far_side else 1.0
    flat = face.flat
    # Along the ridge's edge down, and back up through the hollow beside the eye.
    edge, hollow = RIDGE_EDGES[side], NOSE_HOLLOWS[side]
    ridge = flat[list(edge)] * np.float32(0.75) + flat[list(NOSE_RIDGE[1:-1])] * np.float32(0.25)
    outer = flat[list(edge)] * np.float32(0.35) + flat[list(hollow)] * np.float32(0.65)
    outer[-1] = ridge[-1]
    path = outline(ridge, outer[::-1])
    # Between the eyes it fades: an edge up there looks like a scar.
    alphas = tones(colours.skin.shade, [share * rules.side_shade * fade for share in (0.0, 0.35, 1.0)])
    pen.graded(path, linear(ridge[0], ridge[-1], alphas, (0.15, 0.5, 0.95)))


def _under(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: NoseRules) -> None:
    """The plane below the tip, which looks down and lies in shade, with a little of its cast shadow."""
    unit, down, flat = np.float32(face.unit_px), face.down, face.flat
    upper = flat[list(NOSE_UNDERSIDE)].copy()
    upper[1] = upper[1] * np.float32(0.6) + flat[NOSTRIL_TOPS[0]] * np.float32(0.4)
    upper[5] = upper[5] * np.float32(0.6) + flat[NOSTRIL_TOPS[1]] * np.float32(0.4)
    upper = resampled(upper, 9)
    lower = resampled(flat[list(NOSE_BASE)], 9)
    wave = bow(9)
    lower = lower + down * (np.float32(0.034) * unit * wave)[:, None]
    depth = np.maximum((lower - upper) @ down, np.float32(0.012) * unit * wave)
    upper = lower - down * depth[:, None] + face.right * ((upper - lower) @ face.right)[:, None]
    pen.fill(outline(upper, lower[::-1]), colours.skin.shade, rules.under_shade * (1 - face.profile))


def _nostrils(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: NoseRules) -> None:
    """Two commas, thick outside, that leave the middle free."""
    unit, flat = np.float32(face.unit_px), face.flat
    looking_up = float(np.clip(-face.pitch / 25, 0, 1))
    for side, (outer, middle, inner) in enumerate(NOSTRILS):
        hidden = smoothstep(abs(face.yaw), 26, 42) if side == face.far_side else 0.0
        points = np.stack([flat[list(outer)].mean(0), flat[list(middle)].mean(0), flat[list(inner)].mean(0)])
        line = resampled(points, 5)
        widths = taper(5, 0.30, 0.06, 0.34) * np.float32(rules.nostril_u * (1 + 0.5 * looking_up)) * unit
        pen.stroke(line, widths, colours.skin.ink, 0.68 * (1 - hidden))


def _wings(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: NoseRules) -> None:
    unit = np.float32(face.unit_px)
    for side, points in enumerate(DRAWN_WINGS):
        hidden = smoothstep(abs(face.yaw), 18, 36) if side == face.far_side else 0.0
        wing = resampled(face.flat[list(points)], 7)
        widths = taper(len(wing), 0.05, 0.12, 0.60) * np.float32(rules.wing_u) * unit
        pen.stroke(wing, widths, colours.skin.soft_ink, 0.9 * (1 - hidden))


def _bridge(pen: Pen, face: FaceGeometry, curves: FaceCurves, colours: FeatureColours, rules: NoseRules) -> None:
    """From between the brows over the tip to below it, along the far side of a turned head."""
    # In a profile that is the outline, which the mesh misses.
    strength = smoothstep(abs(face.yaw), _BRIDGE_FROM, _BRIDGE_FULL) * (1 - face.profile)
    if strength <= 0.02:
        return
    unit = np.float32(face.unit_px)
    profile = resampled(curves["nose_profile"], 25)
    start = round(9 * (1 - strength) ** 0.5) + 2
    line = profile[start : len(profile) - 1]
    away = face.right * np.float32(np.sign(face.turn) * 0.012) * unit
    widths = taper(len(line), 0.06, 0.25, 0.78) * np.float32(rules.bridge_u) * unit
    pen.stroke(line + away, widths, colours.skin.soft_ink, 0.95 * strength)
