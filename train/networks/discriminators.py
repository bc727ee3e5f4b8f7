"""Discriminators of the published methods. All return logits (no sigmoid), so that each serves as a critic too.

Each has `features(image)`, the activations before the last layer, and `middle(image)`, those half way up: the feature
cycle loss compares one of them.
"""

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toonfilter.train.networks.blocks import Norm, initialise, norm_layer


class Discriminator(nn.Module):
    """Pictures to features by `body`, features to logits by `head`.

    half_way: how many layers of the body make `middle`; half of them where nothing is said.
    """

    def __init__(self, body: nn.Sequential, head: nn.Module, half_way: int | None = None) -> None:
        super().__init__()
        self.body = body
        self.head = head
        self.half_way = max(1, len(body) // 2) if half_way is None else half_way
        initialise(self)

    def features(self, image: Tensor) -> Tensor:
        """Return the activations before the logits."""
        out: Tensor = self.body(image)
        return out

    def middle(self, image: Tensor) -> Tensor:
        """Return the activations half way up the body."""
        out: Tensor = self.body[: self.half_way](image)
        return out

    def forward(self, image: Tensor) -> Tensor:
        """Return logits for float [N,in_channels,H,W] in [-1,1]."""
        out: Tensor = self.head(self.features(image))
        return out


class PatchDiscriminator(Discriminator):
    """The 70x70 PatchGAN of Isola et al. 2017, appendix 6.1.2: C64-C128-C256-C512, then one logit per patch.

    Args:
        in_channels: 3; 6 for a discriminator that sees input and output together.
        layers: blocks with normalisation after the first one; 3 gives the 70x70 receptive field, 1 gives 16x16.
    """

    def __init__(self, in_channels: int = 3, *, width: int = 64, layers: int = 3, norm: Norm = "instance") -> None:
        body: list[nn.Module] = [
            nn.Conv2d(in_channels, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        channels = width
        for level in range(1, layers + 1):
            wider = width * min(2**level, 8)
            stride = 2 if level < layers else 1
            body += [
                nn.Conv2d(channels, wider, 4, stride=stride, padding=1, bias=norm != "batch"),
                norm_layer(norm, wider),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            channels = wider
        # Two modules for the first block, three for each after it.
        half_way = 2 + 3 * max(0, (layers + 1) // 2 - 1)
        super().__init__(nn.Sequential(*body), nn.Conv2d(channels, 1, 4, padding=1), half_way)


class CoarseFineDiscriminator(Discriminator):
    """Two patch discriminators: a fine one on the picture, a coarse one at half the size (Wang et al. 2018, pix2pixHD,
    section 3.2); logits [N,P] of both, one after the other.

    `features` and `middle` are those of the fine one.
    """

    def __init__(self, in_channels: int = 3, *, width: int = 64, layers: int = 3, norm: Norm = "instance") -> None:
        fine = PatchDiscriminator(in_channels, width=width, layers=layers, norm=norm)
        super().__init__(fine.body, fine.head, fine.half_way)
        self.coarse = PatchDiscriminator(in_channels, width=width, layers=layers, norm=norm)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits [N,2 P]: the fine ones, then the coarse ones, spread over as many places."""
        fine = super().forward(image)
        coarse = self.coarse(F.avg_pool2d(image, 3, stride=2, padding=1, count_include_pad=False))
        # A mean over all logits then weighs both scales alike.
        spread = F.interpolate(coarse, fine.shape[-2:], mode="nearest-exact")
        return torch.cat([fine.flatten(1), spread.flatten(1)], 1)


class ResidualDownBlock(nn.Module):
    """Halve the size with a residual connection: 3x3, 3x3, mean pool, beside 1x1, mean pool."""

    def __init__(self, in_channels: int, out_channels: int, norm: Norm) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=norm != "batch"),
            norm_layer(norm, out_channels),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
        )
        self.skip = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N,out_channels,H/2,W/2]."""
        return F.avg_pool2d(self.body(x) + self.skip(x), 2)


class ResidualDiscriminator(Discriminator):
    """A patch discriminator of residual blocks (cyclegan-v6): the same number of halvings as the 70x70 PatchGAN."""

    def __init__(self, in_channels: int = 3, *, width: int = 64, layers: int = 3, norm: Norm = "instance") -> None:
        widths = [width * min(2**level, 8) for level in range(layers + 1)]
        blocks = (ResidualDownBlock(a, b, norm) for a, b in itertools.pairwise(widths))
        body = nn.Sequential(nn.Conv2d(in_channels, width, 3, padding=1), *blocks, nn.LeakyReLU(0.2))
        super().__init__(body, nn.Conv2d(widths[-1], 1, 3, padding=1), 1 + (layers + 1) // 2)


class EdgeDiscriminator(Discriminator):
    """CartoonGAN's shallow patch discriminator (Chen et al. 2018, figure 2): edges are local, so few layers do.

    k3n32s1, k3n64s2, k3n128s1, k3n128s2, k3n256s1, k3n256s1, k3n1s1; normalisation after the s1 ones.
    """

    def __init__(self, in_channels: int = 3, *, width: int = 32, norm: Norm = "batch") -> None:
        plan: Sequence[tuple[int, int, int, bool]] = (
            (in_channels, width, 1, False),
            (width, width * 2, 2, False),
            (width * 2, width * 4, 1, True),
            (width * 4, width * 4, 2, False),
            (width * 4, width * 8, 1, True),
            (width * 8, width * 8, 1, True),
        )
        body: list[nn.Module] = []
        for channels, wider, stride, normalised in plan:
            body.append(nn.Conv2d(channels, wider, 3, stride=stride, padding=1))
            if normalised:
                body.append(norm_layer(norm, wider))
            body.append(nn.LeakyReLU(0.2, inplace=True))
        super().__init__(nn.Sequential(*body), nn.Conv2d(width * 8, 1, 3, padding=1))


class VectorDiscriminator(Discriminator):
    """A small multilayer perceptron over vectors: landmark coefficients, embeddings. [N,size] to logits [N,1]."""

    def __init__(self, size: int, width: int = 128, layers: int = 2) -> None:
        body: list[nn.Module] = []
        channels = size
        for _ in range(layers):
            body += [nn.Linear(channels, width), nn.LeakyReLU(0.2, inplace=True)]
            channels = width
        super().__init__(nn.Sequential(*body), nn.Linear(channels, 1))
