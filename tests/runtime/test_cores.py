"""Who runs on which of two cores, and when the threads are let go."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import cv2
import pytest

from toonfilter.runtime.platform import cores
from toonfilter.runtime.platform.cores import CoreShare

PERIOD_S = 1 / 30
OWN, BESIDE = [11, 12], [13]
Kept = dict[int, list[int]]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    """What threads were told, on a machine with the cores 4 and 5."""
    told: Kept = {}
    monkeypatch.setattr(cores, "usable_cores", lambda: [4, 5])
    monkeypatch.setattr(cores, "_keep", lambda thread, where: told.__setitem__(thread, list(where)))
    return told


def drawn(share: CoreShare, way_s: float, frames: int = 100) -> None:
    for _ in range(frames):
        share.note(way_s, OWN, BESIDE)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all cores of the machine count")
def test_a_process_that_is_kept_to_a_core_has_one() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(before)])
    try:
        assert cores.usable_cores() == [min(before)]
    finally:
        os.sched_setaffinity(0, before)
    assert cores.usable_cores() == sorted(before)


def test_frames_that_are_done_in_time_get_a_core_of_their_own(kept: Kept) -> None:
    share = CoreShare(PERIOD_S)
    drawn(share, 0.5 * PERIOD_S)
    assert share.is_apart
    assert kept == {11: [5], 12: [5], 13: [4]}


def test_frames_that_overlap_get_both(kept: Kept) -> None:
    share = CoreShare(PERIOD_S)
    drawn(share, 0.95 * PERIOD_S)
    assert not kept
    drawn(share, 0.5 * PERIOD_S)
    drawn(share, 0.95 * PERIOD_S)
    assert not share.is_apart
    assert kept == {11: [4, 5], 12: [4, 5], 13: [4, 5]}


def test_it_does_not_change_with_every_frame(kept: Kept) -> None:
    share = CoreShare(PERIOD_S)
    drawn(share, 0.5 * PERIOD_S)
    kept.clear()
    for way in (0.8, 0.85, 0.7, 1.5, 0.8) * 20:
        share.note(0.7 * way * PERIOD_S, OWN, BESIDE)
    assert share.is_apart
    assert not kept


def test_a_filter_opened_again_has_new_threads(kept: Kept) -> None:
    share = CoreShare(PERIOD_S)
    drawn(share, 0.5 * PERIOD_S)
    share.note(0.5 * PERIOD_S, OWN, [21])
    assert kept[21] == [4]


@pytest.mark.parametrize("usable", [[], [0], [0, 1, 2], list(range(8))])
def test_other_machines_are_left_alone(usable: list[int], kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "usable_cores", lambda: usable)
    share = CoreShare(PERIOD_S)
    drawn(share, 0.1 * PERIOD_S)
    assert not share.is_apart
    assert not kept


@pytest.fixture
def thread() -> Iterator[threading.Thread]:
    done = threading.Event()
    waiting = threading.Thread(target=done.wait)
    waiting.start()
    yield waiting
    done.set()
    waiting.join()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a thread keep to a core")
def test_real_threads_go_where_they_are_told_and_back(
    thread: threading.Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    usable = sorted(os.sched_getaffinity(0))[:2]
    if len(usable) < 2:
        pytest.skip("one core")
    monkeypatch.setattr(cores, "usable_cores", lambda: usable)
    share, number = CoreShare(PERIOD_S), thread.native_id
    assert number is not None
    ended = 2**22 + 1
    for _ in range(100):
        share.note(0.5 * PERIOD_S, [ended], [number])
    assert os.sched_getaffinity(number) == {usable[0]}
    for _ in range(100):
        share.note(2 * PERIOD_S, [ended], [number])
    assert os.sched_getaffinity(number) == set(usable)
    assert set(usable) <= os.sched_getaffinity(0)


@pytest.mark.parametrize(("usable", "expected"), [(1, 1), (2, 1), (4, 3)])
def test_opencv_keeps_to_one_thread_on_few_cores_while_frames_run(
    monkeypatch: pytest.MonkeyPatch, usable: int, expected: int
) -> None:
    monkeypatch.setattr(cores, "usable_cores", lambda: list(range(usable)))
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(3)
        with cores.few_opencv_threads():
            assert cv2.getNumThreads() == expected
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="NumPy has one thread there anyway")
@pytest.mark.parametrize(("wished", "threads"), [(None, 1), ("2", 2)])
def test_numpy_has_no_threads_of_its_own_unless_the_user_wants_them(wished: str | None, threads: int) -> None:
    code = "import os, toonfilter, numpy; print(len(os.listdir('/proc/self/task')))"
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    if wished is not None:
        environment["OPENBLAS_NUM_THREADS"] = wished
    answer = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert int(answer.stdout) == threads
