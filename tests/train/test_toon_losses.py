"""Losses of toon and pix2pix against their formulas, and where their gradients go."""

import math
import urllib.error
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from toonfilter.train.losses.adversarial import AdversarialLoss
from toonfilter.train.losses.perceptual import FeatureSettings, perceptual_loss
from toonfilter.train.losses.reconstruction import gradient_l1, ink_weight, l1, region_weight
from toonfilter.train.losses.temporal import shift_consistency
from toonfilter.train.networks.pix2pix import UNetGenerator
from toonfilter.train.networks.toon import ToonGenerator
from toonfilter.train.recipe import load_recipe
from toonfilter.train.systems import build_system, frozen
from toonfilter.train.systems.pix2pix import Pix2PixSystem
from toonfilter.train.systems.toon import ToonSystem, window_corners

SMALL = ["generator.options.widths=[4, 4, 8]", "discriminator.options.width=4", "data.size_px=32", "data.batch_size=2"]
TOON = [*SMALL, "method.window_px=16", "method.perceptual_weight=0.0"]
UNET = ["generator.options.width=4", "generator.options.downs=4", "discriminator.options.width=4", "data.size_px=32"]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def pictures(count: int = 2, channels: int = 3, side: int = 8) -> Tensor:
    return torch.rand(count, channels, side, side) * 2 - 1


def test_pixel_losses() -> None:
    a, b, w = pictures(), pictures(), torch.rand(2, 1, 8, 8)
    x, y, v = a.numpy(), b.numpy(), w.numpy()
    assert l1(a, b).item() == pytest.approx(np.abs(x - y).mean(), rel=1e-5)
    assert l1(a, b, w).item() == pytest.approx((np.abs(x - y) * v).mean(), rel=1e-5)
    down, across = np.abs(np.diff(x - y, axis=2)), np.abs(np.diff(x - y, axis=3))
    assert gradient_l1(a, b).item() == pytest.approx(down.mean() + across.mean(), rel=1e-5)
    weighted = (down * v[:, :, 1:]).mean() + (across * v[..., 1:]).mean()
    assert gradient_l1(a, b, w).item() == pytest.approx(weighted, rel=1e-5)


def test_region_weight_is_heavy_where_eyes_and_mouth_are_drawn_only() -> None:
    guidance = torch.zeros(1, 3, 64, 64)
    guidance[0, 2] = 0.1
    guidance[0, 0, 12:16, 12:16] = 0.5
    guidance[0, 2, 48:52, 40:44] = 1.0
    weight = region_weight(guidance, eyes=5.0, mouth=3.0, margin_px=4)
    assert weight.shape == (1, 1, 64, 64)
    assert weight[0, 0, 14, 14].item() == pytest.approx(5.0)
    assert weight[0, 0, 50, 42].item() == pytest.approx(3.0)
    assert weight[0, 0, 32, 4].item() == pytest.approx(1.0)


def test_ink_is_heavy_and_flat_tone_is_not() -> None:
    drawing = torch.full((1, 3, 32, 32), 0.5)
    drawing[..., 16] = -0.9
    weight = ink_weight(drawing, 3.0)
    assert weight[0, 0, 10, 16].item() == pytest.approx(3.0)
    assert weight[0, 0, 10, 5].item() == pytest.approx(1.0)
    assert (ink_weight(drawing, 1.0) == 1).all()


def test_shift_consistency_is_zero_for_a_drawing_that_moved_along() -> None:
    scene = pictures(2, 3, 20)
    shift = torch.tensor([[2, -3], [-1, 0]])
    first = scene[:, :, 4:16, 4:16]
    moved = [s[:, 4 + dy : 16 + dy, 4 + dx : 16 + dx] for s, (dx, dy) in zip(scene, shift.tolist(), strict=True)]
    second = torch.stack(moved)
    assert shift_consistency(first, second, shift).item() == 0
    lighter = shift_consistency(first, second + 0.25, shift)
    assert lighter.item() == pytest.approx(0.25, rel=1e-5)
    wrong = torch.zeros_like(shift)
    expected = np.abs(first.numpy() - second.numpy()).mean()
    assert shift_consistency(first, second, wrong).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["vanilla", "lsgan", "hinge", "wgan"])
def test_adversarial_formulas(kind: Any) -> None:
    real, fake = torch.randn(2, 1, 3, 3), torch.randn(2, 1, 3, 3)
    x, y = real.numpy().astype(np.float64), fake.numpy().astype(np.float64)
    sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    expected_d, expected_g = {
        "vanilla": (
            -0.5 * (np.log(sigmoid(x)).mean() + np.log(1 - sigmoid(y)).mean()),
            -np.log(sigmoid(y)).mean(),
        ),
        "lsgan": (0.5 * (((x - 1) ** 2).mean() + (y**2).mean()), ((y - 1) ** 2).mean()),
        "hinge": (0.5 * (np.maximum(0, 1 - x).mean() + np.maximum(0, 1 + y).mean()), -y.mean()),
        "wgan": (y.mean() - x.mean(), -y.mean()),
    }[kind]
    loss = AdversarialLoss(kind)
    assert loss.discriminator(real, fake).item() == pytest.approx(expected_d, rel=1e-4)
    assert loss.generator(fake).item() == pytest.approx(expected_g, rel=1e-4)


