"""Recipes made small, to see a method at work on a laptop's CPU. Not a size at which methods can be ranked."""

from toonfilter.runtime.errors import ConfigError
from toonfilter.train.recipe import Recipe

LAPTOP_PX = 64


def preset_changes(name: str, recipe: Recipe) -> list[str]:
    """Overrides that a preset makes of a recipe; what is not an option of its networks is left out.

    laptop: 64 px, a quarter of the channels, few blocks, 2,000 steps, grids from the first seconds on.

    Raises:
        ConfigError: an unknown preset, or a recipe whose networks have no smaller form here.
    """
    if name != "laptop":
        raise ConfigError(f"preset is {name!r}; there is: laptop")
    if recipe.system in ("toon", "fields"):
        raise ConfigError(f"{recipe.name}: this network is small as it is; set run.steps and data.batch_size")
    changes = ["run.steps=2000", "run.sample_every_steps=100", "run.checkpoint_every_steps=200"]
    changes += ["run.log_every_steps=10", "data.workers=0", f"data.size_px={LAPTOP_PX}"]
    changes.append(f"data.batch_size={min(recipe.data.batch_size, 8)}")
    generator = recipe.generator.options
    changes.append("generator.options.width=16")
    if "blocks" in generator:
        changes.append(f"generator.options.blocks={min(int(generator['blocks']), 3)}")
    if "embedding" in generator:
        changes.append("generator.options.embedding=256")
    if recipe.generator.kind == "unet":
        changes.append("generator.options.downs=6")
    if recipe.discriminator is not None:
        changes.append("discriminator.options.width=16")
        if "layers" in recipe.discriminator.options:
            changes.append("discriminator.options.layers=2")
    if recipe.system == "ugatit":
        changes += ["method.discriminator_width=16", "method.local_layers=4", "method.global_layers=5"]
    if recipe.system == "cut":
        changes += ["method.places=64", "method.projection=64"]
    if recipe.system == "landmark-cyclegan":
        changes.append("method.patch_px=32")
    return changes
