"""The fields network as ONNX: uint8 pictures in, uint8 planes out, everything between them inside the graph."""

import copy
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from toonfilter.export.crops import Feeds
from toonfilter.export.onnx_export import OPSET, ExportError
from toonfilter.export.parity import Draw
from toonfilter.export.precision import checked_int8
from toonfilter.runtime.errors import require
from toonfilter.runtime.fields import FIELDS
from toonfilter.train.networks.fields import HALF_LEVELS, MIDDLE_LEVEL, FieldsNetwork

if TYPE_CHECKING:
    from onnx import ModelProto

INPUTS: Final = ("image", "guidance")
OUTPUT: Final = "fields"
_QUANTISED: Final = ("Conv", "Add", "Clip", "Relu", "Resize", "Sigmoid")
_LOGIT_REACH: Final = 6.5
"""INT8 logits go so far to both sides; raising it makes edges coarser, lowering it keeps masks from reaching 255."""
_EXAMPLE_PX: Final = 64


class FieldsGraph(nn.Module):
    """image uint8 [N, H, W, 3] RGB and guidance uint8 [N, H, W, 1] (mesh plane) to fields uint8 [N, H, W, 9].

    H and W are multiples of 32. What `FieldsNetwork` computes, written so that bytes are moved and not floats: scaling
    is folded into the first weights, and the last convolution's channels lie so that one transpose puts its four
    pixels in their places.
    """

    def __init__(self, network: FieldsNetwork) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).to("cpu", torch.float32).eval().requires_grad_(False)
        self.network.to(memory_format=torch.contiguous_format)
        self.network.fold()
        stem, head = self.network.features.stem.convolution, self.network.head
        with torch.no_grad():
            stem.weight /= HALF_LEVELS
            order = torch.arange(4 * len(FIELDS)).reshape(len(FIELDS), 4).T.flatten()
            for tensor in (head.weight, head.bias):
                if tensor is not None:
                    tensor.copy_(tensor[order])

    def forward(self, image: Tensor, guidance: Tensor) -> Tensor:
        levels = torch.cat([image, guidance], 3).permute(0, 3, 1, 2)
        logits = self.network.unshuffled(levels.to(torch.float32) - MIDDLE_LEVEL)
        answer = (torch.sigmoid(logits) * 255 + 0.5).to(torch.uint8).permute(0, 2, 3, 1)
        count, height, width = answer.shape[:3]
        rows = answer.reshape(count, height, width, 2, 2 * len(FIELDS)).permute(0, 1, 3, 2, 4)
        return rows.reshape(count, 2 * height, 2 * width, len(FIELDS))


def export_fp32(network: FieldsNetwork, metadata: dict[str, str]) -> "ModelProto":
    """One graph for every size and a batch of any number.

    Raises:
        ExportError: torch cannot export the network.
        ConfigError: the export extra is not installed.
    """
    onnx = require("onnx", extra="export")
    require("onnxscript", extra="export")
    shape = (2, _EXAMPLE_PX, _EXAMPLE_PX)
    example = (torch.full((*shape, 3), 128, dtype=torch.uint8), torch.zeros((*shape, 1), dtype=torch.uint8))
    batch, height, width = (torch.export.Dim.DYNAMIC for _ in range(3))
    axes = {0: batch, 1: height, 2: width}
    try:
        program = torch.onnx.export(
            FieldsGraph(network).eval(),
            example,
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_shapes=dict.fromkeys(INPUTS, axes),
            verbose=False,
        )
    except Exception as error:
        raise ExportError(f"the fields network cannot be exported: {str(error).splitlines()[0]}") from error
    if program is None:
        raise ExportError("the ONNX exporter returned nothing; report this with the torch version")
    model = program.model_proto
    _fold_pads(model)
    for index, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{index}"
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""
    del model.graph.value_info[:]
    for value in (*model.graph.input, *model.graph.output):
        for dimension, name in zip(value.type.tensor_type.shape.dim, ("batch", "height", "width"), strict=False):
            dimension.dim_param = name
    onnx.helper.set_model_props(model, {**metadata, "toonfilter.size_multiple": str(FieldsNetwork.size_multiple)})
    onnx.checker.check_model(model)
    return model


