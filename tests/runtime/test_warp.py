import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.geometry.alignment import crop_transform, mean_face
from toonfilter.runtime.geometry.warp import FaceWarp, displacement, warp_points

SIZE = 256


def crop_landmarks(yaw_degrees: float = 0.0, pitch_degrees: float = 0.0, size: int = SIZE) -> NDArray[np.float32]:
    yaw, pitch = math.radians(yaw_degrees), math.radians(pitch_degrees)
    turn = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
    face = (mean_face() @ (turn @ nod).T * 200 + [320, 240, 0]).astype(np.float32)
    return crop_transform(face, size).to_crop(face)


def least_area(field: NDArray[np.float32]) -> float:
    """Smallest determinant of the map's derivative: positive where nothing is folded over."""
    x_dy, x_dx = np.gradient(field[..., 0])
    y_dy, y_dx = np.gradient(field[..., 1])
    return float(((1 + x_dx) * (1 + y_dy) - x_dy * y_dx).min())


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (35, 0), (-60, 10), (10, -25)])
def test_nothing_folds_and_the_border_stays(yaw: float, pitch: float) -> None:
    field = displacement(crop_landmarks(yaw, pitch), SIZE, FaceWarp())
    assert field.shape == (SIZE, SIZE, 2)
    assert field.dtype == np.float32
    assert least_area(field) > 0.1
    border = np.concatenate([field[0], field[-1], field[:, 0], field[:, -1]])
    assert np.abs(border).max() < 0.01
    assert np.abs(field).max() > 4


factors = st.floats(0.62, 1.78)
moves = st.floats(-0.04, 0.04)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.95, 1.75), st.floats(0.95, 1.75), factors, factors, factors, moves, moves)
def test_no_allowed_part_folds(
    eyes: float, height: float, nose: float, jaw: float, forehead: float, lift: float, spread: float
) -> None:
    chosen = FaceWarp.none().to_dict()
    for name, value in {"eyes": eyes, "eye_height": height, "eye_spread": spread / 2}.items():
        field = displacement(crop_landmarks(), SIZE, FaceWarp.from_dict(chosen | {name: value}))
        assert least_area(field) > 0
    for part in ({"nose": nose}, {"jaw": jaw}, {"forehead": forehead}, {"corner_lift": lift}, {"chin_lift": lift}):
        field = displacement(crop_landmarks(), SIZE, FaceWarp.from_dict(chosen | part))
        assert least_area(field) > 0


def test_points_move_with_the_picture() -> None:
    landmarks = crop_landmarks(15)
    field = displacement(landmarks, SIZE, FaceWarp())
    moved = warp_points(landmarks, SIZE, FaceWarp(), field)
    there = cv2.remap(field, moved[:, None, :2], None, cv2.INTER_LINEAR)[:, 0]
    assert np.abs(moved[:, :2] + there - landmarks[:, :2]).max() < 0.1
    assert (moved[:, 2] == landmarks[:, 2]).all()


def test_eyes_grow_and_nose_shrinks() -> None:
    landmarks = crop_landmarks()
    moved = warp_points(landmarks, SIZE, FaceWarp())

    def length(points: NDArray[np.float32], first: int, second: int) -> float:
        return float(np.hypot(*(points[first, :2] - points[second, :2])))

    assert length(moved, 33, 133) > 1.2 * length(landmarks, 33, 133)
    assert length(moved, 129, 358) < 0.9 * length(landmarks, 129, 358)


def test_narrowed_eyes_stay_narrow() -> None:
    landmarks = crop_landmarks()
    narrowed, wide = landmarks.copy(), landmarks.copy()
    for upper, lower in ((160, 144), (158, 153), (159, 145), (385, 380), (387, 373), (386, 374)):
        middle = (landmarks[upper] + landmarks[lower]) / 2
        for lid in (upper, lower):
            narrowed[lid] = middle + 0.3 * (landmarks[lid] - middle)
            wide[lid] = middle + 1.5 * (landmarks[lid] - middle)

    def growth(before: NDArray[np.float32]) -> float:
        after = warp_points(before, SIZE, FaceWarp())
        gaps = [np.hypot(*(points[159, :2] - points[145, :2])) for points in (before, after)]
        return float(gaps[1] / gaps[0])

    assert growth(narrowed) < 0.8 < 0.9 < growth(landmarks) < 1.1 < growth(wide)


def test_gaze_keeps_its_place_between_the_corners() -> None:
    landmarks = crop_landmarks()

    def places(points: NDArray[np.float32]) -> NDArray[np.float32]:
        axis = points[133, :2] - points[33, :2]
        return np.array([(points[468, :2] - points[33, :2]) @ axis / (axis @ axis)])

    for shift in (-3, 0, 3):
        turned = landmarks.copy()
        turned[468, 0] += shift
        after = warp_points(turned, SIZE, FaceWarp())
        assert np.abs(places(after) - places(turned)).max() < 0.03


def test_no_warp_is_no_displacement() -> None:
    field = displacement(crop_landmarks(), SIZE, FaceWarp.none())
    assert np.abs(field).max() < 1e-4


def test_trembling_landmarks_move_it_less_than_they_tremble() -> None:
    landmarks = crop_landmarks()
    noise = np.random.default_rng(0).normal(0, 0.5, landmarks.shape).astype(np.float32)
    steady = displacement(landmarks, SIZE, FaceWarp())
    shaken = displacement(landmarks + noise, SIZE, FaceWarp())
    assert np.abs(shaken - steady).mean() < 0.05
    assert np.abs(shaken - steady).max() < np.abs(noise).max()


def test_sizes_agree() -> None:
    small = displacement(crop_landmarks(size=256), 256, FaceWarp())
    large = displacement(crop_landmarks(size=512), 512, FaceWarp())
    again = cv2.resize(large, (256, 256), interpolation=cv2.INTER_AREA) / 2
    assert np.abs(small - again).max() < 0.3


def test_numbers_survive_the_bundle() -> None:
    chosen = FaceWarp(eyes=1.3)
    assert FaceWarp.from_dict(chosen.to_dict()) == chosen
    with pytest.raises(ConfigError, match="unknown or missing"):
        FaceWarp.from_dict({"eyes": 1.2})
    with pytest.raises(ConfigError, match=r"warp\.eyes is 5"):
        FaceWarp(eyes=5)
    with pytest.raises(ConfigError, match="478"):
        displacement(np.zeros((68, 2), np.float32), SIZE, FaceWarp())
