import importlib.metadata
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from toonfilter.runtime.doctor import checks as doctor
from toonfilter.runtime.doctor.checks import (
    Check,
    check_cameras,
    check_engines,
    check_preview,
    check_system,
    check_versions,
    check_virtual_camera,
    examine,
    exit_status,
    read_back,
)
from toonfilter.runtime.doctor.loopback_reader import judge
from toonfilter.runtime.errors import CaptureError, OutputError
from toonfilter.runtime.live.cover_pictures import two_tone_frame
from toonfilter.runtime.live.v4l2 import LOOPBACK_DRIVER, VideoDevice

WEBCAM = VideoDevice("/dev/video0", "HD Webcam", "uvcvideo", True, False)
LOOPBACK = VideoDevice("/dev/video10", "Toonfilter", LOOPBACK_DRIVER, False, True)


def test_the_exit_status_tells_what_works():
    ok = Check("a", "ok", "")
    live = Check("b", "fault", "", "", "live")
    files = Check("c", "fault", "")
    note = Check("d", "note", "")
    assert exit_status([ok, note]) == 0
    assert exit_status([ok, live]) == 1
    assert exit_status([live, files]) == 2


def test_versions_are_compared_with_those_that_were_tried():
    found = {name: f"{lowest}.3" for name, (lowest, _) in doctor.TESTED_VERSIONS.items()}
    found.update({"av": "99.0", "opencv-contrib-python": "4.12.0.88"})
    del found["openvino"], found["pyvirtualcam"]

    def version(name):
        if name not in found:
            raise importlib.metadata.PackageNotFoundError(name)
        return found[name]

    checks = {check.name: check for check in check_versions(version)}
    assert checks["numpy"].verdict == checks["onnxruntime"].verdict == "ok"
    assert checks["av"].verdict == "note"
    assert "av>=14.2,<20" in checks["av"].advice
    assert checks["openvino"].verdict == "note"
    assert checks["pyvirtualcam"].verdict == "fault"
    assert "overwrite each other" in checks["opencv-contrib-python"].found
    found["opencv-python"] = "4.12.0.88"
    assert "opencv-contrib-python" not in {check.name for check in check_versions(version)}


def test_the_doctor_knows_the_declared_versions():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    lines = (*project["dependencies"], *project["optional-dependencies"]["openvino"])
    declared = {line.partition(";")[0] for line in lines}
    for name, (lowest, too_new) in doctor.TESTED_VERSIONS.items():
        assert f"{name}>={lowest},<{too_new}" in declared


def test_this_system_is_fine():
    assert [check.verdict for check in check_system()] == ["ok"]


def test_an_unknown_python_is_a_fault(monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 15, 0))
    assert [check.verdict for check in check_system()] == ["fault"]


def test_a_check_that_fails_is_a_fault_and_the_others_go_on(monkeypatch):
    def broken():
        raise ZeroDivisionError("oh")
        yield

    for name in (
        "check_versions",
        "check_engines",
        "check_tracking",
        "check_encoders",
        "check_cameras",
        "check_virtual_camera",
    ):
        monkeypatch.setattr(doctor, name, lambda: iter([Check("fine", "ok", "")]))
    monkeypatch.setattr(doctor, "check_tracking", broken)
    checks = list(examine())
    assert [check.name for check in checks if check.verdict == "fault"] == ["face tracking"]
    assert "ZeroDivisionError" in next(check.found for check in checks if check.name == "face tracking")
    assert checks[-1].name == "preview"


def test_engines_are_really_opened(monkeypatch, tiny_bundle):
    from toonfilter.runtime import bundle

    monkeypatch.setattr(bundle, "known_bundles", lambda: {"tiny": tiny_bundle.folder})
    checks = {check.name: check for check in check_engines()}
    assert checks["style tiny"].verdict == "ok"
    assert checks["engine onnxruntime"].verdict == "ok"
    monkeypatch.setattr(bundle, "known_bundles", dict)
    assert [check.verdict for check in check_engines()] == ["fault"]


