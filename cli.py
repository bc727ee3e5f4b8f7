"""The toonfilter command: the only place that prints and exits."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toonfilter.runtime.filter import ToonFilter
    from toonfilter.runtime.live.pipeline import LiveOptions, LiveStatus, LiveSummary
    from toonfilter.runtime.live.sinks import LiveSink
    from toonfilter.runtime.video.batch import BatchProgress
    from toonfilter.runtime.video.convert import ConvertProgress
    from toonfilter.train.loop import Progress as TrainingProgress

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
    from toonfilter.runtime.still_images import StillFilter, StillSettings, convert_pictures, plan_pictures

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
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Processes for the pieces of a long file; default: one for each core."),
    ] = None,
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
    from toonfilter.runtime.filter import FilterSettings
    from toonfilter.runtime.lost_options import lost_policy
    from toonfilter.runtime.video.convert import ConvertOptions, convert
    from toonfilter.runtime.video.file_filter import file_filter_opener, filter_identity
    from toonfilter.runtime.video.workers import default_workers

    lost = lost_policy(on_lost, confirmed=i_accept_exposure)
    settings = FilterSettings(style=to, engine=engine, region=_region(region), lost=lost, on_drawings=True)
    options = ConvertOptions(codec, quality, overwrite, resume, jobs or default_workers(), audit)
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
        from toonfilter.runtime.video.before_after import write_before_after

        write_before_after(source, output, before_after)
        typer.echo(f"{before_after}: before and after")
    if report.status == "partial":
        raise typer.Exit(3)


@app.command()
def batch(
    archive: Annotated[Path, typer.Argument(metavar="DIR", help="A folder with recordings, also in sub-folders.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the converted ones.")],
    to: StyleOption = "cartoon",
    engine: EngineOption = "auto",
    region: RegionOption = "head",
    codec: Annotated[str, typer.Option(help="As for `video`.")] = "auto",
    quality: Annotated[str, typer.Option(help="small, normal or high.")] = "normal",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Convert everything anew.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes here; default: one for each core.")] = None,
    cluster: Annotated[str | None, typer.Option(help="Address of a Ray cluster, HOST:PORT or auto.")] = None,
    on_lost: OnLostOption = "hold",
    i_accept_exposure: ExposureOption = False,
) -> None:
    """Convert an archive of recordings, here or on a Ray cluster; run it again to go on after a stop.

    Exit status: 0 all done, 1 when some failed (the others are done), 130 when stopped.
    """
    from toonfilter.runtime.filter import FilterSettings
    from toonfilter.runtime.lost_options import lost_policy
    from toonfilter.runtime.video.batch import BatchOptions, open_workers, run_batch
    from toonfilter.runtime.video.file_filter import file_filter_opener, filter_identity

    lost = lost_policy(on_lost, confirmed=i_accept_exposure)
    # Workers on other machines have another working directory.
    style = str(Path(to).resolve()) if os.sep in to else to
    settings = FilterSettings(style=style, engine=engine, region=_region(region), lost=lost, on_drawings=True)
    identity = filter_identity(settings)
    piece_workers = open_workers(workers, cluster)
    try:
        with _stop_on_signals() as stop, _batch_bar() as progress:
            report = run_batch(
                archive,
                output,
                file_filter_opener(settings),
                piece_workers,
                BatchOptions(codec=codec, quality=quality, overwrite=overwrite),
                filter_identity=identity,
                progress=progress,
                stop=stop,
            )
    finally:
        piece_workers.close()
    for name, outcome in report.outcomes.items():
        if outcome.status == "partial":
            typer.secho(f"note: {name}: {'; '.join(outcome.notes)}", err=True, fg="yellow")
    for name, outcome in report.failures.items():
        typer.secho(f"failed: {name}: {outcome.reason}", err=True, fg="red")
    done = sum(outcome.status in ("done", "partial") for outcome in report.outcomes.values())
    states = ", ".join(f"{state} {count}" for state, count in report.states.items())
    typer.echo(
        f"{output}: {_count(done, 'recording')} done, {report.kept} of them before; {_count(report.frames, 'frame')} "
        f"now, {report.fps:.1f} per second with {_count(report.workers, 'worker')}"
    )
    typer.echo(f"leak report: {states}")
    if stop.is_set():
        typer.echo("stopped; the same command continues" + (", without --overwrite" if overwrite else ""))
        raise typer.Exit(130)
    if report.failures:
        raise typer.Exit(1)


@contextmanager
def _batch_bar() -> "Iterator[Callable[[BatchProgress], None]]":
    """A progress bar over recordings, with frames per second."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("opening the model")

        def show(progress: "BatchProgress") -> None:
            failed = f", {progress.failed} failed" if progress.failed else ""
            words = f"recordings; {progress.frames} frames, {progress.fps:.1f} fps{failed}"
            bar.update(task, total=progress.total, completed=progress.recordings, description=words)

        yield show


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


