"""The contract of workers, which convert segments of any recording, and what all kinds of them share.

Kinds: this process or others of this machine (`local_workers`), or a cluster (`ray_workers`). Workers outlive
recordings and keep their filter open. A worker that dies takes nothing with it: its segment is converted again
by another one.
"""

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from toonfilter.runtime.errors import ToonfilterError
from toonfilter.runtime.filter.frame_filter import ResettableFilter
from toonfilter.runtime.video.segment_pipeline import ConversionStopped, SegmentJob, StopSign, run_segments
from toonfilter.runtime.video.segments import Segment, SegmentResult

ATTEMPTS = 4
"""How often a segment is tried when its workers die."""

OpenFilter = Callable[[], ResettableFilter]


@dataclass(frozen=True, slots=True)
class SegmentBatch:
    """Segments of one recording for workers to convert.

    open_filter: picklable where workers are other processes. on_frames: gets the number of frames since its last call;
    less than none where a worker died and its frames are lost. on_result: gets every segment when its file is whole,
    from the thread that called `map`. stop: set it to stop at the next frame.
    """

    job: SegmentJob
    segments: Sequence[Segment]
    open_filter: OpenFilter
    on_frames: Callable[[int], None]
    on_result: Callable[[Segment, SegmentResult], None]
    stop: threading.Event


class SegmentWorkers(Protocol):
    """Workers shared by all recordings of a batch; `map` may be called from several threads."""

    @property
    def count(self) -> int:
        """How many segments are converted at once."""
        ...

    def map(self, batch: SegmentBatch) -> None:
        """Convert the segments into the job's work folder, in any order.

        Raises:
            ConversionStopped: `stop` was set; no segment is at work any more. The first error of a segment.
        """
        ...

    def close(self) -> None:
        """End the workers; segments at work are given up."""
        ...


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


def died_too_often(job: SegmentJob, segment: Segment) -> ToonfilterError:
    """The error for a segment that no worker survives."""
    return ToonfilterError(
        f"{job.info.path}: {ATTEMPTS} workers died on segment {segment.number}; is there enough memory?"
    )


_open: dict[str, Any] = {}
"""In a worker: its filter, and the key that it was opened with."""


def convert_segment(
    job: SegmentJob,
    segment: Segment,
    open_filter: OpenFilter,
    key: str,
    *,
    stop: StopSign,
    on_frame: Callable[[object], None] = lambda _: None,
) -> SegmentResult:
    """Convert one segment in a worker process.

    key: the opener's name; with the same as for the segment before, that segment's filter is used again.
    """
    if _open.get("key") != key:
        if "filter" in _open:
            _open.pop("filter").close()
        _open["filter"], _open["key"] = open_filter(), key
    results: list[SegmentResult] = []
    try:
        run_segments(
            job,
            [segment],
            _open["filter"],
            on_frame=on_frame,
            on_result=lambda _, result: results.append(result),
            stop=stop,
        )
    except ConversionStopped:
        raise
    except BaseException:
        # A filter that failed once may be broken; the next segment gets a fresh one.
        _open.pop("key", None)
        raise
    return results[0]
