"""Making benchmarks/fixed_work.onnx, the work by which `toonfilter bench` tells how fast a machine is.

It is AnimeGANv2's generator without weights: constants stand for them, which ONNX Runtime spreads out when it opens the
file. Needs the extra `export`.

python tools/make_fixed_work.py
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import checker, helper, numpy_helper

from toonfilter.benchmarks.animegan import AnimeGanGenerator
from toonfilter.benchmarks.machine_speed import FIXED_WORK, INPUT_SHAPE
from toonfilter.export.onnx_export import OPSET, save_model
from toonfilter.runtime.errors import BackendError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

_LARGE = 16
"""Tensors of float32 with more values become constants. Raising it leaves random weights in the file."""
_STEP = 1 / 1024
"""The share by which each weight's constant is above the one before. At 0 weights of one shape could be kept once for
all, and the caches would have less to hold than with real ones; raising it does nothing more."""


def make_fixed_work() -> "ModelProto":
    """The generator at `INPUT_SHAPE`; no random number and no trace of the machine stays in it.

    Raises:
        BackendError: torch does not export it.
    """
    program = torch.onnx.export(
        AnimeGanGenerator().eval().requires_grad_(False),
        (torch.zeros(INPUT_SHAPE),),
        dynamo=True,
        external_data=False,
        opset_version=OPSET,
        input_names=["picture"],
        output_names=["drawn"],
        verbose=False,
    )
    if program is None:
        raise BackendError("the ONNX exporter returned nothing")
    model: ModelProto = program.model_proto
    _without_traces(model.graph)
    _without_weights(model.graph)
    checker.check_model(model, full_check=True)
    return model


def _without_traces(graph: "GraphProto") -> None:
    """Drop the exporter's notes of source lines, and the shapes between nodes, which follow from the input's."""
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.value_info[:]


def _without_weights(graph: "GraphProto") -> None:
    """Put a ConstantOfShape node in the place of each large tensor."""
    kept: list[TensorProto] = []
    nodes: list[NodeProto] = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size <= _LARGE:
            kept.append(tensor)
            continue
        shape = numpy_helper.from_array(np.array(values.shape, np.int64), f"{tensor.name}_shape")
        constant = numpy_helper.from_array(np.array([_constant(values, len(nodes))], np.float32))
        kept.append(shape)
        nodes.append(helper.make_node("ConstantOfShape", [shape.name], [tensor.name], value=constant))
    nodes.extend(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)


def _constant(values: NDArray[Any], number: int) -> float:
    """What stands for a tensor: the ones and zeros of norms as they are; for weights such that a layer takes averages.

    Averages of what a norm left lie around 1: nothing overflows, and nothing is so near 0 that it becomes slow.
    """
    first = float(values.flat[0])
    return first if bool((values == first).all()) else (1 + number * _STEP) / math.prod(values.shape[1:])


if __name__ == "__main__":
    save_model(make_fixed_work(), FIXED_WORK)
