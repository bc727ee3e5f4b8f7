"""Losses of the fields network: overlap of masks, levels of tone and ink, sharp edges."""

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from toonfilter.runtime.fields import FIELDS, MASKS, FieldName, field_index

_MASK_WEIGHTS: Final[dict[FieldName, float]] = {
    "person": 1.0, "hair": 1.5, "skin": 1.0, "beard": 1.2, "headwear": 1.2, "glasses": 1.5, "over": 0.8,
}  # fmt: skip
_SHARP: Final[tuple[FieldName, ...]] = ("person", "hair", "headwear", "glasses")
_DICE, _EDGES, _TONE, _INK = 0.5, 1.0, 2.0, 2.0
_OUTSIDE = 0.1
"""Weight of tone and ink outside the person, where nothing is drawn from them."""


def fields_loss(logits: Tensor, planes: Tensor, known: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The sum, and its parts by name, detached.

    logits, planes: float [N, 9, H, W], planes 0..1. known: float [N, 9], 0 where a plane's label does not hold.
    """
    count = len(MASKS)
    weights = torch.tensor([_MASK_WEIGHTS[name] for name in MASKS], device=logits.device) * known[:, :count]
    masks, wanted = logits[:, :count], planes[:, :count]
    cross = F.binary_cross_entropy_with_logits(masks, wanted, reduction="none").mean((2, 3))
    found = torch.sigmoid(logits)
    dice = _dice(found[:, :count], wanted, known[:, :count])
    here = _OUTSIDE + (1 - _OUTSIDE) * planes[:, :1]
    tone, ink = (
        ((found[:, k] - planes[:, k]).abs() * here[:, 0]).mean() for k in (field_index("tone"), field_index("ink"))
    )
    sharp = [field_index(name) for name in _SHARP]
    edges = _edges(found[:, sharp], planes[:, sharp], known[:, sharp])
    parts = {
        "cross_entropy": (cross * weights).sum() / weights.sum().clamp(min=1),
        "dice": dice,
        "edges": edges,
        "tone": tone,
        "ink": ink,
    }
    scale = {"cross_entropy": 3.0, "dice": _DICE, "edges": _EDGES, "tone": _TONE, "ink": _INK}
    total = torch.stack([value * scale[name] for name, value in parts.items()]).sum()
    return total, {name: value.detach() for name, value in parts.items()}


def _dice(found: Tensor, wanted: Tensor, known: Tensor) -> Tensor:
    """1 - Dice over the batch, mean of the planes that occur in it."""
    mask = known[:, :, None, None]
    common = (found * wanted * mask).sum((0, 2, 3))
    total = ((found * found + wanted * wanted) * mask).sum((0, 2, 3))
    there = (wanted * mask).sum((0, 2, 3)) > 20
    value = 1 - (2 * common + 1) / (total + 1)
    return (value * there).sum() / there.sum().clamp(min=1)


def _edges(found: Tensor, wanted: Tensor, known: Tensor) -> Tensor:
    """Difference of the gradients, so that edges lie where those of the label lie."""
    mask = known[:, :, None, None]
    across = (found[..., 1:] - found[..., :-1]) - (wanted[..., 1:] - wanted[..., :-1])
    down = (found[..., 1:, :] - found[..., :-1, :]) - (wanted[..., 1:, :] - wanted[..., :-1, :])
    return (across.abs() * mask).mean() + (down.abs() * mask).mean()


def overlap(found: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels in both masks and in either, [N, 7], of planes [N, 9, H, W] in 0..1; a mask's edge is 0.5.

    Glasses count from 0.25: the inside of clear lenses is half as strong.
    """
    edge = torch.full((1, len(FIELDS), 1, 1), 0.5, device=found.device)
    edge[:, field_index("glasses")] = 0.25
    edge[:, field_index("beard")] = 0.3
    first, second = (found > edge)[:, : len(MASKS)], (wanted > edge)[:, : len(MASKS)]
    return (first & second).sum((2, 3)), (first | second).sum((2, 3))
