"""The command `cam`."""

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toonfilter.runtime.command_line import terminal
from toonfilter.runtime.command_line.command_options import (
    OUTPUT,
    AuditOption,
    DrawingOptions,
    JsonOption,
    OverwriteOption,
    PrivacyOptions,
    stop_on_signals,
)
from toonfilter.runtime.command_line.config_file import save_cam
from toonfilter.runtime.command_line.option_groups import option_kinds, with_option_groups
from toonfilter.runtime.command_line.terminal import QuietOption, VerboseOption
from toonfilter.runtime.files.whole_files import check_outputs
from toonfilter.runtime.live.status_line import StatusLine

if TYPE_CHECKING:
    from toonfilter.runtime.filter.toon_filter import ToonFilter
    from toonfilter.runtime.live.pipeline import LiveOptions, LiveSummary
    from toonfilter.runtime.live.sinks import LiveSink
    from toonfilter.runtime.privacy import LostPolicy

app = typer.Typer()


_SOURCE = "Camera"


@dataclass(frozen=True, slots=True)
class CameraOptions:
    """Which camera, and what is taken from it."""

    camera: Annotated[
        str,
        typer.Option(
            help="Number, device path or part of its name (`toonfilter cameras`); `test`, or a file to play instead.",
            rich_help_panel=_SOURCE,
        ),
    ] = ""
    size: Annotated[
        str, typer.Option(metavar="WIDTHxHEIGHT", help="Picture size, such as 1280x720.", rich_help_panel=_SOURCE)
    ] = "1280x720"
    fps: Annotated[
        float, typer.Option(help="At most so many pictures per second; fewer save power.", rich_help_panel=_SOURCE)
    ] = 30.0
    mirror: Annotated[
        bool, typer.Option("--mirror/--no-mirror", help="Left and right change places.", rich_help_panel=_SOURCE)
    ] = False
    lift: Annotated[bool, typer.Option("--lift/--no-lift", help="Brighten a dark room.", rich_help_panel=_SOURCE)] = (
        False
    )


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """Where the pictures go."""

    output: Annotated[
        str, typer.Option("--output", "-o", help="virtual, preview, or a video file.", rich_help_panel=OUTPUT)
    ] = "virtual"
    device: Annotated[
        str, typer.Option(help="Which virtual camera, of several (/dev/video10).", rich_help_panel=OUTPUT)
    ] = ""
    preview: Annotated[
        bool,
        typer.Option(
            "--preview/--no-preview", help="Also show a window: h hides, s next style, q quits.", rich_help_panel=OUTPUT
        ),
    ] = False

    @property
    def recording(self) -> Path | None:
        """The video file to write, if it is one."""
        return None if self.output in ("virtual", "preview") else Path(self.output)


# Whoever may be seen says so in every run: --on-lost pass and its confirmation are not among them.
CAM_SETTINGS: Mapping[str, type] = option_kinds(DrawingOptions, CameraOptions, SinkOptions) | {
    "on_lost": str,
    "cpu_cap": float,
}
"""What `--save` remembers, and of which kind it is."""


@app.command(
    rich_help_panel="Live",
    epilog="Examples:  toonfilter cam  |  toonfilter cam --camera Logi --mirror --save  |  toonfilter cam -o me.mp4",
)
@with_option_groups
def cam(
    *,
    drawing: DrawingOptions,
    source: CameraOptions,
    sink: SinkOptions,
    privacy: PrivacyOptions,
    audit: AuditOption = None,
    overwrite: OverwriteOption = False,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop by itself after so many seconds.")] = None,
    cpu_cap: Annotated[
        float | None, typer.Option(help="Low power: on average at most so many CPU cores, such as 0.5.")
    ] = None,
    save: Annotated[bool, typer.Option("--save", help="Remember these options for the next time.")] = False,
    quiet: QuietOption = False,  # noqa: ARG001
    verbose: VerboseOption = False,  # noqa: ARG001
) -> None:
    """Webcam to virtual camera, live. Ctrl-C stops it.

    Choose the virtual camera by its name in Zoom, Teams, Meet or OBS. Nothing but cartoons and covered pictures leaves.
    """
    from toonfilter.runtime.bundle import find_bundle
    from toonfilter.runtime.live.sources import prepare_environment

    prepare_environment()
    from toonfilter.runtime.live.pipeline import LiveOptions
    from toonfilter.runtime.live.quality_control import EffortSettings

    width, height = parse_size(source.size)
    lost = privacy.policy()
    hold_s = lost.hold_s if lost.action == "hold" else min(lost.hold_s, 0.2)
    effort = EffortSettings(cpu_cap_cores=cpu_cap)
    options = LiveOptions(width, height, source.fps, hold_s, lost.placeholder, audit, effort=effort)
    played = Path(source.camera) if source.camera and Path(source.camera).is_file() else None
    check_outputs([sink.recording, audit], [played], overwrite=overwrite)
    # A style that is not there must not leave a recording of nothing behind.
    find_bundle(drawing.to)
    drawing.sliders()
    drawing.tell_likeness()
    if save:
        remembered = asdict(drawing) | asdict(source) | asdict(sink)
        remembered["output"] = sink.output if sink.recording is None else "virtual"
        remembered |= {"on_lost": privacy.on_lost, "cpu_cap": cpu_cap}
        terminal.note(f"remembered in {save_cam(remembered, CAM_SETTINGS)}")
    summary = _run(drawing, source, sink, lost, options, overwrite=overwrite, seconds=seconds)
    terminal.say(_live_report(summary))


