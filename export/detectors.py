"""MediaPipe's face detectors in the form in which ONNX Runtime is fastest; `toonfilter.runtime.blazeface` runs them.

    python -m toonfilter.export.detectors [FOLDER]

Reads the TensorFlow Lite files in MediaPipe's wheel (Apache-2.0) and writes ONNX files, by default to where they ship.
Answers differ from the originals by the order of sums only. What changes is the form:

- channels come in multiples of 16, filled up with zeros: ONNX Runtime keeps such pictures in blocks of 16 channels from
  the first layer to the last, and rearranges others between layers
- borders are part of the convolutions, not layers of their own
- the key points, which nobody reads, are left out, and so is the arranging of the answers: they end as maps
"""

import argparse
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, checker, helper, numpy_helper

from toonfilter.export.onnx_export import ExportError
from toonfilter.export.tflite import Operation, TfliteGraph, mediapipe_folder, read_tflite
from toonfilter.runtime.blazeface import FOLDER, FULL_RANGE, SHORT_RANGE

if TYPE_CHECKING:
    from onnx import ModelProto

SOURCES = {
    SHORT_RANGE.file: "face_detection_short_range.tflite",
    FULL_RANGE.file: "face_detection_full_range_sparse.tflite",
}
"""The files that ship, and the file of MediaPipe's wheel that each is made from."""
_BLOCK = 16
_OPSET = 17
_VALUES_PER_BOX = 16
_BOX_VALUES = 4
_ARRANGING = ("CONCATENATION", "RESHAPE", "DEPTH_TO_SPACE")
_PER_CHANNEL = ("DEPTHWISE_CONV_2D", "PAD")
_SAME_PADDING = 0
_RELU = 1


def convert_detector(path: Path) -> "ModelProto":
    """The detector in a TensorFlow Lite file as an ONNX model.

    Input float32 [1, 3, S, S] from -1 to 1. Outputs, for each map of cells: scores float32 [1, A, H, W] before the
    sigmoid, and boxes float32 [1, 4 A, H, W].

    Raises:
        ExportError: the file holds something that face detectors do not.
    """
    model = _Conversion(read_tflite(path)).run()
    checker.check_model(model)
    return model


