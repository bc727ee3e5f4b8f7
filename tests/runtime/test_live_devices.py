"""Cameras, virtual cameras and sinks, with fakes for what this machine may not have."""

import itertools
import subprocess
import sys
import types
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from covering_filter import CoveringFilter

from toonfilter.runtime.errors import CaptureError, OutputError
from toonfilter.runtime.frames import Frame
from toonfilter.runtime.live import sources as cameras
from toonfilter.runtime.live import v4l2 as v4l2_devices
from toonfilter.runtime.live import virtual_camera
from toonfilter.runtime.live.pipeline import LiveOptions, run_live
from toonfilter.runtime.live.recording import Recording
from toonfilter.runtime.live.sinks import Preview, SeveralSinks, fitted
from toonfilter.runtime.live.sources import (
    AdjustedCamera,
    CameraRequest,
    ImageFile,
    LowLightLift,
    PlayedFile,
    TestPattern,
    Webcam,
    find_camera,
    open_source,
    wished_path,
)
from toonfilter.runtime.live.v4l2 import LOOPBACK_DRIVER, VideoDevice, list_devices
from toonfilter.runtime.live.virtual_camera import VirtualCamera, find_virtual_camera
from toonfilter.runtime.platform.platform_texts import platform_texts
from toonfilter.runtime.privacy import cover
from toonfilter.runtime.video.writer import VideoWriter

WEBCAM = VideoDevice("/dev/video0", "Integrated Camera: HD", "uvcvideo", True, False)
METADATA = VideoDevice("/dev/video1", "Integrated Camera: HD", "uvcvideo", False, False)
LOOPBACK = VideoDevice("/dev/video10", "Toonfilter", LOOPBACK_DRIVER, False, True)
ORPHAN = VideoDevice("/dev/video11", "Other", LOOPBACK_DRIVER, False, False)
USED = VideoDevice("/dev/video12", "OBS", LOOPBACK_DRIVER, True, False)


class FakeClock:
    def __init__(self):
        self.time_s = 0.0

    def now_s(self):
        return self.time_s

    def sleep(self, duration_s):
        self.time_s += max(0.0, duration_s)


def safe(width=32, height=24, level=90):
    picture = np.full((height, width, 3), level, np.uint8)
    return cover(Frame(picture, 0), "test", picture)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [("", "/dev/video0"), ("0", "/dev/video0"), ("/dev/video0", "/dev/video0"), ("integrated", "/dev/video0"),
     ("obs", "/dev/video12")],
)  # fmt: skip
def test_a_camera_is_found_by_number_path_or_name(wish, expected):
    assert find_camera(wish, [USED, METADATA, WEBCAM, LOOPBACK], is_linux=True) == expected


def test_the_own_virtual_camera_is_not_taken_as_the_camera():
    assert find_camera("", [USED, WEBCAM], avoid="/dev/video0", is_linux=True) == "/dev/video12"


def test_a_missing_camera_is_told_with_those_that_are_there():
    with pytest.raises(CaptureError, match=r"no camera 'Logi'; found: /dev/video0 \(Integrated"):
        find_camera("Logi", [WEBCAM], is_linux=True)
    with pytest.raises(CaptureError, match="no camera found; plug a camera in"):
        find_camera("", [LOOPBACK], is_linux=True)


def test_elsewhere_cameras_have_numbers():
    assert find_camera("", [], is_linux=False) == 0
    assert find_camera("2", [], is_linux=False) == 2
    with pytest.raises(CaptureError, match="have numbers"):
        find_camera("FaceTime", [], is_linux=False)


class FakeCapture:
    """cv2.VideoCapture as the tests need it."""

    is_opened = True
    grabs = None

    def __init__(self, target, backend):
        self.target, self.backend, self.settings, self.released = target, backend, {}, False

    def isOpened(self):  # noqa: N802
        return self.is_opened

    def set(self, key, value):
        self.settings[key] = value

    def get(self, key):
        return self.settings.get(key, 0)

    def grab(self):
        return type(self).grabs.pop(0) if type(self).grabs else True

    def retrieve(self):
        return True, np.full((4, 6, 3), (255, 0, 0), np.uint8)

    def release(self):
        self.released = True


@pytest.fixture
def fake_capture(monkeypatch):
    import cv2

    made = []

    class Capture(FakeCapture):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    monkeypatch.setattr(cameras, "list_devices", lambda: [WEBCAM])
    monkeypatch.setattr(cameras.os, "access", lambda *_: True)
    Capture.made = made
    return Capture


