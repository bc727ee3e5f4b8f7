"""Distance of pretrained features: CartoonGAN's content loss, CariGANs' and Face2Anime's perceptual loss."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from toonfilter.train.losses.cycle import Norm, distance


def content_loss(
    features: Callable[[Tensor], Sequence[Tensor]], fake: Tensor, photo: Tensor, norm: Norm = "l1"
) -> Tensor:
    """||f_l(G(p)) - f_l(p)||, summed over the layers l that `features` returns (Chen et al. 2018, equation 4).

    The features of the photo are a target and send no gradient.
    """
    with torch.no_grad():
        targets = features(photo)
    return torch.stack([distance(a, b, norm) for a, b in zip(features(fake), targets, strict=True)]).sum()
