"""Move pictures by landmarks, differentiably: thin-plate splines (Cole et al. 2017, as CariGANs warp)."""

import torch
import torch.nn.functional as F
from torch import Tensor

_BORDER = torch.tensor([[-1.0, -1], [0, -1], [1, -1], [-1, 0], [1, 0], [-1, 1], [0, 1], [1, 1]], dtype=torch.float64)


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    """Return r^2 log r between points a [N,P,2] and b [N,Q,2]: [N,P,Q]."""
    squared = torch.cdist(a, b).square()
    return 0.5 * squared * torch.log(squared.clamp_min(1e-12))


def warp_by_landmarks(image: Tensor, source: Tensor, target: Tensor, stiffness: float = 1e-4) -> Tensor:
    """Return `image` with its points `source` moved to `target`; the border stays.

    Args:
        image: [N,C,H,W].
        source, target: [N,P,2] as x, y in [-1,1], -1 and 1 being the outer edges of the picture.
        stiffness: regularisation of the spline; larger is smoother and follows the points less.
    """
    n, _, height, width = image.shape
    border = _BORDER.to(image.device).expand(n, -1, -1)
    fixed = torch.cat([target.double(), border], 1)
    moved = torch.cat([source.double(), border], 1)
    points = fixed.shape[1]
    ones = torch.ones(n, points, 1, dtype=torch.float64, device=image.device)
    affine = torch.cat([ones, fixed], 2)
    eye = torch.eye(points, dtype=torch.float64, device=image.device)
    upper = torch.cat([_kernel(fixed, fixed) + stiffness * eye, affine], 2)
    lower = torch.cat([affine.mT, torch.zeros(n, 3, 3, dtype=torch.float64, device=image.device)], 2)
    right = torch.cat([moved - fixed, torch.zeros(n, 3, 2, dtype=torch.float64, device=image.device)], 1)
    weights = torch.linalg.solve(torch.cat([upper, lower], 1), right)
    grid = F.affine_grid(
        torch.eye(2, 3, dtype=torch.float64, device=image.device).expand(n, -1, -1),
        [n, 1, height, width],
        align_corners=False,
    ).flatten(1, 2)
    basis = torch.cat([_kernel(grid, fixed), torch.ones_like(grid[..., :1]), grid], 2)
    sample = (grid + basis @ weights).unflatten(1, (height, width)).to(image.dtype)
    return F.grid_sample(image, sample, padding_mode="border", align_corners=False)
