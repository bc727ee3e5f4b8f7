"""Options that several commands share, and what stops a running one."""

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from toonfilter.runtime.render.ground import Ground
    from toonfilter.runtime.render.opening import RenderOptions

Engine = Literal["auto", "onnxruntime", "openvino", "tensorrt"]
Region = Literal["head", "face"]
Extent = Literal["whole", "person", "head"]

DRAWING, PRIVACY, OUTPUT = "How it is drawn", "Privacy", "Output"
"""Headings under which help groups options."""

StyleOption = Annotated[
    str,
    typer.Option(
        "--to", help="Style: a name from `toonfilter models list`, or a bundle folder.", rich_help_panel=DRAWING
    ),
]
EngineOption = Annotated[
    Engine, typer.Option("--engine", help="What runs the model; auto takes the fastest.", rich_help_panel=DRAWING)
]
RegionOption = Annotated[
    Region, typer.Option("--region", help="head: hair and neck too. face: the face alone.", rich_help_panel=DRAWING)
]
ExtentOption = Annotated[
    Extent,
    typer.Option(
        "--frame", help="whole: people and room. person: people alone. head: heads alone.", rich_help_panel=DRAWING
    ),
]
BackgroundOption = Annotated[
    str,
    typer.Option(
        "--background",
        help="Behind people: drawn, blur, keep, a colour as #rrggbb, or a picture file.",
        rich_help_panel=DRAWING,
    ),
]
LikenessOption = Annotated[
    float,
    typer.Option(
        "--likeness",
        help="0: the style's proportions; up to 1: your own. The lower, the less you are recognised.",
        rich_help_panel=DRAWING,
    ),
]
LineOption = Annotated[
    float, typer.Option("--line", help="Weight of lines, 0.3 to 2.5 of the style's.", rich_help_panel=DRAWING)
]
ShadeOption = Annotated[
    float, typer.Option("--shade", help="Depth of shade, 0 to 1.6 of the style's.", rich_help_panel=DRAWING)
]
ColourOption = Annotated[
    float, typer.Option("--colour", help="Strength of colours, 0 to 1.8 of the style's.", rich_help_panel=DRAWING)
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.", rich_help_panel=OUTPUT)]
OnLostOption = Annotated[
    str, typer.Option("--on-lost", help="No face found: hold, cover, image=FILE or pass.", rich_help_panel=PRIVACY)
]
ExposureOption = Annotated[
    bool,
    typer.Option(
        "--i-accept-exposure",
        help="Needed for --on-lost pass and for styles that hide nobody: real faces may be seen.",
        rich_help_panel=PRIVACY,
    ),
]
AuditOption = Annotated[
    Path | None, typer.Option("--audit", help="Write one JSON line per emitted frame here.", rich_help_panel=PRIVACY)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]


def render_options(
    extent: Extent,
    background: str,
    region: Region,
    *,
    likeness: float = 0.0,
    line: float = 1.0,
    shade: float = 1.0,
    colour: float = 1.0,
) -> "RenderOptions":
    """What `--frame`, `--background`, `--region` and the sliders say.

    Raises:
        ConfigError: the background is neither a known word, nor a colour, nor a picture that can be read; or a slider
            is out of its range.
    """
    from toonfilter.runtime.render.opening import RenderOptions
    from toonfilter.runtime.render.style import Sliders

    sliders = Sliders(likeness=likeness, line=line, shade=shade, colour=colour)
    return RenderOptions(extent, _ground(background, extent), region, sliders)


def _ground(background: str, extent: Extent) -> "Ground":
    from toonfilter.runtime.errors import CaptureError, ConfigError
    from toonfilter.runtime.image_files import read_image
    from toonfilter.runtime.render.ground import Ground

    if background == "drawn":
        return Ground("keep" if extent != "whole" else "drawn")
    if background == "blur":
        return Ground("blur")
    if background == "keep":
        return Ground("keep")
    if re.fullmatch(r"#[0-9a-fA-F]{6}", background):
        red, green, blue = (int(background[place : place + 2], 16) for place in (1, 3, 5))
        return Ground("colour", (red, green, blue))
    try:
        return Ground("picture", picture=read_image(Path(background)))
    except CaptureError as error:
        raise ConfigError(
            f"--background is {background!r}; must be drawn, blur, keep, #rrggbb or a picture file ({error})"
        ) from error


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM and a closed terminal (SIGHUP) set; a second Ctrl-C breaks off at once."""
    stop = threading.Event()

    def ask(number: int, frame: object) -> None:  # noqa: ARG001
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = [(number, signal.signal(number, ask)) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in before:
            signal.signal(number, handler)
