"""The mouth: lips, teeth, tongue, and the line between the lips."""

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.proportions import Points
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.brush import (
    MULTIPLY,
    Pen,
    Shape,
    Widths,
    bow,
    closed_curve,
    outline,
    part,
    taper,
)
from toonfilter.runtime.render.features.curves import FaceCurves
from toonfilter.runtime.render.features.palette import FeatureColours
from toonfilter.runtime.render.features.rules import MouthRules
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import Look

SHUT_GAP, OPEN_GAP = 0.015, 0.070
"""Gap of the inner lips, in pupil distances, between which the inside of the mouth fades in."""
WIDE_GAP = 0.15
"""Gap from which on the mouth is drawn as open as it is."""
_SLIT = 0.62
_ALONG = np.linspace(-1, 1, 15).astype(np.float32)
_RIGHT, _LEFT = np.clip(-_ALONG, 0, 1) ** np.float32(2.2), np.clip(_ALONG, 0, 1) ** np.float32(2.2)
_ENDS = taper(15, 0.12, 0.12, 0.14)
_MIDDLE = (0.62 + 0.38 * np.exp(-((_ALONG / np.float32(0.45)) ** 2))) * _ENDS
_CORNERS = np.abs(_ALONG) ** np.float32(6) * _ENDS
_REST_DROP = 0.02
"""How far below its middle the mouth's corners lie at rest, in pupil distances."""
_TEETH_SHADOW = np.array([0.66, 0.55, 0.62], np.float32)


def draw_mouth(
    pen: Pen, face: FaceGeometry, curves: FaceCurves, look: Look, colours: FeatureColours, rules: MouthRules
) -> None:
    """The mouth at any opening."""
    unit = np.float32(face.unit_px)
    lift = -face.down * (_corner_lift(face, rules) * unit)[:, None]
    top, bottom, inner_top, inner_bottom = (
        curves[name] + lift for name in ("lip_top", "lip_bottom", "mouth_top", "mouth_bottom")
    )
    gap = float(((inner_bottom - inner_top) @ face.down).max()) / face.unit_px
    opened = smoothstep(gap, SHUT_GAP, OPEN_GAP)
    # A shut mouth has one line: both inner lips run along it.
    line = (inner_top + inner_bottom) / 2
    # Lips that are hardly parted meet in soft shadow; drawn as dark as they measure they would gape.
    part_share = _SLIT + (1 - _SLIT) * smoothstep(gap, SHUT_GAP, WIDE_GAP)
    inner_top = line + (inner_top - line) * np.float32(opened * part_share)
    inner_bottom = line + (inner_bottom - line) * np.float32(opened * part_share)
    _lips(pen, face, look, colours, rules, (top, bottom, inner_top, inner_bottom))
    if opened > 0.02:
        _inside(pen, face, look, colours, rules, inner_top, inner_bottom, gap)
    _line(pen, face, colours, rules, inner_top)
    _under(pen, face, colours, rules, bottom)


def _corner_lift(face: FaceGeometry, rules: MouthRules) -> NDArray[np.float32]:
    """How far each part of the mouth is raised, float32 [N] in pupil distances.

    Corners that hang in a drawing look sadder than they do in a photo, so that rest is raised a little; and what each
    corner does beyond rest is drawn larger than life.
    """
    points = face.photo_points
    middle = points[[13, 14]].mean(0)
    ends = []
    for corner in (78, 308):
        # In three dimensions: seen from below, every mouth is an arch.
        drop = float((points[corner] - middle) @ face.fit.rotation[:, 1]) / face.unit_px
        ends.append(rules.friendly_u - rules.exaggeration * float(np.clip(drop - _REST_DROP, -0.14, 0.14)))
    lift: NDArray[np.float32] = _RIGHT * np.float32(ends[0]) + _LEFT * np.float32(ends[1])
    return lift


