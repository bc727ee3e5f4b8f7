"""How long stages take and how often they run: percentiles and rates."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` (0..100) of the values lie, linear between neighbours; 0.0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100.0
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


@dataclass(frozen=True, slots=True)
class StageReport:
    """One stage's times in milliseconds over `count` measurements."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, durations_s: Sequence[float]) -> "StageReport":
        in_ms = [1000.0 * duration_s for duration_s in durations_s]
        return cls(
            count=len(in_ms),
            p50_ms=percentile(in_ms, 50),
            p95_ms=percentile(in_ms, 95),
            p99_ms=percentile(in_ms, 99),
            max_ms=max(in_ms, default=0.0),
        )


class RateMeter:
    """Events per second over the newest `window_s` seconds: gaps counted, not stamps."""

    def __init__(self, window_s: float = 2.0) -> None:
        self._window_s = window_s
        self._stamps_s: deque[float] = deque()
        self._lock = threading.Lock()

    def add(self, now_s: float) -> None:
        """One event at the clock's time `now_s`."""
        with self._lock:
            self._stamps_s.append(now_s)
            while self._stamps_s[0] < now_s - self._window_s:
                self._stamps_s.popleft()

    def per_second(self, now_s: float) -> float:
        """The rate now; 0.0 with fewer than two events in the window."""
        with self._lock:
            recent = [stamp_s for stamp_s in self._stamps_s if stamp_s >= now_s - self._window_s]
        if len(recent) < 2 or recent[-1] <= recent[0]:
            return 0.0
        return (len(recent) - 1) / (recent[-1] - recent[0])
