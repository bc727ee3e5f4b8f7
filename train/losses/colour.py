"""Grayscale style and colour reconstruction losses (Chen et al. 2020, AnimeGAN, equations 4 to 6)."""

import torch
import torch.nn.functional as F
from torch import Tensor

# ITU-R BT.601, the weights of RGB -> YUV.
_RGB_TO_YUV = (
    (0.299, 0.587, 0.114),
    (-0.14714119, -0.28886916, 0.43601035),
    (0.61497538, -0.51496512, -0.10001026),
)


def to_grayscale(image: Tensor) -> Tensor:
    """Return [N,3,H,W] with three equal channels of luma, in the picture's own range."""
    weights = image.new_tensor(_RGB_TO_YUV[0]).view(1, 3, 1, 1)
    return (image * weights).sum(1, keepdim=True).expand_as(image)


def rgb_to_yuv(image: Tensor) -> Tensor:
    """Return YUV [N,3,H,W] for RGB in [-1,1]: Y in [0,1], U and V around 0."""
    matrix = image.new_tensor(_RGB_TO_YUV)
    return torch.einsum("ij,njhw->nihw", matrix, (image + 1) / 2)


def colour_loss(fake: Tensor, photo: Tensor) -> Tensor:
    """||Y(G(p)) - Y(p)||_1 + ||U(G(p)) - U(p)||_H + ||V(G(p)) - V(p)||_H; H is the Huber loss (equation 6)."""
    a, b = rgb_to_yuv(fake), rgb_to_yuv(photo).detach()
    return F.l1_loss(a[:, 0], b[:, 0]) + F.huber_loss(a[:, 1], b[:, 1]) + F.huber_loss(a[:, 2], b[:, 2])
