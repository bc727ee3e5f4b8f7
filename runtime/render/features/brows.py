"""Brows: the person's own shape, place and thickness, full near the nose and pointed at the temple."""

import numpy as np

from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.brush import Pen, linear, normals, outline, to_argb
from toonfilter.runtime.render.features.curves import FaceCurves, resampled
from toonfilter.runtime.render.features.palette import FeatureColours
from toonfilter.runtime.render.features.rules import BrowRules
from toonfilter.runtime.render.look import BROW_STATIONS, Look

_PROFILE = np.array([0.08, 0.34, 0.56, 0.73, 0.87, 0.97, 1.0, 0.93, 0.46], np.float32)
"""Thickness from the temple to the nose of a brow of which nothing else is known."""
_ROUNDED = np.linspace(1, 0.8, 13, dtype=np.float32)[:, None]
_EVEN = np.linspace(-1, 1, BROW_STATIONS).astype(np.float32)


def draw_brow(
    pen: Pen, face: FaceGeometry, curves: FaceCurves, look: Look, colours: FeatureColours, rules: BrowRules, side: int
) -> None:
    """One brow."""
    alpha = float(0.35 + 0.65 * look.brow_strength[side]) * rules.alpha
    if alpha < 0.02:
        return
    name = ("right", "left")[side]
    upper, lower = curves[f"{name}_brow_upper"], curves[f"{name}_brow_lower"]
    middle = resampled((upper + lower) / 2, BROW_STATIONS)
    unit = np.float32(face.unit_px)
    keep = np.float32(rules.likeness)
    inner = np.clip((_EVEN - 0.0) / 1.0, 0, 1) ** 1.4
    offset = look.brow_offset[side] * keep - np.float32(rules.friendly_u) * inner + np.float32(rules.lower_u)
    line = middle + face.down * (offset * unit)[:, None]
    own = np.clip(look.brow_thickness[side] * np.float32(rules.thickness), rules.least_u, rules.most_u)
    # Measured thickness is rough; the profile gives the form, the measure how full each part is.
    full = np.float32(np.median(own[2:8]))
    thick = (
        full * _PROFILE * (1 - keep * np.float32(0.5))
        + own * _PROFILE * keep * np.float32(0.5) / np.maximum(full, 1e-3) * full
    )
    slim = float(np.clip(np.hypot(*(line[-1] - line[0])) / (0.72 * face.unit_px), 0.4, 1.0))
    half = (thick * unit * np.float32(0.5 * (0.55 + 0.45 * slim)))[:, None]
    line, half = resampled(line, 13), resampled(half, 13)
    normal = normals(line)
    # The upper edge of the inner end is rounder than the lower, as hair grows there.
    path = outline(line + normal * half * _ROUNDED, (line - normal * half)[::-1])
    colour = colours.brow
    shader = linear(
        line[0],
        line[-1],
        [to_argb(colour, alpha), to_argb(colour, alpha), to_argb(colour, alpha * 0.72)],
        [0.0, 0.72, 1.0],
    )
    pen.graded(path, shader)
