"""A content encoder, a style encoder and a decoder that fuses both by adaptive instance normalisation.

The parts of MUNIT (Huang et al. 2018, section 5.1); the content-style recipe and CariGANs' appearance network
are built from them.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toonfilter.train.networks.blocks import ResidualBlock, down_block


class ContentEncoder(nn.Module):
    """Where things are: [N,3,H,W] to [N,width*2**downs,H/2**downs,W/2**downs]; instance norm removes the style."""

    def __init__(self, width: int = 64, downs: int = 2, blocks: int = 4) -> None:
        super().__init__()
        self.size_multiple = 2**downs
        self.body = nn.Sequential(
            nn.ReflectionPad2d(3),
            nn.Conv2d(3, width, 7),
            nn.InstanceNorm2d(width),
            nn.ReLU(inplace=True),
            *(down_block(width * 2**level, width * 2 ** (level + 1), "instance") for level in range(downs)),
            *(ResidualBlock(width * 2**downs) for _ in range(blocks)),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return the content code."""
        out: Tensor = self.body(image)
        return out


class StyleEncoder(nn.Module):
    """How it looks: [N,3,H,W] to [N,style]; no normalisation (it would remove the style), global mean at the end."""

    def __init__(self, width: int = 64, downs: int = 4, style: int = 8) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), nn.ReLU(inplace=True)]
        channels = width
        for level in range(downs):
            wider = width * min(2 ** (level + 1), 4)
            layers += [nn.Conv2d(channels, wider, 4, stride=2, padding=1), nn.ReLU(inplace=True)]
            channels = wider
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(channels, style)

    def forward(self, image: Tensor) -> Tensor:
        """Return the style code."""
        out: Tensor = self.head(self.body(image).mean((2, 3)))
        return out


def adaptive_instance_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """AdaIN (Huang and Belongie 2017, equation 8): normalise each [H,W] of [N,C,H,W], then scale and shift [N,C]."""
    return F.instance_norm(x) * (1 + scale[:, :, None, None]) + shift[:, :, None, None]


class StyledBlock(nn.Module):
    """A residual block whose two normalisations are AdaIN."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.second = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")

    def forward(self, x: Tensor, parameters: Sequence[Tensor]) -> Tensor:
        """Return [N,C,H,W]; `parameters` are scale, shift, scale, shift, each [N,C]."""
        y = F.relu(adaptive_instance_norm(self.first(x), parameters[0], parameters[1]))
        return x + adaptive_instance_norm(self.second(y), parameters[2], parameters[3])


class StyledDecoder(nn.Module):
    """Fuse content and style into a picture: AdaIN residual blocks, then upsampling; tanh."""

    def __init__(self, width: int = 64, downs: int = 2, blocks: int = 4, style: int = 8) -> None:
        super().__init__()
        channels = width * 2**downs
        self.blocks = nn.ModuleList(StyledBlock(channels) for _ in range(blocks))
        self.style_to_parameters = nn.Sequential(
            nn.Linear(style, channels), nn.ReLU(inplace=True), nn.Linear(channels, channels * 4 * blocks)
        )
        layers: list[nn.Module] = []
        for level in reversed(range(downs)):
            layers += [
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv2d(width * 2 ** (level + 1), width * 2**level, 5, padding=2, padding_mode="reflect"),
                nn.GroupNorm(1, width * 2**level),
                nn.ReLU(inplace=True),
            ]
        self.up = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Return a picture [N,3,H,W] in [-1,1] for content [N,C,h,w] and style [N,style]."""
        parameters = self.style_to_parameters(style).chunk(4 * len(self.blocks), dim=1)
        for number, block in enumerate(self.blocks):
            content = block(content, parameters[4 * number : 4 * number + 4])
        out: Tensor = self.up(content)
        return out


class MeanStyle(nn.Module):
    """A running mean of style codes: the style that is used where none is given."""

    mean: Tensor

    def __init__(self, style: int, share: float = 0.01) -> None:
        super().__init__()
        self.share = share
        self.register_buffer("mean", torch.zeros(style))

    @torch.no_grad()
    def update(self, codes: Tensor) -> None:
        """Move the mean a little towards the mean of codes [N,style]."""
        self.mean.lerp_(codes.detach().float().mean(0), self.share)

    def forward(self, count: int) -> Tensor:
        """Return the mean [count,style]."""
        return self.mean.expand(count, -1)


class ContentStyleNetwork(nn.Module):
    """One content encoder, one style encoder and one decoder, shared by photos and cartoons.

    Args:
        width, downs, blocks: of the content encoder and the decoder.
        style: length of the style code.
    """

    def __init__(self, *, width: int = 64, downs: int = 2, blocks: int = 4, style: int = 8) -> None:
        super().__init__()
        self.content = ContentEncoder(width, downs, blocks)
        self.style = StyleEncoder(width, style=style)
        self.decoder = StyledDecoder(width, downs, blocks, style)
        self.mean_style = MeanStyle(style)

    def forward(self, photo: Tensor, style_of: Tensor | None = None) -> Tensor:
        """Return `photo`'s content in the style of the picture `style_of`, or in the mean style of all cartoons seen
        in training; all [N,3,H,W] in [-1,1]."""
        style = self.mean_style(photo.shape[0]) if style_of is None else self.style(style_of)
        out: Tensor = self.decoder(self.content(photo), style)
        return out
