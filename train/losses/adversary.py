"""The adversarial game of a recipe: a discriminator, or a Wasserstein critic in its place."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.losses.adversarial import AdversarialLoss
from toonfilter.train.losses.wgan import clip_weights, gradient_penalty
from toonfilter.train.networks.blocks import together
from toonfilter.train.stabilisers import r1_penalty


@dataclass(frozen=True)
class AdversaryOptions:
    """The `[method.adversary]` table.

    kind: vanilla, lsgan and hinge are discriminators; wgan-gp and wgan-clip are critics.
    real_label, fake_label: ranges of the soft labels (cyclegan-v5).
    penalty: weight of the gradient penalty (Gulrajani et al. 2017: 10).
    clip: limit of the weights (Arjovsky et al. 2017: 0.01).
    critic_steps: steps of the discriminator for one of the generator; each has a batch of its own.
    """

    kind: Literal["vanilla", "lsgan", "hinge", "wgan-gp", "wgan-clip"] = "lsgan"
    real_label: tuple[float, ...] = (1.0, 1.0)
    fake_label: tuple[float, ...] = (0.0, 0.0)
    penalty: float = 10.0
    clip: float = 0.01
    critic_steps: int = 1


@dataclass(frozen=True)
class Verdict:
    """What a discriminator made of real and generated pictures: its loss, and its mean scores D(real) and D(fake)."""

    loss: Tensor
    real: Tensor
    fake: Tensor

    def scalars(self, of: str = "") -> dict[str, Tensor]:
        """To be logged: "loss_d", "d_real" and "d_fake", with `of` ("_x") behind each."""
        return {f"loss_d{of}": self.loss.detach(), f"d_real{of}": self.real, f"d_fake{of}": self.fake}


class Adversary:
    """Losses of both sides for any discriminator that answers with logits or scores.

    Raises:
        ConfigError: labels that are no ranges, or fewer than one critic step.
    """

    def __init__(self, options: AdversaryOptions, r1: float = 0.0) -> None:
        """r1: gamma of the penalty on the gradient at real pictures; 0 leaves it out."""
        for name, label in (("real_label", options.real_label), ("fake_label", options.fake_label)):
            if len(label) != 2 or label[0] > label[1]:
                raise ConfigError(f"adversary.{name} is {list(label)}; expected [lowest, highest]")
        if options.critic_steps < 1:
            raise ConfigError(f"adversary.critic_steps is {options.critic_steps}; expected 1 or more")
        self.options = options
        self.r1 = r1
        self.loss = AdversarialLoss(
            "wgan" if options.kind == "wgan-gp" or options.kind == "wgan-clip" else options.kind,
            (options.real_label[0], options.real_label[1]),
            (options.fake_label[0], options.fake_label[1]),
        )

    def check(self, *discriminators: nn.Module) -> None:
        """Refuse a critic with batch normalisation: the gradient penalty is for each picture on its own.

        Raises:
            ConfigError: with the option to change.
        """
        if self.options.kind != "wgan-gp":
            return
        batch_norms = (nn.BatchNorm1d, nn.BatchNorm2d)
        if any(isinstance(module, batch_norms) for network in discriminators for module in network.modules()):
            raise ConfigError(
                "adversary.kind is wgan-gp and the discriminator has batch normalisation; set"
                ' discriminator.options.norm = "instance" (or "none")'
            )

    def judge(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Verdict:
        """The discriminator's step: its loss, and what it says; no gradient goes to what made `fake`."""
        fake = fake.detach()
        real_logits, fake_logits = together(discriminator, real, fake)
        loss = self.loss.discriminator(real_logits, fake_logits)
        if self.options.kind == "wgan-gp":
            loss = loss + self.options.penalty * gradient_penalty(discriminator, real.float(), fake.float())
        if self.r1 > 0:
            loss = loss + r1_penalty(discriminator, real, self.r1)
        means = (self.scores(logits.detach()).mean() for logits in (real_logits, fake_logits))
        return Verdict(loss, *means)

    def generator_loss(self, discriminator: nn.Module, fake: Tensor) -> Tensor:
        """Loss of the generator; call it with the discriminator frozen."""
        return self.loss.generator(discriminator(fake))

    def scores(self, logits: Tensor) -> Tensor:
        """What the discriminator says in the loss's own scale: a probability for vanilla, the number otherwise."""
        return torch.sigmoid(logits.float()) if self.options.kind == "vanilla" else logits.float()

    def constrain(self, *discriminators: nn.Module) -> None:
        """After each update of the critic: clip its weights, where the kind says so."""
        if self.options.kind == "wgan-clip":
            for discriminator in discriminators:
                clip_weights(discriminator, self.options.clip)

    def is_generators_turn(self, step: int) -> bool:
        """Whether the generator is updated in this step (counted from 0)."""
        return (step + 1) % self.options.critic_steps == 0
