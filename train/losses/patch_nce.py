"""The patchwise contrastive loss of CUT (Park et al. 2020, section 3.2)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def patch_nce(queries: Tensor, keys: Tensor, temperature: float = 0.07) -> Tensor:
    """Cross entropy of picking, for each place of the result, the input's feature at the same place among those at the
    other places of the same picture (equation 3).

    Args:
        queries: features of the result [N,P,C] at P places, of unit length.
        keys: features of the input at the same places [N,P,C]; they send no gradient.
    """
    logits = queries.float() @ keys.detach().float().mT / temperature
    places = torch.arange(queries.shape[1], device=queries.device).expand(len(queries), -1)
    return F.cross_entropy(logits.flatten(0, 1), places.flatten())


def sample_places(features: Tensor, places: Tensor) -> Tensor:
    """Return features [N,C,H,W] at `places` (indices into H * W, [P]): [N,P,C]."""
    return features.flatten(2)[:, :, places].mT
