"""DCGAN (Radford et al. 2016): faces from noise, in the sizes of the cartoon-face report; 64 x 64.

Equation 1 of Goodfellow et al. 2014 with z from N(0, 1) of 100 numbers. Interpolating between two noises shows that
the generator has learned faces and not pictures: every step on the way must be a face.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.losses.adversary import Adversary, AdversaryOptions
from toonfilter.train.networks import build_network
from toonfilter.train.recipe import Recipe, parse_table
from toonfilter.train.systems import Batch, OptimiserPlan, StepContext, frozen

SIDE_PX = 64


@dataclass(frozen=True)
class Options:
    """The `[method]` table. noise: length of z. interpolation: columns of the sample grid, noise to noise."""

    adversary: AdversaryOptions = field(default_factory=lambda: AdversaryOptions(kind="vanilla"))
    noise: int = 100
    interpolation: int = 8


def interpolate(first: Tensor, second: Tensor, steps: int) -> Tensor:
    """Return [steps,...] on the great circle from `first` to `second` (both [...]), ends included.

    A straight line would pass near 0, where N(0, 1) in many dimensions has nothing (White 2016, section 2.1).
    """
    a, b = first.flatten(), second.flatten()
    cosine = torch.clamp((a @ b) / (a.norm() * b.norm()), -1, 1)
    angle = torch.arccos(cosine)
    share = torch.linspace(0, 1, steps, device=first.device).view(-1, *(1,) * first.ndim)
    if angle.abs() < 1e-3:
        return first + share * (second - first)
    return (torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * second) / torch.sin(angle)


class DcganSystem:
    """Generator from noise, and its discriminator."""

    averaged = ("generator",)

    def __init__(self, recipe: Recipe, options: Options) -> None:
        if recipe.discriminator is None:
            raise ConfigError(f"{recipe.name}: 'discriminator' is missing")
        if recipe.data.size_px != SIDE_PX:
            raise ConfigError(f"{recipe.name}: data.size_px is {recipe.data.size_px}; this network makes {SIDE_PX}")
        self.recipe = recipe
        self.options = options
        self.adversary = Adversary(options.adversary, recipe.stabilisers.r1)
        self.networks = nn.ModuleDict(
            {"generator": build_network(recipe.generator), "discriminator": build_network(recipe.discriminator)}
        )
        self.adversary.check(self.networks["discriminator"])
        rows = torch.randn(16, 2, options.noise, generator=torch.Generator().manual_seed(0))
        self.shown = torch.stack([interpolate(a, b, options.interpolation) for a, b in rows], dim=1)

    def optimisers(self) -> dict[str, OptimiserPlan]:
        """One for each network."""
        critic = self.recipe.discriminator_optimiser or self.recipe.optimiser
        return {
            "generator": OptimiserPlan(list(self.networks["generator"].parameters()), self.recipe.optimiser),
            "discriminator": OptimiserPlan(list(self.networks["discriminator"].parameters()), critic),
        }

    def step(self, batch: Batch, context: StepContext) -> dict[str, Tensor]:
        """Algorithm 1 of Goodfellow et al. 2014."""
        generator, discriminator = self.networks["generator"], self.networks["discriminator"]
        real = batch["source"]
        fake = generator(torch.randn(len(real), self.options.noise).to(real.device))
        verdict = self.adversary.judge(discriminator, real, fake)
        context.update("discriminator", verdict.loss)
        self.adversary.constrain(discriminator)
        scalars = verdict.scalars()
        if self.adversary.is_generators_turn(context.step):
            with frozen(discriminator):
                loss_g = self.adversary.generator_loss(discriminator, fake)
            context.update("generator", loss_g)
            scalars["loss_g"] = loss_g.detach()
        return scalars

    def samples(self, batch: Batch, networks: nn.ModuleDict) -> list[Tensor]:
        """Columns from one noise to another; each row has noises of its own, the same in every grid."""
        rows = min(len(batch["source"]), self.shown.shape[1])
        shown = self.shown[:, :rows].to(batch["source"].device)
        return [networks["generator"](column) for column in shown]

    def export_spec(self) -> None:
        """Nothing that the filter could use: the input is noise."""

    def state(self) -> dict[str, Any]:
        """Nothing outside the networks."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing to load."""


def build(recipe: Recipe) -> DcganSystem:
    """Make the system of a recipe."""
    return DcganSystem(recipe, parse_table(Options, recipe.method, f"{recipe.name}: method"))
