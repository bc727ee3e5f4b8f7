"""Time as an argument: a clock that tests can replace, and pacing by absolute deadlines."""

import time
from typing import Protocol


class Clock(Protocol):
    """Monotonic seconds, and waiting."""

    def now_s(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def sleep(self, duration_s: float) -> None:
        """Wait at least `duration_s` seconds (0 or less: not at all)."""
        ...


class SystemClock:
    """The machine's high-resolution monotonic clock."""

    def now_s(self) -> float:
        return time.perf_counter()

    def sleep(self, duration_s: float) -> None:
        if duration_s > 0:
            time.sleep(duration_s)


class Pacer:
    """Deadlines at a fixed rate: each is start + n * period, so a late one does not push the others.

    After a stall the missed deadlines are skipped and counted, never sent in a burst.
    """

    def __init__(self, period_s: float, clock: Clock) -> None:
        self.period_s = period_s
        self.missed = 0
        self._clock = clock
        self._start_s = clock.now_s()
        self._next = 1

    @property
    def deadline_s(self) -> float:
        """The clock's time of the next deadline."""
        return self._start_s + self._next * self.period_s

    def wait_s(self) -> float:
        """Seconds until the next deadline, 0.0 when it has passed."""
        return max(0.0, self.deadline_s - self._clock.now_s())

    def is_due(self) -> bool:
        """Whether the next deadline has come."""
        return self._clock.now_s() >= self.deadline_s

    def advance(self) -> int:
        """Go on to the first deadline in the future; the number of deadlines skipped over."""
        due = int((self._clock.now_s() - self._start_s) / self.period_s)
        following = max(self._next, due) + 1
        skipped = following - self._next - 1
        self.missed += skipped
        self._next = following
        return skipped

    def restart(self, delay_s: float = 0.0) -> None:
        """Count deadlines anew from `delay_s` seconds after now; nothing counts as missed."""
        self._start_s = self._clock.now_s() + delay_s
        self._next = 1
