"""Our real-time generator: a U of plain 3x3 convolutions between a pixel unshuffle and a pixel shuffle."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Residual(nn.Module):
    """x + conv(relu(conv(x))); no normalisation: nothing to fold, nothing that looks at the whole picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class ToonGenerator(nn.Module):
    """[N, in_channels, H, W] in -1..1 to [N, out_channels, H, W], about -1..1 (not clamped).

    The picture enters at half the resolution (pixel unshuffle), goes down to an eighth and back up with skip sums. The
    first three output channels are a correction to the first three input channels: a drawing keeps most of its photo's
    colours, so training starts from the photo. H and W are multiples of 8.

    Args:
        widths: channels at 1/2, 1/4 and 1/8.
        blocks: residual blocks at 1/4 on the way down, at 1/8, and at 1/4 on the way up.
        top_blocks: residual blocks at 1/2 before the output.
        copy_input: add the input picture to the first three output channels.
    """

    size_multiple = 8

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        widths: Sequence[int] = (16, 32, 64),
        blocks: Sequence[int] = (0, 4, 0),
        top_blocks: int = 0,
        copy_input: bool = True,
    ) -> None:
        super().__init__()
        high, middle, low = widths
        self.copy_input = copy_input
        self.enter = nn.Conv2d(4 * in_channels, high, 3, padding=1)
        self.down_1 = nn.Conv2d(high, middle, 3, stride=2, padding=1)
        self.middle_down = nn.Sequential(*(_Residual(middle) for _ in range(blocks[0])))
        self.down_2 = nn.Conv2d(middle, low, 3, stride=2, padding=1)
        self.trunk = nn.Sequential(*(_Residual(low) for _ in range(blocks[1])))
        self.up_1 = nn.Conv2d(low, middle, 3, padding=1)
        self.middle_up = nn.Sequential(*(_Residual(middle) for _ in range(blocks[2])))
        self.up_2 = nn.Conv2d(middle, high, 3, padding=1)
        self.top = nn.Sequential(*(_Residual(high) for _ in range(top_blocks)))
        self.leave = nn.Conv2d(high, 4 * out_channels, 3, padding=1)
        nn.init.normal_(self.leave.weight, 0.0, 0.005)

    def forward(self, x: Tensor) -> Tensor:
        high = F.relu(self.enter(F.pixel_unshuffle(x, 2)))
        middle = self.middle_down(F.relu(self.down_1(high)))
        low = self.trunk(F.relu(self.down_2(middle)))
        middle = self.middle_up(F.relu(F.interpolate(self.up_1(low), scale_factor=2.0, mode="nearest") + middle))
        high = self.top(F.relu(F.interpolate(self.up_2(middle), scale_factor=2.0, mode="nearest") + high))
        result = F.pixel_shuffle(self.leave(high), 2)
        if not self.copy_input:
            return result
        return torch.cat([result[:, :3] + x[:, :3], result[:, 3:]], dim=1)
