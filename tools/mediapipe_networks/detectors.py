"""MediaPipe's face detectors in the form in which ONNX Runtime is fastest; `runtime.faces.blazeface` runs them.

Answers differ from the originals by the order of sums only. What changes is the form:

- channels come in multiples of 16, filled up with zeros
- borders are part of the convolutions, not layers of their own
- key points that nobody reads are left out, and so is the arranging of the answers: they end as maps
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mediapipe_networks.onnx_graphs import GraphWriter, convolution_border, filled_up
from toonfilter.export.onnx_export import ExportError
from toonfilter.train.tflite import Operation, TfliteGraph, read_tflite

if TYPE_CHECKING:
    from onnx import ModelProto

_VALUES_PER_BOX = 16
_BOX_VALUES = 4
_ARRANGING = ("CONCATENATION", "RESHAPE", "DEPTH_TO_SPACE")
_PER_CHANNEL = ("DEPTHWISE_CONV_2D", "PAD")
_RELU = 1


def convert_detector(path: Path, points: int) -> "ModelProto":
    """The detector in a TensorFlow Lite file as an ONNX model.

    points: how many of its key points are kept. Input uint8 [1, S, S, 3] RGB. Outputs, for each map of
    cells: scores float32 [1, A, s, s] before the sigmoid, and boxes float32 [1, (4 + 2 points) A, s, s].

    Raises:
        ExportError: the file holds something that face detectors do not.
    """
    return _Conversion(read_tflite(path), _BOX_VALUES + 2 * points).run()


class _Conversion:
    """widths: channels that a tensor has now, zeros included. borders: what a padding layer would have added to a
    tensor: rows and columns before it, rows and columns behind it. same: tensors that are another one now."""

    def __init__(self, graph: TfliteGraph, values: int) -> None:
        self._graph, self._values = graph, values
        self._makers = {operation.output: operation for operation in graph.operations}
        self._writer = GraphWriter()
        self._widths = {graph.input: graph.shapes[graph.input][3]}
        self._borders: dict[int, tuple[int, NDArray[np.int64]]] = {}
        self._same: dict[int, int] = {}
        self._maps = self._find_maps()
        self._read_channels = self._find_read_channels()
        self._writer.picture(self._name(graph.input), 2 / 255, -1)
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
        ends = {self._name(number): self._described(number) for number in self._maps}
        side = self._graph.shapes[self._graph.input][1]
        return self._writer.model("face_detector", side, ends)

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
            kept = [one for one in channels if not is_boxes or one % _VALUES_PER_BOX < self._values]
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
        border = border + convolution_border(operation.options.padding, self._graph.shapes[source][1:3], sides, strides)
        width = self._width(source)
        filled = np.zeros(
            (filled_up(len(weights)) if is_dense else width, width if is_dense else 1, *sides), np.float32
        )
        filled[: weights.shape[0], : weights.shape[1]] = weights
        number = operation.output
        self._widths[number] = len(filled)
        offsets = np.pad(offsets, (0, len(filled) - len(offsets)))
        names = [self._writer.weight(f"kernel{number}", filled), self._writer.weight(f"bias{number}", offsets)]
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
        wanted, width = filled_up(self._graph.shapes[operation.output][3]), self._width(source)
        if wanted == width:
            self._same[operation.output] = source
            return
        # Zeros that a convolution makes are in blocks already.
        number = operation.output
        nothing = self._writer.weight(f"nothing{number}", np.zeros((wanted - width, width, 1, 1), np.float32))
        self._writer.add("Conv", [self._name(source), nothing], f"zeros{number}")
        self._add("Concat", [self._name(source), f"zeros{number}"], operation, axis=1)
        self._widths[number] = wanted

    def _pooling(self, operation: Operation) -> None:
        options = operation.options
        sides, strides = [options.filterHeight, options.filterWidth], [options.strideH, options.strideW]
        self._plain("MaxPool", operation, kernel_shape=sides, strides=strides)

    def _doubling(self, operation: Operation) -> None:
        scales = self._writer.constant(f"scales{operation.output}", np.array([1, 1, 2, 2], np.float32))
        source = operation.inputs[0]
        self._widths[operation.output] = self._width(source)
        inputs = [self._name(source), "", scales]
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
        self._writer.add(kind, inputs, made, **attributes)
        if is_active:
            self._writer.add("Relu", [made], name)
        elif is_too_wide:
            bounds = [("first", 0), ("end", len(self._read_channels[number])), ("axis", 1)]
            places = [self._writer.constant(f"{word}{number}", np.array([value], np.int64)) for word, value in bounds]
            self._writer.add("Slice", [made, *places], name)

    def _described(self, number: int) -> list[int]:
        cells = self._graph.shapes[number][1]
        return [1, len(self._read_channels[number]), cells, cells]

    def _name(self, number: int) -> str:
        return f"t{self._origin(number)}"

    def _width(self, number: int) -> int:
        return self._widths[self._origin(number)]

    def _origin(self, number: int) -> int:
        while number in self._same:
            number = self._same[number]
        return number