def test_a_webcam_is_asked_for_mjpg_and_gives_rgb(fake_capture):
    import cv2

    clock = FakeClock()
    camera = Webcam(CameraRequest("", 640, 480, 30), clock)
    assert camera.open() == "Integrated Camera: HD, 640x480 MJPG"
    capture = fake_capture.made[0]
    assert capture.target == "/dev/video0"
    assert capture.settings[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter_fourcc(*"MJPG")
    clock.sleep(3.0)
    image, captured_at_s = camera.read()
    assert captured_at_s == 3.0
    assert image[0, 0].tolist() == [0, 0, 255]
    camera.close()
    camera.close()
    assert capture.released


def test_a_webcam_that_is_busy_silent_or_forbidden(fake_capture, monkeypatch):
    fake_capture.is_opened = False
    with pytest.raises(CaptureError, match="busy"):
        Webcam(CameraRequest()).open()
    assert fake_capture.made[-1].released
    fake_capture.is_opened = True
    fake_capture.grabs = [False, False, False]
    with pytest.raises(CaptureError, match="sends no picture"):
        Webcam(CameraRequest()).open()
    monkeypatch.setattr(cameras.os, "access", lambda *_: False)
    with pytest.raises(CaptureError, match="usermod"):
        Webcam(CameraRequest()).open()


def test_an_unplugged_webcam_raises_instead_of_blocking(fake_capture):
    camera = Webcam(CameraRequest())
    camera.open()
    fake_capture.grabs = [False]
    with pytest.raises(CaptureError, match="no pictures any more"):
        camera.read()


def test_the_environment_shortens_opencvs_wait(monkeypatch):
    monkeypatch.delenv("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", raising=False)
    monkeypatch.setattr(cameras.os, "environ", dict(cameras.os.environ))
    cameras.prepare_environment()
    assert cameras.os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] == "1"


def test_stand_ins_for_cameras_keep_their_rate(tmp_path, astronaut):
    import cv2

    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    cv2.imwrite(str(tmp_path / "face.png"), astronaut[::8, ::8])
    clock = FakeClock()
    for name, kind in (("clip.mp4", PlayedFile), ("face.png", ImageFile), ("test", TestPattern)):
        wish = name if name == "test" else str(tmp_path / name)
        source = open_source(CameraRequest(wish, 64, 48, 25.0), clock)
        assert isinstance(source, kind)
        assert "x" in source.open()
        stamps, images = [], []
        for _ in range(12):
            image, at_s = source.read()
            stamps.append(at_s)
            images.append(image)
        assert np.diff(stamps) == pytest.approx([0.04] * 11)
        assert images[0].dtype == np.uint8
        source.close()
        if kind is PlayedFile:
            assert [round(int(image[20, 20, 0]) / 40) for image in images] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
        if kind is TestPattern:
            assert (images[0] != images[1]).any()
    assert isinstance(open_source(CameraRequest("")), Webcam)


def test_the_camera_that_the_user_names_is_known_beforehand(monkeypatch):
    monkeypatch.setattr(cameras.sys, "platform", "linux")
    monkeypatch.setattr(cameras, "list_devices", lambda: [WEBCAM, USED])
    monkeypatch.setattr(cameras, "platform_texts", lambda: platform_texts("linux"))
    wishes = ("", "0", "/dev/video0", "obs", "test", "clip.mp4", "7", "unknown")
    assert [wished_path(wish) for wish in wishes] == ["", "/dev/video0", "/dev/video0", "/dev/video12", "", "", "", ""]


def test_the_virtual_camera_is_chosen(monkeypatch):
    monkeypatch.setattr(virtual_camera, "has_writer", lambda path: path != "/dev/video13")
    died_in_a_call = replace(USED, path="/dev/video13")
    assert find_virtual_camera("", [USED, died_in_a_call]) == "/dev/video13"
    assert find_virtual_camera("", [died_in_a_call, USED, ORPHAN]) == "/dev/video11"
    assert find_virtual_camera("", [WEBCAM, USED, LOOPBACK]) == "/dev/video10"
    assert find_virtual_camera("", [WEBCAM, USED, ORPHAN]) == "/dev/video11"
    assert find_virtual_camera("", [WEBCAM, USED]) == "/dev/video12"
    assert find_virtual_camera("/dev/video12", [USED, LOOPBACK]) == "/dev/video12"
    with pytest.raises(OutputError, match="modprobe v4l2loopback exclusive_caps=1"):
        find_virtual_camera("", [WEBCAM])
    with pytest.raises(OutputError, match="/dev/video0 is not a virtual camera; found: /dev/video10"):
        find_virtual_camera("/dev/video0", [WEBCAM, LOOPBACK])


