import itertools
import json
import threading
from pathlib import Path

import numpy as np
import pytest

from toonfilter.runtime.errors import BackendError, CaptureError, ConfigError, OutputError
from toonfilter.runtime.frames import Frame, PrivacyState
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.live.capture import CaptureStage
from toonfilter.runtime.live.commands import styles_from
from toonfilter.runtime.live.controls import Controls
from toonfilter.runtime.live.cover_pictures import cover_picture
from toonfilter.runtime.live.output import LiveOutput
from toonfilter.runtime.live.output_policy import LEAST_COVER_S
from toonfilter.runtime.live.pipeline import LiveOptions, run_live
from toonfilter.runtime.live.sinks import image_of
from toonfilter.runtime.live.style_watch import StyleFileWatch
from toonfilter.runtime.privacy import Guard, HiddenFace
from toonfilter.runtime.queues import LatestSlot

SOMEBODY = HiddenFace(Box(-100, -100, -90, -90))
"""Outside the picture, so that nothing has to hide it."""

PERIOD_S = 0.1


class FakeClock:
    def __init__(self):
        self.time_s = 50.0

    def now_s(self):
        return self.time_s

    def sleep(self, duration_s):
        self.time_s += max(0.0, duration_s)


class Collecting:
    """A sink that remembers, presses keys on cue, and can fail or end the run."""

    def __init__(self, *, on_send=lambda _sink: "", fail_at=None):
        self.frames = []
        self.pending = ""
        self.on_send = on_send
        self.fail_at = fail_at
        self.is_closed = False

    def send(self, safe, now_s):
        if self.fail_at is not None and len(self.frames) >= self.fail_at:
            raise OutputError("the device is gone")
        self.frames.append((safe.state, safe.index, now_s, safe.reason))
        self.pending += self.on_send(self) or ""

    def keys(self):
        pressed, self.pending = self.pending, ""
        return pressed

    def close(self):
        self.is_closed = True

    @property
    def states(self):
        return [frame[0] for frame in self.frames]


class Cartoon:
    """A filter that protects every frame; `fail` names frames that raise."""

    opened = 0

    def __init__(self, fail=lambda _index: False, gate=None):
        Cartoon.opened += 1
        self.guard = Guard()
        self.fail = fail
        self.gate = gate
        self.styles = []
        self.is_closed = False
        self.drawn = []

    def track(self, frame):
        return frame

    def draw(self, frame):
        if self.gate is not None:
            assert self.gate.wait(120)
        if self.fail(frame.index):
            raise RuntimeError("engine failed")
        self.drawn.append(frame.index)
        return self.guard.release(frame, frame.image, 255 - frame.image, [SOMEBODY])

    def cover(self, frame, reason):
        return self.guard.cover(frame, reason)

    def set_style(self, style):
        if style == "broken":
            raise BackendError("no such engine")
        self.styles.append(style)

    def close(self):
        self.is_closed = True


class Script:
    """A camera that delivers pictures one after the other; `events` raise at given picture numbers."""

    def __init__(self, events=None, refuse=(), clock=None):
        self.events = dict(events or {})
        self.refuse = list(refuse)
        self.number = 0
        self.opened = self.closed = 0
        self.is_open = False
        self.clock = clock

    def open(self):
        if self.refuse:
            raise self.refuse.pop(0)
        assert not self.is_open, "opened again without a release"
        self.opened += 1
        self.is_open = True
        return "scripted camera"

    def read(self):
        self.number += 1
        if self.number in self.events:
            raise self.events[self.number]
        import time

        time.sleep(0.001)  # a camera waits; here only so that other threads get their turn
        return np.full((24, 32, 3), self.number % 200, np.uint8), time.perf_counter()

    def close(self):
        self.closed += 1
        self.is_open = False


def safe_frame(guard, index, captured_at_s):
    frame = Frame(np.zeros((24, 32, 3), np.uint8), index, captured_at_s)
    return guard.release(frame, frame.image.copy(), frame.image, [SOMEBODY])


