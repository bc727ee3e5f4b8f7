"""What keeps a discriminator from winning too early; options of every recipe, in its `[stabilisers]` table.

spectral_norm: Miyato et al. 2018. diff_augment: Zhao et al. 2020, both real and generated pictures. r1: Mescheder et
al. 2018, equation 9, a penalty on the gradient at real pictures.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.networks.discriminators import Discriminator
from toonfilter.train.recipe import StabiliserSettings


def stabilise(networks: nn.ModuleDict, settings: StabiliserSettings) -> None:
    """Apply spectral normalisation and augmentation to every discriminator of a system.

    Raises:
        ConfigError: an unknown kind of augmentation, or a system without a discriminator.
    """
    unknown = sorted(set(settings.diff_augment) - set(AUGMENTATIONS))
    if unknown:
        raise ConfigError(f"stabilisers.diff_augment: unknown {unknown[0]!r}; there are: {', '.join(AUGMENTATIONS)}")
    discriminators = _discriminators(networks)
    if not discriminators and settings != StabiliserSettings():
        raise ConfigError("stabilisers are given, and this method has no discriminator here; leave them out")
    for discriminator in discriminators:
        if settings.spectral_norm:
            for layer in discriminator.modules():
                if isinstance(layer, nn.Conv2d | nn.Linear) and not hasattr(layer, "parametrizations"):
                    spectral_norm(layer)
        if settings.diff_augment:
            discriminator.register_forward_pre_hook(_Augmented(settings.diff_augment))


def _discriminators(networks: nn.ModuleDict) -> list[Discriminator]:
    found = [module for module in networks.modules() if isinstance(module, Discriminator)]
    inner = {id(part) for whole in found for part in whole.modules() if part is not whole}
    return [module for module in found if id(module) not in inner]


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor, gamma: float) -> Tensor:
    """gamma / 2 * E[||grad D(x)||^2] at real pictures x; D of a picture is the mean over its patches."""
    real = real.detach().float().requires_grad_(True)
    scores = discriminator(real).float().flatten(1).mean(1)
    (gradient,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
    return 0.5 * gamma * gradient.flatten(1).square().sum(1).mean()


class _Augmented:
    """A hook before a discriminator: what it sees is changed at random, differentiably, in training only."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self._kinds = kinds

    def __call__(self, module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        picture, *others = given
        if module.training and picture.ndim == 4:
            picture = diff_augment(picture, self._kinds)
        return (picture, *others)


def diff_augment(pictures: Tensor, kinds: tuple[str, ...]) -> Tensor:
    """Change pictures [N, C, H, W] in -1..1 at random, each by a draw of its own; gradients pass through."""
    for kind in kinds:
        pictures = AUGMENTATIONS[kind](pictures)
    return pictures


def _draw(pictures: Tensor) -> Tensor:
    return torch.rand(len(pictures), 1, 1, 1).to(pictures)


def _colour(pictures: Tensor) -> Tensor:
    """Brightness by up to 0.5, saturation by up to 2, contrast between 0.5 and 1.5 times."""
    pictures = pictures + (_draw(pictures) - 0.5)
    if pictures.shape[1] % 3 == 0:
        split = pictures.view(len(pictures), -1, 3, *pictures.shape[2:])
        gray = split.mean(2, keepdim=True)
        pictures = ((split - gray) * (2 * _draw(pictures))[:, None] + gray).flatten(1, 2)
    middle = pictures.mean((1, 2, 3), keepdim=True)
    return (pictures - middle) * (_draw(pictures) + 0.5) + middle


def _translation(pictures: Tensor, share: float = 0.125) -> Tensor:
    """Move by up to an eighth of the side; what comes in is 0."""
    height, width = pictures.shape[-2:]
    reach_y, reach_x = int(height * share + 0.5), int(width * share + 0.5)
    padded = F.pad(pictures, (reach_x, reach_x, reach_y, reach_y))
    ys = torch.randint(0, 2 * reach_y + 1, (len(pictures),)).tolist()
    xs = torch.randint(0, 2 * reach_x + 1, (len(pictures),)).tolist()
    return torch.stack([one[:, y : y + height, x : x + width] for one, y, x in zip(padded, ys, xs, strict=True)])


def _cutout(pictures: Tensor, share: float = 0.5) -> Tensor:
    """Set a square of half the side to 0; its centre is anywhere."""
    height, width = pictures.shape[-2:]
    mask = torch.ones(len(pictures), 1, height, width)
    for one in mask:
        y, x = int(torch.randint(0, height, ())), int(torch.randint(0, width, ()))
        half_y, half_x = int(height * share) // 2, int(width * share) // 2
        one[:, max(0, y - half_y) : y + half_y, max(0, x - half_x) : x + half_x] = 0
    return pictures * mask.to(pictures)


AUGMENTATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "color": _colour,
    "translation": _translation,
    "cutout": _cutout,
}
