"""Which meshes are drawn as faces."""

from dataclasses import replace

import numpy as np
import pytest

from toonfilter.runtime.faces.believed import believed_faces
from toonfilter.runtime.faces.config import BeliefConfig
from toonfilter.runtime.faces.detection import Face, face_from
from toonfilter.runtime.geometry.alignment import mean_face

CONFIG = BeliefConfig()


def face(
    degrees: float, size_px: float = 100.0, at: tuple[float, float] = (300.0, 300.0), key: int = 0, yaw: float = 0.0
) -> Face:
    """The mean face, turned, with its middle at a place."""
    landmarks = (mean_face() * size_px).astype(np.float32)
    landmarks[:, [0, 2]] = landmarks[:, [0, 2]] @ turn(yaw).T
    landmarks[:, :2] = landmarks[:, :2] @ turn(degrees).T
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    landmarks[:, :2] += np.array(at, np.float32) - (low + high) / 2
    made = face_from(landmarks, key)
    assert made is not None
    return made


def turn(degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)


OWN = face(0)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(face(178, at=(300, 265), key=1), id="a forehead is no face upside down"),
        pytest.param(face(0, 25, at=(305 + OWN.box.width / 2, 300), key=1), id="an ear holds no small face"),
        pytest.param(face(5, 30, at=(310, 300 + 0.9 * OWN.box.height), key=1), id="a necklace is no small face"),
        pytest.param(face(90, 60, at=(600, 400), key=1), id="leaves beside somebody are no face that lies"),
    ],
)
def test_what_is_no_face_beside_one_is_a_place(other: Face) -> None:
    assert believed_faces([other, OWN], CONFIG) == ([OWN], [other.box])


@pytest.mark.parametrize("yaw", [-40, 40])
def test_the_ear_of_a_turned_head_holds_no_small_face(yaw: float) -> None:
    profile = face(0, yaw=yaw)
    behind = profile.box.width * 0.8 * -np.sign(profile.pose[0])
    ear, bystander = (face(0, 25, at=(300 + way * behind, 300), key=1) for way in (1, -1))
    assert believed_faces([profile, ear], CONFIG) == ([profile], [ear.box])
    assert believed_faces([profile, bystander], CONFIG) == ([profile, bystander], [])


@pytest.mark.parametrize("degrees", [0, 90, 180])
def test_people_alone_and_side_by_side_are_drawn_however_they_lie(degrees: float) -> None:
    first, second = face(degrees, key=0), face(degrees, 80, at=(500, 320), key=1)
    assert believed_faces([second, first], CONFIG) == ([second, first], [])
    assert believed_faces([first], CONFIG) == ([first], [])


def test_an_upright_face_counts_more_than_a_turned_one_of_its_size() -> None:
    turned = face(80, 105, at=(600, 300), key=1)
    assert believed_faces([turned, OWN], CONFIG) == ([OWN], [turned.box])


def test_a_face_that_was_believed_is_doubted_later() -> None:
    leaning = face(65, 80, at=(600, 300), key=1)
    assert believed_faces([OWN, leaning], CONFIG)[0] == [OWN]
    assert believed_faces([OWN, leaning], CONFIG, before={1})[0] == [OWN, leaning]
    lying = replace(face(85, 80, at=(600, 300)), id=1)
    assert believed_faces([OWN, lying], CONFIG, before={1})[0] == [OWN]


def test_a_small_mesh_in_a_face_that_no_mesh_fits_is_a_place() -> None:
    nostril, beside = face(0, 40, at=(310, 310)), face(0, 40, at=(500, 310), key=1)
    found = believed_faces([nostril, beside], CONFIG, unmeshed=[OWN.box])
    assert found == ([beside], [nostril.box])
    assert believed_faces([OWN], CONFIG, unmeshed=[nostril.box]) == ([OWN], [])
