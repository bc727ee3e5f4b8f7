"""The toonfilter command: the only place that prints and exits."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(
    name="toonfilter",
    help="Real-time cartoon video: keeps expression, head pose and gaze, never the face.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


StyleOption = Annotated[str, typer.Option("--to", help="Style: a name from `toonfilter models`, or a bundle folder.")]
EngineOption = Annotated[str, typer.Option("--engine", help="auto, onnxruntime, openvino or tensorrt.")]
RegionOption = Annotated[str, typer.Option("--region", help="head: hair and neck too. face: the face alone.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]


@app.callback(invoke_without_command=True)
def toonfilter(
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """Real-time cartoon video: keeps expression, head pose and gaze, never the face."""
    if version:
        from toonfilter import __version__

        typer.echo(f"toonfilter {__version__}")
        raise typer.Exit


@app.command()
def image(
    inputs: Annotated[list[Path], typer.Argument(metavar="IN...", help="Pictures, or a folder of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A picture, or a folder for several.")],
    to: StyleOption = "cartoon",
    engine: EngineOption = "auto",
    region: RegionOption = "head",
    overwrite: OverwriteOption = False,
) -> None:
    """Draw the faces of still pictures."""
    from toonfilter.runtime.frames import PrivacyState
    from toonfilter.runtime.stills import StillFilter, StillSettings, convert_pictures, plan_pictures

    pairs = plan_pictures(inputs, output, overwrite=overwrite)
    still = StillFilter(StillSettings(style=to, engine=engine, region=_region(region)))
    failed = 0
    for done in convert_pictures(pairs, still):
        if done.safe is None:
            failed += 1
            typer.secho(f"error: {done.error}", err=True, fg="red")
        elif done.safe.state is PrivacyState.COVERED:
            typer.echo(f"{done.target}: {done.safe.reason}, so the whole picture is pixelated")
        else:
            typer.echo(f"{done.target}: {_count(done.safe.faces_covered, 'face')}")
    still.close()
    if failed:
        typer.secho(f"{failed} of {_count(len(pairs), 'picture')} failed", err=True, fg="red")
        raise typer.Exit(1)


models_app = typer.Typer(help="Styles: list, show, verify.", no_args_is_help=True)
app.add_typer(models_app, name="models")


@models_app.command("list")
def models_list() -> None:
    """Every style that `--to` knows."""
    from rich.console import Console
    from rich.table import Table

    from toonfilter.runtime.bundle import known_bundles, load_bundle
    from toonfilter.runtime.errors import BundleError

    table = Table("name", "version", "files", "licence", "description")
    for name, folder in known_bundles().items():
        try:
            bundle = load_bundle(folder)
        except BundleError as error:
            table.add_row(name, "-", "damaged", "-", str(error))
            continue
        files = ", ".join(f"{entry.backend} {entry.precision}" for entry in bundle.files)
        table.add_row(name, bundle.version, files, bundle.licence, bundle.description)
    Console().print(table)


@models_app.command("show")
def models_show(name: Annotated[str, typer.Argument(help="A style, or a bundle folder.")]) -> None:
    """What a bundle says of itself, as JSON."""
    from toonfilter.runtime.bundle import MANIFEST, find_bundle

    typer.echo((find_bundle(name).folder / MANIFEST).read_text(encoding="utf-8").rstrip())


@models_app.command("verify")
def models_verify(
    names: Annotated[list[str] | None, typer.Argument(help="Styles or bundle folders; all when none is named.")] = None,
) -> None:
    """Check bundle.json and the sha256 of every file, then run each model once."""
    from toonfilter.runtime.backends import EngineOptions, open_translator
    from toonfilter.runtime.bundle import find_bundle, known_bundles
    from toonfilter.runtime.errors import ToonfilterError

    failed = False
    for name in names or list(known_bundles()):
        try:
            bundle = find_bundle(name)
            size = bundle.input.sizes[0]
            opened = open_translator(bundle, "auto", EngineOptions(size=size))
            opened.translator.warm_up(size)
            typer.echo(f"{name}: whole, {opened.translator.describe()}")
            opened.translator.close()
        except ToonfilterError as error:
            failed = True
            typer.secho(f"error: {error}", err=True, fg="red")
    if failed:
        raise typer.Exit(1)


def _region(value: str) -> Literal["head", "face"]:
    from toonfilter.runtime.errors import ConfigError

    if value == "head":
        return "head"
    if value == "face":
        return "face"
    raise ConfigError(f"region is {value!r}; must be head or face")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


@app.callback()
def _commands() -> None:
    """Commands keep their names even while there is only one."""


@app.command()
def evaluate(
    models: Annotated[
        list[str], typer.Argument(help="Bundles, checkpoints or folders of results; 'opencv'; LABEL=MODEL names one.")
    ],
    source: Annotated[Path, typer.Option(help="Folder of input pictures; index.csv in it is read.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for report.html, report.json, pictures.csv.")],
    target: Annotated[Path | None, typer.Option(help="Folder of ground truth, same names as the source.")] = None,
    identity: Annotated[Path | None, typer.Option(help="Face recogniser as ONNX, input [N, 3, 112, 112].")] = None,
    split: Annotated[str, typer.Option(help="all, train or validation identities by index.csv.")] = "all",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures, drawn with --seed.")] = None,
    seed: Annotated[int, typer.Option(help="For everything that is drawn.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Threads.")] = 2,
) -> None:
    """Measure models on pictures: what a class needs, distances to targets, by group; one report for all."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from toonfilter.train.evaluation.evaluate import EvaluationOptions
    from toonfilter.train.evaluation.evaluate import evaluate as run
    from toonfilter.train.evaluation.terminal_table import missing_lines, terminal_table

    options = EvaluationOptions(
        models=tuple(models),
        source=source,
        output=output,
        target=target,
        identity=identity,
        split=split,
        limit=limit,
        seed=seed,
        workers=workers,
    )
    with Progress(console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done)

        evaluation = run(options, show)
    console = Console()
    console.print(terminal_table(evaluation))
    for line in missing_lines(evaluation):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"written: {output / 'report.html'}", markup=False, soft_wrap=True)


def main() -> None:
    """Run the command; our errors become one line and exit status 1."""
    from toonfilter.runtime.errors import ToonfilterError

    try:
        app()
    except ToonfilterError as error:
        typer.secho(f"error: {error}", err=True, fg="red")
        sys.exit(1)
