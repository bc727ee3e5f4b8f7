"""Recipes: one TOML file per method, read into frozen dataclasses. An unknown key is an error."""

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.files.strict import Problem, parse
from toonfilter.runtime.files.toml_text import read_table

RECIPES_FOLDER = Path(__file__).parent / "recipes"

T = TypeVar("T")


@dataclass(frozen=True)
class DataSettings:
    """What the networks see. Pictures reach a system as float32 [N, C, H, W] in -1..1."""

    layout: Literal["paired", "unpaired", "single"] = "paired"
    # Side of the square crops, in pixels.
    size_px: int = 256
    batch_size: int = 1
    # One of toonfilter.train.data.augment.AUGMENTATIONS.
    augment: str = "none"
    # "photo-to-cartoon": source is the photo; "cartoon-to-photo": the other way round.
    direction: Literal["photo-to-cartoon", "cartoon-to-photo"] = "photo-to-cartoon"
    # Read the guidance pictures (drawn from landmarks) of a paired folder.
    guidance: bool = False
    # Also give landmarks float32 [N, P, 2] in crop pixels (a folder of NAME.npy files).
    landmarks: bool = False
    # Also give the edge-smoothed cartoons (a folder `edges`), CartoonGAN section 3.1.
    edges: bool = False
    # Of published data: labels that must be true of a picture, or false with "!" before them: CelebA's attributes
    # ("Smiling", "!Eyeglasses"), colorFERET's poses ("fa").
    labels: tuple[str, ...] = ()
    # Of each side of the training part at most so many pictures, always the same ones; 0: all.
    train_pictures: int = 0
    # Of aligned pictures, two in one side by side: which half is the photo.
    photo_half: Literal["left", "right"] = "left"
    workers: int = 1
    # Decoded pictures that each worker keeps in memory, at most, in MiB; more saves decoding in later epochs.
    cache_mib: int = 1024
    # What becomes of pictures that are not square: stretched, cut to the middle square, or filled up by reflection.
    fit: Literal["stretch", "crop", "pad"] = "stretch"
    # Side of the whole pictures in sample grids; 0: size_px.
    sample_px: int = 0


