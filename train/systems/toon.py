"""Our own method: a small real-time generator learns to draw as the teacher does (recipes toon and human).

The teacher's drawings are exact targets, so reconstruction leads: L1 and gradient L1, heavier at eyes and mouth, which
are small and are what people look at. A perceptual distance and, in the last part of the run, a patch discriminator
keep faces sharp; both look at a window around eyes and mouth only, where they matter most and a CPU can afford them. A
second view of the same face, shifted and worn differently, must be drawn alike (temporal.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.losses.adversarial import AdversarialLoss
from toonfilter.train.losses.perceptual import FeatureNetwork, FeatureSettings, perceptual_loss
from toonfilter.train.losses.reconstruction import DRAWN, gradient_l1, ink_weight, l1, region_weight
from toonfilter.train.losses.temporal import shift_consistency
from toonfilter.train.networks import build_discriminator, build_generator
from toonfilter.train.recipe import Recipe, parse_table
from toonfilter.train.stabilisers import r1_penalty
from toonfilter.train.systems import Batch, ExportSpec, OptimiserPlan, StepContext, frozen

_FEATURES = FeatureSettings("squeezenet1_0", (1, 4))


@dataclass(frozen=True)
class Options:
    """The `[method]` table; weights are of losses on pictures in -1..1."""

    l1_weight: float = 1.0
    gradient_weight: float = 1.0
    matte_weight: float = 0.3
    perceptual_weight: float = 0.0
    perceptual: FeatureSettings = _FEATURES
    adversarial_weight: float = 0.0
    # Part of the run after which the discriminator has a say.
    adversarial_from: float = 0.6
    temporal_weight: float = 0.0
    # Part of each batch that is seen twice.
    temporal_share: float = 0.25
    eyes_weight: float = 1.0
    mouth_weight: float = 1.0
    region_margin_px: int = 3
    ink_weight: float = 1.0
    # Weight of what the matte cuts away.
    background_weight: float = 1.0
    # Without it guidance pictures, where the data has them, only say where eyes and mouth are.
    guidance_input: bool = True
    # Side of the window around eyes and mouth.
    window_px: int = 96
    # Part of the windows that lie anywhere instead.
    windows_elsewhere: float = 0.0
    sizes_px: tuple[int, ...] = (256, 384, 512)


class ToonSystem:
    """Generator on photo and guidance; a small discriminator on the window around eyes and mouth."""

    averaged = ("generator",)

    def __init__(self, recipe: Recipe, options: Options) -> None:
        if recipe.data.layout != "paired":
            raise ConfigError(
                f"{recipe.name}: data.layout is {recipe.data.layout!r}; this method needs paired pictures"
            )
        if options.window_px > recipe.data.size_px:
            raise ConfigError(
                f"{recipe.name}: method.window_px is {options.window_px}; at most data.size_px, {recipe.data.size_px}"
            )
        self.recipe, self.options = recipe, options
        self.guidance_channels = 3 if recipe.data.guidance and options.guidance_input else 0
        networks = {"generator": build_generator(recipe.generator, 3 + self.guidance_channels, 4)}
        if options.adversarial_weight > 0:
            if recipe.discriminator is None:
                raise ConfigError(f"{recipe.name}: 'discriminator' is missing")
            networks["discriminator"] = build_discriminator(recipe.discriminator, 3 + self.guidance_channels)
        self.networks = nn.ModuleDict(networks)
        self.adversarial = AdversarialLoss("lsgan")
        self.features: nn.Module | None = None

    def optimisers(self) -> dict[str, OptimiserPlan]:
        """One for each network. The pretrained features are opened here: only training needs them."""
        if self.options.perceptual_weight > 0 and self.features is None:
            self.features = FeatureNetwork(self.options.perceptual)
        critic = self.recipe.discriminator_optimiser or self.recipe.optimiser
        settings = {"generator": self.recipe.optimiser, "discriminator": critic}
        return {name: OptimiserPlan(list(net.parameters()), settings[name]) for name, net in self.networks.items()}

    def step(self, batch: Batch, context: StepContext) -> dict[str, Tensor]:
        """Draw, compare with the teacher, update; late in the run the discriminator as well."""
        twice = max(1, round(self.options.temporal_share * len(batch["source"])))
        twice = twice if self.options.temporal_weight > 0 and "again" in batch else 0
        drawn = self.networks["generator"](self._inputs(batch, twice)).float()
        result, again = drawn[: len(batch["source"])], drawn[len(batch["source"]) :]

        losses = self._reconstruction_losses(result, batch)
        if twice:
            losses["temporal"] = shift_consistency(result[:twice], again, batch["shift"][:twice])
        windows = self._windows(result[:, :3], batch)
        if self.features is not None:
            losses["perceptual"] = perceptual_loss(self.features, windows["result"], windows["target"])
        is_adversarial = "discriminator" in self.networks and context.progress >= self.options.adversarial_from
        if is_adversarial:
            losses["adversarial"] = self._adversarial_loss(windows)
        loss = torch.stack([self._weight_of(name) * value for name, value in losses.items()]).sum()
        context.update("generator", loss)

        scalars = {"loss": loss, **losses}
        if is_adversarial:
            scalars |= self._train_discriminator(windows, context)
        return {name: value.detach() for name, value in scalars.items()}

    def _reconstruction_losses(self, result: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Distances to the teacher's drawing and matte. result: [N, 4, H, W]."""
        options = self.options
        weight = ink_weight(batch["target"], options.ink_weight)
        if "matte" in batch:
            weight = weight * (options.background_weight + (1 - options.background_weight) * batch["matte"])
        if "guidance" in batch:
            eyes, mouth = options.eyes_weight, options.mouth_weight
            weight = weight + region_weight(batch["guidance"], eyes, mouth, options.region_margin_px) - 1
        losses = {
            "l1": l1(result[:, :3], batch["target"], weight),
            "gradient": gradient_l1(result[:, :3], batch["target"], weight),
        }
        if "matte" in batch:
            losses["matte"] = l1(result[:, 3:], batch["matte"] * 2 - 1)
        return losses

    def _adversarial_loss(self, windows: Mapping[str, Tensor]) -> Tensor:
        """The discriminator should take the drawn window for the teacher's."""
        discriminator = self.networks["discriminator"]
        with frozen(discriminator):
            return self.adversarial.generator(discriminator(_beside(windows["result"], windows)))

    def _weight_of(self, name: str) -> float:
        """Weight of a loss by name."""
        return float(getattr(self.options, f"{name}_weight"))

    def samples(self, batch: Batch, networks: nn.ModuleDict) -> list[Tensor]:
        """Source, result, result blended over the source by its matte, target."""
        drawn = networks["generator"](self._inputs(batch, 0)).float().clamp(-1, 1)
        alpha = drawn[:, 3:] * 0.5 + 0.5
        blended = drawn[:, :3] * alpha + batch["source"] * (1 - alpha)
        return [batch["source"], drawn[:, :3], blended, batch["target"]]

    def export_spec(self) -> ExportSpec:
        """The generator: picture and guidance in, RGBA out."""
        return ExportSpec("generator", self.guidance_channels, out_channels=4, sizes_px=self.options.sizes_px)

    def state(self) -> dict[str, Any]:
        """Nothing outside the networks."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing to load."""

    def _inputs(self, batch: Batch, twice: int) -> Tensor:
        """[N + twice, 3 or 6, H, W]: the pictures, then the second views of the first `twice` of them."""
        first = batch["source"]
        if self.guidance_channels:
            first = torch.cat([first, batch["guidance"]], dim=1)
        if not twice:
            return first
        again = batch["again"][:twice]
        if self.guidance_channels:
            again = torch.cat([again, batch["again_guidance"][:twice]], dim=1)
        return torch.cat([first, again])

    def _windows(self, result: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The windows around eyes and mouth: of the result, the target and, where there is one, the guidance."""
        options = self.options
        corners = window_corners(batch.get("guidance"), result, options.window_px, options.windows_elsewhere)
        pictures = {"result": result, "target": batch["target"]}
        if self.guidance_channels:
            pictures["guidance"] = batch["guidance"]
        return {name: _cut(value, corners, self.options.window_px) for name, value in pictures.items()}

    def _train_discriminator(self, windows: Mapping[str, Tensor], context: StepContext) -> dict[str, Tensor]:
        discriminator = self.networks["discriminator"]
        real = discriminator(_beside(windows["target"], windows))
        fake = discriminator(_beside(windows["result"].detach(), windows))
        loss = self.adversarial.discriminator(real, fake)
        if self.recipe.stabilisers.r1 > 0:
            shown = _beside(windows["target"], windows)
            loss = loss + r1_penalty(discriminator, shown, self.recipe.stabilisers.r1)
        context.update("discriminator", loss)
        return {"loss_d": loss, "d_real": real.float().mean(), "d_fake": fake.float().mean()}


def window_corners(
    guidance: Tensor | None, pictures: Tensor, side: int, elsewhere: float = 0.0
) -> list[tuple[int, int]]:
    """Upper left corners (y, x) of windows around what the guidance draws, moved at random by up to a quarter window;
    anywhere in the picture for a part `elsewhere` of them, and where nothing is drawn."""
    height, width = pictures.shape[-2:]
    moves = torch.rand(len(pictures), 3)
    corners = []
    for index in range(len(pictures)):
        y = float(moves[index, 0]) * (height - side)
        x = float(moves[index, 1]) * (width - side)
        is_elsewhere = guidance is None or float(moves[index, 2]) < elsewhere
        drawn = None if is_elsewhere or guidance is None else guidance[index, (0, 2)].amax(0) > DRAWN
        if drawn is not None and bool(drawn.any()):
            rows, columns = drawn.any(1).nonzero().float().mean(), drawn.any(0).nonzero().float().mean()
            y = float(rows) - side / 2 + (float(moves[index, 0]) - 0.5) * side / 2
            x = float(columns) - side / 2 + (float(moves[index, 1]) - 0.5) * side / 2
        corners.append((round(min(max(y, 0), height - side)), round(min(max(x, 0), width - side))))
    return corners


def _cut(pictures: Tensor, corners: list[tuple[int, int]], side: int) -> Tensor:
    parts = [p[:, y : y + side, x : x + side] for p, (y, x) in zip(pictures, corners, strict=True)]
    return torch.stack(parts)


def _beside(pictures: Tensor, windows: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([pictures, windows["guidance"]], dim=1) if "guidance" in windows else pictures


def build(recipe: Recipe) -> ToonSystem:
    """Make the system of a recipe."""
    return ToonSystem(recipe, parse_table(Options, recipe.method, f"{recipe.name}: method"))
