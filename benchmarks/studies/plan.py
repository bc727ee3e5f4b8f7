"""Plans: which recipes a study compares, under which common conditions. One TOML file each."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.files.toml_text import read_table
from toonfilter.train.recipe import Recipe, load_recipe, parse_table

PLANS_FOLDER = Path(__file__).parent / "plans"


@dataclass(frozen=True)
class Arm:
    """One recipe in a comparison. changes: overrides, as for `toonfilter train --set`."""

    name: str
    recipe: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A controlled comparison.

    common: overrides for every arm, before its own. measures: columns of the tables, "MEASURE" or "MEASURE:NET"; the
    first one chooses the epochs that are voted on. detail: the arm that gets a table by epoch. window: epochs of the
    sliding mean in that table. robustness: arms from drawings to photos are also shown drawings that they never saw.
    against: the arm that the others are compared with; empty: the first, "above": each with the one above it.
    every_epochs: how often weights are kept and measured; a shorter study measures as often in all, not more rarely.
    """

    name: str
    description: str
    arms: tuple[Arm, ...]
    common: tuple[str, ...] = ()
    measures: tuple[str, ...] = ("mmd", "nn", "nn_real", "nn_fake")
    detail: str = ""
    window: int = 1
    robustness: bool = False
    against: str = ""
    every_epochs: int = 10


@dataclass(frozen=True)
class Scale:
    """The size of a study in one option: side of the pictures, epochs, channels of the networks' first layer."""

    size_px: int = 0
    epochs: int = 0
    width: int = 0


def plan_names() -> list[str]:
    """Plans that come with the package."""
    return sorted(path.stem for path in PLANS_FOLDER.glob("*.toml"))


def load_plan(name_or_path: str | Path) -> Plan:
    """Read a plan by name or path.

    Raises:
        ConfigError: no such plan, not TOML, an unknown key, two arms of one name, or a detail that is no arm.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = PLANS_FOLDER / f"{name_or_path}.toml"
        if not path.is_file():
            raise ConfigError(f"no study {name_or_path!r}; there are: {', '.join(plan_names())}, or a path to a .toml")
    plan = parse_table(Plan, read_table(path), path.name)
    names = [arm.name for arm in plan.arms]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"{path.name}: arms are {', '.join(names) or 'missing'}; each needs a name of its own")
    for key, value, others in (("detail", plan.detail, []), ("against", plan.against, ["above"])):
        if value and value not in [*names, *others]:
            raise ConfigError(f"{path.name}: {key} is {value!r}; expected one of {', '.join([*names, *others])}")
    return plan


def parse_scale(text: str) -> Scale:
    """ "64:20:16": 64 px, 20 epochs, 16 channels; a part that is left empty stays as the recipes have it.

    Raises:
        ConfigError: something else.
    """
    parts = [*text.split(":"), "", ""][:3] if text.count(":") <= 2 else ["x"]
    try:
        return Scale(*(int(part) if part else 0 for part in parts))
    except ValueError:
        raise ConfigError(f"scale is {text!r}; expected PIXELS:EPOCHS:WIDTH, for instance 64:20:16") from None


def arm_recipe(plan: Plan, arm: Arm, scale: Scale, seed: int, more: Sequence[str] = ()) -> tuple[Recipe, list[str]]:
    """The recipe of an arm, and the overrides that make it of the arm's own.

    more: overrides for every arm, or for some: "cartoongan*:data.batch_size=4". The scale's width goes to every network
    that has one; a U-Net gets as many halvings as its pictures allow.

    Raises:
        ConfigError: the overrides do not fit the recipe, or are for an arm that is not there.
    """
    changes = [*plan.common, *arm.changes]
    if scale.size_px:
        changes.append(f"data.size_px={scale.size_px}")
    if scale.epochs:
        changes += [f"run.epochs={scale.epochs}", "run.steps=0"]
    base = load_recipe(arm.recipe, changes)
    if scale.width:
        changes.append(f"generator.options.width={scale.width}")
        if base.discriminator is not None:
            changes.append(f"discriminator.options.width={scale.width}")
        else:
            changes.append(f"method.discriminator_width={scale.width}")
    if base.generator.kind == "unet":
        changes.append(f"generator.options.downs={min(8, base.data.size_px.bit_length() - 1)}")
    if "size" in base.generator.options:
        changes.append(f"generator.options.size={base.data.size_px}")
        changes.append(f"discriminator.options.size={base.data.size_px}")
    if base.run.epochs:
        published = load_recipe(arm.recipe, [*plan.common, *arm.changes]).run.epochs
        every = plan.every_epochs * base.run.epochs / published if published else plan.every_epochs
        changes.append(f"run.save_every_epochs={min(base.run.epochs, max(1, round(every)))}")
    changes += [f"run.seed={seed}", *_of_arm(plan, arm, more)]
    return load_recipe(arm.recipe, changes), changes


def _of_arm(plan: Plan, arm: Arm, more: Sequence[str]) -> list[str]:
    """The overrides that are for this arm, without the pattern of names before them."""
    chosen = []
    for change in more:
        key, equals, value = change.partition("=")
        pattern, colon, key = key.rpartition(":")
        if colon and not any(fnmatchcase(other.name, pattern) for other in plan.arms):
            names = ", ".join(other.name for other in plan.arms)
            raise ConfigError(f"override {change!r}: no arm is called {pattern!r}; there are: {names}")
        if not colon or fnmatchcase(arm.name, pattern):
            chosen.append(f"{key}{equals}{value}")
    return chosen
