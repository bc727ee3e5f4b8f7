"""Class measures against closed forms and independent libraries."""

import cv2
import numpy as np
import pytest
import skimage.color

from toonfilter.benchmarks.quality import expression, identity, measures, seam, skin_tone
from toonfilter.benchmarks.quality.bootstrap import bootstrap, from_spread
from toonfilter.benchmarks.quality.face_reader import FaceReader, compare_faces
from toonfilter.benchmarks.quality.thresholds import judge
from toonfilter.runtime.geometry.alignment import mean_face

# Eyes, nose tip and mouth corners in a picture of 112 x 112, as ArcFace publishes them.
ARCFACE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


@pytest.fixture(scope="module")
def reader():
    found = FaceReader()
    yield found
    found.close()


def _turned(points: np.ndarray, degrees: float, scale: float) -> np.ndarray:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return scale * points @ turn.T + [50, 60, 0]


def test_openings_and_gaze_do_not_depend_on_size_place_and_roll() -> None:
    face = mean_face()
    moved = _turned(face, 27, 200)
    assert expression.mouth_opening(moved) == pytest.approx(expression.mouth_opening(face))
    assert expression.eye_opening(moved) == pytest.approx(expression.eye_opening(face))
    assert expression.gaze(moved) == pytest.approx(expression.gaze(face))


def test_eye_opening_of_a_drawn_eye() -> None:
    face = np.zeros((478, 3))
    for corners, upper, lower in (((33, 133), (160, 158), (144, 153)), ((362, 263), (385, 387), (380, 373))):
        face[corners[1], 0] = 10
        for x, (high, low) in zip((3, 7), zip(upper, lower, strict=True), strict=True):
            face[high], face[low] = (x, -1, 0), (x, 2, 0)
    assert expression.eye_opening(face) == pytest.approx(0.3)


def test_gaze_is_the_share_of_the_way_between_the_corners() -> None:
    face = np.zeros((478, 3))
    face[133, :2], face[362, :2], face[263, :2] = (4, 4), (10, 0), (20, 0)
    face[468, :2], face[473, :2] = (1, 1), (17.5, 3)
    assert expression.gaze(face) == pytest.approx((0.25, 0.75))
    assert expression.gaze_difference((0.25, 0.75), (0.35, 0.7)) == pytest.approx(0.075)


def test_mouth_opening_is_the_gap_over_the_upper_face() -> None:
    face = np.zeros((478, 3))
    face[10, 1], face[2, 1] = -30, 10
    for upper, lower, gap in ((13, 14, 9), (82, 87, 7.5), (312, 317, 7.5)):
        face[upper], face[lower] = (0, 20, 5), (0, 20 + gap, 5)
    assert expression.mouth_opening(face) == pytest.approx(0.2)


def test_correlation_agrees_with_numpy_and_knows_constants() -> None:
    generator = np.random.default_rng(3)
    pairs = generator.normal(size=(40, 2)) + generator.normal(size=(40, 1))
    assert expression.correlation(pairs) == pytest.approx(np.corrcoef(pairs.T)[0, 1])
    assert np.isnan(expression.correlation(np.column_stack([np.ones(5), np.arange(5)])))


def test_alignment_puts_five_points_onto_the_template() -> None:
    landmarks = np.zeros((478, 3))
    landmarks[[468, 473, 1, 61, 291], :2] = 2.5 * ARCFACE @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + [30, -7]
    matrix = identity.alignment(landmarks)
    aligned = landmarks[[468, 473, 1, 61, 291], :2] @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(aligned, ARCFACE, atol=1e-9)


def test_alignment_is_the_least_squares_similarity(astronaut, reader) -> None:
    landmarks = reader.read(astronaut).landmarks
    points = landmarks[[468, 473, 1, 61, 291], :2].astype(np.float64)
    transform = skimage.transform.SimilarityTransform.from_estimate(points, ARCFACE)
    np.testing.assert_allclose(identity.alignment(landmarks), transform.params[:2], atol=1e-6)


@pytest.mark.parametrize(
    ("colour", "group"), [((235, 205, 185), "light"), ((190, 140, 110), "middle"), ((90, 60, 45), "dark")]
)
def test_skin_tone_of_a_painted_face(colour: tuple[int, int, int], group: str) -> None:
    image = np.full((300, 300, 3), colour, np.uint8)
    landmarks = mean_face() * 200 + [150, 130, 0]
    lab = skimage.color.rgb2lab(np.array(colour, np.uint8)[None, None])[0, 0]
    expected = np.degrees(np.arctan2(lab[0] - 50, lab[2]))
    assert skin_tone.skin_tone(image, landmarks) == pytest.approx(expected, abs=0.3)
    assert skin_tone.ita_group(expected) == group


def test_skin_tone_ignores_glasses_shine_and_lines() -> None:
    landmarks = mean_face() * 200 + [150, 130, 0]
    image = np.full((300, 300, 3), (190, 140, 110), np.uint8)
    plain = skin_tone.skin_tone(image, landmarks)
    image[::8], image[4::8] = (10, 10, 10), (255, 255, 255)
    assert skin_tone.skin_tone(image, landmarks) == pytest.approx(plain, abs=0.3)


def test_gray_pictures_have_no_skin_tone() -> None:
    landmarks = mean_face() * 200 + [150, 130, 0]
    assert np.isnan(skin_tone.skin_tone(np.full((300, 300, 3), 150, np.uint8), landmarks))


