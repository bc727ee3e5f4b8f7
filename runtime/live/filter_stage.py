"""The working halves of the live loop: tracking and drawing the camera's newest picture."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from toonfilter.runtime import privacy
from toonfilter.runtime.frames import Frame, Image, SafeFrame
from toonfilter.runtime.live.controls import Controls
from toonfilter.runtime.live.quality_control import EffortSettings
from toonfilter.runtime.live.style_follower import StyleFollower
from toonfilter.runtime.live.supervisor import FilterSupervisor, LiveFilter
from toonfilter.runtime.live.work_pace import WorkPace
from toonfilter.runtime.queues import BoundedQueue, LatestSlot, QueueClosed


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What became of tracking a frame. by: the filter that did. error: why it failed; tracked is None then."""

    by: LiveFilter | None
    frame: Frame
    tracked: Any = None
    error: Exception | None = None
    track_s: float = 0.0


class FilterStage:
    """Tracks and draws the newest frame in two threads; a failed frame is covered, and the supervisor is told.

    While the user hides, frames are tracked, so that the cartoon is back at once, but not drawn.
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
        self._slot, self._outbox = slot, outbox
        self._controls, self._placeholder = controls, placeholder
        self._supervisor = FilterSupervisor(open_filter, notify)
        self._styles = StyleFollower(controls.state.style, notify)
        self._pace = WorkPace(period_s, effort, notify)
        self._attempts: BoundedQueue[_Attempt] = BoundedQueue(1)
        self._is_ready = threading.Event()

    @property
    def is_ready(self) -> bool:
        """Whether the model is loaded."""
        return self._is_ready.is_set()

    def close(self, error: BaseException | None = None) -> None:
        """Make both halves end."""
        self._attempts.close(error)
        self._is_ready.set()

    def run_tracking(self) -> None:
        """The first half, for one thread."""
        try:
            self._is_ready.wait()
            while True:
                # A frame that is tracked too early is old when it is drawn.
                self._attempts.wait_for_room()
                time.sleep(self._pace.early_s(time.perf_counter()))
                frame = self._slot.get()
                if frame is not None and not self._pace.skips():
                    self._attempts.put(self._track(frame))
        except QueueClosed:
            self._attempts.close()

    def _track(self, frame: Frame) -> _Attempt:
        with self._supervisor.in_use:
            current = self._supervisor.filter
            if current is None:
                return _Attempt(None, frame)
            start_s = time.perf_counter()
            try:
                tracked = current.track(frame)
            except Exception as error:
                return _Attempt(current, frame, error=error)
            return _Attempt(current, frame, tracked, track_s=time.perf_counter() - start_s)

    def run_drawing(self) -> None:
        """The second half, for another thread; it also loads the model.

        Raises:
            the error of opening the filter, or the first of too many errors of the running one.
        """
        try:
            self._styles.start()
            self._pace.steer(self._supervisor.open())
            self._is_ready.set()
            while True:
                attempt = self._attempts.get()
                if attempt is None:
                    continue
                wished = self._controls.state
                self._styles.follow(wished.style, self._supervisor)
                if not wished.is_hidden:
                    self._outbox.put((wished.revision, self._drawn(attempt)))
        except QueueClosed:
            pass
        finally:
            self._supervisor.close()

    def _drawn(self, attempt: _Attempt) -> SafeFrame:
        current = self._supervisor.filter
        if current is None or attempt.by is not current:
            return privacy.cover(attempt.frame, "the filter is being opened again", self._placeholder)
        try:
            if attempt.error is not None:
                raise attempt.error
            start_s = time.perf_counter()
            self._pace.drawing(start_s)
            safe = current.draw(attempt.tracked)
            end_s = time.perf_counter()
            self._pace.drawn(end_s, attempt.track_s, end_s - start_s)
        except Exception as error:
            covered = current.cover(attempt.frame, f"the filter failed: {error}")
            self._failed(error)
            return covered
        self._supervisor.succeeded()
        return safe

    def _failed(self, error: Exception) -> None:
        opened_anew = self._supervisor.failed(error)
        if opened_anew is not None:
            self._pace.steer(opened_anew)
            self._styles.start()
