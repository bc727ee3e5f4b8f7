"""Running one scenario in this process: frames through the filter as `cam` or `video` does it, every stage timed."""

import threading
import time
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from toonfilter.benchmarks import processes
from toonfilter.benchmarks.clip import Clip, load_clip
from toonfilter.benchmarks.scenarios import Scenario
from toonfilter.benchmarks.watched import watched
from toonfilter.runtime.backends import EngineOptions, Opened, open_translator
from toonfilter.runtime.backends.translator import Crops, Description, Translator
from toonfilter.runtime.bundle import Bundle
from toonfilter.runtime.clock import Pacer, SystemClock
from toonfilter.runtime.errors import BackendError
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.filter.toon_filter import ToonFilter
from toonfilter.runtime.frames import Frame, Image, SafeFrame
from toonfilter.runtime.live.pipeline import LiveOptions, run_live
from toonfilter.runtime.render.ground import Ground
from toonfilter.runtime.render.opening import RenderOptions

BLOCKS = 8
_CLIP_PICTURES = 48
_TRACED_FRAMES = 12
_NOMINAL_FPS = 30.0
_UNPACED_FPS = 240.0
_STALL_S = 10.0
_END_S = 1.0


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """frames: how many are measured, after warm_up others. threads: of the engine, 0 as `cam` chooses."""

    style: str
    clip: Path
    frames: int = 500
    warm_up: int = 60
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What the measured frames took from the machine.

    process_cpu_s, wall_s: with the process that draws. others_cores: CPU cores that others used meanwhile.
    dropped: frames that were not sent.
    """

    process_cpu_s: float
    wall_s: float
    others_cores: float
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """peak_bytes: resident at its highest, without the clip. growth_bytes: from the first to the last quarter.

    extra_bytes: what one frame needs for a moment, at most.
    """

    peak_bytes: int
    growth_bytes: int
    extra_bytes: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What one scenario gave.

    stages: durations in s by stage, in the order of the path. cpu_s: CPU time of the threads that track and draw.
    end_to_end_s: frame captured to frame handed over. finished_s: when each frame was handed over.
    """

    description: Description
    stages: dict[str, list[float]]
    cpu_s: dict[str, float]
    end_to_end_s: list[float]
    finished_s: list[float]
    states: dict[str, int]
    faces_covered: float
    usage: Usage
    memory: Memory


@dataclass(slots=True)
class _Record:
    """Filled while frames run; `is_on` once the warm-up is over."""

    is_on: bool = False
    durations_s: dict[str, list[float]] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    end_to_end_s: list[float] = field(default_factory=list)
    finished_s: list[float] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    faces: int = 0
    resident_bytes: list[int] = field(default_factory=list)

    def timed(self, stage: str, action: Callable[[], Any]) -> Any:
        start_s, cpu_s = time.perf_counter(), time.thread_time()
        result = action()
        if self.is_on:
            self.durations_s.setdefault(stage, []).append(time.perf_counter() - start_s)
            self.cpu_s[stage] += time.thread_time() - cpu_s
        return result

    def arrived(self, safe: SafeFrame) -> None:
        """A frame was handed to the sink now."""
        now_s = time.perf_counter()
        if self.is_on:
            self.finished_s.append(now_s)
            self.end_to_end_s.append(now_s - safe.captured_at_s)
            self.states[safe.state.value] += 1
            self.faces += safe.faces_drawn + safe.faces_covered


class _TimedTranslator:
    """Passes everything on and times the translation."""

    def __init__(self, inner: Translator, record: _Record) -> None:
        self._inner, self._record = inner, record

    def translate(self, crops: Crops, guidance: Crops | None) -> Crops:
        result: Crops = self._record.timed("translate", lambda: self._inner.translate(crops, guidance))
        return result

    def warm_up(self, size: int) -> None:
        self._inner.warm_up(size)

    def close(self) -> None:
        self._inner.close()

    def describe(self) -> Description:
        return self._inner.describe()


class _TimedFilter:
    """A `ResettableFilter` that times its halves. `close` does nothing: the benchmark closes the real one."""

    def __init__(self, inner: ToonFilter, record: _Record) -> None:
        self._inner, self._record = inner, record
        self.on_track: Callable[[], None] = lambda: None

    def track(self, frame: Frame) -> Any:
        self.on_track()
        return self._record.timed("track", lambda: self._inner.track(frame))

    def draw(self, tracked: Any) -> SafeFrame:
        safe: SafeFrame = self._record.timed("draw", lambda: self._inner.draw(tracked))
        return safe

    def look_back(self, waiting: Sequence[Any], newest: Any | None) -> None:
        self._inner.look_back(waiting, newest)

    def cover(self, frame: Frame, reason: str) -> SafeFrame:
        return self._inner.cover(frame, reason)

    def reset(self) -> None:
        self._inner.reset()

    def set_style(self, style: str) -> None:
        self._inner.set_style(style)

    def close(self) -> None:
        """Nothing: see the class."""


