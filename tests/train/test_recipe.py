"""Recipes: what TOML may say, and what it may not."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from toonfilter.cli import app
from toonfilter.runtime.errors import ConfigError
from toonfilter.train.networks import build_discriminator, build_generator
from toonfilter.train.optimisation import step_factor
from toonfilter.train.recipe import NetworkSettings, load_recipe, recipe_from_table, recipe_names, recipe_table
from toonfilter.train.systems import build_system


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_reads_and_comes_back(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe_from_table(recipe_table(recipe)) == recipe


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.colour=1", r"toon.toml: unknown key data\.colour; known: "),
        ("run.steps=many", r"toon.toml: run\.steps is 'many'; must be a whole number"),
        ("data.layout=triples", r"data\.layout is 'triples'; must be paired or "),
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
    with pytest.raises(ConfigError, match="line 1 is 'name ='; must be TOML: Invalid value"):
        load_recipe(path)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_recipe(path)


def test_unknown_networks_and_options() -> None:
    with pytest.raises(ConfigError, match="unknown generator 'vit'"):
        build_generator(NetworkSettings("vit"), 3, 3)
    with pytest.raises(ConfigError, match="unknown option 'depth'; known: widths"):
        build_generator(NetworkSettings("toon", {"depth": 3}), 3, 3)
    with pytest.raises(ConfigError, match="unknown option"):
        build_discriminator(NetworkSettings("patch", {"depth": 3}), 3)


# Learning rate, beta1, beta2, batch size, epochs.
PUBLISHED = {
    "cyclegan": (2e-4, 0.5, 0.999, 1, 200),
    "cyclegan-fast": (1.6e-3, 0.5, 0.999, 1, 200),
    "cartoongan": (2e-4, 0.5, 0.999, 8, 200),
    "dcgan": (3e-4, 0.5, 0.999, 128, 100),
    "pix2pix": (2e-4, 0.5, 0.999, 1, 200),
    "pix2pix-human": (2e-4, 0.5, 0.999, 1, 200),
    "pix2pix-beta2": (2e-4, 0.5, 0.9999, 1, 200),
    "wgan-gp": (1e-4, 0.0, 0.9, 4, 100),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_hyper_parameters(name: str) -> None:
    recipe = load_recipe(name)
    adam = recipe.optimiser
    found = (adam.learning_rate, adam.beta1, adam.beta2, recipe.data.batch_size, recipe.run.epochs)
    assert found == PUBLISHED[name]


def test_cyclegan_and_its_variants_decay_linearly_and_keep_a_pool() -> None:
    for name in ("cyclegan", "cyclegan-fast", "cyclegan-v3", "cyclegan-v4", "cyclegan-v5", "cyclegan-v6"):
        recipe = load_recipe(name)
        assert (recipe.schedule.kind, recipe.schedule.decay_from, recipe.method["pool"]) == ("linear", 0.5, 50)
        assert recipe.method["cycle_weight"] == 10
        is_reports = name not in ("cyclegan", "cyclegan-fast")
        assert recipe.method.get("identity_norm", "l1") == ("l2" if is_reports else "l1")


def test_published_hyper_parameters_of_pix2pix() -> None:
    for name, direction in (("pix2pix", "photo-to-cartoon"), ("pix2pix-human", "cartoon-to-photo")):
        recipe = load_recipe(name)
        assert (recipe.optimiser.epsilon, recipe.method["l1_weight"], recipe.data.size_px) == (1e-8, 100.0, 256)
        assert (recipe.generator.kind, recipe.generator.options["downs"]) == ("unet", 8)
        assert recipe.data.direction == direction
        # 100 epochs at the full rate, 100 down to zero.
        assert (recipe.run.epochs, recipe.schedule.kind, recipe.schedule.decay_from) == (200, "linear", 0.5)
        rates = [step_factor(recipe.schedule, epoch, 200) for epoch in (0, 99, 150, 199)]
        assert rates == pytest.approx([1.0, 1.0, 0.5, 0.01])


@pytest.mark.parametrize(
    ("name", "changes", "multiple"),
    [
        ("pix2pix", ["data.size_px=64"], 256),
        ("pix2pix", ["data.size_px=96", "generator.options.downs=6"], 64),
        ("cyclegan", ["data.size_px=62"], 4),
        ("content-style", ["data.size_px=62"], 4),
        ("toon", ["data.size_px=100"], 8),
        ("toon", ["data.sample_px=100"], 8),
    ],
)
def test_a_size_that_the_generator_cannot_halve_is_refused(name: str, changes: list[str], multiple: int) -> None:
    with pytest.raises(ConfigError, match=f"needs a multiple of {multiple} "):
        build_system(load_recipe(name, [*changes, "method.window_px=32"] if name == "toon" else changes))


def test_a_smaller_unet_is_exported_at_its_own_size() -> None:
    small = ["data.size_px=128", "generator.options.downs=6", "generator.options.width=4"]
    spec = build_system(load_recipe("pix2pix", small)).export_spec()
    assert spec is not None
    assert (spec.sizes_px, spec.size_multiple) == ((128,), 64)


def test_dry_run_prints_the_resolved_recipe() -> None:
    result = CliRunner().invoke(app, ["train", "toon", "--set", "run.steps=7", "--dry-run"])
    assert result.exit_code == 0
    assert '"steps": 7' in result.stdout
    listed = CliRunner().invoke(app, ["recipes"])
    assert "pix2pix" in listed.stdout


def test_a_length_that_is_set_replaces_the_recipes_own() -> None:
    short = load_recipe("cyclegan", ["run.steps=5"]).run
    assert (short.steps, short.epochs) == (5, 0)
    assert load_recipe("toon", ["run.epochs=3"]).run.steps == 0
    with pytest.raises(ConfigError, match="exactly one"):
        load_recipe("cyclegan", ["run.steps=5", "run.epochs=3"])
