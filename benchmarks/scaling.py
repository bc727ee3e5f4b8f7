"""Throughput of `batch` against the number of workers: the same archive converted by one, two, ... of them."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toonfilter.benchmarks.clip import load_clip, write_video
from toonfilter.runtime.batch import BatchOptions, run_batch
from toonfilter.runtime.file_filter import file_filter_opener
from toonfilter.runtime.filter import FilterSettings
from toonfilter.runtime.piece_workers import LocalWorkers

_RECORDINGS = 2
_FPS = 30.0
_PIECE_S = 2.0


def measure_scaling(
    style: str, clip: Path, *, frames: int, counts: tuple[int, ...], progress: Callable[[int, int], None] | None = None
) -> list[dict[str, Any]]:
    """Frames per second of a 720p archive by number of workers; starting the workers and their models is included.

    frames: of each of the two recordings. counts: numbers of workers, the first is what the others are compared with.

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
        for place, count in enumerate(counts):
            workers = LocalWorkers(count)
            try:
                output = Path(temporary) / f"out-{count}"
                report = run_batch(archive, output, opener, workers, BatchOptions(piece_s=_PIECE_S))
            finally:
                workers.close()
            first = results[0]["fps"] if results else report.fps
            results.append(
                {
                    "workers": count,
                    "frames": report.frames,
                    "failures": len(report.failures),
                    "fps": round(report.fps, 2),
                    "to_one": round(report.fps / first, 2) if first else 0.0,
                }
            )
            if progress:
                progress(place + 1, len(counts))
    return results
