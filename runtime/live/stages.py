"""The working halves of the live loop: reading the camera, and tracking and drawing its newest picture."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from toonfilter.runtime import privacy
from toonfilter.runtime.cores import CoreShare, WorksBeside
from toonfilter.runtime.errors import CaptureError, ToonfilterError
from toonfilter.runtime.frame_filter import FrameFilter
from toonfilter.runtime.frames import Frame, Image, SafeFrame
from toonfilter.runtime.latency import RateMeter
from toonfilter.runtime.live.quality_control import AdjustableFilter, EffortSettings, Governor
from toonfilter.runtime.live.sources import Camera
from toonfilter.runtime.live.style_watch import StyleFileWatch
from toonfilter.runtime.queues import BoundedQueue, LatestSlot, QueueClosed

_RETRY_S = 0.5
_EARLY = 0.75
_FAILURES_BEFORE_REOPENING = 30
_REOPENINGS = 3


class LiveFilter(FrameFilter, Protocol):
    """A filter whose style can change while it runs."""

    def set_style(self, style: str) -> None:
        """Draw in another style from the next frame on; the old one stays when this raises."""
        ...


@dataclass(frozen=True, slots=True)
class ControlState:
    """What the user wants now. epoch: grows with every change; pictures of an older one are not shown any more."""

    epoch: int
    is_hidden: bool
    style: str


class Controls:
    """The user's wishes, changed and read from any thread."""

    def __init__(self, styles: tuple[str, ...] = ("cartoon",)) -> None:
        self._styles = styles
        self._lock = threading.Lock()
        self._wishes = ControlState(0, False, styles[0])

    @property
    def wishes(self) -> ControlState:
        with self._lock:
            return self._wishes

    def toggle_hidden(self) -> None:
        """Cover everything at once, or show the cartoon again."""
        with self._lock:
            old = self._wishes
            self._wishes = ControlState(old.epoch + 1, not old.is_hidden, old.style)

    def set_hidden(self, is_hidden: bool) -> None:
        """Cover everything at once, or show the cartoon again; nothing changes where it is so already."""
        with self._lock:
            old = self._wishes
            if is_hidden != old.is_hidden:
                self._wishes = ControlState(old.epoch + 1, is_hidden, old.style)

    def set_style(self, style: str, *, keeps_pictures: bool = False) -> None:
        """Draw in this style, which need not be one of those that `next_style` goes through.

        keeps_pictures: what was drawn before may be shown until then; for changes within a style.
        """
        with self._lock:
            old = self._wishes
            if style != old.style:
                self._wishes = ControlState(old.epoch + (not keeps_pictures), old.is_hidden, style)

    def next_style(self) -> None:
        """Go on to the next of the styles; nothing changes where there is one."""
        with self._lock:
            old = self._wishes
            place = self._styles.index(old.style) if old.style in self._styles else -1
            following = self._styles[(place + 1) % len(self._styles)]
            if following != old.style:
                self._wishes = ControlState(old.epoch + 1, old.is_hidden, following)


class CaptureStage:
    """Reads the camera into a slot; a lost camera is opened again and again until it is back.

    fps: pictures beyond this rate are left out before any work is done on them.
    """

    def __init__(
        self,
        camera: Camera,
        slot: LatestSlot[Frame],
        stop: threading.Event,
        *,
        fps: float,
        notify: Callable[[str], None],
        retry_s: float = _RETRY_S,
    ) -> None:
        self._camera, self._slot, self._stop = camera, slot, stop
        self._period_s, self._notify, self._retry_s = 1 / fps, notify, retry_s
        self.rate = RateMeter()
        self.description = "camera is being opened"
        self.is_connected = False
        self.reconnections = 0
        self._frames = 0
        self._next_s = float("-inf")

    def run(self) -> None:
        """Until `stop` is set.

        Raises:
            CaptureError: the camera did not open the first time.
        """
        was_open = False
        try:
            while not self._stop.is_set():
                try:
                    self.description = self._camera.open()
                    self.is_connected = True
                    self.reconnections += was_open
                    self._notify(f"camera: {self.description}")
                    was_open = True
                    self._read()
                except CaptureError as error:
                    self._camera.close()
                    if not was_open:
                        raise
                    if self.is_connected:
                        self._notify(f"camera lost ({error}); the picture is covered until it is back")
                    self.is_connected = False
                    self._stop.wait(self._retry_s)
        except QueueClosed:
            pass
        finally:
            self._camera.close()

    def _read(self) -> None:
        while not self._stop.is_set():
            image, captured_at_s = self._camera.read()
            self.rate.add(captured_at_s)
            if captured_at_s < self._next_s:
                continue
            # Cameras jitter: one that comes a little early still counts.
            self._next_s = max(self._next_s + self._period_s, captured_at_s + _EARLY * self._period_s)
            self._slot.put(Frame(image, self._frames, captured_at_s))
            self._frames += 1


@dataclass(frozen=True, slots=True)
class _Tracked:
    """A frame on its way from one half of the filter to the other. filter_number: which opening of the filter."""

    filter_number: int
    frame: Frame
    tracked: Any
    error: Exception | None
    track_s: float = 0.0


