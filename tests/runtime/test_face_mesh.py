"""The face mesh reads what MediaPipe's own graph reads."""

import math
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.faces.blazeface import SHORT_RANGE, BlazeFace
from toonfilter.runtime.faces.mesh import FaceMesh, square_after, square_around
from toonfilter.runtime.geometry.alignment import CropTransform, Landmarks

Image = NDArray[np.uint8]
_SIDE_PX = 256


@pytest.fixture(scope="module")
def mesh() -> Iterator[FaceMesh]:
    opened = FaceMesh()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def detector() -> Iterator[BlazeFace]:
    opened = BlazeFace(SHORT_RANGE)
    yield opened
    opened.close()


def _seen(portrait: Image, square: CropTransform) -> Image:
    size = (square.size, square.size)
    return cv2.warpAffine(portrait, square.frame_to_crop, size, borderMode=cv2.BORDER_REPLICATE)


def _portraits(portrait: Image) -> list[Image]:
    """The head upright, turned both ways, mirrored, dark, grey, blurred, at the edge; [256, 256, 3] each."""

    def turned(roll_degrees: float, shift_px: float = 0.0) -> Image:
        return _seen(portrait, CropTransform(224 + shift_px, 112, 250, math.radians(roll_degrees), _SIDE_PX))

    plain = turned(0)
    return [
        plain,
        turned(25),
        turned(-40),
        np.ascontiguousarray(plain[:, ::-1]),
        (plain * 0.4).astype(np.uint8),
        cv2.cvtColor(cv2.cvtColor(plain, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB),
        cv2.GaussianBlur(plain, (9, 9), 0),
        turned(0, 50),
    ]


def _by_mediapipe(graph: Any, image: Image) -> Landmarks | None:
    found = graph.process(image).multi_face_landmarks
    if not found:
        return None
    points = [(point.x, point.y, point.z) for point in found[0].landmark]
    return np.array(points, np.float32) * image.shape[1]


def _found(detector: BlazeFace, mesh: FaceMesh, image: Image) -> tuple[Landmarks, float]:
    face = detector.find(image, 0.5)[0]
    return mesh.read(image, square_around(face[:4], face[5:7], face[7:9]))


def test_the_same_landmarks_as_mediapipe(detector: BlazeFace, mesh: FaceMesh, astronaut: Image) -> None:
    pytest.importorskip("mediapipe")
    from mediapipe.python.solutions.face_mesh import FaceMesh as Reference

    with Reference(static_image_mode=True, refine_landmarks=True) as graph:
        for image in _portraits(astronaut):
            expected = _by_mediapipe(graph, image)
            landmarks, certainty = _found(detector, mesh, image)
            assert expected is not None
            assert certainty > 0.9
            assert landmarks.shape == (478, 3)
            # The detectors differ by a pixel, and so do the squares.
            np.testing.assert_allclose(landmarks, expected, atol=1.2)
            assert np.abs(landmarks - expected).mean() < 0.25


def test_a_face_is_followed_as_mediapipe_follows_it(detector: BlazeFace, mesh: FaceMesh, astronaut: Image) -> None:
    pytest.importorskip("mediapipe")
    from mediapipe.python.solutions.face_mesh import FaceMesh as Reference

    before: Landmarks | None = None
    with Reference(refine_landmarks=True) as graph:
        for step in range(12):
            square = CropTransform(224 + 2 * step, 112 + step, 250 - 2 * step, math.radians(2 * step), _SIDE_PX)
            image = _seen(astronaut, square)
            expected = _by_mediapipe(graph, image)
            if before is None:
                before, _ = _found(detector, mesh, image)
            else:
                before, certainty = mesh.read(image, square_after(before))
                assert certainty > 0.9
            # Where the squares began differently they come together.
            np.testing.assert_allclose(before, expected, atol=1.0 if step < 3 else 0.6)


def test_large_faces_are_read_as_small_ones(detector: BlazeFace, mesh: FaceMesh, astronaut: Image) -> None:
    image = _portraits(astronaut)[0]
    landmarks, _ = _found(detector, mesh, image)
    for factor in (3, 6):
        large = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        enlarged, _ = _found(detector, mesh, large)
        np.testing.assert_allclose((enlarged[:, :2] + 0.5) / factor - 0.5, landmarks[:, :2], atol=0.8)
        np.testing.assert_allclose(enlarged[:, 2] / factor, landmarks[:, 2], atol=1.5)


def test_what_is_no_face_is_told(mesh: FaceMesh, astronaut: Image) -> None:
    for left, top in ((10, 300), (330, 10), (20, 20)):
        _, certainty = mesh.read(astronaut, CropTransform(left + 60, top + 60, 120, 0.0, 192))
        assert certainty < 0.3


def test_the_square_is_level_with_the_eyes() -> None:
    square = square_around(np.array([10, 20, 110, 100]), np.array([40, 50]), np.array([80, 90]))
    assert (square.centre_x_px, square.side_px) == (pytest.approx(60), 150)
    assert square.centre_y_px == pytest.approx(60 - math.sqrt(2) * 150 / 192 / 2)
    assert square.roll_rad == pytest.approx(math.pi / 4)
