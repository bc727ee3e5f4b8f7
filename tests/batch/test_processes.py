"""Worker processes: how many there are, that they stop when asked, and that they never outlive their parent."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from covering_filter import CoveringFilter

from toonfilter.runtime.video import local_workers
from toonfilter.runtime.video.convert import ConvertOptions, convert
from toonfilter.runtime.video.local_workers import LocalWorkers

_DEADLINE_S = 120


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, write_noise_clip: Callable[..., None]) -> Path:
    """120 frames at 30 in a second, a key frame every second."""
    path = tmp_path_factory.mktemp("clip") / "in.mp4"
    write_noise_clip(path, (640, 480), 120, {"g": "30", "sc_threshold": "0", "crf": "40"})
    return path


@pytest.mark.parametrize(("cores", "free_bytes", "expected"), [(2, 8e9, 2), (16, 8e9, 8), (4, 6e8, 1), (64, 64e9, 64)])
def test_as_many_as_there_are_cores_and_memory_for(
    cores: int, free_bytes: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_workers, "usable_cores", lambda: list(range(cores)))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free_bytes))
    assert local_workers.default_workers() == expected


def test_stopping_processes_keeps_whole_segments_and_resumes_to_the_same_bytes(clip: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    options, workers = ConvertOptions(codec="h264", segment_s=1.0), LocalWorkers(2)
    target = tmp_path / "out.mp4"
    report = convert(clip, target, CoveringFilter, options, workers=workers, progress=lambda _: stop.set(), stop=stop)
    assert report.status == "interrupted"
    assert not target.exists()
    resumed = convert(clip, target, CoveringFilter, options, workers=workers)
    workers.close()
    assert (resumed.status, resumed.frames) == ("complete", 120)
    convert(clip, tmp_path / "straight.mp4", CoveringFilter, ConvertOptions("h264", segment_s=1.0))
    assert target.read_bytes() == (tmp_path / "straight.mp4").read_bytes()


_PARENT = """
import os, signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from toonfilter.runtime.platform.child_process import obey_parent

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=obey_parent)
    print(pool.submit(os.getpid).result(), flush=True)
    os.kill(os.getpid(), signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
"""


def test_a_worker_ends_when_its_parent_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        number = int(parent.stdout.readline())
        parent.wait(_DEADLINE_S)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(number).wait(_DEADLINE_S)
    assert not psutil.pid_exists(number)
