"""The live loop: camera to cartoon to sink, newest frame first, covered whenever in doubt."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from toonfilter.runtime.clock import Clock, SystemClock
from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.frames import Frame, Image, PrivacyState, SafeFrame
from toonfilter.runtime.latency import StageReport
from toonfilter.runtime.live.capture import CaptureStage
from toonfilter.runtime.live.controls import Controls
from toonfilter.runtime.live.filter_stage import FilterStage
from toonfilter.runtime.live.output import LiveOutput
from toonfilter.runtime.live.quality_control import EffortSettings
from toonfilter.runtime.live.sinks import LiveSink
from toonfilter.runtime.live.sources import Camera
from toonfilter.runtime.live.stage_threads import END_S, StageThreads
from toonfilter.runtime.live.supervisor import LiveFilter
from toonfilter.runtime.platform.cores import few_opencv_threads
from toonfilter.runtime.privacy import HOLD_S
from toonfilter.runtime.queues import LatestSlot, QueueClosed, quick_switching

_STATUS_EVERY_S = 0.25
"""Raising it shows the user older figures."""


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """width, height: of the covered picture sent before the camera's first. fps: the most that is processed and sent.

    hold_s: how long the last safe picture may stand in. placeholder: uint8 [H, W, 3] instead of the grey figure.
    effort: when to give way on a slow machine; None never does. end_s: how long stages may take to end.
    """

    width: int = 1280
    height: int = 720
    fps: float = 30.0
    hold_s: float = HOLD_S
    placeholder: Image | None = None
    audit: Path | None = None
    camera_retry_s: float = 0.5
    effort: EffortSettings | None = None
    end_s: float = END_S

    def __post_init__(self) -> None:
        if self.width < 16 or self.height < 16:
            raise ConfigError(f"--size is {self.width} {self.height}; must be 16 16 or more")
        if not 1 <= self.fps <= 240:
            raise ConfigError(f"--fps is {self.fps:g}; must be 1 to 240")
        if not 0 <= self.hold_s <= HOLD_S:
            raise ConfigError(f"hold time is {self.hold_s} s; must be 0 to {HOLD_S} s")


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """description: of the camera that is open, or what is done to open it."""

    description: str
    fps: float
    is_connected: bool


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """What the user sees about four times a second. fps: sent. latencies: from the camera's grab to the sink."""

    camera: CameraStatus
    fps: float
    latency_p50_ms: float
    latency_p95_ms: float
    dropped: int
    state: PrivacyState
    reason: str
    faces: int
    is_model_loaded: bool
    style: str
    is_hidden: bool


@dataclass(frozen=True, slots=True)
class LiveSummary:
    """What a run was. first_safe_s, first_cartoon_s: after the start; None if there was none.

    left_behind: threads that did not end, as those that hang in a driver; they can send nothing any more.
    """

    duration_s: float
    sent: int
    states: Mapping[str, int]
    dropped: int
    latency: StageReport
    first_safe_s: float | None
    first_cartoon_s: float | None
    reconnections: int
    camera_fps: float
    left_behind: tuple[str, ...] = ()


def run_live(
    camera: Camera,
    open_filter: Callable[[], LiveFilter],
    sink: LiveSink,
    options: LiveOptions | None = None,
    *,
    controls: Controls | None = None,
    clock: Clock | None = None,
    on_status: Callable[[LiveStatus], None] = lambda status: None,  # noqa: ARG005
    notify: Callable[[str], None] = lambda text: None,  # noqa: ARG005
    stop: threading.Event | None = None,
) -> LiveSummary:
    """Run until `stop` is set or the key q is pressed in a preview; the last picture sent is covered.

    The first (covered) picture goes out before the camera is opened and the model is loaded; both happen in other
    threads. The sink is used from this thread only, and closed at the end.

    Args:
        notify: gets one line when something happens that the user should know; from any thread.

    Raises:
        CaptureError: the camera does not open (later losses are waited out). OutputError: the sink fails.
        the error of the filter: it does not open, or fails again and again.
    """
    options = options or LiveOptions()
    try:
        live = _Live(camera, open_filter, sink, options, controls or Controls(), clock or SystemClock(), notify, stop)
        with quick_switching(), few_opencv_threads():
            return live.run(on_status)
    finally:
        sink.close()


