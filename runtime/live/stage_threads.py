"""The threads of the live loop: started together, and ended together within a limit."""

import threading
import time
from collections.abc import Callable, Mapping

END_S = 8.0
"""How long all stages together may take to end: a camera's driver, or a model that is being loaded, can be at work for
seconds. Raising it keeps a program longer whose driver hangs; with less, Python would end under threads that are at
work in native code and come back, which ends the process with a signal instead of its status."""
_TOLD_AFTER_S = 1.0
"""Stages that need longer are named. Raising it leaves the user longer without a word."""


class StageThreads:
    """One thread for each stage. They are daemons: one that hangs in native code keeps no process alive."""

    def __init__(self, stages: Mapping[str, Callable[[], None]], on_error: Callable[[BaseException], None]) -> None:
        """on_error: gets what a stage raises, in the stage's thread."""
        self._on_error = on_error
        self._threads = [
            threading.Thread(target=self._guarded, args=(stage,), name=f"live-{name}", daemon=True)
            for name, stage in stages.items()
        ]

    def start(self) -> None:
        """Start them all."""
        for thread in self._threads:
            thread.start()

    def end(self, notify: Callable[[str], None], limit_s: float) -> tuple[str, ...]:
        """Wait for all of them, who have been told to stop; returns the names of those that are left behind."""
        start_s = time.monotonic()
        for wait_s in (min(_TOLD_AFTER_S, limit_s), limit_s):
            for thread in self._working():
                thread.join(max(0.0, start_s + wait_s - time.monotonic()))
            working = [thread.name for thread in self._working()]
            if working and wait_s < limit_s:
                notify(f"waiting for {' and '.join(working)} to end; Ctrl-C ends at once")
        for name in working:
            notify(f"{name} does not answer and is left behind")
        return tuple(working)

    def _working(self) -> list[threading.Thread]:
        return [thread for thread in self._threads if thread.is_alive()]

    def _guarded(self, stage: Callable[[], None]) -> None:
        try:
            stage()
        except BaseException as error:
            self._on_error(error)
