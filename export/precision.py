"""FP16 and INT8 files out of the FP32 file."""

import copy
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.export.crops import Feeds
from toonfilter.export.onnx_export import NORM_NODES_KEY, ExportError
from toonfilter.runtime.errors import require

if TYPE_CHECKING:
    from onnx import ModelProto

    from toonfilter.export.picture_levels import Levels

FP16_HEADROOM = 8.0
"""A tensor may reach 65504 / headroom on the crops given; what goes beyond is computed in fp32."""

# Sums over whole planes, which overflow in fp16, and what some engine here has no fp16 kernel for.
_FP32_OPERATORS = {
    "BatchNormalization",
    "CumSum",
    "GroupNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "LpNormalization",
    "MeanVarianceNormalization",
    "RMSNormalization",
    "Range",
}
_KEPT_PERCENT = 99.97
_CONVOLUTIONS = ("Conv", "ConvTranspose", "Gemm")


def to_fp16(model: "ModelProto", feeds: Sequence[Feeds]) -> "ModelProto":
    """The same graph with fp16 weights and activations; normalisation layers, and what overflows on feeds, stay fp32.

    Pictures stay uint8 in and out. An engine that follows the types of the graph (TensorRT 11, TensorRT-RTX) needs no
    precision flag for it.

    Raises:
        ExportError: the converter made a graph that is not valid.
        ConfigError: the export extra is not installed.
    """
    onnx = require("onnx", extra="export")
    from toonfilter.export.half import convert_to_half

    norms = set(_property(model, NORM_NODES_KEY).split("\n")) - {""}
    kept = norms | overflowing_nodes(model, feeds)
    kept |= {node.name for node in model.graph.node if node.op_type in _FP32_OPERATORS}
    try:
        converted = convert_to_half(model, kept)
        onnx.checker.check_model(converted, full_check=True)
    except Exception as error:
        raise ExportError(f"the fp16 conversion failed: {str(error).splitlines()[0]}") from error
    return converted


def overflowing_nodes(model: "ModelProto", feeds: Sequence[Feeds]) -> set[str]:
    """Names of the nodes that read or write a float tensor too large for fp16 on these crops, weights included."""
    onnx = require("onnx", extra="export")
    limit = float(np.finfo(np.float16).max) / FP16_HEADROOM
    probe = copy.deepcopy(model)
    float_tensors = _float_tensors(onnx, probe)
    shown = {value.name for value in probe.graph.output}
    for name in float_tensors - shown:
        probe.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = _session(probe.SerializeToString())
    names = [output.name for output in session.get_outputs() if output.name in float_tensors]
    weights = {entry.name: onnx.numpy_helper.to_array(entry) for entry in model.graph.initializer}
    large = {name for name, value in weights.items() if value.dtype == np.float32 and _exceeds(value, limit)}
    for feed in feeds:
        for name, value in zip(names, session.run(names, feed), strict=True):
            if _exceeds(value, limit):
                large.add(name)
    return {node.name for node in model.graph.node if large & {*node.input, *node.output}}


def _exceeds(values: NDArray[np.float32], limit: float) -> bool:
    return bool(values.size) and not float(np.abs(values).max()) <= limit


def _float_tensors(onnx: Any, model: "ModelProto") -> set[str]:
    inferred = onnx.shape_inference.infer_shapes(model)
    return {
        value.name for value in inferred.graph.value_info if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }


def to_int8(model: "ModelProto", feeds: Sequence[Feeds], *, last_in_fp32: int = 1) -> "ModelProto":
    """The same graph as QDQ INT8: convolutions per channel, ranges measured on feeds (real crops).

    last_in_fp32: so many convolutions at the end stay fp32. At least one does, or its steps would show as bands, but
    for files that add their last convolution to the photo: 0 makes that one INT8 too.

    Raises:
        ExportError: no feeds, or the quantiser fails.
        ConfigError: the export extra is not installed.
    """
    require("onnx", extra="export")
    from toonfilter.export.picture_levels import answer_in_levels, fold_offsets, keep_levels_in_uint8, known_levels

    if not feeds:
        raise ExportError("int8 needs real face crops to measure ranges on; give some with --crops")
    source = copy.deepcopy(model)
    fold_offsets(source)
    adds_to_photo = answer_in_levels(source) is not None
    convolutions = [node.name for node in source.graph.node if node.op_type in _CONVOLUTIONS]
    in_fp32 = last_in_fp32 if adds_to_photo else max(last_in_fp32, 1)
    kept = convolutions[len(convolutions) - in_fp32 :]
    excluded = kept + _shape_nodes(source, count_ends=not adds_to_photo or in_fp32 > 0)

    def quantise() -> "ModelProto":
        known = known_levels(source)
        quantised = _quantised(source, feeds, excluded, known, is_small=adds_to_photo)
        keep_levels_in_uint8(quantised, known)
        return quantised

    return checked_int8(model, quantise)


