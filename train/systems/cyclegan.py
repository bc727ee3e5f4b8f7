"""CycleGAN and its variants (recipes cyclegan, cyclegan-fast, cyclegan-v3 to -v6, face2anime).

cyclegan:    Zhu et al. 2017, equations 1 to 4: G: X -> Y and F: Y -> X, discriminators D_X and D_Y, cycle and
             identity losses, image pool, least squares, linear decay.
cyclegan-v3: the generators' adversarial loss is gan-v2's, lambda * L2(G(x), x_g) + (1 - lambda) *
             abs(D(x_g) - D(G(x))); needs paired pictures.
cyclegan-v4: the cycle loss mixes pixels and discriminator features (Wang and Lin 2018); the features' share gamma
             rises linearly to a value below 1.
cyclegan-v5: soft labels. cyclegan-v6: residual discriminators.
face2anime:  the plan of the Face2Anime report: on top of cyclegan the terms of XGAN (Royer et al. 2017), with the
             generators' own encoders as e_X and e_Y:
  L_sem   ||e_X(x) - e_Y(G(x))||_1 and the way back
  L_dann  mean(C(e_X(x))^2 + (C(e_Y(y)) - 1)^2); the classifier C minimises it, the encoders its reverse
  L_per   ||f(G(x)) - f(x)||_1 on pretrained features f, and the way back

x is `source` (photos), y is `target` (cartoons).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.image_pool import ImagePool
from toonfilter.train.losses.adversarial_distance import balanced_generator_loss
from toonfilter.train.losses.adversary import Adversary, AdversaryOptions
from toonfilter.train.losses.content import content_loss
from toonfilter.train.losses.cycle import cycle_loss, identity_loss
from toonfilter.train.losses.domain import domain_least_squares, reverse_gradient, semantic_consistency
from toonfilter.train.losses.feature_cycle import feature_cycle_loss
from toonfilter.train.losses.perceptual import FeatureNetwork, FeatureSettings
from toonfilter.train.networks import build_discriminator, build_generator
from toonfilter.train.networks.blocks import together
from toonfilter.train.networks.resnet import ResnetGenerator
from toonfilter.train.networks.xgan import DomainClassifier
from toonfilter.train.ramps import Ramp
from toonfilter.train.recipe import Recipe, parse_table
from toonfilter.train.systems import Batch, ExportSpec, OptimiserPlan, StepContext, frozen


@dataclass(frozen=True)
class Options:
    """The `[method]` table.

    cycle_weight: lambda of equation 3. identity_weight: weight of the identity loss (half of lambda in the paper);
    0 leaves it out, and its two passes. pool: pictures kept for the discriminators. balance: lambda of gan-v2 (v3 and
    later). feature_cycle: gamma (v4 and later), on the discriminator's middle layer. The last three weights are
    those of face2anime; 0 leaves a term out.
    """

    adversary: AdversaryOptions = field(default_factory=AdversaryOptions)
    cycle_weight: float = 10.0
    cycle_norm: Literal["l1", "l2"] = "l1"
    identity_weight: float = 5.0
    identity_norm: Literal["l1", "l2"] = "l1"
    pool: int = 50
    balance: Ramp | None = None
    feature_cycle: Ramp | None = None
    feature_cycle_layer: Literal["middle", "last"] = "middle"
    semantic_weight: float = 0.0
    domain_weight: float = 0.0
    perceptual_weight: float = 0.0
    # conv4_4 of VGG19.
    perceptual: FeatureSettings = field(default_factory=FeatureSettings)


class CycleGanSystem:
    """Two generators and two discriminators."""

    averaged = ("generator", "generator_back")
    sample_titles = ("x", "G(x)", "F(G(x))", "y", "F(y)", "G(F(y))")

    def __init__(self, recipe: Recipe, options: Options) -> None:
        if recipe.discriminator is None:
            raise ConfigError(f"{recipe.name}: 'discriminator' is missing")
        if options.balance is not None and recipe.data.layout != "paired":
            raise ConfigError(
                f"{recipe.name}: data.layout is {recipe.data.layout!r}; method.balance compares with the ground truth"
                " and needs paired pictures"
            )
        if options.feature_cycle is not None and not max(options.feature_cycle.start, options.feature_cycle.end) < 1:
            raise ConfigError(f"{recipe.name}: method.feature_cycle must stay below 1, or pixels count for nothing")
        self.recipe = recipe
        self.options = options
        self.adversary = Adversary(options.adversary, recipe.stabilisers.r1)
        self.networks = nn.ModuleDict(
            {
                "generator": build_generator(recipe.generator, 3, 3),
                "generator_back": build_generator(recipe.generator, 3, 3),
                "discriminator_x": build_discriminator(recipe.discriminator, 3),
                "discriminator_y": build_discriminator(recipe.discriminator, 3),
            }
        )
        self.features: nn.Module = nn.Identity()
        self._add_shared_meaning()
        self.adversary.check(self.networks["discriminator_x"])
        self.pool_x, self.pool_y = ImagePool(options.pool), ImagePool(options.pool)

    def _add_shared_meaning(self) -> None:
        """The domain classifier, where a term needs it; generators must have an encoder to share its meaning."""
        options, generator = self.options, self.networks["generator"]
        if options.semantic_weight <= 0 and options.domain_weight <= 0:
            return
        if not isinstance(generator, ResnetGenerator):
            raise ConfigError(
                f"{self.recipe.name}: generator.kind is {self.recipe.generator.kind!r}; method.semantic_weight and"
                " .domain_weight need 'resnet', whose encoder they compare"
            )
        if options.domain_weight > 0:
            self.networks["classifier"] = DomainClassifier(embedding=generator.embedding)

    def optimisers(self) -> dict[str, OptimiserPlan]:
        """One for both generators, one for both discriminators."""
        nets = self.networks
        critic = self.recipe.discriminator_optimiser or self.recipe.optimiser
        both_g = [*nets["generator"].parameters(), *nets["generator_back"].parameters()]
        # The reversed gradient plays both sides in one pass, so the classifier goes with the generators.
        both_g += list(nets["classifier"].parameters()) if "classifier" in nets else []
        if self.options.perceptual_weight > 0:
            self.features = FeatureNetwork(self.options.perceptual)
        both_d = [*nets["discriminator_x"].parameters(), *nets["discriminator_y"].parameters()]
        return {
            "generators": OptimiserPlan(both_g, self.recipe.optimiser),
            "discriminators": OptimiserPlan(both_d, critic),
        }

    def step(self, batch: Batch, context: StepContext) -> dict[str, Tensor]:
        """First the generators, then the discriminators on pictures from the pools (section 4)."""
        g, f = self.networks["generator"], self.networks["generator_back"]
        d_x, d_y = self.networks["discriminator_x"], self.networks["discriminator_y"]
        x, y = batch["source"], batch["target"]
        scalars: dict[str, Tensor] = {}

        if self.adversary.is_generators_turn(context.step):
            made = self.translated(x, y)
            fake_x, fake_y = made["fake_x"], made["fake_y"]
            with frozen(d_x, d_y):
                losses = self.generator_losses(x, y, made, context.progress)
            loss_g = torch.stack(list(losses.values())).sum()
            context.update("generators", loss_g)
            scalars |= {name: value.detach() for name, value in losses.items()}
        else:
            with torch.no_grad():
                fake_y, fake_x = g(x), f(y)

        on_x = self.adversary.judge(d_x, x, self.pool_x.exchange(fake_x))
        on_y = self.adversary.judge(d_y, y, self.pool_y.exchange(fake_y))
        context.update("discriminators", on_x.loss + on_y.loss)
        self.adversary.constrain(d_x, d_y)
        return scalars | on_x.scalars("_x") | on_y.scalars("_y")

    def translated(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """fake_y = G(x) and fake_x = F(y); for the identity loss also same_y = G(y) and same_x = F(x)."""
        g, f = self.networks["generator"], self.networks["generator_back"]
        if self.options.identity_weight <= 0:
            return {"fake_y": g(x), "fake_x": f(y)}
        fake_y, same_y = together(g, x, y)
        fake_x, same_x = together(f, y, x)
        return {"fake_y": fake_y, "fake_x": fake_x, "same_y": same_y, "same_x": same_x}

    def generator_losses(self, x: Tensor, y: Tensor, made: Mapping[str, Tensor], progress: float) -> dict[str, Tensor]:
        """The weighted terms of equation 3 (and of its variants), to be summed; `made` is what `translated` made."""
        g, f = self.networks["generator"], self.networks["generator_back"]
        fake_x, fake_y = made["fake_x"], made["fake_y"]
        losses = {
            "loss_g": self.adversarial_loss("discriminator_y", fake_y, y, progress),
            "loss_f": self.adversarial_loss("discriminator_x", fake_x, x, progress),
            "loss_cycle_x": self.cycle("discriminator_x", f(fake_y), x, progress),
            "loss_cycle_y": self.cycle("discriminator_y", g(fake_x), y, progress),
        }
        if self.options.identity_weight > 0:
            weight, norm = self.options.identity_weight, self.options.identity_norm
            losses["loss_identity_x"] = weight * identity_loss(made["same_x"], x, norm)
            losses["loss_identity_y"] = weight * identity_loss(made["same_y"], y, norm)
        return losses | self.meaning_losses(x, y, fake_x, fake_y)

    def meaning_losses(self, x: Tensor, y: Tensor, fake_x: Tensor, fake_y: Tensor) -> dict[str, Tensor]:
        """The weighted terms of face2anime, as far as they are switched on."""
        options, nets = self.options, self.networks
        losses: dict[str, Tensor] = {}
        if options.semantic_weight > 0 or options.domain_weight > 0:
            g, f = cast(ResnetGenerator, nets["generator"]), cast(ResnetGenerator, nets["generator_back"])
            e_x, e_y = g.embed(x), f.embed(y)
        if options.semantic_weight > 0:
            semantic = semantic_consistency(e_x, f.embed(fake_y)) + semantic_consistency(e_y, g.embed(fake_x))
            losses["loss_semantic"] = options.semantic_weight * semantic
        if options.domain_weight > 0:
            scores = [nets["classifier"](reverse_gradient(e.mean((2, 3)))) for e in (e_x, e_y)]
            losses["loss_domain"] = options.domain_weight * domain_least_squares(*scores)
        if options.perceptual_weight > 0:
            perceptual = content_loss(self.features, fake_y, x) + content_loss(self.features, fake_x, y)
            losses["loss_perceptual"] = options.perceptual_weight * perceptual
        return losses

    def adversarial_loss(self, discriminator: str, fake: Tensor, truth: Tensor, progress: float) -> Tensor:
        """Equation 1 for a generator; with `balance`, gan-v2's loss against the ground truth."""
        network = self.networks[discriminator]
        if self.options.balance is None:
            return self.adversary.generator_loss(network, fake)
        with torch.no_grad():
            real_scores = self.adversary.scores(network(truth))
        fake_scores = self.adversary.scores(network(fake))
        return balanced_generator_loss(fake, truth, real_scores, fake_scores, self.options.balance.at(progress))

    def cycle(self, discriminator: str, recovered: Tensor, original: Tensor, progress: float) -> Tensor:
        """Equation 2, one direction; with `feature_cycle`, mixed with features of the original's discriminator."""
        weight, norm = self.options.cycle_weight, self.options.cycle_norm
        if self.options.feature_cycle is None:
            return weight * cycle_loss(recovered, original, norm)
        network: Any = self.networks[discriminator]
        features = network.middle if self.options.feature_cycle_layer == "middle" else network.features
        with torch.no_grad():
            target = features(original)
        gamma = self.options.feature_cycle.at(progress)
        return weight * feature_cycle_loss(recovered, original, features(recovered), target, gamma, norm)

    def samples(self, batch: Batch, networks: nn.ModuleDict) -> list[Tensor]:
        """x, G(x), F(G(x)), y, F(y), G(F(y))."""
        g, f = networks["generator"], networks["generator_back"]
        fake_y, fake_x = g(batch["source"]), f(batch["target"])
        return [batch["source"], fake_y, f(fake_y), batch["target"], fake_x, g(fake_x)]

    def export_spec(self) -> ExportSpec:
        """The generator from photos to cartoons; the way back as well."""
        return ExportSpec("generator", sizes_px=(self.recipe.data.size_px,), others={"back": "generator_back"})

    def state(self) -> dict[str, Any]:
        """The image pools."""
        return {"pool_x": self.pool_x.state_dict(), "pool_y": self.pool_y.state_dict()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Put the image pools back, on the device of the networks."""
        device = next(self.networks.parameters()).device
        self.pool_x.load_state_dict(state["pool_x"], device)
        self.pool_y.load_state_dict(state["pool_y"], device)


def build(recipe: Recipe) -> CycleGanSystem:
    """Make the system of a recipe."""
    return CycleGanSystem(recipe, parse_table(Options, recipe.method, f"{recipe.name}: method"))
