"""Which cores there are, and OpenCV's threads where they are few."""

import os
import subprocess
import sys

import cv2
import pytest

from toonfilter.runtime.platform import cores


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all cores of the machine count")
def test_a_process_that_is_kept_to_a_core_has_one() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(before)])
    try:
        assert cores.usable_cores() == [min(before)]
    finally:
        os.sched_setaffinity(0, before)
    assert cores.usable_cores() == sorted(before)


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
