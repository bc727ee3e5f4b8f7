"""The toonfilter command: the only place that prints and exits."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from toonfilter.runtime.convert import ConvertProgress

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
OnLostOption = Annotated[str, typer.Option("--on-lost", help="No face found: hold, cover, image=FILE or pass.")]
ExposureOption = Annotated[
    bool, typer.Option("--i-accept-exposure", help="Needed for --on-lost pass: the real picture may be seen.")
]
AuditOption = Annotated[Path | None, typer.Option("--audit", help="Write one JSON line per emitted frame here.")]


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


@app.command()
def video(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A video file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help=".mp4, .mov, .mkv or .webm.")],
    to: StyleOption = "cartoon",
    engine: EngineOption = "auto",
    region: RegionOption = "head",
    codec: Annotated[str, typer.Option(help="auto, h264, hevc, vp9, av1, or an encoder's own name.")] = "auto",
    quality: Annotated[str, typer.Option(help="small, normal or high.")] = "normal",
    overwrite: OverwriteOption = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted conversion.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that convert pieces of the file at once.")] = 1,
    on_lost: OnLostOption = "hold",
    i_accept_exposure: ExposureOption = False,
    audit: AuditOption = None,
    before_after: Annotated[
        Path | None, typer.Option(help="Also write a picture of one moment before and after; it shows the real face.")
    ] = None,
) -> None:
    """Convert a video file; sound, subtitles and time stamps stay as they are.

    Exit status: 0 whole, 3 when the source was cut off or damaged, 130 when stopped (--resume continues).
    """
    from toonfilter.runtime.convert import ConvertOptions, convert
    from toonfilter.runtime.file_filter import file_filter_opener, filter_identity
    from toonfilter.runtime.filter import FilterSettings
    from toonfilter.runtime.lost_options import lost_policy

    lost = lost_policy(on_lost, confirmed=i_accept_exposure)
    settings = FilterSettings(style=to, engine=engine, region=_region(region), lost=lost)
    options = ConvertOptions(codec, quality, overwrite, resume, jobs, audit)
    with _stop_on_signals() as stop, _conversion_bar() as progress:
        report = convert(
            source,
            output,
            file_filter_opener(settings),
            options,
            filter_identity=filter_identity(settings),
            progress=progress,
            stop=stop,
        )
    for note in report.notes:
        typer.secho(f"note: {note}", err=True, fg="yellow")
    states = ", ".join(f"{state} {count}" for state, count in report.states.items())
    if report.status == "interrupted":
        typer.echo(f"stopped after {_count(report.frames, 'frame')} ({states}); {output} was not written")
        raise typer.Exit(130)
    typer.echo(f"{output}: {_count(report.frames, 'frame')}, {report.fps:.1f} per second, {report.encoder}")
    typer.echo(f"leak report: {states}")
    if before_after:
        from toonfilter.runtime.before_after import write_before_after

        write_before_after(source, output, before_after)
        typer.echo(f"{before_after}: before and after")
    if report.status == "partial":
        raise typer.Exit(3)


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C breaks off at once."""
    import signal

    stop = threading.Event()

    def ask(number: int, frame: object) -> None:  # noqa: ARG001
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = [(number, signal.signal(number, ask)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield stop
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@contextmanager
def _conversion_bar() -> "Iterator[Callable[[ConvertProgress], None]]":
    """A progress bar with frames per second and the time left."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("opening the model")

        def show(progress: "ConvertProgress") -> None:
            left = "" if progress.left_s is None else f", {progress.left_s:.0f} s left"
            words = f"{progress.frames_done} of {progress.frames_total} frames, {progress.fps:.1f} fps{left}"
            bar.update(task, total=progress.frames_total, completed=progress.frames_done, description=words)

        yield show


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


@app.command()
def evaluate(
    models: Annotated[
        list[str], typer.Argument(help="Bundles, checkpoints or folders of results; 'opencv'; LABEL=MODEL names one.")
    ],
    source: Annotated[Path, typer.Option(help="Folder of input pictures; index.csv in it is read.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for report.html, report.json, pictures.csv.")],
    target: Annotated[Path | None, typer.Option(help="Folder of ground truth, same names as the source.")] = None,
    identity: Annotated[Path | None, typer.Option(help="Face recogniser as ONNX, input [N, 3, 112, 112].")] = None,
    features: Annotated[
        list[str] | None, typer.Option(help="Feature net as ONNX (FILE.onnx or FILE.onnx:SCALING); may be repeated.")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Folder of torchvision's ResNet-34, Inception v3.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Let torchvision fetch the weights.")] = False,
    split: Annotated[str, typer.Option(help="all, train or validation identities by index.csv.")] = "all",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures, drawn with --seed.")] = None,
    seed: Annotated[int, typer.Option(help="For everything that is drawn.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Threads.")] = 2,
) -> None:
    """Measure models on pictures: what a class needs, distances to targets, by group; one report for all."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from toonfilter.train.evaluation.distribution import NetOptions
    from toonfilter.train.evaluation.evaluate import EvaluationOptions
    from toonfilter.train.evaluation.evaluate import evaluate as run
    from toonfilter.train.evaluation.terminal_table import missing_lines, terminal_table

    options = EvaluationOptions(
        models=tuple(models),
        source=source,
        output=output,
        target=target,
        identity=identity,
        nets=NetOptions(tuple(features or ()), weights, download),
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
