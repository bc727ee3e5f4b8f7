"""Features of a face: what the eyes, the mouth and the glasses show, at every pose. Faces come of the mean one."""

import math
from dataclasses import replace

import numpy as np
import pytest
import skia
from numpy.typing import NDArray

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.files.strict import parse
from toonfilter.runtime.geometry.alignment import mean_face
from toonfilter.runtime.geometry.landmarks import EYES, LIP_BOTTOM, MOUTH_BOTTOM, MOUTH_TOP
from toonfilter.runtime.geometry.proportions import Proportions
from toonfilter.runtime.render.ears import ear_in_profile
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.curves import FaceCurves
from toonfilter.runtime.render.features.drawing import draw_features
from toonfilter.runtime.render.features.eyes import eye_shape
from toonfilter.runtime.render.features.glasses import draw_glasses
from toonfilter.runtime.render.features.mouth import corner_lift
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.look import LENS_POINTS, GlassesLook, Look, LookAverage
from toonfilter.runtime.styles.feature_rules import EyeRules, FeatureRules

_SIDE = 400
_HEIGHT = 200.0


def _face(
    yaw: float = 0, pitch: float = 0, roll: float = 0, mean: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    """The mean face in the middle of a picture of _SIDE px, turned; degrees."""
    y, p, r = (math.radians(angle) for angle in (yaw, pitch, roll))
    about_y = np.array([[math.cos(y), 0, -math.sin(y)], [0, 1, 0], [math.sin(y), 0, math.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    about_z = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    turned = (mean_face() if mean is None else mean) @ (about_z @ about_y @ about_x).T
    return (turned * _HEIGHT + np.array([_SIDE / 2, _SIDE * 0.45, 0])).astype(np.float32)


def _blinking(share: float) -> NDArray[np.float64]:
    """The mean face with its lids closed by a share of their gap."""
    mean = mean_face().copy()
    for eye in EYES:
        for upper, lower in zip(eye.upper[1:-1], eye.lower[1:-1], strict=True):
            mean[upper] += (mean[lower] - mean[upper]) * share
    return mean


def _drawn(
    landmarks: NDArray[np.float32], look: Look | None = None, rules: FeatureRules | None = None
) -> NDArray[np.uint8]:
    """uint8 [H, W, 4] RGBA on clear ground."""
    pixels = np.zeros((_SIDE, _SIDE, 4), np.uint8)
    canvas = skia.Canvas(pixels, colorType=skia.kRGBA_8888_ColorType)
    face = FaceGeometry.of(landmarks)
    draw_features(canvas, face, look or Look.plain(), rules or FeatureRules())
    draw_glasses(canvas, face, look or Look.plain(), rules or FeatureRules())
    return pixels


def _with_mouth(**values: float) -> Look:
    look = Look.plain()
    return replace(look, mouth=replace(look.mouth, **values))


def _part(pixels: NDArray[np.uint8], centre: NDArray[np.float32], reach: float) -> NDArray[np.uint8]:
    x, y = (round(float(value)) for value in centre[:2])
    half = round(reach)
    return pixels[y - half : y + half, x - half : x + half]


def _white(part: NDArray[np.uint8]) -> int:
    """Pixels of the white of an eye, or of teeth."""
    return int(((part[..., :3].min(2) > 170) & (part[..., 3] > 250)).sum())


def _glasses(darkness: float) -> GlassesLook:
    turn = np.linspace(0, 2 * np.pi, LENS_POINTS, endpoint=False)
    outline = np.stack([0.42 * np.cos(turn), 0.32 * np.sin(turn)], 1).astype(np.float32)
    return GlassesLook(outline, 0.03, 1.0, np.array([15, 2, 2], np.float32), np.array([12, 0, 0], np.float32), darkness)


def _with_folds(right: float, left: float, **rules: float) -> NDArray[np.uint8]:
    """A face whose folds above the eyes are so clear in the photo."""
    look = Look.plain()
    look = replace(look, creases=replace(look.creases, strength=np.array([right, left], np.float32)))
    return _drawn(_face(), look, FeatureRules(eyes=EyeRules(**rules)))


def test_folds_above_eyes_come_in_pairs_and_the_faintest_is_a_hint() -> None:
    both = _with_folds(1, 1)
    assert np.array_equal(_with_folds(1, 0), both)
    cover = [int(one[..., 3].sum()) for one in (_with_folds(0, 0, least_crease=0.0), _with_folds(0, 0), both)]
    assert cover[0] < cover[1] < cover[2]
    assert cover[1] - cover[0] < cover[2] - cover[1]


def test_soft_shade_seats_eyes_in_the_face() -> None:
    flat, seated = (_with_folds(0, 0, socket_shade=share)[..., 3].astype(int) for share in (0.0, 0.55))
    darker = seated - flat
    landmarks = _face()
    for eye in EYES:
        above = (landmarks[eye.upper[-3], :2] + landmarks[eye.brow_lower[-1], :2]) / 2
        assert _part(darker[..., None], above, 4).mean() > 30
    below = int(landmarks[LIP_BOTTOM[0], 1])
    assert not darker[below:].any()


def test_a_blink_gives_a_closed_arc() -> None:
    landmarks, shut = _face(), _face(mean=_blinking(0.97))
    for eye in EYES:
        centre = landmarks[eye.iris[0]]
        assert _white(_part(_drawn(landmarks), centre, 18)) > 20
        closed = _part(_drawn(shut), centre, 18)
        assert _white(closed) == 0
        # The arc goes through from corner to corner.
        columns = (closed[..., :3].max(2) < 110) & (closed[..., 3] > 200)
        assert columns.any(0)[4:-4].all()


def test_lids_close_steadily() -> None:
    heights = []
    for share in np.linspace(0, 1, 21):
        face = FaceGeometry.of(_face(mean=_blinking(float(share))))
        heights.append(eye_shape(face, FaceCurves(face.flat), FeatureRules().eyes, 0).height_px)
    assert heights[-1] < 0.02 * heights[0]
    steps = np.diff(heights)
    assert (steps <= 1e-3).all()
    assert np.abs(steps).max() < 0.16 * heights[0]


def test_a_wink_closes_one_eye_only() -> None:
    mean = mean_face().copy()
    mean[list(EYES[0].upper)] = _blinking(0.97)[list(EYES[0].upper)]
    landmarks = _face(mean=mean)
    pixels = _drawn(landmarks)
    assert _white(_part(pixels, landmarks[EYES[0].iris[0]], 18)) == 0
    assert _white(_part(pixels, landmarks[EYES[1].iris[0]], 18)) > 20


def test_the_iris_follows_the_gaze() -> None:
    def dark_centre(landmarks: NDArray[np.float32]) -> float:
        part = _part(_drawn(landmarks), _face()[list(EYES[0].corners)].mean(0), 16)
        dark = (part[6:-6, :, :3].max(2) < 140) & (part[6:-6, :, 3] > 250)
        return float(np.nonzero(dark)[1].mean())

    ahead, aside = _face(), _face()
    for eye in EYES:
        aside[list(eye.iris), 0] += 5
    assert dark_centre(aside) - dark_centre(ahead) > 2


@pytest.mark.parametrize("yaw", [-72, 72])
def test_the_far_eye_is_hidden(yaw: float) -> None:
    landmarks = _face(yaw=yaw)
    face = FaceGeometry.of(landmarks)
    assert face.far_side == (1 if yaw > 0 else 0)
    assert face.eye_visibility[face.far_side] == 0
    assert face.eye_visibility[1 - face.far_side] == 1.0
    assert FaceGeometry.of(_face(yaw=yaw / 2)).eye_visibility == (1.0, 1.0)


def test_the_nose_covers_the_far_eye() -> None:
    face = FaceGeometry.of(_face(yaw=45))
    region = face.beyond_nose
    assert region is not None
    near, far = face.flat[EYES[0].iris[0]], face.flat[EYES[1].corners[0]]
    path = skia.Path.Polygon([skia.Point(*point) for point in region.tolist()], True)
    assert path.contains(*far.tolist())
    assert not path.contains(*near.tolist())


def test_mirrored_faces_give_mirrored_drawings() -> None:
    landmarks = _face(yaw=25, roll=8)
    mean = mean_face()
    # The partner of each point of the mean face, which is symmetric.
    partner = ((mean[:, None] * [-1, 1, 1] - mean[None]) ** 2).sum(2).argmin(1)
    other = landmarks[partner].copy()
    other[:, 0] = _SIDE - 1 - other[:, 0]
    for number, points in enumerate(EYES):
        other[list(EYES[1 - number].iris)] = landmarks[list(points.iris)] * [-1, 1, 1] + [_SIDE - 1, 0, 0]
    look = replace(Look.plain(), glasses=_glasses(0))
    first, second = _drawn(landmarks, look)[..., 3], _drawn(other, look)[:, ::-1, 3]
    assert np.abs(first.astype(int) - second).mean() < 0.02 * first.mean() + 1.5


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(75, 0, 0), (-75, 20, 0), (0, 40, 0), (0, -40, 0), (30, 30, 170), (89, 0, 90)]
)
def test_extreme_poses_are_drawn_within_the_picture(yaw: float, pitch: float, roll: float) -> None:
    landmarks = _face(yaw, pitch, roll)
    face = FaceGeometry.of(landmarks)
    assert np.isfinite(face.points).all()
    with np.errstate(all="raise", under="ignore"):
        pixels = _drawn(landmarks, replace(Look.plain(), glasses=_glasses(0)))
    ys, xs = np.nonzero(pixels[..., 3] > 40)
    assert len(xs) > 200
    centre = landmarks[:, :2].mean(0)
    assert np.hypot(xs - centre[0], ys - centre[1]).max() < _HEIGHT


def test_sunglasses_have_no_eyes_on_them() -> None:
    landmarks = _face()
    dark = _drawn(landmarks, replace(Look.plain(), glasses=_glasses(1.0)))
    clear = _drawn(landmarks, replace(Look.plain(), glasses=_glasses(0.0)))
    for eye in EYES:
        assert _white(_part(dark, landmarks[eye.iris[0]], 14)) == 0
        assert _white(_part(clear, landmarks[eye.iris[0]], 14)) > 10


def test_a_mask_leaves_out_mouth_and_nose() -> None:
    landmarks = _face()
    below = slice(round(float(landmarks[1, 1])), None)
    covered = _drawn(landmarks, _with_mouth(covered=1.0))[below, :, 3]
    assert (covered > 128).sum() == 0
    assert (_drawn(landmarks)[below, :, 3] > 128).sum() > 300


def test_teeth_show_as_far_as_the_photo_shows_them() -> None:
    mean = mean_face().copy()
    opened = [*MOUTH_BOTTOM[1:-1], *LIP_BOTTOM[1:-1]]
    mean[opened, 1] += 0.08
    landmarks = _face(mean=mean)
    centre = landmarks[[13, 14]].mean(0)
    shown = [_white(_part(_drawn(landmarks, _with_mouth(teeth_top=share)), centre, 26)) for share in (0.0, 0.4, 0.8)]
    assert shown[0] == 0
    assert 0 < shown[1] < shown[2]


def test_lips_and_cheeks_without_paint_are_paler() -> None:
    face = FaceGeometry.of(_face())
    lip, cheek = face.flat[LIP_BOTTOM[len(LIP_BOTTOM) // 2]] - face.down * 4, face.flat[205]
    bare, made_up = (_drawn(_face(), replace(Look.plain(), lip_strength=share, lash=share)) for share in (0.0, 1.0))
    for place in (lip, cheek):
        assert _part(bare, place, 2)[..., 3].mean() < _part(made_up, place, 2)[..., 3].mean() - 2


def test_proportions_are_monotone_and_invertible() -> None:
    face = FaceGeometry.of(_face(yaw=20), Proportions(eye_height=1.6, eye_width=1.5, nose_width=0.7, jaw_width=0.8))
    grid = np.stack(np.meshgrid(np.arange(40, 361, 4), np.arange(40, 361, 4)), -1).astype(np.float32)
    moved = face.warp.move(grid.reshape(-1, 2)).reshape(grid.shape)
    across, down = np.diff(moved, axis=1)[:-1], np.diff(moved, axis=0)[:, :-1]
    assert (across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]).min() > 0
    back = face.warp.source(moved.reshape(-1, 2))
    assert np.abs(back - grid.reshape(-1, 2)).max() < 0.5


def test_each_part_moves_as_far_as_it_did_when_they_were_moved_one_by_one() -> None:
    proportions = Proportions(eye_width=1.36, eye_height=1.49, jaw_width=0.85, chin_lift=0.05)
    face = FaceGeometry.of(_face(yaw=20, roll=10), proportions)
    nose, right_eye, left_eye, chin, mouth, forehead, cheek = 1, 33, 263, 152, 61, 10, 234
    places = face.photo_points[[nose, right_eye, left_eye, chin, mouth, forehead, cheek, forehead], :2]
    places[-1] -= face.down * np.float32(0.8 * face.unit_px)
    across = [-0.377, -5.103, 3.567, 1.398, 2.543, -0.272, -0.405, -1.076]
    down = [-0.759, 0.910, 2.649, -3.790, -0.097, 1.407, 0.097, 6.101]
    assert face.warp.move(places) - places == pytest.approx(np.stack([across, down], 1), abs=2e-3)


def test_a_lower_forehead_lowers_what_is_above_the_brows() -> None:
    face = FaceGeometry.of(_face(), replace(Proportions.none(), forehead=0.8))
    middle, eyes = (face.flat[EYES[0].iris[0]] + face.flat[EYES[1].iris[0]]) / 2, face.unit_px
    places = middle + np.array([[0, 0.6], [0, -0.2], [0, -0.9], [0, -1.3]], np.float32) * eyes
    below, at_eyes, forehead, hair = (face.warp.move(places) - places)[:, 1]
    assert below == pytest.approx(0, abs=1e-3)
    assert at_eyes == pytest.approx(0, abs=1e-3)
    assert 1 < forehead < hair


@pytest.mark.parametrize(("corner", "both"), [((0.0, 0.0), False), ((-0.08, -0.08), True), ((-0.16, 0.0), True)])
def test_smiles_are_larger_than_life_on_both_sides_alike(corner: tuple[float, float], both: bool) -> None:
    mean = mean_face().copy()
    for place, rise in zip((MOUTH_TOP[0], MOUTH_TOP[-1]), corner, strict=True):
        mean[place, 1] += rise
    face = FaceGeometry.of(_face(mean=mean))
    lift = corner_lift(face, FeatureRules().mouth)
    assert lift[0] == pytest.approx(lift[-1], abs=1e-6)
    assert (lift[0] > 1.5 * FeatureRules().mouth.friendly_u) == both


def test_full_likeness_moves_nothing() -> None:
    landmarks = _face(yaw=15)
    assert FaceGeometry.of(landmarks, Proportions.none()).points == pytest.approx(landmarks, abs=1e-3)
    assert not np.allclose(FaceGeometry.of(landmarks).points, landmarks, atol=1)


def test_proportions_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"eye_height is 3; must be 0\.7 to 1\.6"):
        Proportions(eye_height=3)


def test_rules_come_from_plain_tables() -> None:
    assert parse(FeatureRules, {}) == FeatureRules()
    rules = parse(FeatureRules, {"eyes": {"pupil": 0.6}, "mouth": {"line_u": 0.03}})
    assert (rules.eyes.pupil, rules.mouth.line_u, rules.nose) == (0.6, 0.03, FeatureRules().nose)


def test_looks_are_averaged_over_seconds() -> None:
    average = LookAverage()
    first = Look.plain()
    other = replace(first, skin=first.skin + 10, mouth=replace(first.mouth, teeth_top=1.0), lip_strength=1.0)
    for _ in range(60):
        mean = average.update(first, 1 / 30)
    mean = average.update(other, 1 / 30)
    assert float(mean.skin[0] - first.skin[0]) < 0.5
    assert mean.mouth.teeth_top - first.mouth.teeth_top > 0.1
    for _ in range(300):
        mean = average.update(other, 1 / 30)
    assert mean.skin == pytest.approx(other.skin, abs=0.5)


def test_glasses_do_not_flicker() -> None:
    average = LookAverage()
    bare, worn = Look.plain(), replace(Look.plain(), glasses=_glasses(0))
    for _ in range(90):
        average.update(bare, 1 / 30)
    assert average.update(worn, 1 / 30).glasses is None
    for _ in range(150):
        mean = average.update(worn, 1 / 30)
    assert mean.glasses is not None
    assert average.update(bare, 1 / 30).glasses is not None


@pytest.mark.parametrize("yaw", [45, -45])
def test_the_near_ear_of_a_turned_head_lies_behind_its_cheek_on_skin(yaw: float) -> None:
    head = FaceGeometry.of(_face(yaw=yaw))
    near = 1 - head.far_side
    skin = np.full((_SIDE, _SIDE), 255, np.uint8)
    figure = Figure(np.zeros((_SIDE, _SIDE, 3), np.uint8), {}, np.eye(2, 3), head.unit_px, head)
    ear = ear_in_profile(head, figure, skin, near)
    assert ear is not None
    behind = (ear - head.flat[(234, 454)[near]]) @ head.right * (1 if near else -1)
    assert behind.mean() > 0.1 * head.unit_px
    assert 0.9 < np.ptp(ear[:, 1]) / head.unit_px < 1.2
    assert ear_in_profile(head, figure, skin, head.far_side) is None
    assert ear_in_profile(head, figure, np.zeros_like(skin), near) is None, "hair lies over it"
    ahead = FaceGeometry.of(_face(yaw=yaw / 3))
    assert ear_in_profile(ahead, figure, skin, near) is None


def _crossing_px(inwards_px: float) -> float:
    """How much nearer the drawn irises are to each other where each of the mesh's is moved inwards by so much."""
    between = []
    for moved in (0.0, inwards_px):
        landmarks = _face()
        for side, eye in enumerate(EYES):
            landmarks[list(eye.iris), 0] += moved * (1 - 2 * side)
        face = FaceGeometry.of(landmarks)
        irises = [eye_shape(face, FaceCurves(face.flat), FeatureRules().eyes, side).iris[0] for side in (0, 1)]
        between.append(float(irises[1] - irises[0]))
    return (between[0] - between[1]) / 2


def test_eyes_that_hardly_cross_look_at_one_place() -> None:
    assert 0 < _crossing_px(1.5) < 0.8 * 1.5


def test_eyes_that_are_meant_to_cross_do() -> None:
    assert _crossing_px(8.0) > 4.0