def _lips(
    pen: Pen,
    face: FaceGeometry,
    look: Look,
    colours: FeatureColours,
    rules: MouthRules,
    shapes: tuple[Points, Points, Points, Points],
) -> None:
    top, bottom, inner_top, inner_bottom = shapes
    unit = np.float32(face.unit_px)
    alpha = rules.lip_colour * (0.55 + 0.42 * look.lip_strength)
    if alpha <= 0:
        return
    pen.fill(outline(top, inner_top[::-1]), colours.lip_upper, alpha)
    pen.fill(outline(inner_bottom, bottom[::-1]), colours.lip, alpha)
    middle = part(inner_bottom * np.float32(0.55) + bottom * np.float32(0.45), 0.34, 0.66)
    depth = float(np.abs((bottom - inner_bottom)[len(bottom) // 2] @ face.down)) / face.unit_px
    widths = taper(len(middle), 0.08, 0.08, 0.5) * np.float32(min(0.030, 0.32 * depth)) * unit
    pen.stroke(
        middle - face.right * np.float32(0.02) * unit,
        widths,
        colours.lip_light,
        rules.light * (0.6 + 0.4 * look.lip_strength),
    )


def _inside(
    pen: Pen,
    face: FaceGeometry,
    look: Look,
    colours: FeatureColours,
    rules: MouthRules,
    top: Points,
    bottom: Points,
    gap: float,
) -> None:
    """Depth, tongue, teeth: one clean band as high as the photo shows it."""
    unit, down = np.float32(face.unit_px), face.down
    opening = outline(top, bottom[::-1])
    with pen.inside(opening):
        pen.fill(opening, colours.mouth)
        count = len(top)
        if gap > 0.09:
            width = float(np.hypot(*(bottom[-1] - bottom[0])))
            centre = bottom[count // 2] + down * np.float32(0.04) * unit
            tongue = _ellipse(centre, face, 0.34 * width, 0.42 * gap * face.unit_px)
            pen.fill(tongue, colours.tongue)
        shown = smoothstep(look.teeth_top, 0.10, 0.28)
        if shown > 0.02:
            depth = min(look.teeth_top * 1.12, 1.0)
            lower = top + (bottom - top) * np.float32(depth if depth < 0.84 else 1.02)
            drop = np.maximum((lower - top) @ down, 1e-3)
            lower = top + (lower - top) * np.minimum(1, np.float32(0.21) * unit / drop)[:, None]
            pen.fill(outline(top - down * np.float32(0.02) * unit, lower[::-1]), colours.teeth, shown)
        below = smoothstep(look.teeth_bottom, 0.14, 0.3)
        if below > 0.02 and look.teeth_top < 0.7:
            rise = np.float32(min(look.teeth_bottom, 0.30)) * bow(count, 0.5)
            upper = bottom + (top - bottom) * rise[:, None]
            pen.fill(outline(upper, (bottom + down * np.float32(0.02) * unit)[::-1]), colours.teeth * 0.86, 0.9 * below)
        shade = top + down * np.float32(0.020 + 0.08 * gap) * unit
        pen.fill(outline(top - down * np.float32(0.02) * unit, shade[::-1]), _TEETH_SHADOW, 0.55, MULTIPLY)
    widths = taper(len(bottom), 0.3, 0.3, 0.5) * np.float32(rules.lower_edge_u) * unit
    pen.stroke(bottom, widths, colours.ink, 0.7 * smoothstep(gap, 0.02, 0.06))


def _ellipse(centre: Points, face: FaceGeometry, across: float, down: float) -> Shape:
    turns = np.linspace(0, 2 * np.pi, 12, endpoint=False, dtype=np.float32)[:, None]
    return closed_curve(
        centre + np.cos(turns) * face.right * np.float32(across) + np.sin(turns) * face.down * np.float32(down)
    )


def _line(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: MouthRules, top: Points) -> None:
    """Between the lips: strongest in the middle and at the corners, which it overruns a little."""
    unit = np.float32(face.unit_px)
    widths: Widths = (np.float32(rules.line_u) * _MIDDLE + np.float32(rules.corner_u) * _CORNERS) * unit
    line = top.copy()
    line[0] += (top[0] - top[2]) * np.float32(0.25)
    line[-1] += (top[-1] - top[-3]) * np.float32(0.25)
    pen.stroke(line, widths, colours.ink, 0.95)


def _under(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: MouthRules, bottom: Points) -> None:
    """A short shadow below the lower lip."""
    unit = np.float32(face.unit_px)
    line = part(bottom, 0.34, 0.66) + face.down * np.float32(0.040) * unit
    widths = taper(len(line), 0.1, 0.1, 0.5) * np.float32(0.030) * unit
    pen.stroke(line, widths, colours.shade, rules.under_shade)
