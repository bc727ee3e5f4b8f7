"""The cycle loss of "CycleGAN with Better Cycles" (Wang and Lin 2018, section 3): pixels and features mixed."""

from torch import Tensor

from toonfilter.train.losses.cycle import Norm, distance


def feature_cycle_loss(
    recovered: Tensor,
    original: Tensor,
    recovered_features: Tensor,
    original_features: Tensor,
    gamma: float,
    norm: Norm = "l1",
) -> Tensor:
    """gamma * ||f(F(G(x))) - f(x)||_1 + (1 - gamma) * ||F(G(x)) - x||.

    `f` are the features of the discriminator of the picture's own domain. They are taken with the discriminator
    frozen: the loss goes through it to the generators and leaves it as it is. The features of the original are a
    target, so no gradient is kept for them.
    """
    features = distance(recovered_features, original_features.detach(), "l1")
    return gamma * features + (1.0 - gamma) * distance(recovered, original, norm)
