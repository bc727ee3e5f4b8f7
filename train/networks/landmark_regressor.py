"""A small U-Net that finds landmarks, and can be differentiated: what the landmark losses look through."""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toonfilter.train.networks.blocks import initialise


def _block(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def heat_maps(landmarks: Tensor, height: int, width: int, sigma: float = 0.04) -> Tensor:
    """Draw a Gaussian of height 1 at each landmark.

    Args:
        landmarks: [N,K,2] as x, y in [-1,1] (-1 and 1 are the outer edges).
        sigma: in the same units (0.04 is 5 px at 256).

    Returns:
        [N,K,height,width] in [0,1].
    """
    y = (torch.arange(height, device=landmarks.device, dtype=landmarks.dtype) + 0.5) * 2 / height - 1
    x = (torch.arange(width, device=landmarks.device, dtype=landmarks.dtype) + 0.5) * 2 / width - 1
    dx = (x - landmarks[..., 0:1]).square()
    dy = (y - landmarks[..., 1:2]).square()
    return torch.exp(-(dy[..., :, None] + dx[..., None, :]) / (2 * sigma**2))


def soft_argmax(maps: Tensor, temperature: float = 20.0) -> Tensor:
    """Return landmarks [N,K,2] in [-1,1]: the mean position under softmax(temperature * maps [N,K,h,w])."""
    n, k, height, width = maps.shape
    weights = F.softmax((maps.float() * temperature).flatten(2), dim=2).view(n, k, height, width)
    y = (torch.arange(height, device=maps.device, dtype=maps.dtype) + 0.5) * 2 / height - 1
    x = (torch.arange(width, device=maps.device, dtype=maps.dtype) + 0.5) * 2 / width - 1
    return torch.stack([(weights.sum(2) * x).sum(-1), (weights.sum(3) * y).sum(-1)], dim=-1)


class LandmarkRegressor(nn.Module):
    """Picture [N,3,H,W] in [-1,1] to heat maps [N,points,H/2,W/2] (Wu et al. 2019, section 3.2.1, use a U-Net).

    Args:
        points: landmarks; the project's data has 5 (irises, nose tip, mouth corners).
        levels: halvings below the first; H and W must be multiples of 2**(levels + 1).
    """

    def __init__(self, *, points: int = 5, width: int = 16, levels: int = 4) -> None:
        super().__init__()
        self.points = points
        widths = [width * min(2**level, 8) for level in range(levels + 1)]
        self.stem = _block(3, widths[0], 2)
        self.downs = nn.ModuleList(_block(a, b, 2) for a, b in itertools.pairwise(widths))
        self.ups = nn.ModuleList(
            _block(widths[level + 1] + widths[level], widths[level], 1) for level in reversed(range(levels))
        )
        self.head = nn.Conv2d(widths[0], points, 1)
        initialise(self)

    def forward(self, image: Tensor) -> Tensor:
        """Return heat maps; not clipped, trained towards Gaussians of height 1."""
        x = self.stem(image)
        skips = []
        for down in self.downs:
            skips.append(x)
            x = down(x)
        for up in self.ups:
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = up(torch.cat([x, skips.pop()], 1))
        out: Tensor = self.head(x)
        return out

    def landmarks(self, image: Tensor) -> Tensor:
        """Return landmarks [N,points,2] as x, y in [-1,1], differentiable in the picture."""
        return soft_argmax(self(image))


class ConditionedGenerator(nn.Module):
    """A generator that sees heat maps of the landmarks beside the picture (Wu et al. 2019, section 3.2).

    While it is trained the landmarks are given; where they are not, its own regressor finds them, so that the
    exported network takes a picture and nothing else.

    Args:
        body: generator of 3 + regressor.points channels.
        regressor: landmarks of the pictures that go in.
    """

    def __init__(self, body: nn.Module, regressor: LandmarkRegressor) -> None:
        super().__init__()
        self.body = body
        self.regressor = regressor

    def forward(self, image: Tensor, landmarks: Tensor | None = None) -> Tensor:
        """Translate [N,3,H,W] in [-1,1]; landmarks [N,points,2] in [-1,1]."""
        if landmarks is None:
            landmarks = self.regressor.landmarks(image)
        maps = heat_maps(landmarks, image.shape[2], image.shape[3])
        out: Tensor = self.body(torch.cat([image, maps.to(image.dtype)], 1))
        return out
