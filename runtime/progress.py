"""How far a long job is: one shape for all of them."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_SHOWN_EVERY_S = 0.2
"""Between two words about a job. Raising it makes bars move in steps."""


@dataclass(frozen=True, slots=True)
class Progress:
    """done, total: in the job's own unit, which `words` names. fresh: done in this run, where one was resumed.

    fps: of this run. left_s: None while unknown.
    """

    done: int
    total: int
    words: str = ""
    fps: float = 0.0
    left_s: float | None = None
    fresh: int = 0


ShowProgress = Callable[[Progress], None]


class ProgressCounter:
    """Frames made in this run, from any thread, and what is told of them.

    frames_before: made in earlier runs. total: frames of the file.
    """

    def __init__(self, show: ShowProgress | None, frames_before: int, total: int) -> None:
        self._show, self._frames_before, self._total = show, frames_before, total
        self._lock = threading.Lock()
        self._start_s = time.perf_counter()
        self._shown_s = 0.0
        self.frames = 0

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self._start_s

    def add(self, frames: int) -> None:
        """So many more frames were made; shown about five times a second."""
        with self._lock:
            self.frames += frames
            now_s = time.perf_counter()
            if self._show is None or now_s - self._shown_s < _SHOWN_EVERY_S or not frames:
                return
            self._shown_s = now_s
            fps = self.frames / (now_s - self._start_s)
            done = self._frames_before + self.frames
            left_s = max(0, self._total - done) / fps if fps > 0 else None
            self._show(Progress(done, self._total, "frames", fps, left_s, self.frames))
