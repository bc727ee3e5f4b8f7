"""The command `cam`."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from toonfilter.runtime.live.status_line import StatusLine

if TYPE_CHECKING:
    from toonfilter.runtime.filter import ToonFilter
    from toonfilter.runtime.live.pipeline import LiveOptions, LiveSummary
    from toonfilter.runtime.live.sinks import LiveSink


app = typer.Typer()


@app.command(rich_help_panel="Live")
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
    extent: ExtentOption = "whole",
    background: BackgroundOption = "drawn",
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
    hold_s = lost.hold_s if lost.action == "hold" else min(lost.hold_s, 0.2)
    effort = EffortSettings(cpu_cap_cores=cpu_cap)
    options = LiveOptions(size[0], size[1], fps, hold_s, lost.placeholder, audit, effort=effort)
    if audit is not None and audit.exists() and not overwrite:
        raise typer.BadParameter(f"{audit} exists already; add --overwrite to replace it")
    # A style that is not there must not leave a recording of nothing behind.
    find_bundle(to)

    def open_filter() -> "ToonFilter":
        from toonfilter.runtime.filter import FilterSettings, ToonFilter

        return ToonFilter(
            FilterSettings(style=to, engine=engine, rendering=render_options(extent, background, region), lost=lost),
            notify=line.note,
        )

    with stop_on_signals() as stop, StatusLine() as line:
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
    terminal.say(_live_report(summary))


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
        terminal.say(f"virtual camera: {sink.device}, {options.width}x{options.height}")
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
        f"sent {terminal.count(summary.sent, 'picture')} in {summary.duration_s:.1f} s: {states}",
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
        lines.append(f"the camera was lost and came back {terminal.count(summary.reconnections, 'time')}")
    return "\n".join(lines)
