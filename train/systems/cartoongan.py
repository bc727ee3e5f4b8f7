"""CartoonGAN (Chen et al. 2018): photos to cartoons, unpaired, with one generator and one discriminator.

  L(G, D) = L_adv(G, D) + omega L_con(G, D)                                                    (equation 1)
  L_adv   edge-promoting: cartoons are real, cartoons with smoothed edges and pictures made by G are not (equation 3)
  L_con   ||VGG_l(G(p)) - VGG_l(p)||_1, l = conv4_4 (equation 4)

Initialisation phase (section 3.3): at first G minimises L_con alone, so that the game starts from the photo.

Options beyond the paper, off by default: a Gram style loss against the cartoons (on grayscale pictures, which keeps
their colours out of it), a colour loss against the photo (Chen et al. 2020, AnimeGAN, equations 5 and 6), and a
landmark loss through a regressor that is trained on the photos during the initialisation phase and frozen after it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError, DataError
from toonfilter.runtime.geometry.landmarks import FIVE_POINTS
from toonfilter.train.landmark_points import chosen_points
from toonfilter.train.losses.adversarial import AdversarialLoss
from toonfilter.train.losses.colour import colour_loss, to_grayscale
from toonfilter.train.losses.content import content_loss
from toonfilter.train.losses.edge_promoting import edge_promoting_loss
from toonfilter.train.losses.landmark import landmark_consistency
from toonfilter.train.losses.perceptual import FeatureNetwork, FeatureSettings
from toonfilter.train.losses.style import style_loss
from toonfilter.train.networks import build_discriminator, build_generator
from toonfilter.train.networks.landmark_regressor import LandmarkRegressor, heat_maps
from toonfilter.train.recipe import OptimiserSettings, Recipe, parse_table
from toonfilter.train.stabilisers import r1_penalty
from toonfilter.train.systems import Batch, ExportSpec, OptimiserPlan, StepContext, frozen


@dataclass(frozen=True)
class Options:
    """The `[method]` table.

    content_weight: omega. initialisation: share of the run in which G minimises the content loss only (the paper: 10
    epochs). style_weight, colour_weight, landmark_weight: 0 leaves the term out.
    """

    content_weight: float = 10.0
    initialisation: float = 0.05
    # conv4_4 of VGG19, as in the paper.
    perceptual: FeatureSettings = field(default_factory=lambda: FeatureSettings(layers=(25,)))
    style_weight: float = 0.0
    # conv2_1, conv3_1, conv4_1 of the same network.
    style_layers: tuple[int, ...] = (5, 10, 19)
    colour_weight: float = 0.0
    landmark_weight: float = 0.0
    regressor_width: int = 16
    regressor_levels: int = 4


class CartoonGanSystem:
    """Generator, discriminator, and a landmark regressor where the landmark loss is on."""

    averaged = ("generator",)
    sample_titles = ("photo", "result", "a cartoon", "smoothed")

    def __init__(self, recipe: Recipe, options: Options) -> None:
        if recipe.discriminator is None:
            raise ConfigError(f"{recipe.name}: 'discriminator' is missing")
        if not recipe.data.edges:
            raise ConfigError(f"{recipe.name}: data.edges is false; the edge-promoting loss needs smoothed cartoons")
        if options.landmark_weight > 0 and not recipe.data.landmarks:
            raise ConfigError(f"{recipe.name}: data.landmarks is false; method.landmark_weight needs landmarks")
        self.recipe = recipe
        self.options = options
        # Opened when training begins: exporting needs no pretrained features.
        self.content: nn.Module = nn.Identity()
        self.style: nn.Module = nn.Identity()
        networks: dict[str, nn.Module] = {
            "generator": build_generator(recipe.generator, 3, 3),
            "discriminator": build_discriminator(recipe.discriminator, 3),
        }
        if options.landmark_weight > 0:
            networks["regressor"] = LandmarkRegressor(
                points=len(FIVE_POINTS), width=options.regressor_width, levels=options.regressor_levels
            )
        self.networks = nn.ModuleDict(networks)

    def optimisers(self) -> dict[str, OptimiserPlan]:
        """One for each network."""
        self.content = FeatureNetwork(self.options.perceptual)
        if self.options.style_weight > 0:
            self.style = FeatureNetwork(replace(self.options.perceptual, layers=self.options.style_layers))
        critic = self.recipe.discriminator_optimiser or self.recipe.optimiser
        settings = {
            "generator": self.recipe.optimiser,
            "discriminator": critic,
            "regressor": OptimiserSettings(learning_rate=1e-3, beta1=0.9),
        }
        return {
            name: OptimiserPlan(list(network.parameters()), settings[name]) for name, network in self.networks.items()
        }

    def step(self, batch: Batch, context: StepContext) -> dict[str, Tensor]:
        """A step of the initialisation phase, or of the game."""
        if "edges" not in batch:
            raise DataError("the data has no edge-smoothed cartoons; make them: toonfilter prepare edges")
        if context.progress < self.options.initialisation:
            return self.initialise(batch, context)
        generator, discriminator = self.networks["generator"], self.networks["discriminator"]
        fake = generator(batch["source"])
        real_logits, fake_logits = discriminator(batch["target"]), discriminator(fake.detach())
        loss_d = edge_promoting_loss(real_logits, discriminator(batch["edges"]), fake_logits)
        if self.recipe.stabilisers.r1 > 0:
            loss_d = loss_d + r1_penalty(discriminator, batch["target"], self.recipe.stabilisers.r1)
        context.update("discriminator", loss_d)
        losses = self.generator_losses(batch, fake)
        context.update("generator", torch.stack(list(losses.values())).sum())
        scores = {"d_real": real_logits.float().sigmoid().mean(), "d_fake": fake_logits.float().sigmoid().mean()}
        return {name: value.detach() for name, value in {"loss_d": loss_d, **scores, **losses}.items()}

    def initialise(self, batch: Batch, context: StepContext) -> dict[str, Tensor]:
        """Section 3.3: only the semantic content; meanwhile the regressor learns from the photos."""
        photo = batch["source"]
        loss = self.options.content_weight * content_loss(self.content, self.networks["generator"](photo), photo)
        context.update("generator", loss)
        scalars = {"loss_content": loss.detach()}
        if "regressor" in self.networks:
            loss_r = self.landmark_loss(photo, batch["landmarks"])
            context.update("regressor", loss_r)
            scalars["loss_regressor"] = loss_r.detach()
        return scalars

    def generator_losses(self, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
        """The weighted terms, to be summed."""
        options, photo = self.options, batch["source"]
        with frozen(self.networks["discriminator"]):
            losses = {"loss_g": AdversarialLoss("vanilla").generator(self.networks["discriminator"](fake))}
        losses["loss_content"] = options.content_weight * content_loss(self.content, fake, photo)
        if options.style_weight > 0:
            of_fake, of_cartoon = self.style(to_grayscale(fake)), self.style(to_grayscale(batch["target"]))
            losses["loss_style"] = options.style_weight * style_loss(of_fake, of_cartoon)
        if options.colour_weight > 0:
            losses["loss_colour"] = options.colour_weight * colour_loss(fake, photo)
        if "regressor" in self.networks:
            regressor = self.networks["regressor"].eval()
            with frozen(regressor):
                losses["loss_landmarks"] = options.landmark_weight * self.landmark_loss(fake, batch["landmarks"])
        return losses

    def landmark_loss(self, image: Tensor, landmarks: Tensor) -> Tensor:
        """Heat maps that the regressor finds in a picture, against those of the photo's landmarks."""
        maps = self.networks["regressor"](image)
        points = chosen_points(landmarks, FIVE_POINTS, self.recipe.data.size_px)
        return landmark_consistency(maps, heat_maps(points, maps.shape[2], maps.shape[3]))

    def samples(self, batch: Batch, networks: nn.ModuleDict) -> list[Tensor]:
        """Photo, result, a cartoon, that cartoon with smoothed edges."""
        return [batch["source"], networks["generator"](batch["source"]), batch["target"], batch["edges"]]

    def export_spec(self) -> ExportSpec:
        """The generator."""
        return ExportSpec("generator", sizes_px=(self.recipe.data.size_px,))

    def state(self) -> dict[str, Any]:
        """Nothing outside the networks."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing to load."""


def build(recipe: Recipe) -> CartoonGanSystem:
    """Make the system of a recipe."""
    return CartoonGanSystem(recipe, parse_table(Options, recipe.method, f"{recipe.name}: method"))
