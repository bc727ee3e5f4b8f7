"""XGAN (Royer et al. 2017; for anime faces: Face2Anime): two crossed autoencoders that share an embedding.

L = L_rec + w_d L_dann + w_s L_sem + w_g L_gan [+ w_p L_perceptual]; 1 is photos (`source`), 2 cartoons (`target`):
  L_rec   ||x - d1(e1(x))||_2 and the same for cartoons (equation 1)
  L_dann  a classifier tells the embeddings of both domains apart, the encoders hinder it through a reversed gradient:
          least squares as in the Face2Anime report, or the cross entropy of Royer et al. (equation 2)
  L_sem   ||e1(x) - e2(d2(e1(x)))||_1 and the way back (equation 3)
  L_gan   the translated pictures against a discriminator (equation 4)
  L_perceptual  VGG features of photo and cartoon, optional (Face2Anime)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.losses.adversary import Adversary, AdversaryOptions
from toonfilter.train.losses.content import content_loss
from toonfilter.train.losses.cycle import distance
from toonfilter.train.losses.domain import (
    domain_adversarial,
    domain_least_squares,
    reverse_gradient,
    semantic_consistency,
)
from toonfilter.train.losses.perceptual import FeatureNetwork, FeatureSettings
from toonfilter.train.networks import build_network
from toonfilter.train.networks.xgan import DomainClassifier, XganAutoencoders
from toonfilter.train.recipe import Recipe, parse_table
from toonfilter.train.systems import Batch, ExportSpec, OptimiserPlan, StepContext, frozen


@dataclass(frozen=True)
class Options:
    """The `[method]` table: the weights of the terms. perceptual_weight 0 needs no pretrained features."""

    adversary: AdversaryOptions = field(default_factory=lambda: AdversaryOptions(kind="vanilla"))
    reconstruction_weight: float = 1.0
    domain_weight: float = 1.0
    domain_loss: Literal["least-squares", "cross-entropy"] = "least-squares"
    semantic_weight: float = 1.0
    adversarial_weight: float = 1.0
    perceptual_weight: float = 0.0
    perceptual: FeatureSettings = field(default_factory=FeatureSettings)


class XganSystem:
    """Autoencoders, discriminator of cartoons, discriminator of photos, classifier of the domain."""

    averaged = ("generator",)
    sample_titles = ("photo", "rebuilt", "as cartoon", "cartoon", "rebuilt", "as photo")

    def __init__(self, recipe: Recipe, options: Options) -> None:
        if recipe.discriminator is None:
            raise ConfigError(f"{recipe.name}: 'discriminator' is missing")
        self.recipe = recipe
        self.options = options
        self.adversary = Adversary(options.adversary, recipe.stabilisers.r1)
        # Opened when training begins: exporting needs no pretrained features.
        self.features: nn.Module = nn.Identity()
        autoencoders = cast(XganAutoencoders, build_network(recipe.generator))
        if autoencoders.size != recipe.data.size_px:
            raise ConfigError(
                f"{recipe.name}: data.size_px is {recipe.data.size_px}, generator.options.size {autoencoders.size};"
                " the embedding is for one size, set both the same"
            )
        self.networks = nn.ModuleDict(
            {
                "generator": autoencoders,
                "classifier": DomainClassifier(embedding=autoencoders.embedding),
                "discriminator_photo": build_network(recipe.discriminator),
                "discriminator_cartoon": build_network(recipe.discriminator),
            }
        )
        self.adversary.check(self.networks["discriminator_photo"])

    def optimisers(self) -> dict[str, OptimiserPlan]:
        """The classifier belongs to the autoencoders' optimiser: the reversed gradient plays both sides in one pass."""
        nets = self.networks
        if self.options.perceptual_weight > 0:
            self.features = FeatureNetwork(self.options.perceptual)
        critic = self.recipe.discriminator_optimiser or self.recipe.optimiser
        both_d = [*nets["discriminator_photo"].parameters(), *nets["discriminator_cartoon"].parameters()]
        both_g = [*nets["generator"].parameters(), *nets["classifier"].parameters()]
        return {
            "generator": OptimiserPlan(both_g, self.recipe.optimiser),
            "discriminators": OptimiserPlan(both_d, critic),
        }

    def step(self, batch: Batch, context: StepContext) -> dict[str, Tensor]:
        """First the autoencoders (equations 1 to 4), then the discriminators."""
        nets = self.networks
        xgan = cast(XganAutoencoders, nets["generator"])
        photo, cartoon = batch["source"], batch["target"]
        e_photo, e_cartoon = xgan.encode(photo, "photo"), xgan.encode(cartoon, "cartoon")
        fake_cartoon, fake_photo = xgan.decode(e_photo, "cartoon"), xgan.decode(e_cartoon, "photo")
        scalars: dict[str, Tensor] = {}

        if self.adversary.is_generators_turn(context.step):
            losses = self.generator_losses(photo, cartoon, e_photo, e_cartoon, fake_photo, fake_cartoon)
            context.update("generator", torch.stack(list(losses.values())).sum())
            scalars |= {name: value.detach() for name, value in losses.items()}

        d_photo, d_cartoon = nets["discriminator_photo"], nets["discriminator_cartoon"]
        on_cartoons = self.adversary.judge(d_cartoon, cartoon, fake_cartoon)
        on_photos = self.adversary.judge(d_photo, photo, fake_photo)
        context.update("discriminators", on_cartoons.loss + on_photos.loss)
        self.adversary.constrain(d_photo, d_cartoon)
        return scalars | on_cartoons.scalars("_cartoon") | on_photos.scalars("_photo")

    def generator_losses(
        self,
        photo: Tensor,
        cartoon: Tensor,
        e_photo: Tensor,
        e_cartoon: Tensor,
        fake_photo: Tensor,
        fake_cartoon: Tensor,
    ) -> dict[str, Tensor]:
        """The weighted terms, to be summed."""
        nets, options = self.networks, self.options
        xgan, classifier = cast(XganAutoencoders, nets["generator"]), nets["classifier"]
        d_photo, d_cartoon = nets["discriminator_photo"], nets["discriminator_cartoon"]
        rebuilt_photo, rebuilt_cartoon = xgan.decode(e_photo, "photo"), xgan.decode(e_cartoon, "cartoon")
        rebuilt = distance(rebuilt_photo, photo, "l2") + distance(rebuilt_cartoon, cartoon, "l2")
        domain_loss = domain_least_squares if options.domain_loss == "least-squares" else domain_adversarial
        domain = domain_loss(classifier(reverse_gradient(e_photo)), classifier(reverse_gradient(e_cartoon)))
        semantic = semantic_consistency(e_photo, xgan.encode(fake_cartoon, "cartoon")) + semantic_consistency(
            e_cartoon, xgan.encode(fake_photo, "photo")
        )
        with frozen(d_photo, d_cartoon):
            adversarial = self.adversary.generator_loss(d_cartoon, fake_cartoon) + self.adversary.generator_loss(
                d_photo, fake_photo
            )
        losses = {
            "loss_reconstruction": options.reconstruction_weight * rebuilt,
            "loss_domain": options.domain_weight * domain,
            "loss_semantic": options.semantic_weight * semantic,
            "loss_g": options.adversarial_weight * adversarial,
        }
        if options.perceptual_weight > 0:
            losses["loss_perceptual"] = options.perceptual_weight * content_loss(self.features, fake_cartoon, photo)
        return losses

    def samples(self, batch: Batch, networks: nn.ModuleDict) -> list[Tensor]:
        """Photo, rebuilt, as a cartoon; cartoon, rebuilt, as a photo."""
        xgan = cast(XganAutoencoders, networks["generator"])
        photo, cartoon = batch["source"], batch["target"]
        e_photo, e_cartoon = xgan.encode(photo, "photo"), xgan.encode(cartoon, "cartoon")
        return [
            photo,
            xgan.decode(e_photo, "photo"),
            xgan.decode(e_photo, "cartoon"),
            cartoon,
            xgan.decode(e_cartoon, "cartoon"),
            xgan.decode(e_cartoon, "photo"),
        ]

    def export_spec(self) -> ExportSpec:
        """d2(e1(x)), at the one size the embedding is for."""
        size_px = self.recipe.data.size_px
        return ExportSpec("generator", sizes_px=(size_px,), size_multiple=size_px)

    def state(self) -> dict[str, Any]:
        """Nothing outside the networks."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing to load."""


def build(recipe: Recipe) -> XganSystem:
    """Make the system of a recipe."""
    return XganSystem(recipe, parse_table(Options, recipe.method, f"{recipe.name}: method"))
