"""Eyes: white, iris, lids, lashes and the fold above."""

from dataclasses import dataclass

import numpy as np
import skia
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import EYES
from toonfilter.runtime.geometry.proportions import Points
from toonfilter.runtime.render.face_geometry import Axis, FaceGeometry
from toonfilter.runtime.render.features.brush import (
    MULTIPLY,
    Pen,
    Shape,
    Widths,
    bow,
    disc,
    linear,
    outline,
    oval,
    part,
    taper,
    to_argb,
)
from toonfilter.runtime.render.features.curves import FaceCurves
from toonfilter.runtime.render.features.palette import FeatureColours
from toonfilter.runtime.render.features.profile_eye import as_wedge, front_of, wedge_iris
from toonfilter.runtime.render.features.shapes import shape_path
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.features.vergence import vergence_correction
from toonfilter.runtime.render.look import Look
from toonfilter.runtime.styles.feature_rules import EyeRules

CLOSED_OPENING, OPEN_OPENING = 0.10, 0.19
"""Height over width of the lids' gap, as the mesh reads it: below the first an eye is closed, above the second it is
drawn as it is."""
_REST_OPENING = 0.30
"""The same of eyes at rest."""
_ROOM_FOR_LIGHT, _LEAST_LIGHT = (0.3, 0.75), 0.45
"""Height of an eye's opening over that of its iris up to which the light is smallest, and from which it is whole; and
its size at least, over the style's."""
_LID_SHADOW = np.array([0.66, 0.62, 0.72], np.float32)
_LIGHT = np.array([1.0, 1.0, 1.0], np.float32)
_LASH = np.array([0.040, 0.024, 0.0], np.float32)
_FOLD_RISE = (np.sin(np.linspace(0.12, 0.95, 11) * np.pi) ** 0.6).astype(np.float32)
_GLOW = skia.Path()
_GLOW.moveTo(-0.74, 0.30)
_GLOW.quadTo(0, 0.62, 0.74, 0.30)
_GLOW.quadTo(0.50, 0.86, 0, 0.86)
_GLOW.quadTo(-0.50, 0.86, -0.74, 0.30)
"""A crescent of light in the lower half of the iris."""
_IRIS_TOP, _IRIS_BOTTOM = np.array([0.0, -0.9]), np.array([0.0, 0.9])
_MOST_ACROSS, _PROFILE_ACROSS = 0.72, 0.40
"""How far to the side an iris goes, in half widths of the eye, and in a profile: meshes lose it in the corner there."""
_PROFILE, _PROFILE_WIDTH = (36.0, 52.0), 0.84
"""Yaw in degrees from which a head is seen nearly and fully from the side, and what of the near eye's width is left."""
_WEDGE_YAW = (49.0, 63.0)
"""Yaw in degrees from which the near eye's front is seen from the side, and fully. Raising it draws almonds."""
_LEAST_SLIM, _WEDGE_IRIS = 0.45, 0.78
"""Width of an iris over its height at least, and of a profile's over what its eye's slimness would give."""
_MOST_HIDDEN = 0.3
"""How far behind a lid the iris' middle goes, in its radii. Raising it lets more of it disappear."""
_HUNG, _SMALLER_IRIS = 0.86, 0.14
"""How far an iris of a narrow eye hangs below its middle, in radii, to where the lower lid is, and by how much it is
smaller: one that both lids cut is a rectangle."""
_LOW_PUPIL, _DIM = 0.42, 0.8
"""How far below its middle the pupil of such an iris is, in radii, so that it looks out, and the glow that it lacks."""
_NARROWS = 0.4
"""Share of the exaggeration that narrow eyes get: tired faces please nobody."""
_MOST_SHADED = 0.30
"""Share of the opening that the lid's shadow may take."""
_CLOSED_SAG = 0.05
_LEAST_OPENING, _MOST_WIDER = 0.05, 2.0
_OPEN_BESIDE_WINK = (0.20, 0.26)
_WINKS = (0.09, 0.17)
"""Difference of both eyes' openings up to which it is a slip of the mesh, and from which it is meant."""
_LAUGH_RISE = 2.2
"""How far the closed lids of who laughs arch up, over their sag."""
_SOCKET = ((-3, (-0.05, 0.09), (0.17, 0.15), 1.0), (4, (0.0, 0.03), (0.22, 0.10), 0.55))
"""Patches of shade around an eye: the point of the upper lid, how far outwards and above it the middle lies, half the
width and height, all in distances of the pupils; and how strong it is."""
_NO_CREASE, _HINT, _FAINT_CREASE = 0.4, 0.06, 0.6
"""What is left of the style's least fold where the photo shows none; how strong one is that is surely seen; and the
width of the faintest over that of the strongest. Raising the first gives folds to those who have none."""
_LASH_PROFILE = np.array(
    [0.0, 0.42, 0.82, 1.0, 1.0, 0.94, 0.86, 0.78, 0.70, 0.62, 0.54, 0.46, 0.36, 0.24, 0.10, 0.0], np.float32
)
"""Width of the lash line from its wing to the nose."""
_WEDGE_LASH = np.array(
    [0.0, 0.28, 0.50, 0.64, 0.74, 0.82, 0.88, 0.93, 0.97, 1.0, 1.0, 1.0, 0.98, 0.92, 0.70, 0.0], np.float32
)
"""The same of a profile, whose lashes stand out at the front."""
_WEDGE_LASHES_U, _WEDGE_WING = 0.055, 0.45
"""How far a profile's lashes stand before the lid, in distances of the pupils, and what is left of the wing behind."""
_BARE_LID = 0.68
"""Width of the lid's line of bare lashes, over that of made-up ones."""
_ABOVE_LID = 0.36
"""How far the lid's line lies above the lid's edge, in its own width."""


