"""The convolution blocks that the published networks share."""

from typing import Literal

import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError

Norm = Literal["instance", "batch", "none"]


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """Return the normalisation named in a recipe.

    Raises:
        ConfigError: an unknown name.
    """
    match norm:
        case "instance":
            return nn.InstanceNorm2d(channels)
        case "batch":
            return nn.BatchNorm2d(channels)
        case "none":
            return nn.Identity()
    raise ConfigError(f"normalisation is {norm!r}; expected instance, batch or none")


def down_block(in_channels: int, out_channels: int, norm: Norm) -> nn.Sequential:
    """Halve the size: convolution 3x3 stride 2, normalisation, ReLU ("d" in Johnson et al. 2016)."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=norm != "batch"),
        norm_layer(norm, out_channels),
        nn.ReLU(inplace=True),
    )


def up_block(in_channels: int, out_channels: int, norm: Norm) -> nn.Sequential:
    """Double the size: transposed convolution 3x3 stride 1/2, normalisation, ReLU ("u")."""
    return nn.Sequential(
        nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1, bias=norm != "batch"),
        norm_layer(norm, out_channels),
        nn.ReLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a skip connection, reflection padded; [N,C,H,W] to the same shape."""

    def __init__(self, channels: int, norm: Norm = "instance") -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=norm != "batch"),
            norm_layer(norm, channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=norm != "batch"),
            norm_layer(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return x + body(x)."""
        out: Tensor = x + self.body(x)
        return out


def together(network: nn.Module, *batches: Tensor) -> tuple[Tensor, ...]:
    """Return `network` of each of several batches [N,...], made in one pass: fewer and larger convolutions.

    A network with batch normalisation gets them one by one: its statistics are those of a batch.
    """
    if any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in network.modules()):
        return tuple(network(batch) for batch in batches)
    return tuple(network(torch.cat(batches)).split([len(batch) for batch in batches]))


def initialise(network: nn.Module, std: float = 0.02) -> None:
    """Draw the weights as DCGAN, pix2pix and CycleGAN do: N(0, std), normalisation scales N(1, std), biases 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.normal_(module.weight, 1.0, std)
            nn.init.zeros_(module.bias)