class FilterStage:
    """Tracks and draws the newest frame in two threads, and survives a filter that fails.

    A failed frame is covered. After thirty failures in a row the filter is opened anew, three times; then the first of
    them ends the run.
    """

    def __init__(
        self,
        open_filter: Callable[[], LiveFilter],
        slot: LatestSlot[Frame],
        outbox: LatestSlot[tuple[int, SafeFrame]],
        controls: Controls,
        *,
        placeholder: Image | None,
        notify: Callable[[str], None],
        period_s: float = 1 / 30,
        effort: EffortSettings | None = None,
    ) -> None:
        """effort: when to give way where frames take longer than period_s; None never does."""
        self._open_filter, self._slot, self._outbox = open_filter, slot, outbox
        self._controls, self._placeholder, self._notify = controls, placeholder, notify
        self._period_s, self._effort = period_s, effort
        self._governor: Governor | None = None
        self._cores = CoreShare(period_s)
        self._threads: list[int] = []
        self._tracked: BoundedQueue[_Tracked] = BoundedQueue(1)
        self._filter: LiveFilter | None = None
        self._filter_number = 0
        self._in_use = threading.Lock()
        self._is_ready = threading.Event()
        self._first_style = self._style = controls.wishes.style
        self._watch = StyleFileWatch()
        self._failures = self._reopenings = self._successes = 0
        self._first_error: Exception | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the model is loaded."""
        return self._is_ready.is_set()

    def close(self, error: BaseException | None = None) -> None:
        """Make both halves end."""
        self._tracked.close(error)
        self._is_ready.set()

    def run_tracking(self) -> None:
        """The first half, for one thread."""
        self._threads.append(threading.get_native_id())
        try:
            self._is_ready.wait()
            while True:
                frame = self._slot.get()
                if frame is not None and not (self._governor and self._governor.skips()):
                    self._tracked.put(self._track(frame))
        except QueueClosed:
            self._tracked.close()

    def _track(self, frame: Frame) -> _Tracked:
        with self._in_use:
            number, current = self._filter_number, self._filter
            start_s = time.perf_counter()
            try:
                if current is None:
                    raise ToonfilterError("the filter is being opened again")
                tracked = current.track(frame)
                return _Tracked(number, frame, tracked, None, time.perf_counter() - start_s)
            except Exception as error:
                return _Tracked(number, frame, None, error)

    def run_drawing(self) -> None:
        """The second half, for another thread; it also loads the model.

        Raises:
            the error of opening the filter, or the first of too many errors of the running one.
        """
        self._threads.append(threading.get_native_id())
        try:
            self._watch.follow(self._style)
            self._filter = self._open_filter()
            self._govern(self._filter)
            self._is_ready.set()
            while True:
                item = self._tracked.get()
                if item is None:
                    continue
                wishes = self._controls.wishes
                self._follow(wishes)
                self._outbox.put((wishes.epoch, self._draw(item, wishes)))
        except QueueClosed:
            pass
        finally:
            with self._in_use:
                if self._filter is not None:
                    self._filter.close()
                    self._filter = None

    def _follow(self, wishes: ControlState) -> None:
        if self._filter is None:
            return
        if wishes.style != self._style:
            self._style = wishes.style
            self._watch.follow(wishes.style)
        elif not self._watch.was_saved():
            return
        try:
            # The frame that is tracked just now is done with the old style first.
            with self._in_use:
                self._filter.set_style(wishes.style)
            self._notify(f"style: {wishes.style}")
        except Exception as error:
            self._notify(f"style {wishes.style} cannot be used ({error}); the old one stays")

    def _draw(self, item: _Tracked, wishes: ControlState) -> SafeFrame:
        try:
            if self._filter is None or item.filter_number != self._filter_number:
                return self._cover(item.frame, "the filter is being opened again")
            if item.error is not None:
                raise item.error
            if wishes.is_hidden:
                return self._filter.cover(item.frame, "hidden by the user")
            start_s = time.perf_counter()
            safe = self._filter.draw(item.tracked)
            end_s = time.perf_counter()
            draw_s = end_s - start_s
            if self._governor is not None:
                self._governor.drawn(end_s, max(item.track_s, draw_s))
            if isinstance(self._filter, WorksBeside):
                self._cores.note(item.track_s + draw_s, self._threads, self._filter.threads_beside)
        except Exception as error:
            self._failed(error)
            return self._cover(item.frame, f"the filter failed: {error}")
        self._failures = 0
        self._successes += 1
        if self._successes >= 100:
            self._reopenings, self._first_error = 0, None
        return safe

    def _govern(self, opened: LiveFilter) -> None:
        if self._effort is not None and isinstance(opened, AdjustableFilter):
            self._governor = Governor(opened, self._period_s, self._effort, self._notify)

    def _cover(self, frame: Frame, reason: str) -> SafeFrame:
        return privacy.cover(frame, reason, self._placeholder)

    def _failed(self, error: Exception) -> None:
        self._first_error = self._first_error or error
        self._failures += 1
        self._successes = 0
        if self._failures == 1:
            self._notify(f"the filter failed ({error}); the picture is covered")
        if self._failures < _FAILURES_BEFORE_REOPENING:
            return
        self._failures = 0
        self._reopenings += 1
        if self._reopenings > _REOPENINGS:
            raise self._first_error
        self._notify("the filter keeps failing and is opened again")
        self._reopen()

    def _reopen(self) -> None:
        with self._in_use:
            old, self._filter = self._filter, None
            self._filter_number += 1
        try:
            if old is not None:
                old.close()
        finally:
            fresh = self._open_filter()
            self._govern(fresh)
            with self._in_use:
                self._filter = fresh
        # It opens in the style of the start; what is wished now follows with the next frame.
        self._style = self._first_style
