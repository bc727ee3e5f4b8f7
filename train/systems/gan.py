"""Paired GAN (recipes gan-v1, gan-v2, wgan-gp): a generator against a discriminator, cartoons as ground truth.

gan-v1: Goodfellow et al. 2014, equation 1, on pictures instead of noise.
gan-v2: the generator minimises lambda * L2(G(x), x_g) + (1 - lambda) * abs(D(x_g) - D(G(x))) instead; lambda is large
at first and falls linearly, so that the colours are learned before the discriminator's opinion counts.
wgan-gp: gan-v1 with a Wasserstein critic (Gulrajani et al. 2017, algorithm 1).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.losses.adversarial_distance import balanced_generator_loss
from toonfilter.train.losses.adversary import Adversary, AdversaryOptions
from toonfilter.train.losses.cycle import distance
from toonfilter.train.networks import build_discriminator, build_generator
from toonfilter.train.ramps import Ramp
from toonfilter.train.recipe import OptimiserSettings, Recipe, parse_table
from toonfilter.train.systems import Batch, ExportSpec, OptimiserPlan, StepContext, frozen


@dataclass(frozen=True)
class Options:
    """The `[method]` table.

    balance: lambda of gan-v2; absent, the generator has the adversary's own loss (gan-v1).
    pixel_weight: weight of an L1 term beside the adversary's own loss; 0 in the published methods.
    """

    adversary: AdversaryOptions = field(default_factory=lambda: AdversaryOptions(kind="vanilla"))
    balance: Ramp | None = None
    pixel_weight: float = 0.0


class GanSystem:
    """Generator and discriminator on paired pictures."""

    averaged = ("generator",)
    sample_titles = ("source", "result", "truth")

    def __init__(self, recipe: Recipe, options: Options) -> None:
        if recipe.discriminator is None:
            raise ConfigError(f"{recipe.name}: 'discriminator' is missing")
        if recipe.data.layout != "paired":
            raise ConfigError(f"{recipe.name}: data.layout is {recipe.data.layout!r}; this method needs pairs")
        self.recipe = recipe
        self.options = options
        self.adversary = Adversary(options.adversary, recipe.stabilisers.r1)
        self.networks = nn.ModuleDict(
            {
                "generator": build_generator(recipe.generator, 3, 3),
                "discriminator": build_discriminator(recipe.discriminator, 3),
            }
        )
        self.adversary.check(self.networks["discriminator"])

    def optimisers(self) -> dict[str, OptimiserPlan]:
        """One for each network."""
        critic = self.recipe.discriminator_optimiser or self.recipe.optimiser
        return {
            "generator": _plan(self.networks["generator"], self.recipe.optimiser),
            "discriminator": _plan(self.networks["discriminator"], critic),
        }

    def step(self, batch: Batch, context: StepContext) -> dict[str, Tensor]:
        """First the discriminator, then the generator (Goodfellow et al. 2014, algorithm 1)."""
        generator, discriminator = self.networks["generator"], self.networks["discriminator"]
        photo, truth = batch["source"], batch["target"]
        fake = generator(photo)

        verdict = self.adversary.judge(discriminator, truth, fake)
        context.update("discriminator", verdict.loss)
        self.adversary.constrain(discriminator)
        scalars = verdict.scalars()

        if self.adversary.is_generators_turn(context.step):
            with frozen(discriminator):
                loss_g = self.generator_loss(fake, truth, context.progress)
            context.update("generator", loss_g)
            scalars["loss_g"] = loss_g.detach()
        return scalars

    def generator_loss(self, fake: Tensor, truth: Tensor, progress: float) -> Tensor:
        """gan-v1's or gan-v2's loss of the generator."""
        discriminator = self.networks["discriminator"]
        if self.options.balance is not None:
            with torch.no_grad():
                real_scores = self.adversary.scores(discriminator(truth))
            fake_scores = self.adversary.scores(discriminator(fake))
            return balanced_generator_loss(fake, truth, real_scores, fake_scores, self.options.balance.at(progress))
        loss = self.adversary.generator_loss(discriminator, fake)
        if self.options.pixel_weight > 0:
            loss = loss + self.options.pixel_weight * distance(fake, truth)
        return loss

    def samples(self, batch: Batch, networks: nn.ModuleDict) -> list[Tensor]:
        """Photo, result, ground truth."""
        return [batch["source"], networks["generator"](batch["source"]), batch["target"]]

    def export_spec(self) -> ExportSpec:
        """The generator."""
        return ExportSpec("generator", sizes_px=(self.recipe.data.size_px,))

    def state(self) -> dict[str, Any]:
        """Nothing outside the networks."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing to load."""


def _plan(network: nn.Module, settings: OptimiserSettings) -> OptimiserPlan:
    return OptimiserPlan(list(network.parameters()), settings)


def build(recipe: Recipe) -> GanSystem:
    """Make the system of a recipe."""
    return GanSystem(recipe, parse_table(Options, recipe.method, f"{recipe.name}: method"))
