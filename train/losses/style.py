"""Gram style loss (Gatys et al. 2016, equations 3 to 5; Johnson et al. 2016, section 3.2)."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


def gram_matrix(features: Tensor) -> Tensor:
    """Return the products of all pairs of channels [N,C,C] of features [N,C,H,W], divided by C * H * W."""
    features = features.float()
    channels, height, width = features.shape[1:]
    flat = features.flatten(2)
    return flat @ flat.mT / (channels * height * width)


def style_loss(fake_features: Sequence[Tensor], style_features: Sequence[Tensor]) -> Tensor:
    """Sum over layers of the L1 distance of Gram matrices; the style's are a target."""
    terms = [
        F.l1_loss(gram_matrix(fake), gram_matrix(style).detach())
        for fake, style in zip(fake_features, style_features, strict=True)
    ]
    return sum(terms[1:], terms[0])