@pytest.fixture
def output():
    clock, sink, controls = FakeClock(), Collecting(), Controls(("cartoon", "ink"))
    live = LiveOutput(sink, controls, clock, width=32, height=24, fps=1 / PERIOD_S)
    live.clock, live.sink, live.controls = clock, sink, controls
    return live


def test_fresh_pictures_go_out_at_once_and_their_age_is_measured(output):
    guard = Guard()
    for number in range(5):
        output.clock.sleep(PERIOD_S)
        output.step((0, safe_frame(guard, number, output.clock.now_s() - 0.012)))
    assert [frame[1] for frame in output.sink.frames] == [0, 1, 2, 3, 4]
    assert output.statistics.latency().p95_ms == pytest.approx(12.0)
    assert output.statistics.first_cartoon_s == pytest.approx(PERIOD_S)
    assert output.pacer.missed == 0


def test_a_late_picture_is_repeated_then_covered_after_half_a_second(output):
    output.step((0, safe_frame(Guard(), 7, output.clock.now_s())))
    sent_at = []
    for _ in range(12):
        output.clock.sleep(output.pacer.wait_s())
        output.step(None)
        sent_at.append(output.clock.now_s() - 50.0)
    assert sent_at == pytest.approx([0.15 + PERIOD_S * number for number in range(12)])
    held = [state for state in output.sink.states[1:] if state is PrivacyState.PROTECTED]
    assert len(held) == 4  # at 0.15, 0.25, 0.35 and 0.45 s
    assert output.sink.states[5:] == [PrivacyState.COVERED] * 8
    assert output.statistics.states["holding"] == 4


def shown_while(output, period_s, seconds, guard):
    """Whether the cartoon was shown, in every tick of 10 ms, where a picture comes in every period, two periods old."""
    shown, ticks = [], round(period_s / 0.01)
    for tick in range(round(seconds / 0.01)):
        output.clock.sleep(0.01)
        item = (0, safe_frame(guard, tick, output.clock.now_s() - 2 * period_s)) if tick % ticks == ticks - 1 else None
        output.step(item)
        if output.sink.states:
            shown.append(output.sink.states[-1] is not PrivacyState.COVERED)
    return shown


def changes(shown):
    return sum(one != other for one, other in itertools.pairwise(shown))


@pytest.mark.parametrize("period_s", [0.65, 0.8, 1.5])
def test_a_machine_that_is_always_too_slow_shows_one_cover_that_stays(output, period_s):
    assert changes(shown_while(output, period_s, 12.0, Guard())) <= 2


@pytest.mark.parametrize("period_s", [0.03, 0.1, 0.3, 0.45])
def test_a_machine_that_is_fast_enough_never_shows_a_cover(output, period_s):
    guard = Guard()
    shown_while(output, period_s, 1.0, guard)
    assert all(shown_while(output, period_s, 12.0, guard))


def test_after_late_pictures_the_cartoon_comes_back_when_they_were_in_time_for_a_second(output):
    guard = Guard()
    assert shown_while(output, 0.1, 1.0, guard)[-1]
    late = shown_while(output, 0.8, 4.0, guard)
    assert not late[-1]
    back = shown_while(output, 0.1, 3.0, guard)
    assert changes(back) == 1
    assert back[-1]
    # The last late picture ran out, and the first in time came, within the first two tenths.
    assert 0.8 <= back.index(True) * 0.01 <= LEAST_COVER_S + 0.2
    assert output.sink.frames[-1][3] == ""


def test_one_late_picture_covers_for_a_second_and_no_longer(output):
    guard = Guard()
    shown_while(output, 0.1, 1.0, guard)
    for _ in range(70):
        output.clock.sleep(0.01)
        output.step(None)
    back = shown_while(output, 0.1, 3.0, guard)
    assert changes(back) == 1
    assert back.index(True) * 0.01 == pytest.approx(LEAST_COVER_S, abs=0.12)


