"""FP32 graph to FP16 graph, node by node, with chosen nodes left in fp32.

Written out here because onnxconverter_common's converter leaves `Cast` targets and the scales of `Resize` wrong in
graphs with uint8 pictures at both ends, and clips weights silently.
"""

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper, shape_inference

if TYPE_CHECKING:
    from onnx import ModelProto

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
# Nodes whose type is an attribute of their own; they cost nothing and stay as they are.
_FLOAT_MAKERS = {
    "Constant",
    "ConstantOfShape",
    "EyeLike",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}
# Inputs that the standard wants in fp32 whatever the type of the data.
_ALWAYS_FLOAT_INPUTS = {"Resize": {1, 2}, "Upsample": {1}}


def convert_to_half(model: "ModelProto", keep_float: Iterable[str]) -> "ModelProto":
    """A copy of the model in which every float tensor is fp16, but for the nodes named in keep_float.

    Inputs and outputs of the model keep their types. Casts are put where the two meet, one per tensor.
    """
    converted = copy.deepcopy(model)
    _constants_to_initializers(converted)
    kept = set(keep_float)
    stored = _float_tensors(converted)
    initializers = {entry.name: entry for entry in converted.graph.initializer}
    makers = {name: node for node in converted.graph.node for name in node.output}
    kind = {name: _made_as(makers.get(name), kept) for name in stored}
    nodes: list[NodeProto] = []
    casts: dict[tuple[str, int], str] = {}

    def as_type(name: str, wanted: int) -> str:
        if name not in stored or kind[name] == wanted:
            return name
        if (name, wanted) not in casts:
            fresh = f"{name}_{'fp16' if wanted == HALF else 'fp32'}"
            casts[name, wanted] = fresh
            if name in initializers:
                values = numpy_helper.to_array(initializers[name]).astype(np.float16)
                converted.graph.initializer.append(numpy_helper.from_array(values, fresh))
            else:
                nodes.append(helper.make_node("Cast", [name], [fresh], f"Cast_{fresh}", to=wanted))
        return casts[name, wanted]

    for node in converted.graph.node:
        wanted = _node_type(node, kept)
        fixed = _ALWAYS_FLOAT_INPUTS.get(node.op_type, set())
        for index, name in enumerate(node.input):
            node.input[index] = as_type(name, FLOAT if index in fixed else wanted)
        if wanted == HALF:
            _retarget(node)
        nodes.append(node)
    ends = {entry.name for entry in converted.graph.output}
    for name in ends & {name for name in stored if kind[name] == HALF}:
        _end_in_float(nodes, name)
    del converted.graph.node[:]
    converted.graph.node.extend(nodes)
    _drop_unread_initializers(converted)
    del converted.graph.value_info[:]
    return converted


def _node_type(node: NodeProto, kept: set[str]) -> int:
    if node.op_type in _FLOAT_MAKERS:
        return int(FLOAT)
    has_subgraph = any(attribute.HasField("g") for attribute in node.attribute)
    return int(FLOAT if node.name in kept or has_subgraph else HALF)


def _made_as(maker: NodeProto | None, kept: set[str]) -> int:
    return int(FLOAT) if maker is None else _node_type(maker, kept)


def _float_tensors(model: "ModelProto") -> set[str]:
    inferred = shape_inference.infer_shapes(model, strict_mode=True)
    values = (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)
    names = {value.name for value in values if value.type.tensor_type.elem_type == FLOAT}
    return names | {entry.name for entry in model.graph.initializer if entry.data_type == FLOAT}


def _constants_to_initializers(model: "ModelProto") -> None:
    for node in [node for node in model.graph.node if node.op_type == "Constant"]:
        value = next((a for a in node.attribute if a.name == "value"), None)
        if value is not None and value.t.data_type == FLOAT:
            model.graph.initializer.append(numpy_helper.from_array(numpy_helper.to_array(value.t), node.output[0]))
            model.graph.node.remove(node)


def _retarget(node: NodeProto) -> None:
    """Casts that make floats make halves."""
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == FLOAT:
            attribute.i = HALF


def _end_in_float(nodes: list[NodeProto], name: str) -> None:
    inner = f"{name}_fp16"
    for node in nodes:
        for names in (node.input, node.output):
            names[:] = [inner if entry == name else entry for entry in names]
    nodes.append(helper.make_node("Cast", [inner], [name], f"Cast_{name}", to=FLOAT))


def _drop_unread_initializers(model: "ModelProto") -> None:
    read = {name for node in model.graph.node for name in node.input} | {entry.name for entry in model.graph.output}
    read |= _read_in_subgraphs(model.graph)
    for entry in [entry for entry in model.graph.initializer if entry.name not in read]:
        model.graph.initializer.remove(entry)


def _read_in_subgraphs(graph: Any) -> set[str]:
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    names: set[str] = set()
    for subgraph in inner:
        names |= {name for node in subgraph.node for name in node.input} | _read_in_subgraphs(subgraph)
    return names
