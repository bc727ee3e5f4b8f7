"""Options that several commands share, and what stops a running one."""

import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from toonfilter.runtime.command_line import terminal

if TYPE_CHECKING:
    from toonfilter.runtime.filter.filter_settings import FilterSettings
    from toonfilter.runtime.privacy import LostPolicy
    from toonfilter.runtime.render.ground import Ground
    from toonfilter.runtime.render.opening import RenderOptions
    from toonfilter.runtime.styles.style import Sliders

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
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.", rich_help_panel=OUTPUT)]
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


def _drawing(help_text: str, *names: str) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel=DRAWING)


@dataclass(frozen=True, slots=True)
class DrawingOptions:
    """How people and the room are drawn. A slider (`SLIDER_RANGES`) needs nothing but its field here."""

    to: StyleOption = "cartoon"
    engine: Annotated[Engine, _drawing("What runs the model; auto takes the fastest.")] = "auto"
    extent: Annotated[
        Extent, _drawing("whole: people and room. person: people alone. head: heads alone.", "--frame")
    ] = "whole"
    background: Annotated[
        str, _drawing("Behind people: drawn, blur, keep, a colour as #rrggbb, or a picture file.")
    ] = "drawn"
    region: Annotated[Region, _drawing("head: hair and neck too. face: the face alone.")] = "head"
    likeness: Annotated[
        float,
        _drawing(
            "0: the style's proportions; up to 1: your own. The lower, the less a face recogniser knows you; "
            "`toonfilter styles show NAME` tells how far."
        ),
    ] = 0.0
    line: Annotated[float, _drawing("Weight of lines, 0.3 to 2.5 of the style's.")] = 1.0
    shade: Annotated[float, _drawing("Depth of shade, 0 to 1.6 of the style's.")] = 1.0
    colour: Annotated[float, _drawing("Strength of colours, 0 to 1.8 of the style's.")] = 1.0
    softness: Annotated[float, _drawing("0: edges of shade as in the style; up to 1: they fade.")] = 0.0

    def tell_likeness(self) -> None:
        """Say how far a recogniser knows people in this style, where the user asked for more likeness than usual."""
        from toonfilter.runtime.bundle import measured_identity
        from toonfilter.runtime.styles.identity import identity_text

        if self.likeness > 0:
            terminal.note(identity_text(measured_identity(self.to), self.likeness))

    def sliders(self) -> "Sliders":
        """The sliders among these options.

        Raises:
            ConfigError: one is out of its range.
        """
        from toonfilter.runtime.styles.style import SLIDER_RANGES, Sliders

        return Sliders(**{name: getattr(self, name) for name in SLIDER_RANGES})

    def rendering(self, *, is_live: bool = False) -> "RenderOptions":
        """What of the frame is drawn; reads the background if it is a picture.

        Raises:
            ConfigError: the background is neither a known word, nor a colour, nor a picture that can be read; or a
                slider is out of its range.
        """
        from toonfilter.runtime.render.opening import RenderOptions

        return RenderOptions(self.extent, _ground(self.background, self.extent), self.region, self.sliders(), is_live)

    def filter_settings(self, lost: "LostPolicy", *, is_live: bool) -> "FilterSettings":
        """The settings of a filter for a camera (`is_live`) or a file. Raises: see `rendering`."""
        from toonfilter.runtime.filter.filter_settings import FilterSettings

        rendering = self.rendering(is_live=is_live)
        return FilterSettings(
            style=self.to, engine=self.engine, rendering=rendering, lost=lost, on_drawings=not is_live
        )


@dataclass(frozen=True, slots=True)
class PrivacyOptions:
    """What is shown where no face is found."""

    on_lost: Annotated[
        str, typer.Option(help="No face found: hold, cover, image=FILE or pass.", rich_help_panel=PRIVACY)
    ] = "hold"
    i_accept_exposure: ExposureOption = False

    def policy(self) -> "LostPolicy":
        """Raises: ConfigError, CaptureError: see `lost_policy`."""
        from toonfilter.runtime.command_line.lost_options import lost_policy

        return lost_policy(self.on_lost, confirmed=self.i_accept_exposure)


def _ground(background: str, extent: Extent) -> "Ground":
    from toonfilter.runtime.errors import CaptureError, ConfigError
    from toonfilter.runtime.files.image_files import read_image
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

    before = signal.signal(signal.SIGINT, ask)
    try:
        with _asked_to_end(ask):
            yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal (SIGHUP) interrupt as Ctrl-C does."""
    with _asked_to_end(signal.default_int_handler):
        yield


@contextmanager
def _asked_to_end(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """SIGTERM and a closed terminal (SIGHUP) call this; what is ignored (`nohup`) stays ignored."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = [(number, signal.signal(number, handler)) for number in heard]
    try:
        yield
    finally:
        for number, earlier in before:
            signal.signal(number, earlier)
