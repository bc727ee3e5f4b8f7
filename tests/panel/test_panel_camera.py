"""The camera through the page: safe frames only, hiding at once, what is claimed is measured, closing covers."""

import json
import re
import time
from importlib.resources import files
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from panel_rig import DRAWN, LIVE, RAW, CollectingCamera, FlatCamera, FlatFilter, client_of, eventually

from toonfilter.benchmarks import watched
from toonfilter.runtime.errors import CaptureError, OutputError
from toonfilter.runtime.frames import Frame, PrivacyState
from toonfilter.runtime.panel import preview
from toonfilter.runtime.panel.look_filter import Looks
from toonfilter.runtime.panel.looks import Look
from toonfilter.runtime.panel.preview import PreviewSink, encoded
from toonfilter.runtime.platform.platform_texts import platform_texts


def do(client, action, **content):
    answer = client.post(f"/api/{action}", json=content)
    assert answer.status_code == 200, answer.text
    return answer.json()


def state_of(panel):
    return panel.snapshot()["camera"]


def picture(socket, after=0):
    """The next picture of the preview: number, and uint8 [H, W, 3] or None; states in between are skipped."""
    socket.send_text(json.dumps({"after": after, "width": 640}))
    while True:
        message = socket.receive()
        if data := message.get("bytes"):
            number = int.from_bytes(data[:4], "big")
            image = cv2.imdecode(np.frombuffer(data[4:], np.uint8), cv2.IMREAD_COLOR) if len(data) > 4 else None
            return number, image


def test_the_preview_takes_nothing_but_safe_frames():
    raw = Frame(np.full((4, 4, 3), RAW, np.uint8), 0)
    for thing in (raw, raw.image):
        with pytest.raises(OutputError, match="only a SafeFrame may leave"):
            PreviewSink().send(thing, 0.0)


def test_the_preview_is_encoded_once_for_all_who_watch_and_at_most_as_wide_as_the_page(monkeypatch):
    looks, encodings = Looks(), []
    drawing = FlatFilter(looks, looks.keep(Look()))
    sink = PreviewSink()
    monkeypatch.setattr(preview, "encoded", lambda *asked: encodings.append(asked) or encoded(*asked))
    sink.send(drawing.draw(drawing.track(Frame(np.full((720, 2000, 3), RAW, np.uint8), 0))), 0.0)
    first, again = sink.jpeg(4000), sink.jpeg(1280)
    assert len(encodings) == 1
    assert first == again
    assert cv2.imdecode(np.frombuffer(first[1], np.uint8), cv2.IMREAD_COLOR).shape == (461, 1280, 3)


def test_the_benchmark_asks_for_the_preview_as_often_as_the_page_does():
    script = files("toonfilter.runtime.panel").joinpath("static", "preview.js").read_text(encoding="utf-8")
    assert float(re.search(r"MOST_PER_SECOND = (\d+);", script)[1]) == watched.PAGE_FPS


def test_a_picture_that_is_repeated_for_long_is_held():
    sink, looks = PreviewSink(), Looks()
    drawing = FlatFilter(looks, looks.keep(Look()))
    drawn = drawing.draw(drawing.track(Frame(np.full((48, 64, 3), RAW, np.uint8), 0)))
    for now_s, state in ((0.0, "protected"), (0.1, "protected"), (0.3, "holding")):
        sink.send(drawn, now_s)
        assert sink.shown == (state, "", now_s)
    assert sink.wait_newer(0, 0.0) == 1, "a repeated picture is not sent to the page again"


def test_every_picture_of_the_page_is_covered_or_drawn(client):
    do(client, "camera/start", camera="test", output="none")
    levels, number = set(), 0
    with client.websocket_connect(LIVE) as socket:
        while not any(abs(level - DRAWN) <= 3 for level in levels):
            number, image = picture(socket, number)
            if image is not None:
                levels.add(int(np.median(image)))
    assert not any(abs(level - RAW) <= 10 for level in levels)


def test_no_object_of_the_server_holds_the_raw_picture(panel, client):
    """The page's side of the panel is reached by what it can hold: everything it keeps of pictures is a safe frame."""
    do(client, "camera/start", camera="test", output="none")
    eventually(lambda: state_of(panel)["state"] == "protected")
    held = [value for value in vars(panel.camera.preview).values() if hasattr(value, "image")]
    assert held
    assert all(type(value).__name__ == "SafeFrame" for value in held)


def test_start_hide_show_stop(client, panel):
    do(client, "camera/start", camera="test", output="none")
    eventually(lambda: state_of(panel)["state"] == "protected")
    do(client, "camera/hide", hidden=True)
    # On a busy machine a late picture is covered, too.
    eventually(lambda: state_of(panel)["why"] == "hidden")
    eventually(lambda: state_of(panel)["state"] == "covered")
    do(client, "camera/hide", hidden=True)
    assert state_of(panel)["hidden"], "hiding twice must not show"
    do(client, "camera/hide", hidden=False)
    eventually(lambda: state_of(panel)["state"] == "protected")
    do(client, "camera/stop")
    eventually(lambda: state_of(panel)["phase"] == "off")
    assert panel.camera.preview.shown[0] is PrivacyState.COVERED