def test_a_picture_is_not_held_longer_because_the_guard_held_it_before(output):
    guard, start_s = Guard(), output.clock.now_s()
    output.step((0, safe_frame(guard, 1, start_s)))
    output.clock.sleep(0.4)
    held = guard.lost(Frame(np.zeros((24, 32, 3), np.uint8), 2, output.clock.now_s()), "no face found")
    assert held.state is PrivacyState.HOLDING
    output.step((0, held))
    output.clock.sleep(output.pacer.wait_s())
    assert output.clock.now_s() > start_s + 0.5
    output.step(None)
    assert output.sink.states == [PrivacyState.PROTECTED, PrivacyState.HOLDING, PrivacyState.COVERED]


def test_nothing_is_sent_before_its_time(output):
    output.step((0, safe_frame(Guard(), 0, output.clock.now_s())))
    output.clock.sleep(0.05)
    output.step(None)
    assert len(output.sink.frames) == 1


def test_hiding_covers_at_once_and_ignores_pictures_drawn_before(output):
    guard = Guard()
    output.step((0, safe_frame(guard, 0, output.clock.now_s())))
    output.controls.toggle_hidden()
    output.step((0, safe_frame(guard, 1, output.clock.now_s())))
    assert output.sink.states == [PrivacyState.PROTECTED, PrivacyState.COVERED]
    assert output.sink.frames[-1][3] == "hidden by the user"
    assert output.statistics.stale_drops == 1
    output.controls.toggle_hidden()
    output.step(None)
    assert output.sink.states[-1] is PrivacyState.COVERED
    assert output.sink.frames[-1][3] == "no fresh picture", "hiding is no change of style"
    output.step((2, safe_frame(guard, 2, output.clock.now_s())))
    assert output.sink.states[-1] is PrivacyState.PROTECTED


def test_a_change_of_style_covers_until_the_first_picture_in_the_new_one(output):
    guard = Guard()
    output.step((0, safe_frame(guard, 0, output.clock.now_s())))
    output.controls.next_style()
    assert output.controls.state.style == "ink"
    output.step((0, safe_frame(guard, 1, output.clock.now_s())))
    assert output.sink.states[-1] is PrivacyState.COVERED
    assert output.sink.frames[-1][3] == "settings change"
    output.step((1, safe_frame(guard, 2, output.clock.now_s())))
    assert output.sink.frames[-1][1] == 2


def test_one_style_stays():
    controls = Controls(("cartoon",))
    controls.next_style()
    assert controls.state.revision == 0


def test_the_audit_accounts_for_every_picture(tmp_path):
    clock = FakeClock()
    path = tmp_path / "audit.jsonl"
    live = LiveOutput(Collecting(), Controls(), clock, width=32, height=24, fps=10, audit=path)
    live.cover_now("starting")
    live.step((0, safe_frame(Guard(), 3, clock.now_s())))
    clock.sleep(0.2)
    live.step(None)
    live.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["state"] for line in lines] == ["covered", "protected", "holding"]
    assert [line["index"] for line in lines] == [0, 1, 2]
    assert [line["faces_covered"] for line in lines] == [0, 1, 1]
    assert lines[2]["is_repeat"]


def test_an_audit_that_cannot_be_written_is_told(tmp_path):
    sink = Collecting()
    with pytest.raises(OutputError, match="cannot be written"):
        run_live(Script(), Cartoon, sink, LiveOptions(32, 24, audit=tmp_path / "gone" / "a.jsonl"))
    assert sink.is_closed
    assert sink.frames == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_is_full_under_the_audit_ends_the_run_whole():
    sink, before = Collecting(), set(threading.enumerate())
    with pytest.raises(OutputError, match="/dev/full: cannot be written"):
        run_live(Script(), Cartoon, sink, LiveOptions(32, 24, audit=Path("/dev/full"), end_s=120))
    assert sink.is_closed
    assert sink.states[-1] is PrivacyState.COVERED
    assert set(threading.enumerate()) <= before


def test_the_cover_picture_has_a_figure_and_the_right_size():
    picture = cover_picture(320, 180)
    assert picture.shape == (180, 320, 3)
    assert int(picture[75, 160, 0]) - int(picture[20, 20, 0]) > 40


