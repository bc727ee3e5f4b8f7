"""Landmark-assisted CycleGAN (Wu et al. 2019): the cartoon's eyes, nose and mouth stay where the photo's are.

The generators see heat maps of the landmarks beside the picture. Two stages:

coarse   CycleGAN (equations 1 to 3). Meanwhile a landmark regressor for each domain, R_X and R_Y, is trained on real
         pictures with known landmarks; generated pictures never reach its loss.
fine     the regressors are frozen, and these terms come on top:
         L_c      ||R_Y(G(x, l)) - l||_2, landmark consistency (equation 4)
         L_gc     a global discriminator of picture and heat maps together: landmark matching (equation 5)
         L_local  discriminators of eyes, nose and mouth, cut where R_Y finds them (equation 6)

The landmark loss is differentiated through the frozen regressor down to the generator; computing it on a detached
picture, as one published re-implementation does, would train nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.geometry.landmarks import FIVE_POINTS
from toonfilter.train.image_pool import ImagePool
from toonfilter.train.landmark_points import FIVE_POINT_REGIONS, chosen_points
from toonfilter.train.losses.adversary import Adversary, AdversaryOptions, Verdict
from toonfilter.train.losses.cycle import cycle_loss, identity_loss
from toonfilter.train.losses.landmark import crop_around, landmark_consistency
from toonfilter.train.networks import build_discriminator, build_generator
from toonfilter.train.networks.landmark_regressor import ConditionedGenerator, LandmarkRegressor, heat_maps
from toonfilter.train.recipe import NetworkSettings, OptimiserSettings, Recipe, parse_table
from toonfilter.train.systems import Batch, ExportSpec, OptimiserPlan, StepContext, frozen

REGIONS = ("eyes", "nose", "mouth")


@dataclass(frozen=True)
class Options:
    """The `[method]` table.

    coarse_until: share of the run that is the coarse stage. patch_sizes: sides of the regions of eyes, nose and mouth
    as shares of the picture's side. patch_px: side of the cut regions.
    """

    adversary: AdversaryOptions = field(default_factory=AdversaryOptions)
    cycle_weight: float = 10.0
    identity_weight: float = 5.0
    landmark_weight: float = 10.0
    matching_weight: float = 1.0
    local_weight: float = 0.3
    coarse_until: float = 0.5
    patch_sizes: tuple[float, ...] = (0.45, 0.25, 0.3)
    patch_px: int = 64
    pool: int = 50
    regressor_width: int = 16
    regressor_levels: int = 4
    regressor_rate: float = 1e-3


class LandmarkCycleGanSystem:
    """Both directions; names ending in x are about photos, in y about cartoons."""

    averaged = ("generator", "generator_back")
    sample_titles = ("x", "G(x)", "F(G(x))", "y", "F(y)")

    def __init__(self, recipe: Recipe, options: Options) -> None:
        if recipe.discriminator is None:
            raise ConfigError(f"{recipe.name}: 'discriminator' is missing")
        if not recipe.data.landmarks:
            raise ConfigError(f"{recipe.name}: data.landmarks is false; this method needs landmarks")
        if len(options.patch_sizes) != len(REGIONS):
            raise ConfigError(f"{recipe.name}: method.patch_sizes needs {len(REGIONS)} numbers: {', '.join(REGIONS)}")
        self.recipe = recipe
        self.options = options
        self.adversary = Adversary(options.adversary, recipe.stabilisers.r1)
        networks: dict[str, nn.Module] = {}
        for name in ("generator", "generator_back"):
            body = build_generator(recipe.generator, 3 + len(FIVE_POINTS), 3)
            regressor = LandmarkRegressor(
                points=len(FIVE_POINTS), width=options.regressor_width, levels=options.regressor_levels
            )
            networks[name] = ConditionedGenerator(body, regressor)
        local = NetworkSettings(recipe.discriminator.kind, {**recipe.discriminator.options, "layers": 2})
        for side in "xy":
            networks[f"discriminator_{side}"] = build_discriminator(recipe.discriminator, 3)
            networks[f"matching_{side}"] = build_discriminator(recipe.discriminator, 3 + len(FIVE_POINTS))
            for region in REGIONS:
                networks[f"{region}_{side}"] = build_discriminator(local, 3)
        self.networks = nn.ModuleDict(networks)
        self.adversary.check(self.networks["discriminator_x"])
        self.pools = {name: ImagePool(options.pool) for name in ("x", "y")}

    def generator(self, name: str) -> ConditionedGenerator:
        """Return "generator" (photos in) or "generator_back" (cartoons in)."""
        return cast(ConditionedGenerator, self.networks[name])

    def regressor(self, side: str) -> LandmarkRegressor:
        """Return R_X or R_Y; it is kept with the generator that takes its pictures."""
        return self.generator("generator" if side == "x" else "generator_back").regressor

    def of_side(self, kind: str, side: str) -> nn.Module:
        """Return a discriminator by kind ("discriminator", "matching", "eyes", ...) and side."""
        return self.networks[f"{kind}_{side}"]

    def optimisers(self) -> dict[str, OptimiserPlan]:
        """Generators, discriminators, regressors."""
        bodies = [p for name in ("generator", "generator_back") for p in self.generator(name).body.parameters()]
        regressors = [p for side in "xy" for p in self.regressor(side).parameters()]
        critics = [
            p for name, net in self.networks.items() if not name.startswith("generator") for p in net.parameters()
        ]
        rate = OptimiserSettings(learning_rate=self.options.regressor_rate, beta1=0.9)
        return {
            "generators": OptimiserPlan(bodies, self.recipe.optimiser),
            "discriminators": OptimiserPlan(critics, self.recipe.discriminator_optimiser or self.recipe.optimiser),
            "regressors": OptimiserPlan(regressors, rate),
        }

    def step(self, batch: Batch, context: StepContext) -> dict[str, Tensor]:
        """One step of the coarse or of the fine stage."""
        size_px = self.recipe.data.size_px
        real = {"x": batch["source"], "y": batch["target"]}
        points = {
            "x": chosen_points(batch["landmarks"], FIVE_POINTS, size_px),
            "y": chosen_points(batch["target_landmarks"], FIVE_POINTS, size_px),
        }
        is_fine = context.progress >= self.options.coarse_until
        scalars: dict[str, Tensor] = {}
        if is_fine:
            for side in "xy":
                self.regressor(side).eval()
        else:
            loss_r = torch.stack([self.regressor_loss(real[side], points[side], side) for side in "xy"]).sum()
            context.update("regressors", loss_r)
            scalars["loss_regressors"] = loss_r.detach()

        # What is made from photos is a cartoon with the photo's landmarks, and the other way round.
        fake = {
            "y": self.generator("generator")(real["x"], points["x"]),
            "x": self.generator("generator_back")(real["y"], points["y"]),
        }
        made_at = {"y": points["x"], "x": points["y"]}
        if self.adversary.is_generators_turn(context.step):
            losses = self.generator_losses(real, fake, points, made_at, is_fine)
            context.update("generators", torch.stack(list(losses.values())).sum())
            scalars |= {name: value.detach() for name, value in losses.items()}

        verdicts = {side: self.judge(side, real, fake, points, made_at, is_fine) for side in "xy"}
        context.update("discriminators", verdicts["x"].loss + verdicts["y"].loss)
        self.adversary.constrain(*(net for name, net in self.networks.items() if not name.startswith("generator")))
        return scalars | verdicts["x"].scalars("_x") | verdicts["y"].scalars("_y")

    def regressor_loss(self, image: Tensor, points: Tensor, side: str) -> Tensor:
        """Heat maps of a real picture against Gaussians at its landmarks, and the distance of the points."""
        regressor = self.regressor(side)
        maps = regressor(image)
        return landmark_consistency(maps, heat_maps(points, maps.shape[2], maps.shape[3]))

    def generator_losses(
        self,
        real: Mapping[str, Tensor],
        fake: Mapping[str, Tensor],
        points: Mapping[str, Tensor],
        made_at: Mapping[str, Tensor],
        is_fine: bool,
    ) -> dict[str, Tensor]:
        """The weighted terms, to be summed."""
        g, f = self.generator("generator"), self.generator("generator_back")
        options = self.options
        losses = {
            "loss_cycle_x": options.cycle_weight * cycle_loss(f(fake["y"], made_at["y"]), real["x"]),
            "loss_cycle_y": options.cycle_weight * cycle_loss(g(fake["x"], made_at["x"]), real["y"]),
        }
        if options.identity_weight > 0:
            losses["loss_identity"] = options.identity_weight * (
                identity_loss(f(real["x"], points["x"]), real["x"])
                + identity_loss(g(real["y"], points["y"]), real["y"])
            )
        for side in "xy":
            critic = self.of_side("discriminator", side)
            with frozen(critic):
                losses[f"loss_g_{side}"] = self.adversary.generator_loss(critic, fake[side])
            if is_fine:
                for name, value in self.fine_losses(side, fake[side], made_at[side]).items():
                    losses[f"{name}_{side}"] = value
        return losses

    def fine_losses(self, side: str, fake: Tensor, made_at: Tensor) -> dict[str, Tensor]:
        """Equations 4 to 6 for pictures of one side."""
        options, regressor = self.options, self.regressor(side)
        matching = self.of_side("matching", side)
        with frozen(regressor):
            maps = regressor(fake)
        consistency = landmark_consistency(maps, heat_maps(made_at, maps.shape[2], maps.shape[3]))
        with frozen(matching):
            matched = self.adversary.generator_loss(matching, _with_maps(fake, made_at))
        local = fake.new_zeros(())
        for region, patch in self.patches(side, fake, None).items():
            critic = self.of_side(region, side)
            with frozen(critic):
                local = local + self.adversary.generator_loss(critic, patch)
        return {
            "loss_landmarks": options.landmark_weight * consistency,
            "loss_matching": options.matching_weight * matched,
            "loss_local": options.local_weight * local,
        }

    def patches(self, side: str, image: Tensor, points: Tensor | None) -> dict[str, Tensor]:
        """Cut eyes, nose and mouth: at known landmarks, or (generated pictures) where the regressor finds them."""
        if points is None:
            with torch.no_grad():
                points = self.regressor(side).landmarks(image)
        return {
            region: crop_around(image, points[:, list(places)].mean(1), size, self.options.patch_px)
            for region, places, size in zip(REGIONS, FIVE_POINT_REGIONS, self.options.patch_sizes, strict=True)
        }

    def judge(
        self,
        side: str,
        real: Mapping[str, Tensor],
        fake: Mapping[str, Tensor],
        points: Mapping[str, Tensor],
        made_at: Mapping[str, Tensor],
        is_fine: bool,
    ) -> Verdict:
        """The loss of all discriminators of one side, and the scores of the one that sees the whole picture."""
        pooled = self.pools[side].exchange(fake[side])
        whole = self.adversary.judge(self.of_side("discriminator", side), real[side], pooled)
        if not is_fine:
            return whole
        made = fake[side].detach()
        matched = _with_maps(real[side], points[side]), _with_maps(made, made_at[side])
        loss = whole.loss + self.adversary.judge(self.of_side("matching", side), *matched).loss
        real_patches, fake_patches = self.patches(side, real[side], points[side]), self.patches(side, made, None)
        for region in REGIONS:
            critic = self.of_side(region, side)
            loss = loss + self.adversary.judge(critic, real_patches[region], fake_patches[region]).loss
        return replace(whole, loss=loss)

    def samples(self, batch: Batch, networks: nn.ModuleDict) -> list[Tensor]:
        """x, G(x), F(G(x)), y, F(y); landmarks as the networks find them."""
        g, f = networks["generator"], networks["generator_back"]
        fake_y = g(batch["source"])
        return [batch["source"], fake_y, f(fake_y), batch["target"], f(batch["target"])]

    def export_spec(self) -> ExportSpec:
        """The generator with its own regressor: takes a picture only."""
        return ExportSpec("generator", sizes_px=(self.recipe.data.size_px,), others={"back": "generator_back"})

    def state(self) -> dict[str, Any]:
        """The image pools."""
        return {side: pool.state_dict() for side, pool in self.pools.items()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Put the image pools back, on the device of the networks."""
        device = next(self.networks.parameters()).device
        for side, pool in self.pools.items():
            pool.load_state_dict(state[side], device)


def _with_maps(image: Tensor, points: Tensor) -> Tensor:
    """A picture with the heat maps of its landmarks as further channels."""
    maps = heat_maps(points, image.shape[2], image.shape[3])
    return torch.cat([image, maps.to(image.dtype)], 1)


def build(recipe: Recipe) -> LandmarkCycleGanSystem:
    """Make the system of a recipe."""
    return LandmarkCycleGanSystem(recipe, parse_table(Options, recipe.method, f"{recipe.name}: method"))
