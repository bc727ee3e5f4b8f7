"""Optimisers, moving average, clipping, mixed precision: each does what its setting says."""

from typing import Any

import lightning
import pytest
import torch
from torch import nn

from toonfilter.train.optimisation import Average, Optimisers, build_optimiser
from toonfilter.train.recipe import OptimiserSettings, Recipe, load_recipe
from toonfilter.train.systems import OptimiserPlan

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")


class Line:
    """One network, y = w x, and one optimiser of it."""

    averaged = ("generator",)

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.networks = nn.ModuleDict({"generator": nn.Linear(3, 2, bias=False)})

    @property
    def weight(self) -> torch.Tensor:
        return self.networks["generator"].weight  # type: ignore[return-value]

    def optimisers(self) -> dict[str, OptimiserPlan]:
        return {"generator": OptimiserPlan(list(self.networks.parameters()), OptimiserSettings())}


def opened(precision: str = "32-true", clip_norm: float = 0.0) -> tuple[Line, Optimisers]:
    recipe: Recipe = load_recipe("gan-v1", [f"run.precision={precision}", f"run.clip_norm={clip_norm}"])
    line: Any = Line()
    return line, Optimisers(lightning.Fabric(accelerator="cpu", devices=1, precision=precision), recipe, line)  # type: ignore[arg-type]


def test_gradients_are_clipped_to_the_norm() -> None:
    for clip_norm in (0.0, 0.5):
        line, optimisers = opened(clip_norm=clip_norm)
        optimisers.begin(0, 10, 1.0)
        optimisers.update("generator", 100 * line.weight.sum())
        gradient = line.weight.grad
        assert gradient is not None
        assert gradient.norm().item() == pytest.approx(0.5 if clip_norm else 100 * 6**0.5, rel=1e-4)


def test_the_schedule_scales_the_learning_rate() -> None:
    line, optimisers = opened()
    before = line.weight.detach().clone()
    optimisers.begin(0, 10, 0.5)
    optimisers.update("generator", line.weight.sum())
    # Adam's first step is the learning rate itself, whatever the gradient.
    torch.testing.assert_close(before - line.weight, torch.full((2, 3), 1e-4), rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(
    ("kind", "found"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("rmsprop", torch.optim.RMSprop)]
)
def test_optimisers_have_the_settings_of_the_recipe(kind: Any, found: type) -> None:
    settings = OptimiserSettings(kind, 0.1, 0.4, 0.9999, 1e-7, 0.01)
    optimiser = build_optimiser(settings, [nn.Parameter(torch.ones(2))], fused=True)
    group = optimiser.param_groups[0]
    assert isinstance(optimiser, found)
    assert (group["lr"], group["eps"], group["weight_decay"]) == (0.1, 1e-7, 0.01)
    if kind != "rmsprop":
        assert group["betas"] == (0.4, 0.9999)
        assert group["fused"]


def test_the_average_follows_its_formula_and_steps_aside() -> None:
    line: Any = Line()
    average, expected = Average(line, 0.9), line.weight.detach().clone()
    for step in range(30):
        with torch.no_grad():
            line.weight.add_(0.1)
        average.update(line, step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * line.weight.detach()
    torch.testing.assert_close(average.weights["generator.weight"], expected)
    trained = line.weight.detach().clone()
    with average.in_use(line) as networks:
        torch.testing.assert_close(networks["generator"].weight, expected)
    assert torch.equal(line.weight, trained)


def test_mixed_precision_computes_in_bfloat16_and_keeps_weights_in_float32() -> None:
    line, optimisers = opened("bf16-mixed")
    optimisers.begin(0, 10, 1.0)
    with optimisers.fabric.autocast():
        y = line.networks["generator"](torch.ones(1, 3))
    assert y.dtype is torch.bfloat16
    optimisers.update("generator", y.float().sum())
    assert line.weight.dtype is torch.float32
    assert line.weight.grad is not None
    assert line.weight.grad.dtype is torch.float32


def test_compile_and_channels_last_reach_every_network(monkeypatch: pytest.MonkeyPatch) -> None:
    from toonfilter.train.start import first_weights

    compiled: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self, *_, **__: compiled.append(self))
    line: Any = Line()
    line.networks["second"] = nn.Conv2d(3, 4, 3)
    recipe = load_recipe("gan-v1", ["run.compile=true", "run.channels_last=true"])
    fabric = lightning.Fabric(accelerator="cpu", devices=1)
    first_weights(fabric, recipe, line, None, None)
    assert compiled == list(line.networks.values())
    assert line.networks["second"].weight.is_contiguous(memory_format=torch.channels_last)
