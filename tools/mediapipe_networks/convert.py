"""Making the files of the networks that find and read faces and people.

    PYTHONPATH=tools python -m mediapipe_networks.convert [FOLDER]

Reads the TensorFlow Lite files in MediaPipe's wheel (Apache-2.0) and writes ONNX files, by default to where they ship.
"""

import argparse
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mediapipe_networks.detectors import convert_detector
from mediapipe_networks.face_mesh import convert_mesh, read_refinements
from mediapipe_networks.person import convert_selfie
from toonfilter.runtime.faces.blazeface import FULL_RANGE, SHORT_RANGE
from toonfilter.runtime.faces.mesh import MESH
from toonfilter.runtime.faces.network_files import FOLDER
from toonfilter.runtime.render.person_network import PERSON
from toonfilter.train.tflite import mediapipe_folder

if TYPE_CHECKING:
    from onnx import ModelProto


def converted(name: str) -> "ModelProto":
    """The network that ships under this name, made anew."""
    modules = mediapipe_folder() / "modules"
    makers: dict[str, Callable[[], ModelProto]] = {
        SHORT_RANGE.file.name: lambda: convert_detector(
            modules / "face_detection" / "face_detection_short_range.tflite", SHORT_RANGE.points
        ),
        FULL_RANGE.file.name: lambda: convert_detector(
            modules / "face_detection" / "face_detection_full_range_sparse.tflite", FULL_RANGE.points
        ),
        MESH.name: lambda: convert_mesh(
            modules / "face_landmark" / "face_landmark_with_attention.tflite", read_refinements()
        ),
        PERSON.name: lambda: convert_selfie(modules / "selfie_segmentation" / "selfie_segmentation.tflite"),
    }
    return makers[name]()


def main() -> None:
    """Write the files and tell their digests, which the modules that run them name."""
    parser = argparse.ArgumentParser(description="MediaPipe's networks of faces and people as ONNX files")
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for file in (SHORT_RANGE.file, FULL_RANGE.file, MESH, PERSON):
        content = converted(file.name).SerializeToString(deterministic=True)
        (folder / file.name).write_bytes(content)
        sys.stdout.write(f"{hashlib.sha256(content).hexdigest()}  {folder / file.name}\n")


if __name__ == "__main__":
    main()
