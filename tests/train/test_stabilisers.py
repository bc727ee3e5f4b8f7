"""R1, spectral norm and DiffAugment: by their formulas, and in every recipe."""

from unittest.mock import Mock

import pytest
import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.networks.discriminators import Discriminator, PatchDiscriminator
from toonfilter.train.presets import preset_changes
from toonfilter.train.recipe import StabiliserSettings, load_recipe, recipe_names
from toonfilter.train.stabilisers import diff_augment, r1_penalty, stabilise
from toonfilter.train.systems import build_system

SMALL = ["data.size_px=32", "generator.options.width=4", "discriminator.options.width=4", "generator.options.blocks=1"]
ALL = ["stabilisers.spectral_norm=true", 'stabilisers.diff_augment=["color", "translation"]', "stabilisers.r1=10.0"]


def test_r1_of_a_linear_discriminator_is_known() -> None:
    weight = torch.tensor([1.0, 2.0, 2.0, 4.0])

    def linear(pictures: Tensor) -> Tensor:
        return pictures.flatten(1) @ weight[:, None]

    # The gradient is the weight everywhere: 10 / 2 * (1 + 4 + 4 + 16).
    assert r1_penalty(linear, torch.rand(3, 1, 2, 2), 10.0).item() == pytest.approx(125.0)
    # 3 x^2 at x = 2 for one number a picture: gradient 12.
    cubic = r1_penalty(lambda x: x.flatten(1) ** 3, torch.full((2, 1, 1, 1), 2.0), 1.0)
    assert cubic.item() == pytest.approx(72.0)


def test_spectral_norm_makes_the_largest_singular_value_one() -> None:
    torch.manual_seed(0)
    networks = nn.ModuleDict({"generator": nn.Conv2d(3, 3, 1), "d": PatchDiscriminator(3, width=4, layers=1)})
    before = networks["generator"].weight.clone()
    stabilise(networks, StabiliserSettings(spectral_norm=True))
    for _ in range(60):
        networks["d"](torch.rand(1, 3, 32, 32))
    networks.eval()
    for layer in networks["d"].modules():
        if isinstance(layer, nn.Conv2d):
            assert torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item() == pytest.approx(1.0, abs=0.02)
    assert torch.equal(networks["generator"].weight, before)


class _Seen(Discriminator):
    def __init__(self) -> None:
        super().__init__(nn.Sequential(nn.Identity()), nn.Identity())


def test_discriminators_see_changed_pictures_in_training_only() -> None:
    torch.manual_seed(0)
    seen = _Seen()
    stabilise(nn.ModuleDict({"d": seen}), StabiliserSettings(diff_augment=("translation",)))
    picture = torch.rand(8, 3, 16, 16)
    assert not torch.equal(seen(picture), picture)
    # The feature cycle loss compares the pictures as they are.
    assert torch.equal(seen.features(picture), picture)
    assert torch.equal(seen.eval()(picture), picture)


def test_each_augmentation_does_what_it_says() -> None:
    torch.manual_seed(0)
    white = torch.ones(64, 3, 16, 16)
    moved = diff_augment(white, ("translation",))
    # Moved by up to 2 px either way: never more than a strip of 2 is empty.
    assert torch.equal(moved[:, :, 2:-2, 2:-2], white[:, :, 2:-2, 2:-2])
    assert set(moved.unique().tolist()) == {0.0, 1.0}
    cut = diff_augment(white, ("cutout",))
    empty = (cut == 0).flatten(1).float().mean(1)
    assert float(empty.min()) > 0
    assert float(empty.max()) == pytest.approx(0.25)
    coloured = diff_augment(torch.zeros(64, 6, 8, 8), ("color",))
    # A flat picture stays flat: brightness alone changes it, by less than half, and the same in both halves of a pair.
    assert float(coloured.flatten(1).std(1).max()) < 1e-6
    assert float(coloured.abs().max()) <= 0.5
    source = torch.rand(2, 3, 8, 8, requires_grad=True)
    diff_augment(source, ("color", "translation", "cutout")).sum().backward()
    assert source.grad is not None
    assert bool(source.grad.any())


def small(name: str) -> list[str]:
    recipe = load_recipe(name)
    return preset_changes("laptop", recipe) if recipe.system != "toon" else ["data.size_px=96"]


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_take_all_of_them(name: str) -> None:
    system = build_system(load_recipe(name, [*small(name), *ALL]))
    discriminators = [m for m in system.networks.modules() if isinstance(m, Discriminator)]
    assert discriminators
    layers = [m for d in discriminators for m in d.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert all(hasattr(layer, "parametrizations") for layer in layers)


def test_the_real_time_method_is_penalised_at_the_teachers_windows() -> None:
    whole = ["method.window_px=96", "method.perceptual_weight=0.0"]
    picture = torch.rand(2, 3, 96, 96) * 2 - 1
    guidance = torch.rand(2, 3, 96, 96)
    batch = {"source": picture, "target": picture, "matte": guidance[:, :1], "guidance": guidance}
    losses: list[Tensor] = []
    # The gradients of a new discriminator are small.
    for r1 in (0.0, 1e6):
        torch.manual_seed(0)
        system = build_system(load_recipe("toon", [*small("toon"), *whole, f"stabilisers.r1={r1}"]))
        context = Mock(step=0, total_steps=1, progress=1.0)
        system.step(batch, context)
        losses += [call.args[1].detach() for call in context.update.call_args_list if call.args[0] == "discriminator"]
    penalty = r1_penalty(system.networks["discriminator"], torch.cat([picture, guidance], 1), 1e6)
    assert penalty > 0
    assert float(losses[1] - losses[0]) == pytest.approx(penalty.item(), rel=1e-4)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown 'blur'; there are: color, translation, cutout"):
        build_system(load_recipe("cyclegan", [*SMALL, 'stabilisers.diff_augment=["blur"]']))
    with pytest.raises(ConfigError, match="this method has no discriminator here"):
        build_system(load_recipe("toon", ["stabilisers.r1=1.0", "method.adversarial_weight=0.0"]))
