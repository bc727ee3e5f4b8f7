"""What keeps a Wasserstein critic Lipschitz: weight clipping (Arjovsky et al. 2017) or the gradient penalty
(Gulrajani et al. 2017). The critic's loss itself is `AdversarialLoss("wgan")`."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor | None = None
) -> Tensor:
    """E[(||grad D(x_hat)||_2 - 1)^2] at random points between real and fake (Gulrajani et al., equation 3).

    The gradient is taken with its graph kept, so that the penalty itself can be differentiated. The critic must not
    have batch normalisation: the penalty is for each picture on its own. The score of a picture is the sum over its
    patches, divided by their number.

    Args:
        mix: [N,1,...], share of `real` in each point; drawn from U[0,1] when not given.
    """
    if mix is None:
        mix = torch.rand(real.shape[0], *(1,) * (real.ndim - 1)).to(real)
    between = (mix * real.detach() + (1 - mix) * fake.detach()).requires_grad_(True)
    scores = critic(between).float().flatten(1).mean(1)
    (gradient,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
    lengths: Tensor = gradient.flatten(1).norm(2, dim=1)
    return (lengths - 1).square().mean()


@torch.no_grad()
def clip_weights(critic: nn.Module, limit: float = 0.01) -> None:
    """Clip every weight to [-limit, limit] (Arjovsky et al., algorithm 1, line 7)."""
    for parameter in critic.parameters():
        parameter.clamp_(-limit, limit)
