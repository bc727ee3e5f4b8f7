"""The small generator as it ships: the same drawing, written so that engines spend their time in convolutions.

Scaling is folded into the first and the last weights. Pictures stay in the order of their bytes: two rows of the photo
and two of the guidance lie side by side and are interleaved by one transpose (instead of a pixel unshuffle over six
dimensions), and the answer is interleaved back in the same way. The photo is added to the answer in 8-bit levels.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toonfilter.train.networks.toon import ToonGenerator
from toonfilter.train.systems import ExportSpec

# Levels are counted from here: an INT8 engine can pad with it, which it cannot with 127.5.
_MIDDLE_LEVEL = 128.0
_HALF_LEVELS = 127.5
# Guidance levels times this take no more room than photo levels from the middle.
_GUIDANCE_STEP = 0.5


class _Plane(NamedTuple):
    """One of the planes at half the resolution: which source (0 photo, 1 guidance), channel and pixel of the 2 x 2."""

    source: int
    channel: int
    row: int
    column: int

    @property
    def unshuffled(self) -> int:
        """Its place behind `pixel_unshuffle(cat([photo, guidance]), 2)`."""
        return 12 * self.source + 4 * self.channel + 2 * self.row + self.column


def _planes_in(sources: int) -> list[_Plane]:
    return [
        _Plane(source, channel, row, column)
        for column in (0, 1)
        for channel in range(3)
        for source in range(sources)
        for row in (0, 1)
    ]


def _planes_out(channels: int) -> list[_Plane]:
    return [_Plane(0, channel, row, column) for row in (0, 1) for column in (0, 1) for channel in range(channels)]


class DeployedToon(nn.Module):
    """What `PictureGraph` of a `ToonGenerator` computes, equal but for the rounding of sums.

    image uint8 [N, H, W, 3] RGB and, with guidance, guidance uint8 [N, H, W, 3] to uint8 [N, H, W, C]. H and W are
    multiples of 8.
    """

    offset: Tensor

    def __init__(self, network: ToonGenerator, spec: ExportSpec) -> None:
        super().__init__()
        planes = _planes_in(2 if spec.guidance_channels else 1)
        self.enter = _entering(network.enter, planes)
        # Photo levels are counted from 128, the network's zero is 127.5.
        offset = torch.tensor([_MIDDLE_LEVEL - _HALF_LEVELS if plane.source == 0 else 0.0 for plane in planes])
        self.register_buffer("offset", offset.reshape(1, -1, 1, 1))
        self.copied = _copying(planes, _planes_out(spec.out_channels)) if network.copy_input else None
        self.leave = _leaving(network, _planes_out(spec.out_channels))
        self.down_1, self.middle_down = network.down_1, network.middle_down
        self.down_2, self.trunk = network.down_2, network.trunk
        self.up_1, self.middle_up = network.up_1, network.middle_up
        self.up_2, self.top = network.up_2, network.top

    def forward(self, image: Tensor, guidance: Tensor | None = None) -> Tensor:
        count, height, width, _ = image.shape
        # TensorRT takes uint8 only at the file's ends, next to a cast.
        rows = image.to(torch.float32).reshape(count, height // 2, 2, width * 3) - _MIDDLE_LEVEL
        if guidance is not None:
            drawn = guidance.to(torch.float32).reshape(count, height // 2, 2, width * 3) * _GUIDANCE_STEP
            rows = torch.cat([rows, drawn], dim=2)
        planes = rows.transpose(2, 3).reshape(count, height // 2, width // 2, -1).permute(0, 3, 1, 2)
        # Before the rest: INT8 keeps the last convolutions of a file in fp32, and this is none of them.
        photo = self.copied(planes) if self.copied is not None else None
        high = F.relu(self.enter(planes + self.offset))
        middle = self.middle_down(F.relu(self.down_1(high)))
        low = self.trunk(F.relu(self.down_2(middle)))
        middle = self.middle_up(F.relu(F.interpolate(self.up_1(low), scale_factor=2.0, mode="nearest") + middle))
        high = self.top(F.relu(F.interpolate(self.up_2(middle), scale_factor=2.0, mode="nearest") + high))
        levels = self.leave(high)
        if photo is not None:
            levels = levels + photo
        answer = torch.round(levels.clamp(0, 255)).permute(0, 2, 3, 1)
        channels = self.leave.out_channels // 4
        pairs = answer.reshape(count, height // 2, width // 2, 2, 2 * channels)
        return pairs.transpose(2, 3).reshape(count, height, width, channels).to(torch.uint8)


def _convolution(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    made = nn.Conv2d(weight.shape[1], weight.shape[0], int(weight.shape[2]), padding=int(weight.shape[2]) // 2)
    made.weight = nn.Parameter(weight.float(), requires_grad=False)
    made.bias = nn.Parameter(bias.float(), requires_grad=False)
    return made


def _entering(enter: nn.Conv2d, planes: list[_Plane]) -> nn.Conv2d:
    """The first convolution over planes in levels from the middle, and half levels of guidance."""
    weight, bias = _parameters(enter)
    scales = [1 / _HALF_LEVELS if plane.source == 0 else 1 / (255 * _GUIDANCE_STEP) for plane in planes]
    ordered = weight[:, [plane.unshuffled for plane in planes]]
    return _convolution(ordered * torch.tensor(scales, dtype=torch.float64).reshape(1, -1, 1, 1), bias)


def _copying(planes: list[_Plane], answers: list[_Plane]) -> nn.Conv2d:
    """Picks the photo's levels for each plane of the answer, 128 where the photo has no such channel."""
    weight = torch.zeros(len(answers), len(planes), 1, 1)
    for index, answer in enumerate(answers):
        if answer in planes:
            weight[index, planes.index(answer)] = 1
    return _convolution(weight, torch.full((len(answers),), _MIDDLE_LEVEL))


def _leaving(network: ToonGenerator, answers: list[_Plane]) -> nn.Conv2d:
    """The last convolution in levels: of the correction to the photo where that is added, of the answer elsewhere."""
    weight, bias = _parameters(network.leave)
    order = [plane.unshuffled for plane in answers]
    added = [
        (0.0 if plane.channel < 3 else _HALF_LEVELS - _MIDDLE_LEVEL) if network.copy_input else _HALF_LEVELS
        for plane in answers
    ]
    return _convolution(
        weight[order] * _HALF_LEVELS, bias[order] * _HALF_LEVELS + torch.tensor(added, dtype=torch.float64)
    )


def _parameters(convolution: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Weight and bias in float64."""
    weight = convolution.weight.detach().double()
    if convolution.bias is None:
        return weight, weight.new_zeros(len(weight))
    return weight, convolution.bias.detach().double()
