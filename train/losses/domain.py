"""XGAN's losses around the shared embedding (Royer et al. 2017, section 3)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.weight * gradients[0], None


def reverse_gradient(x: Tensor, weight: float = 1.0) -> Tensor:
    """Return x; on the way back the gradient is multiplied by -weight (Ganin et al. 2016, equation 18)."""
    out: Tensor = _Reverse.apply(x, weight)
    return out


def domain_adversarial(photo_logits: Tensor, cartoon_logits: Tensor) -> Tensor:
    """Cross entropy of the domain classifier (equation 2): photo is 1, cartoon is 0.

    With embeddings that went through `reverse_gradient`, one backward pass makes the classifier better and the
    encoders' embeddings harder to tell apart.
    """
    return F.binary_cross_entropy_with_logits(
        photo_logits, torch.ones_like(photo_logits)
    ) + F.binary_cross_entropy_with_logits(cartoon_logits, torch.zeros_like(cartoon_logits))


def domain_least_squares(photo_scores: Tensor, cartoon_scores: Tensor) -> Tensor:
    """mean(D(e1(x))^2 + (D(e2(y)) - 1)^2), the least-squares form of equation 2 in the Face2Anime report.

    To be used like `domain_adversarial`, with embeddings that went through `reverse_gradient`.
    """
    return photo_scores.float().square().mean() + (cartoon_scores.float() - 1).square().mean()


def semantic_consistency(embedding: Tensor, translated_embedding: Tensor) -> Tensor:
    """||e1(x) - e2(d2(e1(x)))|| (equation 3), L1: the cartoon must mean the same as the photo."""
    return F.l1_loss(translated_embedding, embedding)
