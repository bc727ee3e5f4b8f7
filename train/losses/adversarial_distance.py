"""The generator loss of gan-v2 and of cyclegan-v3 and later."""

from torch import Tensor

from toonfilter.train.losses.cycle import distance


def adversarial_distance(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """abs(D(x_g) - D(G(x))), the mean over pictures and patches; x_g is the ground truth.

    The scores are the discriminator's probabilities (sigmoid of the logits). D(x_g) is a target: it sends no
    gradient, and D(G(x)) sends it to the generator only, for the discriminator is frozen in the generator's step.
    """
    return (real_scores.detach().float() - fake_scores.float()).abs().mean()


def balanced_generator_loss(
    fake: Tensor, truth: Tensor, real_scores: Tensor, fake_scores: Tensor, weight: float
) -> Tensor:
    """weight * L2(G(x), x_g) + (1 - weight) * abs(D(x_g) - D(G(x))); `weight` is lambda, falling linearly."""
    return weight * distance(fake, truth, "l2") + (1.0 - weight) * adversarial_distance(real_scores, fake_scores)