def test_soft_labels_are_drawn_from_their_range() -> None:
    loss = AdversarialLoss("lsgan", real_label=(0.9, 1.0), fake_label=(0.0, 0.1))
    zeros = torch.zeros(64, 1, 2, 2)
    values = [2 * loss.discriminator(zeros, zeros).item() for _ in range(20)]
    assert 0.81 < min(values) < max(values) < 1.01
    assert len(set(values)) > 1


class Doubled(nn.Module):
    """Stands for pretrained features: the picture times two, and its mean over places."""

    def forward(self, x: Tensor) -> list[Tensor]:
        return [2 * x, x.mean((2, 3), keepdim=True)]


def test_perceptual_formula() -> None:
    a, b = pictures().requires_grad_(), pictures().requires_grad_()
    x, y = a.detach().numpy(), b.detach().numpy()
    expected = np.abs(x - y).mean() / np.abs(y).mean()
    expected += np.abs(x.mean((2, 3)) - y.mean((2, 3))).mean() / np.abs(y.mean((2, 3))).mean()
    loss = perceptual_loss(Doubled(), a, b)
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    loss.backward()
    assert a.grad is not None
    assert b.grad is None


def test_features_need_a_known_network_and_a_file(tmp_path: Any) -> None:
    from toonfilter.runtime.errors import ConfigError
    from toonfilter.train.losses.perceptual import FeatureNetwork

    with pytest.raises(ConfigError, match="no such file"):
        FeatureNetwork(FeatureSettings("squeezenet1_0", (1,), weights=str(tmp_path / "none.pth")))
    with pytest.raises(ConfigError, match="no network 'nothing'"):
        FeatureNetwork(FeatureSettings("nothing", (1,)))


