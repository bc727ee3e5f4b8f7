import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toonfilter.runtime.latency import RateMeter, StageReport, percentile


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.floats(0, 100))
def test_percentiles_equal_numpys(values, percent):
    assert percentile(values, percent) == pytest.approx(float(np.percentile(values, percent)), rel=1e-9, abs=1e-6)


def test_no_values_give_zeros():
    assert percentile([], 95) == 0.0
    assert StageReport.of([]) == StageReport(0, 0.0, 0.0, 0.0, 0.0)


def test_a_report_is_in_ms():
    report = StageReport.of([number / 1000 for number in range(100)])
    assert (report.count, report.max_ms) == (100, pytest.approx(99.0))
    assert report.p50_ms == pytest.approx(49.5)


def test_a_rate_counts_gaps_not_stamps():
    meter = RateMeter(window_s=2.0)
    assert meter.per_second(0.0) == 0.0
    for number in range(31):
        meter.add(number / 30)
    assert meter.per_second(1.0) == pytest.approx(30.0)
    assert meter.per_second(10.0) == 0.0
