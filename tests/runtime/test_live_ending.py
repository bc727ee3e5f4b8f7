"""`cam` told to stop while the model is still being loaded, by a library that is slow or does not come back."""

import contextlib
import json
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import atexit, ctypes, sys, threading
import numpy as np
from toonfilter.runtime.live import stage_threads

if {way!r} in ("is_slow", "hangs_and_is_waited_for"):
    stage_threads.END_S = 600.0  # a default of `LiveOptions`, which `cli` imports

from toonfilter import cli
from toonfilter.runtime import errors
from toonfilter.runtime.faces.detector import FaceDetector
from toonfilter.runtime.filter import toon_filter

def hangs_in_python():
    threading.Event().wait()

hangs_and_is_waited_for = hangs_in_python

def hangs_in_native_code():
    ctypes.CDLL(None).sleep(600)

def is_slow():
    detector, image = FaceDetector(), np.zeros((720, 1280, 3), np.uint8)
    may_end = threading.Thread(target=sys.stdin.read, daemon=True)
    may_end.start()
    while may_end.is_alive():
        detector.find(image)

def fails():
    pass

class Model:
    def __init__(self, *arguments, **options):
        print("loading", flush=True)
        globals()[{way!r}]()
        raise errors.BackendError("no engine")

toon_filter.ToonFilter = Model
atexit.register(print, "torn down", flush=True)
sys.argv = "toonfilter cam --camera test --size 64 48".split() + sys.argv[1:]
cli.main()
"""


@pytest.fixture
def start(tmp_path):
    """Starts `cam`, whose model does what is named when it is loaded; returns its process once that has begun."""
    with contextlib.ExitStack() as started:
        yield lambda way: _start(tmp_path, way, started)


def _start(tmp_path, way, started):
    words = ("--output", str(tmp_path / "out.mp4"), "--audit", str(tmp_path / "audit.jsonl"))
    command = [sys.executable, "-c", PROGRAM.replace("{way!r}", repr(way)), *words]
    process = started.enter_context(
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    )
    started.callback(process.kill)
    while process.stdout.readline() != "loading\n":
        assert process.poll() is None
    return process


def read_until_waiting_for_drawing(process):
    """Read until the stages that are waited for are named; on a busy machine they are more than the one that draws."""
    while not ("waiting for" in (line := process.stdout.readline()) and "live-draw" in line):
        assert process.poll() is None


def assert_all_was_covered(tmp_path):
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(len(lines)))
    assert {line["state"] for line in lines} == {"covered"}
    assert lines[-1]["reason"] == "stopped"


@pytest.mark.parametrize("way", ["hangs_in_python", "hangs_in_native_code"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_thread_that_hangs_is_left_behind_and_python_ends_as_usual(start, tmp_path, way, number):
    process = start(way)
    process.send_signal(number)
    told = process.communicate(timeout=120)[0]
    assert process.returncode == 0, told
    assert "live-draw does not answer and is left behind" in told
    assert "exposed 0" in told
    assert "torn down" in told
    assert_all_was_covered(tmp_path)
    assert (tmp_path / "out.mp4").stat().st_size > 0


def test_a_thread_that_is_slow_is_waited_for(start, tmp_path):
    """Python's end under threads that come back from native code would end the process with a signal."""
    process = start("is_slow")
    process.send_signal(signal.SIGTERM)
    read_until_waiting_for_drawing(process)
    told = process.communicate(timeout=120)[0]
    assert process.returncode == 1, told
    assert "left behind" not in told
    assert "error: no engine" in told
    assert "torn down" in told
    assert_all_was_covered(tmp_path)


def test_a_second_ctrl_c_waits_no_longer(start, tmp_path):
    process = start("hangs_and_is_waited_for")
    process.send_signal(signal.SIGINT)
    read_until_waiting_for_drawing(process)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=120)[0]
    assert process.returncode == 130, told
    assert "left behind" not in told
    assert_all_was_covered(tmp_path)


def test_with_all_threads_ended_python_ends_as_usual(start):
    process = start("fails")
    told = process.communicate(timeout=120)[0]
    assert process.returncode == 1
    assert "error: no engine" in told
    assert "torn down" in told
