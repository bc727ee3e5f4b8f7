"""The U-Net generator of pix2pix."""

import torch
from torch import Tensor, nn

from toonfilter.train.networks.blocks import Norm, initialise, norm_layer


class UNetGenerator(nn.Module):
    """[N, in_channels, S, S] to [N, out_channels, S, S], both in -1..1; S a multiple of 2**downs.

    Isola et al. 2017, appendix 6.1.1: encoder C64-C128-C256-C512-C512-C512-C512-C512, decoder CD512-CD512-CD512-C512-
    C256-C128-C64 with skip connections, 4x4 convolutions of stride 2, LeakyReLU 0.2 down and ReLU up, no normalisation
    in the first layer nor at the bottleneck, tanh. Their dropout of 50 % is the method's noise and stays on at test
    time there (section 3.2); here it is on in training only, so that a video does not flicker.

    Args:
        width: channels after the first layer. downs: halvings; 8 brings 256 px to 1.
        dropouts: decoder layers with dropout, from the bottleneck up.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        width: int = 64,
        downs: int = 8,
        norm: Norm = "batch",
        dropouts: int = 3,
    ) -> None:
        super().__init__()
        self.size_multiple = 2**downs
        widths = [width * min(2**level, 8) for level in range(downs)]
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for level, channels in enumerate(widths):
            before = in_channels if level == 0 else widths[level - 1]
            is_edge = level in (0, downs - 1)
            layers: list[nn.Module] = [] if level == 0 else [nn.LeakyReLU(0.2)]
            layers.append(nn.Conv2d(before, channels, 4, stride=2, padding=1))
            self.down.append(nn.Sequential(*layers, nn.Identity() if is_edge else norm_layer(norm, channels)))
        for level in reversed(range(downs)):
            below = widths[level] * (1 if level == downs - 1 else 2)
            channels = out_channels if level == 0 else widths[level - 1]
            layers = [nn.ReLU(), nn.ConvTranspose2d(below, channels, 4, stride=2, padding=1)]
            if level > 0:
                layers.append(norm_layer(norm, channels))
                if downs - 1 - level < dropouts:
                    layers.append(nn.Dropout(0.5))
            self.up.append(nn.Sequential(*layers))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return pictures in -1..1."""
        kept = []
        for layer in self.down:
            x = layer(x)
            kept.append(x)
        x = self.up[0](kept.pop())
        for layer in list(self.up)[1:]:
            x = layer(torch.cat([x, kept.pop()], dim=1))
        return x.tanh()
