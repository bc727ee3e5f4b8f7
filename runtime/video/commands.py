"""The commands `video` and `batch`."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from toonfilter.runtime.command_line import terminal
from toonfilter.runtime.command_line.command_options import (
    OUTPUT,
    PRIVACY,
    AuditOption,
    DrawingOptions,
    JsonOption,
    OverwriteOption,
    PrivacyOptions,
    stop_on_signals,
)
from toonfilter.runtime.command_line.option_groups import with_option_groups
from toonfilter.runtime.command_line.terminal import QuietOption, VerboseOption

if TYPE_CHECKING:
    from toonfilter.runtime.filter.filter_settings import FilterSettings
    from toonfilter.runtime.video.batch import BatchReport
    from toonfilter.runtime.video.convert import ConvertOptions, ConvertReport

app = typer.Typer()

WorkersOption = Annotated[
    int | None, typer.Option("--workers", "--jobs", min=1, help="Processes here; default: one for each core.")
]


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What the converted file is like."""

    codec: Annotated[
        str, typer.Option(help="auto, h264, hevc, vp9, av1, or an encoder's own name.", rich_help_panel=OUTPUT)
    ] = "auto"
    quality: Annotated[
        Literal["small", "normal", "high"], typer.Option(rich_help_panel=OUTPUT, help="Of the file.")
    ] = "normal"
    audio: Annotated[
        Literal["keep", "drop", "disguise"],
        typer.Option(help="A voice is a person, too. disguise: another pitch.", rich_help_panel=PRIVACY),
    ] = "keep"


@dataclass(frozen=True, slots=True)
class ReviewOptions:
    """Looking at what a conversion does, before and after."""

    before_after: Annotated[
        Path | None, typer.Option(help="Also write a picture of one moment before and after; it shows the real face.")
    ] = None
    review: Annotated[
        bool,
        typer.Option(
            "--review",
            help="First show doubtful frames in OUT-review/, and let me list regions to cover.",
            rich_help_panel=PRIVACY,
        ),
    ] = False
    covers: Annotated[
        Path | None, typer.Option(help="Regions to cover: the covers.toml of a review.", rich_help_panel=PRIVACY)
    ] = None


@app.command(
    rich_help_panel="Convert",
    epilog="Examples:  toonfilter video lecture.mp4  |  toonfilter video in.mkv -o out.mkv --audio disguise",
)
@with_option_groups
def video(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A video file.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help=".mp4, .mov, .mkv or .webm; else IN-cartoon beside it.", rich_help_panel=OUTPUT
        ),
    ] = None,
    drawing: DrawingOptions,
    file: FileOptions,
    overwrite: OverwriteOption = False,
    resume: Annotated[
        bool | None,
        typer.Option("--resume/--anew", help="Insist on going on, or begin anew; else it goes on where it can."),
    ] = None,
    workers: WorkersOption = None,
    privacy: PrivacyOptions,
    audit: AuditOption = None,
    checks: ReviewOptions,
    quiet: QuietOption = False,  # noqa: ARG001
    verbose: VerboseOption = False,  # noqa: ARG001
) -> None:
    """Convert a video file; sound, subtitles and time stamps stay as they are.

    A conversion that was stopped goes on when the same command is given again.
    Exit status: 0 whole, 3 when the source was cut off or damaged, 130 when stopped.
    """
    from toonfilter.runtime.video.archive import default_target
    from toonfilter.runtime.video.convert import ConvertOptions
    from toonfilter.runtime.video.review import read_covers

    settings = drawing.filter_settings(privacy.policy(), is_live=False)
    drawing.tell_likeness()
    target = output or default_target(source)
    also = (checks.before_after,) if checks.before_after else ()
    folder = target.with_name(f"{target.stem}-review") if checks.review else None
    regions = read_covers(checks.covers) if checks.covers else ()
    options = ConvertOptions(file.codec, file.quality, overwrite, resume, file.audio, audit, also, folder, regions)
    report = _convert(source, target, settings, options, workers)
    _tell(report)
    if report.status == "reviewed":
        return
    if checks.before_after:
        from toonfilter.runtime.video.before_after import write_before_after

        write_before_after(source, target, checks.before_after)
        terminal.say(f"{checks.before_after}: before and after")
    if report.status != "complete":
        raise typer.Exit(3 if report.status == "partial" else 130)


def _convert(
    source: Path,
    target: Path,
    settings: "FilterSettings",
    options: "ConvertOptions",
    workers: int | None,
) -> "ConvertReport":
    from toonfilter.runtime.video.convert import convert
    from toonfilter.runtime.video.file_filter import file_filter_opener, filter_identity
    from toonfilter.runtime.video.local_workers import InlineWorkers, LocalWorkers, default_workers

    opener = file_filter_opener(settings)
    count = workers or default_workers()
    pool = LocalWorkers(count) if count > 1 else InlineWorkers()
    try:
        with stop_on_signals() as stop, terminal.progress_shown("opening the model") as progress:
            return convert(
                source,
                target,
                opener,
                options,
                workers=pool,
                filter_identity=filter_identity(settings),
                progress=progress,
                stop=stop,
            )
    finally:
        pool.close()


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
@with_option_groups
def batch(
    archive: Annotated[Path, typer.Argument(metavar="DIR", help="A folder with recordings, also in sub-folders.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the converted ones; else DIR-cartoon.", rich_help_panel=OUTPUT),
    ] = None,
    drawing: DrawingOptions,
    file: FileOptions,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Convert everything anew.", rich_help_panel=OUTPUT)
    ] = False,
    workers: WorkersOption = None,
    cluster: Annotated[str | None, typer.Option(help="Address of a Ray cluster, HOST:PORT or auto.")] = None,
    privacy: PrivacyOptions,
    json: JsonOption = False,
    quiet: QuietOption = False,  # noqa: ARG001
    verbose: VerboseOption = False,  # noqa: ARG001
) -> None:
    """Convert an archive of recordings, here or on a Ray cluster; run it again to go on after a stop.

    Exit status: 0 all done, 1 when some failed (the others are done), 130 when stopped.
    """
    from toonfilter.runtime.video.archive import default_folder
    from toonfilter.runtime.video.batch import BatchOptions, open_workers, run_batch
    from toonfilter.runtime.video.file_filter import file_filter_opener, filter_identity

    # Workers on other machines have another working directory.
    style = str(Path(drawing.to).resolve()) if os.sep in drawing.to else drawing.to
    settings = replace(drawing, to=style).filter_settings(privacy.policy(), is_live=False)
    drawing.tell_likeness()
    target = output or default_folder(archive)
    pool = open_workers(workers, cluster)
    try:
        with stop_on_signals() as stop, terminal.progress_shown("opening the model") as progress:
            report = run_batch(
                archive,
                target,
                file_filter_opener(settings),
                pool,
                BatchOptions(codec=file.codec, quality=file.quality, sound=file.audio, overwrite=overwrite),
                filter_identity=filter_identity(settings),
                progress=progress,
                stop=stop,
            )
    finally:
        pool.close()
    _end_batch(report, target, json=json, is_stopped=stop.is_set(), overwrite=overwrite)


def _end_batch(report: "BatchReport", target: Path, *, json: bool, is_stopped: bool, overwrite: bool) -> None:
    if json:
        terminal.say_json(report.as_json())
    else:
        _tell_batch(report, target)
    if is_stopped:
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