def test_hiding_before_the_start_holds(make_panel):
    virtual = CollectingCamera()
    panel = make_panel(open_virtual=lambda choice: virtual)  # noqa: ARG005
    with client_of(panel) as client:
        do(client, "camera/hide", hidden=True)
        do(client, "camera/start", camera="test")
        eventually(lambda: state_of(panel).get("is_loaded"))
        sent = len(virtual.states)
        eventually(lambda: len(virtual.states) > sent + 10)
        eventually(lambda: state_of(panel)["state"] == "covered")
        assert state_of(panel)["why"] == "hidden"
        assert set(virtual.states) == {PrivacyState.COVERED}


def test_a_state_that_nobody_measures_any_more_is_not_claimed(client, panel, monkeypatch):
    do(client, "camera/start", camera="test", output="none")
    eventually(lambda: state_of(panel)["state"] == "protected")
    # The loop goes on with the machine's clock.
    later = SimpleNamespace(perf_counter=lambda: time.perf_counter() + 1000, time=time.time)
    monkeypatch.setattr("toonfilter.runtime.panel.camera.time", later)
    assert state_of(panel)["state"] == "unknown"


def test_closing_the_program_covers_what_the_call_sees(make_panel):
    virtual = CollectingCamera()
    panel = make_panel(open_virtual=lambda choice: virtual)  # noqa: ARG005
    client = client_of(panel)
    with client:
        do(client, "camera/start", camera="test")
        eventually(lambda: PrivacyState.PROTECTED in virtual.states and state_of(panel)["phase"] == "running")
        assert state_of(panel)["virtual"] == virtual.device
    # The tab is gone; the camera stays as it is.
    assert state_of(panel)["phase"] == "running"
    panel.close()
    assert virtual.states[0] is virtual.states[-1] is PrivacyState.COVERED
    assert virtual.is_closed


def test_without_a_virtual_camera_the_page_works_and_says_what_is_missing(client, panel):
    do(client, "camera/start", camera="test")
    eventually(lambda: state_of(panel)["state"] == "protected")
    trouble = state_of(panel)["virtual_trouble"]
    assert trouble["advice"] == "no_virtual_camera"
    assert platform_texts().no_virtual_camera in trouble["text"]


def test_a_camera_that_does_not_open_is_told_with_what_to_do(make_panel):
    class Absent(FlatCamera):
        def open(self):
            raise CaptureError(f"no camera found; {platform_texts().no_camera}")

    panel = make_panel(open_camera=lambda request, avoid: Absent())  # noqa: ARG005
    with client_of(panel) as client:
        do(client, "camera/start")
        eventually(lambda: state_of(panel)["trouble"])
        assert state_of(panel)["phase"] == "off"
        assert state_of(panel)["trouble"]["advice"] == "no_camera"


def test_a_camera_that_is_unplugged_covers_and_comes_back(make_panel):
    class Loose(FlatCamera):
        is_in = True

        def open(self):
            if not Loose.is_in:
                raise CaptureError("gone")
            return "loose camera"

        def read(self):
            if not Loose.is_in:
                raise CaptureError("the camera sends no pictures any more")
            return super().read()

    panel = make_panel(open_camera=lambda request, avoid: Loose())  # noqa: ARG005
    panel.actions["camera/start"]({"camera": "test", "output": "none"})
    eventually(lambda: state_of(panel)["state"] == "protected")
    Loose.is_in = False
    lost = eventually(lambda: state_of(panel)["state"] == "covered" and state_of(panel))
    assert lost["why"] == "no_picture"
    eventually(lambda: state_of(panel)["is_connected"] is False)
    Loose.is_in = True
    eventually(lambda: state_of(panel)["state"] == "protected")


def test_another_choice_opens_everything_anew(client, panel):
    do(client, "camera/start", camera="test", output="none")
    eventually(lambda: state_of(panel)["state"] == "protected")
    do(client, "camera/start", camera="test", output="")
    eventually(lambda: state_of(panel)["choice"]["output"] == "" and state_of(panel).get("is_loaded"))


@pytest.mark.parametrize(
    "content", [{"camera": "/etc/passwd"}, {"camera": 3}, {"output": "/dev/sda"}, {"camera": "\0"}]
)
def test_only_devices_that_were_offered_are_opened(client, panel, content):
    assert client.post("/api/camera/start", json=content).status_code == 400
    assert state_of(panel)["phase"] == "off"


def test_two_tabs_see_the_same(panel):
    with (
        client_of(panel) as one,
        client_of(panel) as other,
        one.websocket_connect(LIVE) as first,
        other.websocket_connect(LIVE) as second,
    ):
        assert json.loads(first.receive_text()) == json.loads(second.receive_text())
        do(one, "camera/start", camera="test", output="none")
        do(other, "camera/hide", hidden=True)
        do(one, "presets/save", name="Monday")
        for socket in (first, second):
            while True:
                seen = json.loads(socket.receive_text())
                if seen["camera"]["hidden"] and seen["presets"] and seen["camera"]["phase"] == "running":
                    break
            assert seen["presets"] == ["Monday"]