def test_the_same_picture_carries_everything_over(astronaut, reader) -> None:
    before = reader.read(astronaut)
    row = compare_faces(before, reader.read(astronaut, before.around))
    assert row["found"] == 1
    assert row["mouth_before"] == row["mouth_after"]
    for name in ("gaze_difference", "yaw_difference", "pitch_difference", "roll_difference"):
        assert row[name] == pytest.approx(0, abs=1e-6)
    assert row[f"ita_change_{skin_tone.ita_group(before.ita_degrees)}"] == pytest.approx(0, abs=1e-6)


def test_a_turned_picture_shows_as_roll(astronaut, reader) -> None:
    before = reader.read(astronaut)
    centre = before.around.centre
    matrix = cv2.getRotationMatrix2D(centre, -10, 1)  # clockwise
    after = reader.read(cv2.warpAffine(astronaut, matrix, astronaut.shape[1::-1]), before.around)
    row = compare_faces(before, after)
    assert row["roll_difference"] == pytest.approx(10, abs=1.5)
    assert after.pose_degrees[2] > before.pose_degrees[2]


def test_a_lost_face_counts_and_nothing_else_does(astronaut, reader) -> None:
    before = reader.read(astronaut)
    assert reader.read(np.zeros_like(astronaut), before.around) is None
    row = compare_faces(before, None)
    assert row["found"] == 0
    assert "gaze_difference" not in row


def test_seam_of_an_untouched_and_of_a_shifted_region() -> None:
    ramp = np.repeat(np.tile(np.arange(100, 228, dtype=np.uint8), (128, 1))[..., None], 3, axis=2)
    region = np.zeros((128, 128), bool)
    region[30:90, 30:90] = True
    assert seam.seam_ratio(ramp, ramp, region) == pytest.approx(1)
    shifted = ramp.copy()
    shifted[region] += 20
    assert seam.seam_ratio(ramp, shifted, region) > 3
    assert seam.seam_ratio(ramp, shifted, np.ones((128, 128), bool)) is None


def test_gradient_across_a_border_of_a_ramp() -> None:
    ramp = np.repeat(np.tile(np.arange(0, 256, 2, dtype=np.uint8), (128, 1))[..., None], 3, axis=2)
    region = np.zeros((128, 128), bool)
    region[:, :64] = True
    assert seam.gradient_across(ramp, region) == pytest.approx(2, abs=0.05)
    assert seam.gradient_across(ramp, region.T) == pytest.approx(0, abs=0.05)


def test_changed_region_fills_holes_and_drops_specks(astronaut) -> None:
    changed = astronaut.copy()
    changed[100:200, 150:300] = 255 - changed[100:200, 150:300]
    changed[140:143, 200:203] = astronaut[140:143, 200:203]
    changed[400, 400] = 255 - changed[400, 400]
    region = seam.changed_region(astronaut, changed)
    assert region[141, 201]
    assert not region[400, 400]
    assert abs(int(region.sum()) - 100 * 150) < 200


def test_bootstrap_interval_of_a_mean_is_the_normal_one() -> None:
    samples = np.random.default_rng(1).normal(5, 2, 400)
    found = bootstrap(samples, lambda rows: float(rows.mean()), repeats=2000)
    half = 1.96 * samples.std(ddof=1) / 20
    assert found.value == samples.mean()
    assert found.low == pytest.approx(samples.mean() - half, abs=0.03)
    assert found.high == pytest.approx(samples.mean() + half, abs=0.03)
    spread = from_spread(1.0, np.array([0.0, 2.0]), 9, scale=0.5)
    assert spread.high == pytest.approx(1 + 1.96 * 0.5 * np.sqrt(2))


def test_too_few_pictures_say_how_many_are_needed() -> None:
    measure = next(measure for measure in measures.CLASS_MEASURES if measure.key == "eye_correlation")
    columns = {"eyes_before": np.arange(4.0), "eyes_after": np.array([1.0, 2, 3, np.nan])}
    assert measures.estimate(measure, columns).startswith("3 pictures, needs 10")
    assert measures.estimate(measure, {}).startswith("needs results in which a face is found")


def test_groups_by_skin_tone_head_turn_and_index() -> None:
    columns = {"ita_before": np.array([-20.0, 30, 60, np.nan]), "yaw_before": np.array([0.0, -30, 10, np.nan])}
    facts = [{"glasses": "yes"}, {"glasses": "no"}, {}, {}]
    groups = measures.groups_of(columns, facts, ("glasses", "beard"))
    assert groups["skin tone"].tolist() == ["ITA < 10", "ITA 10 to 41", "ITA > 41", ""]
    assert groups["head turn"].tolist() == ["under 25 degrees", "25 degrees and more", "under 25 degrees", ""]
    assert groups["glasses"].tolist() == ["yes", "no", "", ""]
    assert "beard" not in groups


def test_thresholds_judge_and_leave_open_what_is_missing() -> None:
    estimate = bootstrap(np.full(9, 0.4), lambda rows: float(rows.mean()))
    verdicts = {verdict.threshold.key: verdict for verdict in judge({"identity_median": estimate})}
    assert verdicts["identity_median"].passed is False
    assert verdicts["gaze_difference"].passed is None
