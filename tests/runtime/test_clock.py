import pytest
from hypothesis import given
from hypothesis import strategies as st

from toonfilter.runtime.clock import Pacer, SystemClock


class FakeClock:
    """Time that moves only when told; `overshoot_s` models a sleep that returns late."""

    def __init__(self, overshoot_s: float = 0.0) -> None:
        self.time_s = 100.0
        self.overshoot_s = overshoot_s

    def now_s(self) -> float:
        return self.time_s

    def sleep(self, duration_s: float) -> None:
        self.time_s += duration_s + self.overshoot_s

    def advance(self, duration_s: float) -> None:
        self.time_s += duration_s


def test_deadlines_do_not_drift_with_late_sleeps():
    clock = FakeClock(overshoot_s=0.003)
    pacer = Pacer(0.04, clock)
    for _ in range(1000):
        clock.sleep(pacer.wait_s())
        assert pacer.advance() == 0
    assert clock.time_s == pytest.approx(100.0 + 1000 * 0.04 + 0.003)
    assert pacer.missed == 0


def test_a_stall_is_skipped_and_counted_not_sent_in_a_burst():
    clock = FakeClock()
    pacer = Pacer(0.1, clock)
    clock.advance(0.55)
    assert pacer.wait_s() == 0.0
    assert pacer.advance() == 4
    assert pacer.wait_s() == pytest.approx(0.05)
    assert pacer.missed == 4


def test_restart_counts_from_now():
    clock = FakeClock()
    pacer = Pacer(0.1, clock)
    clock.advance(5.0)
    pacer.restart(delay_s=0.05)
    assert pacer.wait_s() == pytest.approx(0.15)
    assert pacer.missed == 0
    assert not pacer.is_due()


@given(st.lists(st.floats(0.0, 3.0), max_size=40), st.floats(0.005, 1.0))
def test_after_advance_the_deadline_lies_ahead_within_a_period(pauses_s, period_s):
    clock = FakeClock()
    pacer = Pacer(period_s, clock)
    for pause_s in pauses_s:
        clock.advance(pause_s)
        if pacer.is_due():
            pacer.advance()
        assert -1e-6 < pacer.deadline_s - clock.now_s() <= period_s + 1e-6


def test_the_system_clock_goes_forward():
    clock = SystemClock()
    before_s = clock.now_s()
    clock.sleep(-1.0)
    assert clock.now_s() >= before_s
