"""Throughput of `batch` against the number of cores and workers: the same archive with one, two, ... of them."""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from toonfilter.benchmarks.clip import load_clip, write_video
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.platform.cores import usable_cores
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.runtime.video.batch import BatchOptions, run_batch
from toonfilter.runtime.video.file_filter import file_filter_opener
from toonfilter.runtime.video.local_workers import LocalWorkers

_RECORDINGS = 2
_FPS = 30.0
_SEGMENT_S = 2.0


class Load(NamedTuple):
    """So many worker processes on so many cores."""

    cores: int
    workers: int


def sensible_loads(cores: int) -> list[Load]:
    """A worker for each core, on one, half and all of the cores; and a single worker on all of them."""
    if sys.platform != "linux":
        # Only Linux lets a process keep to some of the cores.
        return [Load(cores, workers) for workers in sorted({1, max(1, cores // 2), cores})]
    return sorted({Load(count, workers) for count in {1, max(1, cores // 2), cores} for workers in {1, count}})


def measure_scaling(
    style: str, clip: Path, *, frames: int, loads: Sequence[Load], progress: ShowProgress | None = None
) -> list[dict[str, Any]]:
    """Frames per second of a 720p archive by load; starting the workers and their models is included.

    frames: of each of the two recordings. loads: the first is what the others are compared with.

    Raises:
        ToonfilterError: the clip or the style cannot be opened.
    """
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="toonfilter-scaling-") as temporary:
        archive = Path(temporary) / "archive"
        archive.mkdir()
        pictures = load_clip(clip, 1280, 720, faces=1, count=48)
        for number in range(_RECORDINGS):
            write_video(archive / f"{number}.mp4", pictures, frames, _FPS)
        opener = file_filter_opener(FilterSettings(style=style))
        for place, load in enumerate(loads):
            output = Path(temporary) / f"out-{place}"
            with _kept_to(load.cores):
                workers = LocalWorkers(load.workers)
                try:
                    report = run_batch(archive, output, opener, workers, BatchOptions(segment_s=_SEGMENT_S))
                finally:
                    workers.close()
            first = results[0]["fps"] if results else report.fps
            results.append(
                {
                    **load._asdict(),
                    "frames": report.frames,
                    "failures": len(report.failures),
                    "fps": round(report.fps, 2),
                    "to_first": round(report.fps / first, 2) if first else 0.0,
                }
            )
            if progress:
                progress(Progress(place + 1, len(loads), "batch, by number of cores and workers"))
    return results


@contextmanager
def _kept_to(count: int) -> Iterator[None]:
    """Threads and processes that are started meanwhile run on the first so many cores only."""
    cores = usable_cores()
    if sys.platform != "linux" or count >= len(cores):
        yield
        return
    os.sched_setaffinity(0, cores[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