@dataclass(frozen=True, slots=True, eq=False)
class EyeShape:
    """One eye on the canvas. upper, lower, crease: float32 [N, 2] px from the temple to the nose.

    openness: 0 closed, 1 open. slimness: seen width over true width.
    wedge: 0 for an almond to 1 for the wedge of a profile.
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
    wedge: float = 0.0

    @property
    def opening(self) -> Shape:
        """What is seen of the eyeball."""
        front = (front_of(self.upper, self.lower),) if self.wedge > 0 else ()
        return outline(self.upper, *front, self.lower[::-1])

    @property
    def outwards(self) -> Axis:
        """Unit vector from the inner to the outer corner."""
        axis = self.upper[0] - self.upper[-1]
        unit: Axis = axis / max(float(np.hypot(*axis)), 1e-6)
        return unit


def eye_shape(face: FaceGeometry, curves: FaceCurves, rules: EyeRules, side: int) -> EyeShape:
    """The lids of one eye, closed for good where the mesh all but closes them."""
    name = ("right", "left")[side]
    upper, lower, crease = curves[f"{name}_upper"], curves[f"{name}_lower"], curves[f"{name}_crease"]
    iris = face.flat[list(EYES[side].iris)]
    if rules.width != 1 or rules.height != 1:
        middle = (upper[0] + upper[-1]) / 2
        larger = _enlargement(face, rules)
        upper, lower, crease, iris = (middle + (points - middle) @ larger for points in (upper, lower, crease, iris))
    slim = face.eye_foreshortening[side]
    own, opening = _openings(face, side)
    openness = smoothstep(opening, CLOSED_OPENING, OPEN_OPENING)
    wide = min(_drawn_opening(opening, rules) / max(own, _LEAST_OPENING), _MOST_WIDER)
    # What is left of the gap below the threshold is the mesh's, not the person's.
    share = min(max((opening - CLOSED_OPENING) / (OPEN_OPENING - CLOSED_OPENING), 0.0), 1.0)
    upper = lower + (upper - lower) * np.float32(share * wide)
    if openness < 1:
        # Closed lids meet in an arc that hangs, whatever a tired mesh says.
        sag = np.float32((1 - openness) * _CLOSED_SAG * (1 - _LAUGH_RISE * face.laughter) * face.unit_px * slim)
        hang = face.down * (bow(len(upper)) * sag)[:, None]
        upper, lower = upper + hang, lower + hang
    radius = float(np.hypot(*(iris[1:] - iris[0]).T).mean()) / max(0.5 + 0.5 * slim, 0.5)
    height = float(((lower - upper) @ face.down).max())
    apart = np.float32(vergence_correction(face, side) * float(np.linalg.norm(upper[0] - upper[-1])) / 2)
    centre = _seen_iris(face, iris[0] + face.right * apart, upper, lower, radius)
    wedge = smoothstep(abs(face.yaw), *_WEDGE_YAW) if side != face.far_side else 0.0
    if wedge > 0:
        almond = upper, lower
        upper, lower, crease = as_wedge(upper, lower, crease, face.down, wedge)
        slim *= 1 - (1 - _WEDGE_IRIS) * wedge
        centre = wedge_iris(centre, almond, (upper, lower), radius * max(slim, _LEAST_SLIM), wedge)
    return EyeShape(side, upper, lower, crease, centre, radius, openness, max(height, 0.0), slim, wedge)


def _openings(face: FaceGeometry, side: int) -> tuple[float, float]:
    """Height over width of the lids' gap in the photo, and as it is meant: eyes that differ little are alike."""
    own, other = face.lid_openings[side], face.lid_openings[1 - side]
    seen = face.eye_foreshortening
    share = seen[1 - side] ** 2 / max(seen[0] ** 2 + seen[1] ** 2, 1e-6)
    meant = smoothstep(abs(own - other), *_WINKS) * smoothstep(max(own, other), *_OPEN_BESIDE_WINK)
    return own, own + (other - own) * share * (1 - meant)


