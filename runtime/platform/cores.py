"""The cores that this process may use, and OpenCV's threads where there are few."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

FEW_CORES = 2
"""Up to so many, the stages of a frame keep all cores busy. Raising it spares threads on larger machines, too."""


def usable_cores() -> list[int]:
    """Numbers of the cores that this process may run on; a container may have fewer than the machine."""
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
