"""MediaPipe's notes are silenced, and what the user is told is not."""

import os
import subprocess
import sys

import pytest

from toonfilter.runtime.mediapipe_graphs import quiet_stderr

TOLD_WHILE_QUIET = """
import os, typer
from toonfilter import cli
from toonfilter.runtime.errors import CaptureError
from toonfilter.runtime.mediapipe_graphs import quiet_stderr

def talk():
    with quiet_stderr():
        os.write(2, b"note of a library\\n")
        with cli._StatusLine() as line:
            line.note("camera: HD Webcam")
        raise CaptureError("no camera")

cli.app = talk
cli.main()
"""


def test_what_the_user_is_told_comes_through_while_a_graph_starts():
    ended = subprocess.run([sys.executable, "-c", TOLD_WHILE_QUIET], capture_output=True, text=True, check=False)
    assert ended.stderr.splitlines() == ["camera: HD Webcam", "error: no camera"]
    assert ended.returncode == 1


@pytest.mark.parametrize("first_leaves", [0, 1])
def test_threads_that_are_quiet_at_once_leave_stderr_as_it_was(capfd, first_leaves):
    users = [quiet_stderr(), quiet_stderr()]
    for user in users:
        user.__enter__()
    os.write(2, b"both ")
    users[first_leaves].__exit__(None, None, None)
    os.write(2, b"one ")
    users[1 - first_leaves].__exit__(None, None, None)
    os.write(2, b"none")
    assert capfd.readouterr().err == "none"


def test_a_program_without_stderr_starts_graphs_too():
    code = "from toonfilter.runtime.mediapipe_graphs import quiet_stderr as q; [q().__enter__(), print('started')]"
    ended = subprocess.run(
        f'"{sys.executable}" -c "{code}" 2>&-', shell=True, capture_output=True, text=True, check=False
    )
    assert ended.stdout == "started\n"