def test_the_capture_stage_leaves_out_what_comes_too_fast():
    clock, slot, stop = FakeClock(), LatestSlot(), threading.Event()
    taken = []

    class Fast:
        count = 0

        def open(self):
            return "fast"

        def read(self):
            self.count += 1
            if self.count > 120:
                stop.set()
            clock.sleep(1 / 120)
            item = slot.get(timeout_s=0)
            if item is not None:
                taken.append(item.captured_at_s)
            return np.zeros((2, 2, 3), np.uint8), clock.now_s()

        def close(self):
            pass

    CaptureStage(Fast(), slot, stop, fps=30, notify=lambda _: None).run()
    assert len(taken) == pytest.approx(30, abs=1)
    assert slot.dropped == 0


def until(condition, keys="q"):
    return lambda sink: keys if condition(sink) else ""


def protected(count):
    return until(lambda sink: sink.states.count(PrivacyState.PROTECTED) >= count)


def live(camera, open_filter, sink, **more):
    options = LiveOptions(32, 24, fps=200, camera_retry_s=0.001, end_s=120)
    summary = run_live(camera, open_filter, sink, options, **more)
    assert sink.is_closed
    assert sink.states[0] is PrivacyState.COVERED
    assert sink.states[-1] is PrivacyState.COVERED
    assert summary.left_behind == ()
    return summary


def test_a_run_starts_and_ends_covered_and_reports():
    statuses = []
    cartoon = Cartoon()
    sink = Collecting(on_send=protected(20))
    summary = live(Script(), lambda: cartoon, sink, on_status=statuses.append)
    assert summary.sent == len(sink.frames) == sum(summary.states.values())
    assert summary.states["exposed"] == 0
    assert 0 < summary.latency.count <= summary.states["protected"]
    assert summary.first_safe_s < summary.first_cartoon_s
    assert cartoon.is_closed
    assert statuses
    indexes = [frame[1] for frame in sink.frames if frame[0] is PrivacyState.PROTECTED]
    assert indexes == sorted(indexes)


def test_the_first_picture_is_out_before_the_camera_is_opened_and_the_model_loaded():
    sink, sent_before = Collecting(on_send=protected(1)), []

    class Late(Script):
        def open(self):
            sent_before.append(len(sink.frames))
            return super().open()

    def load():
        sent_before.append(len(sink.frames))
        return Cartoon()

    live(Late(), load, sink)
    assert min(sent_before) >= 1


def test_covered_pictures_go_out_while_the_model_is_loaded():
    loaded = threading.Event()

    def slow():
        assert loaded.wait(120)
        return Cartoon()

    def on_send(sink):
        if len(sink.frames) == 10:
            assert set(sink.states) == {PrivacyState.COVERED}
            loaded.set()
        return protected(3)(sink)

    live(Script(), slow, Collecting(on_send=on_send))


def test_a_lost_camera_is_covered_released_and_opened_again():
    lost = CaptureError("unplugged")
    camera = Script(events={30: lost, 60: lost}, refuse=[])
    notes = []
    sink = Collecting(on_send=until(lambda _: camera.number > 90))
    summary = live(camera, Cartoon, sink, notify=notes.append)
    assert summary.reconnections == 2
    assert camera.opened == 3
    assert camera.closed >= 3
    assert sum("camera lost" in note for note in notes) == 2


def test_a_camera_that_stays_away_leaves_only_covered_pictures():
    camera = Script(events={20: CaptureError("unplugged")})
    original = camera.open

    def open_once():
        if camera.opened:
            raise CaptureError("still away")
        return original()

    camera.open = open_once
    sink = Collecting(
        on_send=until(lambda sink: sink.states[-30:] == [PrivacyState.COVERED] * 30 and camera.number >= 20)
    )
    live(camera, Cartoon, sink)


def test_a_camera_that_never_opens_ends_the_run_with_its_words():
    sink = Collecting()
    with pytest.raises(CaptureError, match="busy"):
        live(Script(refuse=[CaptureError("camera 0 is busy")]), Cartoon, sink)
    assert sink.is_closed
    assert set(sink.states) == {PrivacyState.COVERED}