@pytest.fixture
def fake_virtual(monkeypatch):
    """pyvirtualcam and the device layer, recording what is done in which order."""
    log = []

    class Camera:
        error = None

        def __init__(self, width, height, fps, fmt, device, backend):
            log.append(("open", width, height, fps, fmt, device, backend))
            if Camera.error:
                raise Camera.error
            self.device = device

        def send(self, image):
            log.append(("send", image.shape))

        def close(self):
            log.append(("close",))

    fake = types.SimpleNamespace(Camera=Camera, PixelFormat=types.SimpleNamespace(RGB="RGB"), log=log)
    monkeypatch.setitem(sys.modules, "pyvirtualcam", fake)
    monkeypatch.setattr(virtual_camera, "list_devices", lambda: [WEBCAM, LOOPBACK])
    monkeypatch.setattr(virtual_camera, "heal_loopback", lambda path: log.append(("heal", path)))
    monkeypatch.setattr(virtual_camera, "output_size", lambda _: (64, 48))
    monkeypatch.setattr(
        virtual_camera,
        "set_timeout_picture",
        lambda path, image, timeout_ms: log.append(("timeout picture", path, image.shape, timeout_ms)),
    )
    monkeypatch.setattr(virtual_camera.os, "access", lambda *_: True)
    monkeypatch.setattr(virtual_camera.sys, "platform", "linux")
    return fake


def test_the_virtual_camera_is_healed_before_and_after_and_fits_pictures(fake_virtual):
    camera = VirtualCamera(64, 48, 30)
    camera.send(safe(32, 32), 0.0)
    camera.close()
    camera.close()
    assert [entry[0] for entry in fake_virtual.log] == ["heal", "open", "timeout picture", "send", "close", "heal"]
    assert fake_virtual.log[1][1:] == (64, 48, 30, "RGB", "/dev/video10", "v4l2loopback")
    assert fake_virtual.log[2] == ("timeout picture", "/dev/video10", (48, 64, 3), 1000)
    assert fake_virtual.log[3] == ("send", (48, 64, 3))


def test_a_size_that_the_device_did_not_take_is_refused(fake_virtual, monkeypatch):
    monkeypatch.setattr(virtual_camera, "output_size", lambda _: (640, 480))
    with pytest.raises(OutputError, match=r"keeps 640x480 while a program reads it.*--size 640 480"):
        VirtualCamera(64, 48, 30)
    assert ("close",) in fake_virtual.log


def test_odd_sides_are_refused_before_the_device_is_touched(fake_virtual):
    with pytest.raises(OutputError, match="--size is 65 48; a virtual camera takes even sides only, such as 66 48"):
        VirtualCamera(65, 48, 30)
    assert fake_virtual.log == []


def test_a_virtual_camera_that_does_not_open_is_told_with_the_cure(fake_virtual, monkeypatch):
    fake_virtual.Camera.error = RuntimeError("device /dev/video10 could not be opened: Device or resource busy")
    with pytest.raises(OutputError, match="another program writes to it"):
        VirtualCamera(64, 48, 30)
    fake_virtual.Camera.error = KeyError("v4l2loopback")
    with pytest.raises(OutputError, match="modprobe"):
        VirtualCamera(64, 48, 30)
    monkeypatch.setattr(virtual_camera.os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="usermod"):
        VirtualCamera(64, 48, 30)


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_other_systems_use_obs(fake_virtual, monkeypatch, platform):
    texts = platform_texts(platform)
    monkeypatch.setattr(virtual_camera.sys, "platform", platform)
    monkeypatch.setattr(virtual_camera, "platform_texts", lambda: texts)
    VirtualCamera(64, 48, 30).close()
    assert fake_virtual.log[0] == ("open", 64, 48, 30, "RGB", None, "obs")
    fake_virtual.Camera.error = RuntimeError("OBS Virtual Camera device not found!")
    with pytest.raises(OutputError, match="install OBS Studio"):
        VirtualCamera(64, 48, 30)


