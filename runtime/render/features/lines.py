"""Lines of age and smile, and blush."""

import numpy as np

from toonfilter.runtime.geometry.landmarks import CHEEKS
from toonfilter.runtime.render.colour import depth_of, mix
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.brush import Pen, outline, part, taper
from toonfilter.runtime.render.features.curves import FaceCurves, resampled
from toonfilter.runtime.render.features.palette import FeatureColours
from toonfilter.runtime.render.features.shapes import shape_path
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import Look
from toonfilter.runtime.styles.feature_rules import LineRules

_SIDE_LINES = {
    "fold": (0.12, 0.82, 1.0, (0.35, 0.05, 0.35)),
    "marionette": (0.0, 0.7, 0.6, (0.1, 0.05, 0.4)),
    "bag": (0.18, 0.88, 0.8, (0.05, 0.1, 0.6)),
    "frown": (0.2, 0.9, 0.85, (0.05, 0.1, 0.6)),
}
"""Which part of the curve is drawn, its weight, and its taper: width of both ends, place of the peak."""
_SEEN = 0.9
"""Visibility of an eye from which the lines of its side are drawn. Raising it leaves out lines beyond a profile."""
_BARE_BLUSH = 0.7
"""Blush of grown-ups without make-up, over that of others. Raising it gives men rouge."""
_DEEP_BLUSH = 0.5
"""How much less of it deep skin shows, where it looks like a smudge. Raising it leaves deep skin plainer."""
_FAINT = 0.08
"""Depth below which a line is not drawn."""
_FOREHEAD = 0.55
"""Depth of lines on the forehead over what is measured: three parallel ones speak loudly."""
_FOREHEAD_HEIGHTS = (0.62, 1.0, 1.36)
"""Of the lines, from the lowest to the highest: 1 is the mesh's middle row."""


def draw_blush(pen: Pen, face: FaceGeometry, look: Look, colours: FeatureColours, rules: LineRules) -> None:
    """A soft warmth on the cheeks, or the style's own mark."""
    made_up = max(look.lip_strength, look.lines.young)
    strength = rules.blush * (_BARE_BLUSH + (1 - _BARE_BLUSH) * made_up) * (1 - _DEEP_BLUSH * depth_of(look.skin))
    for side, cheek in enumerate(CHEEKS):
        seen = face.eye_visibility[side]
        centre = face.flat[cheek] + face.down_face * np.float32(0.06)
        if rules.blush_shape:
            with pen.frame(centre, face.across_face * np.float32(2 * side - 1), face.down_face):
                pen.fill(shape_path(rules.blush_shape), colours.skin.blush, rules.blush * seen)
            continue
        across = face.across_face * np.float32(0.36)
        pen.glow(centre, across, face.down_face * np.float32(0.22), colours.skin.blush, strength * seen)


def draw_lines(
    pen: Pen, face: FaceGeometry, curves: FaceCurves, look: Look, colours: FeatureColours, rules: LineRules
) -> None:
    """Only lines that the photo shows, thin and tapered."""
    lines = look.lines
    for side, name in enumerate(("right", "left")):
        if face.eye_visibility[side] < _SEEN:
            continue
        for kind, (start, end, weight, shape) in _SIDE_LINES.items():
            depth = float(getattr(lines, kind)[side])
            if depth * rules.strength < _FAINT:
                continue
            _line(pen, face, colours, rules, part(curves[f"{name}_{kind}"], start, end), depth, weight, shape)
        _bag_shade(pen, colours, rules, curves, name, float(lines.bag[side]))
        _crow(pen, face, colours, rules, curves, name, float(lines.crow[side]))
        if lines.old > 0.1:
            _second_lines(pen, face, colours, rules, curves, name, float(lines.old))
    low, middle, high = (curves[f"forehead_{row}"] for row in ("low", "middle", "high"))
    for depth, height, inset in zip(lines.forehead.tolist(), _FOREHEAD_HEIGHTS, (0.18, 0.22, 0.26), strict=True):
        upper, lower, share = (middle, low, height) if height <= 1 else (high, middle, height - 1)
        row = part(lower + (upper - lower) * np.float32(share), inset, 1 - inset)
        _line(pen, face, colours, rules, row, depth * _FOREHEAD, 0.75, (0.05, 0.05, 0.5))


def _line(
    pen: Pen,
    face: FaceGeometry,
    colours: FeatureColours,
    rules: LineRules,
    curve: np.ndarray,  # type: ignore[type-arg]
    depth: float,
    weight: float,
    shape: tuple[float, float, float],
) -> None:
    strength = depth * rules.strength
    if strength < _FAINT:
        return
    widths = taper(len(curve), *shape) * np.float32(rules.width_u * weight * (0.40 + 0.60 * strength) * face.unit_px)
    colour = mix(colours.skin.soft_ink, colours.skin.ink, min(1.0, 0.5 * strength * strength))
    pen.stroke(curve, widths, colour, min(1.0, 0.30 + 0.75 * strength))


def _bag_shade(
    pen: Pen, colours: FeatureColours, rules: LineRules, curves: FaceCurves, name: str, depth: float
) -> None:
    """The pouch under the eye of somebody no longer young, a little darker than the skin."""
    alpha = 0.55 * rules.strength * smoothstep(depth, 0.35, 0.9)
    if alpha < 0.05:
        return
    bag = part(curves[f"{name}_bag"], 0.1, 0.95)
    lid = part(curves[f"{name}_lower"], 0.1, 0.95)
    inner = resampled(lid, len(bag)) * np.float32(0.45) + bag * np.float32(0.55)
    pen.fill(outline(inner, bag[::-1]), colours.skin.shade, alpha)


def _second_lines(
    pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: LineRules, curves: FaceCurves, name: str, depth: float
) -> None:
    """What very old faces have besides: a second line under the eye and one beside the fold of the cheek."""
    unit = np.float32(face.unit_px)
    bag = part(curves[f"{name}_bag"], 0.3, 0.8) + face.down * np.float32(0.075) * unit
    _line(pen, face, colours, rules, bag, depth, 0.65, (0.05, 0.05, 0.5))
    fold = curves[f"{name}_fold"]
    out = (curves[f"{name}_upper"][0] - curves[f"{name}_upper"][-1]) * np.float32(0.30)
    cheek = part(fold, 0.35, 0.9) + out + face.down * np.float32(0.02) * unit
    _line(pen, face, colours, rules, cheek, depth, 0.7, (0.05, 0.05, 0.45))


def _crow(
    pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: LineRules, curves: FaceCurves, name: str, depth: float
) -> None:
    """Two short strokes beside the outer corner."""
    if depth * rules.strength < _FAINT:
        return
    unit = np.float32(face.unit_px)
    corner = curves[f"{name}_upper"][0]
    out = corner - curves[f"{name}_upper"][-1]
    out = out / max(float(np.hypot(*out)), 1e-6)
    strokes = ((-0.055, 0.17), (0.0, 0.20), (0.06, 0.16))[: 2 + (depth > 0.55)]
    for rise, reach in strokes:
        start = corner + out * np.float32(0.15) * unit + face.down * np.float32(rise) * unit
        end = start + out * np.float32(reach) * unit + face.down * np.float32(rise * 1.5) * unit
        middle = (start + end) / 2 - face.down * np.float32(0.014) * unit
        points = resampled(np.stack([start, middle, end]).astype(np.float32), 5)
        _line(pen, face, colours, rules, points, depth, 0.85, (0.5, 0.05, 0.35))
