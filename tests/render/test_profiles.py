"""Heads that are turned further than their mesh."""

import numpy as np
import pytest

from toonfilter.runtime.faces.detection import Face, face_from
from toonfilter.runtime.fields import FIELDS
from toonfilter.runtime.geometry.alignment import crop_transform, mean_face
from toonfilter.runtime.geometry.landmarks import EYES
from toonfilter.runtime.render.people import Person, people_in
from toonfilter.runtime.render.scene import SceneFields

SIDE_PX = 300


def turned(yaw: float) -> Face:
    angle = np.radians(yaw)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    landmarks = (mean_face() * 130).astype(np.float32)
    landmarks[:, [0, 2]] = landmarks[:, [0, 2]] @ rotation.T
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    landmarks[:, :2] += SIDE_PX / 2 - (low + high) / 2
    made = face_from(landmarks, 0)
    assert made is not None
    return made


def drawn(face: Face, *, ends_before_far_corner_px: float) -> Person:
    """The person where the picture shows room from so far before the far eye's outer corner on."""
    planes = {name: np.zeros((SIDE_PX, SIDE_PX), np.uint8) for name in FIELDS}
    far = 1 if face.pose[0] > 0 else 0
    corner, nose = (float(face.landmarks[point, 0]) for point in (EYES[far].corners[0], EYES[far].corners[1]))
    end = round(corner - np.sign(corner - nose) * ends_before_far_corner_px)
    person = slice(0, end) if corner > nose else slice(end, SIDE_PX)
    planes["person"][:, person] = 255
    planes["skin"] = planes["person"].copy()
    scene = SceneFields(np.full((SIDE_PX, SIDE_PX, 3), 150, np.uint8), planes, 1.0)
    return people_in(scene, [(face, crop_transform(face.landmarks, 256, face.fit))]).known[0]


@pytest.mark.parametrize("yaw", [-46.0, 46.0])
def test_an_eye_behind_the_profile_is_not_drawn(yaw: float) -> None:
    face = turned(yaw)
    seen, hidden = (drawn(face, ends_before_far_corner_px=px).head for px in (-20, 8))
    far = seen.far_side
    assert seen.eye_visibility[far] > 0.5
    assert hidden.eye_visibility[far] == 0
    assert hidden.eye_visibility[1 - far] == seen.eye_visibility[1 - far] == 1


def test_heads_that_look_ahead_keep_both_eyes() -> None:
    assert drawn(turned(20.0), ends_before_far_corner_px=8).head.eye_visibility == (1.0, 1.0)
