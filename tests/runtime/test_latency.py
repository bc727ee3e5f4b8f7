import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toonfilter.runtime.latency import RateMeter, StageReport, StageTimer, percentile


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.floats(0, 100))
def test_percentiles_equal_numpys(values, percent):
    assert percentile(values, percent) == pytest.approx(float(np.percentile(values, percent)), rel=1e-9, abs=1e-6)


def test_no_values_give_zeros():
    assert percentile([], 95) == 0.0
    assert StageReport.of([]) == StageReport(0, 0.0, 0.0, 0.0, 0.0)


def test_stages_are_reported_in_ms_and_memory_is_bounded():
    timer = StageTimer(keep=10)
    for number in range(100):
        timer.add("translate", number / 1000)
    with pytest.raises(ValueError, match="boom"), timer.stage("blend"):
        raise ValueError("boom")
    report = timer.report()
    assert list(report) == ["translate", "blend"]
    assert report["translate"].count == 10
    assert report["translate"].max_ms == pytest.approx(99.0)
    assert timer.as_json()["blend"]["count"] == 1


def test_a_rate_counts_gaps_not_stamps():
    meter = RateMeter(window_s=2.0)
    assert meter.per_second(0.0) == 0.0
    for number in range(31):
        meter.add(number / 30)
    assert meter.per_second(1.0) == pytest.approx(30.0)
    assert meter.per_second(10.0) == 0.0