def measure(scenario: Scenario, options: MeasureOptions) -> Measured:
    """Run one scenario. Meant for a fresh process: memory counts from its beginning.

    Raises:
        ToonfilterError: the clip, the bundle or the engine cannot be opened, or drawing fails.
    """
    record = _Record()
    options = replace(options, frames=options.frames * scenario.frames_factor)
    clip = load_clip(options.clip, scenario.width, scenario.height, faces=scenario.faces, count=_CLIP_PICTURES)
    toon = _open_filter(scenario, options, record)
    try:
        timed = _TimedFilter(toon, record)
        description = toon.opened.translator.describe()
        run = _run_video if scenario.path == "video" else _run_cam
        usage = run(scenario, options, clip, timed, record)
        extra_bytes = _extra_bytes(clip, toon)
    finally:
        toon.close()
    resident = record.resident_bytes
    if not resident:
        raise BackendError("no frame came through in time; the machine is too slow or too busy for this scenario")
    quarter = max(1, len(resident) // 4)
    growth = int(np.mean(resident[-quarter:]) - np.mean(resident[:quarter]))
    return Measured(
        description=description,
        stages=record.durations_s,
        cpu_s=dict(record.cpu_s),
        end_to_end_s=record.end_to_end_s,
        finished_s=record.finished_s,
        states=dict(record.states),
        faces_covered=record.faces / max(1, sum(record.states.values())),
        usage=usage,
        memory=Memory(max(resident) - clip.images.nbytes, growth, extra_bytes),
    )


def _open_filter(scenario: Scenario, options: MeasureOptions, record: _Record) -> ToonFilter:
    def opener(bundle: Bundle, engine: str, engine_options: EngineOptions) -> Opened:
        opened = open_translator(bundle, engine, engine_options)
        return Opened(_TimedTranslator(opened.translator, record), opened.skipped)

    ground = Ground("drawn" if scenario.extent == "whole" else "keep")
    settings = FilterSettings(
        style=options.style,
        engine=scenario.engine,
        precision=scenario.precision,
        size=scenario.size,
        threads=options.threads,
        rendering=RenderOptions(scenario.extent, ground, is_live=scenario.path != "video"),
    )
    return ToonFilter(settings, opener=opener)


class _Meter:
    """CPU time of this process with its children, and of the whole machine, from `restart` on."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self.restart()

    def restart(self) -> None:
        self._wall_s, self._cpu_s = time.perf_counter(), processes.cpu_s()
        self._busy_s = self._busy()

    def read(self) -> Usage:
        wall_s, cpu_s = time.perf_counter() - self._wall_s, processes.cpu_s() - self._cpu_s
        return Usage(cpu_s, wall_s, max(0.0, (self._busy() - self._busy_s - cpu_s) / max(wall_s, 1e-9)))

    def _busy(self) -> float:
        times = self._psutil.cpu_times()
        return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


class _BenchCamera:
    """Shows the clip so many times; paced, or as fast as frames are taken. See `live.sources.Camera`."""

    def __init__(self, clip: Clip, total: int, fps: float | None, record: _Record, stop: threading.Event) -> None:
        self._clip, self._total, self._fps, self._record, self._stop = clip, total, fps, record, stop
        self._number = 0
        self._room = threading.Semaphore(1)
        self._pacer: Pacer | None = None
        self._clock = SystemClock()
        self._stamp_s = 0.0

    def open(self) -> str:
        self._pacer = Pacer(1 / self._fps, self._clock) if self._fps else None
        return "benchmark clip"

    def read(self) -> tuple[Image, float]:
        if self._pacer:
            self._clock.sleep(self._pacer.wait_s())
            self._pacer.advance()
        else:
            self._room.acquire(timeout=_STALL_S)
            # The live loop leaves out pictures whose stamps lie closer than it was told to expect.
            self._clock.sleep(self._stamp_s + 1 / _UNPACED_FPS - self._clock.now_s())
        if self._number == self._total:
            # The last picture arrives long before, unless the live loop left one out and counts to less.
            self._stop.wait(_END_S)
            self._stop.set()
        image: Image = self._record.timed("capture", partial(self._clip.take, self._number))
        self._number += 1
        self._stamp_s = self._clock.now_s()
        return image, self._stamp_s

    def taken(self) -> None:
        """The filter took a frame: there is room for the next."""
        self._room.release()

    def close(self) -> None:
        """Nothing to let go of."""


class _BenchSink:
    """Notes when frames arrive. See `toonfilter.runtime.live.sinks.LiveSink`."""

    def __init__(self, record: _Record, warm_up: int, total: int, meter: _Meter, stop: threading.Event) -> None:
        self._record, self._warm_up, self._total = record, warm_up, total
        self._meter, self._stop = meter, stop
        self.usage: Usage | None = None
        self._last_index = -1

    def send(self, safe: SafeFrame, now_s: float) -> None:  # noqa: ARG002
        if safe.index <= self._last_index:
            return
        self._last_index = safe.index
        record = self._record
        record.arrived(safe)
        if record.is_on and len(record.finished_s) % 10 == 1:
            record.resident_bytes.append(processes.resident_bytes())
        if not record.is_on and self._warm_up - 1 <= safe.index < self._total - 1:
            self._meter.restart()
            record.is_on = True
        if safe.index >= self._total - 1:
            self.usage = self._meter.read()
            record.is_on = False
            self._stop.set()

    def keys(self) -> str:
        return ""

    def close(self) -> None:
        """Nothing to let go of."""


def _run_cam(scenario: Scenario, options: MeasureOptions, clip: Clip, timed: _TimedFilter, record: _Record) -> Usage:
    """The real live loop between a camera and a sink of the benchmark's own."""
    meter, stop = _Meter(), threading.Event()
    total = options.warm_up + options.frames
    camera = _BenchCamera(clip, total, scenario.camera_fps, record, stop)
    timed.on_track = camera.taken
    sink = _BenchSink(record, options.warm_up, total, meter, stop)
    live_options = LiveOptions(scenario.width, scenario.height, fps=scenario.camera_fps or _UNPACED_FPS)
    with watched(sink) if scenario.path == "panel" else nullcontext(sink) as outlet:
        run_live(camera, lambda: timed, outlet, live_options, stop=stop)
    usage = sink.usage or meter.read()
    # Frames that the live loop left out for newer ones.
    expected = options.frames if record.finished_s else 0
    return replace(usage, dropped=expected - len(record.finished_s))


def _run_video(scenario: Scenario, options: MeasureOptions, clip: Clip, timed: _TimedFilter, record: _Record) -> Usage:
    """A file of the clip's pictures through `convert`; the filter is open and warm before."""
    import tempfile

    from toonfilter.benchmarks.clip import write_video
    from toonfilter.runtime.progress import Progress
    from toonfilter.runtime.video.convert import ConvertOptions, convert

    meter = _Meter()
    for number in range(options.warm_up):
        timed.draw(timed.track(Frame(clip.take(number), number, number / _NOMINAL_FPS)))

    marks: list[tuple[int, float]] = []

    def note(progress: Progress) -> None:
        record.resident_bytes.append(processes.resident_bytes())
        marks.append((progress.done, time.perf_counter()))

    with tempfile.TemporaryDirectory(prefix="toonfilter-bench-") as folder:
        source, target = Path(folder) / "source.mp4", Path(folder) / "target.mp4"
        write_video(source, clip, options.frames, _NOMINAL_FPS)
        record.is_on = True
        meter.restart()
        marks.append((0, time.perf_counter()))
        report = convert(source, target, lambda: timed, ConvertOptions(), progress=note)
        usage = meter.read()
        record.is_on = False
    record.states.update(report.states)
    record.faces = scenario.faces * report.states.get("protected", 0)
    marks.append((report.frames, marks[0][1] + usage.wall_s))
    # Frames of a file wait in queues on purpose: only the rate counts.
    done, times_s = np.array(marks).T
    record.finished_s = np.interp(np.arange(1, report.frames + 1), done, times_s).tolist()
    return usage


def _extra_bytes(clip: Clip, toon: ToonFilter) -> int:
    """The greatest memory that arrays of one frame need beside what stays, as Python and NumPy account for it."""
    tracemalloc.start()
    try:
        extra = []
        for number in range(_TRACED_FRAMES):
            frame = Frame(clip.take(number), number, 1e6 + number / _NOMINAL_FPS)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            toon.process(frame)
            extra.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    return int(np.median(extra))
