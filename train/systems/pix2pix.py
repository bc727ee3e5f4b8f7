"""pix2pix: Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks.

Names: x `source`, y `target`, G `generator`, D `discriminator`, lambda `l1_weight`. Equation 4:
G* = arg min_G max_D L_cGAN(G, D) + lambda L_L1(G), with D looking at the pair (x, y) or (x, G(x)).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.losses.adversary import Adversary, AdversaryOptions
from toonfilter.train.losses.reconstruction import l1
from toonfilter.train.networks import build_discriminator, build_generator
from toonfilter.train.recipe import Recipe, parse_table
from toonfilter.train.systems import Batch, ExportSpec, OptimiserPlan, StepContext, frozen


@dataclass(frozen=True)
class Options:
    """The `[method]` table. l1_weight: lambda of equation 4."""

    l1_weight: float = 100.0


class Pix2PixSystem:
    """U-Net generator against a PatchGAN that sees input and output together."""

    averaged = ("generator",)
    sample_titles = ("source", "result", "target")

    def __init__(self, recipe: Recipe, options: Options) -> None:
        if recipe.discriminator is None:
            raise ConfigError(f"{recipe.name}: 'discriminator' is missing")
        if recipe.data.layout != "paired":
            raise ConfigError(
                f"{recipe.name}: data.layout is {recipe.data.layout!r}; this method needs paired pictures"
            )
        self.recipe, self.options = recipe, options
        self.networks = nn.ModuleDict(
            {
                "generator": build_generator(recipe.generator, 3, 3),
                "discriminator": build_discriminator(recipe.discriminator, 6),
            }
        )
        self.adversary = Adversary(AdversaryOptions(kind="vanilla"), recipe.stabilisers.r1)

    def optimisers(self) -> dict[str, OptimiserPlan]:
        """One for each network."""
        critic = self.recipe.discriminator_optimiser or self.recipe.optimiser
        settings = {"generator": self.recipe.optimiser, "discriminator": critic}
        return {name: OptimiserPlan(list(net.parameters()), settings[name]) for name, net in self.networks.items()}

    def step(self, batch: Batch, context: StepContext) -> dict[str, Tensor]:
        """One step on D, then one on G (section 3.3)."""
        generator, discriminator = self.networks["generator"], self.networks["discriminator"]
        x, y = batch["source"], batch["target"]
        fake = generator(x)

        verdict = self.adversary.judge(discriminator, torch.cat([x, y], dim=1), torch.cat([x, fake], dim=1))
        context.update("discriminator", verdict.loss)

        losses = self.generator_losses(fake, batch)
        loss_g = losses["adversarial"] + self.options.l1_weight * losses["l1"]
        context.update("generator", loss_g)

        scalars = {"loss_g": loss_g, **losses}
        return {name: value.detach() for name, value in scalars.items()} | verdict.scalars()

    def generator_losses(self, fake: Tensor, batch: Batch) -> dict[str, Tensor]:
        """L_cGAN (equation 1, non-saturating) and L_L1 (equation 3) of the generator."""
        discriminator = self.networks["discriminator"]
        with frozen(discriminator):
            adversarial = self.adversary.generator_loss(discriminator, torch.cat([batch["source"], fake], dim=1))
        return {"adversarial": adversarial, "l1": l1(fake, batch["target"])}

    def samples(self, batch: Batch, networks: nn.ModuleDict) -> list[Tensor]:
        """Source, result, target."""
        return [batch["source"], networks["generator"](batch["source"]), batch["target"]]

    def export_spec(self) -> ExportSpec:
        """The generator, at the size it was trained for."""
        multiple = getattr(self.networks["generator"], "size_multiple", 32)
        return ExportSpec("generator", sizes_px=(self.recipe.data.size_px,), size_multiple=multiple)

    def state(self) -> dict[str, Any]:
        """Nothing outside the networks."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing to load."""


def build(recipe: Recipe) -> Pix2PixSystem:
    """Make the system of a recipe."""
    return Pix2PixSystem(recipe, parse_table(Options, recipe.method, f"{recipe.name}: method"))
