"""People in frames between two readings: what is drawn of their heads moves along, bodies stay."""

import cv2
import numpy as np
import pytest

from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.fields import FIELDS
from toonfilter.runtime.geometry.alignment import CropTransform, crop_transform, fit_head, mean_face
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.geometry.landmarks import NOSE_TIP
from toonfilter.runtime.render.carried import CarriedPeople
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.head_carry import HeadCarry
from toonfilter.runtime.render.people import People, Person
from toonfilter.runtime.render.renderer import AlignedFace
from toonfilter.runtime.render.scene import SceneFields

SIZE, SCALE = 160, 2.0
ORIGIN = (20, 10)
PHOTO = np.zeros((200, 240, 3), np.uint8)


def face_at(right_px: float = 0.0, key: int = 0) -> AlignedFace:
    """A head so far to the right, in px of the planes."""
    landmarks = ((mean_face() * 60 + [100 + right_px, 80, 0]) * SCALE).astype(np.float32)
    fit = fit_head(landmarks)
    return Face(landmarks, Box(0, 0, 1, 1), fit, key, 1.0), crop_transform(landmarks, 256, fit)


def seen(*faces: AlignedFace) -> People:
    planes = {str(name): np.zeros((SIZE, SIZE), np.uint8) for name in FIELDS}
    scene = SceneFields(np.zeros((SIZE, SIZE, 3), np.uint8), planes, SCALE, ORIGIN)
    known = [Person(one, FaceGeometry.of(one.landmarks, None, one.fit), scene, one.landmarks) for one, _ in faces]
    return People(known, None)


@pytest.fixture
def carried() -> CarriedPeople:
    return CarriedPeople.of(seen(face_at()), [face_at()], PHOTO, SCALE)


def carry_to(carried: CarriedPeople, face: AlignedFace) -> HeadCarry:
    assert carried.reaches(face, SCALE)
    return carried.to([face])[face[0].id][1]


def upper_face(face: AlignedFace) -> np.ndarray:
    """What lies above the nose's tip, canvas px: chins are where the motion begins to fade towards the body."""
    return face[0].landmarks[mean_face()[:, 1] < mean_face()[NOSE_TIP, 1], :2]


def on_planes(face: AlignedFace) -> np.ndarray:
    points = upper_face(face)
    return seen(face).known[0].scene.from_frame(np.c_[points, np.zeros(len(points), np.float32)])[:, :2]


@pytest.mark.parametrize(("right_px", "goes_px"), [(0.0, 0.0), (1.5, 0.0), (-3.0, -1.0), (24.0, 22.0)])
def test_a_head_goes_along_a_little_behind_and_the_body_stays(
    carried: CarriedPeople, right_px: float, goes_px: float
) -> None:
    carry = carry_to(carried, face_at(right_px))
    assert carry.move(on_planes(face_at())) == pytest.approx(on_planes(face_at(goes_px)), abs=0.05)
    feet = np.array([[80, 600], [-200, 80]], np.float32)
    assert np.array_equal(carry.move(feet), feet)


def test_between_head_and_body_points_move_in_part(carried: CarriedPeople) -> None:
    head = on_planes(face_at()).mean(0)
    down = np.stack([np.full(60, head[0]), head[1] + np.arange(60) * 4], 1).astype(np.float32)
    shift = carry_to(carried, face_at(20.0)).move(down)[:, 0] - down[:, 0]
    assert shift[0] == pytest.approx(18, abs=0.05)
    assert shift[-1] == 0
    assert (np.diff(shift) <= 1e-4).all()
    assert np.diff(shift).min() > -6, "a slant, no tear"


def test_back_is_the_way_back_for_heads_that_turn_and_grow() -> None:
    before, now = CropTransform(200, 160, 200, 0.1, 256), CropTransform(230, 150, 230, -0.2, 256)
    carry = HeadCarry.between(before, now, np.array([[SCALE, 0, 0.5], [0, SCALE, 0.5]]))
    points = np.random.default_rng(0).uniform(85, 100, (20, 2)).astype(np.float32)
    assert carry.back(carry.move(points)) == pytest.approx(points, abs=1e-3)
    assert np.abs(carry.move(points) - points).max() > 5


def test_a_figure_is_placed_where_the_head_is_now(carried: CarriedPeople) -> None:
    face = face_at(12.0)
    person, carry = carried.to([face_at(14.0)])[0]
    scene = person.scene
    figure = Figure(scene.photo, scene.planes, scene.to_frame, 60.0, carry=carry)
    assert figure.place(on_planes(face_at())) == pytest.approx(upper_face(face), abs=0.1)
    assert figure.to_crop(upper_face(face)) == pytest.approx(on_planes(face_at()), abs=0.1)


@pytest.mark.parametrize(
    ("face", "scale"),
    [(face_at(120.0), SCALE), (face_at(key=1), SCALE), (face_at(), 2 * SCALE)],
    ids=["far away", "somebody else", "another size of frames"],
)
def test_others_are_not_reached(carried: CarriedPeople, face: AlignedFace, scale: float) -> None:
    assert not carried.reaches(face, scale)


def test_another_head_in_the_same_place_is_told_and_one_that_moves_is_not() -> None:
    rng = np.random.default_rng(0)
    picture = cv2.blur(rng.integers(0, 255, (200, 240, 3), np.uint8), (9, 9))
    known = CarriedPeople.of(seen(face_at()), [face_at()], picture, SCALE)
    assert not known.is_another(face_at(), picture, SCALE)
    assert not known.is_another(face_at(9.0), np.roll(picture, 9, 1), SCALE)
    assert known.is_another(face_at(), 255 - picture // 2, SCALE)
    assert not known.is_another(face_at(key=1), 255 - picture // 2, SCALE), "nobody who was read"
