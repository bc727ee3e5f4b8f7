"""INT8 files: enlarging by two by copying whole pixels and rows, which ONNX Runtime's Resize does byte by byte."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from toonfilter.export.picture_levels import constants_of, drop_unused, makers_of, readers_of

_FACTORS, _ROW_AXIS = "doubling_factors", "doubling_row_axis"


def double_by_copying(model: ModelProto) -> None:
    """Replace each Resize by two to the nearest pixel, between a DequantizeLinear and QuantizeLinears with the same
    scale and zero point, by copies of the uint8 tensor; the same values.
    """
    makers, readers, constants = makers_of(model), readers_of(model), constants_of(model)
    nodes: list[NodeProto] = []
    answers: dict[str, str] = {}
    for node in model.graph.node:
        nodes.append(node)
        source = makers.get(node.input[0]) if node.op_type == "Resize" else None
        following = readers.get(node.output[0], [])
        if source is None or not following or not _is_doubling(node, constants):
            continue
        if all(_is_inverse(after, source) for after in following):
            copies = _copies(source.input[0], node.name)
            nodes.extend(copies)
            answers.update((after.output[0], copies[-1].output[0]) for after in following)
    if not answers:
        return
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for node in model.graph.node:
        node.input[:] = [answers.get(name, name) for name in node.input]
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 2, 2, 1], np.int64), _FACTORS))
    model.graph.initializer.append(numpy_helper.from_array(np.array([2], np.int64), _ROW_AXIS))
    drop_unused(model)


def _is_doubling(node: NodeProto, constants: dict[str, NDArray[Any]]) -> bool:
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    scales = constants.get(node.input[2]) if len(node.input) == 3 else None
    is_nearest = attributes.get("mode", b"nearest") == b"nearest"
    return is_nearest and scales is not None and scales.tolist() == [1, 1, 2, 2]


def _is_inverse(node: NodeProto, source: NodeProto) -> bool:
    pair = (source.op_type, node.op_type) == ("DequantizeLinear", "QuantizeLinear")
    return pair and list(node.input[1:]) == list(source.input[1:])


def _copies(name: str, prefix: str) -> list[NodeProto]:
    """uint8 [N, C, H, W] to [N, C, 2H, 2W]: each pixel beside itself, then each row of pixels below itself."""

    def named(part: str) -> str:
        return f"{prefix}_{part}"

    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Transpose", [name], "pixels", {"perm": [0, 2, 3, 1]}),
        ("Concat", [named("pixels")] * 2, "wide", {"axis": 3}),
        ("Unsqueeze", [named("wide"), _ROW_AXIS], "row", {}),
        ("Concat", [named("row")] * 2, "rows", {"axis": 2}),
        ("Shape", [named("pixels")], "shape", {}),
        ("Mul", [named("shape"), _FACTORS], "doubled", {}),
        ("Reshape", [named("rows"), named("doubled")], "picture", {}),
        ("Transpose", [named("picture")], "planes", {"perm": [0, 3, 1, 2]}),
    ]
    return [
        helper.make_node(kind, inputs, [named(part)], named(part), **attributes)
        for kind, inputs, part, attributes in steps
    ]