def _drawn_opening(opening: float, rules: EyeRules) -> float:
    """Height over width of the drawn lids' gap: wonder goes further than in life, and squinting a little."""
    beyond = float(np.clip(opening / _REST_OPENING - 1, -0.6, 0.6))
    return opening * (1 + rules.exaggeration * beyond * (1.0 if beyond > 0 else _NARROWS))


def _seen_iris(face: FaceGeometry, iris: Points, upper: Points, lower: Points, radius_px: float) -> Points:
    """The iris' centre, kept where part of it is seen between the lids: no mesh makes an eye all white."""
    half = len(upper) // 2
    middle = (upper[half] + lower[half]) / 2
    apart = iris - middle
    most = _MOST_ACROSS + (_PROFILE_ACROSS - _MOST_ACROSS) * _sideways(face)
    across = most * float(np.linalg.norm(upper[0] - upper[-1])) / 2
    along = float(np.linalg.norm(lower[half] - upper[half])) / 2 + _MOST_HIDDEN * radius_px
    sideways = np.clip(apart @ face.right, -across, across)
    downwards = np.clip(apart @ face.down, -along, along)
    height = float(np.linalg.norm(lower[half] - upper[half]))
    hung = height / 2 - _HUNG * radius_px
    downwards += _narrowness(height, radius_px) * min(0.0, hung - downwards)
    kept: Points = (middle + face.right * sideways + face.down * downwards).astype(np.float32)
    return kept


def _enlargement(face: FaceGeometry, rules: EyeRules) -> NDArray[np.float32]:
    """float32 [2, 2]: scales along the face's axes."""
    right, down = face.right, face.down
    width = rules.width * (1 - (1 - _PROFILE_WIDTH) * _sideways(face))
    axes: NDArray[np.float32] = np.float32(width) * right[:, None] * right
    axes += np.float32(rules.height) * down[:, None] * down
    return axes


def _narrowness(height_px: float, radius_px: float) -> float:
    """1 for an eye that shows a slice of its iris, 0 for one that shows most of it."""
    return 1 - smoothstep(height_px / max(2 * radius_px, 1e-6), *_ROOM_FOR_LIGHT)