class _Conversion:
    """widths: channels that a tensor has now, zeros included. borders: what a padding layer would have added to a
    tensor: rows and columns before it, rows and columns behind it. same: tensors that are another one now."""

    def __init__(self, graph: TfliteGraph) -> None:
        self._graph = graph
        self._makers = {operation.output: operation for operation in graph.operations}
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._widths = {graph.input: graph.shapes[graph.input][3]}
        self._borders: dict[int, tuple[int, NDArray[np.int64]]] = {}
        self._same: dict[int, int] = {}
        self._maps = self._find_maps()
        self._read_channels = self._find_read_channels()
        self._converters: dict[str, Callable[[Operation], None]] = {
            "CONV_2D": self._convolution,
            "DEPTHWISE_CONV_2D": self._convolution,
            "PAD": self._padding,
            "ADD": lambda one: self._plain("Add", one),
            "RELU": lambda one: self._plain("Relu", one),
            "MAX_POOL_2D": self._pooling,
            "RESIZE_BILINEAR": self._doubling,
        }

    def run(self) -> "ModelProto":
        for operation in self._graph.operations:
            if operation.kind in _ARRANGING:
                continue
            if operation.kind not in self._converters:
                raise ExportError(f"face detectors have no {operation.kind}")
            self._converters[operation.kind](operation)
        side = self._graph.shapes[self._graph.input][1]
        ends = [self._described(number, len(self._read_channels[number])) for number in self._maps]
        start = helper.make_tensor_value_info(self._name(self._graph.input), TensorProto.FLOAT, [1, 3, side, side])
        graph = helper.make_graph(self._nodes, "face_detector", [start], ends, self._weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=9)

    def _find_maps(self) -> list[int]:
        """The tensors before the answers are arranged: scores and boxes of the first map, then of the next."""

        def before(number: int) -> list[int]:
            maker = self._makers[number]
            if maker.kind not in _ARRANGING:
                return [number]
            sources = maker.inputs if maker.kind == "CONCATENATION" else maker.inputs[:1]
            return [found for source in sources for found in before(source)]

        by_values = sorted(self._graph.outputs, key=lambda number: self._graph.shapes[number][-1])
        scores, boxes = (before(number) for number in by_values)
        return [number for pair in zip(scores, boxes, strict=True) for number in pair]

    def _find_read_channels(self) -> dict[int, list[int]]:
        """Which channels of the maps are read, and of what they are made from channel by channel."""
        read = {}
        for place, number in enumerate(self._maps):
            channels = range(self._graph.shapes[number][3])
            is_boxes = place % 2 == 1
            kept = [one for one in channels if not is_boxes or one % _VALUES_PER_BOX < _BOX_VALUES]
            read[number] = kept
            while self._makers[number].kind in _PER_CHANNEL:
                number = self._makers[number].inputs[0]
                read[number] = kept
        return read

    def _convolution(self, operation: Operation) -> None:
        source, kernel, bias = operation.inputs
        source, border = self._borders.get(source, (source, np.zeros(4, np.int64)))
        weights, offsets = self._graph.constants[kernel], self._graph.constants[bias]
        is_dense = operation.kind == "CONV_2D"
        # From [out, H, W, in], or [1, H, W, channels] where every channel has its own, to [out, in, H, W].
        weights = weights.transpose(0, 3, 1, 2) if is_dense else weights.transpose(3, 0, 1, 2)
        if operation.output in self._read_channels:
            read = self._read_channels[operation.output]
            weights, offsets = weights[read], offsets[read]
        sides, strides = weights.shape[2:], (operation.options.strideH, operation.options.strideW)
        if operation.options.padding == _SAME_PADDING:
            border = border + _same_border(self._graph.shapes[source][1:3], sides, strides)
        width = self._width(source)
        filled = np.zeros(
            (_filled_up(len(weights)) if is_dense else width, width if is_dense else 1, *sides), np.float32
        )
        filled[: weights.shape[0], : weights.shape[1]] = weights
        number = operation.output
        self._widths[number] = len(filled)
        names = [self._weight(f"kernel{number}", filled), self._weight(f"bias{number}", _filled(offsets, len(filled)))]
        self._add(
            "Conv",
            [self._name(source), *names],
            operation,
            pads=border.tolist(),
            strides=list(strides),
            group=1 if is_dense else width,
        )

    def _padding(self, operation: Operation) -> None:
        """Borders go to the convolution that follows; further channels to the zeros that are there already."""
        source = operation.inputs[0]
        amounts = self._graph.constants[operation.inputs[1]]
        if not amounts[3].any():
            self._borders[operation.output] = (source, amounts[1:3].T.reshape(-1).astype(np.int64))
            return
        wanted, width = _filled_up(self._graph.shapes[operation.output][3]), self._width(source)
        if wanted == width:
            self._same[operation.output] = source
            return
        # Zeros that a convolution makes are in blocks already.
        number = operation.output
        nothing = self._weight(f"nothing{number}", np.zeros((wanted - width, width, 1, 1), np.float32))
        self._nodes.append(helper.make_node("Conv", [self._name(source), nothing], [f"zeros{number}"]))
        self._add("Concat", [self._name(source), f"zeros{number}"], operation, axis=1)
        self._widths[number] = wanted

    def _pooling(self, operation: Operation) -> None:
        options = operation.options
        sides, strides = [options.filterHeight, options.filterWidth], [options.strideH, options.strideW]
        self._plain("MaxPool", operation, kernel_shape=sides, strides=strides)

    def _doubling(self, operation: Operation) -> None:
        scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), f"scales{operation.output}")
        self._weights.append(scales)
        source = operation.inputs[0]
        self._widths[operation.output] = self._width(source)
        inputs = [self._name(source), "", scales.name]
        self._add("Resize", inputs, operation, mode="linear", coordinate_transformation_mode="half_pixel")

    def _plain(self, kind: str, operation: Operation, **attributes: Any) -> None:
        """An operation on pictures of one width. The second input of pooling and resizing is not a picture."""
        self._widths[operation.output] = self._width(operation.inputs[0])
        self._add(kind, [self._name(source) for source in operation.inputs], operation, **attributes)

    def _add(self, kind: str, inputs: list[str], operation: Operation, **attributes: Any) -> None:
        """One node, followed by its activation, and by what takes the filling off an answer."""
        name, number = self._name(operation.output), operation.output
        is_active = getattr(operation.options, "fusedActivationFunction", 0) == _RELU
        is_too_wide = number in self._maps and self._width(number) > len(self._read_channels[number])
        made = f"{name}_made" if is_active or is_too_wide else name
        self._nodes.append(helper.make_node(kind, inputs, [made], **attributes))
        if is_active:
            self._nodes.append(helper.make_node("Relu", [made], [name]))
        elif is_too_wide:
            bounds = [("first", 0), ("end", len(self._read_channels[number])), ("axis", 1)]
            for word, value in bounds:
                self._weights.append(numpy_helper.from_array(np.array([value], np.int64), f"{word}{number}"))
            self._nodes.append(helper.make_node("Slice", [made, *(f"{word}{number}" for word, _ in bounds)], [name]))

    def _weight(self, name: str, values: NDArray[np.float32]) -> str:
        """Weights that are in fp16 in the source stay so in the file; ONNX Runtime unpacks them when it opens it."""
        half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            self._weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
            return name
        self._weights.append(numpy_helper.from_array(half, f"{name}_fp16"))
        self._nodes.append(helper.make_node("Cast", [f"{name}_fp16"], [name], to=TensorProto.FLOAT))
        return name

    def _described(self, number: int, channels: int) -> Any:
        _, height, width, _ = self._graph.shapes[number]
        return helper.make_tensor_value_info(self._name(number), TensorProto.FLOAT, [1, channels, height, width])

    def _name(self, number: int) -> str:
        return f"t{self._origin(number)}"

    def _width(self, number: int) -> int:
        return self._widths[self._origin(number)]

    def _origin(self, number: int) -> int:
        while number in self._same:
            number = self._same[number]
        return number


def _filled_up(channels: int) -> int:
    return -(-channels // _BLOCK) * _BLOCK


def _filled(values: NDArray[Any], length: int) -> NDArray[np.float32]:
    return np.pad(values, (0, length - len(values))).astype(np.float32)


def _same_border(sides: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...]) -> NDArray[np.int64]:
    """TensorFlow's padding `same`: as much as the last step needs, the larger half behind. Rows, columns; twice."""
    missing = [
        max(0, (-(-side // stride) - 1) * stride + size - side)
        for side, size, stride in zip(sides, kernel, strides, strict=True)
    ]
    return np.array([amount // 2 for amount in missing] + [amount - amount // 2 for amount in missing], np.int64)


def main() -> None:
    """Write both files and tell their digests, which `toonfilter.runtime.blazeface` names."""
    parser = argparse.ArgumentParser(description="MediaPipe's face detectors as ONNX files")
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in SOURCES.items():
        model = convert_detector(mediapipe_folder() / "modules" / "face_detection" / source)
        content = model.SerializeToString(deterministic=True)
        (folder / name).write_bytes(content)
        sys.stdout.write(f"{hashlib.sha256(content).hexdigest()}  {folder / name}\n")


if __name__ == "__main__":
    main()
