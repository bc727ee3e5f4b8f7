"""Reading TensorFlow Lite files: their operations in order, and all their weights as float32 arrays."""

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import ConfigError, missing_package

_TYPES = {0: np.float32, 1: np.float16, 2: np.int32, 4: np.int64}
_SPARSE = 1


@dataclass(frozen=True, slots=True)
class Operation:
    """kind: such as CONV_2D, or the name of a custom operation. inputs: numbers of tensors.

    options: the operation's own, by TensorFlow Lite's names; those of a custom operation are a dict.
    """

    kind: str
    inputs: tuple[int, ...]
    output: int
    options: Any


@dataclass(frozen=True, slots=True)
class TfliteGraph:
    """One network. shapes: of every tensor, [N, H, W, C] for pictures. constants: weights by number of tensor.

    operations: without those that only unpack weights.
    """

    input: int
    outputs: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    constants: dict[int, NDArray[Any]]
    operations: tuple[Operation, ...]


def read_tflite(path: Path) -> TfliteGraph:
    """Read a file with one graph, weights in fp32 or fp16, dense or sparse."""
    schema = _schema()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    graph = model.subgraphs[0]
    kinds = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    stored = {number: _stored(model, tensor) for number, tensor in enumerate(graph.tensors)}
    constants = {number: values for number, values in stored.items() if values is not None}
    operations = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = kinds[max(code.builtinCode, code.deprecatedBuiltinCode)]
        options = operator.builtinOptions
        if kind == "CUSTOM":
            kind, options = code.customCode.decode(), _custom_options(operator)
        if kind in ("DENSIFY", "DEQUANTIZE"):
            constants[operator.outputs[0]] = constants[operator.inputs[0]].astype(np.float32)
        else:
            inputs = tuple(int(number) for number in operator.inputs)
            operations.append(Operation(kind, inputs, int(operator.outputs[0]), options))
    return TfliteGraph(
        int(graph.inputs[0]),
        tuple(int(number) for number in graph.outputs),
        tuple(_shape(tensor) for tensor in graph.tensors),
        constants,
        tuple(operations),
    )


def mediapipe_folder() -> Path:
    """Where MediaPipe lies, without importing it.

    Raises:
        ConfigError: it is not installed.
    """
    found = importlib.util.find_spec("mediapipe")
    if found is None or not found.submodule_search_locations:
        raise missing_package("mediapipe", extra="mediapipe")
    return Path(found.submodule_search_locations[0])


def _schema() -> ModuleType:
    """The reader of the format that comes with MediaPipe; importing it by its name would load all of MediaPipe."""
    name = "toonfilter_tflite_schema"
    if name not in sys.modules:
        path = mediapipe_folder() / "tasks" / "metadata" / "schema_py_generated.py"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ConfigError(f"{path}: cannot be loaded")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


def _custom_options(operator: Any) -> dict[str, Any]:
    from flatbuffers import flexbuffers

    content = operator.customOptions
    if content is None or len(content) == 0:
        return {}
    try:
        return dict(flexbuffers.Loads(bytes(content)))
    except (TypeError, ValueError):
        # Networks of 2019 keep a plain structure here.
        return {"raw": bytes(content)}


def _stored(model: Any, tensor: Any) -> NDArray[Any] | None:
    """The values in the file; None for what is computed."""
    data = model.buffers[tensor.buffer].data
    if data is None:
        return None
    values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), _TYPES[tensor.type])
    shape = _shape(tensor)
    return values.reshape(shape) if tensor.sparsity is None else _dense(values, shape, tensor.sparsity)


def _shape(tensor: Any) -> tuple[int, ...]:
    return () if tensor.shape is None else tuple(int(side) for side in tensor.shape)


def _dense(values: NDArray[Any], shape: Sequence[int], sparsity: Any) -> NDArray[Any]:
    """Unpack sparse weights: a tree over the dimensions in `traversalOrder`, some of them cut into blocks."""
    blocks = [] if sparsity.blockMap is None else [int(dimension) for dimension in sparsity.blockMap]
    inner = sparsity.dimMetadata[len(shape) :]
    block_sides = {dimension: int(meta.denseSize) for dimension, meta in zip(blocks, inner, strict=True)}
    dense = np.zeros(shape, values.dtype)

    def visit(level: int, place: dict[int, int], entry: int) -> None:
        if level == len(sparsity.traversalOrder):
            at = [place[one] * block_sides.get(one, 1) for one in range(len(shape))]
            for number, dimension in enumerate(blocks):
                at[dimension] += place[len(shape) + number]
            dense[tuple(at)] = values[entry]
            return
        meta, dimension = sparsity.dimMetadata[level], int(sparsity.traversalOrder[level])
        if meta.format == _SPARSE:
            first, end = (int(bound) for bound in meta.arraySegments.values[entry : entry + 2])
            children = [(int(meta.arrayIndices.values[at]), at) for at in range(first, end)]
        else:
            children = [(at, entry * meta.denseSize + at) for at in range(meta.denseSize)]
        for index, child in children:
            visit(level + 1, {**place, dimension: index}, child)

    visit(0, {}, 0)
    return dense
