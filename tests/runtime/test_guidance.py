import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.geometry.alignment import crop_transform, mean_face
from toonfilter.runtime.render.guidance import draw_guidance, face_shape, stroke, taper

SIZE = 256
EYES, LINES, REGIONS = range(3)


@pytest.fixture(scope="module")
def landmarks() -> NDArray[np.float32]:
    face = (mean_face() * 200 + [320, 240, 0]).astype(np.float32)
    return crop_transform(face, SIZE).to_crop(face)


def centre_of(plane: NDArray[np.uint8]) -> NDArray[np.float64]:
    moments = cv2.moments(plane.astype(np.float32))
    return np.array([moments["m10"], moments["m01"]]) / moments["m00"]


def pupils(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.clip(picture[..., EYES].astype(int) - 176, 0, 255).astype(np.uint8)


def test_all_features_are_drawn(landmarks: NDArray[np.float32]) -> None:
    picture = draw_guidance(landmarks, SIZE)
    assert picture.shape == (SIZE, SIZE, 3)
    assert picture.dtype == np.uint8
    assert {96, 176, 255} <= set(np.unique(picture[..., EYES]))
    assert {190, 220, 255} <= set(np.unique(picture[..., LINES]))
    assert {40, 128, 255} <= set(np.unique(picture[..., REGIONS]))
    outside = cv2.fillPoly(np.ones((SIZE, SIZE), np.uint8), [face_shape(landmarks, SIZE).face.astype(np.int32)], 0)
    outside = cv2.erode(outside, np.ones((9, 9), np.uint8))
    assert not picture[outside > 0].any()


@pytest.mark.parametrize("shift", [0.25, 0.5, 2.3])
def test_drawn_to_a_fraction_of_a_pixel(landmarks: NDArray[np.float32], shift: float) -> None:
    moved = landmarks + np.array([shift, shift / 2, 0], np.float32)
    # Pixel centres lie at whole numbers: eight times the size is not eight times the place.
    large = draw_guidance((moved + 0.5) * 8 - 0.5, 8 * SIZE)
    exact = cv2.resize(large, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(draw_guidance(moved, SIZE) - exact).mean() < 0.5


def test_small_moves_change_little(landmarks: NDArray[np.float32]) -> None:
    still = draw_guidance(landmarks, SIZE).astype(int)
    changes = []
    for shift in (0.125, 0.25, 0.5, 1.0):
        moved = draw_guidance(landmarks + np.array([shift, 0, 0], np.float32), SIZE)
        changes.append(np.abs(moved - still).mean())
    assert 0 < changes[0] < changes[1] < changes[2] < changes[3]
    assert changes[0] < 0.3 * changes[3]


def test_gaze_moves_the_pupils(landmarks: NDArray[np.float32]) -> None:
    looking = landmarks.copy()
    looking[468:, 0] += 2
    before, after = (pupils(draw_guidance(points, SIZE)) for points in (landmarks, looking))
    for half in (slice(0, SIZE // 2), slice(SIZE // 2, SIZE)):
        way = centre_of(after[:, half]) - centre_of(before[:, half])
        assert way == pytest.approx([2 * 1.15, 0], abs=0.15)


def test_a_closed_eye_shows_nothing_but_its_line(landmarks: NDArray[np.float32]) -> None:
    shape = face_shape(landmarks, SIZE)
    closed = landmarks.copy()
    uppers, lowers = (246, 161, 160, 159, 158, 157, 173), (7, 163, 144, 145, 153, 154, 155)
    for upper, lower in zip(uppers, lowers, strict=True):
        closed[upper] = closed[lower]
    assert face_shape(closed, SIZE).eyes[0].fold == 0 < shape.eyes[0].fold
    half = SIZE // 2
    before, after = (draw_guidance(points, SIZE)[:, :half] for points in (landmarks, closed))
    assert after[..., EYES].sum() < 0.25 * before[..., EYES].sum()
    assert after[..., LINES].max() == 255


def test_mouth_opening_is_seen(landmarks: NDArray[np.float32]) -> None:
    opened = landmarks.copy()
    opened[[95, 88, 178, 87, 14, 317, 402, 318, 324], 1] += 12
    before, after = (int((draw_guidance(points, SIZE)[..., REGIONS] == 255).sum()) for points in (landmarks, opened))
    assert after > before + 200


def test_faces_beyond_the_crop_do_no_harm(landmarks: NDArray[np.float32]) -> None:
    for way in (-400, -90, 90, 400):
        picture = draw_guidance(landmarks + np.array([way, way, 0], np.float32), SIZE)
        assert picture.shape == (SIZE, SIZE, 3)


def test_strokes_have_the_width_asked_for() -> None:
    line = np.stack([np.linspace(0, 100, 20), np.full(20, 50.0)], 1).astype(np.float32)
    outline = stroke(line, np.full(20, 6, np.float32))
    assert outline[:, 1].max() - outline[:, 1].min() == pytest.approx(6)
    widths = taper(21, 0.1, 0.3, 0.5)
    assert widths[[0, 10, 20]] == pytest.approx([0.1, 1, 0.3], abs=1e-6)


def test_wrong_landmarks_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"\[68, 2\]"):
        draw_guidance(np.zeros((68, 2), np.float32), SIZE)