@app.command()
def cam(
    to: StyleOption = "cartoon",
    camera: Annotated[
        str, typer.Option(help="Number, device path or part of its name; `test`, or a file to play instead.")
    ] = "",
    size: Annotated[tuple[int, int], typer.Option(metavar="W H", help="Picture size.")] = (1280, 720),
    fps: Annotated[float, typer.Option(help="At most so many pictures per second; fewer save power.")] = 30.0,
    output: Annotated[str, typer.Option("--output", "-o", help="virtual, preview, or a video file.")] = "virtual",
    device: Annotated[str, typer.Option(help="Which virtual camera, where there are several (/dev/video10).")] = "",
    preview: Annotated[
        bool, typer.Option("--preview", help="Also show a window: h hides, s next style, q quits.")
    ] = False,
    engine: EngineOption = "auto",
    region: RegionOption = "head",
    on_lost: OnLostOption = "hold",
    i_accept_exposure: ExposureOption = False,
    audit: AuditOption = None,
    overwrite: OverwriteOption = False,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop by itself after so many seconds.")] = None,
    cpu_cap: Annotated[
        float | None, typer.Option(help="Low power: on average at most so many CPU cores, such as 0.5.")
    ] = None,
) -> None:
    """Webcam to virtual camera, live. Ctrl-C stops it.

    Choose the virtual camera by its name in Zoom, Teams, Meet or OBS. Nothing but cartoons and covered pictures leaves.
    """
    from toonfilter.runtime.bundle import find_bundle
    from toonfilter.runtime.live.sources import CameraRequest, open_source, prepare_environment, wished_path

    prepare_environment()
    from toonfilter.runtime.live.pipeline import LiveOptions, run_live
    from toonfilter.runtime.live.quality_control import EffortSettings
    from toonfilter.runtime.live.stages import Controls
    from toonfilter.runtime.lost_options import lost_policy

    lost = lost_policy(on_lost, confirmed=i_accept_exposure)
    shape = _region(region)
    hold_s = lost.hold_s if lost.action == "hold" else min(lost.hold_s, 0.2)
    effort = EffortSettings(cpu_cap_cores=cpu_cap)
    options = LiveOptions(size[0], size[1], fps, hold_s, lost.placeholder, audit, effort=effort)
    if audit is not None and audit.exists() and not overwrite:
        raise typer.BadParameter(f"{audit} exists already; add --overwrite to replace it")
    # A style that is not there must not leave a recording of nothing behind.
    find_bundle(to)

    def open_filter() -> "ToonFilter":
        from toonfilter.runtime.filter import FilterSettings, ToonFilter

        return ToonFilter(FilterSettings(style=to, engine=engine, region=shape, lost=lost), notify=line.note)

    with _stop_on_signals() as stop, _StatusLine() as line:
        sink = _live_sink(
            output, options, device=device, avoid=wished_path(camera), with_preview=preview, overwrite=overwrite
        )
        if seconds is not None:
            timer = threading.Timer(seconds, stop.set)
            timer.daemon = True
            timer.start()
        summary = run_live(
            open_source(CameraRequest(camera, size[0], size[1], fps), avoid=getattr(sink, "device", "")),
            open_filter,
            sink,
            options,
            controls=Controls(_styles_from(to)),
            on_status=line.show,
            notify=line.note,
            stop=stop,
        )
    typer.echo(_live_report(summary))


def _live_sink(
    output: str, options: "LiveOptions", *, device: str, avoid: str, with_preview: bool, overwrite: bool
) -> "LiveSink":
    """What `--output` and `--preview` mean, opened."""
    from toonfilter.runtime.live.sinks import LiveSink, Preview, Recording, SeveralSinks
    from toonfilter.runtime.live.virtual_camera import VirtualCamera

    sink: LiveSink
    if output == "preview":
        return Preview()
    if output == "virtual":
        sink = VirtualCamera(options.width, options.height, options.fps, device=device, avoid=avoid)
        typer.echo(f"virtual camera: {sink.device}, {options.width}x{options.height}")
    else:
        sink = Recording(Path(output), options.width, options.height, options.fps, overwrite=overwrite)
    return SeveralSinks([sink, Preview()]) if with_preview else sink


