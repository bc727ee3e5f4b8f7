"""The running filter, and what is done when it fails. Nothing else in the live loop recovers; filters only raise."""

import threading
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from toonfilter.runtime.errors import BackendError
from toonfilter.runtime.filter.frame_filter import FrameFilter

ENGINE_TRIES = 3
"""After so many failures of the engine in a row, each of which opens it again, as many more are tried with the fallback
engine. Raising it waits longer for a device that comes back, with the picture covered."""
FAILURES_BEFORE_REOPENING = 30
"""Failed frames in a row after which the whole filter is opened anew. Raising it gives up on it later."""
REOPENINGS = 3
"""Raising it lets a filter that never works cover the picture for longer before the run ends."""
SUCCESSES_TO_FORGET = 100
"""Frames in a row after which earlier openings no longer count."""


class LiveFilter(FrameFilter, Protocol):
    """A filter whose style can change while it runs."""

    def set_style(self, style: str) -> None:
        """Draw in another style from the next frame on; the old one stays when this raises."""
        ...


@runtime_checkable
class EngineFilter(Protocol):
    """A filter whose engine can be opened again by itself, which is quicker than opening all of it."""

    def reopen_engine(self, *, fallback: bool) -> None:
        """Close the engine and open it again. fallback: the one that runs everywhere.

        Raises:
            ToonfilterError: it does not open.
        """
        ...


class FilterSupervisor:
    """Opens the filter, counts its failures in a row, opens engine or filter again, and in the end gives up.

    filter: what runs now, None before the first opening, while it is opened again, and afterwards. It changes inside
    `in_use` only, which whoever tracks holds meanwhile. All methods belong to the thread that draws.
    """

    def __init__(self, open_filter: Callable[[], LiveFilter], notify: Callable[[str], None]) -> None:
        self._open_filter, self._notify = open_filter, notify
        self.filter: LiveFilter | None = None
        self.in_use = threading.Lock()
        self._failures = self._reopenings = self._successes = 0
        self._first_error: Exception | None = None

    def open(self) -> LiveFilter:
        """Open the filter.

        Raises:
            the error of opening it.
        """
        fresh = self._open_filter()
        with self.in_use:
            self.filter = fresh
        return fresh

    def close(self) -> None:
        """Free the filter, once nobody tracks with it."""
        with self.in_use:
            old, self.filter = self.filter, None
            if old is not None:
                old.close()

    def succeeded(self) -> None:
        """A frame was drawn."""
        self._failures = 0
        self._successes += 1
        if self._successes >= SUCCESSES_TO_FORGET:
            self._reopenings, self._first_error = 0, None

    def failed(self, error: Exception) -> LiveFilter | None:
        """A frame failed and is covered. Returns the filter if it was opened anew.

        Raises:
            the first error since the filter worked, when opening it anew did not help; or the error of opening it.
        """
        self._first_error = self._first_error or error
        self._failures += 1
        self._successes = 0
        if self._failures == 1:
            self._notify(f"the filter failed ({error}); the picture is covered")
        if self._failures < FAILURES_BEFORE_REOPENING:
            self._reopen_engine(error)
            return None
        self._failures = 0
        self._reopenings += 1
        if self._reopenings > REOPENINGS:
            raise self._first_error
        self._notify("the filter keeps failing and is opened again")
        self.close()
        return self.open()

    def _reopen_engine(self, error: Exception) -> None:
        running: object = self.filter
        is_engines = isinstance(error, BackendError) and self._failures <= 2 * ENGINE_TRIES
        if not is_engines or not isinstance(running, EngineFilter):
            return
        try:
            with self.in_use:
                running.reopen_engine(fallback=self._failures > ENGINE_TRIES)
        except Exception as again:
            self._notify(f"the engine could not be opened again ({again})")
