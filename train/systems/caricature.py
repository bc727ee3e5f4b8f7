"""CariGANs (Cao et al. 2018): geometry and appearance of a caricature, learned apart.

Geometry (CariGeoGAN, section 4.1): landmarks of photos (X) and of caricatures (Y) as PCA coefficients; a CycleGAN of
small fully connected networks on them, with
  L_adv   least squares (equation 1), L_cyc  cycle consistency (equation 2), L_cha  characteristic loss (equation 3):
  what sets a face apart from the mean face must set the caricature apart in the same direction.
The degree of exaggeration scales the change: 0 is the photo's own face, 1 what was learned.

Appearance (CariStyGAN, section 4.2): content and style apart (Huang et al. 2018), photos to the drawings' style with
the geometry kept: reconstruction of pictures, contents and styles, cycle consistency, adversarial loss, and a
perceptual loss that keeps the photo's content.

A caricature is the drawn picture, warped from the photo's landmarks to the exaggerated ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.geometry.landmarks import CARICATURE_POINTS
from toonfilter.train.landmark_points import chosen_points
from toonfilter.train.losses.adversary import Adversary, AdversaryOptions
from toonfilter.train.losses.caricature import characteristic_loss
from toonfilter.train.losses.content import content_loss
from toonfilter.train.losses.cycle import cycle_loss, distance
from toonfilter.train.losses.perceptual import FeatureNetwork, FeatureSettings
from toonfilter.train.networks import build_discriminator, build_network
from toonfilter.train.networks.caricature import AppearanceNetwork, GeometryGenerator, GeometryModel, LandmarkSpace
from toonfilter.train.networks.discriminators import VectorDiscriminator
from toonfilter.train.networks.warping import warp_by_landmarks
from toonfilter.train.recipe import OptimiserSettings, Recipe, parse_table
from toonfilter.train.systems import Batch, ExportSpec, OptimiserPlan, StepContext, frozen


@dataclass(frozen=True)
class Options:
    """The `[method]` table.

    components: of the landmark space (32 in the paper). faces_to_fit: faces of each domain that are collected before
    the space is fitted; the geometry is trained from then on. warped: the appearance sees caricatures in the shape of
    photos. degrees: of the sample grid.
    """

    adversary: AdversaryOptions = field(default_factory=AdversaryOptions)
    components: int = 32
    faces_to_fit: int = 256
    geometry_width: int = 128
    geometry_rate: float = 2e-4
    geometry_cycle_weight: float = 10.0
    characteristic_weight: float = 1.0
    warped: bool = True
    degrees: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5)
    image_weight: float = 10.0
    content_weight: float = 1.0
    style_weight: float = 1.0
    cycle_weight: float = 10.0
    perceptual_weight: float = 1.0
    # conv5_3 of VGG19.
    perceptual: FeatureSettings = field(default_factory=lambda: FeatureSettings(layers=(32,)))


class CaricatureSystem:
    """Geometry and appearance, each with its discriminators."""

    averaged = ("generator", "geometry")

    def __init__(self, recipe: Recipe, options: Options) -> None:
        if recipe.discriminator is None:
            raise ConfigError(f"{recipe.name}: 'discriminator' is missing")
        if not recipe.data.landmarks:
            raise ConfigError(f"{recipe.name}: data.landmarks is false; this method needs landmarks of both domains")
        if not 1 <= options.components <= 2 * len(CARICATURE_POINTS):
            raise ConfigError(
                f"{recipe.name}: method.components is {options.components}; must be 1 to {2 * len(CARICATURE_POINTS)}"
            )
        self.recipe = recipe
        self.options = options
        self.adversary = Adversary(options.adversary, recipe.stabilisers.r1)
        # Opened when training begins: exporting needs no pretrained features.
        self.features: nn.Module = nn.Identity()
        size = options.components
        self.networks = nn.ModuleDict(
            {
                "generator": build_network(recipe.generator),
                "discriminator": build_discriminator(recipe.discriminator, 3),
                "space": LandmarkSpace(len(CARICATURE_POINTS), size),
                "geometry": GeometryGenerator(size, width=options.geometry_width),
                "geometry_back": GeometryGenerator(size, width=options.geometry_width),
                "geometry_discriminator_x": VectorDiscriminator(size, options.geometry_width),
                "geometry_discriminator_y": VectorDiscriminator(size, options.geometry_width),
            }
        )
        self.adversary.check(self.networks["discriminator"])
        self.sample_titles = ("photo", *(f"degree {degree:g}" for degree in options.degrees), "a cartoon")
        # Landmarks seen so far, until the space is fitted; then None.
        self.collected: dict[str, list[Tensor]] | None = {"x": [], "y": []}
        self.means = {"x": torch.zeros(size), "y": torch.zeros(size)}

    def optimisers(self) -> dict[str, OptimiserPlan]:
        """Drawing, geometry, and the discriminators of each."""
        nets, options = self.networks, self.options
        if options.perceptual_weight > 0:
            self.features = FeatureNetwork(options.perceptual)
        critic = self.recipe.discriminator_optimiser or self.recipe.optimiser
        of_geometry = OptimiserSettings(learning_rate=options.geometry_rate, beta1=0.5)

        def plan(names: tuple[str, ...], settings: OptimiserSettings) -> OptimiserPlan:
            return OptimiserPlan([p for name in names for p in nets[name].parameters()], settings)

        return {
            "generator": plan(("generator",), self.recipe.optimiser),
            "discriminator": plan(("discriminator",), critic),
            "geometry": plan(("geometry", "geometry_back"), of_geometry),
            "geometry_discriminators": plan(("geometry_discriminator_x", "geometry_discriminator_y"), of_geometry),
        }

    def step(self, batch: Batch, context: StepContext) -> dict[str, Tensor]:
        """One step of both halves; they share nothing but the batch."""
        size_px = self.recipe.data.size_px
        points_x = chosen_points(batch["landmarks"], CARICATURE_POINTS, size_px)
        points_y = chosen_points(batch["target_landmarks"], CARICATURE_POINTS, size_px)
        scalars = self.appearance_step(batch["source"], self.in_photo_shape(batch["target"], points_y), context)
        if self.collected is not None:
            self.collect(points_x, points_y)
        if self.collected is None:
            scalars |= self.geometry_step(points_x, points_y, context)
        return scalars

    def collect(self, points_x: Tensor, points_y: Tensor) -> None:
        """Gather landmarks; with enough of them fit the landmark space and the mean faces."""
        if self.collected is None:
            return
        self.collected["x"] += list(points_x.detach().cpu())
        self.collected["y"] += list(points_y.detach().cpu())
        if len(self.collected["x"]) < self.options.faces_to_fit:
            return
        space = cast(LandmarkSpace, self.networks["space"])
        x, y = (_of_all_processes(torch.stack(self.collected[side]).to(points_x.device)) for side in "xy")
        space.fit(torch.cat([x, y]))
        self.means = {"x": space.encode(x).mean(0), "y": space.encode(y).mean(0)}
        self.collected = None

    def geometry_step(self, points_x: Tensor, points_y: Tensor, context: StepContext) -> dict[str, Tensor]:
        """CariGeoGAN: generators, then discriminators."""
        nets = self.networks
        space = cast(LandmarkSpace, nets["space"])
        with torch.autocast(points_x.device.type, enabled=False):
            x, y = space.encode(points_x), space.encode(points_y)
            fake_y, fake_x = nets["geometry"](x), nets["geometry_back"](y)
            losses = self.geometry_losses(x, y, fake_x, fake_y)
            if self.adversary.is_generators_turn(context.step):
                context.update("geometry", torch.stack(list(losses.values())).sum())
            on_y = self.adversary.judge(nets["geometry_discriminator_y"], y, fake_y)
            on_x = self.adversary.judge(nets["geometry_discriminator_x"], x, fake_x)
            context.update("geometry_discriminators", on_y.loss + on_x.loss)
            self.adversary.constrain(nets["geometry_discriminator_x"], nets["geometry_discriminator_y"])
        scalars = on_x.scalars("_geometry_x") | on_y.scalars("_geometry_y")
        return scalars | {name: value.detach() for name, value in losses.items()}

    def geometry_losses(self, x: Tensor, y: Tensor, fake_x: Tensor, fake_y: Tensor) -> dict[str, Tensor]:
        """Equations 1 to 3, both directions, weighted."""
        nets, options = self.networks, self.options
        d_x, d_y = nets["geometry_discriminator_x"], nets["geometry_discriminator_y"]
        mean_x, mean_y = self.means["x"].to(x.device), self.means["y"].to(x.device)
        with frozen(d_x, d_y):
            adversarial = self.adversary.generator_loss(d_y, fake_y) + self.adversary.generator_loss(d_x, fake_x)
        cycle = cycle_loss(nets["geometry_back"](fake_y), x) + cycle_loss(nets["geometry"](fake_x), y)
        characteristic = characteristic_loss(x, fake_y, mean_x, mean_y) + characteristic_loss(y, fake_x, mean_y, mean_x)
        return {
            "loss_geometry_g": adversarial,
            "loss_geometry_cycle": options.geometry_cycle_weight * cycle,
            "loss_characteristic": options.characteristic_weight * characteristic,
        }

    def appearance_step(self, photo: Tensor, cartoon: Tensor, context: StepContext) -> dict[str, Tensor]:
        """CariStyGAN: generator, then discriminator."""
        network = cast(AppearanceNetwork, self.networks["generator"])
        discriminator = self.networks["discriminator"]
        style = torch.randn(len(photo), network.style_size).to(photo.device)
        losses, fake = self.appearance_losses(photo, cartoon, style)
        if self.adversary.is_generators_turn(context.step):
            context.update("generator", torch.stack(list(losses.values())).sum())
        verdict = self.adversary.judge(discriminator, cartoon, fake)
        context.update("discriminator", verdict.loss)
        self.adversary.constrain(discriminator)
        return verdict.scalars() | {name: value.detach() for name, value in losses.items()}

    def appearance_losses(self, photo: Tensor, cartoon: Tensor, style: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The weighted terms of section 4.2, to be summed, and the drawing."""
        net, options = cast(AppearanceNetwork, self.networks["generator"]), self.options
        content_x, style_x = net.content_photo(photo), net.style_photo(photo)
        content_y, style_y = net.content_cartoon(cartoon), net.style_cartoon(cartoon)
        fake = net.decode_cartoon(content_x, style)
        content_fake = net.content_cartoon(fake)
        image = distance(net.decode_photo(content_x, style_x), photo)
        image = image + distance(net.decode_cartoon(content_y, style_y), cartoon)
        with frozen(self.networks["discriminator"]):
            adversarial = self.adversary.generator_loss(self.networks["discriminator"], fake)
        losses = {
            "loss_g": adversarial,
            "loss_image": options.image_weight * image,
            "loss_content": options.content_weight * distance(content_fake, content_x.detach()),
            "loss_style": options.style_weight * distance(net.style_cartoon(fake), style),
            "loss_cycle": options.cycle_weight * cycle_loss(net.decode_photo(content_fake, style_x), photo),
        }
        if options.perceptual_weight > 0:
            losses["loss_perceptual"] = options.perceptual_weight * content_loss(self.features, fake, photo, "l2")
        return losses, fake

    def exaggerated(self, points: Tensor, degree: float, networks: nn.ModuleDict) -> Tensor:
        """Return landmarks [N,63,2] exaggerated by `degree`, units of half the picture's side."""
        if self.collected is not None:
            return points
        return cast(Tensor, self.geometry_model("geometry", networks)(points, degree))

    def geometry_model(self, name: str, networks: nn.ModuleDict) -> GeometryModel:
        """ "geometry" (towards caricatures) or "geometry_back" (towards photos) on landmarks."""
        return GeometryModel(cast(LandmarkSpace, networks["space"]), cast(GeometryGenerator, networks[name]))

    @torch.no_grad()
    def in_photo_shape(self, cartoon: Tensor, points: Tensor) -> Tensor:
        """Warp caricatures to the shape that a photo would have: the appearance is learned on those (section 4.2), so
        that it changes no geometry. As they are until the landmark space is fitted."""
        if self.collected is not None or not self.options.warped:
            return cartoon
        moved = self.geometry_model("geometry_back", self.networks)(points)
        return warp_by_landmarks(cartoon, points, moved)

    def samples(self, batch: Batch, networks: nn.ModuleDict) -> list[Tensor]:
        """Photo, then the drawing at each degree of exaggeration, then a cartoon."""
        points = chosen_points(batch["landmarks"], CARICATURE_POINTS, self.recipe.data.size_px)
        drawing = networks["generator"](batch["source"])
        columns = [
            warp_by_landmarks(drawing, points, self.exaggerated(points, degree, networks))
            for degree in self.options.degrees
        ]
        return [batch["source"], *columns, batch["target"]]

    def export_spec(self) -> ExportSpec:
        """The drawing in the middle style; the geometry network is exported by itself (toonfilter geometry)."""
        return ExportSpec("generator", sizes_px=(self.recipe.data.size_px,))

    def state(self) -> dict[str, Any]:
        """Landmarks collected, or the mean faces."""
        collected = None if self.collected is None else {k: torch.stack(v) for k, v in self.collected.items() if v}
        return {"collected": collected, "means": {side: mean.cpu() for side, mean in self.means.items()}}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Put them back."""
        collected = state["collected"]
        self.collected = None if collected is None else {side: list(collected.get(side, ())) for side in "xy"}
        self.means = dict(state["means"])


def _of_all_processes(landmarks: Tensor) -> Tensor:
    """The landmarks that all processes collected, so that all fit the same space."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return landmarks
    parts = [torch.empty_like(landmarks) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(parts, landmarks.contiguous())
    return torch.cat(parts)


def build(recipe: Recipe) -> CaricatureSystem:
    """Make the system of a recipe."""
    return CaricatureSystem(recipe, parse_table(Options, recipe.method, f"{recipe.name}: method"))
