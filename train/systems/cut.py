"""CUT and FastCUT (Park et al. 2020, Contrastive Learning for Unpaired Image-to-Image Translation).

One direction, no cycle: a place of the result must mean what the same place of the input meant, told apart from the
other places of that input. With H_l a small perceptron on layer l of the generator's encoder G_enc:

  L = L_GAN(G, D) + lambda_X L_PatchNCE(G, H, X) + lambda_Y L_PatchNCE(G, H, Y)                        (equation 5)

The last term is the identity loss on the target domain. CUT has lambda_X = lambda_Y = 1; FastCUT lambda_X = 10 and
lambda_Y = 0, and mirrors the picture at random so that G must be equivariant. The discriminator sees no pool.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.losses.adversary import Adversary, AdversaryOptions
from toonfilter.train.losses.patch_nce import patch_nce, sample_places
from toonfilter.train.networks import build_discriminator, build_generator
from toonfilter.train.networks.projection import PatchProjection
from toonfilter.train.networks.resnet import ResnetGenerator
from toonfilter.train.recipe import Recipe, parse_table
from toonfilter.train.systems import Batch, ExportSpec, OptimiserPlan, StepContext, frozen


@dataclass(frozen=True)
class Options:
    """The `[method]` table. nce_weight, identity_weight: lambda_X and lambda_Y; with both the sum is halved, as in the
    authors' code. places: sampled in each layer. mirror: FastCUT's equivariance."""

    adversary: AdversaryOptions = field(default_factory=AdversaryOptions)
    adversarial_weight: float = 1.0
    nce_weight: float = 1.0
    identity_weight: float = 1.0
    temperature: float = 0.07
    places: int = 256
    projection: int = 256
    mirror: bool = False


class CutSystem:
    """Generator, discriminator of the target domain, projections."""

    averaged = ("generator",)
    sample_titles = ("source", "result", "target", "target again")

    def __init__(self, recipe: Recipe, options: Options) -> None:
        if recipe.discriminator is None:
            raise ConfigError(f"{recipe.name}: 'discriminator' is missing")
        generator = build_generator(recipe.generator, 3, 3)
        if not isinstance(generator, ResnetGenerator):
            raise ConfigError(
                f"{recipe.name}: generator.kind is {recipe.generator.kind!r}; this method compares layers of 'resnet'"
            )
        self.recipe, self.options = recipe, options
        self.adversary = Adversary(options.adversary, recipe.stabilisers.r1)
        with torch.no_grad():
            layers = generator.layers(torch.zeros(1, 3, 16 * generator.size_multiple, 16 * generator.size_multiple))
        self.networks = nn.ModuleDict(
            {
                "generator": generator,
                "discriminator": build_discriminator(recipe.discriminator, 3),
                "projection": PatchProjection([layer.shape[1] for layer in layers], width=options.projection),
            }
        )
        self.adversary.check(self.networks["discriminator"])

    def optimisers(self) -> dict[str, OptimiserPlan]:
        """One for generator and projections, which have the same settings, one for the discriminator."""
        nets = self.networks
        critic = self.recipe.discriminator_optimiser or self.recipe.optimiser
        both = [*nets["generator"].parameters(), *nets["projection"].parameters()]
        return {
            "generator": OptimiserPlan(both, self.recipe.optimiser),
            "discriminator": OptimiserPlan(list(nets["discriminator"].parameters()), critic),
        }

    def step(self, batch: Batch, context: StepContext) -> dict[str, Tensor]:
        """First the discriminator, then generator and projections together."""
        generator = cast(ResnetGenerator, self.networks["generator"])
        x, y = batch["source"], batch["target"]
        is_mirrored = self.options.mirror and float(torch.rand(())) < 0.5
        seen = x.flip(-1) if is_mirrored else x
        fake = generator(seen)
        verdict = self.adversary.judge(self.networks["discriminator"], y, fake)
        context.update("discriminator", verdict.loss)
        self.adversary.constrain(self.networks["discriminator"])
        scalars = verdict.scalars()
        if self.adversary.is_generators_turn(context.step):
            losses = self.generator_losses(x, y, fake, is_mirrored)
            context.update("generator", torch.stack(list(losses.values())).sum())
            scalars |= {name: value.detach() for name, value in losses.items()}
        return scalars

    def generator_losses(self, x: Tensor, y: Tensor, fake: Tensor, is_mirrored: bool = False) -> dict[str, Tensor]:
        """The weighted terms of equation 5; `fake` is G of x, or of x mirrored."""
        options, discriminator = self.options, self.networks["discriminator"]
        with frozen(discriminator):
            losses = {"loss_g": options.adversarial_weight * self.adversary.generator_loss(discriminator, fake)}
        share = 0.5 if options.nce_weight > 0 and options.identity_weight > 0 else 1.0
        if options.nce_weight > 0:
            losses["loss_nce"] = share * options.nce_weight * self.contrast(x, fake, is_mirrored)
        if options.identity_weight > 0:
            same = self.networks["generator"](y)
            losses["loss_identity"] = share * options.identity_weight * self.contrast(y, same)
        return losses

    def contrast(self, source: Tensor, result: Tensor, is_mirrored: bool = False) -> Tensor:
        """Equation 4: the mean over layers, each at places drawn anew."""
        generator, project = cast(ResnetGenerator, self.networks["generator"]), self.networks["projection"]
        of_result = generator.layers(result)
        if is_mirrored:
            of_result = [layer.flip(-1) for layer in of_result]
        with torch.no_grad():
            of_source = generator.layers(source)
        queries, keys = [], []
        for one, other in zip(of_result, of_source, strict=True):
            count = one.shape[2] * one.shape[3]
            places = torch.randperm(count)[: self.options.places].to(one.device)
            queries.append(sample_places(one, places))
            keys.append(sample_places(other, places))
        pairs = zip(project(queries), project(keys), strict=True)
        return torch.stack([patch_nce(query, key, self.options.temperature) for query, key in pairs]).mean()

    def samples(self, batch: Batch, networks: nn.ModuleDict) -> list[Tensor]:
        """Source, result, a picture of the target domain, and what becomes of that."""
        generator = networks["generator"]
        return [batch["source"], generator(batch["source"]), batch["target"], generator(batch["target"])]

    def export_spec(self) -> ExportSpec:
        """The generator."""
        return ExportSpec("generator", sizes_px=(self.recipe.data.size_px,))

    def state(self) -> dict[str, Any]:
        """Nothing outside the networks."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing to load."""


def build(recipe: Recipe) -> CutSystem:
    """Make the system of a recipe."""
    return CutSystem(recipe, parse_table(Options, recipe.method, f"{recipe.name}: method"))
