"""Hair, beards and headwear from frame to frame."""

import numpy as np
import pytest

from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.fields import FIELDS
from toonfilter.runtime.geometry.alignment import fit_head, mean_face
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.people import People, Person
from toonfilter.runtime.render.scene import SceneFields
from toonfilter.runtime.render.steady_parts import SteadyParts

SIZE = 160


@pytest.fixture
def parts() -> SteadyParts:
    return SteadyParts()


def people(hair: np.ndarray, right: int = 0, origin: int = 0) -> People:
    """One person whose head is so far to the right; their window begins at `origin`."""
    landmarks = (mean_face() * 80 + [80 + right, 60, 0]).astype(np.float32)
    planes = {name: np.zeros((SIZE, SIZE), np.uint8) for name in FIELDS} | {"hair": hair}
    scene = SceneFields(np.zeros((SIZE, SIZE, 3), np.uint8), planes, 1.0, (origin, 0))
    fit = fit_head(landmarks)
    face = Face(landmarks, Box(0, 0, 1, 1), fit, 0, 1.0)
    return People([Person(face, FaceGeometry.of(landmarks, None, fit), scene, landmarks)], None)


def hair_at(left: int) -> np.ndarray:
    plane = np.zeros((SIZE, SIZE), np.uint8)
    plane[20:60, left : left + 40] = 255
    return plane


def drawn(result: People) -> np.ndarray:
    return result.known[0].scene.planes["hair"] > 128


def test_a_patch_of_one_frame_is_not_drawn_and_one_of_two_is(parts) -> None:
    usual, patch = hair_at(60), hair_at(60)
    patch[100:120, 100:120] = 255
    parts.steady(people(usual), follows=False)
    assert not drawn(parts.steady(people(patch), follows=True))[105:115, 105:115].any()
    assert drawn(parts.steady(people(patch), follows=True))[105:115, 105:115].all()


def test_hair_that_moves_with_the_head_does_not_trail(parts) -> None:
    parts.steady(people(hair_at(60)), follows=False)
    for step in range(1, 4):
        shown = drawn(parts.steady(people(hair_at(60 + 6 * step), right=6 * step), follows=True))
        assert (shown == (hair_at(60 + 6 * step) > 128)).mean() > 0.995


def test_another_window_of_the_same_person_is_no_motion(parts) -> None:
    parts.steady(people(hair_at(60)), follows=False)
    shown = drawn(parts.steady(people(hair_at(50), origin=10), follows=True))
    assert (shown == (hair_at(50) > 128)).mean() > 0.995


def test_after_a_cut_all_is_new(parts) -> None:
    parts.steady(people(hair_at(20)), follows=False)
    assert (drawn(parts.steady(people(hair_at(90)), follows=False)) == (hair_at(90) > 128)).all()
    parts.forget()
    assert (drawn(parts.steady(people(hair_at(20)), follows=True)) == (hair_at(20) > 128)).all()
