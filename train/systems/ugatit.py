"""U-GAT-IT (Kim et al. 2020): CycleGAN with attention, adaptive normalisation, and a local and a global discriminator.

Least squares for patches and for the attention's classifiers (equation 2), cycle (3) and identity (4), and the
generators' attention loss L_cam (5): a classifier on the encoder tells pictures that are to be changed (1) from
pictures that are already of the target domain (0). The published weights are 1, 10, 10 and 1000.

x is `source`, y is `target`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.losses.cycle import cycle_loss, identity_loss
from toonfilter.train.networks import build_generator
from toonfilter.train.networks.ugatit import AttentionDiscriminator, UgatitGenerator
from toonfilter.train.recipe import Recipe, parse_table
from toonfilter.train.stabilisers import r1_penalty
from toonfilter.train.systems import Batch, ExportSpec, OptimiserPlan, StepContext, frozen


@dataclass(frozen=True)
class Options:
    """The `[method]` table: weights, and the layers of both discriminators (fewer for small pictures)."""

    adversarial_weight: float = 1.0
    cycle_weight: float = 10.0
    identity_weight: float = 10.0
    attention_weight: float = 1000.0
    local_layers: int = 5
    global_layers: int = 7
    discriminator_width: int = 64


class UgatitSystem:
    """Two generators; for each domain a local and a global discriminator."""

    averaged = ("generator", "generator_back")
    sample_titles = ("x", "G(x)", "F(G(x))", "y", "F(y)", "G(F(y))")

    def __init__(self, recipe: Recipe, options: Options) -> None:
        generators = [build_generator(recipe.generator, 3, 3) for _ in range(2)]
        if not isinstance(generators[0], UgatitGenerator):
            raise ConfigError(f"{recipe.name}: generator.kind is {recipe.generator.kind!r}; this method needs 'ugatit'")
        smallest = 2 ** max(options.local_layers, options.global_layers)
        if recipe.data.size_px < smallest:
            raise ConfigError(
                f"{recipe.name}: data.size_px is {recipe.data.size_px}; method.global_layers={options.global_layers}"
                f" needs {smallest} px, or set fewer"
            )
        self.recipe, self.options = recipe, options
        self.networks = nn.ModuleDict({"generator": generators[0], "generator_back": generators[1]})
        for side in "xy":
            for scale, layers in (("local", options.local_layers), ("global", options.global_layers)):
                network = AttentionDiscriminator(3, width=options.discriminator_width, layers=layers)
                self.networks[f"discriminator_{scale}_{side}"] = network

    def discriminators(self, side: str) -> list[nn.Module]:
        """The local and the global one of a domain."""
        return [self.networks[f"discriminator_{scale}_{side}"] for scale in ("local", "global")]

    def optimisers(self) -> dict[str, OptimiserPlan]:
        """One for both generators, one for all discriminators."""
        critic = self.recipe.discriminator_optimiser or self.recipe.optimiser
        both = [p for name in ("generator", "generator_back") for p in self.networks[name].parameters()]
        critics = [p for side in "xy" for network in self.discriminators(side) for p in network.parameters()]
        return {
            "generators": OptimiserPlan(both, self.recipe.optimiser),
            "discriminators": OptimiserPlan(critics, critic),
        }

    def step(self, batch: Batch, context: StepContext) -> dict[str, Tensor]:
        """First the discriminators, then the generators."""
        g, f = (cast(UgatitGenerator, self.networks[name]) for name in ("generator", "generator_back"))
        x, y = batch["source"], batch["target"]
        with torch.no_grad():
            fake_y, fake_x = g(x), f(y)
        loss_d, scalars = self.discriminator_loss({"x": x, "y": y}, {"x": fake_x, "y": fake_y})
        context.update("discriminators", loss_d)
        losses = self.generator_losses(x, y)
        context.update("generators", torch.stack(list(losses.values())).sum())
        g.clip()
        f.clip()
        return {name: value.detach() for name, value in {"loss_d": loss_d, **scalars, **losses}.items()}

    def discriminator_loss(
        self, real: Mapping[str, Tensor], fake: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Equation 2 for patches and attention of all four, weighted, and their mean scores."""
        terms, scalars = [], {}
        for side in "xy":
            scores = [(d(real[side]).float(), d(fake[side]).float()) for d in self.discriminators(side)]
            terms += [_least_squares(of_real, 1.0) + _least_squares(of_fake, 0.0) for of_real, of_fake in scores]
            scalars[f"d_real_{side}"] = torch.stack([of_real.mean() for of_real, _ in scores]).mean()
            scalars[f"d_fake_{side}"] = torch.stack([of_fake.mean() for _, of_fake in scores]).mean()
            if self.recipe.stabilisers.r1 > 0:
                gamma = self.recipe.stabilisers.r1
                terms += [r1_penalty(d, real[side], gamma) for d in self.discriminators(side)]
        return self.options.adversarial_weight * torch.stack(terms).sum(), scalars

    def generator_losses(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """The weighted terms of equation 6, to be summed."""
        options = self.options
        g, f = (cast(UgatitGenerator, self.networks[name]) for name in ("generator", "generator_back"))
        fake_y, seen_x = g.with_attention(x)
        fake_x, seen_y = f.with_attention(y)
        same_y, seen_same_y = g.with_attention(y)
        same_x, seen_same_x = f.with_attention(x)
        critics = [*self.discriminators("x"), *self.discriminators("y")]
        with frozen(*critics):
            of_y = [_least_squares(d(fake_y).float(), 1.0) for d in self.discriminators("y")]
            of_x = [_least_squares(d(fake_x).float(), 1.0) for d in self.discriminators("x")]
        cycle = cycle_loss(f(fake_y), x) + cycle_loss(g(fake_x), y)
        identity = identity_loss(same_y, y) + identity_loss(same_x, x)
        attention = _attention_loss(seen_x, seen_same_y) + _attention_loss(seen_y, seen_same_x)
        return {
            "loss_g": options.adversarial_weight * torch.stack([*of_y, *of_x]).sum(),
            "loss_cycle": options.cycle_weight * cycle,
            "loss_identity": options.identity_weight * identity,
            "loss_attention": options.attention_weight * attention,
        }

    def samples(self, batch: Batch, networks: nn.ModuleDict) -> list[Tensor]:
        """x, G(x), F(G(x)), y, F(y), G(F(y))."""
        g, f = networks["generator"], networks["generator_back"]
        fake_y, fake_x = g(batch["source"]), f(batch["target"])
        return [batch["source"], fake_y, f(fake_y), batch["target"], fake_x, g(fake_x)]

    def export_spec(self) -> ExportSpec:
        """The generator; the way back as well."""
        multiple = cast(UgatitGenerator, self.networks["generator"]).size_multiple
        sizes = (self.recipe.data.size_px,)
        return ExportSpec("generator", sizes_px=sizes, size_multiple=multiple, others={"back": "generator_back"})

    def state(self) -> dict[str, Any]:
        """Nothing outside the networks."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing to load."""


def _least_squares(scores: Tensor, label: float) -> Tensor:
    """The patches' mean and the two classifiers' mean, each on its own, as the paper has them; scores [N,P + 2]."""
    patches, classifiers = scores[:, :-2], scores[:, -2:]
    return (patches - label).square().mean() + (classifiers - label).square().mean()


def _attention_loss(changed: Tensor, same: Tensor) -> Tensor:
    """Equation 5: logits of pictures that are to be changed are 1, those of the target domain 0."""
    return F.binary_cross_entropy_with_logits(
        changed.float(), torch.ones_like(changed, dtype=torch.float32)
    ) + F.binary_cross_entropy_with_logits(same.float(), torch.zeros_like(same, dtype=torch.float32))


def build(recipe: Recipe) -> UgatitSystem:
    """Make the system of a recipe."""
    return UgatitSystem(recipe, parse_table(Options, recipe.method, f"{recipe.name}: method"))
