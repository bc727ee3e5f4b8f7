"""People in frames between two readings: where their fields lie, and when they are read again."""

import numpy as np
import pytest

from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.fields import FIELDS
from toonfilter.runtime.geometry.alignment import crop_transform, fit_head, mean_face
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.render.carried import CarriedPeople
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.people import People, Person
from toonfilter.runtime.render.renderer import AlignedFace
from toonfilter.runtime.render.scene import SceneFields

SIZE, SCALE = 160, 2.0
ORIGIN = (20, 10)


def face_at(right_px: float = 0.0, key: int = 0) -> AlignedFace:
    """A head so far to the right, in px of the planes."""
    landmarks = ((mean_face() * 60 + [100 + right_px, 80, 0]) * SCALE).astype(np.float32)
    fit = fit_head(landmarks)
    return Face(landmarks, Box(0, 0, 1, 1), fit, key, 1.0), crop_transform(landmarks, 256, fit)


def seen(*faces: AlignedFace) -> People:
    hair = np.zeros((SIZE, SIZE), np.uint8)
    hair[30:50, 60:100] = 255
    planes = dict.fromkeys(map(str, FIELDS), np.zeros((SIZE, SIZE), np.uint8)) | {"hair": hair}
    scene = SceneFields(np.zeros((SIZE, SIZE, 3), np.uint8), planes, SCALE, ORIGIN)
    return People([Person(one, FaceGeometry.of(one.landmarks, None, one.fit), scene) for one, _ in faces], None)


@pytest.fixture
def carried() -> CarriedPeople:
    people = CarriedPeople()
    people.remember(seen(face_at()), [face_at()], [])
    return people


def hair_begins(carried: CarriedPeople, face: AlignedFace) -> int:
    photo = np.zeros((200, 240, 3), np.uint8)
    fields = carried.fields(photo, [face], [0])[0]
    return int(np.flatnonzero((fields.planes["hair"] > 127).any(axis=0))[0])


@pytest.mark.parametrize(("right_px", "begins"), [(0.0, 60), (1.5, 60), (4.0, 64), (-3.0, 57)])
def test_fields_stay_with_a_head_that_hardly_moves_and_follow_one_that_does(
    carried: CarriedPeople, right_px: float, begins: int
) -> None:
    face = face_at(right_px)
    assert carried.ids([face], SCALE) == [0]
    assert hair_begins(carried, face) == begins


def test_the_photo_is_that_of_the_new_frame(carried: CarriedPeople) -> None:
    photo = np.arange(200 * 240 * 3, dtype=np.uint8).reshape(200, 240, 3)
    fields = carried.fields(photo, [face_at()], [0])[0]
    assert np.array_equal(fields.photo, photo[10:170, 20:180])


@pytest.mark.parametrize(
    ("face", "scale"),
    [(face_at(6.0), SCALE), (face_at(key=1), SCALE), (face_at(), 2 * SCALE)],
    ids=["far away", "somebody else", "another size of frames"],
)
def test_others_are_read(carried: CarriedPeople, face: AlignedFace, scale: float) -> None:
    assert carried.ids([face], scale) == []


def test_nobody_is_carried_twice(carried: CarriedPeople) -> None:
    carried.remember(seen(face_at(), face_at(key=1)), [face_at(), face_at(key=1)], [0])
    assert carried.ids([face_at(), face_at(key=1)], SCALE) == [1]


def test_after_a_cut_everybody_is_read(carried: CarriedPeople) -> None:
    carried.forget()
    assert carried.ids([face_at()], SCALE) == []
