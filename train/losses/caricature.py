"""CariGANs' characteristic loss (Cao et al. 2018, section 4.1)."""

import torch.nn.functional as F
from torch import Tensor


def characteristic_loss(original: Tensor, exaggerated: Tensor, mean: Tensor, exaggerated_mean: Tensor) -> Tensor:
    """E[1 - cos(G(l) - mean_Y, l - mean_X)]: what is unlike the mean face must become more so, in its direction.

    Args:
        original, exaggerated: PCA coefficients [N,C] of the photo's landmarks and of the caricature's.
        mean, exaggerated_mean: [C], means of each domain.
    """
    return (1 - F.cosine_similarity(exaggerated - exaggerated_mean, original.detach() - mean, dim=1)).mean()
