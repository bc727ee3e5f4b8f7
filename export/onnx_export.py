"""A generator becomes one ONNX file: uint8 RGB pictures in and out, everything between them inside the graph."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from toonfilter.export.deployed import DeployedToon
from toonfilter.runtime.errors import ConfigError, ToonfilterError, require
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.train.networks.toon import ToonGenerator
from toonfilter.train.systems import ExportSpec

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 20
NORM_NODES_KEY = "toonfilter.norm_nodes"
"""Metadata of the model: names of the nodes that came out of normalisation layers, one per line."""


class ExportError(ToonfilterError):
    """A generator cannot be exported, or its files do not draw what PyTorch draws."""


class PictureGraph(nn.Module):
    """A generator with its picture conversions: what the ONNX file computes.

    image uint8 [N, H, W, 3] RGB and, where the spec asks for it, guidance uint8 [N, H, W, G] become the generator's
    -1..1 and 0..1 planes; its -1..1 answer becomes uint8 [N, H, W, C], rounded and clamped.
    """

    def __init__(self, network: nn.Module, spec: ExportSpec) -> None:
        super().__init__()
        self.network = network
        self.has_guidance = spec.guidance_channels > 0

    def forward(self, image: Tensor, guidance: Tensor | None = None) -> Tensor:
        # TensorRT takes uint8 pictures only straight into a cast.
        planes = image.to(torch.float32).permute(0, 3, 1, 2) * (1 / 127.5) - 1
        if self.has_guidance and guidance is not None:
            drawn = guidance.to(torch.float32).permute(0, 3, 1, 2) * (1 / 255)
            planes = torch.cat([planes, drawn], dim=1)
        cartoon: Tensor = self.network(planes)
        levels = torch.round((cartoon * 127.5 + 127.5).clamp(0, 255))
        return levels.permute(0, 2, 3, 1).to(torch.uint8)


def picture_graph(network: nn.Module, spec: ExportSpec) -> PictureGraph:
    """A copy of the generator ready for export: on the CPU, fp32, eval mode, weight parametrisations folded.

    Raises:
        ConfigError: the spec's sizes do not suit its size_multiple, or its channels are not those of a bundle.
    """
    if spec.guidance_channels not in (0, 3) or spec.out_channels not in (3, 4):
        raise ConfigError(
            f"export spec has {spec.guidance_channels} guidance and {spec.out_channels} output channels; a bundle has "
            "0 or 3 and 3 or 4"
        )
    own = copy.deepcopy(network).to("cpu", torch.float32).eval().requires_grad_(False)
    own = own.to(memory_format=torch.contiguous_format)
    for module in own.modules():
        for name in list(getattr(module, "parametrizations", {})):
            nn.utils.parametrize.remove_parametrizations(module, name)
    return PictureGraph(own, spec).eval()


def example_inputs(spec: ExportSpec, size: int, batch: int = 2) -> tuple[Tensor, ...]:
    """Inputs of the picture graph, uint8 [batch, size, size, ...] of one grey."""
    image = torch.full((batch, size, size, 3), 128, dtype=torch.uint8)
    if not spec.guidance_channels:
        return (image,)
    return image, torch.zeros((batch, size, size, spec.guidance_channels), dtype=torch.uint8)


def export_graph(
    graph: PictureGraph, spec: ExportSpec, sizes: Sequence[int], metadata: Mapping[str, str]
) -> "dict[int | None, ModelProto]":
    """Export for all sizes with a dynamic batch of 1 to 4.

    Returns one model under None that takes every size, where the generator allows it; else one per size.

    Raises:
        ExportError: the generator cannot be exported; the text names the module that stands in the way.
        ConfigError: a size the generator does not take, or the export extra is not installed.
    """
    require("onnx", extra="export")
    require("onnxscript", extra="export")
    for size in sizes:
        if size % spec.size_multiple:
            raise ConfigError(f"size {size} is not a multiple of {spec.size_multiple}, which this generator needs")
    models: dict[int | None, ModelProto] = {}
    shipped = _deployed(graph, spec)
    if len(sizes) > 1:
        flexible = _try_flexible(shipped, spec, min(sizes))
        if flexible is not None:
            models = {None: flexible}
    if not models:
        models = {size: _export(shipped, spec, size, flexible=False) for size in sizes}
    for model in models.values():
        _tidy(model, spec, metadata)
    return models


def _deployed(graph: PictureGraph, spec: ExportSpec) -> nn.Module:
    """What is written: the graph, or a faster form of the same where there is one."""
    if isinstance(graph.network, ToonGenerator):
        return DeployedToon(graph.network, spec).eval()
    return graph


def _try_flexible(graph: nn.Module, spec: ExportSpec, size: int) -> "ModelProto | None":
    """One graph for all sizes; None where the generator's graph holds only at the size it is traced with."""
    try:
        return _export(graph, spec, size, flexible=True)
    except ExportError:
        return None