def test_a_filter_that_does_not_open_ends_the_run_with_its_error():
    def broken():
        raise BackendError("no engine runs")

    sink = Collecting()
    with pytest.raises(BackendError, match="no engine runs"):
        live(Script(), broken, sink)
    assert set(sink.states) == {PrivacyState.COVERED}


@pytest.mark.parametrize("fail_at", [0, 5])
def test_a_sink_that_fails_ends_the_run_with_its_error(fail_at):
    sink, before = Collecting(fail_at=fail_at), set(threading.enumerate())
    with pytest.raises(OutputError, match="the device is gone"):
        run_live(Script(), Cartoon, sink, LiveOptions(32, 24, fps=200, end_s=120))
    assert sink.is_closed
    assert set(threading.enumerate()) <= before


def test_single_failures_are_covered_and_the_run_goes_on():
    notes = []
    sink = Collecting(on_send=protected(30))
    live(Script(), lambda: Cartoon(fail=lambda index: index % 3 == 0), sink, notify=notes.append)
    assert any("engine failed" in frame[3] for frame in sink.frames)
    assert any("covered" in note for note in notes)


def test_a_filter_that_keeps_failing_is_opened_again_and_recovers():
    Cartoon.opened = 0

    def opener():
        return Cartoon(fail=(lambda _: True) if Cartoon.opened == 0 else (lambda _: False))

    live(Script(), opener, Collecting(on_send=protected(5)))
    assert Cartoon.opened == 2


def test_a_filter_that_never_recovers_ends_the_run_with_the_first_error():
    Cartoon.opened = 0
    sink = Collecting()
    with pytest.raises(RuntimeError, match="engine failed"):
        live(Script(), lambda: Cartoon(fail=lambda _: True), sink)
    assert Cartoon.opened == 4
    assert set(sink.states) == {PrivacyState.COVERED}


def test_a_filter_that_hangs_does_not_stop_the_covered_picture():
    gate = threading.Event()
    clock = FakeClock()

    def on_send(sink):
        clock.sleep(0.2)
        if len(sink.frames) == 40:
            assert PrivacyState.PROTECTED not in sink.states[5:]
            gate.set()
            return "q"
        return ""

    sink = Collecting(on_send=on_send)
    run_live(Script(), lambda: Cartoon(gate=gate), sink, LiveOptions(32, 24, fps=200), clock=clock)
    assert sink.states[-1] is PrivacyState.COVERED


def test_keys_hide_and_change_the_style():
    cartoon = Cartoon()
    pressed = []

    def on_send(sink):
        count = sink.states.count(PrivacyState.PROTECTED)
        if count == 5 and not pressed:
            pressed.append("s")
            return "s"
        if cartoon.styles and pressed == ["s"]:
            pressed.append("h")
            return "h"
        if pressed == ["s", "h"] and [frame[3] for frame in sink.frames[-5:]] == ["hidden by the user"] * 5:
            return "q"
        return ""

    live(Script(), lambda: cartoon, Collecting(on_send=on_send), controls=Controls(("cartoon", "ink")))
    assert cartoon.styles == ["ink"]


def test_while_the_user_hides_nothing_is_drawn_and_afterwards_the_cartoon_is_back():
    cartoon, shown = Cartoon(), []

    def on_send(sink):
        if not shown and PrivacyState.PROTECTED in sink.states:
            shown.append(0)
            return "h"
        if len(shown) == 1 and [frame[3] for frame in sink.frames[-2:]] == ["hidden by the user"] * 2:
            shown.append(len(cartoon.drawn))
        if (
            len(shown) == 2
            and sink.frames[-10:]
            and {frame[3] for frame in sink.frames[-10:]} == {"hidden by the user"}
        ):
            shown.append(len(cartoon.drawn))
            return "h"
        return "q" if len(shown) == 3 and sink.states[-1] is PrivacyState.PROTECTED else ""

    live(Script(), lambda: cartoon, Collecting(on_send=on_send))
    # One frame may have been in the works when the key was pressed.
    assert shown[2] - shown[1] <= 1


