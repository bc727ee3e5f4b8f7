"""When and where the tracker looks: beats of time, and what moved."""

import cv2
import numpy as np
import pytest

from toonfilter.runtime.faces.config import TrackingConfig
from toonfilter.runtime.faces.motion import Motion, Newcomers, RateLimiter
from toonfilter.runtime.geometry.box import Box


def due(times_s):
    beats = RateLimiter()
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
    motion = Motion(TrackingConfig())
    assert motion.change(image, []).around is None
    motion.remember()
    image[100:160, 400:460] = 200
    found = motion.change(image, []).around
    assert found is not None
    assert found.holds((430, 130))
    assert found.width < 100
    assert motion.change(image, [Box(380, 80, 480, 180)]).around is None


def beat(newcomers, changed, known, width, height, moved=None):
    newcomers.update(changed, changed if moved is None else moved, known, width, height)


def changed_at(rows, columns):
    changed = np.zeros((54, 96), bool)
    changed[rows, columns] = True
    return changed


@pytest.mark.parametrize(
    ("columns", "expected"), [(slice(0, 4), Box(0, 90, 50, 210)), (slice(92, 96), Box(910, 90, 960, 210))]
)
@pytest.mark.parametrize(("moved", "beats"), [(slice(0), 16), (slice(30, 60), 4)])
def test_what_comes_in_at_a_side_is_covered_for_a_while(columns, expected, moved, beats):
    """Longer where only the newcomer stopped than where the camera moves, which brings in more of the room."""
    newcomers = Newcomers()
    beat(newcomers, changed_at(slice(10, 20), columns), [], 960, 540)
    assert newcomers.boxes == [expected]
    still = np.zeros((54, 96), bool)
    for _ in range(beats):
        beat(newcomers, still, [], 960, 540, changed_at(slice(10, 20), moved))
        assert newcomers.boxes == [expected]
    beat(newcomers, still, [], 960, 540, changed_at(slice(10, 20), moved))
    assert newcomers.boxes == []


def test_a_place_at_the_side_grows_until_a_face_is_known_there():
    newcomers = Newcomers()
    beat(newcomers, changed_at(slice(10, 20), slice(0, 4)), [], 960, 540)
    beat(newcomers, changed_at(slice(15, 30), slice(1, 9)), [], 960, 540)
    assert newcomers.boxes == [Box(0, 90, 100, 310)]
    beat(newcomers, np.zeros((54, 96), bool), [Box(500, 100, 600, 200)], 960, 540)
    assert newcomers.boxes == [Box(0, 90, 100, 310)]
    beat(newcomers, np.zeros((54, 96), bool), [Box(0, 150, 80, 250)], 960, 540)
    assert newcomers.boxes == []


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (slice(10, 12), slice(0, 4)),
        (slice(0, 54), slice(0, 96)),
        (slice(10, 20), slice(3, 20)),
        (slice(0, 0), slice(0)),
    ],
)
def test_little_far_from_the_sides_or_half_the_picture_is_nobody(rows, columns):
    newcomers = Newcomers()
    beat(newcomers, changed_at(rows, columns), [], 960, 540)
    assert newcomers.boxes == []


@pytest.mark.parametrize(("end", "is_somebody"), [(60, True), (80, False)])
def test_where_much_of_the_rest_moves_too_the_camera_does(end, is_somebody):
    changed = changed_at(slice(10, 30), slice(0, 8))
    changed[40, 40:end] = True
    newcomers = Newcomers()
    beat(newcomers, changed, [], 960, 540)
    assert bool(newcomers.boxes) is is_somebody


def test_a_change_of_light_is_nobody():
    image = np.random.default_rng(2).integers(60, 200, (6, 8, 3)).astype(np.uint8).repeat(60, 0).repeat(80, 1)
    motion = Motion(TrackingConfig())
    motion.change(image, [])
    motion.remember()
    image = (image * 0.7).astype(np.uint8)
    assert motion.change(image, []).around is not None
    assert motion.newcomers.boxes == []
    image[100:200, :60] = 230
    motion.change(image, [])
    assert len(motion.newcomers.boxes) == 1


def test_a_camera_that_moves_a_little_brings_nobody_in_but_a_person_does():
    room = np.random.default_rng(3).integers(0, 256, (30, 60, 3), np.uint8)
    room = cv2.GaussianBlur(cv2.resize(room, (1600, 720), interpolation=cv2.INTER_CUBIC), (0, 0), 9)
    # At the sides of this room hangs a curtain, so that nothing new comes into sight.
    room[:, :120], room[:, 1200:] = 120, 120
    panning, still = Motion(TrackingConfig()), Motion(TrackingConfig())
    someone = room[:, :1280].copy()
    someone[200:420, :90] = (210, 160, 140)
    for motion, image in ((panning, room[:, 12:1292]), (still, someone)):
        motion.change(np.ascontiguousarray(room[:, :1280]), [])
        motion.remember()
        motion.change(np.ascontiguousarray(image), [])
    assert not panning.newcomers.boxes
    assert still.newcomers.boxes


def test_the_followed_persons_own_shoulders_are_nobody():
    face = Box(500, 200, 700, 440)
    changed = changed_at(slice(36, 50), slice(0, 6))
    alone, followed = Newcomers(), Newcomers()
    beat(alone, changed, [], 1280, 720)
    beat(followed, changed, [Box(300, 150, 560, 460)], 1280, 720)
    assert alone.boxes
    assert not followed.boxes
    beside = Newcomers()
    beat(beside, changed_at(slice(14, 26), slice(0, 5)), [face], 1280, 720)
    assert beside.boxes


def test_what_comes_between_two_beats_is_sudden_and_a_new_picture_is_a_cut():
    room = np.full((360, 640, 3), 90, np.uint8)
    motion = Motion(TrackingConfig())
    motion.change(room, [])
    motion.remember()
    assert not motion.change(room, []).is_sudden
    room[60:120, 100:150] = 220
    newcomer = motion.change(room, [])
    assert newcomer.is_sudden
    assert not newcomer.is_cut
    assert not motion.change(room, []).is_sudden
    assert motion.change(255 - room, []).is_cut
