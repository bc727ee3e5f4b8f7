"""CUT's projection of encoder features: one small perceptron for each layer (Park et al. 2020, section 3.2)."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from toonfilter.train.networks.blocks import initialise


class PatchProjection(nn.Module):
    """Features [N,P,C] of several layers to unit vectors [N,P,width] each.

    Args:
        channels: C of each layer.
    """

    def __init__(self, channels: Sequence[int], *, width: int = 256) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(count, width), nn.ReLU(), nn.Linear(width, width)) for count in channels
        )
        initialise(self)

    def forward(self, layers: Sequence[Tensor]) -> list[Tensor]:
        """Return a list as long as `layers`."""
        return [F.normalize(head(layer), dim=-1) for head, layer in zip(self.heads, layers, strict=True)]
