"""Landmark losses: what they compare, and how they must be differentiated.

The gradient has to reach the generator through the landmark regressor. A published re-implementation computes the
landmarks of the generated picture on a detached tensor (or with an argmax), and its loss trains nothing; here the
regressor is frozen but differentiable, and a test shows that the generator gets gradient.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def landmark_consistency(fake_maps: Tensor, landmark_maps: Tensor) -> Tensor:
    """||R_Y(G(x, l)) - l||_2 over heat maps (Wu et al. 2019, equation 4), as the mean of squares.

    Args:
        fake_maps: heat maps [N,K,h,w] that the regressor finds in the generated picture.
        landmark_maps: heat maps [N,K,h,w] of the input's landmarks; a target.
    """
    return F.mse_loss(fake_maps.float(), landmark_maps.detach())


def crop_around(image: Tensor, centre: Tensor, size: float, side_px: int) -> Tensor:
    """Cut a square around a point, differentiably in the picture.

    Args:
        image: [N,C,H,W].
        centre: [N,2] as x, y in [-1,1]; a position, sends no gradient.
        size: side of the square as a share of the picture's side.
        side_px: side of the result.

    Returns:
        [N,C,side_px,side_px].
    """
    n = image.shape[0]
    transform = torch.zeros(n, 2, 3, device=image.device, dtype=image.dtype)
    transform[:, 0, 0] = size
    transform[:, 1, 1] = size
    transform[:, :, 2] = centre.detach().to(image.dtype)
    grid = F.affine_grid(transform, [n, image.shape[1], side_px, side_px], align_corners=False)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)
