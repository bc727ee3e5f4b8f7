"""MediaPipe's graphs without MediaPipe's own start-up.

`import mediapipe` loads plotting, audio and text packages that no graph needs: most of a second, and 60 MB. Here the
package is entered without its `__init__`; what that would have offered (`mediapipe.solutions`, `mediapipe.tasks`) is
still there for others, loaded when they ask for it.
"""

import contextlib
import importlib
import importlib.util
import os
import sys
import threading
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toonfilter.runtime.errors import BackendError

# A graph's options can only be read when the modules that define them are loaded; nothing else does that here.
_OPTIONS = (
    "calculators.core.gate_calculator_pb2",
    "calculators.core.split_vector_calculator_pb2",
    "calculators.tensor.image_to_tensor_calculator_pb2",
    "calculators.tensor.inference_calculator_pb2",
    "calculators.tensor.tensors_to_classification_calculator_pb2",
    "calculators.tensor.tensors_to_landmarks_calculator_pb2",
    "calculators.tflite.ssd_anchors_calculator_pb2",
    "calculators.util.association_calculator_pb2",
    "calculators.util.detections_to_rects_calculator_pb2",
    "calculators.util.landmarks_refinement_calculator_pb2",
    "calculators.util.non_max_suppression_calculator_pb2",
    "calculators.util.rect_transformation_calculator_pb2",
    "framework.formats.location_data_pb2",
    "modules.face_detection.face_detection_pb2",
)
_LATER = {"solutions": "mediapipe.python.solutions", "tasks": "mediapipe.tasks.python"}


def open_graph(
    path: str, outputs: Sequence[str], params: Mapping[str, float], side_inputs: Mapping[str, Any] | None = None
) -> Any:
    """Start a graph that comes with MediaPipe.

    path: of its .binarypb below `mediapipe/modules/`. params: options of its calculators by `NAME.option`.

    Raises:
        BackendError: MediaPipe is not installed.
    """
    with quiet_stderr():
        base: Any = _solution_base()
        return base(
            binary_graph_path=f"mediapipe/modules/{path}",
            side_inputs=dict(side_inputs or {}),
            calculator_params=dict(params),
            outputs=list(outputs),
        )


def _solution_base() -> Any:
    if "mediapipe" not in sys.modules:
        found = importlib.util.find_spec("mediapipe")
        if found is None or found.submodule_search_locations is None:
            raise BackendError("mediapipe is not installed; install toonfilter again")
        package = types.ModuleType("mediapipe")
        package.__path__ = list(found.submodule_search_locations)
        package.__spec__ = found
        package.__dict__["__getattr__"] = _later
        sys.modules["mediapipe"] = package
    for module in _OPTIONS:
        importlib.import_module(f"mediapipe.{module}")
    return importlib.import_module("mediapipe.python.solution_base").SolutionBase


def _later(name: str) -> Any:
    if name in _LATER:
        return importlib.import_module(_LATER[name])
    raise AttributeError(f"module 'mediapipe' has no attribute {name!r}")


_QUIET_LOCK = threading.Lock()
_quiet_users = 0
_stderr_copy = -1


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """MediaPipe's C++ side writes start-up notes past Python, straight to the file descriptor, which is silent here.

    For several threads at once: the first silences it, the last brings it back. What another thread writes to it
    meanwhile is gone, so a program that tells its user anything does it through a copy of the descriptor.
    """
    _silence(1)
    try:
        yield
    finally:
        _silence(-1)


def _silence(change: int) -> None:
    global _quiet_users, _stderr_copy
    with _QUIET_LOCK:
        _quiet_users += change
        if _quiet_users == change == 1:
            if sys.stderr is not None:
                sys.stderr.flush()
            # A program may run without the descriptor; there is nothing to silence then.
            with contextlib.suppress(OSError):
                _stderr_copy = os.dup(2)
                silent = os.open(os.devnull, os.O_WRONLY)
                os.dup2(silent, 2)
                os.close(silent)
        elif _quiet_users == 0 and _stderr_copy >= 0:
            os.dup2(_stderr_copy, 2)
            os.close(_stderr_copy)
            _stderr_copy = -1
