"""Whether an ONNX file keeps weights in other files, told from its bytes without loading it.

Such files are named inside the model only: no manifest lists them and no sha256 covers them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from toonfilter.runtime.errors import BundleError

_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
# Fields of protobuf messages that lead to tensors (onnx.proto): field number to the kind of the message in it.
_LEADS_TO: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_MOST_NESTED = 64


def keeps_weights_elsewhere(content: bytes) -> bool:
    """content: a whole ONNX file.

    Raises:
        BundleError: it is no protobuf message, or nested too deep.
    """
    try:
        return _is_outside(memoryview(content), "model", 0)
    except (IndexError, ValueError) as error:
        raise BundleError("a model file is not ONNX, or damaged") from error


def _is_outside(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _MOST_NESTED:
        raise ValueError("nested too deep")
    leads = _LEADS_TO.get(kind, {})
    for number, value in _fields(message):
        if kind == "tensor":
            if number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value):
                return True
        elif number in leads and isinstance(value, memoryview) and _is_outside(value, leads[number], depth + 1):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Number and value of every field: memoryview of nested ones and bytes, int of varints, None of fixed ones."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
        elif wire == 2:
            size, at = _varint(message, at)
            if at + size > len(message):
                raise ValueError("cut off")
            yield number, message[at : at + size]
            at += size
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
            yield number, None
        else:
            raise ValueError(f"wire type {wire}")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("endless number")
