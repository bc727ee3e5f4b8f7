"""XGAN's two crossed autoencoders (Royer et al. 2017, appendix A): the layers near the embedding are shared."""

import itertools
from typing import Literal

from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.networks.blocks import initialise
from toonfilter.train.networks.discriminators import Discriminator

Domain = Literal["photo", "cartoon"]
DOMAINS: tuple[Domain, Domain] = ("photo", "cartoon")


def _down(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def _up(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class XganAutoencoders(nn.Module):
    """Encoders e1, e2 and decoders d1, d2 for photos and cartoons, meeting in one embedding.

    Encoder: two convolutions of each domain's own (w, 2w), then shared: two convolutions (4w, 8w) and two fully
    connected layers. Decoder: shared fully connected layer and two transposed convolutions (8w, 4w), then each
    domain's own (2w, w) and the picture; tanh. The paper's w is 32, the embedding 1024, the pictures 64x64.

    Raises:
        ConfigError: a size that is no multiple of 16.
    """

    def __init__(self, *, size: int = 64, width: int = 32, embedding: int = 1024) -> None:
        super().__init__()
        if size % 16:
            raise ConfigError(f"xgan: size is {size}; expected a multiple of 16")
        self.size = size
        self.embedding = embedding
        self.small = size // 16
        self.width = width
        self.own_encoders = nn.ModuleDict(
            {name: nn.Sequential(_down(3, width), _down(width, width * 2)) for name in DOMAINS}
        )
        self.shared_encoder = nn.Sequential(
            _down(width * 2, width * 4),
            _down(width * 4, width * 8),
            nn.Flatten(),
            nn.Linear(width * 8 * self.small**2, embedding),
            nn.ReLU(inplace=True),
            nn.Linear(embedding, embedding),
        )
        self.from_embedding = nn.Sequential(nn.Linear(embedding, width * 16 * self.small**2), nn.ReLU(inplace=True))
        self.shared_decoder = nn.Sequential(_up(width * 16, width * 8), _up(width * 8, width * 4))
        self.own_decoders = nn.ModuleDict(
            {
                name: nn.Sequential(
                    _up(width * 4, width * 2),
                    nn.ConvTranspose2d(width * 2, width, 4, stride=2, padding=1),
                    nn.ReLU(inplace=True),
                    nn.Conv2d(width, 3, 3, padding=1),
                    nn.Tanh(),
                )
                for name in DOMAINS
            }
        )
        initialise(self)

    def encode(self, image: Tensor, domain: Domain) -> Tensor:
        """Return embeddings [N,embedding] of pictures [N,3,size,size] in [-1,1]."""
        out: Tensor = self.shared_encoder(self.own_encoders[domain](image))
        return out

    def decode(self, embedding: Tensor, domain: Domain) -> Tensor:
        """Return pictures [N,3,size,size] in [-1,1] of embeddings [N,embedding]."""
        grid = self.from_embedding(embedding).unflatten(1, (self.width * 16, self.small, self.small))
        out: Tensor = self.own_decoders[domain](self.shared_decoder(grid))
        return out

    def forward(self, photo: Tensor) -> Tensor:
        """Translate photos to cartoons: d2(e1(x))."""
        return self.decode(self.encode(photo, "photo"), "cartoon")


class DomainClassifier(nn.Module):
    """The classifier of the domain-adversarial loss (Ganin et al. 2016): embedding [N,E] to logits [N,1]."""

    def __init__(self, *, embedding: int = 1024, width: int = 256) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(embedding, width), nn.LeakyReLU(0.2, inplace=True), nn.Linear(width, 1))
        initialise(self)

    def forward(self, embedding: Tensor) -> Tensor:
        """Return logits: positive means photo."""
        out: Tensor = self.body(embedding)
        return out


class XganDiscriminator(Discriminator):
    """XGAN's small discriminator: four stride-2 convolutions (w/2, w, w, w) and one linear layer; logits [N,1]."""

    def __init__(self, *, size: int = 64, width: int = 32) -> None:
        widths = (3, max(width // 2, 1), width, width, width)
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(widths):
            layers += [nn.Conv2d(a, b, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        head = nn.Sequential(nn.Flatten(), nn.Linear(width * (size // 16) ** 2, 1))
        super().__init__(nn.Sequential(*layers), head)
