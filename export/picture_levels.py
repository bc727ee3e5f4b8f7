"""INT8 files: tensors that hold 8-bit picture levels as they are need no ranges, no rounding and no float copies."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

_MOVES = ("Reshape", "Transpose")
_TOP_LEVEL = 255


@dataclass(frozen=True, slots=True)
class Levels:
    """A tensor holds (level - zero_point) * scale, level being a whole number in 0..255."""

    scale: float
    zero_point: int

    def covers(self, other: "Levels") -> bool:
        """Whether the other's values are within this one's, or less than a step beyond."""
        low, high = -self.zero_point * self.scale, (_TOP_LEVEL - self.zero_point) * self.scale
        low_other, high_other = -other.zero_point * other.scale, (_TOP_LEVEL - other.zero_point) * other.scale
        return low - self.scale < low_other and high_other < high + self.scale

    def shifted(self, amount: float) -> "Levels | None":
        """With amount added; None where this is no whole number of steps, or zero falls out of 0..255."""
        zero_point = self.zero_point - amount / self.scale
        if zero_point != round(zero_point) or not 0 <= zero_point <= _TOP_LEVEL:
            return None
        return Levels(self.scale, round(zero_point))


def known_levels(model: ModelProto) -> dict[str, Levels]:
    """Float tensors that hold levels: what comes from a uint8 picture by moves, shifts and picking, and the answer
    that is only clipped and rounded into one.
    """
    constants = constants_of(model)
    known: dict[str, Levels] = {}
    pictures = {entry.name for entry in model.graph.input if entry.type.tensor_type.elem_type == TensorProto.UINT8}
    for node in model.graph.node:
        levels = _levels_after(node, known, constants, pictures)
        if levels is not None:
            known[node.output[0]] = levels
    answer = answer_in_levels(model)
    if answer is not None:
        known[answer] = Levels(1.0, 0)
    return known


def answer_in_levels(model: ModelProto) -> str | None:
    """The sum of a convolution and a picture that the file clips to 0..255, rounds and gives out; None without one.

    Steps of INT8 in such a convolution are small against a picture's own, so it may be INT8 too.
    """
    makers = makers_of(model)
    constants = constants_of(model)
    for cast in model.graph.node:
        end = _clipped(cast, makers, constants)
        total = makers.get(end[0]) if end else None
        if total is None or total.op_type != "Add":
            continue
        terms = [makers[name] for name in total.input if name in makers]
        if len(terms) == 2 and all(term.op_type == "Conv" for term in terms) and _any_picks(terms, constants):
            return str(total.output[0])
    return None


def fold_offsets(model: ModelProto) -> None:
    """Constants added to each plane before convolutions go into their biases.

    Equal but for padding, which stands for the offset then instead of zero: half a level in our graphs.
    """
    constants = constants_of(model)
    readers = readers_of(model)
    for add in [node for node in model.graph.node if node.op_type == "Add" and node.input[1] in constants]:
        offset = constants[add.input[1]]
        following = readers.get(add.output[0], [])
        is_per_plane = offset.ndim == 4 and offset.size == offset.shape[1]
        if not is_per_plane or not following or any(not _has_bias(node, constants) for node in following):
            continue
        for node in following:
            weight, bias = constants[node.input[1]].astype(np.float64), constants[node.input[2]]
            moved = bias + (weight * offset.astype(np.float64)).sum(axis=(1, 2, 3))
            name = f"{node.input[2]}_{node.name}_moved"
            model.graph.initializer.append(numpy_helper.from_array(moved.astype(np.float32), name))
            node.input[0], node.input[2] = add.input[0], name
        model.graph.node.remove(add)
    drop_unused(model)


def keep_levels_in_uint8(model: ModelProto, known: dict[str, Levels]) -> None:
    """In a quantised file: pictures are moved as uint8 from the inputs to the first real work, and to the output."""
    constants, makers = constants_of(model), makers_of(model)
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        found = _uint8_source(node, makers, known, constants)
        nodes.extend([node] if found is None else _moved(*found, node))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    drop_unused(model)


def drop_unused(model: ModelProto) -> None:
    """Remove nodes and weights that nothing reads."""
    needed = {entry.name for entry in model.graph.output}
    kept: list[NodeProto] = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(kept))
    for entry in [entry for entry in model.graph.initializer if entry.name not in needed]:
        model.graph.initializer.remove(entry)


def _levels_after(
    node: NodeProto, known: dict[str, Levels], constants: dict[str, NDArray[Any]], pictures: set[str]
) -> Levels | None:
    before = [known.get(name) for name in node.input]
    first = before[0] if before else None
    if node.op_type == "Cast":
        to_float = any(attribute.name == "to" and attribute.i == TensorProto.FLOAT for attribute in node.attribute)
        return Levels(1.0, 0) if to_float and node.input[0] in pictures else None
    if first is None:
        return None
    if node.op_type in _MOVES:
        return first
    if node.op_type == "Concat":
        return next((own for own in before if own and all(other and own.covers(other) for other in before)), None)
    constant = constants.get(node.input[1]) if len(node.input) > 1 else None
    if constant is None:
        return None
    if node.op_type == "Conv":
        shift = _picked_shift(node, constants)
        return None if shift is None else first.shifted(shift)
    if constant.size != 1 or node.op_type not in ("Sub", "Mul"):
        return None
    value = float(constant.reshape(-1)[0])
    if node.op_type == "Sub":
        return first.shifted(-value)
    return Levels(first.scale * value, first.zero_point) if value > 0 else None


def _picked_shift(node: NodeProto, constants: dict[str, NDArray[Any]]) -> float | None:
    """What is added to the planes that a 1 x 1 convolution picks; None for every other convolution."""
    if not _has_bias(node, constants):
        return None
    weight, bias = constants[node.input[1]], constants[node.input[2]]
    is_picking = weight.shape[2:] == (1, 1) and bool(np.isin(weight, (0, 1)).all()) and weight.sum(axis=1).max() <= 1
    return float(bias[0]) if is_picking and np.ptp(bias) == 0 else None


def _any_picks(nodes: Iterable[NodeProto], constants: dict[str, NDArray[Any]]) -> bool:
    return any(_picked_shift(node, constants) is not None for node in nodes)


def _has_bias(node: NodeProto, constants: dict[str, NDArray[Any]]) -> bool:
    return node.op_type == "Conv" and len(node.input) == 3 and all(name in constants for name in node.input[1:])


def _clipped(
    cast: NodeProto, makers: dict[str, NodeProto], constants: dict[str, NDArray[Any]]
) -> tuple[str, list[NodeProto]] | None:
    """What is clipped to 0..255, rounded, moved and cast to uint8 here, and its moves; None where it is not so."""
    if cast.op_type != "Cast" or not any(entry.i == TensorProto.UINT8 for entry in cast.attribute):
        return None
    moves: list[NodeProto] = []
    node = makers.get(cast.input[0])
    while node is not None and node.op_type in _MOVES:
        moves.insert(0, node)
        node = makers.get(node.input[0])
    clip = makers.get(node.input[0]) if node is not None and node.op_type == "Round" else None
    if clip is None or clip.op_type != "Clip":
        return None
    limits = [float(constants[name]) for name in clip.input[1:] if name in constants]
    return (clip.input[0], moves) if limits == [0, _TOP_LEVEL] else None


def _quantised_as(node: NodeProto, kind: str, constants: dict[str, NDArray[Any]]) -> Levels | None:
    """Scale and zero point of a QuantizeLinear or DequantizeLinear of uint8; None for any other node."""
    if node.op_type != kind or len(node.input) < 3 or any(name not in constants for name in node.input[1:3]):
        return None
    scale, zero_point = constants[node.input[1]], constants[node.input[2]]
    if scale.size != 1 or zero_point.dtype != np.uint8:
        return None
    return Levels(float(scale.reshape(-1)[0]), int(zero_point.reshape(-1)[0]))


def _uint8_source(
    node: NodeProto, makers: dict[str, NodeProto], known: dict[str, Levels], constants: dict[str, NDArray[Any]]
) -> tuple[str, list[NodeProto]] | None:
    """The uint8 tensor that this node's uint8 answer was made of in floats, and the moves on the way."""
    end = _clipped(node, makers, constants)
    if end is not None:
        source = makers.get(end[0])
        if end[1] and source is not None and _quantised_as(source, "DequantizeLinear", constants) == Levels(1.0, 0):
            return source.input[0], end[1]
        return None
    wanted = _quantised_as(node, "QuantizeLinear", constants)
    if wanted is None or known.get(node.input[0]) != wanted:
        return None
    moves: list[NodeProto] = []
    before = makers.get(node.input[0])
    while before is not None and before.op_type in (*_MOVES, "Sub", "Mul"):
        if before.op_type in _MOVES:
            moves.insert(0, before)
        before = makers.get(before.input[0])
    return (before.input[0], moves) if before is not None and before.op_type == "Cast" and moves else None


def _moved(name: str, moves: list[NodeProto], instead_of: NodeProto) -> list[NodeProto]:
    """The moves again, from this tensor to the answer of the node they replace."""
    made: list[NodeProto] = []
    for index, move in enumerate(moves):
        result = instead_of.output[0] if index == len(moves) - 1 else f"{instead_of.output[0]}_{index}"
        fresh = helper.make_node(move.op_type, [name, *move.input[1:]], [result], f"{instead_of.name}_{move.name}")
        fresh.attribute.extend(move.attribute)
        made.append(fresh)
        name = result
    return made


def constants_of(model: ModelProto) -> dict[str, NDArray[Any]]:
    """Weights and other constants by the names of their tensors."""
    found = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            value = next((entry.t for entry in node.attribute if entry.name == "value"), None)
            if value is not None:
                found[node.output[0]] = numpy_helper.to_array(value)
    return found


def makers_of(model: ModelProto) -> dict[str, NodeProto]:
    """The node that makes each tensor."""
    return {name: node for node in model.graph.node for name in node.output}


def readers_of(model: ModelProto) -> dict[str, list[NodeProto]]:
    """The nodes that read each tensor."""
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return readers