class _Live:
    def __init__(
        self,
        camera: Camera,
        open_filter: Callable[[], LiveFilter],
        sink: LiveSink,
        options: LiveOptions,
        controls: Controls,
        clock: Clock,
        notify: Callable[[str], None],
        stop: threading.Event | None,
    ) -> None:
        self._sink, self._controls, self._clock, self._notify = sink, controls, clock, notify
        self._stop = stop or threading.Event()
        self._slot: LatestSlot[Frame] = LatestSlot()
        self._outbox: LatestSlot[tuple[int, SafeFrame]] = LatestSlot()
        self._output = LiveOutput(
            sink,
            controls,
            clock,
            width=options.width,
            height=options.height,
            fps=options.fps,
            hold_s=options.hold_s,
            placeholder=options.placeholder,
            audit=options.audit,
        )
        self._capture = CaptureStage(
            camera, self._slot, self._stop, fps=options.fps, notify=notify, retry_s=options.camera_retry_s
        )
        self._filter = FilterStage(
            open_filter,
            self._slot,
            self._outbox,
            controls,
            placeholder=options.placeholder,
            notify=notify,
            period_s=1 / options.fps,
            effort=options.effort,
        )
        self._errors: list[BaseException] = []
        self._end_s = options.end_s

    def run(self, on_status: Callable[[LiveStatus], None]) -> LiveSummary:
        stages = {"capture": self._capture.run, "track": self._filter.run_tracking, "draw": self._filter.run_drawing}
        threads = StageThreads(stages, self._failed)
        try:
            self._output.cover_now("starting")
            threads.start()
            self._send_until_stopped(on_status)
        except QueueClosed:
            pass
        except BaseException as error:
            self._errors.append(error)
        finally:
            left_behind = self._end(threads)
        if self._errors:
            raise self._errors[0]
        return self._summary(left_behind)

    def _failed(self, error: BaseException) -> None:
        self._errors.append(error)
        self._outbox.close()

    def _send_until_stopped(self, on_status: Callable[[LiveStatus], None]) -> None:
        next_status_s = self._clock.now_s()
        while not self._stop.is_set():
            self._output.step(self._outbox.get(timeout_s=self._output.pacer.wait_s()))
            self._obey(self._sink.keys())
            if self._clock.now_s() >= next_status_s:
                next_status_s = self._clock.now_s() + _STATUS_EVERY_S
                on_status(self._status())

    def _obey(self, keys: str) -> None:
        for key in keys:
            match key:
                case "q":
                    self._stop.set()
                case "h":
                    self._controls.toggle_hidden()
                case "s":
                    self._controls.next_style()

    def _end(self, threads: StageThreads) -> tuple[str, ...]:
        """Cover first, then end the threads; returns the names of those that hang."""
        self._stop.set()
        for last in (partial(self._output.cover_now, "stopped"), self._output.close):
            try:
                last()
            except Exception as error:
                self._errors.append(error)
        self._slot.close()
        self._outbox.close()
        self._filter.close()
        return threads.end(self._notify, self._end_s)

    def _status(self) -> LiveStatus:
        now_s, statistics, wished = self._clock.now_s(), self._output.statistics, self._controls.state
        latency = statistics.latency()
        capture = self._capture
        return LiveStatus(
            camera=CameraStatus(capture.description, capture.rate.per_second(now_s), capture.is_connected),
            fps=statistics.rate.per_second(now_s),
            latency_p50_ms=latency.p50_ms,
            latency_p95_ms=latency.p95_ms,
            dropped=self._dropped(),
            state=statistics.state,
            reason=statistics.reason,
            faces=statistics.faces,
            is_model_loaded=self._filter.is_ready,
            style=wished.style,
            is_hidden=wished.is_hidden,
        )

    def _dropped(self) -> int:
        return self._slot.dropped + self._outbox.dropped + self._output.statistics.stale_drops

    def _summary(self, left_behind: tuple[str, ...]) -> LiveSummary:
        statistics = self._output.statistics
        return LiveSummary(
            duration_s=self._clock.now_s() - statistics.started_s,
            sent=statistics.sent,
            states={state.value: statistics.states[state.value] for state in PrivacyState},
            dropped=self._dropped(),
            latency=statistics.latency(),
            first_safe_s=statistics.first_safe_s,
            first_cartoon_s=statistics.first_cartoon_s,
            reconnections=self._capture.reconnections,
            camera_fps=self._capture.rate.per_second(self._clock.now_s()),
            left_behind=left_behind,
        )
