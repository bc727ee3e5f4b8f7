"""One direction, one content encoder and one style encoder for photos and cartoons alike (recipe content-style).

  g   = D(C(x), S(y))                 the photo's content in the cartoon's style
  x^  = D(C(g), S(x'))                back: the generated picture's content in the style of a random photo x'
  L_G = w_r ||x^ - x||_1 + w_i (||D(C(x), S(x)) - x||_1 + ||D(C(y), S(y)) - y||_1) + w_c ||C(g) - C(x)||_1
        + w_s ||S(g) - S(y)||_1 + w_a L_adv(g)

The way back takes the style of another photo, so S can carry only what all photos share, and C must carry the rest:
no second generator and no second discriminator are needed (compare Huang et al. 2018, MUNIT, equations 1 to 4).
Adversarial balance: the discriminator rests while it wins. Where it tells real from generated on more than
`balance` of the patches (a running mean), its step is left out, and the generator can catch up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.losses.adversary import Adversary, AdversaryOptions
from toonfilter.train.losses.cycle import distance
from toonfilter.train.networks import build_discriminator, build_network
from toonfilter.train.networks.content_style import ContentStyleNetwork
from toonfilter.train.recipe import Recipe, parse_table
from toonfilter.train.systems import Batch, ExportSpec, OptimiserPlan, StepContext, frozen

_MEMORY = 0.9


@dataclass(frozen=True)
class Options:
    """The `[method]` table. balance: share of patches above which the discriminator rests; 1 lets it never rest."""

    adversary: AdversaryOptions = field(default_factory=AdversaryOptions)
    back_weight: float = 10.0
    identity_weight: float = 10.0
    content_weight: float = 1.0
    style_weight: float = 1.0
    adversarial_weight: float = 1.0
    balance: float = 0.85


class ContentStyleSystem:
    """The shared network and a discriminator of cartoons."""

    averaged = ("generator",)
    sample_titles = ("photo", "in its style", "cartoon", "mean style", "back")

    def __init__(self, recipe: Recipe, options: Options) -> None:
        if recipe.discriminator is None:
            raise ConfigError(f"{recipe.name}: 'discriminator' is missing")
        if recipe.data.batch_size < 2:
            raise ConfigError(
                f"{recipe.name}: data.batch_size is {recipe.data.batch_size}; the way back takes the style of another"
                " photo of the batch: set 2 or more"
            )
        self.recipe = recipe
        self.options = options
        self.adversary = Adversary(options.adversary, recipe.stabilisers.r1)
        self.networks = nn.ModuleDict(
            {
                "generator": build_network(recipe.generator),
                "discriminator": build_discriminator(recipe.discriminator, 3),
            }
        )
        self.adversary.check(self.networks["discriminator"])
        self.wins = 0.5

    def optimisers(self) -> dict[str, OptimiserPlan]:
        """One for each network."""
        critic = self.recipe.discriminator_optimiser or self.recipe.optimiser
        return {
            "generator": OptimiserPlan(list(self.networks["generator"].parameters()), self.recipe.optimiser),
            "discriminator": OptimiserPlan(list(self.networks["discriminator"].parameters()), critic),
        }

    def step(self, batch: Batch, context: StepContext) -> dict[str, Tensor]:
        """First the generator, then the discriminator, unless it rests."""
        network = cast(ContentStyleNetwork, self.networks["generator"])
        discriminator = self.networks["discriminator"]
        photo, cartoon = batch["source"], batch["target"]
        other_photo = photo.roll(1, 0)
        losses, fake = self.generator_losses(photo, cartoon, other_photo)
        scalars = {name: value.detach() for name, value in losses.items()}
        if self.adversary.is_generators_turn(context.step):
            context.update("generator", torch.stack(list(losses.values())).sum())
            with torch.no_grad():
                network.mean_style.update(network.style(cartoon))
        if self.wins <= self.options.balance:
            verdict = self.adversary.judge(discriminator, cartoon, fake)
            context.update("discriminator", verdict.loss)
            self.adversary.constrain(discriminator)
            scalars |= verdict.scalars()
        self.wins = _MEMORY * self.wins + (1 - _MEMORY) * self.share_won(cartoon, fake)
        return scalars | {"d_wins": torch.tensor(self.wins)}

    def generator_losses(self, photo: Tensor, cartoon: Tensor, other_photo: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The weighted terms, to be summed, and the generated picture."""
        network, options = cast(ContentStyleNetwork, self.networks["generator"]), self.options
        content, style_photo = network.content(photo), network.style(photo)
        content_cartoon, style_cartoon = network.content(cartoon), network.style(cartoon)
        fake = network.decoder(content, style_cartoon)
        content_fake = network.content(fake)
        back = network.decoder(content_fake, network.style(other_photo))
        same = distance(network.decoder(content, style_photo), photo)
        same = same + distance(network.decoder(content_cartoon, style_cartoon), cartoon)
        with frozen(self.networks["discriminator"]):
            adversarial = self.adversary.generator_loss(self.networks["discriminator"], fake)
        losses = {
            "loss_back": options.back_weight * distance(back, photo),
            "loss_identity": options.identity_weight * same,
            "loss_content": options.content_weight * distance(content_fake, content.detach()),
            "loss_style": options.style_weight * distance(network.style(fake), style_cartoon.detach()),
            "loss_g": options.adversarial_weight * adversarial,
        }
        return losses, fake

    @torch.no_grad()
    def share_won(self, real: Tensor, fake: Tensor) -> float:
        """Share of patches on which a real picture's score is above that of the generated one beside it.

        The mean over all processes, so that all of them rest together.
        """
        discriminator = self.networks["discriminator"]
        won = (discriminator(real) > discriminator(fake.detach())).float().mean()
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(won)
            won = won / torch.distributed.get_world_size()
        return float(won)

    def samples(self, batch: Batch, networks: nn.ModuleDict) -> list[Tensor]:
        """Photo, in the style of the cartoon beside it, that cartoon, in the mean style, back in a photo's style."""
        network = cast(ContentStyleNetwork, networks["generator"])
        photo, cartoon = batch["source"], batch["target"]
        fake = network(photo, cartoon)
        return [photo, fake, cartoon, network(photo), network(fake, photo.roll(1, 0))]

    def export_spec(self) -> ExportSpec:
        """The network with the mean style of the cartoons."""
        return ExportSpec("generator", sizes_px=(self.recipe.data.size_px,))

    def state(self) -> dict[str, Any]:
        """How often the discriminator wins."""
        return {"wins": self.wins}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Put it back."""
        self.wins = float(state["wins"])


def build(recipe: Recipe) -> ContentStyleSystem:
    """Make the system of a recipe."""
    return ContentStyleSystem(recipe, parse_table(Options, recipe.method, f"{recipe.name}: method"))