def _styles_from(first: str) -> tuple[str, ...]:
    """The asked style, then the others that are installed: what the key s goes through."""
    from toonfilter.runtime.bundle import known_bundles

    return (first, *(name for name in known_bundles() if name != first))


def _live_report(summary: "LiveSummary") -> str:
    states = ", ".join(f"{state} {count}" for state, count in summary.states.items())
    latency = summary.latency
    lines = [
        f"sent {_count(summary.sent, 'picture')} in {summary.duration_s:.1f} s: {states}",
        f"added latency p50 {latency.p50_ms:.1f} ms, p95 {latency.p95_ms:.1f} ms, p99 {latency.p99_ms:.1f} ms; "
        f"dropped {summary.dropped}; camera {summary.camera_fps:.1f} fps",
    ]
    if latency.p50_ms >= 20:
        lines.append(f"if lips and sound fall apart, delay the microphone by about {latency.p50_ms:.0f} ms")
    if summary.first_safe_s is not None and summary.first_cartoon_s is not None:
        lines.append(
            f"first covered picture after {summary.first_safe_s:.2f} s, cartoon after {summary.first_cartoon_s:.2f} s"
        )
    if summary.reconnections:
        lines.append(f"the camera was lost and came back {_count(summary.reconnections, 'time')}")
    return "\n".join(lines)


class _StatusLine:
    """One line at the bottom of the terminal that changes; notes go above it. Without a terminal: notes only."""

    def __init__(self) -> None:
        self._live: Any = None

    def __enter__(self) -> "_StatusLine":
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, status: "LiveStatus") -> None:
        if not sys.stderr.isatty():
            return
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(_status_words(status), refresh=True)

    def note(self, text: str) -> None:
        if self._live is None:
            typer.echo(text, err=True)
        else:
            self._live.console.print(text, markup=False, highlight=False)


def _status_words(status: "LiveStatus") -> str:
    state = str(status.state)
    if status.is_hidden:
        state = "hidden"
    elif not status.is_model_loaded:
        state = "covered (the model is being loaded)"
    elif not status.is_camera_connected:
        state = "covered (waiting for the camera)"
    elif status.state != "protected" and status.reason:
        state = f"{state} ({status.reason})"
    return (
        f"{state} | {status.fps:.0f} fps (camera {status.camera_fps:.0f}) | "
        f"latency {status.latency_p50_ms:.0f} ms, p95 {status.latency_p95_ms:.0f} | "
        f"dropped {status.dropped} | faces {status.faces} | {status.style}"
    )


@app.command()
def doctor() -> None:
    """Try everything on this machine and say what to do about each fault.

    Exit status: 0 everything works, 1 cam does not but video and image do, 2 nothing does.
    """
    from toonfilter.runtime.doctor.checks import examine, exit_status
    from toonfilter.runtime.live.sources import prepare_environment

    prepare_environment()
    marks = {"ok": ("ok   ", "green"), "note": ("note ", "yellow"), "fault": ("fault", "red")}
    checks = []
    for check in examine():
        checks.append(check)
        mark, colour = marks[check.verdict]
        typer.secho(mark, fg=colour, nl=False)
        typer.echo(f"  {check.name}: {check.found}")
        if check.advice and check.verdict != "ok":
            typer.echo(f"         what to do: {check.advice}")
    status = exit_status(checks)
    typer.echo(("everything works", "video and image work, cam does not", "faults in what every command needs")[status])
    raise typer.Exit(status)


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


_BENCH_COLUMNS = 150


