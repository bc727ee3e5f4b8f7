"""U-GAT-IT's networks (Kim et al. 2020): attention from a class activation map, and normalisation between instance and
layer statistics (AdaLIN)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.networks.blocks import ResidualBlock
from toonfilter.train.networks.discriminators import Discriminator


class AttentionMap(nn.Module):
    """Weigh channels by what a classifier of the domain finds in them (section 2.1.1; Zhou et al. 2016).

    Pooled by mean and by maximum, each with a linear classifier; its weights scale the channels, and both are fused.
    """

    def __init__(self, channels: int, activation: nn.Module) -> None:
        super().__init__()
        self.of_mean = nn.Linear(channels, 1, bias=False)
        self.of_max = nn.Linear(channels, 1, bias=False)
        self.fuse = nn.Conv2d(channels * 2, channels, 1)
        self.activation = activation

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weighed activations [N,C,H,W] and the classifiers' logits [N,2]."""
        logits = torch.cat([self.of_mean(x.mean((2, 3))), self.of_max(x.amax((2, 3)))], 1)
        weights = [linear.weight.view(1, -1, 1, 1) for linear in (self.of_mean, self.of_max)]
        fused: Tensor = self.activation(self.fuse(torch.cat([x * weight for weight in weights], 1)))
        return fused, logits


class LayerInstanceNorm(nn.Module):
    """rho * instance norm + (1 - rho) * layer norm, then scale and shift (equation 1); rho [C] stays in 0..1.

    adaptive: scale and shift come from outside (AdaLIN, rho from 0.9); otherwise they are learned (LIN, rho from 0).
    """

    def __init__(self, channels: int, *, adaptive: bool) -> None:
        super().__init__()
        self.rho = nn.Parameter(torch.full((1, channels, 1, 1), 0.9 if adaptive else 0.0))
        self.gamma = None if adaptive else nn.Parameter(torch.ones(1, channels, 1, 1))
        self.beta = None if adaptive else nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None) -> Tensor:
        """Return [N,C,H,W]; gamma, beta: [N,C] where it is adaptive."""
        instance = F.instance_norm(x)
        layer = F.layer_norm(x, x.shape[1:])
        mixed = self.rho * instance + (1 - self.rho) * layer
        if gamma is not None and beta is not None:
            return mixed * gamma[:, :, None, None] + beta[:, :, None, None]
        assert self.gamma is not None
        assert self.beta is not None
        return mixed * self.gamma + self.beta

    @torch.no_grad()
    def clip(self) -> None:
        """Bring rho back into 0..1, after each update (section 2.1.1)."""
        self.rho.clamp_(0.0, 1.0)


class _AdaptiveBlock(nn.Module):
    """A residual block whose normalisations are AdaLIN."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.first_norm = LayerInstanceNorm(channels, adaptive=True)
        self.second_norm = LayerInstanceNorm(channels, adaptive=True)

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        y = torch.relu(self.first_norm(self.first(x), gamma, beta))
        out: Tensor = x + self.second_norm(self.second(y), gamma, beta)
        return out


def _up(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode="reflect", bias=False),
        LayerInstanceNorm(out_channels, adaptive=False),
        nn.ReLU(inplace=True),
    )


class UgatitGenerator(nn.Module):
    """Encoder, attention, AdaLIN decoder (table 4 of the paper); [N,3,H,W] in -1..1 to the same.

    Args:
        blocks: residual blocks of the encoder, and of the decoder.
        light: scale and shift from pooled features, for any size; otherwise from all of them, for `size` alone.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        width: int = 64,
        blocks: int = 4,
        light: bool = True,
        size: int = 256,
    ) -> None:
        super().__init__()
        inner = width * 4
        self.size_multiple = 4 if light else size
        self.encoder = nn.Sequential(
            nn.Conv2d(in_channels, width, 7, padding=3, padding_mode="reflect", bias=False),
            nn.InstanceNorm2d(width),
            nn.ReLU(inplace=True),
            *(_down(width * 2**level, width * 2 ** (level + 1)) for level in range(2)),
            *(ResidualBlock(inner) for _ in range(blocks)),
        )
        self.attention = AttentionMap(inner, nn.ReLU())
        self.light = light
        self.to_style = nn.Sequential(
            nn.Linear(inner if light else inner * (size // 4) ** 2, inner, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(inner, inner, bias=False),
            nn.ReLU(inplace=True),
        )
        self.to_gamma = nn.Linear(inner, inner, bias=False)
        self.to_beta = nn.Linear(inner, inner, bias=False)
        self.blocks = nn.ModuleList(_AdaptiveBlock(inner) for _ in range(blocks))
        self.decoder = nn.Sequential(
            _up(inner, inner // 2),
            _up(inner // 2, width),
            nn.Conv2d(width, out_channels, 7, padding=3, padding_mode="reflect", bias=False),
            nn.Tanh(),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return the translated picture."""
        return self.with_attention(image)[0]

    def with_attention(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the translated picture, and the logits [N,2] of its input being of the source domain."""
        x, logits = self.attention(self.encoder(image))
        style = self.to_style(x.mean((2, 3)) if self.light else x.flatten(1))
        gamma, beta = self.to_gamma(style), self.to_beta(style)
        for block in self.blocks:
            x = block(x, gamma, beta)
        out: Tensor = self.decoder(x)
        return out, logits

    def clip(self) -> None:
        """Keep every rho in 0..1."""
        for module in self.modules():
            if isinstance(module, LayerInstanceNorm):
                module.clip()


def _down(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, padding_mode="reflect", bias=False),
        nn.InstanceNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class AttentionDiscriminator(Discriminator):
    """A patch discriminator with attention (table 5): local with 5 layers, global with 7; spectrally normalised.

    Args:
        layers: of the paper; the picture is halved layers - 2 times.
    """

    def __init__(self, in_channels: int = 3, *, width: int = 64, layers: int = 5) -> None:
        if layers < 3:
            raise ConfigError(f"discriminator layers are {layers}; expected 3 or more")
        widths = [width * 2**level for level in range(layers - 2)]
        body: list[nn.Module] = []
        for before, after in zip([in_channels, *widths], [*widths, widths[-1] * 2], strict=True):
            stride = 1 if after == widths[-1] * 2 else 2
            convolution = nn.Conv2d(before, after, 4, stride=stride, padding=1, padding_mode="reflect")
            body += [nn.utils.parametrizations.spectral_norm(convolution), nn.LeakyReLU(0.2, inplace=True)]
        inner = widths[-1] * 2
        head = nn.Conv2d(inner, 1, 4, padding=1, padding_mode="reflect", bias=False)
        super().__init__(nn.Sequential(*body), nn.utils.parametrizations.spectral_norm(head))
        self.attention = AttentionMap(inner, nn.LeakyReLU(0.2, inplace=True))
        for linear in (self.attention.of_mean, self.attention.of_max):
            nn.utils.parametrizations.spectral_norm(linear)

    def forward(self, image: Tensor) -> Tensor:
        """Return scores [N,P + 2]: of the patches, then of the attention's classifiers."""
        x, logits = self.attention(self.features(image))
        return torch.cat([self.head(x).flatten(1), logits], 1)
