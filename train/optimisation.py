"""Optimisers, learning-rate schedule and the moving average of the weights."""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import lightning
import torch
from lightning.fabric.wrappers import _FabricOptimizer
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from toonfilter.train.recipe import OptimiserSettings, Recipe, ScheduleSettings
from toonfilter.train.systems import System


def step_factor(schedule: ScheduleSettings, step: int, total_steps: int) -> float:
    """Factor on the learning rates for the step that follows `step` finished ones."""
    if step < schedule.warm_up_steps:
        return (step + 1) / schedule.warm_up_steps
    first = schedule.decay_from * total_steps
    if schedule.kind == "constant" or step < first:
        return 1.0
    done = (step - first) / max(total_steps - first, 1.0)
    fall = 1 - done if schedule.kind == "linear" else 0.5 * (1 + math.cos(math.pi * done))
    return schedule.final_factor + (1 - schedule.final_factor) * fall


def build_optimiser(
    settings: OptimiserSettings, parameters: list[nn.Parameter], *, fused: bool
) -> torch.optim.Optimizer:
    """An optimiser as the recipe has it."""
    common: dict[str, Any] = {
        "lr": settings.learning_rate,
        "eps": settings.epsilon,
        "weight_decay": settings.weight_decay,
    }
    if settings.kind == "rmsprop":
        return torch.optim.RMSprop(parameters, **common)
    kind = torch.optim.AdamW if settings.kind == "adamw" else torch.optim.Adam
    return kind(parameters, betas=(settings.beta1, settings.beta2), fused=fused, **common)


class Optimisers:
    """The optimisers of a run; the `StepContext` of every step."""

    def __init__(self, fabric: lightning.Fabric, recipe: Recipe, system: System) -> None:
        self.fabric = fabric
        self._clip_norm = recipe.run.clip_norm
        # The fused kernels unscale fp16 gradients inside the step, which leaves nothing to clip before it.
        fused = fabric.device.type in ("cpu", "cuda") and recipe.run.precision != "16-mixed"
        plans = system.optimisers()
        self._parameters = {name: list(plan.parameters) for name, plan in plans.items()}
        plain = {name: build_optimiser(p.settings, self._parameters[name], fused=fused) for name, p in plans.items()}
        self._rates = {name: plan.settings.learning_rate for name, plan in plans.items()}
        # Answers a single wrapped optimiser for a single one, which its type does not say.
        wrapped = {name: cast(_FabricOptimizer, fabric.setup_optimizers(own)) for name, own in plain.items()}
        self._optimisers = wrapped
        self._step = 0
        self._total_steps = 1

    @property
    def step(self) -> int:
        """Steps done before this one."""
        return self._step

    @property
    def total_steps(self) -> int:
        """Length of the run."""
        return self._total_steps

    @property
    def progress(self) -> float:
        """Part of the run that is done, 0..1."""
        return self._step / self._total_steps

    def begin(self, step: int, total_steps: int, factor: float) -> None:
        """Enter a step: its number and its factor on the learning rates."""
        self._step, self._total_steps = step, total_steps
        for name, optimiser in self._optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = self._rates[name] * factor

    def update(self, optimiser: str, loss: Tensor) -> None:
        """Clear gradients, backward, average over processes, clip, step."""
        chosen, parameters = self._optimisers[optimiser], self._parameters[optimiser]
        chosen.zero_grad()
        with torch.autocast(self.fabric.device.type, enabled=False):
            self.fabric.backward(loss)
            self._share_gradients(parameters)
            if self._clip_norm > 0:
                module = nn.Module()
                module.register_module("parameters_of_optimiser", nn.ParameterList(parameters))
                self.fabric.clip_gradients(module, chosen, max_norm=self._clip_norm, error_if_nonfinite=False)
            chosen.step()

    def state(self) -> dict[str, Any]:
        """Everything the optimisers remember."""
        return {
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self._optimisers.items()},
            "scaler": self.fabric.strategy.precision.state_dict(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Put back what `state` returned."""
        for name, optimiser in self._optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.fabric.strategy.precision.load_state_dict(state["scaler"])

    def _share_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Average gradients over the processes, in one message."""
        if self.fabric.world_size == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        mean = cast(Tensor, self.fabric.all_reduce(torch.cat([gradient.reshape(-1) for gradient in gradients])))
        for gradient, part in zip(gradients, torch.split(mean, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))


class Follower:
    """A copy of a network that follows it as an exponential moving average.

    The decay grows from 0.1 to `most_decay`, so that the first weights are soon forgotten. Whole numbers (counters) are
    copied.
    """

    def __init__(self, network: nn.Module, most_decay: float) -> None:
        self._most_decay, self._decay = most_decay, 0.0
        self._averaged = AveragedModel(network, multi_avg_fn=self._follow, use_buffers=True)
        # The copy of now is the average so far; with 0 the first update would be another copy.
        self._averaged.n_averaged.fill_(1)

    @property
    def network(self) -> nn.Module:
        """The copy."""
        return self._averaged.module

    def update(self, network: nn.Module, step: int) -> None:
        """After one more step, of this number: average = decay * average + (1 - decay) * weights."""
        self._decay = min(self._most_decay, (1 + step) / (10 + step))
        self._averaged.update_parameters(network)

    @torch.no_grad()
    def _follow(self, own: Sequence[Tensor], others: Sequence[Tensor], _: Tensor | int) -> None:
        for mine, other in zip(own, others, strict=True):
            if mine.is_floating_point():
                mine.lerp_(other, 1 - self._decay)
            else:
                mine.copy_(other)


class Average:
    """The average of the networks that a system names; with decay 0 there is none."""

    def __init__(self, system: System, decay: float) -> None:
        self._follower = Follower(_averaged(system), decay) if decay > 0 else None

    @property
    def weights(self) -> dict[str, Tensor]:
        """By "network.parameter"; empty where there is no average."""
        return {} if self._follower is None else dict(self._follower.network.state_dict())

    def update(self, system: System, step: int) -> None:
        """After one more step, of this number. See `Follower`."""
        if self._follower is not None:
            self._follower.update(_averaged(system), step)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Put back saved averages."""
        for name, value in self.weights.items():
            value.copy_(weights[name])

    @contextmanager
    def in_use(self, system: System) -> Iterator[nn.ModuleDict]:
        """The system's networks with averaged weights, while the block runs; the trained ones come back after it."""
        if self._follower is None:
            yield system.networks
            return
        networks = _averaged(system)
        own = copy.deepcopy(networks.state_dict())
        try:
            networks.load_state_dict(self.weights)
            yield system.networks
        finally:
            networks.load_state_dict(own)


def _averaged(system: System) -> nn.ModuleDict:
    return nn.ModuleDict({name: system.networks[name] for name in system.averaged})