def test_every_system_has_every_text():
    for platform in ("linux", "win32", "darwin", "freebsd14"):
        texts = platform_texts(platform)
        for name in texts.__dataclass_fields__:
            assert getattr(texts, name)


def test_devices_are_listed_from_the_system(tmp_path, monkeypatch):
    for number, name in ((10, "Toonfilter"), (2, "HD Webcam")):
        (tmp_path / f"video{number}").mkdir()
        (tmp_path / f"video{number}" / "name").write_text(name + "\n")
    (tmp_path / "v4l-subdev0").mkdir()
    monkeypatch.setattr(v4l2_devices.sys, "platform", "linux")
    found = list_devices(tmp_path)
    assert [(device.path, device.name) for device in found] == [
        ("/dev/video2", "HD Webcam"),
        ("/dev/video10", "Toonfilter"),
    ]
    assert found[0].index == 2
    monkeypatch.setattr(v4l2_devices.sys, "platform", "win32")
    assert list_devices(tmp_path) == []


def test_abilities_and_sizes_are_read_as_the_kernel_lays_them_out(tmp_path, monkeypatch):
    import struct

    device = tmp_path / "video10"
    device.write_text("")
    asked = []

    def ioctl(_handle, request, answer, _mutate):
        asked.append(request)
        if request == 0x80685600:
            answer[:16] = LOOPBACK_DRIVER.encode().ljust(16, b"\0")
            struct.pack_into("<II", answer, 84, 0x85200003, 0x05200000)
        elif request == 0xC0D05604:
            assert struct.unpack_from("<I", answer)[0] == 2
            struct.pack_into("<II", answer, 8, 1280, 720)
        else:
            raise OSError(22, "Invalid argument")

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    assert v4l2_devices.output_size(str(device)) == (1280, 720)
    assert v4l2_devices.heal_loopback(str(device))
    assert asked[-1] == 0x40045612
    assert v4l2_devices.output_size(str(tmp_path / "missing")) is None
    assert not v4l2_devices.heal_loopback(str(tmp_path / "missing"))


def loopback_ioctl(abilities, stamps, asked):
    """The driver of a loopback device; at each look the next of `stamps` marks its first buffer, or with a list all of
    them; an OSError is raised."""
    import struct

    shown = []

    def ioctl(_handle, request, answer, _mutate):
        asked.append(request)
        if request == 0x80685600:
            answer[:16] = LOOPBACK_DRIVER.encode().ljust(16, b"\0")
            struct.pack_into("<II", answer, 84, 0x85200003, abilities)
        elif request == 0xC0585609:
            number, kind = struct.unpack_from("<II", answer)
            assert kind == 2
            stamp = next(stamps) if number == 0 else shown[-1]
            shown.append(stamp if isinstance(stamp, list) else 0)
            if isinstance(stamp, OSError):
                raise stamp
            time_s = stamp[number] if isinstance(stamp, list) else stamp
            struct.pack_into("<qq", answer, 24, int(time_s), round(time_s % 1 * 1e6))

    return ioctl


@pytest.fixture
def watched_for(monkeypatch):
    """A loopback device is watched for as long as it takes to look at it, not by the machine's clock."""
    clock = FakeClock()
    monkeypatch.setattr(v4l2_devices, "time", types.SimpleNamespace(monotonic=clock.now_s, sleep=clock.sleep))


@pytest.mark.usefixtures("watched_for")
@pytest.mark.parametrize(
    ("abilities", "stamps"),
    [(0x05200001, [1, 1, 2, 2, 3]), (0x05200001, [OSError(22, "no")]), (0x05200002, []), (0x05200003, [])],
)
def test_a_device_that_another_program_feeds_is_left_alone(tmp_path, monkeypatch, abilities, stamps):
    device = tmp_path / "video10"
    device.write_text("")
    asked = []
    monkeypatch.setattr("fcntl.ioctl", loopback_ioctl(abilities, iter(stamps), asked))
    assert not v4l2_devices.heal_loopback(str(device))
    assert 0x40045612 not in asked


