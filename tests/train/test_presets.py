"""The preset for laptops: every published recipe becomes small enough for a CPU, and stays the same method."""

import pytest
from typer.testing import CliRunner

from toonfilter.cli import app
from toonfilter.runtime.errors import ConfigError
from toonfilter.train.presets import preset_changes
from toonfilter.train.recipe import load_recipe, recipe_names
from toonfilter.train.systems import build_system

SMALL = [name for name in recipe_names() if load_recipe(name).system not in ("toon", "fields")]


@pytest.mark.parametrize("name", SMALL)
def test_every_recipe_becomes_small(name: str) -> None:
    recipe = load_recipe(name)
    small = load_recipe(name, preset_changes("laptop", recipe))
    networks = build_system(small).networks
    assert (small.data.size_px, small.run.steps, small.run.epochs) == (64, 2000, 0)
    assert small.system == recipe.system
    weights = sum(p.numel() for network in networks.values() for p in network.parameters())
    assert weights < 6e6, f"{weights / 1e6:.1f} million weights"


def test_what_is_no_preset_is_refused() -> None:
    with pytest.raises(ConfigError, match="preset is 'phone'; there is: laptop"):
        preset_changes("phone", load_recipe("cyclegan"))
    with pytest.raises(ConfigError, match="small as it is"):
        preset_changes("laptop", load_recipe("toon"))


def test_own_settings_win_over_the_preset() -> None:
    command = ["train", "cyclegan", "--preset", "laptop", "--set", "run.steps=7", "--dry-run"]
    answer = CliRunner().invoke(app, command)
    assert '"steps": 7' in answer.output
    assert '"size_px": 64' in answer.output
