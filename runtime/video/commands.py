"""The commands `video` and `batch`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from toonfilter.runtime import terminal
from toonfilter.runtime.command_options import (
    OUTPUT,
    PRIVACY,
    AuditOption,
    BackgroundOption,
    ColourOption,
    EngineOption,
    ExposureOption,
    ExtentOption,
    JsonOption,
    LikenessOption,
    LineOption,
    OnLostOption,
    OverwriteOption,
    RegionOption,
    ShadeOption,
    StyleOption,
    render_options,
    stop_on_signals,
)
from toonfilter.runtime.terminal import QuietOption, VerboseOption

if TYPE_CHECKING:
    from toonfilter.runtime.filter import FilterSettings
    from toonfilter.runtime.render.opening import RenderOptions
    from toonfilter.runtime.video.batch import BatchReport
    from toonfilter.runtime.video.convert import ConvertReport

app = typer.Typer()

CodecOption = Annotated[
    str,
    typer.Option(help="auto, h264, hevc, vp9, av1, or an encoder's own name.", rich_help_panel=OUTPUT),
]
QualityOption = Annotated[Literal["small", "normal", "high"], typer.Option(rich_help_panel=OUTPUT, help="Of the file.")]
SoundOption = Annotated[
    Literal["keep", "drop", "disguise"],
    typer.Option("--audio", help="A voice is a person, too. disguise: another pitch.", rich_help_panel=PRIVACY),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", "--jobs", min=1, help="Processes here; default: one for each core.")
]


@app.command(
    rich_help_panel="Convert",
    epilog="Examples:  toonfilter video lecture.mp4  |  toonfilter video in.mkv -o out.mkv --audio disguise",
)
def video(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A video file.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help=".mp4, .mov, .mkv or .webm; else IN-cartoon beside it.", rich_help_panel=OUTPUT
        ),
    ] = None,
    to: StyleOption = "cartoon",
    engine: EngineOption = "auto",
    extent: ExtentOption = "whole",
    background: BackgroundOption = "drawn",
    region: RegionOption = "head",
    likeness: LikenessOption = 0.0,
    line: LineOption = 1.0,
    shade: ShadeOption = 1.0,
    colour: ColourOption = 1.0,
    codec: CodecOption = "auto",
    quality: QualityOption = "normal",
    audio: SoundOption = "keep",
    overwrite: OverwriteOption = False,
    resume: Annotated[
        bool | None,
        typer.Option("--resume/--anew", help="Insist on going on, or begin anew; else it goes on where it can."),
    ] = None,
    workers: WorkersOption = None,
    on_lost: OnLostOption = "hold",
    i_accept_exposure: ExposureOption = False,
    audit: AuditOption = None,
    before_after: Annotated[
        Path | None, typer.Option(help="Also write a picture of one moment before and after; it shows the real face.")
    ] = None,
    review: Annotated[
        bool,
        typer.Option(
            "--review",
            help="First show doubtful frames in OUT-review/, and let me list regions to cover.",
            rich_help_panel=PRIVACY,
        ),
    ] = False,
    covers: Annotated[
        Path | None, typer.Option(help="Regions to cover: the covers.toml of a review.", rich_help_panel=PRIVACY)
    ] = None,
    quiet: QuietOption = False,  # noqa: ARG001
    verbose: VerboseOption = False,  # noqa: ARG001
) -> None:
    """Convert a video file; sound, subtitles and time stamps stay as they are.

    A conversion that was stopped goes on when the same command is given again.
    Exit status: 0 whole, 3 when the source was cut off or damaged, 130 when stopped.
    """
    from toonfilter.runtime.video.batch import default_target
    from toonfilter.runtime.video.convert import ConvertOptions, convert
    from toonfilter.runtime.video.file_filter import file_filter_opener, filter_identity
    from toonfilter.runtime.video.review import CoveringOpener, read_covers
    from toonfilter.runtime.video.workers import InlineWorkers, LocalWorkers, default_workers

    rendering = render_options(extent, background, region, likeness=likeness, line=line, shade=shade, colour=colour)
    settings = _settings(to, engine, rendering, on_lost, confirmed=i_accept_exposure)
    target = output or default_target(source)
    also = (before_after,) if before_after else ()
    folder = target.with_name(f"{target.stem}-review") if review else None
    options = ConvertOptions(codec, quality, overwrite, resume, audio, audit, also, folder)
    regions = read_covers(covers) if covers else ()
    opener = file_filter_opener(settings)
    identity = filter_identity(settings) + (repr(regions) if regions else "")
    count = workers or default_workers()
    pool = LocalWorkers(count) if count > 1 else InlineWorkers()
    try:
        with stop_on_signals() as stop, terminal.progress_shown("opening the model") as progress:
            report = convert(
                source,
                target,
                CoveringOpener(opener, regions) if regions else opener,
                options,
                workers=pool,
                filter_identity=identity,
                progress=progress,
                stop=stop,
            )
    finally:
        pool.close()
    _tell(report)
    if report.status == "reviewed":
        return
    if before_after:
        from toonfilter.runtime.video.before_after import write_before_after

        write_before_after(source, target, before_after)
        terminal.say(f"{before_after}: before and after")
    if report.status != "complete":
        raise typer.Exit(3 if report.status == "partial" else 130)


def _settings(
    style: str, engine: str, rendering: "RenderOptions", on_lost: str, *, confirmed: bool
) -> "FilterSettings":
    from toonfilter.runtime.filter import FilterSettings
    from toonfilter.runtime.lost_options import lost_policy

    lost = lost_policy(on_lost, confirmed=confirmed)
    return FilterSettings(style=style, engine=engine, rendering=rendering, lost=lost, on_drawings=True)


def _tell(report: "ConvertReport") -> None:
    for text in report.notes:
        terminal.note(text)
    states = ", ".join(f"{state} {count}" for state, count in report.states.items())
    if report.status == "reviewed":
        terminal.say(f"leak report: {states}")
        terminal.say(f"{report.target} was not written; without --review the same command writes it at once")
        return
    if report.status == "interrupted":
        terminal.say(f"{report.target} was not written; of what is kept: {states}")
        return
    frames = terminal.count(report.frames, "frame")
    terminal.say(f"{report.target}: {frames}, {report.fps:.1f} per second, {report.encoder}")
    terminal.say(f"leak report (every face found): {states}")


@app.command(
    rich_help_panel="Convert",
    epilog="Examples:  toonfilter batch recordings/ -o cartoons/  |  toonfilter batch recordings/ --cluster auto",
)
def batch(
    archive: Annotated[Path, typer.Argument(metavar="DIR", help="A folder with recordings, also in sub-folders.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the converted ones; else DIR-cartoon.", rich_help_panel=OUTPUT),
    ] = None,
    to: StyleOption = "cartoon",
    engine: EngineOption = "auto",
    extent: ExtentOption = "whole",
    background: BackgroundOption = "drawn",
    region: RegionOption = "head",
    likeness: LikenessOption = 0.0,
    line: LineOption = 1.0,
    shade: ShadeOption = 1.0,
    colour: ColourOption = 1.0,
    codec: CodecOption = "auto",
    quality: QualityOption = "normal",
    audio: SoundOption = "keep",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Convert everything anew.", rich_help_panel=OUTPUT)
    ] = False,
    workers: WorkersOption = None,
    cluster: Annotated[str | None, typer.Option(help="Address of a Ray cluster, HOST:PORT or auto.")] = None,
    on_lost: OnLostOption = "hold",
    i_accept_exposure: ExposureOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,  # noqa: ARG001
    verbose: VerboseOption = False,  # noqa: ARG001
) -> None:
    """Convert an archive of recordings, here or on a Ray cluster; run it again to go on after a stop.

    Exit status: 0 all done, 1 when some failed (the others are done), 130 when stopped.
    """
    from toonfilter.runtime.video.batch import BatchOptions, default_folder, open_workers, run_batch
    from toonfilter.runtime.video.file_filter import file_filter_opener, filter_identity

    # Workers on other machines have another working directory.
    style = str(Path(to).resolve()) if os.sep in to else to
    rendering = render_options(extent, background, region, likeness=likeness, line=line, shade=shade, colour=colour)
    settings = _settings(style, engine, rendering, on_lost, confirmed=i_accept_exposure)
    identity = filter_identity(settings)
    target = output or default_folder(archive)
    pool = open_workers(workers, cluster)
    try:
        with stop_on_signals() as stop, terminal.progress_shown("opening the model") as progress:
            report = run_batch(
                archive,
                target,
                file_filter_opener(settings),
                pool,
                BatchOptions(codec=codec, quality=quality, sound=audio, overwrite=overwrite),
                filter_identity=identity,
                progress=progress,
                stop=stop,
            )
    finally:
        pool.close()
    if json:
        terminal.say_json(report.as_json())
    else:
        _tell_batch(report, target)
    if stop.is_set():
        terminal.status("stopped; the same command continues" + (", without --overwrite" if overwrite else ""))
        raise typer.Exit(130)
    if report.failures:
        raise typer.Exit(1)


def _tell_batch(report: "BatchReport", target: Path) -> None:
    for name, outcome in report.outcomes.items():
        for text in outcome.notes:
            show = terminal.note if outcome.status == "partial" else terminal.detail
            show(f"{name}: {text}")
    for name, outcome in report.failures.items():
        terminal.fail(f"{name}: {outcome.reason}")
    done = sum(outcome.status in ("done", "partial") for outcome in report.outcomes.values())
    states = ", ".join(f"{state} {count}" for state, count in report.states.items())
    frames, workers = terminal.count(report.frames, "frame"), terminal.count(report.workers, "worker")
    terminal.say(
        f"{target}: {terminal.count(done, 'recording')} done, {report.kept} of them before; {frames} now, "
        f"{report.fps:.1f} per second with {workers}"
    )
    terminal.say(f"leak report (every face found): {states}")
