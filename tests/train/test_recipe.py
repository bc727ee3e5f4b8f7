"""Recipes: what TOML may say, and what it may not."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from toonfilter.cli import app
from toonfilter.runtime.errors import ConfigError
from toonfilter.train.networks import build_discriminator, build_generator
from toonfilter.train.recipe import NetworkSettings, load_recipe, recipe_from_table, recipe_names, recipe_table


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_reads_and_comes_back(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe_from_table(recipe_table(recipe)) == recipe


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.colour=1", "unknown key 'colour'"),
        ("run.steps=many", "run: steps is 'many'; expected int"),
        ("data.layout=triples", "expected one of 'paired'"),
        ("run.epochs=3", "exactly one"),
        ("data.batch_size=0", "at least 1"),
        ("nonsense", "expected table.key=value"),
        ("name.first=1", "name is not a table"),
    ],
)
def test_wrong_values_are_named(override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_recipe("toon", [override])


def test_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"cyclegan.*pix2pix.*toon"):
        load_recipe("pix3pix")


def test_a_file_that_is_not_toml(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("name = ", encoding="utf-8")
    with pytest.raises(ConfigError, match="not TOML"):
        load_recipe(path)


def test_unknown_networks_and_options() -> None:
    with pytest.raises(ConfigError, match="unknown generator 'vit'"):
        build_generator(NetworkSettings("vit"), 3, 3)
    with pytest.raises(ConfigError, match="unknown option 'depth'; known: widths"):
        build_generator(NetworkSettings("toon", {"depth": 3}), 3, 3)
    with pytest.raises(ConfigError, match="unknown option"):
        build_discriminator(NetworkSettings("patch", {"depth": 3}), 3)


def test_published_hyper_parameters_of_pix2pix() -> None:
    recipe = load_recipe("pix2pix")
    adam = recipe.optimiser
    assert (adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon) == (2e-4, 0.5, 0.999, 1e-8)
    assert (recipe.data.batch_size, recipe.run.epochs, recipe.method["l1_weight"]) == (1, 200, 100.0)
    assert load_recipe("pix2pix-beta2").optimiser.beta2 == 0.9999


def test_dry_run_prints_the_resolved_recipe() -> None:
    result = CliRunner().invoke(app, ["train", "toon", "--set", "run.steps=7", "--dry-run"])
    assert result.exit_code == 0
    assert '"steps": 7' in result.stdout
    listed = CliRunner().invoke(app, ["recipes"])
    assert "pix2pix" in listed.stdout
