"""The mouth: lips, teeth, tongue, and the line between the lips."""

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import INNER_LIPS, MOUTH_TOP
from toonfilter.runtime.geometry.proportions import Points
from toonfilter.runtime.render.colour import Colour, mix
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.brush import (
    MULTIPLY,
    Pen,
    Shape,
    Widths,
    bow,
    closed_curve,
    linear,
    outline,
    part,
    taper,
    tones,
)
from toonfilter.runtime.render.features.curves import FaceCurves
from toonfilter.runtime.render.features.palette import FeatureColours
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import Look
from toonfilter.runtime.styles.feature_rules import MouthRules

SHUT_GAP, OPEN_GAP = 0.010, 0.034
"""Gap of the inner lips, in pupil distances, between which the inside of the mouth fades in; beyond it is drawn as open
as it is."""
_PAINTED_LASH = (0.15, 0.5)
"""Lashes that go with painted lips: where they are bare, red lips are the person's own."""
_LIP_RISES = 0.6
"""Share of what the mesh's lower lip is too low by that it is raised. Raising it draws smiles as narrow as they are;
meshes that read the drawing have it too low, too, and take it for a smaller smile than that of the photo."""
_BARE_EDGE = 0.65
"""Colour of bare lips at their edge, over that beside the mouth's line. Raising it gives them a rim, as painted ones
have."""
_ALONG = np.linspace(-1, 1, 15).astype(np.float32)
_RIGHT, _LEFT = np.clip(-_ALONG, 0, 1) ** np.float32(2.2), np.clip(_ALONG, 0, 1) ** np.float32(2.2)
_ENDS = taper(15, 0.12, 0.12, 0.14)
_MIDDLE = (0.62 + 0.38 * np.exp(-((_ALONG / np.float32(0.45)) ** 2))) * _ENDS
_CORNERS = np.abs(_ALONG) ** np.float32(6) * _ENDS
_ROW = np.clip((1 - np.abs(_ALONG)) / np.float32(0.30), 0, 1) ** np.float32(0.7)
"""Height of the row of teeth along the mouth: behind the corners lies shadow."""
_SHADED = np.float32(0.55) + np.float32(0.45) * np.abs(_ALONG)
_ARCH_SHADE = 0.75
"""Shade on the outermost teeth, 0 to 1. Raising it rounds the row."""
_GAPS = (-0.62, -0.48, -0.32, -0.16, 0.0, 0.16, 0.32, 0.48, 0.62)
"""Places of gaps between teeth, in half widths of the mouth: narrower outwards."""
_BARE_LIPS = 0.80
"""Colour of lips without paint, over that of painted ones. Raising it gives men lipstick."""
_GAP_U, _GAP_ALPHA, _LEAST_TOOTH_U = 0.009, 0.25, 0.07
"""Width of these gaps and their opacity, and the height of teeth in distances of the pupils from which they are drawn.
Raising the second gives a grille."""
_MOST_TEETH = 0.93
_MOST_LOWER, _LOWER_IN_SHADE = 0.24, 0.45
"""Height of the lower teeth at most, over the mouth's opening, and how far they lie in shade: bright ones look like a
grin.
"""
_REST_DROPS = (0.01, 0.05)
"""How far below its middle the mouth's corners lie at rest, in pupil distances: less is a smile, more a frown."""
_MOST_SHADED = 0.3
"""Share of the opening that the upper lip's shadow takes at most. Raising it greys the teeth of narrow smiles."""
_TEETH_SHADOW = np.array([0.70, 0.58, 0.62], np.float32)


def draw_mouth(
    pen: Pen, face: FaceGeometry, curves: FaceCurves, look: Look, colours: FeatureColours, rules: MouthRules
) -> None:
    """The mouth at any opening."""
    unit = np.float32(face.unit_px)
    lift = -face.down * (corner_lift(face, rules) * unit)[:, None]
    top, bottom, inner_top, inner_bottom = (
        curves[name] + lift for name in ("lip_top", "lip_bottom", "mouth_top", "mouth_bottom")
    )
    inner_bottom = inner_bottom + (inner_top - inner_bottom) * np.float32(_LIP_RISES * look.mouth.lip)
    gap = float(((inner_bottom - inner_top) @ face.down).max()) / face.unit_px
    opened = smoothstep(gap, SHUT_GAP, OPEN_GAP)
    # A shut mouth has one line: both inner lips run along it.
    line = (inner_top + inner_bottom) / 2
    inner_top = line + (inner_top - line) * np.float32(opened)
    inner_bottom = line + (inner_bottom - line) * np.float32(opened)
    _lips(pen, face, look, colours, rules, (top, bottom, inner_top, inner_bottom))
    if opened > 0.02:
        _inside(pen, face, look, colours, rules, inner_top, inner_bottom, gap)
    _line(pen, face, colours, rules, inner_top, opened)
    _under(pen, face, colours, rules, bottom)


