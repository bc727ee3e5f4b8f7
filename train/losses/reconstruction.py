"""Pixel distances to a known picture."""

import torch
import torch.nn.functional as F
from torch import Tensor

# Above the faint fill of the whole face in the mouth's channel, below lips and sclera (128 of 255).
DRAWN = 0.35


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


@torch.no_grad()
def ink_weight(drawing: Tensor, ink: float, reach_px: int = 9) -> Tensor:
    """Weights [N, 1, H, W]: 1, up to `ink` where a drawing in -1..1 is darker than its surroundings.

    The best answer to L1 is the median, and a line that is there in fewer than half of the likely drawings vanishes
    from it; weighting ink by w keeps lines that are there in more than 1 / (1 + w) of them.
    """
    light = drawing.float().mean(1, keepdim=True)
    around = F.avg_pool2d(light, reach_px, 1, reach_px // 2, count_include_pad=False)
    return 1.0 + (ink - 1.0) * (4.0 * (around - light)).clamp(0.0, 1.0)


@torch.no_grad()
def region_weight(guidance: Tensor, eyes: float, mouth: float, margin_px: int) -> Tensor:
    """Weights [N, 1, H, W]: 1, and `eyes` or `mouth` within about `margin_px` of what the guidance draws of them.

    guidance: [N, 3, H, W] in 0..1; channel 0 eyes, channel 2 mouth; H and W are multiples of 4. Made at a quarter of
    the size, so the edge of a region is a ramp, which leaves no seam to be learned.
    """
    drawn = (F.max_pool2d(guidance[:, (0, 2)].float(), 4) > DRAWN).float()
    reach = max(1, round(margin_px / 4))
    wide = F.max_pool2d(drawn, 2 * reach + 1, 1, reach)
    extra = torch.tensor([eyes - 1.0, mouth - 1.0], device=wide.device).view(1, 2, 1, 1)
    weight = 1.0 + (wide * extra).amax(1, keepdim=True)
    return F.interpolate(weight, scale_factor=4.0, mode="bilinear", align_corners=False)