@pytest.mark.usefixtures("watched_for")
def test_a_device_whose_writer_died_in_a_call_is_healed(tmp_path, monkeypatch):
    device = tmp_path / "video10"
    device.write_text("")
    asked = []
    monkeypatch.setattr("fcntl.ioctl", loopback_ioctl(0x05200001, itertools.repeat(7), asked))
    assert not v4l2_devices.has_writer(str(device), 0.2)
    asks = itertools.chain([7], ([time_s, time_s + 0.0001] for time_s in itertools.count(8)))
    monkeypatch.setattr("fcntl.ioctl", loopback_ioctl(0x05200001, asks, asked))
    assert not v4l2_devices.has_writer(str(device), 0.3), "a reader that asks again and again is no writer"
    written = ([8 + look / 25, 8 + (look + 1) / 25] for look in itertools.count())
    monkeypatch.setattr("fcntl.ioctl", loopback_ioctl(0x05200001, written, asked))
    assert v4l2_devices.has_writer(str(device), 2)
    assert v4l2_devices.has_writer(str(tmp_path / "missing"), 0.2)
    monkeypatch.setattr(v4l2_devices, "has_writer", lambda _: False)
    assert v4l2_devices.heal_loopback(str(device))
    assert asked[-1] == 0x40045612


@pytest.mark.parametrize(("height", "width"), [(24, 32), (48, 64), (10, 90), (90, 10), (1, 1)])
def test_pictures_are_fitted_whole(height, width):
    picture = np.full((height, width, 3), 200, np.uint8)
    result = fitted(picture, 64, 48)
    assert result.shape == (48, 64, 3)
    assert result[24, 32].tolist() == [200, 200, 200]
    assert (result == 200).any(2).mean() == pytest.approx(
        min(64 / width, 48 / height) ** 2 * width * height / 3072, abs=0.05
    )


def test_a_recording_appears_when_whole_with_the_times_of_sending(tmp_path):
    path = tmp_path / "call.mp4"
    recording = Recording(path, 65, 48, 30)
    for at_s in (5.0, 5.03, 5.2, 5.2, 6.0):
        recording.send(safe(65, 48), at_s)
    assert not path.exists()
    recording.close()
    recording.close()
    with av.open(str(path)) as container:
        stamps = [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]
    assert stamps == pytest.approx([0, 0.03, 0.2, 0.2, 1.0], abs=1e-4)
    assert [entry.name for entry in tmp_path.iterdir()] == ["call.mp4"]
    with pytest.raises(OutputError, match="--overwrite"):
        Recording(path, 64, 48, 30)
    with pytest.raises(OutputError, match="no such folder"):
        Recording(tmp_path / "missing" / "a.mp4", 64, 48, 30)
    Recording(tmp_path / "empty.mp4", 64, 48, 30).close()
    assert not (tmp_path / "empty.mp4").exists()


def stamps_in(path):
    with av.open(str(path)) as container:
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]


_RECORDER = """
import os, sys, time
import numpy as np
from pathlib import Path
from toonfilter.runtime.frames import Frame
from toonfilter.runtime.live.pipeline import LiveOptions, run_live
from toonfilter.runtime.live.recording import Recording
from toonfilter.runtime.privacy import cover
recording = Recording(Path(sys.argv[1]), 64, 48, 10)
picture = np.zeros((48, 64, 3), np.uint8)
for number in range(200):
    recording.send(cover(Frame(picture, number), "test", picture + number), number / 10)
os._exit(9)
"""


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_what_was_recorded_plays_when_the_program_was_killed(tmp_path, suffix):
    target = tmp_path / f"call{suffix}"
    assert subprocess.run([sys.executable, "-c", _RECORDER, str(target)], check=False).returncode == 9
    (unfinished,) = tmp_path.iterdir()
    assert unfinished.name.startswith("call.unfinished-")
    # The last moments may be in the encoder still.
    assert len(stamps_in(unfinished)) > 100


def test_a_disk_that_fills_up_keeps_what_was_recorded_and_an_earlier_file(tmp_path, monkeypatch):
    target = tmp_path / "call.mp4"
    target.write_text("earlier")
    recording = Recording(target, 64, 48, 10, overwrite=True)
    for number in range(400):
        recording.send(safe(64, 48, number % 200), number / 10)

    def full(*_):
        (written,) = (entry for entry in tmp_path.iterdir() if entry != target)
        raise OutputError(f"{written}: writing failed (No space left on device)")

    monkeypatch.setattr(VideoWriter, "write", full)
    with pytest.raises(OutputError, match=r"call.mp4: writing failed .*; what was recorded so far: .*unfinished"):
        recording.send(safe(64, 48), 50.0)
    recording.close()
    assert target.read_text() == "earlier"
    (unfinished,) = [entry for entry in tmp_path.iterdir() if entry != target]
    assert len(stamps_in(unfinished)) > 100


