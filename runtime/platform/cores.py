"""The cores that are there, and two of them shared out: one for what a frame waits for, one for what goes on beside it.

A scheduler wakes a thread where it ran last, though another one runs there and the second core idles: on two cores the
threads of one frame waited for each other for 3 of its 16 ms (`docs/lab-notes.md`). With more cores there is always
a free one.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol, runtime_checkable

import cv2

FEW_CORES = 2
"""Up to so many, the stages of a frame keep all cores busy. Raising it spares threads on larger machines, too."""
_APART_BELOW, _TOGETHER_ABOVE = 0.6, 0.7
_MEMORY_FRAMES = 15


@runtime_checkable
class WorksBeside(Protocol):
    """A filter with threads of its own."""

    @property
    def threads_beside(self) -> Sequence[int]:
        """Native ids of the threads that work beside the one that calls."""
        ...


def usable_cores() -> list[int]:
    """Numbers of the cores that this process may run on; a container may have fewer than the machine."""
    # Those of the main thread: others may keep to a core of their own.
    return sorted(os.sched_getaffinity(os.getpid()) if sys.platform == "linux" else range(os.cpu_count() or 1))


@contextmanager
def few_opencv_threads() -> Iterator[None]:
    """Up to `FEW_CORES` OpenCV has no threads of its own, in the whole process: other cores have other stages to do."""
    before = cv2.getNumThreads()
    if len(usable_cores()) <= FEW_CORES:
        cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


class CoreShare:
    """Keeps threads apart while every frame is done before the next one comes; else frames overlap and need both cores.

    Does nothing where the process may run on fewer or more than two cores, or not under Linux. Not thread safe.
    is_apart: whether threads keep to their cores now.
    """

    def __init__(self, period_s: float) -> None:
        """period_s: between two frames of the camera."""
        self._period_s = period_s
        self._cores = usable_cores() if sys.platform == "linux" else []
        self._way_s = period_s
        self._threads: tuple[int, ...] = ()
        self.is_apart = False

    def note(self, way_s: float, own: Sequence[int], beside: Sequence[int]) -> None:
        """A frame was drawn.

        way_s: how long it was worked on. own: native ids of the threads that did. beside: of those that work meanwhile.
        """
        if len(self._cores) != 2 or not beside:
            return
        self._way_s += (way_s - self._way_s) / _MEMORY_FRAMES
        limit = _TOGETHER_ABOVE if self.is_apart else _APART_BELOW
        was_apart, self.is_apart = self.is_apart, self._way_s < limit * self._period_s
        before, self._threads = self._threads, (*own, *beside)
        if self.is_apart == was_apart and (not was_apart or before == self._threads):
            return
        # Interrupts come to the first core mostly.
        for core, threads in zip(self._cores, (beside, own), strict=True):
            for thread in threads:
                _keep(thread, [core] if self.is_apart else self._cores)


def _keep(thread: int, cores: Sequence[int]) -> None:
    """Let a thread run on these cores only; it may have ended meanwhile, and the system may not allow it."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.sched_setaffinity(thread, cores)