def _export(graph: nn.Module, spec: ExportSpec, size: int, *, flexible: bool) -> "ModelProto":
    inputs = example_inputs(spec, size)
    dynamic = torch.export.Dim.DYNAMIC
    axes = {0: dynamic, 1: dynamic, 2: dynamic} if flexible else {0: dynamic}
    names = ("image", "guidance")[: len(inputs)]
    try:
        program = torch.onnx.export(
            graph,
            inputs,
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=list(names),
            output_names=["cartoon"],
            dynamic_shapes=dict.fromkeys(names, axes),
            verbose=False,
        )
    except Exception as error:
        culprit = None if flexible else next(unexportable_modules(graph, inputs), None)
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        where = f"module {culprit}" if culprit else "the generator"
        raise ExportError(f"{where} cannot be exported to ONNX at size {size}: {reason}") from error
    if program is None:
        raise ExportError("the ONNX exporter returned nothing; report this with the torch version")
    return program.model_proto


def unexportable_modules(graph: nn.Module, inputs: tuple[Tensor, ...]) -> Iterator[str]:
    """Paths of the deepest modules that torch cannot export on their own, each with its class name.

    Each module is tried with the inputs that it sees in a real call, children before parents.
    """
    seen: dict[str, tuple[Any, ...]] = {}
    hooks = [
        module.register_forward_pre_hook(lambda _, args, name=name: seen.setdefault(name, args))
        for name, module in graph.named_modules()
    ]
    try:
        with torch.no_grad():
            graph(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    failed: list[str] = []
    for name, module in sorted(graph.named_modules(), key=lambda item: -item[0].count(".")):
        inside_fails = any(other.startswith(f"{name}.") if name else True for other in failed)
        if name not in seen or inside_fails or _is_exportable(module, seen[name]):
            continue
        failed.append(name)
        yield f"{name.removeprefix('network.') or 'network'} ({type(module).__name__})"


def _is_exportable(module: nn.Module, inputs: tuple[Any, ...]) -> bool:
    try:
        torch.onnx.export(module, inputs, dynamo=True, external_data=False, opset_version=OPSET, verbose=False)
    except Exception:
        return False
    return True


def _tidy(model: "ModelProto", spec: ExportSpec, metadata: Mapping[str, str]) -> None:
    """Name the dimensions, note the normalisation nodes, drop traces of the exporting machine, add the metadata."""
    import onnx

    norm_nodes = []
    for index, node in enumerate(model.graph.node):
        traces = {entry.key: entry.value for entry in node.metadata_props}
        classes = traces.get("pkg.torch.onnx.class_hierarchy", "")
        node.name = f"{node.op_type}_{index}"
        # A convolution that took a batch norm in carries the norm's name, and is one no more.
        if "norm" in classes.lower() and node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
            norm_nodes.append(node.name)
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""
    del model.graph.value_info[:]
    del model.graph.metadata_props[:]
    del model.functions[:]
    for value in (*model.graph.input, *model.graph.output):
        for dimension, name in zip(value.type.tensor_type.shape.dim, ("batch", "height", "width"), strict=False):
            if dimension.WhichOneof("value") == "dim_param":
                dimension.dim_param = name
    multiple = str(spec.size_multiple)
    notes = {**metadata, NORM_NODES_KEY: "\n".join(norm_nodes), "toonfilter.size_multiple": multiple}
    onnx.helper.set_model_props(model, notes)
    onnx.checker.check_model(model)


def save_model(model: "ModelProto", path: Path) -> None:
    """Write the file under a temporary name and rename it when whole."""
    write_whole(path, model.SerializeToString(deterministic=True))