@app.command()
def bench(
    scenarios: Annotated[list[str] | None, typer.Argument(help="Names, with * and ?; none runs all.")] = None,
    to: StyleOption = "cartoon",
    engine: Annotated[str | None, typer.Option(help="This engine in all scenarios.")] = None,
    clip: Annotated[Path | None, typer.Option(help="A video with one face; default: the example's.")] = None,
    frames: Annotated[int, typer.Option(min=20, help="Frames measured in each scenario, after 60 to warm up.")] = 500,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads of the engine; 0 as cam chooses.")] = 0,
    simulate: Annotated[str | None, typer.Option(help="camera=30fps: paced like a camera, for added latency.")] = None,
    cold: Annotated[bool, typer.Option("--cold/--no-cold", help="Also time fresh starts.")] = True,
    peers: Annotated[bool, typer.Option("--peers", help="Also time published generators beside ours.")] = False,
    scaling: Annotated[bool, typer.Option("--scaling", help="Also batch with one worker and with more.")] = False,
    config: Annotated[
        Path | None, typer.Option(help="Scenarios to use instead of the package's scenarios.toml.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all results here.")] = None,
    chart: Annotated[Path | None, typer.Option(help="Write a chart here, .html or .png.")] = None,
    compare: Annotated[Path | None, typer.Option(help="Results of an earlier run: tell what got slower.")] = None,
) -> None:
    """Measure speed, latency and memory, name the bottleneck, and compare with an earlier run."""
    from rich.console import Console

    from toonfilter.benchmarks.chart import check_chart, write_chart
    from toonfilter.benchmarks.latency import BenchOptions, run_bench
    from toonfilter.benchmarks.results import check_place, read_results, write_results
    from toonfilter.benchmarks.results import compare as compare_runs
    from toonfilter.benchmarks.scenarios import camera_rate
    from toonfilter.benchmarks.tables import comparison_table, peers_table, remarks, results_table

    earlier = read_results(compare) if compare else None
    for path in filter(None, (json_file, chart)):
        check_place(path)
    if chart:
        check_chart(chart)
    options = BenchOptions(
        style=to,
        names=tuple(scenarios or ()),
        scenarios=config,
        clip=clip,
        frames=frames,
        camera_fps=camera_rate(simulate) if simulate else None,
        threads=threads,
        engine=engine,
        cold_start=cold,
        peers=peers,
        scaling=scaling,
    )
    content = run_bench(
        options,
        lambda name, number, count: typer.echo(f"[{number + 1}/{count}] {name}", err=True),
        lambda so_far: write_results(json_file, so_far) if json_file else None,
    )
    if chart:
        write_chart(chart, content)
    console = Console(width=max(_BENCH_COLUMNS, Console().width))
    console.print(results_table(content))
    if peers:
        console.print(peers_table(content["peers"]))
    for line in remarks(content):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if earlier:
        console.print(comparison_table(compare_runs(earlier, content)))


def _bundle_in(folder: Path, checkpoint: Path) -> Path:
    """Export a checkpoint into the folder; the bundle's place."""
    from toonfilter.export.command import ExportRequest, export_model

    # The bundle is gone after the measuring: nobody gets it, under any licence.
    request = ExportRequest(source=checkpoint, output=folder / checkpoint.name, licence="none: only measured")
    return export_model(request).folder


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
    log: Annotated[Path | None, typer.Option(help="Folder of a training run: D(real) and D(fake) over time.")] = None,
    stills: Annotated[int, typer.Option(min=0, help="Pictures moved in known ways to measure steadiness.")] = 8,
    clips: Annotated[Path | None, typer.Option(help="Folder of recorded videos to measure steadiness on.")] = None,
    split: Annotated[str, typer.Option(help="all, train or validation identities by index.csv.")] = "all",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures, drawn with --seed.")] = None,
    seed: Annotated[int, typer.Option(help="For everything that is drawn.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Threads.")] = 2,
) -> None:
    """Measure models on pictures: what a class needs, distances to targets, by group; one report for all."""
    import tempfile

    from rich.console import Console
    from rich.progress import Progress, TaskID

    from toonfilter.benchmarks.quality.distribution import NetOptions
    from toonfilter.benchmarks.quality.evaluate import EvaluationOptions
    from toonfilter.benchmarks.quality.evaluate import evaluate as run
    from toonfilter.benchmarks.quality.temporal import TemporalOptions
    from toonfilter.benchmarks.quality.terminal_table import missing_lines, table_width, terminal_table

    options = EvaluationOptions(
        models=tuple(models),
        source=source,
        output=output,
        target=target,
        identity=identity,
        nets=NetOptions(tuple(features or ()), weights, download),
        log=log,
        temporal=TemporalOptions(stills, clips, seed),
        split=split,
        limit=limit,
        seed=seed,
        workers=workers,
        export=lambda path: _bundle_in(Path(scratch), path),
    )
    with (
        tempfile.TemporaryDirectory(prefix="toonfilter-") as scratch,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done)

        evaluation = run(options, show)
    # Where the output is no terminal, rich takes 80 characters and would squeeze the names of the measures away.
    console = Console(width=max(Console().width, table_width(evaluation)))
    console.print(terminal_table(evaluation))
    for line in missing_lines(evaluation):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"written: {output / 'report.html'}", markup=False, soft_wrap=True)


