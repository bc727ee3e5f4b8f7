"""The face detectors find what MediaPipe's own graph finds."""

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.errors import BackendError
from toonfilter.runtime.faces import network_files
from toonfilter.runtime.faces.blazeface import FULL_RANGE, SHORT_RANGE, BlazeFace, DetectorModel, merged
from toonfilter.runtime.faces.network_files import NetworkFile

Image = NDArray[np.uint8]
_REACHES = {"short": SHORT_RANGE, "full": FULL_RANGE}
_LOWEST_SCORE = 0.3


@pytest.fixture(scope="module", params=list(_REACHES))
def reach(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def detector(reach: str) -> Iterator[BlazeFace]:
    opened = BlazeFace(_REACHES[reach])
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def graph(reach: str) -> Iterator[Any]:
    pytest.importorskip("mediapipe")
    from mediapipe.python.solution_base import SolutionBase

    prefix = f"facedetection{reach}range__facedetection__TensorsToDetectionsCalculator"
    opened = SolutionBase(
        binary_graph_path=f"mediapipe/modules/face_detection/face_detection_{reach}_range_cpu.binarypb",
        calculator_params={f"{prefix}.min_score_thresh": _LOWEST_SCORE},
        outputs=["detections"],
    )
    yield opened
    opened.close()


def _views(portrait: Image) -> list[Image]:
    """The portrait in frames of all shapes, small, turned, dark, twice, cut off, and not at all."""
    wide = np.full((720, 1280, 3), 90, np.uint8)
    wide[100:612, 60:572] = portrait
    wide[300:520, 900:1120] = cv2.resize(portrait, (220, 220), interpolation=cv2.INTER_AREA)
    return [
        portrait,
        wide,
        np.ascontiguousarray(wide[:, ::-1]),
        np.ascontiguousarray(wide.transpose(1, 0, 2)),
        np.ascontiguousarray(wide[:, 180:600]),
        np.ascontiguousarray(wide[:301, :701]),
        np.ascontiguousarray(np.rot90(portrait)),
        (portrait * 0.3).astype(np.uint8),
        cv2.GaussianBlur(portrait, (31, 31), 0),
        np.full((360, 640, 3), 128, np.uint8),
        np.ascontiguousarray(portrait[::8, ::8]),
        np.zeros((3, 500, 3), np.uint8),
    ]


def _by_mediapipe(graph: Any, image: Image) -> NDArray[np.float32]:
    """As `BlazeFace.find`."""
    height, width = image.shape[:2]
    rows = []
    for detection in graph.process({"image": image}).detections or []:
        box = detection.location_data.relative_bounding_box
        left, top = box.xmin * width, box.ymin * height
        right, bottom = left + box.width * width, top + box.height * height
        eyes = detection.location_data.relative_keypoints[:2]
        rows.append([left, top, right, bottom, detection.score[0]])
        rows[-1] += [value for eye in eyes for value in (eye.x * width, eye.y * height)]
    return np.array(sorted(rows, key=lambda row: -row[4]), np.float32).reshape(-1, 9)


def test_the_same_faces_as_mediapipe(reach: str, detector: BlazeFace, graph: Any, astronaut: Image) -> None:
    faces = 0
    for image in _views(astronaut):
        expected, found = _by_mediapipe(graph, image), detector.find(image, _LOWEST_SCORE)
        assert len(found) == len(expected)
        if len(found):
            size_px = (expected[:, 3] - expected[:, 1]).max()
            np.testing.assert_allclose(found[:, :4], expected[:, :4], atol=max(1.0, 0.01 * size_px))
            np.testing.assert_allclose(found[:, 4], expected[:, 4], atol=0.02)
            eyes = found[:, 5:]
            np.testing.assert_allclose(eyes, expected[:, 5 : 5 + eyes.shape[1]], atol=max(1.0, 0.01 * size_px))
            assert eyes.shape[1] == (4 if reach == "short" else 0)
        faces += len(found)
    assert faces >= 6


def test_only_scores_from_the_least_on(detector: BlazeFace, astronaut: Image) -> None:
    certainty = float(detector.find(astronaut, _LOWEST_SCORE)[0, 4])
    assert len(detector.find(astronaut, certainty - 0.01)) == 1
    assert len(detector.find(astronaut, min(1.0, certainty + 0.01))) == 0


def test_a_picture_leaves_nothing_behind_for_the_next(detector: BlazeFace, astronaut: Image) -> None:
    before = detector.find(astronaut, _LOWEST_SCORE)
    detector.find(np.full((40, 900, 3), 255, np.uint8), _LOWEST_SCORE)
    detector.find(np.full((900, 40, 3), 255, np.uint8), _LOWEST_SCORE)
    np.testing.assert_array_equal(detector.find(astronaut, _LOWEST_SCORE), before)


def test_overlapping_boxes_become_one_weighted_by_score() -> None:
    boxes = [[0, 0, 10, 10, 0.4], [2, 0, 12, 10, 0.8], [50, 50, 60, 60, 0.5], [5, 5, 5, 5, 0.9]]
    found = merged(np.array(boxes, np.float32))
    expected = [[5, 5, 5, 5, 0.9], [4 / 3, 0, 34 / 3, 10, 0.8], [50, 50, 60, 60, 0.5]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert merged(np.empty((0, 9), np.float32)).shape == (0, 9)


def test_points_are_weighted_as_their_boxes_are() -> None:
    boxes = [[0, 0, 10, 10, 0.25, 3, 4], [2, 0, 12, 10, 0.75, 5, 0]]
    np.testing.assert_allclose(merged(np.array(boxes, np.float32)), [[1.5, 0, 11.5, 10, 0.75, 4.5, 1]], rtol=1e-5)


def _moved(model: DetectorModel, folder: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch) -> DetectorModel:
    monkeypatch.setattr(network_files, "FOLDER", folder)
    if content is not None:
        (folder / model.file.name).write_bytes(content)
    return model


def test_a_missing_or_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (network_files.FOLDER / SHORT_RANGE.file.name).read_bytes()
    with pytest.raises(BackendError, match="cannot be read"):
        BlazeFace(_moved(SHORT_RANGE, tmp_path, None, monkeypatch))
    with pytest.raises(BackendError, match="not the file that ships"):
        BlazeFace(_moved(SHORT_RANGE, tmp_path, content[:-1] + b"x", monkeypatch))


def test_a_file_that_is_no_network_is_an_error_of_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"no network"
    file = NetworkFile(SHORT_RANGE.file.name, hashlib.sha256(content).hexdigest())
    model = dataclasses.replace(SHORT_RANGE, file=file)
    with pytest.raises(BackendError, match="cannot open") as raised:
        BlazeFace(_moved(model, tmp_path, content, monkeypatch))
    assert "\n" not in str(raised.value)