def checked_int8(model: "ModelProto", quantise: Callable[[], "ModelProto"]) -> "ModelProto":
    """What `quantise` makes of the model, checked, with the model's metadata.

    Raises:
        ExportError: the quantiser fails, or what it makes is no model.
        ConfigError: the export extra is not installed.
    """
    onnx = require("onnx", extra="export")
    from toonfilter.export.doubling import double_by_copying

    try:
        quantised = quantise()
        double_by_copying(quantised)
        onnx.checker.check_model(quantised)
    except Exception as error:
        raise ExportError(f"the int8 quantisation failed: {str(error).splitlines()[0]}") from error
    onnx.helper.set_model_props(quantised, {entry.key: entry.value for entry in model.metadata_props})
    return quantised


def _quantised(
    model: "ModelProto",
    feeds: Sequence[Feeds],
    excluded: list[str],
    known: "Mapping[str, Levels]",
    *,
    is_small: bool,
) -> "ModelProto":
    """is_small: all values of all feeds fit into memory, so that ranges can leave out the few that lie far off.

    With those in, the steps are coarse enough to show as grain on skin.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    given = {
        name: [{"scale": np.array(levels.scale, np.float32), "zero_point": np.array(levels.zero_point, np.uint8)}]
        for name, levels in known.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        source, prepared, result = (Path(folder) / name for name in ("fp32.onnx", "prepared.onnx", "int8.onnx"))
        onnx.save(model, source)
        quant_pre_process(source, prepared, skip_optimization=True, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            result,
            _Reader(feeds),
            quant_format=QuantFormat.QDQ,
            # With Relu named, it becomes the lower limit of what stands before it.
            op_types_to_quantize=[*_CONVOLUTIONS, "Add", "Concat", "Resize", "Relu"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=excluded,
            calibrate_method=CalibrationMethod.Percentile if is_small else CalibrationMethod.MinMax,
            extra_options={
                "DedicatedQDQPair": False,
                "TensorQuantOverrides": given,
                "CalibPercentile": _KEPT_PERCENT,
            },
        )
        return onnx.load(result)


def _shape_nodes(model: "ModelProto", *, count_ends: bool = True) -> list[str]:
    """Nodes that compute with shapes or, with count_ends, with the answer behind the last convolution."""
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    makers = {name: node for node in model.graph.node for name in node.output}

    def after_last_convolution(node: Any) -> bool:
        following = [reader for name in node.output for reader in readers.get(name, [])]
        return all(
            after.op_type not in ("Conv", "ConvTranspose", "Gemm") and after_last_convolution(after)
            for after in following
        )

    excluded = []
    for node in model.graph.node:
        if node.op_type not in ("Add", "Concat", "Resize"):
            continue
        before = [makers[name] for name in node.input if name in makers]
        counts_shapes = any(
            maker.op_type in ("Shape", "Gather", "Slice", "Cast", "Unsqueeze", "Div") for maker in before
        )
        if counts_shapes or (count_ends and after_last_convolution(node)):
            excluded.append(node.name)
    return excluded


class _Reader:
    """Hands the feeds to the quantiser, one by one."""

    def __init__(self, feeds: Sequence[Feeds]) -> None:
        self._feeds: Iterator[Feeds] = iter(feeds)

    def get_next(self) -> Feeds | None:
        return next(self._feeds, None)


def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _property(model: "ModelProto", key: str) -> str:
    return next((entry.value for entry in model.metadata_props if entry.key == key), "")
