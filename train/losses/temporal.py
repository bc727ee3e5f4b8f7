"""Temporal consistency without video: one face seen twice, a few pixels apart, must be drawn alike."""

import torch
from torch import Tensor


def shift_consistency(first: Tensor, second: Tensor, shift: Tensor) -> Tensor:
    """Mean |first(p + shift) - second(p)| over the pixels that both show (Rivoir et al. and Wang et al. call it
    perceptual straightening or compound regularisation; the form is that of ReCoNet's output loss, Gao et al. 2018,
    equation 4, for a known motion).

    first, second: [N, C, H, W]. shift: int64 [N, 2] (dx, dy): second[y, x] shows what first[y + dy, x + dx] shows.
    """
    height, width = first.shape[-2:]
    total = first.new_zeros((), dtype=torch.float32)
    for a, b, (dx, dy) in zip(first, second, shift.tolist(), strict=True):
        y0, y1, x0, x1 = max(0, -dy), height - max(0, dy), max(0, -dx), width - max(0, dx)
        moved = a[:, y0 + dy : y1 + dy, x0 + dx : x1 + dx]
        total = total + (moved.float() - b[:, y0:y1, x0:x1].float()).abs().mean()
    return total / len(first)