def test_without_internet_and_file_the_missing_weights_are_named(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toonfilter.runtime.errors import ConfigError
    from toonfilter.train.losses.perceptual import FeatureNetwork

    def offline(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(
        ConfigError, match=r"weights of vgg19 .*; give a file: --perceptual-weights vgg19-dcbb9e9d\.pth"
    ) as error:
        FeatureNetwork(FeatureSettings())
    assert "\n" not in str(error.value)


def test_features_from_a_file_of_each_kind(tmp_path: Any) -> None:
    from safetensors.torch import save_file
    from torchvision.models import squeezenet1_0

    from toonfilter.runtime.errors import ConfigError
    from toonfilter.train.losses.perceptual import FeatureNetwork

    state = squeezenet1_0(weights=None).state_dict()
    torch.save(state, tmp_path / "net.pth")
    save_file(state, tmp_path / "net.safetensors")
    answers = []
    for name in ("net.pth", "net.safetensors"):
        network = FeatureNetwork(FeatureSettings("squeezenet1_0", (1, 4), weights=str(tmp_path / name)))
        answers.append(network(pictures(1, 3, 64)))
        torch.manual_seed(0)
    assert [tuple(a.shape[:2]) for a in answers[0]] == [(1, 96), (1, 128)]
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match="not the weights"):
        FeatureNetwork(FeatureSettings("squeezenet1_0", (1,), weights=str(tmp_path / "other.safetensors")))


def toon_batch() -> dict[str, Tensor]:
    guidance = torch.zeros(2, 3, 32, 32)
    guidance[:, 0, 8:12, 8:12] = 1.0
    return {
        "source": pictures(2, 3, 32),
        "target": pictures(2, 3, 32),
        "again": pictures(2, 3, 32),
        "matte": torch.rand(2, 1, 32, 32),
        "guidance": guidance,
        "again_guidance": guidance,
        "shift": torch.tensor([[1, 2], [0, -1]]),
    }


class Recorder:
    """A step context that keeps the gradients of each update instead of stepping."""

    step, total_steps, progress = 0, 10, 0.9

    def __init__(self, system: Any) -> None:
        self.system, self.seen = system, {}

    def update(self, optimiser: str, loss: Tensor) -> None:
        self.system.networks.zero_grad()
        loss.backward()
        self.seen[optimiser] = {
            name: any(p.grad is not None and bool((p.grad != 0).any()) for p in network.parameters())
            for name, network in self.system.networks.items()
        }


@pytest.mark.parametrize("recipe", ["toon", "human"])
def test_toon_step_trains_each_network_by_its_own_loss(recipe: str) -> None:
    system = build_system(load_recipe(recipe, TOON))
    context = Recorder(system)
    scalars = system.step(toon_batch(), context)
    assert context.seen["generator"] == {"generator": True, "discriminator": False}
    assert context.seen["discriminator"] == {"generator": False, "discriminator": True}
    assert {"l1", "gradient", "matte", "temporal", "adversarial", "loss_d"} <= set(scalars)
    assert all(math.isfinite(float(value)) for value in scalars.values())


_LOSSES = ("l1", "gradient", "matte", "temporal", "adversarial", "perceptual")


@pytest.mark.parametrize("name", [*_LOSSES, "none"])
def test_every_loss_of_toon_reaches_the_generator(name: str) -> None:
    weights = [f"method.{one}_weight={float(one == name)}" for one in _LOSSES]
    system = build_system(load_recipe("toon", [*TOON, *weights]))
    assert isinstance(system, ToonSystem)
    system.features = Doubled()
    context = Recorder(system)
    scalars = system.step(toon_batch(), context)
    assert name in scalars or name == "none"
    assert context.seen["generator"]["generator"] is (name != "none")


def test_pix2pix_step_trains_each_network_by_its_own_loss() -> None:
    system = build_system(load_recipe("pix2pix", UNET))
    assert isinstance(system, Pix2PixSystem)
    batch = {"source": pictures(2, 3, 32), "target": pictures(2, 3, 32)}
    context = Recorder(system)
    scalars = system.step(batch, context)
    assert context.seen["discriminator"] == {"generator": False, "discriminator": True}
    assert context.seen["generator"] == {"generator": True, "discriminator": False}
    expected = scalars["adversarial"] + 100 * scalars["l1"]
    assert scalars["loss_g"].item() == pytest.approx(expected.item(), rel=1e-5)
    # Equations 1 and 3 of the paper, written out; D sees the pair.
    x, y, d = batch["source"], batch["target"], system.networks["discriminator"].eval()
    with torch.no_grad():
        fake = system.networks["generator"].eval()(x)
        on_real, on_fake = torch.sigmoid(d(torch.cat([x, y], 1))), torch.sigmoid(d(torch.cat([x, fake], 1)))
        found = system.generator_losses(fake, batch)
        loss_d = AdversarialLoss("vanilla").discriminator(d(torch.cat([x, y], 1)), d(torch.cat([x, fake], 1)))
    assert found["adversarial"].item() == pytest.approx(-torch.log(on_fake).mean().item(), rel=1e-4)
    assert found["l1"].item() == pytest.approx((fake - y).abs().mean().item(), rel=1e-5)
    halves = -torch.log(on_real).mean() - torch.log(1 - on_fake).mean()
    assert loss_d.item() == pytest.approx(0.5 * halves.item(), rel=1e-4)
    system.networks.train()
    for name in ("adversarial", "l1"):
        system.networks.zero_grad()
        system.generator_losses(system.networks["generator"](batch["source"]), batch)[name].backward()
        grads = [p.grad for p in system.networks["generator"].parameters()]
        assert any(g is not None and bool((g != 0).any()) for g in grads), name


def test_windows_lie_around_what_is_drawn_and_inside_the_picture() -> None:
    guidance = torch.zeros(3, 3, 64, 64)
    guidance[0, 0, 40:44, 40:44] = 1.0
    guidance[1, 2, 0:2, 0:2] = 1.0
    corners = window_corners(guidance, guidance, 24)
    assert all(0 <= y <= 40 and 0 <= x <= 40 for y, x in corners)
    assert corners[0][0] <= 40 < 44 <= corners[0][0] + 24
    assert corners[1][0] <= 6
    assert corners[1][1] <= 6


def test_toon_generator_starts_from_the_photo_and_takes_every_size() -> None:
    generator = ToonGenerator(6, 4, widths=(4, 4, 8))
    for side in (64, 96, 128):
        x = torch.rand(1, 6, side, side) * 2 - 1
        assert generator(x).shape == (1, 4, side, side)
    photo = torch.rand(1, 6, 64, 64) * 2 - 1
    assert (generator(photo)[:, :3] - photo[:, :3]).abs().mean() < 0.1


def test_unet_halves_to_one_pixel_and_back() -> None:
    generator = UNetGenerator(3, 3, width=4, downs=5)
    answer = generator(pictures(2, 3, 32))
    assert answer.shape == (2, 3, 32, 32)
    assert answer.abs().max() <= 1


def test_frozen_lets_gradients_through_but_not_in() -> None:
    layer = nn.Linear(2, 1)
    x = torch.ones(1, 2, requires_grad=True)
    with frozen(layer):
        layer(x).sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is None
    assert layer.weight.requires_grad
