"""`cam` told to stop while the model is still being loaded, by a library that does not come back."""

import json
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys, threading
from toonfilter import cli
from toonfilter.runtime import errors
from toonfilter.runtime.filter import toon_filter

class Stuck:
    def __init__(self, *arguments, **options):
        print("loading", flush=True)
        if {is_stuck}:
            threading.Event().wait()
        raise errors.BackendError("no engine")

toon_filter.ToonFilter = Stuck
atexit.register(print, "torn down", flush=True)
sys.argv = "toonfilter cam --camera test --size 64 48".split() + sys.argv[1:]
cli.main()
"""


def start(tmp_path, *, is_stuck):
    words = ("--output", str(tmp_path / "out.mp4"), "--audit", str(tmp_path / "audit.jsonl"))
    command = [sys.executable, "-c", PROGRAM.replace("{is_stuck}", str(is_stuck)), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_the_model_loads_it_ends_covered_and_without_tearing_the_interpreter_down(tmp_path, way):
    process = start(tmp_path, is_stuck=True)
    while process.stdout.readline() != "loading\n":
        assert process.poll() is None
    process.send_signal(way)
    told = process.communicate(timeout=120)[0]
    assert process.returncode == 0, told
    assert "live-draw does not answer and is left behind" in told
    assert "exposed 0" in told
    # Threads inside native code end the process with a signal when Python pulls the ground from under them.
    assert "torn down" not in told
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(len(lines)))
    assert {line["state"] for line in lines} == {"covered"}
    assert lines[-1]["reason"] == "stopped"
    assert (tmp_path / "out.mp4").stat().st_size > 0


def test_with_all_threads_ended_python_ends_as_usual(tmp_path):
    process = start(tmp_path, is_stuck=False)
    told = process.communicate(timeout=120)[0]
    assert process.returncode == 1
    assert "error: no engine" in told
    assert "torn down" in told