class FakeWebcam:
    rate = 30.0
    error = None

    def __init__(self, request):
        self.request = request
        self.number = 0

    def open(self):
        if self.error:
            raise self.error
        return "HD Webcam, 1280x720 MJPG"

    def read(self):
        self.number += 1
        return np.zeros((2, 2, 3), np.uint8), self.number / self.rate

    def close(self):
        pass


@pytest.fixture
def webcam(monkeypatch):
    from toonfilter.runtime.live import sources as cameras

    class Camera(FakeWebcam):
        pass

    monkeypatch.setattr(cameras, "Webcam", Camera)
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    return Camera


def test_cameras_are_measured(webcam):
    check = next(iter(check_cameras(lambda: [WEBCAM, LOOPBACK])))
    assert check.verdict == "ok"
    assert "30.0 pictures per second" in check.found
    webcam.rate = 4.0
    check = next(iter(check_cameras(lambda: [WEBCAM])))
    assert check.verdict == "note"
    assert "--size 640 480" in check.advice
    webcam.error = CaptureError("camera /dev/video0 is busy; close the program")
    check = next(iter(check_cameras(lambda: [WEBCAM])))
    assert (check.verdict, check.needed_for) == ("fault", "live")
    assert next(iter(check_cameras(list))).found == "none found"


def test_the_virtual_camera_is_read_by_a_second_process(tmp_path):
    picture = tmp_path / "picture"
    reads = "import pathlib, sys, time\npath = pathlib.Path(sys.argv[1])\npath.touch()\n"
    reads += "while not path.read_text(): time.sleep(0.01)\nprint('640x480')"

    def send():
        """Comes to the reader only if it is sent while that one waits."""
        if picture.exists():
            picture.write_text("drawn")

    good = (sys.executable, "-c", reads, str(picture))
    check = read_back("/dev/video10", send, good, limit_s=120)
    assert check.verdict == "ok"
    assert "640x480" in check.found
    bad = (sys.executable, "-c", "import sys; print('wrong colours'); sys.exit(1)")
    check = read_back("/dev/video10", lambda: None, bad, limit_s=120)
    assert check.verdict == "fault"
    assert "wrong colours" in check.found
    check = read_back("/dev/video10", lambda: None, (sys.executable, "-c", "input()"), limit_s=0.0)
    assert check.verdict == "fault"


def test_a_missing_virtual_camera_is_a_fault_of_live_only(monkeypatch):
    from toonfilter.runtime.live import virtual_camera

    def refuse(*_):
        raise OutputError("no virtual camera found; load it")

    monkeypatch.setattr(virtual_camera, "VirtualCamera", refuse)
    check = list(check_virtual_camera(list))[-1]
    assert (check.verdict, check.needed_for) == ("fault", "live")
    assert "load it" in check.found


def test_exclusive_caps_are_looked_at(tmp_path):
    (tmp_path / "parameters").mkdir()
    (tmp_path / "version").write_text("0.12.7\n")
    (tmp_path / "parameters" / "exclusive_caps").write_text("N,N,N\n")
    check = next(iter(doctor.check_loopback_module([LOOPBACK], tmp_path)))
    assert check.verdict == "note"
    assert "0.12.7" in check.found
    (tmp_path / "parameters" / "exclusive_caps").write_text("Y,N,N\n")
    assert next(iter(doctor.check_loopback_module([LOOPBACK], tmp_path))).verdict == "ok"
    assert list(doctor.check_loopback_module([WEBCAM], tmp_path)) == []


def test_the_preview_needs_a_display(monkeypatch):
    monkeypatch.setattr(doctor, "missing", set())
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert next(iter(check_preview())).verdict == "note"
    monkeypatch.setenv("DISPLAY", ":0")
    assert next(iter(check_preview())).verdict == "ok"


def test_a_display_without_its_libraries_shows_no_preview(monkeypatch):
    monkeypatch.setattr(doctor, "missing", {"libGL.so.1"})
    monkeypatch.setenv("DISPLAY", ":0")
    check = next(iter(check_preview()))
    assert check.verdict == "note"
    assert "libGL.so.1" in check.found


def test_the_test_card_is_recognised():
    card = two_tone_frame(64, 48).image
    assert judge(card) == (True, "64x48")
    is_right, told = judge(card[::-1])
    assert not is_right
    assert "wrong colours" in told
