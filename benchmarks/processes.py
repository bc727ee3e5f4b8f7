"""What this process and those it started use together: live frames are drawn in one of their own."""

import psutil


def _family() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def cpu_s() -> float:
    """CPU time of this process and of its children that run."""
    total = 0.0
    for process in _family():
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def resident_bytes() -> int:
    """Memory of all of them; what they share counts for each."""
    total = 0
    for process in _family():
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
