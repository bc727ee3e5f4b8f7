"""The fields network: MobileNetV2, which has seen the world, and a light decoder of plain convolutions."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toonfilter.runtime.errors import DataError
from toonfilter.runtime.fields import FIELDS

if TYPE_CHECKING:
    from onnx import GraphProto

# Sandler et al. 2018, table 2: expansion, channels, blocks, stride.
_STAGES: Final = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_STEM_CHANNELS: Final = 32
_TAPS: Final = (1, 2, 4, 6)
"""Stages whose output the decoder reads, beside the stem's: strides 4, 8, 16, 32."""
IN_PLANES: Final = 4
MIDDLE_LEVEL: Final = 128.0
"""Level of a byte that enters as 0, with which convolutions pad; a whole number, so that INT8 engines can, too."""
HALF_LEVELS: Final = 127.5


class _Convolution(nn.Module):
    """TensorFlow's "same" convolution, stride 1 or 2, without or with ReLU6: the batch norms are folded in already."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, bound: bool
    ) -> None:
        super().__init__()
        padding = kernel // 2 if stride == 1 else 0
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups)
        self.bound = bound

    def forward(self, x: Tensor) -> Tensor:
        if self.convolution.stride[0] == 2:
            x = F.pad(x, (0, 1, 0, 1))
        x = self.convolution(x)
        return F.relu6(x) if self.bound else x


class _Bottleneck(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        parts: list[nn.Module] = []
        if expansion != 1:
            parts.append(_Convolution(inputs, inner, 1, bound=True))
        parts.append(_Convolution(inner, inner, 3, stride=stride, groups=inner, bound=True))
        parts.append(_Convolution(inner, outputs, 1, bound=False))
        self.parts = nn.Sequential(*parts)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.parts(x)
        return x + y if self.residual else y


class MobileNetFeatures(nn.Module):
    """[N, in_planes, H, W], the first three RGB in -1..1, to feature maps at strides 2, 4, 8, 16, 32.

    The first map is the stem's, whose edges are those of the photo.
    """

    channels = (_STEM_CHANNELS, *(_STAGES[tap][1] for tap in _TAPS))

    def __init__(self, in_planes: int = IN_PLANES) -> None:
        super().__init__()
        self.stem = _Convolution(in_planes, _STEM_CHANNELS, 3, stride=2, bound=True)
        stages, inputs = [], _STEM_CHANNELS
        for expansion, outputs, blocks, stride in _STAGES:
            parts = [
                _Bottleneck(inputs if number == 0 else outputs, outputs, stride if number == 0 else 1, expansion)
                for number in range(blocks)
            ]
            stages.append(nn.Sequential(*parts))
            inputs = outputs
        self.stages = nn.ModuleList(stages)

    def freeze(self, stages: int) -> None:
        """Let the stem and this many stages learn nothing; 0 lets all learn."""
        if stages:
            self.stem.requires_grad_(False)
            self.stages[:stages].requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        taken = [x]
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in _TAPS:
                taken.append(x)
        return taken


class _Block(nn.Module):
    """3x3 convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.convolution(x)))

    @torch.no_grad()
    def fold(self) -> None:
        """Put the norm's running statistics into the convolution; for inference only."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.convolution = nn.utils.fuse_conv_bn_eval(self.convolution, self.norm)
            self.norm = nn.Identity()


class FieldsNetwork(nn.Module):
    """[N, 4, H, W] to logits [N, 9, H, W] of the planes of `toonfilter.runtime.fields.FIELDS`, in order.

    Input planes: RGB and the mesh plane, (levels - MIDDLE_LEVEL) / HALF_LEVELS. H and W are multiples of 32; any size.

    Args:
        widths: channels of the decoder at strides 16, 8, 4, 2.
    """

    size_multiple = 32

    def __init__(self, widths: Sequence[int] = (96, 64, 48, 32)) -> None:
        super().__init__()
        self.features = MobileNetFeatures()
        strides = MobileNetFeatures.channels
        entering = (strides[-1], *widths[:-1])
        self.down = nn.ModuleList(nn.Conv2d(above, width, 1) for above, width in zip(entering, widths, strict=True))
        self.across = nn.ModuleList(
            nn.Conv2d(tap, width, 1, bias=False) for tap, width in zip(strides[-2::-1], widths, strict=True)
        )
        self.mix = nn.ModuleList(_Block(width, width) for width in widths)
        self.head = nn.Conv2d(widths[-1], 4 * len(FIELDS), 3, padding=1)

    def fold(self) -> None:
        """Put the norms of the decoder into its convolutions; for inference only."""
        for block in self.mix:
            if isinstance(block, _Block):
                block.fold()

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.unshuffled(x), 2)

    def unshuffled(self, x: Tensor) -> Tensor:
        """The logits before the last step, [N, 36, H / 2, W / 2]: four pixels of a plane side by side."""
        *taps, y = self.features(x)
        for number, (down, across, mix) in enumerate(zip(self.down, self.across, self.mix, strict=True)):
            y = F.interpolate(down(y), scale_factor=2.0, mode="nearest") + across(taps[-1 - number])
            y = mix(F.relu(y))
        answer: Tensor = self.head(y)
        return answer


def load_imagenet(features: MobileNetFeatures, path: Path) -> None:
    """Fill in the weights of an ONNX file of MobileNetV2 with folded batch norms; further input planes start at zero.

    Raises:
        DataError: the file cannot be read, or its convolutions are not those of MobileNetV2.
    """
    from onnx import numpy_helper

    graph = _graph_in(path)
    stored = {tensor.name: torch.tensor(numpy_helper.to_array(tensor)) for tensor in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "Conv"]
    own = [part for part in features.modules() if isinstance(part, nn.Conv2d)]
    if len(nodes) < len(own):
        raise DataError(f"{path} has {len(nodes)} convolutions; MobileNetV2 has at least {len(own)}")
    with torch.no_grad():
        for node, part in zip(nodes, own, strict=False):
            weight, bias = stored[node.input[1]], stored[node.input[2]]
            if weight.shape[0] != part.weight.shape[0] or weight.shape[2:] != part.weight.shape[2:]:
                raise DataError(f"{path}: {node.input[1]} is {list(weight.shape)}; expected {list(part.weight.shape)}")
            part.weight.zero_()
            part.weight[:, : weight.shape[1]] = weight
            assert part.bias is not None
            part.bias.copy_(bias)


@torch.no_grad()
def load_exported(network: FieldsNetwork, path: Path) -> None:
    """Fill in the weights of an exported fields network (fp32 ONNX).

    Raises:
        DataError: the file cannot be read, or is no fields network, or one of other widths.
    """
    from onnx import numpy_helper

    graph = _graph_in(path)
    stored = {tensor.name: torch.tensor(numpy_helper.to_array(tensor)) for tensor in graph.initializer}
    state = network.state_dict()
    found = {name.removeprefix("network."): value for name, value in stored.items() if name.startswith("network.")}
    if "features.stem.convolution.weight" not in found:
        raise DataError(f"{path} is no exported fields network")
    found["features.stem.convolution.weight"] *= HALF_LEVELS
    # The exporter writes the head's four pixels side by side.
    order = torch.arange(4 * len(FIELDS)).reshape(len(FIELDS), 4).T.flatten()
    for name in ("head.weight", "head.bias"):
        shuffled = found[name]
        found[name] = torch.empty_like(shuffled)
        found[name][order] = shuffled
    # Biases that came of a folded norm.
    for name in [name for name in found if name.endswith(".convolution.bias") and name not in state]:
        found[f"{name.rsplit('.', 2)[0]}.norm.bias"] = found.pop(name)
    for name, value in found.items():
        if name not in state or state[name].shape != value.shape:
            raise DataError(f"{path}: {name} is {list(value.shape)}; this network has another shape there")
        state[name].copy_(value)


@torch.no_grad()
def settle_norms(network: FieldsNetwork, images: Tensor) -> None:
    """Give norms that were folded the statistics of these images; what the network answers stays as it is.

    images: [N, 4, H, W], as the network takes them. For training to go on from exported weights.
    """
    network.eval()
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    handles = [norm.register_forward_pre_hook(_settle) for norm in norms]
    network(images)
    for handle in handles:
        handle.remove()


def _settle(norm: nn.Module, inputs: tuple[Tensor]) -> None:
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    shift = norm.bias - norm.running_mean * norm.weight / (norm.running_var + norm.eps).sqrt()
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    mean, variance = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3))
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_(scale * (variance + norm.eps).sqrt())
    norm.bias.copy_(shift + scale * mean)


def is_exported(path: Path) -> bool:
    """Whether an ONNX file is an exported fields network, and not the weights of MobileNetV2 from ImageNet.

    Raises:
        DataError: no such file, or no ONNX file.
    """
    return any(tensor.name.startswith("network.features.") for tensor in _graph_in(path).initializer)


def _graph_in(path: Path) -> "GraphProto":
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load(path).graph
    except (OSError, DecodeError) as error:
        raise DataError(f"{path} cannot be read as ONNX ({error})") from error
