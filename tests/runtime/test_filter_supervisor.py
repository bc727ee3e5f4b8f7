"""What the live loop does when its filter fails: frame after frame, without threads."""

import pytest

from toonfilter.runtime.errors import BackendError
from toonfilter.runtime.live.supervisor import (
    ENGINE_TRIES,
    FAILURES_BEFORE_REOPENING,
    REOPENINGS,
    SUCCESSES_TO_FORGET,
    FilterSupervisor,
)

LOST = BackendError("device lost")


class Filter:
    """Notes what is done to it."""

    def __init__(self, opens=True):
        self.engines, self.opens, self.is_closed = [], opens, False

    def reopen_engine(self, *, fallback):
        self.engines.append(fallback)
        if not self.opens:
            raise BackendError("no such device")

    def close(self):
        self.is_closed = True


@pytest.fixture
def run():
    """A supervisor with an opened filter; its `filters` are all that were opened, `notes` what the user was told."""
    filters, notes = [], []

    def open_filter():
        filters.append(Filter())
        return filters[-1]

    supervisor = FilterSupervisor(open_filter, notes.append)
    supervisor.open()
    supervisor.filters, supervisor.notes = filters, notes
    return supervisor


def test_a_lost_device_is_tried_again_and_then_the_engine_that_runs_everywhere(run):
    for _ in range(3 * ENGINE_TRIES):
        assert run.failed(LOST) is None
    assert run.filter.engines == [False] * ENGINE_TRIES + [True] * ENGINE_TRIES
    assert run.notes == ["the filter failed (device lost); the picture is covered"]


def test_only_the_engines_own_errors_open_it_again(run):
    run.failed(RuntimeError("graph failed"))
    assert run.filter.engines == []


def test_an_engine_that_does_not_open_is_told_and_tried_again(run):
    run.filter.opens = False
    run.failed(LOST)
    run.failed(LOST)
    assert run.notes[1:] == ["the engine could not be opened again (no such device)"] * 2


def test_a_frame_that_is_drawn_ends_the_row(run):
    for _ in range(2 * FAILURES_BEFORE_REOPENING):
        assert run.failed(RuntimeError("graph failed")) is None
        run.succeeded()
    assert len(run.filters) == 1


def test_a_filter_that_keeps_failing_is_closed_and_opened_and_in_the_end_given_up(run):
    errors = iter(range(1000))
    for opened in range(1, REOPENINGS + 1):
        before = run.filter
        for _ in range(FAILURES_BEFORE_REOPENING - 1):
            assert run.failed(RuntimeError(f"error {next(errors)}")) is None
        assert run.failed(RuntimeError(f"error {next(errors)}")) is run.filter
        assert before.is_closed
        assert len(run.filters) == opened + 1
    for _ in range(FAILURES_BEFORE_REOPENING - 1):
        run.failed(RuntimeError(f"error {next(errors)}"))
    with pytest.raises(RuntimeError, match="error 0"):
        run.failed(RuntimeError(f"error {next(errors)}"))


def test_openings_long_ago_do_not_count(run):
    for _ in range(3 * REOPENINGS):
        for _ in range(FAILURES_BEFORE_REOPENING):
            run.failed(RuntimeError("graph failed"))
        for _ in range(SUCCESSES_TO_FORGET):
            run.succeeded()
    assert len(run.filters) == 3 * REOPENINGS + 1


def test_after_closing_nothing_runs(run):
    last = run.filter
    run.close()
    run.close()
    assert last.is_closed
    assert run.filter is None
