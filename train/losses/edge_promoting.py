"""CartoonGAN's edge-promoting adversarial loss (Chen et al. 2018, equation 3)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def edge_promoting_loss(cartoon_logits: Tensor, smoothed_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """What the discriminator minimises: -E[log D(c)] - E[log(1 - D(e))] - E[log(1 - D(G(p)))].

    `e` are the cartoons with their edges smoothed away: clear edges become part of what a cartoon is.
    """
    return (
        F.binary_cross_entropy_with_logits(cartoon_logits, torch.ones_like(cartoon_logits))
        + F.binary_cross_entropy_with_logits(smoothed_logits, torch.zeros_like(smoothed_logits))
        + F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
    )