@dataclass(frozen=True)
class NetworkSettings:
    """A network by name (see toonfilter.train.networks) and the keywords of its constructor."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OptimiserSettings:
    """Adam of Kingma and Ba 2015; `adamw` decouples the weight decay; `rmsprop`: the clipped Wasserstein critic."""

    kind: Literal["adam", "adamw", "rmsprop"] = "adam"
    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0


@dataclass(frozen=True)
class ScheduleSettings:
    """Factor on every learning rate over the run: after `warm_up_steps`, constant until `decay_from`
    (a fraction of the run), then down to `final_factor` at the end, as a line or a half cosine."""

    kind: Literal["constant", "linear", "cosine"] = "constant"
    warm_up_steps: int = 0
    decay_from: float = 0.0
    final_factor: float = 0.0


@dataclass(frozen=True)
class StabiliserSettings:
    """See toonfilter.train.stabilisers; as it stands here, nothing is done.

    diff_augment: any of "color", "translation", "cutout". r1: gamma of the gradient penalty; a usual value is 10.
    """

    spectral_norm: bool = False
    diff_augment: tuple[str, ...] = ()
    r1: float = 0.0


@dataclass(frozen=True)
class RunSettings:
    """Length and care of a run. Exactly one of `steps` and `epochs` is given."""

    steps: int = 0
    epochs: int = 0
    seed: int = 0
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    channels_last: bool = False
    compile: bool = False
    # 0 switches the moving average off; the exported weights are then the last ones.
    ema_decay: float = 0.0
    # Largest gradient norm of one update; 0 does not clip.
    clip_norm: float = 0.0
    log_every_steps: int = 20
    sample_every_steps: int = 500
    checkpoint_every_steps: int = 500
    checkpoints_kept: int = 3
    # Every so many epochs the weights are kept for good, in `epochs/epoch-N`; 0 keeps none.
    save_every_epochs: int = 0
    # Every so many steps held-out pictures are measured; 0 never. `best_measure` names the measure by which the best
    # weights are kept in `best`; toonfilter.train.validation_record lists them.
    validate_every_steps: int = 0
    validation_pictures: int = 64
    best_measure: str = "mmd"


@dataclass(frozen=True)
class Recipe:
    """One training method with all its hyper-parameters.

    `method` holds the options of the system itself; they are read by `parse_table` into the `Options` dataclass of the
    system's module, so a wrong key there is an error as well.
    """

    name: str
    system: str
    description: str
    paper: str
    data: DataSettings
    run: RunSettings
    generator: NetworkSettings
    discriminator: NetworkSettings | None = None
    optimiser: OptimiserSettings = OptimiserSettings()
    # Only where the discriminator differs from `optimiser`.
    discriminator_optimiser: OptimiserSettings | None = None
    schedule: ScheduleSettings = ScheduleSettings()
    stabilisers: StabiliserSettings = StabiliserSettings()
    method: Mapping[str, Any] = field(default_factory=dict)

    def total_steps(self, steps_per_epoch: int) -> int:
        """Length of the run in steps."""
        return self.run.steps or self.run.epochs * steps_per_epoch


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(path.stem for path in RECIPES_FOLDER.glob("*.toml"))


def load_recipe(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe by name or path.

    overrides: "table.key=value" strings, the value in TOML ("run.steps=100", "generator.options.widths=[8, 16, 32]");
    text without quotes is taken as it is.

    Raises:
        ConfigError: no such recipe, not TOML, an unknown key, or a value of a wrong type.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = RECIPES_FOLDER / f"{name_or_path}.toml"
        if not path.is_file():
            raise ConfigError(
                f"no recipe {name_or_path!r}; there are: {', '.join(recipe_names())}, or a path to a .toml file"
            )
    table = read_table(path)
    for override in overrides:
        _override(table, override)
    _one_length(table, overrides)
    return recipe_from_table(table, where=path.name)


def recipe_from_table(table: Mapping[str, Any], where: str = "recipe") -> Recipe:
    """Build a recipe from the tables of a TOML file, or of `recipe_table`."""
    recipe = parse_table(Recipe, table, where)
    if bool(recipe.run.steps) == bool(recipe.run.epochs):
        raise ConfigError(
            f"{where}: run.steps is {recipe.run.steps} and run.epochs is {recipe.run.epochs}; give exactly one of them"
        )
    if recipe.data.batch_size < 1 or recipe.data.size_px < 1:
        raise ConfigError(
            f"{where}: data.batch_size is {recipe.data.batch_size}, data.size_px is {recipe.data.size_px}; "
            "both must be at least 1"
        )
    return recipe


def recipe_table(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain tables (JSON-able); `recipe_from_table` reads them back."""
    return cast(dict[str, Any], _plain(recipe))


def parse_table(cls: type[T], table: Mapping[str, Any], where: str) -> T:
    """Read a mapping into a frozen dataclass, nested ones included.

    Raises:
        ConfigError: naming the key, what was found and what was expected.
    """
    try:
        found: T = parse(cls, dict(table))
    except Problem as problem:
        raise ConfigError(f"{where}: {problem}") from problem
    return found


def _override(table: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator:
        raise ConfigError(f"override {override!r}: expected table.key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.strip().split(".")
    for name in parents:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise ConfigError(f"override {override!r}: {name} is not a table")
    table[last] = value


def _one_length(table: dict[str, Any], overrides: Sequence[str]) -> None:
    """A length given as an override replaces the recipe's own, in whichever unit that is."""
    given = {override.partition("=")[0].strip() for override in overrides}
    for key, other in (("steps", "epochs"), ("epochs", "steps")):
        if f"run.{key}" in given and f"run.{other}" not in given and table["run"].get(key):
            table["run"].pop(other, None)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((item.name, getattr(value, item.name)) for item in dataclasses.fields(value))
        return {name: _plain(entry) for name, entry in pairs if entry is not None}
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value