def _run(
    drawing: DrawingOptions,
    camera: CameraOptions,
    output: SinkOptions,
    lost: "LostPolicy",
    options: "LiveOptions",
    *,
    overwrite: bool,
    seconds: float | None,
) -> "LiveSummary":
    from toonfilter.runtime.live.controls import Controls
    from toonfilter.runtime.live.pipeline import run_live
    from toonfilter.runtime.live.sources import AdjustedCamera, CameraRequest, open_source, wished_path

    def open_filter() -> "ToonFilter":
        from toonfilter.runtime.filter.toon_filter import ToonFilter

        return ToonFilter(drawing.filter_settings(lost, is_live=True))

    with stop_on_signals() as stop, StatusLine() as shown:
        sink = _live_sink(output, options, avoid=wished_path(camera.camera), overwrite=overwrite)
        if seconds is not None:
            timer = threading.Timer(seconds, stop.set)
            timer.daemon = True
            timer.start()
        request = CameraRequest(camera.camera, options.width, options.height, options.fps)
        source = open_source(request, avoid=getattr(sink, "device", ""))
        return run_live(
            AdjustedCamera(source, mirror=camera.mirror, lift=camera.lift),
            open_filter,
            sink,
            options,
            controls=Controls(styles_from(drawing.to)),
            on_status=shown.show,
            notify=shown.note,
            stop=stop,
        )


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of `1280x720`.

    Raises:
        ConfigError: of another form.
    """
    from toonfilter.runtime.errors import ConfigError

    width, cross, height = text.lower().replace(" ", "x").partition("x")
    if not cross or not width.isdecimal() or not height.isdecimal():
        raise ConfigError(f"--size is {text!r}; must be WIDTHxHEIGHT, such as 1280x720")
    return int(width), int(height)


@app.command(rich_help_panel="Live")
def cameras(json: JsonOption = False) -> None:
    """List the cameras, and what each of them is."""
    from toonfilter.runtime.live.sources import prepare_environment

    prepare_environment()
    from toonfilter.runtime.live.camera_list import list_cameras

    found = list_cameras()
    if json:
        terminal.say_json([asdict(one) for one in found])
    elif found:
        terminal.say_table(("--camera", "name", "what it is"), [(one.wish, one.name, one.kind) for one in found])
    else:
        from toonfilter.runtime.platform.platform_texts import platform_texts

        terminal.say(f"no camera found; {platform_texts().no_camera}")


def _live_sink(wished: SinkOptions, options: "LiveOptions", *, avoid: str, overwrite: bool) -> "LiveSink":
    """What `--output` and `--preview` mean, opened."""
    from toonfilter.runtime.live.recording import Recording
    from toonfilter.runtime.live.sinks import LiveSink, Preview, SeveralSinks
    from toonfilter.runtime.live.virtual_camera import VirtualCamera

    sink: LiveSink
    if wished.output == "preview":
        return Preview()
    if wished.recording is None:
        sink = VirtualCamera(options.width, options.height, options.fps, device=wished.device, avoid=avoid)
        terminal.say(f"virtual camera: {sink.device}, {options.width}x{options.height}")
    else:
        sink = Recording(wished.recording, options.width, options.height, options.fps, overwrite=overwrite)
    return SeveralSinks([sink, Preview()]) if wished.preview else sink


def styles_from(first: str) -> tuple[str, ...]:
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
