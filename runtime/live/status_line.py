"""What `cam` tells while it runs."""

import sys
from typing import TYPE_CHECKING, Any

from toonfilter.runtime.command_line import terminal

if TYPE_CHECKING:
    from toonfilter.runtime.live.pipeline import LiveStatus


class StatusLine:
    """One line at the bottom of the terminal that changes; notes go above it. Without a terminal: notes only."""

    def __init__(self) -> None:
        self._live: Any = None

    def __enter__(self) -> "StatusLine":
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, status: "LiveStatus") -> None:
        if not sys.stderr.isatty():
            return
        if self._live is None:
            from rich.live import Live

            self._live = Live(console=terminal.error_console(), transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(status_words(status), refresh=True)

    def note(self, text: str) -> None:
        if self._live is None:
            terminal.status(text)
        else:
            self._live.console.print(terminal.one_line(text))


def status_words(status: "LiveStatus") -> str:
    state = str(status.state)
    if status.is_hidden:
        state = "hidden"
    elif not status.is_model_loaded:
        state = "covered (the model is being loaded)"
    elif not status.camera.is_connected:
        state = "covered (waiting for the camera)"
    elif status.state != "protected" and status.reason:
        state = f"{state} ({status.reason})"
    return (
        f"{state} | {status.fps:.0f} fps (camera {status.camera.fps:.0f}) | "
        f"latency {status.latency_p50_ms:.0f} ms, p95 {status.latency_p95_ms:.0f} | "
        f"dropped {status.dropped} | faces {status.faces} | {status.style}"
    )