def _sideways(face: FaceGeometry) -> float:
    return smoothstep(abs(face.yaw), *_PROFILE)


def draw_eye(pen: Pen, face: FaceGeometry, look: Look, colours: FeatureColours, rules: EyeRules, eye: EyeShape) -> None:
    """One eye, fold and lashes included."""
    thin = float(np.clip(eye.slimness / 0.9, 0.35, 1.0))
    _socket(pen, face, colours, rules, eye, thin)
    _fold(pen, face, look, colours, rules, eye, thin)
    if eye.openness > 0.02:
        _ball(pen, face, colours, rules, eye)
    _lower_line(pen, face, look, colours, rules, eye, thin)
    _lash_line(pen, face, look, colours, rules, eye, thin)


def _socket(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: EyeRules, eye: EyeShape, thin: float) -> None:
    """Soft shade beside the nose and above the lid: without it eyes lie on a face like stickers."""
    unit, outwards = np.float32(face.unit_px), eye.outwards
    for place, (out_u, up_u), (across_u, down_u), strength in _SOCKET:
        middle = eye.upper[place] + (outwards * np.float32(out_u) - face.down * np.float32(up_u)) * unit
        across, down = outwards * np.float32(across_u) * unit, face.down * np.float32(down_u) * unit
        pen.glow(middle, across, down, colours.skin.shade, rules.socket_shade * strength * thin)


def _fold(
    pen: Pen, face: FaceGeometry, look: Look, colours: FeatureColours, rules: EyeRules, eye: EyeShape, thin: float
) -> None:
    """The plane of the upper lid, a little darker, and the fold above it."""
    unit = np.float32(face.unit_px)
    count = len(eye.crease)
    lid = eye.upper[np.linspace(1, len(eye.upper) - 2, count).astype(int)]
    mesh_height = np.maximum((lid - eye.crease) @ face.down, 0)
    wanted = look.creases.height[eye.side] * unit + np.float32(0.25 * (1 - eye.openness)) * mesh_height
    height = np.minimum(wanted, mesh_height * np.float32(0.9)) * _FOLD_RISE + np.float32(0.012) * unit
    fold = lid - face.down * height[:, None]
    strength = _crease(look, rules)
    shade = rules.crease_shade * (0.45 + 0.75 * look.lash) * (0.6 + 0.4 * strength)
    pen.fill(outline(fold, lid[::-1]), colours.skin.shade, shade)
    if strength > 0.05:
        line = fold[1:-1]
        width_u = rules.crease_line_u * thin * (_FAINT_CREASE + (1 - _FAINT_CREASE) * strength)
        widths = taper(len(line), 0.05, 0.05, 0.40) * np.float32(width_u) * unit
        pen.stroke(line, widths, colours.skin.soft_ink, min(1.0, 0.45 + 0.65 * strength))


def _crease(look: Look, rules: EyeRules) -> float:
    """How strong the folds above the eyes are: light hides one of two, and the least hint of one is a fold."""
    seen = float(max(look.creases.strength))
    least = rules.least_crease * (_NO_CREASE + (1 - _NO_CREASE) * smoothstep(seen, 0.0, _HINT))
    return least + (1 - least) * seen


def _ball(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: EyeRules, eye: EyeShape) -> None:
    """White, iris, highlights, clipped by the lids."""
    unit, down = np.float32(face.unit_px), face.down
    opening = eye.opening
    with pen.inside(opening):
        pen.fill(opening, colours.eyes.white)
        corner = eye.upper[-1] + eye.outwards * np.float32(0.02) * unit
        across = eye.outwards * np.float32(0.07) * unit
        pen.glow(corner, across, down * np.float32(0.06) * unit, colours.eyes.caruncle, 0.8 * (1 - eye.wedge))
        _iris(pen, face, colours, rules, eye)
        deep = min(rules.lid_shadow_u * face.unit_px + 0.10 * eye.height_px, _MOST_SHADED * eye.height_px)
        depth = np.float32(deep) * bow(len(eye.upper), 0.6)
        shadow = eye.upper + down * depth[:, None]
        above = eye.upper - down * np.float32(0.1) * unit
        pen.fill(outline(above, shadow[::-1]), _LID_SHADOW, 0.62, MULTIPLY)
        _highlights(pen, face, rules, eye)


