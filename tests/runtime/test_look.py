"""Looks measured from a portrait whose colours are known, and from changed copies of it."""

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.benchmarks.quality.skin_tone import ita_degrees
from toonfilter.runtime.faces.still_faces import StillFaceFinder
from toonfilter.runtime.render.look import Look
from toonfilter.runtime.render.measures.appearance import appearance
from toonfilter.runtime.render.measures.measure import LookMeter, measure_look
from toonfilter.runtime.render.measures.photo import MeasuredPhoto
from toonfilter.runtime.render.measures.skin import raw_skin


@pytest.fixture(scope="module")
def landmarks(astronaut: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32 [478, 3] px of the portrait."""
    finder = StillFaceFinder()
    faces, _ = finder.find(astronaut)
    finder.close()
    return faces[0].landmarks


def _planes(astronaut: NDArray[np.uint8], **values: Any) -> dict[str, NDArray[np.uint8]]:
    return {name: np.full(astronaut.shape[:2], value, np.uint8) for name, value in values.items()}


_LIPS = [61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91]


def test_a_short_lower_face_looks_younger(astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
    eyes = float(landmarks[[33, 263], 1].mean())
    ages = []
    for share in (1.0, 0.8):
        moved = landmarks.copy()
        below = moved[:, 1] > eyes
        moved[below, 1] = eyes + (moved[below, 1] - eyes) * np.float32(share)
        ages.append(appearance(MeasuredPhoto(astronaut, moved, {})).age)
    assert ages[1] < ages[0] - 1


def _in_colour(
    astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32], colour: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """The portrait with a face in this colour, RGB, and lips a little darker."""
    photo = astronaut.copy()
    for points, painted in ((landmarks, colour), (landmarks[_LIPS], tuple(np.add(colour, (-14, -8, 0)).tolist()))):
        cv2.fillConvexPoly(photo, cv2.convexHull(points[:, :2].round().astype(np.int32)), painted)
    return photo


def test_deeper_skin_is_drawn_deeper(astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
    drawn = []
    for colour in ((238, 208, 190), (214, 172, 146), (176, 128, 98), (120, 80, 58), (84, 57, 45)):
        skin = measure_look(_in_colour(astronaut, landmarks, colour), landmarks, {}).skin
        drawn.append(ita_degrees(float(skin[0]), float(skin[2])))
    assert all(np.diff(drawn) < 0)
    assert drawn[0] - drawn[-1] > 40


def test_dim_light_darkens_the_drawn_skin_less_than_the_photo(
    astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32]
) -> None:
    dim, lit = (MeasuredPhoto(np.round(astronaut * share).astype(np.uint8), landmarks, {}) for share in (0.5, 1))
    shown = float(raw_skin(lit)[0] - raw_skin(dim)[0])
    drawn = (measure_look(np.round(astronaut * share).astype(np.uint8), landmarks, {}).skin[0] for share in (0.5, 1))
    darker = -float(np.subtract(*drawn))
    assert shown > 25
    assert 0 < darker < 0.5 * shown


def test_measures_are_finite_and_in_range(astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
    look = measure_look(astronaut, landmarks, {})
    for share in (
        look.lip_strength,
        look.lash,
        look.mouth.teeth_top,
        *look.creases.strength,
        *look.brow_shape.strength,
    ):
        assert 0 <= share <= 1
    assert np.isfinite(look.brow_shape.offset).all()
    assert look.glasses is None


def test_a_brow_under_hair_is_as_the_other_one(astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
    seen = measure_look(astronaut, landmarks, {}).brow_shape
    brow = landmarks[[70, 63, 105, 66, 107, 55, 65, 52, 53, 46], :2]
    hair = np.zeros(astronaut.shape[:2], np.uint8)
    cv2.circle(hair, tuple(brow.mean(0).round().astype(int).tolist()), round(1.2 * float(np.ptp(brow[:, 0]))), 255, -1)
    hair[:, round(float(landmarks[168, 0])) :] = 0
    hidden = measure_look(astronaut, landmarks, {"hair": hair}).brow_shape
    assert seen.strength.min() > 0.2
    assert abs(hidden.strength[0] - hidden.strength[1]) < 0.05
    assert np.abs(hidden.thickness[0] - hidden.thickness[1]).max() < 0.005


def test_light_from_one_side_hardly_makes_brows_unlike(
    astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32]
) -> None:
    pale = astronaut.copy()
    brow = landmarks[[70, 63, 105, 66, 107, 55, 65, 52, 53, 46], :2].round().astype(np.int32)
    cheek = astronaut[tuple(landmarks[50, 1::-1].astype(int))]
    region = cv2.dilate(
        cv2.fillConvexPoly(np.zeros(pale.shape[:2], np.uint8), cv2.convexHull(brow), 1), np.ones((5, 5))
    )
    pale[region > 0] = pale[region > 0] // 2 + cheek // 2
    shape = measure_look(pale, landmarks, {}).brow_shape
    assert 0 < shape.strength[1] - shape.strength[0] < 0.25


def test_teeth_of_a_smile_are_seen(astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
    whole = measure_look(astronaut, landmarks, {}).mouth.teeth_top
    assert whole > 0.6
    top, bottom = landmarks[[78, 81, 13, 311, 308], :2], landmarks[[78, 178, 14, 402, 308], :2]
    lower_half = np.concatenate([(top + bottom) / 2, bottom[::-1] + np.array([0, 2], np.float32)])
    dark = astronaut.copy()
    cv2.fillPoly(dark, [lower_half.round().astype(np.int32)], (40, 12, 15))
    assert 0.3 < measure_look(dark, landmarks, {}).mouth.teeth_top < min(0.7, whole)


def test_a_smile_has_teeth_even_in_shadow(astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
    mouth = cv2.convexHull(landmarks[[78, 80, 13, 310, 308, 318, 14, 88], :2].round().astype(np.int32))
    dark = astronaut.copy()
    cv2.fillConvexPoly(dark, mouth, (40, 12, 15))
    assert measure_look(dark, landmarks, {}).mouth.teeth_top > 0.4
    sad = landmarks.copy()
    sad[[61, 291, 78, 308], 1] += 12
    assert measure_look(dark, sad, {}).mouth.teeth_top < 0.1


def test_painted_lips_are_stronger(astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
    def look_with(colour: tuple[int, int, int]) -> Look:
        painted = astronaut.copy()
        lips = landmarks[
            [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146], :2
        ]
        cv2.fillPoly(painted, [lips.round().astype(np.int32)], colour)
        return measure_look(painted, landmarks, {})

    red, bare = look_with((190, 30, 50)), look_with((205, 160, 140))
    assert red.lip_strength > 0.9
    assert bare.lip_strength < 0.35


def test_glasses_come_from_their_plane(astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
    dark = astronaut.copy()
    unit = float(np.hypot(*(landmarks[468, :2] - landmarks[473, :2])))
    for corners in ((33, 133), (263, 362)):
        x, y = (round(float(value)) for value in landmarks[list(corners), :2].mean(0))
        cv2.ellipse(dark, (x, y), (round(0.45 * unit), round(0.36 * unit)), 0, 0, 360, (12, 12, 14), -1)
    worn = measure_look(dark, landmarks, _planes(astronaut, glasses=255)).glasses
    assert worn is not None
    assert worn.darkness == 1.0
    # A plane alone darkens no lens through which the photo shows skin.
    for level in (128, 255):
        clear = measure_look(astronaut, landmarks, _planes(astronaut, glasses=level)).glasses
        assert clear is not None
        assert clear.darkness == 0.0
    assert measure_look(astronaut, landmarks, _planes(astronaut, glasses=0)).glasses is None


def test_a_drawn_frame_is_found(astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
    photo, plane = astronaut.copy(), np.zeros(astronaut.shape[:2], np.uint8)
    unit = float(np.hypot(*(landmarks[468, :2] - landmarks[473, :2])))
    for corners in ((33, 133), (263, 362)):
        centre = tuple(int(value) for value in landmarks[list(corners), :2].mean(0).round())
        cv2.ellipse(
            photo,
            centre,
            (round(0.42 * unit), round(0.36 * unit)),
            0,
            0,
            360,
            (20, 20, 120),
            max(2, round(0.05 * unit)),
        )
        cv2.ellipse(plane, centre, (round(0.42 * unit), round(0.36 * unit)), 0, 0, 360, 128, -1)
    glasses = measure_look(photo, landmarks, {"glasses": plane}).glasses
    assert glasses is not None
    reach = np.abs(glasses.outline).max(0)
    assert reach[0] == pytest.approx(0.42, abs=0.09)
    assert reach[1] == pytest.approx(0.36, abs=0.08)
    assert glasses.colour[2] < -10


def test_a_covered_mouth_is_known(astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
    plane = np.zeros(astronaut.shape[:2], np.uint8)
    plane[round(float(landmarks[1, 1])) - 6 :] = 255
    assert measure_look(astronaut, landmarks, {"over": plane}).mouth.covered == 1.0
    assert measure_look(astronaut, landmarks, {}).mouth.covered == 0.0


def test_a_face_at_the_picture_edge_is_measured(astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
    left = round(float(landmarks[:, 0].mean()))
    moved = landmarks - np.array([left, 0, 0], np.float32)
    look = measure_look(np.ascontiguousarray(astronaut[:, left:]), moved, {})
    assert np.isfinite(look.skin).all()


def test_a_meter_measures_in_parts(astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
    meter = LookMeter()
    fair, deep = (_in_colour(astronaut, landmarks, colour) for colour in ((238, 208, 190), (84, 57, 45)))
    first = meter.measure(fair, landmarks, {})
    later = [meter.measure(deep, landmarks, {}) for _ in range(3)]
    whole = measure_look(deep, landmarks, {})
    assert first.skin[0] > whole.skin[0] + 8
    assert later[-1].skin == pytest.approx(whole.skin, abs=0.01)
    assert later[-1].brow == pytest.approx(whole.brow, abs=0.01)
    # Brows come last.
    assert later[0].brow == pytest.approx(first.brow, abs=0.01)


@pytest.mark.parametrize(("wide", "tall"), [(0.40, 0.22), (0.36, 0.36)], ids=["flat", "round"])
def test_glasses_are_as_tall_as_they_are(
    astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32], wide: float, tall: float
) -> None:
    """Dark rims are painted onto the portrait, around each pupil."""
    photo, plane = astronaut.copy(), np.zeros(astronaut.shape[:2], np.uint8)
    unit_px = float(np.linalg.norm(landmarks[473, :2] - landmarks[468, :2]))
    across = landmarks[473, :2] - landmarks[468, :2]
    tilt = float(np.degrees(np.arctan2(across[1], across[0])))
    for pupil in (468, 473):
        centre = tuple(float(value) for value in landmarks[pupil, :2])
        lens = (centre, (2 * wide * unit_px, 2 * tall * unit_px), tilt)
        cv2.ellipse(photo, lens, (25, 20, 20), max(2, round(0.05 * unit_px)), cv2.LINE_AA)
        cv2.ellipse(plane, lens, 255, -1)
    worn = measure_look(photo, landmarks, {"glasses": plane}).glasses
    assert worn is not None
    width, height = np.ptp(worn.outline, axis=0)
    assert width / height == pytest.approx(wide / tall, rel=0.2)


def test_upright_lines_between_the_brows_are_a_frown(
    astronaut: NDArray[np.uint8], landmarks: NDArray[np.float32]
) -> None:
    assert measure_look(astronaut, landmarks, {}).lines.frown.max() < 0.1
    unit_px = float(np.linalg.norm(landmarks[473, :2] - landmarks[468, :2]))
    middle, down = landmarks[[8, 9], :2].mean(0), landmarks[8, :2] - landmarks[9, :2]
    down = down / np.linalg.norm(down)
    photo = astronaut.copy()
    for sideways in (-0.07, 0.07):
        foot = middle + np.array([down[1], -down[0]]) * sideways * unit_px
        ends = [tuple(np.round(foot + down * along * unit_px).astype(int).tolist()) for along in (-0.18, 0.12)]
        cv2.line(photo, ends[0], ends[1], (90, 55, 45), max(1, round(0.03 * unit_px)), cv2.LINE_AA)
    assert measure_look(photo, landmarks, {}).lines.frown.min() > 0.5
