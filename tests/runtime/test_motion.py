"""When and where the tracker looks: beats of time, and what moved."""

import numpy as np
import pytest

from toonfilter.runtime.faces import Box
from toonfilter.runtime.motion import Beats, Motion


def due(times_s):
    beats = Beats()
    return [beats.is_due(time_s) for time_s in times_s]


@pytest.mark.parametrize(("fps", "beats"), [(10, 10), (25, 25), (30, 30), (44, 30), (50, 30), (60, 30), (120, 30)])
def test_faster_cameras_get_no_more_beats(fps, beats):
    assert sum(due(number / fps for number in range(10 * fps))) == pytest.approx(10 * beats, abs=1)


def test_at_60_fps_every_other_frame_is_a_beat():
    assert due(number / 60 for number in range(8)) == [True, False] * 4


def test_every_frame_of_a_jittering_30_fps_camera_is_a_beat():
    noise = np.random.default_rng(1).uniform(-0.004, 0.004, 300)
    assert all(due(np.arange(300) / 30 + noise))


def test_without_a_time_or_with_one_that_stands_still_every_frame_is_a_beat():
    assert due([None] * 3 + [5.0] * 3) == [True] * 6


def test_after_a_pause_there_is_no_burst():
    assert due([0.0, 10.0, 10.01, 10.02]) == [True, True, False, False]


def test_motion_is_found_beside_known_faces_only():
    image = np.zeros((360, 640, 3), np.uint8)
    motion = Motion()
    assert motion.elsewhere(image, []) is None
    motion.remember()
    image[100:160, 400:460] = 200
    found = motion.elsewhere(image, [])
    assert found is not None
    assert found.holds((430, 130))
    assert found.width < 100
    assert motion.elsewhere(image, [Box(380, 80, 480, 180)]) is None
