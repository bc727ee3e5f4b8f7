"""Pixel distances to a known picture."""

import torch
import torch.nn.functional as F
from torch import Tensor


def l1(result: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean of w |result - target|: equation 3 of pix2pix (Isola et al. 2017), with a weight per pixel.

    weight: [N, 1, H, W], or None for 1 everywhere. The mean is over all values, not over the weight: a heavier
    region adds to the loss and takes nothing from the rest.
    """
    distance = (result.float() - target.float()).abs()
    return (distance if weight is None else distance * weight).mean()


def gradient_l1(result: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean absolute difference of the two pictures' horizontal and vertical differences (Mathieu et al. 2016,
    equation 6 with alpha = 1, on signed differences): sharp lines count where L1 sees only their area."""
    difference = result.float() - target.float()
    across = (difference[..., :, 1:] - difference[..., :, :-1]).abs()
    down = (difference[..., 1:, :] - difference[..., :-1, :]).abs()
    if weight is not None:
        across = across * weight[..., :, 1:]
        down = down * weight[..., 1:, :]
    return across.mean() + down.mean()


def region_weight(guidance: Tensor, eyes: float, mouth: float, margin_px: int) -> Tensor:
    """Weights [N, 1, H, W]: 1, and `eyes` or `mouth` within `margin_px` of what the guidance draws of them.

    guidance: [N, 3, H, W] in 0..1; channel 0 eyes, channel 2 mouth. The edge of a region is a ramp, so that no seam is
    learned.
    """
    drawn = (guidance[:, (0, 2)].float() > 0.1).float()
    side = 2 * margin_px + 1
    # At half the size: a large maximum is the slowest part of a step otherwise.
    small = F.max_pool2d(F.max_pool2d(drawn, 2), margin_px | 1, 1, margin_px // 2)
    soft = F.interpolate(F.avg_pool2d(small, 5, 1, 2), scale_factor=2.0, mode="bilinear", align_corners=False)
    soft = soft[..., : guidance.shape[-2], : guidance.shape[-1]] if side else soft
    extra = torch.tensor([eyes - 1.0, mouth - 1.0], device=soft.device).view(1, 2, 1, 1)
    return 1.0 + (soft * extra).amax(1, keepdim=True)