def corner_lift(face: FaceGeometry, rules: MouthRules) -> NDArray[np.float32]:
    """How far each part of the mouth is raised, float32 [N] in pupil distances.

    Corners that hang in a drawing look sadder than they do in a photo, so that rest is raised a little; and what both
    corners do beyond rest is drawn larger than life. What one does alone is not: that makes smirks.
    """
    points = face.photo_points
    middle = points[list(INNER_LIPS)].mean(0)
    beyond = []
    for corner in (MOUTH_TOP[0], MOUTH_TOP[-1]):
        # In three dimensions: seen from below, every mouth is an arch.
        drop = float((points[corner] - middle) @ face.fit.rotation[:, 1]) / face.unit_px
        beyond.append(min(drop - _REST_DROPS[0], 0.0) + max(drop - _REST_DROPS[1], 0.0))
    both = float(np.clip(sum(beyond) / 2, -0.14, 0.14))
    lift: NDArray[np.float32] = (_RIGHT + _LEFT) * np.float32(rules.friendly_u - rules.exaggeration * both)
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
    unit, half = np.float32(face.unit_px), len(bottom) // 2
    paint = look.lip_strength * (0.30 + 0.70 * smoothstep(look.lash, *_PAINTED_LASH))
    alpha = rules.lip_colour * (_BARE_LIPS + (1 - _BARE_LIPS) * paint)
    if alpha <= 0:
        return
    # Bare lips have no hard edge: they fade into the skin.
    depth = float((bottom - inner_bottom)[half] @ face.down)
    foot = inner_bottom[half] + face.down * np.float32(max(depth, 1.0))
    fading = _fading(colours.mouth.lip, alpha, 0.90 + 0.10 * paint, _BARE_EDGE + (1 - _BARE_EDGE) * paint)
    pen.graded(outline(inner_bottom, bottom[::-1]), linear(inner_bottom[half], foot, fading, (0.0, 0.45, 1.0)))
    # Dark upper lips look like an opening; what is not painted stays near the skin.
    height = float((inner_top - top)[half - 2] @ face.down)
    head = inner_top[half] - face.down * np.float32(max(height, 1.0))
    fading = _fading(colours.mouth.lip_upper, alpha, 0.90 + 0.10 * paint, _BARE_EDGE + (1 - _BARE_EDGE) * paint)
    pen.graded(outline(top, inner_top[::-1]), linear(inner_top[half], head, fading, (0.0, 0.5, 1.0)))
    middle = part(inner_bottom * np.float32(0.55) + bottom * np.float32(0.45), 0.30, 0.58)
    widths = taper(len(middle), 0.08, 0.08, 0.5) * np.float32(min(0.034, 0.30 * depth / face.unit_px)) * unit
    pen.stroke(middle, widths, colours.mouth.lip_light, rules.light * (0.6 + 0.4 * paint))


