import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.geometry.alignment import CropTransform, crop_transform, fit_head, mean_face


def turned(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Rotation by degrees: first yaw, then pitch, then roll."""
    y, p, r = (math.radians(angle) for angle in (yaw, pitch, roll))
    about_y = np.array([[math.cos(y), 0, -math.sin(y)], [0, 1, 0], [math.sin(y), 0, math.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    about_z = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def posed(rotation: NDArray[np.float64], scale: float = 200.0) -> NDArray[np.float32]:
    return (scale * mean_face() @ rotation.T + np.array([640.0, 360.0, 0.0])).astype(np.float32)


@given(st.floats(-40, 40), st.floats(-25, 25), st.floats(-60, 60), st.floats(20, 900))
def test_fit_recovers_what_was_applied(yaw: float, pitch: float, roll: float, scale: float) -> None:
    rotation = turned(yaw, pitch, roll)
    fit = fit_head(posed(rotation, scale))
    assert fit.scale == pytest.approx(scale, rel=1e-3)
    assert np.allclose(fit.rotation, rotation, atol=1e-3)


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(20, 0, 0), (0, 15, 0), (0, 0, 30), (-35, 0, 0)])
def test_pose_names_single_turns(yaw: float, pitch: float, roll: float) -> None:
    found = fit_head(posed(turned(yaw, pitch, roll))).pose_degrees
    assert np.allclose(np.abs(found), np.abs([yaw, pitch, roll]), atol=0.1)


def test_pose_signs_follow_the_picture() -> None:
    nose_right = fit_head(posed(turned(20, 0, 0)))
    nose = posed(turned(20, 0, 0))[1] - posed(np.eye(3))[1]
    assert (nose[0] > 0) == (nose_right.pose_degrees[0] > 0)
    assert fit_head(posed(turned(0, 0, 30))).pose_degrees[2] > 0


def test_speaking_does_not_move_the_crop() -> None:
    still = posed(np.eye(3))
    speaking = still.copy()
    lower = mean_face()[:, 1] > 0.42
    speaking[lower, 1] += 40
    assert crop_transform(still, 256) == crop_transform(speaking, 256)


def test_crop_is_upright_and_holds_the_head() -> None:
    landmarks = posed(turned(0, 0, 25))
    aligned = crop_transform(landmarks, 256).to_crop(landmarks)
    eyes = aligned[263, :2] - aligned[33, :2]
    assert abs(eyes[1]) < 1.0
    assert eyes[0] > 0
    assert aligned[:, :2].min() > 20
    assert aligned[:, :2].max() < 236
    assert 0.5 * 256 < aligned[152, 1] - aligned[10, 1] < 0.6 * 256


@given(st.floats(-50, 2000), st.floats(-50, 1200), st.floats(20, 1500), st.floats(-3, 3), st.sampled_from([64, 256]))
def test_to_crop_and_back(x: float, y: float, side: float, roll: float, size: int) -> None:
    transform = CropTransform(x, y, side, roll, size)
    points = np.array([[x, y, 1.0], [x + 30, y - 20, -2.0]], np.float32)
    assert np.allclose(transform.to_frame(transform.to_crop(points)), points, atol=0.05)
    assert np.allclose(transform.to_crop(points)[0, :2], (size - 1) / 2, atol=0.05)


@pytest.mark.parametrize("landmarks", [np.zeros((468, 3), np.float32), np.full((478, 3), np.nan, np.float32)])
def test_no_mesh_is_refused(landmarks: NDArray[np.float32]) -> None:
    with pytest.raises(ConfigError, match="must be finite"):
        fit_head(landmarks)
