"""Workers on this machine (see `segment_workers`): this process itself, or others."""

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.platform.child_process import obey_parent, spawning
from toonfilter.runtime.platform.cores import usable_cores
from toonfilter.runtime.video.segment_pipeline import ConversionStopped, SegmentJob, run_segments
from toonfilter.runtime.video.segment_workers import (
    ATTEMPTS,
    OpenerNames,
    OpenFilter,
    SegmentBatch,
    convert_segment,
    died_too_often,
)
from toonfilter.runtime.video.segments import Segment, SegmentResult

_TOGETHER = 2
"""So often beside others, whose workers die with its own; then in a process of its own, so that they are spared."""
_POLL_S = 0.2
"""Between two looks at workers and at `stop`. Raising it stops later."""
_OWN_POOL = -1
"""Stands for a pool that one segment has for itself."""
_BYTES_PER_WORKER = 500_000_000
"""Memory that a worker takes. Raising it starts fewer."""


class InlineWorkers:
    """No workers: segments are converted in this process, one after the other. See `SegmentWorkers`."""

    count = 1

    def map(self, batch: SegmentBatch) -> None:
        frame_filter = batch.open_filter()
        try:
            for group in _consecutive(batch.segments):
                run_segments(
                    batch.job,
                    group,
                    frame_filter,
                    on_frame=lambda _: batch.on_frames(1),
                    on_result=batch.on_result,
                    stop=batch.stop,
                )
        finally:
            frame_filter.close()

    def close(self) -> None:
        """There is nothing to end."""


def _consecutive(segments: Sequence[Segment]) -> list[list[Segment]]:
    groups: list[list[Segment]] = []
    for segment in segments:
        if groups and groups[-1][-1].number + 1 == segment.number:
            groups[-1].append(segment)
        else:
            groups.append([segment])
    return groups


def default_workers() -> int:
    """How many workers this machine has cores for, and memory: half of what is free."""
    import psutil

    affordable = int(psutil.virtual_memory().available // (2 * _BYTES_PER_WORKER))
    return max(1, min(len(usable_cores()), affordable))


class LocalWorkers:
    """`count` processes of this machine. See `SegmentWorkers`. deaths: how often processes died and were replaced."""

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ConfigError(f"--workers is {count}; must be 1 or more")
        self._count = count
        self._context = spawning()
        self._lock = threading.Lock()
        self._names = OpenerNames()
        # One slot for each segment at work: how many frames of it are done, and whether it shall stop.
        self._frames = self._context.RawArray("q", count)
        self._stops = self._context.RawArray("b", count)
        self._free = list(range(count))
        self._pool = self._new_pool(count)
        # No more is handed to the pool than it works on: when a process dies, all that it holds counts as tried.
        self._room = threading.Semaphore(count)
        self.deaths = 0

    @property
    def count(self) -> int:
        return self._count

    def map(self, batch: SegmentBatch) -> None:
        attempts = dict.fromkeys(batch.segments, 0)
        missing = deque(batch.segments)
        waiting: dict[Future[SegmentResult], _AtWork] = {}
        try:
            while missing or waiting:
                while missing and self._room.acquire(timeout=0 if waiting else _POLL_S):
                    segment = missing.popleft()
                    future, work = self._submit(batch, segment, is_alone=attempts[segment] >= _TOGETHER)
                    waiting[future] = work
                    if batch.stop.is_set():
                        break
                done, _ = wait(waiting, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                if batch.stop.is_set():
                    raise ConversionStopped
                for work in waiting.values():
                    batch.on_frames(work.new_frames(self._frames))
                for future in done:
                    work = waiting.pop(future)
                    try:
                        self._take(future, work, batch)
                    except BrokenProcessPool as error:
                        attempts[work.segment] += 1
                        if attempts[work.segment] == ATTEMPTS:
                            raise died_too_often(batch.job, work.segment) from error
                        self._replace_pool(work.generation)
                        missing.appendleft(work.segment)
        finally:
            self._give_up(waiting)

    def _take(self, future: "Future[SegmentResult]", work: "_AtWork", batch: SegmentBatch) -> None:
        try:
            result = future.result()
        except BaseException:
            batch.on_frames(-work.told)
            raise
        finally:
            self._leave_slot(work.slot)
        batch.on_frames(result.frames - work.told)
        batch.on_result(work.segment, result)

    def _give_up(self, waiting: "dict[Future[SegmentResult], _AtWork]") -> None:
        """Nothing may be at work in the folder any more when the caller lets go of it."""
        for work in waiting.values():
            self._stops[work.slot] = 1
        wait(waiting)
        for work in waiting.values():
            self._leave_slot(work.slot)

    def close(self) -> None:
        for slot in range(self._count):
            self._stops[slot] = 1
        with self._lock:
            self._pool.shutdown(cancel_futures=True)

    def _new_pool(self, count: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            count, mp_context=self._context, initializer=_start_worker, initargs=(self._frames, self._stops)
        )

    def _submit(
        self, batch: SegmentBatch, segment: Segment, *, is_alone: bool
    ) -> "tuple[Future[SegmentResult], _AtWork]":
        """Hand a segment to the pool, or to a process of its own; there is room for it already."""
        key = self._names.name(batch.open_filter)
        slot = self._take_slot()
        try:
            for _ in range(ATTEMPTS):
                with self._lock:
                    pool, generation = self._new_pool(1) if is_alone else self._pool, self.deaths
                    future: Future[SegmentResult] | None = None
                    with suppress(BrokenProcessPool):
                        future = pool.submit(_convert_segment, batch.job, segment, batch.open_filter, key, slot)
                if future is not None:
                    if is_alone:
                        pool.shutdown(wait=False)
                        generation = _OWN_POOL
                    return future, _AtWork(segment, generation, slot)
                self._replace_pool(generation)
            raise died_too_often(batch.job, segment)
        except BaseException:
            self._leave_slot(slot)
            raise

    def _take_slot(self) -> int:
        with self._lock:
            slot = self._free.pop()
        self._frames[slot], self._stops[slot] = 0, 0
        return slot

    def _leave_slot(self, slot: int) -> None:
        with self._lock:
            self._free.append(slot)
        self._room.release()

    def _replace_pool(self, generation: int) -> None:
        """A new pool for a broken one; only the first of those who noticed does it."""
        with self._lock:
            if generation == self.deaths:
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = self._new_pool(self._count)
                self.deaths += 1


@dataclass(slots=True)
class _AtWork:
    """A segment in a process. generation: of the pool. slot: of its numbers. told: how many frames were told of."""

    segment: Segment
    generation: int
    slot: int
    told: int = 0

    def new_frames(self, frames: Any) -> int:
        count = int(frames[self.slot])
        fresh, self.told = count - self.told, count
        return fresh


_shared: dict[str, Any] = {}


def _start_worker(frames: Any, stops: Any) -> None:
    obey_parent()
    _shared["frames"], _shared["stops"] = frames, stops


class _SlotStop:
    def __init__(self, stops: Any, slot: int) -> None:
        self._stops, self._slot = stops, slot

    def is_set(self) -> bool:
        return bool(self._stops[self._slot])


def _convert_segment(job: SegmentJob, segment: Segment, open_filter: OpenFilter, key: str, slot: int) -> SegmentResult:
    frames = _shared["frames"]

    def count(_: object) -> None:
        frames[slot] += 1

    return convert_segment(job, segment, open_filter, key, stop=_SlotStop(_shared["stops"], slot), on_frame=count)