def _fading(colour: Colour, alpha: float, middle: float, end: float) -> list[int]:
    return tones(colour, [alpha * share for share in (1.0, middle, end)])


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
        pen.fill(opening, colours.mouth.inside)
        count = len(top)
        if gap > 0.09:
            width = float(np.hypot(*(bottom[-1] - bottom[0])))
            centre = bottom[count // 2] + down * np.float32(0.04) * unit
            tongue = _ellipse(centre, face, 0.34 * width, 0.42 * gap * face.unit_px)
            pen.fill(tongue, colours.mouth.tongue)
        _teeth(pen, face, look, colours, top, bottom, gap)
    widths = taper(len(bottom), 0.3, 0.3, 0.5) * np.float32(rules.lower_edge_u) * unit
    pen.stroke(bottom, widths, colours.skin.ink, 0.7 * smoothstep(gap, 0.02, 0.06))


def _teeth(
    pen: Pen, face: FaceGeometry, look: Look, colours: FeatureColours, top: Points, bottom: Points, gap: float
) -> None:
    """Upper teeth along the upper lip and in its shadow, lower ones deep in the mouth; corners stay dark."""
    unit, down, count = np.float32(face.unit_px), face.down, len(top)
    lip = top - down * np.float32(0.03) * unit
    shown = smoothstep(look.mouth.teeth_top, 0.10, 0.28)
    below = smoothstep(look.mouth.teeth_bottom, 0.14, 0.3)
    if below > 0.02 and look.mouth.teeth_top < 0.7:
        rise = np.float32(min(look.mouth.teeth_bottom, _MOST_LOWER)) * bow(count, 0.9)
        lower_teeth = mix(colours.mouth.teeth_shade, colours.mouth.inside, _LOWER_IN_SHADE)
        upper = bottom + (top - bottom) * rise[:, None]
        pen.fill(outline(upper, (bottom + down * np.float32(0.02) * unit)[::-1]), lower_teeth, below)
    if shown > 0.02:
        depth = np.float32(min(look.mouth.teeth_top * 1.12, _MOST_TEETH)) * _ROW
        lower = top + (bottom - top) * depth[:, None]
        drop = np.maximum((lower - top) @ down, 1e-3)
        lower = top + (lower - top) * np.minimum(1, np.float32(0.23) * unit / drop)[:, None]
        row = outline(lip, lower[::-1])
        pen.fill(row, colours.mouth.teeth, shown)
        _round_row(pen, face, colours, row, (top, lower), shown)
    shade = top + down * (np.float32(min(0.020 + 0.18 * gap, _MOST_SHADED * gap)) * _SHADED * unit)[:, None]
    pen.fill(outline(lip, shade[::-1]), _TEETH_SHADOW, 0.75, MULTIPLY)


def _round_row(
    pen: Pen, face: FaceGeometry, colours: FeatureColours, row: Shape, edges: tuple[Points, Points], shown: float
) -> None:
    """Teeth stand on an arch: their row turns away into shade, and gaps between them are hardly seen."""
    top, lower = edges
    middle = (top + lower) / 2
    dark = colours.mouth.teeth_dark
    shades = tones(dark, [share * shown for share in (_ARCH_SHADE, 0.0, 0.0, _ARCH_SHADE)])
    pen.graded(row, linear(middle[0], middle[-1], shades, (0.08, 0.28, 0.72, 0.92)))
    last = len(top) - 1
    for place in _GAPS:
        at = (1 + place) / 2 * last
        low, share = int(at), np.float32(at - int(at))
        upper, foot = (edge[low] + (edge[low + 1] - edge[low]) * share for edge in (top, lower))
        depth = float((foot - upper) @ face.down)
        if depth > _LEAST_TOOTH_U * face.unit_px:
            gap = np.stack([upper, upper + (foot - upper) * np.float32(0.5), foot])
            widths = taper(3, 0.7, 1.0, 0.9) * np.float32(_GAP_U * face.unit_px)
            pen.stroke(gap, widths, dark, _GAP_ALPHA * shown)


def _ellipse(centre: Points, face: FaceGeometry, across: float, down: float) -> Shape:
    turns = np.linspace(0, 2 * np.pi, 12, endpoint=False, dtype=np.float32)[:, None]
    return closed_curve(
        centre + np.cos(turns) * face.right * np.float32(across) + np.sin(turns) * face.down * np.float32(down)
    )


def _line(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: MouthRules, top: Points, opened: float) -> None:
    """Between the lips: strongest in the middle and at the corners, which it overruns a little."""
    unit = np.float32(face.unit_px)
    widths: Widths = (np.float32(rules.line_u) * _MIDDLE + np.float32(rules.corner_u) * _CORNERS) * unit
    line = top.copy()
    line[0] += (top[0] - top[2]) * np.float32(0.25)
    line[-1] += (top[-1] - top[-3]) * np.float32(0.25)
    # It takes nothing of an opening: parted lips carry it on the upper one.
    line -= face.down * (widths * np.float32(0.40 * opened))[:, None]
    pen.stroke(line, widths, colours.skin.ink, 0.97)


def _under(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: MouthRules, bottom: Points) -> None:
    """A short shadow below the lower lip."""
    unit = np.float32(face.unit_px)
    line = part(bottom, 0.34, 0.66) + face.down * np.float32(0.040) * unit
    widths = taper(len(line), 0.05, 0.05, 0.5) * np.float32(0.038) * unit
    pen.stroke(line, widths, colours.skin.shade, rules.under_shade)