def _iris_axes(face: FaceGeometry, rules: EyeRules, eye: EyeShape) -> tuple[Axis, Axis]:
    radius = max(eye.iris_radius_px * rules.iris_size, rules.iris_least_u * face.unit_px)
    radius *= 1 - _SMALLER_IRIS * _narrowness(eye.height_px, radius)
    slim = min(max(eye.slimness * 1.06, _LEAST_SLIM), 1.0)
    across = radius * slim / rules.iris_tall**0.5
    return face.right * np.float32(across), face.down * np.float32(radius * rules.iris_tall**0.5)


def _iris(pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: EyeRules, eye: EyeShape) -> None:
    across, down = _iris_axes(face, rules, eye)
    narrow = _narrowness(eye.height_px, float(np.hypot(*down)))
    shades = (to_argb(colours.eyes.iris_deep), to_argb(colours.eyes.iris), to_argb(colours.eyes.iris_glow))
    with pen.frame(eye.iris, across, down):
        pen.fill(disc(0, 0, 1.0), colours.eyes.iris_ring)
        pen.graded(disc(0, 0, 0.88), linear(_IRIS_TOP, _IRIS_BOTTOM, shades, (0.12, 0.60, 1.0)))
        pen.fill(_GLOW, colours.eyes.iris_glow, rules.glow * (1 - _DIM * narrow))
        if not rules.pupil_shape:
            pen.fill(oval(0, _LOW_PUPIL * narrow - 0.03, rules.pupil, 1.08 * rules.pupil), colours.eyes.pupil)
    if rules.pupil_shape:
        size = np.float32(rules.pupil)
        with pen.frame(eye.iris + down * np.float32(_LOW_PUPIL * narrow), across * size, down * size):
            pen.fill(shape_path(rules.pupil_shape), colours.eyes.pupil)


