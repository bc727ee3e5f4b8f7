"""Stand-ins for camera, virtual camera, filter and conversion, and a browser that knows the key."""

import time
from pathlib import Path

import numpy as np
from covering_filter import CoveringFilter
from starlette.testclient import TestClient

from toonfilter.runtime.errors import OutputError
from toonfilter.runtime.frames import PrivacyState
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.panel.recordings import convert_options
from toonfilter.runtime.panel.server import build_app
from toonfilter.runtime.platform.platform_texts import platform_texts
from toonfilter.runtime.privacy import Guard, HiddenFace, cover
from toonfilter.runtime.video.convert import ConvertReport, convert

SOMEBODY = HiddenFace(Box(-100, -100, -90, -90))
"""Outside the picture, so that nothing has to hide it."""

PORT = 7847
TOKEN = "the-key-of-this-run"
HOST = f"127.0.0.1:{PORT}"
OURS = {"Origin": f"http://{HOST}"}
LIVE = f"ws://{HOST}/live"
RAW, DRAWN = 200, 40


class FlatCamera:
    """Grey pictures of the level RAW, which nothing but a leak lets out."""

    def open(self):
        return "flat camera, 64x48"

    def read(self):
        time.sleep(0.01)
        return np.full((48, 64, 3), RAW, np.uint8), time.perf_counter()

    def close(self):
        pass


class FlatFilter:
    """Protects every frame with the level DRAWN."""

    def __init__(self, looks, key, _sampler=None):
        self.guard, self.look = Guard(), looks.find(key)
        self.looks = looks

    def track(self, frame):
        return frame

    def draw(self, frame):
        return self.guard.release(frame, frame.image, np.full_like(frame.image, DRAWN), [SOMEBODY])

    def cover(self, frame, reason):
        return self.guard.cover(frame, reason)

    def set_style(self, style):
        self.look = self.looks.find(style)

    def close(self):
        pass


class CollectingCamera:
    """A virtual camera that remembers states."""

    device = "/dev/video42"

    def __init__(self):
        self.states = []
        self.is_closed = False

    def send(self, safe, now_s):  # noqa: ARG002
        self.states.append(safe.state)

    def keys(self):
        return ""

    def close(self):
        self.is_closed = True


def no_virtual(_choice):
    raise OutputError(f"no virtual camera found; {platform_texts().no_virtual_camera}")


def quick_conversion(recording, _is_resuming, progress, stop):  # noqa: ARG001
    Path(recording.target).parent.mkdir(parents=True, exist_ok=True)
    Path(recording.target).write_bytes(b"drawn")
    states = {state.value: 0 for state in PrivacyState} | {"protected": 9, "covered": 1}
    return ConvertReport("complete", Path(recording.target), 10, states, 30.0, 0.1, "libx264", ())


class Losing(CoveringFilter):
    """Lets pictures of a file through, and loses the face in the middle of the first second."""

    lost_s = 0.4, 0.6

    def draw(self, frame):
        if self.lost_s[0] <= frame.captured_at_s <= self.lost_s[1]:
            return cover(frame, "no face found")
        return Guard().release(frame, frame.image.copy(), frame.image, [SOMEBODY])


def losing_conversion(recording, is_resuming, progress, stop):  # noqa: ARG001
    """The real conversion, with a filter that is quick and sometimes in doubt."""
    source, target = Path(recording.source), Path(recording.target)
    return convert(source, target, Losing, convert_options(recording, is_resuming), stop=stop)


def eventually(holds, timeout_s=120.0):
    """Wait until it holds; its value."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        if value := holds():
            return value
        time.sleep(0.01)
    raise AssertionError(f"never true within {timeout_s} s")


def client_of(panel, *, is_known=True, headers=None, limits=None):
    """A browser at this machine. is_known: it opened the address with the key."""
    client = TestClient(
        build_app(panel, port=PORT, token=TOKEN, limits=limits),
        base_url=f"http://{HOST}",
        headers=OURS if headers is None else headers,
    )
    if is_known:
        assert client.get("/", params={"token": TOKEN}).status_code == 200
    return client