def _fold_pads(model: "ModelProto") -> None:
    """Constant pads before convolutions become theirs: one operation less, and one that engines quantise."""
    from onnx import helper, numpy_helper

    graph = model.graph
    constants = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
    pads = {node.output[0]: node for node in graph.node if node.op_type == "Pad" and node.input[1] in constants}
    for node in graph.node:
        pad = pads.get(node.input[0]) if node.op_type == "Conv" else None
        if pad is None:
            continue
        amounts = [int(value) for value in constants[pad.input[1]]]
        if len(amounts) != 8 or any(amounts[axis] for axis in (0, 1, 4, 5)):
            continue
        kept = [attribute for attribute in node.attribute if attribute.name not in ("pads", "auto_pad")]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("pads", [*amounts[2:4], *amounts[6:8]])])
        node.input[0] = pad.input[0]
    read = {name for node in graph.node for name in node.input}
    for node in pads.values():
        if node.output[0] not in read:
            graph.node.remove(node)


def to_int8(model: "ModelProto", feeds: Sequence[Feeds]) -> "ModelProto":
    """The same graph as QDQ INT8: convolutions per channel, ranges measured on feeds; bytes stay bytes at both ends.

    Raises:
        ExportError: no feeds, or the quantiser fails.
        ConfigError: the export extra is not installed.
    """
    if not feeds:
        raise ExportError("int8 needs real pictures to measure ranges on")
    ends = _find_ends(model)

    def quantise() -> "ModelProto":
        quantised = _quantised(model, feeds, ends)
        _keep_bytes(quantised, ends)
        return quantised

    return checked_int8(model, quantise)


@dataclass(frozen=True, slots=True)
class _Ends:
    """Tensors: picture bytes before the cast, centred levels, logits, their sigmoid, and the answer's bytes."""

    entering: str
    centred: str
    logits: str
    curve: str
    leaving: str


def _find_ends(model: "ModelProto") -> _Ends:
    makers = {name: node for node in model.graph.node for name in node.output}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    sigmoid = next(node for node in model.graph.node if node.op_type == "Sigmoid")
    last_cast = [node for node in model.graph.node if node.op_type == "Cast"][-1]
    centred = convolutions[0].input[0]
    cast = makers[makers[centred].input[0]]
    if cast.op_type != "Cast" or sigmoid.input[0] != convolutions[-1].output[0]:
        raise ExportError("the graph of the fields network does not begin with a cast and end with a curve")
    return _Ends(cast.input[0], centred, sigmoid.input[0], sigmoid.output[0], last_cast.output[0])


def _quantised(model: "ModelProto", feeds: Sequence[Feeds], ends: _Ends) -> "ModelProto":
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    def fixed(scale: float, zero_point: int) -> list[dict[str, Any]]:
        return [{"scale": np.array(scale, np.float32), "zero_point": np.array(zero_point, np.uint8)}]

    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        onnx.save(onnx.shape_inference.infer_shapes(model), source)
        quantize_static(
            source,
            result,
            _Reader(feeds),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_QUANTISED),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={
                "CalibMovingAverage": True,
                "DedicatedQDQPair": False,
                "TensorQuantOverrides": {
                    ends.centred: fixed(1.0, int(MIDDLE_LEVEL)),
                    ends.logits: fixed(_LOGIT_REACH / 127.5, 128),
                    ends.curve: fixed(1 / 255, 0),
                },
            },
        )
        return onnx.load(result)


def _keep_bytes(model: "ModelProto", ends: _Ends) -> None:
    """Levels are bytes already where they enter and, behind the curve, where they leave: no casts and scalings."""
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)

    def quantised_from(name: str) -> str:
        node = next(node for node in readers[name] if node.op_type == "QuantizeLinear")
        return str(node.output[0])

    entering, leaving = quantised_from(ends.centred), quantised_from(ends.curve)
    renamed = {entering: ends.entering, ends.leaving: leaving}
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    while True:
        read = {name for node in model.graph.node for name in node.input} | {OUTPUT}
        unread = [node for node in model.graph.node if not read & set(node.output)]
        if not unread:
            break
        for node in unread:
            model.graph.node.remove(node)
    read = {name for node in model.graph.node for name in node.input}
    for entry in [entry for entry in model.graph.initializer if entry.name not in read]:
        model.graph.initializer.remove(entry)
    del model.graph.value_info[:]


class _Reader:
    """Hands the feeds to the quantiser, one by one."""

    def __init__(self, feeds: Sequence[Feeds]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> Feeds | None:
        return next(self._feeds, None)


def plane_differences(first: Draw, second: Draw, feeds: Sequence[Feeds]) -> dict[str, float]:
    """Mean absolute difference of each plane, in 8-bit levels."""
    total = np.zeros(len(FIELDS))
    for feed in feeds:
        total += np.abs(first(feed).astype(np.int16) - second(feed)).mean((0, 1, 2))
    return {name: round(float(value), 3) for name, value in zip(FIELDS, total / max(len(feeds), 1), strict=True)}