def test_a_style_file_that_is_saved_is_read_again(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[base]\nshade = 0.5\n")
    cartoon, notes, saved = Cartoon(), [], []

    def on_send(sink):
        if PrivacyState.PROTECTED in sink.states and not saved:
            saved.append(path.write_text("[base]\nshade = 0.25\n"))
        return "q" if cartoon.styles and sink.states[-1] is PrivacyState.PROTECTED else ""

    controls = Controls((str(path),))
    live(Script(), lambda: cartoon, Collecting(on_send=on_send), controls=controls, notify=notes.append)
    assert cartoon.styles == [str(path)]
    assert f"style: {path}" in notes


def test_the_watch_tells_a_save_once_and_forgives_a_file_that_is_gone(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("a")
    watch = StyleFileWatch(look_every_s=0)
    assert not watch.was_saved()
    watch.follow(str(path))
    assert not watch.was_saved()
    path.unlink()
    assert not watch.was_saved()
    path.write_text("longer")
    assert [watch.was_saved(), watch.was_saved()] == [True, False]
    for other in ("human", "no such style", "{" + "x" * 5000 + ".toml"):
        watch.follow(other)
        assert not watch.was_saved()


def test_the_key_for_styles_goes_through_style_files_too(tmp_path, monkeypatch):
    monkeypatch.setenv("TOONFILTER_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.toml").write_text("[base]\nshade = 0.5\n")
    controls = Controls(styles_from("anime"))
    seen = []
    for _ in range(8):
        seen.append(controls.state.style)
        controls.next_style()
    assert seen[0] == "anime"
    assert {"mine", "cartoon", "comic", "sketch"} <= set(seen)


class Torn(Cartoon):
    """A filter whose other styles fail in a way that is none of ours."""

    def set_style(self, style):
        raise PermissionError(f"{style}.onnx")


@pytest.mark.parametrize("kind", [Cartoon, Torn])
def test_a_style_that_cannot_be_opened_is_told_and_the_old_one_stays(kind):
    notes = []
    pressed = []

    def on_send(sink):
        if sink.states.count(PrivacyState.PROTECTED) == 3 and not pressed:
            pressed.append("s")
            return "s"
        return "q" if pressed and sink.states[-1] is PrivacyState.PROTECTED and notes[1:] else ""

    live(Script(), kind, Collecting(on_send=on_send), controls=Controls(("cartoon", "broken")), notify=notes.append)
    assert any("the old one stays" in note for note in notes)


def test_a_filter_opened_again_draws_in_the_style_that_was_wished():
    filters, pressed = [], []

    def opener():
        filters.append(Cartoon(fail=lambda _: len(filters) == 1 and bool(filters[0].styles)))
        return filters[-1]

    def on_send(sink):
        if PrivacyState.PROTECTED in sink.states and not pressed:
            pressed.append("s")
            return "s"
        return "q" if len(filters) == 2 and sink.states[-5:] == [PrivacyState.PROTECTED] * 5 else ""

    live(Script(), opener, Collecting(on_send=on_send), controls=Controls(("cartoon", "ink")))
    assert [one.styles for one in filters] == [["ink"], ["ink"]]


def test_stopping_from_outside_ends_the_run():
    stop = threading.Event()
    sink = Collecting(on_send=lambda sink: stop.set() if len(sink.frames) == 5 else None)
    live(Script(), Cartoon, sink, stop=stop)


def test_hundreds_of_frames_leave_threads_and_queues_as_they_were():
    before = set(threading.enumerate())
    summary = live(Script(), Cartoon, Collecting(on_send=until(lambda sink: len(sink.frames) > 250)))
    assert set(threading.enumerate()) <= before
    assert summary.sent > 250


@pytest.mark.parametrize("wrong", [{"width": 2}, {"fps": 0}, {"fps": 1000}, {"hold_s": 2.0}])
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match="must be"):
        LiveOptions(**wrong)


def test_sinks_take_only_safe_frames():
    safe = safe_frame(Guard(), 0, 0.0)
    assert image_of(safe) is safe.image
    with pytest.raises(OutputError, match="only a SafeFrame"):
        image_of(Frame(np.zeros((2, 2, 3), np.uint8), 0))
