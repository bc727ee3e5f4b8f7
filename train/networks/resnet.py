"""The residual generator of Johnson et al. 2016, as CycleGAN, CartoonGAN and the paired GANs use it."""

from torch import Tensor, nn

from toonfilter.train.networks.blocks import Norm, ResidualBlock, down_block, initialise, norm_layer, up_block


class ResnetGenerator(nn.Module):
    """Down blocks, residual blocks, up blocks.

    Zhu et al. 2017, appendix 7.2: c7s1-64, d128, d256, R256 x 9 (6 below 256 px), u128, u64, c7s1-3; tanh.
    Chen et al. 2018, figure 2: the same with batch norm and 8 residual blocks.

    Args:
        in_channels: 3, plus the channels of a condition (landmark heat maps) where a recipe has one.
        width: channels after the first convolution.
        downs: how often the size is halved; height and width must be multiples of 2**downs.
        blocks: residual blocks at the smallest size.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        width: int = 64,
        downs: int = 2,
        blocks: int = 9,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        self.size_multiple = 2**downs
        # Channels of what `embed` answers.
        self.embedding = width * 2**downs
        self.encoder = nn.Sequential(
            nn.ReflectionPad2d(3),
            nn.Conv2d(in_channels, width, 7, bias=norm != "batch"),
            norm_layer(norm, width),
            nn.ReLU(inplace=True),
            *(down_block(width * 2**level, width * 2 ** (level + 1), norm) for level in range(downs)),
        )
        self.residual = nn.Sequential(*(ResidualBlock(width * 2**downs, norm) for _ in range(blocks)))
        self.decoder = nn.Sequential(
            *(up_block(width * 2 ** (level + 1), width * 2**level, norm) for level in reversed(range(downs))),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, out_channels, 7),
            nn.Tanh(),
        )
        initialise(self)

    def embed(self, image: Tensor) -> Tensor:
        """Return the innermost activations [N,width * 2**downs,H / 2**downs,W / 2**downs]."""
        out: Tensor = self.residual(self.encoder(image))
        return out

    def layers(self, image: Tensor) -> list[Tensor]:
        """Return the activations that CUT compares (Park et al. 2020, appendix B): the padded picture, the convolution
        of each down block, and after the first residual block and the one in the middle."""
        found = []
        x = image
        for part in self.encoder:
            if isinstance(part, nn.Sequential):
                found.append(part[0](x))
            x = part(x)
            if len(found) == 0 and isinstance(part, nn.ReflectionPad2d):
                found.append(x)
        chosen = {0, len(self.residual) // 2}
        for number, block in enumerate(self.residual):
            x = block(x)
            if number in chosen:
                found.append(x)
        return found

    def forward(self, image: Tensor) -> Tensor:
        """Translate float [N,in_channels,H,W] in [-1,1] to [N,out_channels,H,W] in [-1,1]."""
        out: Tensor = self.decoder(self.embed(image))
        return out
