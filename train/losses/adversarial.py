"""Adversarial losses on logits: vanilla, least squares, hinge and Wasserstein."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

AdversarialKind = Literal["vanilla", "lsgan", "hinge", "wgan"]


@dataclass(frozen=True)
class AdversarialLoss:
    """The two sides of the game. Scores are logits of any shape [N, ...]; answers are scalars.

    vanilla: Goodfellow et al. 2014, equation 1, with the non-saturating generator of section 3.
    lsgan:   Mao et al. 2017, equation 9 with a = 0, b = c = 1, without its factor 1/2 (as CycleGAN uses it).
    hinge:   Lim and Ye 2017.
    wgan:    Arjovsky et al. 2017, algorithm 1; the critic's constraint (clipping or penalty) is in wgan.py.

    real_label, fake_label: ranges from which the discriminator's targets are drawn per picture, from torch's global
    generator ("soft labels"; vanilla and lsgan only). A range of one value draws nothing.
    """

    kind: AdversarialKind = "vanilla"
    real_label: tuple[float, float] = (1.0, 1.0)
    fake_label: tuple[float, float] = (0.0, 0.0)

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Loss of the discriminator, for logits of real and of (detached) generated pictures. The two halves are
        averaged, which halves its rate relative to the generator (pix2pix, section 3.3)."""
        real, fake = real.float(), fake.float()
        match self.kind:
            case "hinge":
                return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())
            case "wgan":
                return fake.mean() - real.mean()
            case _:
                return 0.5 * (self._against(real, self.real_label) + self._against(fake, self.fake_label))

    def generator(self, fake: Tensor) -> Tensor:
        """Loss of the generator, for logits of generated pictures through which its gradient flows."""
        fake = fake.float()
        if self.kind in ("hinge", "wgan"):
            return -fake.mean()
        return self._against(fake, (1.0, 1.0))

    def _against(self, logits: Tensor, label: tuple[float, float]) -> Tensor:
        low, high = label
        if low == high:
            target = torch.full_like(logits, low)
        else:
            draw = torch.rand(logits.shape[0], *[1] * (logits.ndim - 1)).to(logits.device)
            target = (low + (high - low) * draw).expand_as(logits)
        if self.kind == "lsgan":
            return F.mse_loss(logits, target)
        return F.binary_cross_entropy_with_logits(logits, target)
