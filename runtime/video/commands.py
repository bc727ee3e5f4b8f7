"""The commands `video` and `batch`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from toonfilter.runtime import terminal
from toonfilter.runtime.command_options import (
    AuditOption,
    BackgroundOption,
    EngineOption,
    ExposureOption,
    ExtentOption,
    OnLostOption,
    OverwriteOption,
    RegionOption,
    StyleOption,
    render_options,
    stop_on_signals,
)

app = typer.Typer()


@app.command(rich_help_panel="Convert")
def video(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A video file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help=".mp4, .mov, .mkv or .webm.")],
    to: StyleOption = "cartoon",
    engine: EngineOption = "auto",
    extent: ExtentOption = "whole",
    background: BackgroundOption = "drawn",
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
    settings = FilterSettings(
        style=to, engine=engine, rendering=render_options(extent, background, region), lost=lost, on_drawings=True
    )
    options = ConvertOptions(codec, quality, overwrite, resume, jobs or default_workers(), audit)
    with stop_on_signals() as stop, terminal.progress_shown("opening the model") as progress:
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
        terminal.note(f"{note}")
    states = ", ".join(f"{state} {count}" for state, count in report.states.items())
    if report.status == "interrupted":
        terminal.say(f"stopped after {terminal.count(report.frames, 'frame')} ({states}); {output} was not written")
        raise typer.Exit(130)
    terminal.say(f"{output}: {terminal.count(report.frames, 'frame')}, {report.fps:.1f} per second, {report.encoder}")
    terminal.say(f"leak report: {states}")
    if before_after:
        from toonfilter.runtime.video.before_after import write_before_after

        write_before_after(source, output, before_after)
        terminal.say(f"{before_after}: before and after")
    if report.status == "partial":
        raise typer.Exit(3)


@app.command(rich_help_panel="Convert")
def batch(
    archive: Annotated[Path, typer.Argument(metavar="DIR", help="A folder with recordings, also in sub-folders.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the converted ones.")],
    to: StyleOption = "cartoon",
    engine: EngineOption = "auto",
    extent: ExtentOption = "whole",
    background: BackgroundOption = "drawn",
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
    settings = FilterSettings(
        style=style, engine=engine, rendering=render_options(extent, background, region), lost=lost, on_drawings=True
    )
    identity = filter_identity(settings)
    piece_workers = open_workers(workers, cluster)
    try:
        with stop_on_signals() as stop, terminal.progress_shown("opening the model") as progress:
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
            terminal.note(f"{name}: {'; '.join(outcome.notes)}")
    for name, outcome in report.failures.items():
        terminal.fail(f"{name}: {outcome.reason}")
    done = sum(outcome.status in ("done", "partial") for outcome in report.outcomes.values())
    states = ", ".join(f"{state} {count}" for state, count in report.states.items())
    workers_words = terminal.count(report.workers, "worker")
    terminal.say(
        f"{output}: {terminal.count(done, 'recording')} done, {report.kept} of them before; "
        f"{terminal.count(report.frames, 'frame')} now, {report.fps:.1f} per second with {workers_words}"
    )
    terminal.say(f"leak report: {states}")
    if stop.is_set():
        terminal.say("stopped; the same command continues" + (", without --overwrite" if overwrite else ""))
        raise typer.Exit(130)
    if report.failures:
        raise typer.Exit(1)