@app.command()
def vote(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the vote: its pictures and votes.jsonl.")],
    models: Annotated[
        list[str] | None, typer.Argument(help="Two to nine models as for evaluate; none prints the table of votes.")
    ] = None,
    source: Annotated[Path | None, typer.Option(help="Folder of input pictures.")] = None,
    question: Annotated[str | None, typer.Option(help="What reviewers are asked.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many pictures, drawn with --seed.")] = 40,
    seed: Annotated[int, typer.Option(help="Of pictures, and of each reviewer's order.")] = 0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8731,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
) -> None:
    """Let people choose between the results of models, without names, on a local web page; then count."""
    import tempfile

    from rich.console import Console

    from toonfilter.benchmarks.quality.vote.ballot import QUESTION, BallotOptions, prepare_ballot
    from toonfilter.benchmarks.quality.vote.server import VoteServer
    from toonfilter.benchmarks.quality.vote.table import vote_table
    from toonfilter.runtime.errors import ConfigError

    console = Console()
    if models:
        if source is None:
            raise ConfigError("vote needs pictures: --source DIR")
        with tempfile.TemporaryDirectory(prefix="toonfilter-") as scratch:
            options = BallotOptions(
                models=tuple(models),
                source=source,
                output=output,
                question=question or QUESTION,
                limit=limit,
                seed=seed,
                export=lambda path: _bundle_in(Path(scratch), path),
            )
            with console.status("drawing the pictures"):
                ballot = prepare_ballot(options)
        with VoteServer(ballot, output, port) as server:
            console.print(f"{len(ballot.items)} pictures, {len(ballot.models)} models: {server.url}  (Ctrl-C ends)")
            if browser:
                typer.launch(server.url)
            with contextlib.suppress(KeyboardInterrupt):
                server.serve_forever()
    console.print(vote_table(output))


@app.command()
def export(
    source: Annotated[
        Path | None, typer.Argument(help="Checkpoint, run folder or bundle; without it the newest run.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What --to will find it by; the run's name otherwise.")] = None,
    fp16: Annotated[bool, typer.Option("--fp16", help="Also an FP16 file, which TensorRT needs.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Also an INT8 file, the fastest on CPUs.")] = False,
    sizes: Annotated[str | None, typer.Option(help="Crop sizes, for instance 256,384,512.")] = None,
    engine: Annotated[str | None, typer.Option(help="tensorrt: also build this GPU's engines.")] = None,
    crops: Annotated[Path | None, typer.Option(help="Pairs folder or photographs to compare and calibrate on.")] = None,
    head: Annotated[str, typer.Option(help="Another network of the method, for instance back.")] = "",
    licence: Annotated[str | None, typer.Option(help="Licence of the model, for instance MIT.")] = None,
    description: Annotated[str | None, typer.Option(help="One line about the style.")] = None,
    version: Annotated[str | None, typer.Option(help="Version of the model.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for it, instead of installing.")] = None,
    overwrite: OverwriteOption = False,
    list_models: Annotated[bool, typer.Option("--list", help="List the models that --to finds.")] = False,
    remove: Annotated[str | None, typer.Option(help="Delete a model that you installed.")] = None,
    install: Annotated[bool, typer.Option("--install", help="Install the bundle SOURCE as it is.")] = False,
) -> None:
    """Turn a trained generator into a model that the filter runs: ONNX files checked against PyTorch, and engines."""
    from toonfilter.export.installed import install_bundle, installed_models, remove_model

    if list_models:
        for model in installed_models():
            owner = "yours" if model.is_users else "ships"
            about = model.problem or f"{', '.join(model.precisions)}; {', '.join(map(str, model.sizes))} px"
            typer.echo(f"{model.name:20} {owner:6} {model.size_mb:7.1f} MB  {about}")
        return
    if remove is not None:
        typer.echo(f"removed {remove_model(remove)}")
        return
    if install:
        if source is None:
            raise typer.BadParameter("--install needs the bundle folder: toonfilter export FOLDER --install")
        typer.echo(f"installed {install_bundle(source, name=name, overwrite=overwrite)}")
        return
    from toonfilter.export.command import ExportRequest, export_model, parse_sizes

    request = ExportRequest(
        source=source,
        head=head,
        name=name,
        fp16=fp16,
        int8=int8,
        sizes=parse_sizes(sizes) if sizes else None,
        engine=engine,
        crops=crops,
        output=output,
        overwrite=overwrite,
        licence=licence,
        description=description,
        version=version,
    )
    exported = export_model(request, lambda text: typer.echo(f"  {text}", err=True))
    typer.echo(f"compared with PyTorch on faces of: {exported.crops}")
    for parity in exported.bundle.parity:
        errors = f"mean {parity.mean_abs_error:.3f}, max {parity.max_abs_error:g} levels, {parity.psnr_db:.1f} dB"
        typer.echo(f"  {parity.path:32} {errors}")
    for engine_path in exported.engines:
        typer.echo(f"  {engine_path}")
    typer.echo(f"report: {exported.report}")
    use = exported.folder if output else exported.bundle.name
    typer.echo(f"written: {exported.folder}; use it with --to {use}")


