"""Which meshes are drawn as faces."""

from dataclasses import replace

import numpy as np
import pytest

from toonfilter.runtime.faces.detection import Face, box_around
from toonfilter.runtime.fields import FIELDS
from toonfilter.runtime.geometry.alignment import crop_transform, fit_head
from toonfilter.runtime.render.believed import believed_faces, with_fitting_skin
from toonfilter.runtime.render.renderer import AlignedFace
from toonfilter.runtime.render.scene import SceneFields


def turned(face: Face, degrees: float, scale: float, across_u: float, down_u: float) -> AlignedFace:
    """The face turned about its middle, smaller, and moved, in its own sizes."""
    angle = np.radians(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    middle = np.array(face.box.centre, np.float32)
    landmarks = face.landmarks * np.float32(scale)
    landmarks[:, :2] = (landmarks[:, :2] - middle * np.float32(scale)) @ rotation.T + middle
    landmarks[:, :2] += np.array([across_u * face.box.width, down_u * face.box.height], np.float32)
    moved = replace(face, landmarks=landmarks, box=box_around(landmarks), fit=fit_head(landmarks), id=face.id + 1)
    return moved, crop_transform(landmarks, 256, moved.fit)


@pytest.mark.parametrize(
    ("degrees", "scale", "across_u", "down_u"),
    [
        pytest.param(178, 1.0, 0.0, -0.3, id="a forehead is no face upside down"),
        pytest.param(0, 0.25, 0.55, 0.0, id="an ear holds no small face"),
    ],
)
def test_a_mesh_on_another_head_is_not_drawn(face, degrees, scale, across_u, down_u) -> None:
    own = (face[1], crop_transform(face[1].landmarks, 256, face[1].fit))
    other = turned(face[1], degrees, scale, across_u, down_u)
    assert believed_faces([other, own]) == ([own], [])


def test_a_mesh_turned_beside_an_upright_face_is_a_head_without_features(face) -> None:
    own = (face[1], crop_transform(face[1].landmarks, 256, face[1].fit))
    other = turned(face[1], 90, 0.5, 1.5, 0.5)
    assert believed_faces([own, other]) == ([own], [other[0].box])


@pytest.mark.parametrize("degrees", [0, 90, 180])
def test_people_alone_and_side_by_side_are_drawn_however_they_lie(face, degrees) -> None:
    first, second = turned(face[1], degrees, 1.0, 0.0, 0.0), turned(face[1], degrees, 0.8, 1.2, 0.0)
    assert believed_faces([second, first]) == ([second, first], [])


def test_a_small_mesh_in_much_skin_is_no_face(face) -> None:
    image, own = face
    planes = {name: np.zeros(image.shape[:2], np.uint8) for name in FIELDS}
    box = own.box
    planes["skin"][int(box.top) : int(box.bottom) + 60, int(box.left) - 20 : int(box.right) + 20] = 255
    scene = SceneFields(image, planes, 1.0)
    whole, speck = (turned(own, 0, scale, 0.0, 0.0) for scale in (1.0, 0.2))
    assert with_fitting_skin(scene, [whole]) == [whole]
    assert with_fitting_skin(scene, [speck]) == []