def _highlights(pen: Pen, face: FaceGeometry, rules: EyeRules, eye: EyeShape) -> None:
    across, down = _iris_axes(face, rules, eye)
    # What the lid hides of the iris has no light: it slides down to where it is seen.
    lid = float((eye.upper[len(eye.upper) // 2] - eye.iris) @ face.down) / max(float(np.hypot(*down)), 1e-6)
    height = min(max(-0.36, lid + 0.8 * rules.highlight), 0.1)
    # A slit has no room for a large light: it would look like a white pupil.
    seen = eye.height_px / max(2 * float(np.hypot(*down)), 1e-6)
    size = rules.highlight * (_LEAST_LIGHT + (1 - _LEAST_LIGHT) * smoothstep(seen, *_ROOM_FOR_LIGHT))
    # Both eyes are lit from the same side, at the picture's left.
    _light(pen, eye, (across, down), (-0.36, height), (0.92, 1.08), size, rules.highlight_shape, 1.0)
    if height < 0:
        shape = rules.second_highlight_shape
        _light(pen, eye, (across, down), (0.40, 0.44), (1.0, 1.0), rules.second_highlight, shape, 0.85)


def _light(
    pen: Pen,
    eye: EyeShape,
    axes: tuple[Axis, Axis],
    place: tuple[float, float],
    stretch: tuple[float, float],
    size: float,
    shape: str,
    alpha: float,
) -> None:
    """One light on the iris. axes: of the iris, px. place, size: in its radii. shape: SVG path data, or empty."""
    across, down = axes
    if not shape:
        with pen.frame(eye.iris, across, down):
            pen.fill(oval(*place, stretch[0] * size, stretch[1] * size), _LIGHT, alpha)
        return
    centre = eye.iris + across * np.float32(place[0]) + down * np.float32(place[1])
    with pen.frame(centre, across * np.float32(size), down * np.float32(size)):
        pen.fill(shape_path(shape), _LIGHT, alpha)


def _lower_line(
    pen: Pen, face: FaceGeometry, look: Look, colours: FeatureColours, rules: EyeRules, eye: EyeShape, thin: float
) -> None:
    """Thin, darker outwards; gone where the lids meet."""
    if eye.openness < 0.3:
        return
    line = part(eye.lower, 0, rules.lower_reach) + face.down * np.float32(0.004 * face.unit_px)
    full = np.float32((rules.lower_line_u + 0.006 * look.lash) * face.unit_px * thin)
    widths = taper(len(line), 0.5, 0.05, 0.25) * full
    pen.stroke(line, widths, colours.eyes.lower_lid, 0.95 * smoothstep(eye.openness, 0.3, 0.7))


def _lash_line(
    pen: Pen, face: FaceGeometry, look: Look, colours: FeatureColours, rules: EyeRules, eye: EyeShape, thin: float
) -> None:
    """The darkest line of the face: heaviest over the outer third, with a small wing."""
    unit, up, lash = face.unit_px, -face.down, look.lash
    closed = 1 - eye.openness
    # Dark lids alone are a man's or a child's as well: lines and wings of paint come with painted lips.
    painted = lash * (0.25 + 0.75 * look.lip_strength)
    bare = _BARE_LID + (1 - _BARE_LID) * smoothstep(painted, 0.1, 0.4)
    full = (rules.lid_line_u * bare + rules.lash_line_u * painted) * unit * (0.45 + 0.55 * thin)
    full = min(full, (0.35 + 0.65 * eye.openness) * full + rules.closed_line_u * unit * thin * closed)
    reach = np.float32((0.18 + 0.82 * smoothstep(painted, 0.2, 0.6)) * rules.wing_u * unit * thin)
    reach *= np.float32(1 - (1 - _WEDGE_WING) * eye.wedge)
    # A closed lid's lashes point down, an open one's up.
    wing = eye.outwards * reach + up * np.float32(0.45 * (1 - 2 * closed)) * reach
    corner = eye.upper[:1]
    curve = np.concatenate([corner + wing, corner + wing * np.float32(0.40), eye.upper[1:]])
    widths: Widths = (_LASH_PROFILE + (_WEDGE_LASH - _LASH_PROFILE) * np.float32(eye.wedge)) * np.float32(full)
    if eye.wedge > 0:
        ahead = up * np.float32(0.3 * eye.openness) - eye.outwards
        curve[-1] += ahead * np.float32(_WEDGE_LASHES_U * (0.5 + 0.5 * painted) * unit * eye.wedge)
    line: Points = curve + up * (widths * np.float32(_ABOVE_LID * eye.openness))[:, None]
    pen.stroke(line, widths, colours.eyes.lash)
    made_up = smoothstep(painted, 0.55, 0.82)
    # On a closed eye everybody's lashes show.
    made_up = max(made_up, smoothstep(closed, 0.75, 1.0) * (0.45 + 0.55 * lash))
    if made_up > 0.1 and rules.lashes:
        _single_lashes(pen, face, colours, rules, eye, curve, made_up * thin)


def _single_lashes(
    pen: Pen, face: FaceGeometry, colours: FeatureColours, rules: EyeRules, eye: EyeShape, curve: Points, size: float
) -> None:
    """A few lashes at the outer corner, the outermost longest."""
    scale = np.float32(face.unit_px * size)
    sign = np.float32(2 * eye.openness - 1)
    for number in range(rules.lashes):
        root = curve[2 + number]
        lean = np.float32(0.95 - 0.16 * number)
        way = eye.outwards * lean - face.down * sign * np.float32(0.62 + 0.08 * number)
        tip = root + way * np.float32(0.125 - 0.012 * number) * scale
        middle = (root + tip) / 2 + (eye.outwards * np.float32(0.3) + face.down * sign) * np.float32(0.014) * scale
        pen.stroke(np.stack([root, middle, tip]).astype(np.float32), _LASH * scale, colours.eyes.lash)
