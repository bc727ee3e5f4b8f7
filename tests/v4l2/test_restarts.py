"""Programs and cameras that go away in a call and come back."""

import itertools
import json
import signal
import subprocess
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from v4l2_rig import (
    MARKS,
    START_S,
    STATES,
    VIRTUAL,
    VIVID,
    assert_complete,
    is_offered,
    is_timeout_picture,
    opencv_pictures,
    run_cam,
    wait_for,
    wait_for_words,
)

pytestmark = MARKS


def newest_frame(audit):
    """Number of the newest camera picture that something was made of; -1 before the first."""
    whole = audit.read_text().rpartition("\n")[0].splitlines()
    return max((json.loads(line)["frame"] for line in whole), default=-1)


def test_a_webcam_pulled_out_is_taken_up_again(tmp_path):
    if subprocess.run(["modprobe", *VIVID.split()], check=False).returncode:
        pytest.skip("needs the vivid test driver")
    driver = Path("/sys/bus/platform/drivers/vivid")
    log, audit = tmp_path / "log.txt", tmp_path / "audit.jsonl"
    process = run_cam("--audit", str(audit), log=log, camera="vivid")
    try:
        for turn in (1, 2):
            wait_for_words(log, "camera: vivid", START_S, times=turn)
            before = newest_frame(audit)
            wait_for(lambda seen=before: newest_frame(audit) > seen, START_S, "pictures of the camera")
            (driver / "unbind").write_text("vivid.0")
            wait_for_words(log, "camera lost", START_S, times=turn)
            assert is_offered()
            (driver / "bind").write_text("vivid.0")
        wait_for_words(log, "camera: vivid", START_S, times=3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_S) == 0
    finally:
        process.kill()
        process.wait()
    assert "came back 2 times" in log.read_text()
    assert_complete(audit)


def test_the_asked_rate_is_kept(tmp_path):
    process = run_cam("--fps", "5", log=tmp_path / "log.txt", camera="test")
    try:
        wait_for_words(tmp_path / "log.txt", "camera: test pattern", START_S)
        times_s = [time_s for time_s, _ in itertools.islice(opencv_pictures(START_S), 50)]
    finally:
        process.kill()
        process.wait()
    # A machine that stands still for a moment makes single gaps long.
    assert np.median(np.diff(times_s)) == pytest.approx(1 / 5, rel=0.2)


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM])
def test_after_a_crash_in_a_call_the_timeout_picture_shows_and_the_next_start_works(webcam, tmp_path, way):
    audit = tmp_path / "audit.jsonl"
    process = run_cam("--audit", str(audit), log=tmp_path / "log.txt")
    try:
        wait_for(is_offered, START_S, "the virtual camera")
        capture = cv2.VideoCapture(VIRTUAL, cv2.CAP_V4L2)
        assert capture.read()[0]
        process.send_signal(way)
        process.wait(START_S)
        # What was still in the driver's buffers is read first.
        time.sleep(2.5)
        after = [image[..., ::-1] for is_whole, image in (capture.read() for _ in range(5)) if is_whole]
    finally:
        process.kill()
        process.wait()
    assert not any(webcam.uncovered(image) for image in after)
    assert {json.loads(line)["state"] for line in audit.read_text().splitlines()} <= STATES
    if way is signal.SIGKILL:
        assert is_timeout_picture(after[-1])
    # The call goes on reading, and gets no garbage from a start at another size.
    refused = run_cam("--size", "320", "240", log=tmp_path / "refused.txt")
    assert refused.wait(START_S) == 1
    assert "keeps 640x480 while a program reads it" in (tmp_path / "refused.txt").read_text()
    again = run_cam("--seconds", "4", log=tmp_path / "again.txt")
    while again.poll() is None:
        is_whole, image = capture.read()
        assert not is_whole or not webcam.uncovered(image[..., ::-1])
    capture.release()
    words = (tmp_path / "again.txt").read_text()
    assert again.returncode == 0, words
    assert f"virtual camera: {VIRTUAL}" in words
