"""The whole program between a real webcam device and a real virtual camera, watched by programs that are not ours.

Runs where /dev/video0 is a v4l2loopback device that plays the webcam and /dev/video10 one that is the virtual camera.
The tests share one run of `toonfilter cam` and follow each other. TOONFILTER_V4L2_OUT names a folder for what was
measured; TOONFILTER_V4L2_AGE_S is how long frame ages are measured (600 for the drift over ten minutes).
"""

import itertools
import signal
import threading
import time
from collections import deque

import numpy as np
import pytest
from v4l2_rig import (
    AGE_S,
    ENOUGH,
    MARKS,
    START_S,
    VIRTUAL,
    Watch,
    assert_complete,
    ffmpeg_pictures,
    get_mark,
    is_cartoon,
    is_timeout_picture,
    note,
    opencv_pictures,
    run_cam,
    wait_for_words,
)

pytestmark = MARKS


def test_before_the_first_cartoon_only_covers_go_out(cam, webcam):
    assert is_cartoon(cam.early[-1]), (cam.folder / "log.txt").read_text()[-2000:]
    assert not any(webcam.uncovered(image) for image in cam.early)
    note(pictures_before_first_cartoon=len(cam.early) - 1)


@pytest.mark.parametrize("reader", [ffmpeg_pictures, opencv_pictures])
def test_readers_come_and_go_and_see_cartoons_in_order(cam, webcam, reader):  # noqa: ARG001 - the fixture runs the program
    seen, numbers = [], []
    for time_s, image in reader(START_S):
        seen.append((time_s, image))
        mark = get_mark(image)
        numbers += [mark[1]] if mark is not None else []
        if len(set(numbers)) >= ENOUGH:
            break
    assert len(set(numbers)) >= ENOUGH, f"{len(numbers)} cartoons in {len(seen)} pictures"
    assert all(after >= before for before, after in itertools.pairwise(numbers)), "pictures out of order"
    assert not any(webcam.uncovered(image) for _, image in seen)
    rate = (len(seen) - 1) / (seen[-1][0] - seen[0][0])
    fresh = len(set(numbers)) / (seen[-1][0] - seen[0][0])
    note(
        **{reader.__name__: {"pictures": len(seen), "per_second": round(rate, 1), "fresh_per_second": round(fresh, 1)}}
    )


def test_a_second_cam_is_told_that_the_device_is_busy(cam, tmp_path):
    second = run_cam("--device", VIRTUAL, log=tmp_path / "log.txt")
    assert second.wait(START_S) != 0
    words = (tmp_path / "log.txt").read_text()
    assert "error:" in words
    assert "Traceback" not in words
    assert cam.poll() is None


def test_frame_age_from_camera_to_reader(cam, webcam):  # noqa: ARG001
    ages, times, seen = [], [], deque(maxlen=100)
    start_s = time.monotonic()
    for time_s, image in ffmpeg_pictures(max(AGE_S, START_S)):
        if len(ages) > 20 and time_s - start_s > AGE_S:
            break
        mark = get_mark(image)
        if mark is not None and mark[1] not in seen:
            # A held picture is older each time; what counts is when it first arrived.
            seen.append(mark[1])
            ages.append((int(time_s * 1000) - mark[0]) & 0xFFFFFFFF)
            times.append(time_s)
    assert len(ages) > 20
    assert max(ages) < 60_000
    third = len(ages) // 3
    # A busy machine makes single pictures late; a growing queue would make the fastest ones late too.
    drift_ms = float(np.percentile(ages[-third:], 10) - np.percentile(ages[:third], 10))
    p50, p95, p99 = (float(np.percentile(ages, share)) for share in (50, 95, 99))
    seconds = times[-1] - times[0]
    note(
        frame_age_ms={
            "p50": p50,
            "p95": p95,
            "p99": p99,
            "drift": drift_ms,
            "seconds": round(seconds),
            "frames": len(ages),
        }
    )
    assert drift_ms < max(250, 0.5 * p50)


def test_an_unplugged_camera_is_covered_and_comes_back(cam, webcam):
    log = cam.folder / "log.txt"
    losses = log.read_text().count("camera lost")
    webcam.unplug()
    wait_for_words(log, "camera lost", START_S, times=losses + 1)
    gone = [image for _, image in ffmpeg_pictures(6)]
    assert gone
    assert not any(is_cartoon(image) for image in gone)
    assert not any(webcam.uncovered(image) for image in gone)
    webcam.plug_in()
    watch = Watch(webcam)
    assert watch.until(ffmpeg_pictures(START_S), is_cartoon)
    assert watch.uncovered == 0


def test_another_camera_format_in_mid_stream(cam, webcam):
    webcam.unplug()
    webcam.plug_in(320, 240)
    wait_for_words(cam.folder / "log.txt", "320x240", START_S)
    seen = [image for _, image in ffmpeg_pictures(12)]
    assert cam.poll() is None
    assert seen
    assert not any(webcam.uncovered(image) for image in seen)
    webcam.unplug()
    webcam.plug_in()


def test_suspended_it_shows_the_timeout_picture_and_goes_on_when_resumed(cam, webcam):
    pictures, watch = opencv_pictures(3 * START_S), Watch(webcam)
    assert watch.until(pictures, is_cartoon)
    cam.send_signal(signal.SIGSTOP)
    try:
        assert watch.until(pictures, is_timeout_picture)
    finally:
        cam.send_signal(signal.SIGCONT)
    assert watch.until(pictures, is_cartoon)
    pictures.close()
    assert watch.uncovered == 0


def test_ctrl_c_ends_covered_with_a_report_and_everything_is_accounted_for(cam, webcam):
    last, is_reading = [], threading.Event()

    def watch():
        for time_s, image in ffmpeg_pictures(START_S):
            last.append((time_s, image))
            is_reading.set()
            # Its own buffers come first, then what the driver shows.
            if ended_s and time_s > ended_s[0] + 3:
                break

    ended_s = []
    watcher = threading.Thread(target=watch)
    watcher.start()
    assert is_reading.wait(START_S)
    cam.send_signal(signal.SIGINT)
    assert cam.wait(START_S) == 0
    ended_s.append(time.monotonic())
    watcher.join()
    last = [image for _, image in last]
    assert not any(webcam.uncovered(image) for image in last)
    assert not is_cartoon(last[-1])
    log = (cam.folder / "log.txt").read_text()
    assert "exposed 0" in log
    lines = assert_complete(cam.folder / "audit.jsonl")
    note(audit={state: sum(line["state"] == state for line in lines) for state in ("protected", "holding", "covered")})