@app.command("bench-training")
def bench_training(
    size: Annotated[int, typer.Option(min=32, help="Side of the pictures, pixels.")] = 256,
    width: Annotated[int, typer.Option(min=1, help="Channels of the first layer of all networks.")] = 64,
    batch: Annotated[int, typer.Option(min=1, help="Pictures in a step.")] = 1,
    steps: Annotated[int, typer.Option(min=3, help="Steps measured of each loop.")] = 10,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="Of our loop: 32-true, bf16-mixed or 16-mixed.")] = "bf16-mixed",
    compiled: Annotated[bool, typer.Option("--compile", help="Compile our networks.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the results here.")] = None,
) -> None:
    """Training speed of the cyclegan recipe beside a plain, faithful CycleGAN loop."""
    from toonfilter.benchmarks.results import check_place, write_results
    from toonfilter.benchmarks.training import TrainingBenchOptions, compare_training

    options = TrainingBenchOptions(
        size_px=size,
        width=width,
        batch_size=batch,
        steps=steps,
        device=device,
        precision=precision,
        compile=compiled,
    )
    if json_file:
        check_place(json_file)
    with _picture_bar("steps") as show:
        content = compare_training(options, show)
    if json_file:
        write_results(json_file, content)
    plain, ours = (content["loops"][loop]["median_s"] for loop in ("plain", "ours"))
    typer.echo(f"{content['device']}: plain {plain:.3f} s a step, ours {ours:.3f} s, ratio {content['ratio']:.2f}")


prepare_app = typer.Typer(help="Training data: make it, or make it fit.", no_args_is_help=True)
app.add_typer(prepare_app, name="prepare")


def _prepared(written: int, noun: str, left_out: "Mapping[str, int]") -> str:
    reasons = ", ".join(f"{number} {reason}" for reason, number in left_out.items() if number)
    return f"{_count(written, noun)} written{'; left out: ' + reasons if reasons else ''}"


@contextmanager
def _picture_bar(words: str) -> "Iterator[Callable[[int, int], None]]":
    """A progress bar over pictures."""
    from rich.progress import Progress

    with Progress(transient=True) as bar:
        task = bar.add_task(words)

        def show(done: int, total: int) -> None:
            bar.update(task, total=total, completed=done)

        yield show


@prepare_app.command("faces")
def prepare_faces(
    pictures: Annotated[Path, typer.Argument(help="Folder of pictures of people.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Writes photo/*.png and landmarks/*.npy here.")],
    size: Annotated[int, typer.Option(min=32, help="Side of the crops, pixels.")] = 256,
    min_face: Annotated[float, typer.Option(help="Drop faces lower than this in the picture, pixels.")] = 96.0,
    max_yaw: Annotated[float, typer.Option(help="Drop faces turned farther away, degrees.")] = 60.0,
    all_faces: Annotated[bool, typer.Option("--all-faces", help="Keep every face of pictures with several.")] = False,
) -> None:
    """Find, align and crop faces; drop grayscale pictures, small faces and duplicates, and say how many."""
    from toonfilter.train.data.face_crops import FaceSettings, crop_folder

    settings = FaceSettings(size_px=size, min_face_px=min_face, max_yaw_degrees=max_yaw, all_faces=all_faces)
    with _picture_bar("faces") as show:
        result = crop_folder(pictures, out, settings, show)
    typer.echo(_prepared(result.written, "face", result.dropped))


