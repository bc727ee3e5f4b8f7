"""Lines of age and smile, freckles and blush."""

import numpy as np

from toonfilter.runtime.geometry.landmarks import CHEEKS
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.brush import Pen, taper
from toonfilter.runtime.render.features.curves import FaceCurves
from toonfilter.runtime.render.features.palette import FeatureColours
from toonfilter.runtime.render.features.rules import LineRules
from toonfilter.runtime.render.look import Look


def draw_blush(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: LineRules) -> None:
    """A soft warmth on the cheeks."""
    for side, cheek in enumerate(CHEEKS):
        seen = face.eye_visibility[side]
        centre = face.flat[cheek] + face.down_face * np.float32(0.06)
        across = face.across_face * np.float32(0.36)
        pen.glow(centre, across, face.down_face * np.float32(0.22), colours.blush, rules.blush * seen)


def draw_lines(
    pen: Pen, face: FaceGeometry, curves: FaceCurves, look: Look, colours: FeatureColours, rules: LineRules
) -> None:
    """Only lines that the photo shows, thin and tapered."""
    lines = look.lines
    for side, name in enumerate(("right", "left")):
        seen = face.eye_visibility[side]
        if seen < 0.5:
            continue
        _line(pen, face, colours, rules, curves[f"{name}_fold"][2:-3], float(lines.fold[side]), 1.0, (0.35, 0.05, 0.35))
        _line(
            pen,
            face,
            colours,
            rules,
            curves[f"{name}_marionette"][:-3],
            float(lines.marionette[side]),
            0.6,
            (0.1, 0.05, 0.4),
        )
        _line(pen, face, colours, rules, curves[f"{name}_bag"][3:-2], float(lines.bag[side]), 0.8, (0.05, 0.1, 0.6))
        _line(pen, face, colours, rules, curves[f"{name}_frown"][2:-1], float(lines.frown[side]), 0.8, (0.05, 0.1, 0.6))
        _crow(pen, face, colours, rules, curves, name, float(lines.crow[side]))
    low, middle, high = (curves[f"forehead_{row}"] for row in ("low", "middle", "high"))
    for number, height in enumerate((0.62, 1.0, 1.36)):
        row = (
            low + (middle - low) * np.float32(height)
            if height <= 1
            else middle + (high - middle) * np.float32(height - 1)
        )
        _line(
            pen,
            face,
            colours,
            rules,
            row[3 + number // 2 : -3 - number // 2],
            float(lines.forehead[number]),
            0.7,
            (0.05, 0.05, 0.5),
        )


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
    if strength < 0.08:
        return
    widths = taper(len(curve), *shape) * np.float32(rules.width_u * weight * (0.55 + 0.45 * strength) * face.unit_px)
    pen.stroke(curve, widths, colours.soft_ink, min(1.0, 0.25 + 0.65 * strength))


def _crow(
    pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: LineRules, curves: FaceCurves, name: str, depth: float
) -> None:
    """Two short strokes beside the outer corner."""
    if depth * rules.strength < 0.08:
        return
    unit = np.float32(face.unit_px)
    corner = curves[f"{name}_upper"][0]
    out = corner - curves[f"{name}_upper"][-1]
    out = out / max(float(np.hypot(*out)), 1e-6)
    for rise, reach in ((-0.05, 0.14), (0.05, 0.12)):
        start = corner + out * 0.085 * unit + face.down * np.float32(rise * 0.6) * unit
        end = start + out * np.float32(reach) * unit + face.down * np.float32(rise * 1.3) * unit
        middle = (start + end) / 2 - face.down * np.float32(0.012) * unit
        _line(
            pen, face, colours, rules, np.stack([start, middle, end]).astype(np.float32), depth, 0.7, (0.6, 0.05, 0.3)
        )
