"""MediaPipe's selfie segmentation as an ONNX file for `toonfilter.runtime.render.person_network`.

Answers differ from the original by the order of sums only. The last step makes levels of 0 to 255.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from mediapipe_networks.onnx_graphs import GraphWriter, convolution_border
from toonfilter.export.onnx_export import ExportError
from toonfilter.train.tflite import Operation, TfliteGraph, read_tflite

if TYPE_CHECKING:
    from onnx import ModelProto

_MASK = "mask"
_PLAIN = {"RELU": "Relu", "HARD_SWISH": "HardSwish", "LOGISTIC": "Sigmoid", "ADD": "Add", "MUL": "Mul"}


def convert_selfie(path: Path) -> "ModelProto":
    """The network in a TensorFlow Lite file as an ONNX model.

    Input uint8 [1, S, S, 3] RGB, S a multiple of 32; made for 256. Output `mask` uint8 [1, 1, S, S]: 255 where a person
    is seen for certain.

    Raises:
        ExportError: the file holds something that selfie segmentation does not.
    """
    return _Conversion(read_tflite(path)).run()


class _Conversion:
    def __init__(self, graph: TfliteGraph) -> None:
        self._graph = graph
        self._writer = GraphWriter()
        self._converters: dict[str, Callable[[Operation], None]] = {
            "CONV_2D": self._convolution,
            "DEPTHWISE_CONV_2D": self._convolution,
            "AVERAGE_POOL_2D": lambda one: self._add("GlobalAveragePool", one, one.inputs[:1]),
            "RESIZE_BILINEAR": self._doubling,
            "Convolution2DTransposeBias": self._last,
            **dict.fromkeys(_PLAIN, self._plain),
        }

    def run(self) -> "ModelProto":
        self._writer.picture(_name(self._graph.input), 1 / 255, 0)
        for operation in self._graph.operations:
            if operation.kind not in self._converters:
                raise ExportError(f"selfie segmentation has no {operation.kind}")
            self._converters[operation.kind](operation)
        full = self._writer.constant("full", np.array(255, np.float32))
        scaled = self._writer.add("Mul", [_name(self._graph.outputs[0]), full], "scaled")
        self._writer.add("Cast", [self._writer.add("Round", [scaled], "rounded")], _MASK, to=TensorProto.UINT8)
        return self._writer.model("selfie_segmentation", "side", {_MASK: [1, 1, "side", "side"]}, TensorProto.UINT8)

    def _convolution(self, operation: Operation) -> None:
        source, kernel, bias = operation.inputs
        weights = self._graph.constants[kernel]
        is_dense = operation.kind == "CONV_2D"
        # From [out, H, W, in], or [1, H, W, channels] where every channel has its own, to [out, in, H, W].
        weights = weights.transpose((0, 3, 1, 2) if is_dense else (3, 0, 1, 2))
        sides, strides = weights.shape[2:], (operation.options.strideH, operation.options.strideW)
        border = convolution_border(operation.options.padding, self._graph.shapes[source][1:3], sides, strides)
        self._add(
            "Conv",
            operation,
            (source,),
            self._weights(operation, weights, bias),
            pads=border.tolist(),
            strides=list(strides),
            group=1 if is_dense else len(weights),
        )

    def _last(self, operation: Operation) -> None:
        source, kernel, bias = operation.inputs
        # From [out, H, W, in] to [in, out, H, W].
        weights = self._graph.constants[kernel].transpose(3, 0, 1, 2)
        strides = list(weights.shape[2:])
        self._add("ConvTranspose", operation, (source,), self._weights(operation, weights, bias), strides=strides)

    def _weights(self, operation: Operation, weights: NDArray[Any], bias: int) -> list[str]:
        named = (("kernel", weights), ("bias", self._graph.constants[bias]))
        return [self._writer.weight(f"{name}{operation.output}", values) for name, values in named]

    def _doubling(self, operation: Operation) -> None:
        scales = self._writer.constant(f"scales{operation.output}", np.array([1, 1, 2, 2], np.float32))
        further = ["", scales]
        self._add(
            "Resize",
            operation,
            operation.inputs[:1],
            further,
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )

    def _plain(self, operation: Operation) -> None:
        self._add(_PLAIN[operation.kind], operation, operation.inputs)

    def _add(
        self, kind: str, operation: Operation, pictures: Sequence[int], further: Sequence[str] = (), **attributes: Any
    ) -> None:
        inputs = [_name(number) for number in pictures] + list(further)
        self._writer.add(kind, inputs, _name(operation.output), **attributes)


def _name(number: int) -> str:
    return f"t{number}"
