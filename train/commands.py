"""The commands `train`, `recipes` and `robustness`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from toonfilter.runtime.command_line import terminal
from toonfilter.runtime.command_line.option_groups import with_option_groups
from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.progress import Progress, ShowProgress

if TYPE_CHECKING:
    from toonfilter.train.loop import Progress as TrainingProgress
    from toonfilter.train.loop import TrainOptions
    from toonfilter.train.recipe import Recipe
    from toonfilter.train.validation import Measurer


app = typer.Typer()
_openers: "list[MeasurerOpener]" = []


@dataclass(frozen=True, slots=True)
class TrainArguments:
    """What the recipe is changed to, where a run begins, and what computes."""

    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint in --output.")] = False
    weights_from: Annotated[Path | None, typer.Option(help="Begin with the weights of another run.")] = None
    changes: Annotated[list[str] | None, typer.Option("--set", help="table.key=value; can be repeated.")] = None
    perceptual_weights: Annotated[
        Path | None,
        typer.Option("--perceptual-weights", "--features", help="Weights file of the recipe's pretrained network."),
    ] = None
    accelerator: Annotated[str, typer.Option(help="auto, cpu, gpu or mps.")] = "auto"
    devices: Annotated[int, typer.Option(min=1, help="Processes on each machine.")] = 1
    nodes: Annotated[int, typer.Option(min=1, help="Machines.")] = 1
    preset: Annotated[str | None, typer.Option(help="laptop: small and short, to see the method on a CPU.")] = None
    validate_every: Annotated[
        int | None, typer.Option(min=1, help="Measure held-out pictures every so many steps.")
    ] = None
    best: Annotated[
        str, typer.Option(help="Keep the best weights by this measure: mmd, nn, fid, kid, lpips, l1, psnr, ssim, ...")
    ] = "mmd"
    nets: Annotated[
        list[str] | None, typer.Option("--net", help="Feature net for --validate-every: FILE.onnx:SCALING; repeatable.")
    ] = None

    def recipe(self, name: str) -> "Recipe":
        """The recipe of this name or file, with what these options change in it."""
        import json

        from toonfilter.train.presets import preset_changes
        from toonfilter.train.recipe import load_recipe

        overrides = preset_changes(self.preset, load_recipe(name)) if self.preset else []
        if self.validate_every is not None:
            overrides += [f"run.validate_every_steps={self.validate_every}", f"run.best_measure={self.best}"]
        overrides += self.changes or []
        if self.perceptual_weights is not None:
            overrides.append(f"method.perceptual.weights={json.dumps(str(self.perceptual_weights.resolve()))}")
        return load_recipe(name, overrides)

    def options(self, data: Path, out: Path, *, has_measurer: bool) -> "TrainOptions":
        """data, out: see `TrainOptions`. has_measurer: whether held-out pictures are measured."""
        from toonfilter.train.loop import TrainOptions

        measurer = _measurer(self.nets) if has_measurer else None
        return TrainOptions(
            data, out, self.resume, self.weights_from, self.accelerator, self.devices, self.nodes, measurer
        )


@app.command(rich_help_panel="Making styles")
@with_option_groups
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe by name (`toonfilter recipes`), or a .toml file.")],
    *,
    data: Annotated[Path | None, typer.Option("--data", help="Folder with photo/ and cartoon/.")] = None,
    out: Annotated[Path | None, typer.Option("--output", "--out", "-o", help="Folder of this run.")] = None,
    how: TrainArguments,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the resolved recipe and stop.")] = False,
) -> None:
    """Train a generator by a recipe. Ctrl-C stops; --resume goes on as if it had never stopped."""
    import json

    from toonfilter.train.recipe import recipe_table

    chosen = how.recipe(recipe)
    if dry_run:
        terminal.say(json.dumps(recipe_table(chosen), indent=2))
        return
    if data is None or out is None:
        raise typer.BadParameter("--data and --output are needed to train")
    from toonfilter.runtime.errors import require

    require("lightning", extra="train")
    from toonfilter.train.loop import train as run

    options = how.options(data, out, has_measurer=bool(chosen.run.validate_every_steps))
    try:
        with terminal.progress_shown("steps") as show:
            result = run(chosen, options, _shown_as_steps(show))
    except KeyboardInterrupt:
        terminal.say("stopped before a step was done; there is nothing new to go on from")
        return
    terminal.say(f"{result.checkpoint}: {result.steps} steps, {result.seconds:.0f} s")
    if result.is_interrupted:
        terminal.say("stopped; --resume goes on from this step")
    if result.best is not None:
        found = result.best
        terminal.say(f"best {found.measure}: {found.value:.4g} at step {found.step}, in {out / 'best'}")
    if result.unreadable:
        terminal.say(f"{terminal.count(result.unreadable, 'sample')} left out: a file of it cannot be read")


class MeasurerOpener(Protocol):
    """Opens what measures held-out pictures, with the feature nets that `--net` names."""

    def __call__(self, nets: Sequence[str]) -> "Measurer": ...


def measure_with(opener: MeasurerOpener) -> None:
    """Who puts the commands together says what measures pictures: training knows no measures of its own."""
    _openers[:] = [opener]


def _measurer(nets: list[str] | None) -> "Measurer":
    if not _openers:
        raise ConfigError("no measures are at hand; use the command toonfilter")
    return _openers[0](nets or ())


def _shown_as_steps(show: ShowProgress) -> "Callable[[TrainingProgress], None]":
    """Steps with the speed, the time left and the first scalars."""

    def report(done: "TrainingProgress") -> None:
        values = "  ".join(f"{name} {value:.3g}" for name, value in list(done.scalars.items())[:4])
        words = f"steps, {done.pictures_per_s:.1f} pictures/s  {values}"
        show(Progress(done.step, done.total_steps, words, left_s=done.left_s))

    return report


@app.command(rich_help_panel="Making styles")
def translate(
    model: Annotated[Path, typer.Argument(help="A run, a checkpoint, a bundle's folder or the name of a style.")],
    pictures: Annotated[
        Path | None, typer.Argument(help="Folder of pictures, or a data folder (its held-out ones are taken).")
    ] = None,
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results and index.html.")] = Path("out"),
    head: Annotated[str, typer.Option(help="Another network of the run: back, the way back of a cycle.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures, evenly spread.")] = None,
    degree: Annotated[float | None, typer.Option(help="Of exaggeration, for caricature: 0 none, 1 as learned.")] = None,
    exemplar: Annotated[Path | None, typer.Option(help="A drawing whose style is taken, for caricature.")] = None,
    samples: Annotated[int, typer.Option(min=2, help="Pictures from noise, for dcgan.")] = 64,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
) -> None:
    """Draw what a generator itself makes of whole pictures (or noise), without the filter; faces are not hidden."""
    from toonfilter.train.translation import caricature, draw_from_noise
    from toonfilter.train.translation import translate as run

    if pictures is None:
        result = draw_from_noise(model, out, count=samples, seed=seed)
    else:
        with terminal.progress_shown("pictures") as show:
            how = caricature(model, degree, exemplar) if degree is not None or exemplar else None
            result = run(model, pictures, out, head=head, limit=limit, report=show, generator=how)
    terminal.say(f"{result.page}: {terminal.count(result.written, 'picture')}")
    if result.unreadable:
        terminal.say(f"{terminal.count(len(result.unreadable), 'picture')} left out: cannot be read")


@app.command(rich_help_panel="Making styles")
def geometry(
    run: Annotated[Path, typer.Argument(help="A caricature run.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="ONNX file: landmarks and degree to landmarks.")],
) -> None:
    """Export the network that exaggerates landmarks, beside the drawing that `export` writes."""
    from toonfilter.train.caricature_use import export_geometry

    export_geometry(run, out)
    terminal.say(f"written: {out}")


@app.command("recipes", rich_help_panel="Making styles")
def recipes_list() -> None:
    """List the training recipes."""
    from toonfilter.train.recipe import load_recipe, recipe_names

    for name in recipe_names():
        terminal.say(f"{name:20} {load_recipe(name).description}")


@app.command(rich_help_panel="Making styles")
def robustness(
    run: Annotated[Path, typer.Argument(help="A run from cartoon to photo: pix2pix-human, human.")],
    data: Annotated[Path, typer.Option("--data", help="The pairs folder.")],
    out: Annotated[
        Path, typer.Option("--output", "--out", "-o", help="Folder for robustness.png and robustness.json.")
    ],
    pictures: Annotated[int, typer.Option(min=1, help="Held-out faces.")] = 24,
) -> None:
    """Show what a cartoon-to-photo generator makes of drawings it never saw."""
    from toonfilter.train.robustness import robustness_study

    study = robustness_study(run, data, out, pictures=pictures)
    for name, scores in study.scores.items():
        terminal.say(f"{name:15} " + "  ".join(f"{key} {value:.3f}" for key, value in scores.items()))
    terminal.say(f"{study.grid}: {terminal.count(study.pictures, 'face')}")
