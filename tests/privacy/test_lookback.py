"""Newcomers in files: whoever is found late is covered in the frames before, too."""

import cv2
import numpy as np
import pytest

from toonfilter.benchmarks.face_scenes import play
from toonfilter.benchmarks.leaks import leaked
from toonfilter.runtime.faces.detector import FaceDetector
from toonfilter.runtime.faces.lookback import SeenFrame, look_back
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.frames import Frame
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.video.file_filter import file_filter_opener

FACE = Box(180, 68, 272, 178)


def seen(astronaut, shift, places=()):
    """A wall before which the portrait moves; it is not there where shift is None."""
    image = np.full((400, 700, 3), 120, np.uint8)
    image[::9] = 90
    if shift is not None:
        image[40:240, shift : shift + 200] = astronaut[20:220, 130:330]
    return SeenFrame(image, list(places))


def test_a_newcomer_is_followed_back_to_where_it_came_in(astronaut):
    shifts = [None, None, 100, 112, 124, 136]
    frames = [seen(astronaut, shift) for shift in shifts]
    frames[-1].places.append(FACE.moved(136 - 130, 20))
    look_back(frames[:-1], frames[-1])
    assert [len(frame.comes_from) for frame in frames] == [0, 0, 1, 1, 1, 0]
    for frame, shift in zip(frames[2:5], shifts[2:5], strict=True):
        assert frame.comes_from[0].overlap(FACE.moved(shift - 130, 20)) > 0.7


def test_a_known_face_is_not_followed_back(astronaut):
    there = FACE.moved(-30, 20)
    frames = [seen(astronaut, 100), seen(astronaut, 100, [there]), seen(astronaut, 100, [there])]
    look_back(frames[:-1], frames[-1])
    assert not any(frame.comes_from for frame in frames)


def test_a_face_that_was_missed_for_a_moment_is_covered_there(astronaut):
    there = FACE.moved(-30, 20)
    frames = [seen(astronaut, 100, [there]), seen(astronaut, 100), seen(astronaut, 100, [there])]
    look_back(frames[:-1], frames[-1])
    assert [len(frame.comes_from) for frame in frames] == [0, 1, 0]


def blended(astronaut, share):
    """The portrait mixed with noise, so that it looks like itself to that degree."""
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8).repeat(2, 0).repeat(2, 1)
    image = seen(astronaut, None).image
    image[40:240, 100:300] = cv2.addWeighted(astronaut[20:220, 130:330], share, noise, 1 - share, 0)
    return image


def test_what_looks_a_little_like_the_newcomer_is_somebody_at_a_side_alone(astronaut):
    """Half a face comes in there; elsewhere a correlation of 0.6 is the pattern of a wall."""
    there = FACE.moved(-30, 20)
    match = {}
    for share in (0.15, 0.28, 0.38, 0.9):
        earlier, newest = SeenFrame(blended(astronaut, share), []), seen(astronaut, 100, [there])
        look_back([earlier], newest)
        at_side = [SeenFrame(np.ascontiguousarray(one.image[:, 150:]), []) for one in (earlier, newest)]
        at_side[1].places.append(there.moved(-150, 0))
        look_back(at_side[:1], at_side[1])
        over_cut = SeenFrame(blended(astronaut, share), [])
        look_back([over_cut], SeenFrame(newest.image, [there], is_cut=True))
        match[share] = [len(one.comes_from) for one in (earlier, at_side[0], over_cut)]
    assert match == {0.15: [0, 0, 0], 0.28: [0, 1, 0], 0.38: [1, 1, 0], 0.9: [1, 1, 1]}


@pytest.mark.parametrize("found_in", [3, 6])
def test_what_the_tracker_finds_late_is_covered_from_the_first_frame_on(tiny_bundle, monkeypatch, found_in):
    toon = file_filter_opener(FilterSettings(style=str(tiny_bundle.folder), engine="onnxruntime"))()
    number, search = 0, FaceDetector.search

    def late(detector, image, passes):
        right = [one for one in search(detector, image, passes) if one.box.centre[0] > image.shape[1] / 2]
        return search(detector, image, passes) if number > 8 + found_in else right

    frames = list(play("appears", frames=24))
    monkeypatch.setattr(FaceDetector, "search", late)
    tracked = []
    for number, frame in enumerate(frames):
        tracked.append(toon.track(Frame(frame.image.copy(), number, number / 25)))
        toon.look_back(tracked[max(0, number - 8) : number], tracked[-1])
    toon.look_back(tracked[-8:], None)
    for frame, one in zip(frames, tracked, strict=True):
        safe = toon.draw(one)
        assert not any(leaked(frame.image, safe.image, face)[0] for face in frame.faces)
    assert cv2.absdiff(frames[0].image, tracked[0].frame.image).any()
    toon.close()
