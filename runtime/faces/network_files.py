"""The networks that find and read faces: files that ship with the package and are run by ONNX Runtime."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from toonfilter.runtime.errors import BackendError

FOLDER = Path(__file__).parent / "networks"


class NetworkFile(NamedTuple):
    """A file in `FOLDER`, and its digest."""

    name: str
    sha256: str


def open_network(file: NetworkFile) -> Any:
    """An `onnxruntime.InferenceSession` on one CPU thread. Several threads may run it at once.

    Raises:
        BackendError: the file is missing or not the one that ships, or ONNX Runtime does not open it.
    """
    import onnxruntime

    path = FOLDER / file.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BackendError(f"{path}: cannot be read ({error.strerror}); install toonfilter again") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise BackendError(f"{path}: not the file that ships with toonfilter; install toonfilter again")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BackendError(f"ONNX Runtime cannot open {path.name}: {str(error).splitlines()[0]}") from error
