"""Eyes: white, iris, lids, lashes and the fold above."""

from dataclasses import dataclass

import numpy as np
import skia

from toonfilter.runtime.geometry.landmarks import EYES
from toonfilter.runtime.geometry.proportions import Points
from toonfilter.runtime.render.face_geometry import Axis, FaceGeometry
from toonfilter.runtime.render.features.brush import MULTIPLY, Pen, Widths, linear, outline, taper, to_argb
from toonfilter.runtime.render.features.curves import FaceCurves
from toonfilter.runtime.render.features.palette import FeatureColours
from toonfilter.runtime.render.features.rules import EyeRules
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import Look

CLOSED_OPENING, OPEN_OPENING = 0.10, 0.19
"""Height over width of the lids' gap, as the mesh reads it: below the first an eye is closed, above the second it is
drawn as it is."""
_LID_SHADOW = np.array([0.66, 0.62, 0.72], np.float32)
_LIGHT = np.array([1.0, 1.0, 1.0], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class EyeShape:
    """One eye on the canvas. upper, lower, crease: float32 [N, 2] px from the temple to the nose.

    openness: 0 closed, 1 open. slimness: seen width over true width.
    """

    side: int
    upper: Points
    lower: Points
    crease: Points
    iris: Points
    iris_radius_px: float
    openness: float
    height_px: float
    slimness: float

    @property
    def outwards(self) -> Axis:
        """Unit vector from the inner to the outer corner."""
        axis = self.upper[0] - self.upper[-1]
        unit: Axis = axis / max(float(np.hypot(*axis)), 1e-6)
        return unit


def eye_shape(face: FaceGeometry, curves: FaceCurves, side: int) -> EyeShape:
    """The lids of one eye, closed for good where the mesh all but closes them."""
    name = ("right", "left")[side]
    upper, lower, crease = curves[f"{name}_upper"], curves[f"{name}_lower"], curves[f"{name}_crease"]
    slim = face.eye_foreshortening[side]
    photo = face.photo_points
    eye = EYES[side]
    width = float(np.linalg.norm(photo[eye.corners[0]] - photo[eye.corners[1]]))
    gaps = [float(np.linalg.norm(photo[eye.upper[i], :2] - photo[eye.lower[i], :2])) for i in (3, 4, 5)]
    opening = float(np.mean(gaps)) / max(width, 1e-6)
    openness = smoothstep(opening, CLOSED_OPENING, OPEN_OPENING)
    # The upper lid comes down; what is left of the gap below the threshold is the mesh's, not the person's.
    upper = lower + (upper - lower) * np.float32(min(1.0, openness * 1.02))
    iris = face.flat[list(eye.iris)]
    radius = float(np.hypot(*(iris[1:] - iris[0]).T).max())
    height = float(((lower - upper) @ face.down).max())
    return EyeShape(side, upper, lower, crease, iris[0], radius, openness, max(height, 0.0), slim)


def draw_eye(pen: Pen, face: FaceGeometry, look: Look, colours: FeatureColours, rules: EyeRules, eye: EyeShape) -> None:
    """One eye, fold and lashes included."""
    thin = float(np.clip(eye.slimness / 0.9, 0.35, 1.0))
    _fold(pen, face, look, colours, rules, eye, thin)
    if eye.openness > 0.02:
        _ball(pen, face, colours, rules, eye)
    _lower_line(pen, face, look, colours, rules, eye, thin)
    _lash_line(pen, face, look, colours, rules, eye, thin)


def _fold(
    pen: Pen, face: FaceGeometry, look: Look, colours: FeatureColours, rules: EyeRules, eye: EyeShape, thin: float
) -> None:
    """The plane of the upper lid, a little darker, and the fold above it."""
    unit = face.unit_px
    count = len(eye.crease)
    lid = eye.upper[np.linspace(1, len(eye.upper) - 2, count).astype(int)]
    mesh_height = np.maximum((lid - eye.crease) @ face.down, 0)
    wanted = float(look.crease_height[eye.side]) * unit + 0.25 * (1 - eye.openness) * mesh_height
    bow = np.sin(np.linspace(0.12, 0.95, count) * np.pi).astype(np.float32) ** 0.6
    fold = lid - face.down * (np.minimum(wanted, mesh_height * 0.9) * bow + 0.012 * unit)[:, None]
    shade = rules.crease_shade * (0.45 + 0.75 * look.lash) * (0.6 + 0.4 * float(look.crease[eye.side]))
    pen.fill(outline(fold, lid[::-1]), colours.shade, shade)
    strength = float(look.crease[eye.side])
    if strength > 0.05:
        line = fold[1:-2]
        widths = taper(len(line), 0.15, 0.05, 0.42) * np.float32(rules.crease_line_u * unit * thin)
        pen.stroke(line, widths, colours.soft_ink, min(1.0, 0.25 + 0.75 * strength))


def _ball(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: EyeRules, eye: EyeShape) -> None:
    """White, iris, highlights, clipped by the lids."""
    unit, down = face.unit_px, face.down
    opening = outline(eye.upper, eye.lower[::-1])
    with pen.inside(opening):
        pen.fill(opening, colours.eye_white)
        inner = eye.upper[-1]
        pen.glow(
            inner + eye.outwards * 0.02 * unit, eye.outwards * 0.07 * unit, down * 0.06 * unit, colours.caruncle, 0.8
        )
        _iris(pen, face, colours, rules, eye)
        depth = (rules.lid_shadow_u * unit + 0.10 * eye.height_px) * np.sin(
            np.linspace(0.06, 0.94, len(eye.upper)) * np.pi
        ) ** 0.6
        shadow = eye.upper + down * depth[:, None].astype(np.float32)
        pen.fill(outline(eye.upper - down * 0.1 * unit, shadow[::-1]), _LID_SHADOW, 0.62, MULTIPLY)
        _highlights(pen, face, rules, eye)


def _iris_axes(face: FaceGeometry, rules: EyeRules, eye: EyeShape) -> tuple[Axis, Axis]:
    radius = max(eye.iris_radius_px * rules.iris_size, rules.iris_least_u * face.unit_px)
    slim = float(np.clip(eye.slimness * 1.06, 0.45, 1.0))
    return face.right * np.float32(radius * slim), face.down * np.float32(radius)


def _iris(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: EyeRules, eye: EyeShape) -> None:
    across, down = _iris_axes(face, rules, eye)
    with pen.frame(eye.iris, across, down):
        canvas = pen.canvas
        pen.fill(_disc(0, 0, 1.0), colours.iris_ring)
        shader = linear(
            np.array([0.0, -0.9]),
            np.array([0.0, 0.9]),
            [to_argb(colours.iris_deep), to_argb(colours.iris), to_argb(colours.iris_glow)],
            [0.10, 0.55, 1.0],
        )
        pen.graded(_disc(0, 0, 0.87), shader)
        canvas.save()
        canvas.clipPath(_disc(0, 0, 0.84), skia.ClipOp.kIntersect, True)
        pen.fill(_oval(0, 0.66, 0.60, 0.36), colours.iris_glow, rules.glow)
        canvas.restore()
        pen.fill(_disc(0, 0, rules.pupil), colours.pupil)


def _highlights(pen: Pen, face: FaceGeometry, rules: EyeRules, eye: EyeShape) -> None:
    across, down = _iris_axes(face, rules, eye)
    # Both eyes are lit from the same side, at the picture's left.
    with pen.frame(eye.iris, across, down):
        pen.fill(_disc(-0.34, -0.36, rules.highlight), _LIGHT, 0.97)
        pen.fill(_disc(0.38, 0.42, rules.second_highlight), _LIGHT, 0.75)


def _disc(x: float, y: float, radius: float) -> skia.Path:
    path = skia.Path()
    path.addCircle(x, y, radius)
    return path


def _oval(x: float, y: float, across: float, down: float) -> skia.Path:
    path = skia.Path()
    path.addOval(skia.Rect.MakeLTRB(x - across, y - down, x + across, y + down))
    return path


def _lower_line(
    pen: Pen, face: FaceGeometry, look: Look, colours: FeatureColours, rules: EyeRules, eye: EyeShape, thin: float
) -> None:
    """Thin, darker outwards; gone where the lids meet."""
    if eye.openness < 0.3:
        return
    unit = face.unit_px
    widths = taper(len(eye.lower), 0.7, 0.15, 0.22) * np.float32((rules.lower_line_u + 0.007 * look.lash) * unit * thin)
    line = eye.lower + face.down * np.float32(0.004 * unit)
    pen.stroke(line[:-2], widths[:-2], colours.lower_lid, 0.9 * smoothstep(eye.openness, 0.3, 0.7))


def _lash_line(
    pen: Pen, face: FaceGeometry, look: Look, colours: FeatureColours, rules: EyeRules, eye: EyeShape, thin: float
) -> None:
    """The darkest line of the face: heaviest over the outer third, with a small wing."""
    unit, up = face.unit_px, -face.down
    lash = look.lash
    full = np.float32((rules.lid_line_u + rules.lash_line_u * lash) * unit * (0.45 + 0.55 * thin))
    closed = 1 - eye.openness
    full = np.float32(max(float(full), rules.closed_line_u * unit * thin * closed))
    reach = (0.25 + 0.75 * lash) * rules.wing_u * unit * thin
    # A closed lid's lashes point down, an open one's up.
    lift = np.float32(0.35 * (1 - 2 * closed))
    wing = eye.outwards * np.float32(reach) + up * lift * np.float32(reach)
    curve = np.concatenate([[eye.upper[0] + wing, eye.upper[0] + wing * np.float32(0.45)], eye.upper[1:]])
    widths: Widths = taper(len(curve), 0.06, 0.22, 0.30) * full
    line = curve + up * (widths * np.float32(0.28))[:, None]
    pen.stroke(line, widths, colours.lash)
    made_up = smoothstep(lash * (0.25 + 0.75 * look.lip_strength), 0.30, 0.60)
    if made_up > 0.1 and rules.lashes:
        _single_lashes(pen, face, colours, rules, eye, curve, made_up * thin)


def _single_lashes(
    pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: EyeRules, eye: EyeShape, curve: Points, size: float
) -> None:
    unit, closed = face.unit_px, 1 - eye.openness
    sign = np.float32(1 - 2 * closed)
    for number in range(rules.lashes):
        root = curve[3 + 2 * number]
        lean = 0.75 - 0.22 * number
        tip = root + (eye.outwards * lean - face.down * sign * 0.85) * np.float32(
            (0.060 - 0.006 * number) * unit * size
        )
        middle = (root + tip) / 2 + eye.outwards * np.float32(0.010 * unit * size)
        line = np.stack([root, middle, tip]).astype(np.float32)
        pen.stroke(line, np.array([0.024, 0.015, 0.002], np.float32) * np.float32(unit * size), colours.lash)
