"""Converting the pieces of a file in several processes of this machine."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from toonfilter.runtime.errors import ToonfilterError
from toonfilter.runtime.frame_filter import ResettableFilter
from toonfilter.runtime.video.segment_pipeline import ConversionStopped, SegmentJob, run_pieces
from toonfilter.runtime.video.segments import Segment
from toonfilter.runtime.video.workers import obey_parent

_POLL_S = 0.2


def run_pieces_in_processes(
    job: SegmentJob,
    pieces: Sequence[Segment],
    open_filter: Callable[[], ResettableFilter],
    *,
    jobs: int,
    on_frames: Callable[[int], None],
    stop: threading.Event,
) -> None:
    """Convert pieces in `jobs` processes, each with its own filter; any order, the result is the same.

    Raises:
        ConversionStopped: `stop` was set. The first error of any process.
    """
    context = get_context("spawn")
    counter, is_stopping = context.Value("q", 0), context.Event()
    pool = ProcessPoolExecutor(
        min(jobs, len(pieces)),
        mp_context=context,
        initializer=_start_process,
        initargs=(job, open_filter, counter, is_stopping),
    )
    reported = 0
    try:
        waiting: set[Future[None]] = {pool.submit(_convert_piece, piece) for piece in pieces}
        while waiting:
            done, waiting = wait(waiting, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            count = counter.value
            on_frames(count - reported)
            reported = count
            if stop.is_set():
                is_stopping.set()
            for future in done:
                future.result()
    except BrokenProcessPool as error:
        raise ToonfilterError(
            "a conversion process died; run again with --resume, perhaps with fewer --jobs"
        ) from error
    finally:
        is_stopping.set()
        pool.shutdown(cancel_futures=True)


_process: dict[str, Any] = {}


def _start_process(
    job: SegmentJob, open_filter: Callable[[], ResettableFilter], counter: Any, is_stopping: Any
) -> None:
    obey_parent()
    _process.update(job=job, open_filter=open_filter, filter=None, counter=counter, is_stopping=is_stopping)


def _convert_piece(piece: Segment) -> None:
    if _process["is_stopping"].is_set():
        raise ConversionStopped
    if _process["filter"] is None:
        _process["filter"] = _process["open_filter"]()

    def count(_: object) -> None:
        with _process["counter"].get_lock():
            _process["counter"].value += 1

    run_pieces(_process["job"], [piece], _process["filter"], on_frame=count, stop=_process["is_stopping"])
