"""The real tracker in short scenes with real faces: nobody's face is in what leaves."""

import itertools
import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from toonfilter.benchmarks.face_scenes import SCENES, play, portrait
from toonfilter.benchmarks.leaks import Count, judge, leaked
from toonfilter.runtime.faces.detection import FaceMesher
from toonfilter.runtime.faces.detector import DetectionPass, FaceDetector
from toonfilter.runtime.faces.tracker import FaceTracker
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.filter.toon_filter import ToonFilter
from toonfilter.runtime.frames import Frame, PrivacyState
from toonfilter.runtime.geometry.pixelate import pixelated
from toonfilter.runtime.privacy import COVER_TILES

QUICK = ("appears", "leaves and returns", "hand over the face", "walks in", "swap")


@pytest.fixture
def toon(tiny_bundle):
    opened = ToonFilter(FilterSettings(style=str(tiny_bundle.folder), engine="onnxruntime"))
    yield opened
    opened.close()


@pytest.fixture
def tracker():
    opened = FaceTracker()
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "scene", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SCENES]
)
def test_no_face_is_left_uncovered(toon, scene):
    count = judge(play(scene, frames=24), toon)
    assert count.faces > 20
    assert count.leaks == 0
    assert count.states[PrivacyState.PROTECTED.value] > 12


def test_a_face_that_was_lost_behind_another_is_covered_as_soon_as_it_comes_out(toon):
    count = judge(play("swap", frames=48), toon)
    assert count.faces > 90
    assert count.leaks == 0


def test_the_judge_knows_a_leak():
    frame = next(iter(play("swap", frames=2)))
    assert [leaked(frame.image, frame.image, face)[0] for face in frame.faces] == [True, True]
    assert [leaked(frame.image, 255 - frame.image, face)[0] for face in frame.faces] == [False, False]
    brighter = np.clip(frame.image * 0.8 + 20, 0, 255).astype(np.uint8)
    assert all(leaked(frame.image, brighter, face)[0] for face in frame.faces)


def test_the_judge_tells_a_covered_dark_room_from_a_face_in_the_dark():
    """Three levels of brightness: most pixels of a cover are those of the room."""
    frame = next(iter(play("swap", frames=2)))
    dark = (frame.image * 0.04).astype(np.uint8)
    for face in frame.faces:
        assert leaked(dark, dark.copy(), face)[0]
        assert not leaked(dark, pixelated(dark, COVER_TILES), face)[0]
        half = pixelated(dark, COVER_TILES)
        half[:, : round(np.nonzero(face)[1].mean())] = dark[:, : round(np.nonzero(face)[1].mean())]
        assert leaked(dark, half, face)[0]


def test_counts_are_plain_data():
    count = Count(frames=2, states=Counter({"protected": 2}))
    count.add(Count(frames=1, leaks=1, states=Counter({"covered": 1})))
    assert json.loads(json.dumps(count.as_plain())) == {
        "frames": 3,
        "faces": 0,
        "leaks": 1,
        "false_alarms": 0,
        "false_alarms_per_1000_frames": 0.0,
        "likeness_max": 0.0,
        "states": {"protected": 2, "covered": 1},
    }


def test_half_a_face_at_the_side_is_seen_with_its_reflection():
    image = np.ascontiguousarray(portrait().image)
    middle = round(portrait().box.centre[0])
    detector = FaceDetector()
    try:
        for half, side in ((image[:, middle:], 0), (image[:, :middle], middle)):
            found = detector.look(np.ascontiguousarray(half), DetectionPass("short", "sides"))
            assert any(abs(one.box.centre[0] - side) < 40 for one in found)
    finally:
        detector.close()


def test_a_newcomer_is_reported_in_its_first_frame_although_the_frame_is_drawn_into_meanwhile(tracker):
    newcomers = []
    for number, frame in enumerate(play("appears", frames=24)):
        image = frame.image.copy()
        tracking = tracker.track(image, number / 25)
        image[:] = 128
        late = tracking.pending_detections()
        if len(frame.faces) == 2:
            newcomers.append(late)
    middle = np.array(np.nonzero(frame.faces[-1])).mean(1)[::-1] if frame.faces else None
    assert len(newcomers) > 10
    assert any(box.grown(0.45).holds(tuple(middle)) for box in newcomers[0])
    assert newcomers[5] == []


def test_the_place_of_a_face_that_is_gone_stays_covered_and_grows(tracker):
    widths, face_px = [], 0.0
    for number, frame in enumerate(play("leaves for good", frames=24)):
        tracking = tracker.track(frame.image, number / 25)
        tracking.pending_detections()
        if len(frame.faces) == 2:
            face_px = max(face.box.width for face in tracking.faces)
        else:
            widths.append(max((box.width for box in tracking.lost), default=0.0))
    assert len(widths) == 16
    assert min(widths) > 1.2 * face_px
    assert all(after > before for before, after in itertools.pairwise(widths[:6]))


def test_looks_at_a_failed_frame_are_over_before_the_next(toon, monkeypatch):
    image = next(iter(play("appears", frames=1))).image
    toon.process(Frame(image.copy(), 0, 0.0))
    failed, ended = threading.Event(), []

    def fail(*_):
        failed.set()
        raise RuntimeError("network failed")

    def look(*_):
        failed.wait(120)
        time.sleep(0.2)
        ended.append(True)
        return []

    with monkeypatch.context() as patch:
        patch.setattr(FaceMesher, "follow", fail)
        patch.setattr(FaceDetector, "search", look)
        with pytest.raises(RuntimeError, match="network failed"):
            toon.process(Frame(image.copy(), 1, 0.04))
        assert ended


class AtOnce(ThreadPoolExecutor):
    """Does what it is asked before it goes on, as if the detection thread were the faster thread."""

    def submit(self, call, /, *args, **kwargs):
        done = super().submit(call, *args, **kwargs)
        done.exception()
        return done


def test_what_a_look_changes_is_told_late_however_fast_it_is():
    """A tracking that is read while a look changes tracks and places could miss a face of either."""
    detection_thread = AtOnce(1)
    tracker, told = FaceTracker(detection_thread=detection_thread), []
    for number, frame in enumerate(play("appears", frames=24)):
        tracking = tracker.track(frame.image, number / 25)
        told.append((len(frame.faces), len(tracking.faces), len(tracking.pending_detections())))
    tracker.close()
    detection_thread.shutdown()
    first = next(place for place, (there, _, _) in enumerate(told) if there == 2)
    assert told[first] == (2, 1, 1)
    assert told[first + 1] == (2, 2, 0)


def test_a_failed_tracker_starts_anew(toon, monkeypatch):
    image = next(iter(play("appears", frames=1))).image
    assert toon.process(Frame(image.copy(), 0, 0.0)).state is PrivacyState.PROTECTED

    def fail(*_):
        raise RuntimeError("network failed")

    with monkeypatch.context() as patch:
        patch.setattr(FaceMesher, "follow", fail)
        with pytest.raises(RuntimeError, match="network failed"):
            toon.process(Frame(image.copy(), 1, 0.04))
    assert toon.process(Frame(image.copy(), 2, 0.08)).state is PrivacyState.PROTECTED
