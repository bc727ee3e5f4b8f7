"""Discriminators of the published methods. All return logits (no sigmoid), so that each serves as a critic too.

Each has `features(image)`: the activations before the last layer, which the feature cycle loss compares.
"""

import itertools
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from toonfilter.train.networks.blocks import Norm, initialise, norm_layer


class Discriminator(nn.Module):
    """Pictures to features by `body`, features to logits by `head`."""

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.head = head
        initialise(self)

    def features(self, image: Tensor) -> Tensor:
        """Return the activations before the logits."""
        out: Tensor = self.body(image)
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
        super().__init__(nn.Sequential(*body), nn.Conv2d(channels, 1, 4, padding=1))


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
        super().__init__(body, nn.Conv2d(widths[-1], 1, 3, padding=1))


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
