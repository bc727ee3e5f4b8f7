"""Writing networks that were read with `tflite.py` as ONNX graphs, in the form in which ONNX Runtime is fastest."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, checker, helper, numpy_helper

if TYPE_CHECKING:
    from onnx import ModelProto

PICTURE = "picture"
_BLOCK = 16
_OPSET = 17
_SAME_PADDING = 0


class GraphWriter:
    """Collects nodes and weights. Tensors have names; weights that are in fp16 in the source stay so in the file."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._weights: list[Any] = []

    def add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        self._nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Values as they are; returns their name."""
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weight(self, name: str, values: NDArray[Any]) -> str:
        """float32 weights, stored in fp16 where nothing is lost; ONNX Runtime unpacks them when it opens the file."""
        half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            return self.constant(name, values.astype(np.float32))
        return self.add("Cast", [self.constant(f"{name}_fp16", half)], name, to=TensorProto.FLOAT)

    def picture(self, name: str, scale: float, offset: float) -> str:
        """Planes of float32 [1, 3, S, S] from the input `picture`, uint8 [1, S, S, 3], times `scale` plus `offset`."""
        planes = self.add("Transpose", [PICTURE], f"{name}_planes", perm=[0, 3, 1, 2])
        levels = self.add("Cast", [planes], f"{name}_levels", to=TensorProto.FLOAT)
        factor = self.constant(f"{name}_factor", np.array(scale, np.float32))
        scaled = self.add("Mul", [levels, factor], f"{name}_scaled" if offset else name)
        if not offset:
            return scaled
        return self.add("Add", [scaled, self.constant(f"{name}_offset", np.array(offset, np.float32))], name)

    def model(
        self, name: str, side_px: int | str, outputs: Mapping[str, Sequence[int | str]], kind: int = TensorProto.FLOAT
    ) -> "ModelProto":
        """The checked model of a picture of this side. outputs: shapes of tensors of this kind by name.

        Sides with a name may be any number.
        """
        start = helper.make_tensor_value_info(PICTURE, TensorProto.UINT8, [1, side_px, side_px, 3])
        ends = [helper.make_tensor_value_info(one, kind, list(shape)) for one, shape in outputs.items()]
        graph = helper.make_graph(self._nodes, name, [start], ends, self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=9)
        checker.check_model(model)
        return model


def filled_up(channels: int) -> int:
    """Channels with the zeros that make whole blocks of 16.

    ONNX Runtime keeps such pictures in blocks from the first layer to the last, and rearranges others between layers.
    """
    return -(-channels // _BLOCK) * _BLOCK


def convolution_border(
    padding: int, sides: Sequence[int], kernel: Sequence[int], strides: Sequence[int]
) -> NDArray[np.int64]:
    """What a convolution adds around its input: rows and columns before, rows and columns behind.

    padding: TensorFlow Lite's number. `same` adds as much as the last step needs, the larger half behind.
    """
    if padding != _SAME_PADDING:
        return np.zeros(4, np.int64)
    missing = [
        max(0, (-(-side // stride) - 1) * stride + size - side)
        for side, size, stride in zip(sides, kernel, strides, strict=True)
    ]
    return np.array([amount // 2 for amount in missing] + [amount - amount // 2 for amount in missing], np.int64)
