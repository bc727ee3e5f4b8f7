"""Cycle consistency and identity losses of CycleGAN (Zhu et al. 2017)."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

Norm = Literal["l1", "l2"]


def distance(a: Tensor, b: Tensor, norm: Norm = "l1") -> Tensor:
    """Mean absolute ("l1") or mean squared ("l2") difference."""
    return F.l1_loss(a.float(), b.float()) if norm == "l1" else F.mse_loss(a.float(), b.float())


def cycle_loss(recovered: Tensor, original: Tensor, norm: Norm = "l1") -> Tensor:
    """Equation 2, one direction: ||F(G(x)) - x||."""
    return distance(recovered, original, norm)


def identity_loss(same: Tensor, original: Tensor, norm: Norm = "l1") -> Tensor:
    """Section 5.2, one direction: ||G(y) - y||. The paper has L1, the cartoon-recovery report L2."""
    return distance(same, original, norm)