@prepare_app.command("voila")
def prepare_voila(
    pictures: Annotated[Path, typer.Argument(help="Folder of four-panel pictures.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Writes photo/*.png and cartoon/*.png here.")],
    size: Annotated[int, typer.Option(min=32, help="Side of the pictures, pixels.")] = 256,
    photo_panel: Annotated[str, typer.Option(help="top-left, top-right, bottom-left or bottom-right.")] = "top-left",
    cartoon_panel: Annotated[str, typer.Option(help="The panel of the wanted style.")] = "bottom-right",
) -> None:
    """Split four-panel pictures into pairs; find the emoji or watermark in the corners and paint over it."""
    from toonfilter.train.data.voila import VoilaSettings, split_folder

    settings = VoilaSettings(photo_panel=photo_panel, cartoon_panel=cartoon_panel, size_px=size)
    with _picture_bar("pictures") as show:
        result = split_folder(pictures, out, settings, show)
    left_out = {"unreadable": len(result.unreadable), "without four panels": len(result.not_four_panels)}
    typer.echo(_prepared(result.written, "pair", left_out))
    typer.echo(
        f"painted over: {result.masked_share_cartoon:.1%} of the cartoons, {result.masked_share_photo:.1%} of photos"
    )


@prepare_app.command("edges")
def prepare_edges(
    data: Annotated[Path, typer.Argument(help="Data folder with cartoon/; writes edges/ beside it.")],
) -> None:
    """Smooth the edges of cartoons: the extra negatives of the cartoongan recipe."""
    from toonfilter.train.data.edges import smooth_folder

    with _picture_bar("cartoons") as show:
        result = smooth_folder(data / "cartoon", data / "edges", report=show)
    typer.echo(_prepared(result.written, "picture", {"unreadable": len(result.unreadable)}))


