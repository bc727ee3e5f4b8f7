"""The generator of AnimeGANv2 (Chen, Liu 2020), for its cost: no weights of it are used anywhere."""

import torch.nn.functional as F
from torch import Tensor, nn


def _block(before: int, after: int, *, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution with mirrored border, layer normalisation, LeakyReLU 0.2."""
    return nn.Sequential(
        nn.ReflectionPad2d(kernel // 2),
        nn.Conv2d(before, after, kernel, stride, groups=groups, bias=False),
        nn.GroupNorm(1, after),
        nn.LeakyReLU(0.2),
    )


class _InvertedResidual(nn.Module):
    """1x1 to twice the channels, 3x3 depthwise, 1x1 down; the input added where the shape stays."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        wide = 2 * before
        self.layers = nn.Sequential(
            _block(before, wide, kernel=1),
            _block(wide, wide, groups=wide),
            nn.Conv2d(wide, after, 1, bias=False),
            nn.GroupNorm(1, after),
        )
        self.is_residual = before == after

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return x + out if self.is_residual else out


class AnimeGanGenerator(nn.Module):
    """[N, 3, H, W] to [N, 3, H, W], both in -1..1; H and W multiples of 4. 2.14 M weights."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Sequential(_block(3, 32, kernel=7), _block(32, 64, stride=2), _block(64, 64))
        self.down = nn.Sequential(_block(64, 128, stride=2), _block(128, 128))
        self.trunk = nn.Sequential(
            _block(128, 128),
            _InvertedResidual(128, 256),
            *(_InvertedResidual(256, 256) for _ in range(3)),
            _block(256, 128),
        )
        self.up = nn.Sequential(_block(128, 128), _block(128, 128))
        self.leave = nn.Sequential(_block(128, 64), _block(64, 64), _block(64, 32, kernel=7))
        self.colours = nn.Conv2d(32, 3, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.trunk(self.down(self.enter(x)))
        x = self.up(F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))
        x = self.leave(F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))
        drawn: Tensor = self.colours(x).tanh()
        return drawn
