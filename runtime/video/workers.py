"""Processes that convert pieces of any recording: on this machine, or (see `ray_workers`) on a cluster.

Workers outlive recordings and keep their filter open. A worker that dies takes nothing with it: its piece is
converted again by another one.
"""

import signal
import threading
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context, parent_process
from typing import Any, Protocol

from toonfilter.runtime.cores import usable_cores
from toonfilter.runtime.errors import ConfigError, ToonfilterError
from toonfilter.runtime.frame_filter import ResettableFilter
from toonfilter.runtime.video.segment_pipeline import ConversionStopped, SegmentJob, run_pieces
from toonfilter.runtime.video.segments import Segment

ATTEMPTS = 4
"""How often a piece is tried when its workers die."""
_TOGETHER = 2
"""So often beside others, whose workers die with its own; then in a process of its own, so that they are spared."""
_POLL_S = 0.2
_OWN_POOL = -1
_BYTES_PER_WORKER = 500_000_000

OpenFilter = Callable[[], ResettableFilter]


class SegmentWorkers(Protocol):
    """Workers shared by all recordings of a batch; `spread` may be called from several threads."""

    @property
    def count(self) -> int:
        """How many pieces are converted at once."""
        ...

    def spread(
        self,
        job: SegmentJob,
        pieces: Sequence[Segment],
        open_filter: OpenFilter,
        on_frames: Callable[[int], None],
        stop: threading.Event,
    ) -> None:
        """Convert the pieces into the job's work folder. See `toonfilter.runtime.video.convert.SpreadPieces`."""
        ...

    def close(self) -> None:
        """End the workers; pieces at work are given up."""
        ...


def default_workers() -> int:
    """How many workers this machine has cores for, and memory: half of what is free."""
    import psutil

    affordable = int(psutil.virtual_memory().available // (2 * _BYTES_PER_WORKER))
    return max(1, min(len(usable_cores()), affordable))


class OpenerNames:
    """A name for each opener of filters, the same whenever it is the same object; no two programs use the same names.

    Objects change on their way to another process, so that a worker cannot compare them itself.
    """

    def __init__(self) -> None:
        self._program = uuid.uuid4().hex
        self._openers: list[OpenFilter] = []
        self._lock = threading.Lock()

    def name(self, open_filter: OpenFilter) -> str:
        with self._lock:
            for number, known in enumerate(self._openers):
                if known is open_filter:
                    return f"{self._program}-{number}"
            self._openers.append(open_filter)
            return f"{self._program}-{len(self._openers) - 1}"


class LocalWorkers:
    """`count` processes of this machine. See `SegmentWorkers`. deaths: how often processes died and were replaced."""

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ConfigError(f"--workers is {count}; must be 1 or more")
        self._count = count
        self._context = get_context("spawn")
        self._is_stopping = self._context.Event()
        self._lock = threading.Lock()
        self._names = OpenerNames()
        self._pool = self._new_pool(count)
        # No more is handed to the pool than it works on: when a process dies, all that it holds counts as tried.
        self._room = threading.Semaphore(count)
        self.deaths = 0

    @property
    def count(self) -> int:
        return self._count

    def spread(
        self,
        job: SegmentJob,
        pieces: Sequence[Segment],
        open_filter: OpenFilter,
        on_frames: Callable[[int], None],
        stop: threading.Event,
    ) -> None:
        attempts = dict.fromkeys(pieces, 0)
        missing = deque(pieces)
        waiting: dict[Future[int], tuple[Segment, int]] = {}
        while missing or waiting:
            while missing and self._room.acquire(timeout=0 if waiting else _POLL_S):
                piece = missing.popleft()
                is_alone = attempts[piece] >= _TOGETHER
                future, generation = self._submit(job, piece, open_filter, is_alone=is_alone)
                waiting[future] = (piece, generation)
                if stop.is_set():
                    break
            done, _ = wait(waiting, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            if stop.is_set():
                raise ConversionStopped
            for future in done:
                piece, generation = waiting.pop(future)
                try:
                    on_frames(future.result())
                except BrokenProcessPool as error:
                    attempts[piece] += 1
                    if attempts[piece] == ATTEMPTS:
                        raise died_too_often(job, piece) from error
                    self._replace_pool(generation)
                    missing.appendleft(piece)

    def close(self) -> None:
        self._is_stopping.set()
        with self._lock:
            self._pool.shutdown(cancel_futures=True)

    def _new_pool(self, count: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            count, mp_context=self._context, initializer=_start_worker, initargs=(self._is_stopping,)
        )

    def _submit(
        self, job: SegmentJob, piece: Segment, open_filter: OpenFilter, *, is_alone: bool
    ) -> tuple[Future[int], int]:
        """Hand a piece to the pool, or to a process of its own; there is room for it again when it is done."""
        key = self._names.name(open_filter)
        try:
            for _ in range(ATTEMPTS):
                with self._lock:
                    pool, generation = self._new_pool(1) if is_alone else self._pool, self.deaths
                    future: Future[int] | None = None
                    with suppress(BrokenProcessPool):
                        future = pool.submit(_convert_piece, job, piece, open_filter, key)
                if future is not None:
                    future.add_done_callback(lambda _: self._room.release())
                    if is_alone:
                        pool.shutdown(wait=False)
                        return future, _OWN_POOL
                    return future, generation
                self._replace_pool(generation)
            raise died_too_often(job, piece)
        except BaseException:
            self._room.release()
            raise

    def _replace_pool(self, generation: int) -> None:
        """A new pool for a broken one; only the first of those who noticed does it."""
        with self._lock:
            if generation == self.deaths:
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = self._new_pool(self._count)
                self.deaths += 1


def died_too_often(job: SegmentJob, piece: Segment) -> ToonfilterError:
    """The error for a piece that no worker survives."""
    return ToonfilterError(f"{job.info.path}: {ATTEMPTS} workers died on piece {piece.number}; is there enough memory?")


_worker: dict[str, Any] = {}


def _start_worker(is_stopping: Any) -> None:
    obey_parent()
    _worker["is_stopping"] = is_stopping


def obey_parent() -> None:
    """In a worker: only the parent ends it, by its word or by its death; Ctrl-C goes to the whole group."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        # It was killed: another program may be at work on its pieces by now.
        signal.raise_signal(signal.SIGTERM)


def _convert_piece(job: SegmentJob, piece: Segment, open_filter: OpenFilter, key: str) -> int:
    return convert_segment(job, piece, open_filter, key, _worker["is_stopping"])


def convert_segment(job: SegmentJob, piece: Segment, open_filter: OpenFilter, key: str, stop: Any) -> int:
    """Convert one piece in a worker process; its number of frames.

    key: the opener's name; with the same as for the piece before, that piece's filter is used again.
    """
    if _worker.get("key") != key:
        if "filter" in _worker:
            _worker.pop("filter").close()
        _worker["filter"], _worker["key"] = open_filter(), key
    frames = 0

    def count(_: object) -> None:
        nonlocal frames
        frames += 1

    try:
        run_pieces(job, [piece], _worker["filter"], on_frame=count, stop=stop)
    except ConversionStopped:
        raise
    except BaseException:
        # A filter that failed once may be broken; the next piece gets a fresh one.
        _worker.pop("key", None)
        raise
    return frames
