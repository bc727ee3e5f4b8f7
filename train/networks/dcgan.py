"""Faces from noise: the DCGAN of Radford et al. 2016 in the sizes of the cartoon-face report (64x64)."""

from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.networks.blocks import Norm, initialise, norm_layer
from toonfilter.train.networks.discriminators import Discriminator


def _up(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.LeakyReLU(0.2, inplace=True),
    )


def _down(in_channels: int, out_channels: int, norm: Norm) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1, bias=norm != "batch"),
        norm_layer(norm, out_channels),
        nn.LeakyReLU(0.2, inplace=True),
    )


def _same(channels: int, norm: Norm) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, bias=norm != "batch"),
        norm_layer(norm, channels),
        nn.LeakyReLU(0.2, inplace=True),
    )


class DcganGenerator(nn.Module):
    """Noise [N,noise] to a picture [N,3,64,64] in [-1,1].

    z to 8w x 4 x 4, three transposed convolutions to w x 32 x 32 (w = 64), `extra` layers that keep the size,
    one transposed convolution to 3 x 64 x 64; batch norm and leaky ReLU, tanh at the end.
    """

    def __init__(self, *, noise: int = 100, width: int = 64, extra: int = 2) -> None:
        super().__init__()
        self.noise = noise
        self.project = nn.Sequential(
            nn.ConvTranspose2d(noise, width * 8, 4, bias=False),
            nn.BatchNorm2d(width * 8),
            nn.LeakyReLU(0.2, inplace=True),
        )
        self.grow = nn.Sequential(_up(width * 8, width * 4), _up(width * 4, width * 2), _up(width * 2, width))
        self.extra = nn.Sequential(*(_same(width, "batch") for _ in range(extra)))
        self.picture = nn.Sequential(nn.ConvTranspose2d(width, 3, 4, stride=2, padding=1), nn.Tanh())
        initialise(self)

    def forward(self, noise: Tensor) -> Tensor:
        """Return pictures [N,3,64,64] for noise [N,noise] from N(0, 1).

        Raises:
            ConfigError: noise of another length.
        """
        if noise.ndim != 2 or noise.shape[1] != self.noise:
            raise ConfigError(f"noise has the shape {list(noise.shape)}; expected [N, {self.noise}]")
        out: Tensor = self.picture(self.extra(self.grow(self.project(noise[:, :, None, None]))))
        return out


class DcganDiscriminator(Discriminator):
    """The generator mirrored: [N,3,64,64] to logits [N,1,1,1]. norm: "instance" or "none" for a Wasserstein critic."""

    def __init__(self, *, width: int = 64, extra: int = 2, norm: Norm = "batch") -> None:
        body = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            *(_same(width, norm) for _ in range(extra)),
            *(_down(width * wider, width * wider * 2, norm) for wider in (1, 2, 4)),
        )
        super().__init__(body, nn.Conv2d(width * 8, 1, 4))