def _number_for(text: str, expected: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    try:
        return name, float(number)
    except ValueError:
        raise typer.BadParameter(f"{text}: expected {expected}") from None


@prepare_app.command("pairs")
def prepare_pairs(
    faces: Annotated[Path, typer.Argument(help="Folder of pictures, one face each; index.csv in it is read.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Writes photo, cartoon, guidance and pairs.json here.")],
    size: Annotated[int, typer.Option(min=128, help="Side of the pictures, pixels, a multiple of 32.")] = 384,
    weight: Annotated[
        list[str] | None, typer.Option(help="PATTERN=FACTOR: how often pictures at these paths count in training.")
    ] = None,
    proportion: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE: other than the style's own, like eye_height=1.6.")
    ] = None,
    drawing: Annotated[
        str, typer.Option(help="Who draws: teacher, our algorithm, or opencv, the plain filter.")
    ] = "teacher",
    keep_backdrops: Annotated[bool, typer.Option(help="Leave uniform backgrounds as they are.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures, drawn with --seed.")] = None,
    seed: Annotated[int, typer.Option(help="For everything that is drawn.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
) -> None:
    """Draw photos as cartoons by algorithm: training pairs. Stopped and called again, it goes on where it was."""
    from toonfilter.runtime.geometry.warp import FaceWarp
    from toonfilter.train.data.pairs import PairOptions
    from toonfilter.train.data.pairs import prepare_pairs as run

    proportions = dict(_number_for(text, "NAME=VALUE, like eye_height=1.6") for text in proportion or ())
    options = PairOptions(
        faces=faces,
        output=out,
        size=size,
        limit=limit,
        seed=seed,
        workers=workers,
        new_backdrops=not keep_backdrops,
        weights=tuple(_number_for(text, "PATTERN=FACTOR, like portraits/*=2.5") for text in weight or ()),
        exaggeration=FaceWarp.from_dict(FaceWarp().to_dict() | proportions),
        drawing=cast(Literal["teacher", "opencv"], drawing),
    )
    with _picture_bar("pictures") as show:
        result = run(options, show)
    typer.echo(_prepared(result.made, "pair", result.skipped) + (f"; {result.kept} were there" if result.kept else ""))


@prepare_app.command("landmarks")
def prepare_landmarks(
    data: Annotated[Path, typer.Argument(help="Data folder with photo/ and cartoon/.")],
) -> None:
    """Find face landmarks in photos and cartoons, for the recipes landmark-cyclegan and caricature."""
    from toonfilter.train.data.landmark_files import find_landmarks

    with _picture_bar("pictures") as show:
        result = find_landmarks(data, show)
    typer.echo(_prepared(result.written, "file", {"without a face": len(result.without_face)}))


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe by name (`toonfilter recipes`), or a .toml file.")],
    data: Annotated[Path | None, typer.Option("--data", help="Folder with photo/ and cartoon/.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of this run.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint in --out.")] = False,
    weights_from: Annotated[Path | None, typer.Option(help="Begin with the weights of another run.")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", help="table.key=value; can be repeated.")] = None,
    features: Annotated[Path | None, typer.Option(help="Weights file of the recipe's pretrained network.")] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, gpu or mps.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Processes on each machine.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the resolved recipe and stop.")] = False,
) -> None:
    """Train a generator by a recipe. Ctrl-C stops; --resume goes on as if it had never stopped."""
    import json

    from toonfilter.train.recipe import load_recipe, recipe_table

    overrides = list(changes or [])
    if features is not None:
        overrides.append(f"method.perceptual.weights={json.dumps(str(features.resolve()))}")
    chosen = load_recipe(recipe, overrides)
    if dry_run:
        typer.echo(json.dumps(recipe_table(chosen), indent=2))
        return
    if data is None or out is None:
        raise typer.BadParameter("--data and --out are needed to train")
    from toonfilter.runtime.errors import require

    require("lightning", extra="train")
    from toonfilter.train.loop import TrainOptions
    from toonfilter.train.loop import train as run

    options = TrainOptions(data, out, resume, weights_from, accelerator, devices, nodes)
    try:
        with _training_bar() as progress:
            result = run(chosen, options, progress)
    except KeyboardInterrupt:
        typer.echo(f"stopped; --resume goes on from the newest checkpoint in {out}")
        return
    typer.echo(f"{result.checkpoint}: {result.steps} steps, {result.seconds:.0f} s")
    if result.unreadable:
        typer.echo(f"{_count(result.unreadable, 'sample')} left out: a file of it cannot be read")


@contextmanager
def _training_bar() -> "Iterator[Callable[[TrainingProgress], None]]":
    """A progress bar over steps, with the speed and the first scalars."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns) as bar:
        task = bar.add_task("")

        def show(done: "TrainingProgress") -> None:
            values = "  ".join(f"{name} {value:.3g}" for name, value in list(done.scalars.items())[:4])
            words = f"{done.pictures_per_s:.1f} pictures/s  {values}"
            bar.update(task, total=done.total_steps, completed=done.step, description=words)

        yield show


@app.command("recipes")
def recipes_list() -> None:
    """List the training recipes."""
    from toonfilter.train.recipe import load_recipe, recipe_names

    for name in recipe_names():
        typer.echo(f"{name:20} {load_recipe(name).description}")


@app.command()
def robustness(
    run: Annotated[Path, typer.Argument(help="A run from cartoon to photo: pix2pix-human, human.")],
    data: Annotated[Path, typer.Option("--data", help="The pairs folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for robustness.png and robustness.json.")],
    pictures: Annotated[int, typer.Option(min=1, help="Held-out faces.")] = 24,
) -> None:
    """Show what a cartoon-to-photo generator makes of drawings it never saw."""
    from toonfilter.train.robustness import robustness_study

    study = robustness_study(run, data, out, pictures=pictures)
    for name, scores in study.scores.items():
        typer.echo(f"{name:15} " + "  ".join(f"{key} {value:.3f}" for key, value in scores.items()))
    typer.echo(f"{study.grid}: {_count(study.pictures, 'face')}")


def main() -> None:
    """Run the command; errors become one line and exit status 1."""
    from toonfilter.runtime.errors import ToonfilterError

    try:
        app()
    except ToonfilterError as error:
        typer.secho(f"error: {error}", err=True, fg="red")
        _leave(1)
        sys.exit(1)
    except Exception as error:
        if os.environ.get("TOONFILTER_TRACEBACK"):
            raise
        words = f"error: {type(error).__name__}: {error} (unexpected; TOONFILTER_TRACEBACK=1 shows where it happened)"
        typer.secho(" ".join(words.split()), err=True, fg="red")
        _leave(1)
        sys.exit(1)
    except SystemExit as ending:
        _leave(ending.code if isinstance(ending.code, int) else int(ending.code is not None))
        raise


def _leave(status: int) -> None:
    """End at once where a thread was left behind: one inside a native library would crash the interpreter's own end."""
    if any(thread.name.startswith("live-") for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
