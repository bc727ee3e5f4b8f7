"""`toonfilter doctor` for the page: the same checks, in a thread, told one after the other."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from toonfilter.runtime.doctor.checks import Check, examine
from toonfilter.runtime.panel.devices import Trouble

_END_S = 10.0
"""Raising it waits longer for a check whose device does not answer."""


class Checkup:
    """All methods may be called from any thread. examine: a stand-in for tests."""

    def __init__(self, examine: Callable[[], Iterator[Check]] = examine) -> None:
        self._examine = examine
        self._lock = threading.Lock()
        self._found: list[Check] = []
        self._thread: threading.Thread | None = None
        self._is_closed = threading.Event()

    @property
    def is_running(self) -> bool:
        """Whether cameras may be in use by it."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def start(self) -> None:
        """Begin anew; nothing happens while one is running."""
        with self._lock:
            if not self.is_running:
                self._found = []
                self._thread = threading.Thread(target=self._work, name="panel-checkup", daemon=True)
                self._thread.start()

    def snapshot(self) -> dict[str, Any]:
        """What was found so far, as plain data. known: which of the page's texts says the advice; empty for none."""
        with self._lock:
            found = [{**asdict(check), "known": Trouble.of(check.advice).advice} for check in self._found]
        return {"running": self.is_running, "found": found}

    def close(self) -> None:
        """End after the check at work, which is waited for: Python cannot end under threads in native code."""
        self._is_closed.set()
        if self._thread is not None:
            self._thread.join(_END_S)

    def _work(self) -> None:
        for check in self._examine():
            with self._lock:
                self._found.append(check)
            if self._is_closed.is_set():
                return
