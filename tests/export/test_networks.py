"""The networks that find and read faces are what their converters make."""

from pathlib import Path

import numpy as np
import pytest

from mediapipe_networks.convert import converted
from mediapipe_networks.detectors import convert_detector
from mediapipe_networks.face_mesh import convert_mesh
from mediapipe_networks.person import convert_selfie
from toonfilter.export.onnx_export import ExportError
from toonfilter.runtime.faces.blazeface import FULL_RANGE, SHORT_RANGE
from toonfilter.runtime.faces.mesh import MESH
from toonfilter.runtime.faces.network_files import FOLDER, NetworkFile
from toonfilter.runtime.render.person_network import PERSON
from toonfilter.train.tflite import mediapipe_folder, read_tflite

pytest.importorskip("mediapipe")
_FOLDER = mediapipe_folder() / "modules"


@pytest.mark.parametrize("shipped", [SHORT_RANGE.file, FULL_RANGE.file, MESH, PERSON])
def test_what_ships_is_what_the_converter_makes(shipped: NetworkFile) -> None:
    onnx = pytest.importorskip("onnx")
    assert converted(shipped.name).graph == onnx.load(str(FOLDER / shipped.name)).graph


def test_sparse_weights_are_unpacked_whole() -> None:
    graph = read_tflite(_FOLDER / "face_detection" / "face_detection_full_range_sparse.tflite")
    kernels = [graph.constants[one.inputs[1]] for one in graph.operations if one.kind == "CONV_2D"]
    shares = [np.count_nonzero(kernel) / kernel.size for kernel in kernels]
    assert min(shares) < 0.35
    assert all(kernel.any(axis=(1, 2, 3)).mean() > 0.8 for kernel in kernels)


def test_another_kind_of_network_is_refused() -> None:
    path: Path = _FOLDER / "face_landmark" / "face_landmark.tflite"
    with pytest.raises(ExportError, match="PRELU"):
        convert_detector(path, 0)
    with pytest.raises(ExportError, match="PAD"):
        convert_selfie(_FOLDER / "face_detection" / "face_detection_short_range.tflite")
    with pytest.raises(ExportError, match="RELU"):
        convert_mesh(_FOLDER / "face_detection" / "face_detection_short_range.tflite", [])
