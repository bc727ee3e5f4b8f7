"""Brows: the person's own shape, place and thickness, full near the nose and pointed at the temple."""

import numpy as np

from toonfilter.runtime.geometry.landmarks import INNER_LIPS
from toonfilter.runtime.geometry.proportions import Points
from toonfilter.runtime.render.canvas import path_of
from toonfilter.runtime.render.colour import Colour
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.brush import Pen, linear, normals, outline, tones
from toonfilter.runtime.render.features.curves import FaceCurves, resampled
from toonfilter.runtime.render.features.palette import FeatureColours
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import BROW_STATIONS, Look
from toonfilter.runtime.styles.feature_rules import BrowRules
from toonfilter.runtime.styles.shapes import outlines_of

_PROFILE = np.array([0.02, 0.30, 0.58, 0.82, 1.0, 1.08, 1.10, 1.04, 0.66], np.float32)
"""Thickness from the temple to the nose of a brow of which nothing else is known."""
_SOFT_EDGE = ((1.06, 0.30), (0.98, 0.80))
"""Widths of the layers of a brow, over its own, and their opacity: hair thins out towards the edge."""
_ALONG = (0.9, 1.0, 0.85, 0.5)
"""Opacity from the temple to the nose."""
_FROWNS = 0.05
_SEEN_FROWN, _FROWN_LINES = 0.055, (0.35, 0.9)
"""What the photo's lines between the brows say for a frown, which meshes hardly see; and depths at which they begin to
say it, and say all. Raising the first makes who has such lines look sterner."""
_LAUGHS = 0.018
"""How far laughter raises the inner ends, in pupil distances: lowered by laughter they look wicked."""
_UNCONFIRMED = 0.2
"""Share of the mesh's frown that is believed without such lines."""
_CRIES = (0.10, 0.25)
"""Opening of the lips, in pupil distances, from which the same lines begin to tell worry, and from which they do."""
_EVEN = np.linspace(-1, 1, BROW_STATIONS).astype(np.float32)


def draw_brow(
    pen: Pen, face: FaceGeometry, curves: FaceCurves, look: Look, colours: FeatureColours, rules: BrowRules, side: int
) -> None:
    """One brow."""
    strength = float(look.brow_shape.strength[side])
    alpha = (0.45 + 0.55 * strength) * rules.alpha
    if alpha < 0.02:
        return
    name = ("right", "left")[side]
    upper, lower = curves[f"{name}_brow_upper"], curves[f"{name}_brow_lower"]
    middle = resampled((upper + lower) / 2, BROW_STATIONS)
    unit = np.float32(face.unit_px)
    keep = np.float32(rules.likeness)
    inner = np.clip(_EVEN, 0, 1) ** np.float32(1.4)
    # Laughter lowers brows, too, but nobody means it.
    frown = _frown(face, look) * (1 - 0.8 * face.laughter)
    friendly_u = rules.friendly_u * (1 - smoothstep(frown, 0.0, _FROWNS)) + _LAUGHS * face.laughter
    friendly = np.float32(friendly_u - rules.exaggeration * frown)
    offset = look.brow_shape.offset[side] * keep - friendly * inner + np.float32(rules.lower_u)
    line = middle + face.down * (offset * unit)[:, None]
    own = np.clip(
        look.brow_shape.thickness[side] * np.float32(rules.thickness * (0.70 + 0.30 * strength)),
        rules.least_u,
        rules.most_u,
    )
    # Measured thickness is rough; the profile gives the form, the measure how full each part is.
    full = np.float32(np.sort(own[2:8])[2:4].sum() / 2)
    thick = (
        full * _PROFILE * (1 - keep * np.float32(0.5))
        + own * _PROFILE * keep * np.float32(0.5) / np.maximum(full, 1e-3) * full
    )
    slim = float(np.clip(np.hypot(*(line[-1] - line[0])) / (0.72 * face.unit_px), 0.4, 1.0))
    half = (thick * unit * np.float32(0.5 * (0.55 + 0.45 * slim)))[:, None]
    line, half = resampled(line, 13), resampled(half, 13)
    if rules.shape:
        _fill_shape(pen, face, line, half, rules.shape, colours.brow, alpha)
        return
    reach = normals(line) * half
    for width, share in _SOFT_EDGE:
        _fill(pen, line, reach * np.float32(width), colours.brow, alpha * share)


def _frown(face: FaceGeometry, look: Look) -> float:
    """How far the inner ends are lowered in a frown, below 0 raised in worry, in pupil distances.

    Meshes see little of frowns, and take slanting brows for one: lines between the brows tell. With raised brows or a
    cry these tell worry.
    """
    if face.frown < 0:
        return face.frown
    lines = float(look.lines.frown.mean())
    lips = face.photo_points[INNER_LIPS[0]] - face.photo_points[INNER_LIPS[1]]
    calm = 1 - smoothstep(float(np.linalg.norm(lips)) / face.unit_px, *_CRIES)
    seen = _SEEN_FROWN * smoothstep(lines, *_FROWN_LINES) * calm
    return max(face.frown * (_UNCONFIRMED + (1 - _UNCONFIRMED) * smoothstep(lines, 0.1, 0.6)), seen)


def _fill_shape(
    pen: Pen, face: FaceGeometry, line: Points, half: Points, shape: str, colour: Colour, alpha: float
) -> None:
    """A shape of the style's bent along a line. half: as in `_fill`."""
    along = np.linspace(0, 1, len(line))
    bent = []
    for one in outlines_of(shape):
        spots = np.stack([np.interp(one[:, 0], along, values) for values in line.T], 1)
        bent.append((spots + one[:, 1:] * half.max() * face.down).astype(np.float32))
    pen.fill(path_of(bent), colour, alpha)


def _fill(pen: Pen, line: Points, reach: Points, colour: Colour, alpha: float) -> None:
    """A brow along a line, paler where it begins. reach: float32 [N, 2] px, from the line to its edge."""
    # One run around the inner end makes it round; the tail is a point.
    tip = line[-1:] + (line[-1:] - line[-2:-1]) * np.float32(0.35)
    path = outline(np.concatenate([line + reach, tip, (line - reach)[::-1]]))
    shades = tones(colour, [alpha * share for share in _ALONG])
    pen.graded(path, linear(line[0], line[-1], shades, [0.0, 0.55, 0.85, 1.0]))
