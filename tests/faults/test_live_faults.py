"""Every part of the live loop fails in every way, at the first, a middle and the last frame."""

import threading
import time

import numpy as np
import pytest
from told_engine import ToldEngine

from toonfilter.runtime.backends import Opened
from toonfilter.runtime.errors import BackendError, CaptureError, OutputError
from toonfilter.runtime.faces.detection import Face, box_around
from toonfilter.runtime.faces.tracker import TrackingResult
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.filter.toon_filter import ToonFilter
from toonfilter.runtime.frames import PrivacyState, SafeFrame
from toonfilter.runtime.geometry.alignment import fit_head, mean_face
from toonfilter.runtime.live.pipeline import LiveOptions, run_live
from toonfilter.runtime.render import renderer

AFTERWARDS = 40
RECOVERED = 6
"""Different cartoons after a fault: more than were on their way when it happened."""
PERIOD_S = 0.002
PARTS = ("source", "tracker", "engine", "blend", "sink")
WAYS = ("raise", "hang", "garbage", "slow")
MOMENTS = {"first": 0, "middle": 6, "last": 9}
ERRORS = {
    "source": CaptureError,
    "tracker": RuntimeError,
    "engine": BackendError,
    "blend": ValueError,
    "sink": OutputError,
}
LANDMARKS = (mean_face() * 40 + np.array([60, 45, 0])).astype(np.float32)
FACE = Face(LANDMARKS, box_around(LANDMARKS), fit_head(LANDMARKS), 0, 1.0)
PHOTO = np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8)


class Fault:
    """Happens once, when a part comes to its n-th call."""

    def __init__(self, part, way, moment, stop):
        self.part, self.way, self.at = part, way, MOMENTS[moment]
        self.is_last, self.stop = moment == "last", stop
        self.is_stuck = way == "hang" and part != "sink"
        self.calls = dict.fromkeys(PARTS, 0)
        self.released = threading.Event()
        self.has_happened = False

    def __call__(self, part, result, garbage):
        """What the part returns: `result`, or what the fault makes of it."""
        call = self.calls[part]
        self.calls[part] += 1
        if part != self.part or call != self.at:
            return result
        self.has_happened = True
        if self.is_last:
            self.stop.set()
        if self.way == "raise":
            raise ERRORS[part](f"{part} failed")
        if self.way == "hang":
            if part == "sink":
                # It holds the loop itself; it is let go so that the loop can end.
                threading.Timer(0.4, self.released.set).start()
            assert self.released.wait(120)
        if self.way == "slow":
            time.sleep(10 * PERIOD_S)
        return garbage if self.way == "garbage" else result


class Camera:
    def __init__(self, fault):
        self.fault = fault

    def open(self):
        return "camera"

    def read(self):
        time.sleep(PERIOD_S)
        image = self.fault("source", PHOTO.copy(), np.full((4, 5), np.nan))
        return image, time.perf_counter()

    def close(self):
        pass


class Tracker:
    def __init__(self, fault):
        self.fault = fault

    def track(self, image, _):
        nonsense = TrackingResult([Face(LANDMARKS * np.nan, FACE.box, FACE.fit, 0, 1.0)])
        return self.fault("tracker", TrackingResult([FACE]) if image.ndim == 3 else TrackingResult(), nonsense)

    def reset(self):
        pass

    def close(self):
        pass


class Engine(ToldEngine):
    def __init__(self, fault):
        self.fault = fault

    def translate(self, crops, _):
        return self.fault("engine", super().translate(crops, _), np.full(crops.shape, np.nan))


class Sink:
    """Ends the run when enough was sent after the fault and it shows what it is to show then."""

    def __init__(self, fault):
        self.fault, self.sent, self.closed, self.after = fault, [], 0, []

    @property
    def cartoons_after(self):
        return {index for state, index in self.after if state is PrivacyState.PROTECTED}

    def send(self, safe, _):
        assert isinstance(safe, SafeFrame)
        self.sent.append((safe.state, safe.image.copy()))
        if self.fault.has_happened:
            self.after.append((safe.state, safe.index))
            if self.fault.is_stuck:
                is_over = all(state is PrivacyState.COVERED for state, _ in self.after[-AFTERWARDS:])
            else:
                is_over = len(self.cartoons_after) >= RECOVERED
            if is_over and len(self.after) >= AFTERWARDS:
                self.fault.stop.set()
        if safe.state is PrivacyState.PROTECTED:
            self.fault("sink", None, None)

    def keys(self):
        return ""

    def close(self):
        self.closed += 1


def shows_the_face(image):
    """Whether enough of the photo's face is left to call it uncovered."""
    if image.shape != PHOTO.shape:
        return False
    columns, rows = np.rint(LANDMARKS[:, :2]).astype(int).T
    same = np.abs(image[rows, columns].astype(int) - PHOTO[rows, columns]).max(1) <= 2
    return bool(same.mean() > 0.1)


@pytest.fixture
def run(tiny_bundle, monkeypatch):
    """Runs the live loop with one fault; returns the fault, the sink, the notes and the error that came out."""
    faults, before = [], set(threading.enumerate())

    def go(part, way, moment):
        stop, notes = threading.Event(), []
        fault = Fault(part, way, moment, stop)
        faults.append(fault)
        sink = Sink(fault)
        blend = renderer.paste

        def paste(image, *rest):
            blend(image, *rest)
            fault("blend", None, None)
            if fault.part == "blend" and fault.way == "garbage" and fault.calls["blend"] == fault.at + 1:
                image[:] = PHOTO

        monkeypatch.setattr(renderer, "paste", paste)

        def open_filter():
            opener = lambda *_: Opened(Engine(fault), {})  # noqa: E731
            settings = FilterSettings(style=str(tiny_bundle.folder))
            return ToonFilter(settings, tracker=Tracker(fault), opener=opener)

        # Whoever hangs is left behind soon; nobody else is.
        options = LiveOptions(120, 90, fps=200, camera_retry_s=0.005, end_s=0.5 if fault.is_stuck else 120)
        limit = threading.Timer(120, stop.set)
        limit.daemon = True
        limit.start()
        error = None
        try:
            run_live(Camera(fault), open_filter, sink, options, notify=notes.append, stop=stop)
        except Exception as caught:
            error = caught
        limit.cancel()
        return fault, sink, notes, error

    yield go
    for fault in faults:
        fault.released.set()
    deadline = time.monotonic() + 60
    while not set(threading.enumerate()) <= before:
        assert time.monotonic() < deadline, "a thread of the loop did not end"
        time.sleep(0.005)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("part", PARTS)
def test_no_fault_uncovers_a_face_or_stops_the_loop_for_good(run, part, way, moment):
    fault, sink, notes, error = run(part, way, moment)
    assert fault.has_happened
    states = [state for state, _ in sink.sent]
    assert not any(shows_the_face(image) for state, image in sink.sent if state is not PrivacyState.COVERED)
    assert PrivacyState.EXPOSED not in states
    assert states[0] is PrivacyState.COVERED
    assert sink.closed == 1
    if part == "sink" and way == "raise":
        assert str(error) == "sink failed"
        return
    assert error is None
    assert states[-1] is PrivacyState.COVERED
    assert any("left behind" in note for note in notes) == fault.is_stuck
    if moment == "last":
        return
    if fault.is_stuck:
        assert states[-AFTERWARDS:] == [PrivacyState.COVERED] * AFTERWARDS
    else:
        # The loop recovered: new cartoons.
        assert len(sink.cartoons_after) >= RECOVERED