def test_a_camera_that_never_came_leaves_no_file_that_blocks_the_next_try(tmp_path):
    class Missing:
        def open(self):
            raise CaptureError("no camera")

        def close(self):
            pass

    recording = Recording(tmp_path / "call.mp4", 64, 48, 10)
    with pytest.raises(CaptureError, match="no camera"):
        run_live(Missing(), CoveringFilter, recording, LiveOptions(64, 48, 10.0))
    assert list(tmp_path.iterdir()) == []


def test_mirrored_and_lifted_pictures():
    dark = np.zeros((16, 16, 3), np.uint8)
    dark[:, :8], dark[:, 8:] = 20, 40

    class Dark:
        def open(self):
            return "dark"

        def read(self):
            return dark.copy(), 1.0

        def close(self):
            pass

    mirrored = AdjustedCamera(Dark(), mirror=True)
    assert np.array_equal(mirrored.read()[0], dark[:, ::-1])
    lifted = AdjustedCamera(Dark(), lift=True)
    levels = [float(lifted.read()[0].mean()) for _ in range(200)]
    assert max(np.diff(levels)) < 6
    assert levels[-1] > 75
    assert np.array_equal(LowLightLift()(np.full((16, 16, 3), 150, np.uint8)), np.full((16, 16, 3), 150, np.uint8))


def test_infrared_and_virtual_cameras_are_told_apart():
    plain = VideoDevice("/dev/video0", "HD Cam", "uvcvideo", True, False, formats=("MJPG", "YUYV"))
    infrared = VideoDevice("/dev/video2", "IR Cam", "uvcvideo", True, False, formats=("GREY",))
    virtual = VideoDevice("/dev/video10", "Toonfilter", LOOPBACK_DRIVER, True, True)
    assert [one.kind for one in (plain, infrared, virtual)] == ["camera", "infrared camera", "virtual camera"]
    assert find_camera("", [virtual, infrared, plain], is_linux=True) == "/dev/video0"
    with pytest.raises(CaptureError, match="infrared camera"):
        find_camera("nothing", [infrared], is_linux=True)


def test_a_preview_shows_the_state_and_reads_keys(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    import cv2

    shown, keys = [], [ord("h"), -1, 27]
    for name in ("namedWindow", "resizeWindow", "destroyWindow"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda _, picture: shown.append(picture))
    monkeypatch.setattr(cv2, "waitKey", lambda _: keys.pop(0))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0)
    preview = Preview()
    assert preview.keys() == ""
    source = safe(320, 240)
    before = source.image.copy()
    preview.send(source, 0.0)
    assert (source.image == before).all()
    assert (shown[0] != before).any()
    assert [preview.keys() for _ in range(3)] == ["h", "", "q"]
    preview.close()

    def refuse(*_):
        raise cv2.error("not implemented")

    monkeypatch.setattr(cv2, "namedWindow", refuse)
    with pytest.raises(OutputError, match="no preview window"):
        Preview().send(source, 0.0)


def test_a_preview_that_was_closed_ends_the_run_and_shows_nothing_more(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    import cv2

    shown = []
    for name in ("namedWindow", "resizeWindow", "destroyWindow"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda _, picture: shown.append(picture))
    monkeypatch.setattr(cv2, "waitKey", lambda _: -1)

    def gone(*_):
        raise cv2.error("NULL guiReceiver (please create a window)")

    for answer in (lambda *_: 0.0, gone):
        shown.clear()
        monkeypatch.setattr(cv2, "getWindowProperty", answer)
        preview = Preview()
        preview.send(safe(320, 240), 0.0)
        assert preview.keys() == "q"
        preview.send(safe(320, 240), 0.1)
        preview.close()
        assert len(shown) == 1


class Counting:
    """A sink without a keyboard."""

    def __init__(self):
        self.sent = 0

    def send(self, _, __):
        self.sent += 1

    def keys(self):
        return ""

    def close(self):
        pass


def test_several_sinks_get_the_same_pictures():
    sinks = [Counting(), Counting()]
    both = SeveralSinks(sinks)
    both.send(safe(), 0.0)
    assert both.keys() == ""
    both.close()
    assert [sink.sent for sink in sinks] == [1, 1]
