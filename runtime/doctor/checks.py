"""What works on this machine, tried for real, and what to do about each fault."""

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toonfilter.runtime.errors import ToonfilterError
from toonfilter.runtime.live.v4l2 import VideoDevice, list_devices
from toonfilter.runtime.platform.graphics_libraries import missing
from toonfilter.runtime.platform.installation import OPENCV, how_to_add, install_command, missing_modules, pip
from toonfilter.runtime.platform.platform_texts import platform_texts

Verdict = Literal["ok", "note", "fault"]

# From which version on, and before which, the tests pass; as in pyproject.toml. Others are a note, not a fault.
TESTED_VERSIONS = {
    "av": ("14.2", "20"),
    "numpy": ("1.26", "3"),
    "onnxruntime": ("1.23", "2"),
    "opencv-python": ("4.9.0.80", "6"),
    "pyvirtualcam": ("0.13", "1"),
    "skia-python": ("138", "145"),
    "openvino": ("2025.1", "2027"),
}
_OPTIONAL = ("openvino",)
_EXTRAS_USED_BY = {
    "app": "`app`",
    "export": "`export`",
    "train": "`train`, `prepare`, `evaluate`, `vote`",
    "mediapipe": "`prepare pairs`",
    "cluster": "`batch --cluster`",
}
_RATE_FRAMES = 20
"""Pictures from which the rate of a camera is told. Raising it takes longer, for a steadier figure."""
_READER_S = 30.0
"""How long another program may take to read the virtual camera. Raising it waits longer for one that cannot."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried. needed_for: `files` what every command needs, `live` what only `cam` needs."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""
    needed_for: Literal["files", "live"] = "files"


def examine() -> Iterator[Check]:
    """All checks, one after the other; each yields when it is done. A check that fails itself becomes a fault."""
    checks: tuple[tuple[str, Callable[[], Iterator[Check]]], ...] = (
        ("system", check_system),
        ("versions", check_versions),
        ("extras", check_extras),
        ("styles and engines", check_engines),
        ("face tracking", check_tracking),
        ("video encoders", check_encoders),
        ("cameras", check_cameras),
        ("virtual camera", check_virtual_camera),
        ("preview", check_preview),
    )
    for name, check in checks:
        try:
            yield from check()
        except Exception as error:
            yield Check(name, "fault", f"the check itself failed: {type(error).__name__}: {error}")


def exit_status(checks: list[Check]) -> int:
    """0: everything works; 1: `cam` does not, `video` and `image` do; 2: nothing does."""
    faults = {check.needed_for for check in checks if check.verdict == "fault"}
    return 2 if "files" in faults else 1 if "live" in faults else 0


def check_system() -> Iterator[Check]:
    """Operating system, Python and cores."""
    version = sys.version_info
    found = f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {os.cpu_count()} cores"
    if (3, 11) <= version[:2] < (3, 15):
        yield Check("system", "ok", found)
    else:
        yield Check("system", "fault", found, "use Python 3.11 to 3.14")


def check_versions(installed: Callable[[str], str] = importlib.metadata.version) -> Iterator[Check]:
    """Packages against the table of versions that were tried together."""
    for name, (lowest, too_new) in TESTED_VERSIONS.items():
        try:
            found = installed(name)
        except importlib.metadata.PackageNotFoundError:
            if name in _OPTIONAL:
                yield Check(name, "note", "not installed", f"optional, faster on many CPUs: {install_command(name)}")
            else:
                yield Check(name, "fault", "not installed", pip("install", f"{name}>={lowest},<{too_new}"))
            continue
        if _numbers(lowest) <= _numbers(found) < _numbers(too_new):
            yield Check(name, "ok", found)
        else:
            wanted = pip("install", f"{name}>={lowest},<{too_new}")
            yield Check(name, "note", found, f"not among the tested versions; if something fails: {wanted}")
    yield from _check_other_opencv(installed)


def check_extras() -> Iterator[Check]:
    """What was not asked for at the installation, and the command that adds it. `openvino` is among the versions."""
    for extra, used_by in _EXTRAS_USED_BY.items():
        missing = missing_modules(extra)
        if not missing:
            yield Check(f"extra {extra}", "ok", f"installed, for {used_by}")
        else:
            found = f"not installed ({', '.join(missing)}); only {used_by} needs it"
            yield Check(f"extra {extra}", "note", found, how_to_add(extra))


def _check_other_opencv(installed: Callable[[str], str]) -> Iterator[Check]:
    """All distributions of OpenCV share one folder; two of the same version do no harm."""
    try:
        ours = installed("opencv-python")
    except importlib.metadata.PackageNotFoundError:
        return
    for name in OPENCV[1:]:
        with suppress(importlib.metadata.PackageNotFoundError):
            found = installed(name)
            if found != ours:
                cure = f"{pip('uninstall', name, 'opencv-python')} && {pip('install', 'opencv-python')}"
                yield Check(name, "fault", f"{found} beside opencv-python {ours}: they overwrite each other", cure)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


def check_engines() -> Iterator[Check]:
    """Every style's files, and every engine with what it really runs on."""
    from toonfilter.runtime.backends import ENGINES, EngineOptions, open_translator
    from toonfilter.runtime.bundle import known_bundles, open_bundle

    whole = []
    for name, folder in known_bundles().items():
        try:
            whole.append(open_bundle(folder))
            yield Check(f"style {name}", "ok", f"version {whole[-1].version}, files match their sha256")
        except ToonfilterError as error:
            yield Check(f"style {name}", "fault", str(error), "install toonfilter again, or remove that folder")
    if not whole:
        yield Check("styles", "fault", "none installed", install_command())
        return
    running = 0
    for engine in ENGINES:
        bundle = whole[0]
        size = min(bundle.input.sizes)
        try:
            translator = open_translator(bundle, engine, EngineOptions(size=size)).translator
            try:
                translator.warm_up(size)
                running += 1
                yield Check(f"engine {engine}", "ok", str(translator.describe()))
            finally:
                translator.close()
        except ToonfilterError as error:
            yield Check(f"engine {engine}", "note", str(error), "another engine is used instead")
    if not running:
        yield Check("engines", "fault", "none runs", pip("install", "--force-reinstall", "onnxruntime"))


def check_tracking() -> Iterator[Check]:
    """The tracker finds no face in a grey picture without failing."""
    import numpy as np

    from toonfilter.runtime.faces.tracker import FaceTracker

    tracker = FaceTracker()
    try:
        start_s = time.perf_counter()
        for _ in range(3):
            tracker.track(np.full((360, 640, 3), 128, np.uint8))
        yield Check("face tracking", "ok", f"runs, {1000 * (time.perf_counter() - start_s) / 3:.0f} ms a frame")
    finally:
        tracker.close()


def check_encoders() -> Iterator[Check]:
    """Which encoder `video --codec auto` takes, by opening it."""
    from toonfilter.runtime.video.writer import choose_encoder

    encoder = choose_encoder("auto", "normal", ".mp4", 1280, 720)
    tried = f" (no hardware encoder: {'; '.join(encoder.tried)})" if encoder.tried else ""
    yield Check("video encoder", "ok", f"{encoder.name}{'' if encoder.is_hardware else tried}")


def check_cameras(devices: Callable[[], list[VideoDevice]] = list_devices) -> Iterator[Check]:
    """Every camera: opened, its format told, its real rate measured."""
    from toonfilter.runtime.live.sources import CameraRequest, Webcam

    texts = platform_texts()
    if sys.platform.startswith("linux"):
        found = [device for device in devices() if not device.is_loopback and (device.can_capture or device.problem)]
        cameras = [(f"{device.path} {device.name} ({device.kind})", device.path) for device in found]
    else:
        cameras = [("camera 0", "0")]
    if not cameras:
        yield Check("cameras", "fault", "none found", texts.no_camera, "live")
    for name, wish in cameras:
        camera = Webcam(CameraRequest(wish))
        try:
            words = camera.open()
            stamps = [camera.read()[1] for _ in range(_RATE_FRAMES)]
            rate = (len(stamps) - 1) / max(stamps[-1] - stamps[0], 1e-9)
            advice = "" if rate >= 14 else "slow: more light, another USB socket, or --size 640 480"
            yield Check(
                name, "ok" if rate >= 14 else "note", f"{words}, {rate:.1f} pictures per second", advice, "live"
            )
        except ToonfilterError as error:
            yield Check(name, "fault", str(error), "", "live")
        finally:
            camera.close()


def check_virtual_camera(devices: Callable[[], list[VideoDevice]] = list_devices) -> Iterator[Check]:
    """The virtual camera: opened, written to, and read back by a second process, as a video call would."""
    from toonfilter.runtime.live.cover_pictures import two_tone_frame
    from toonfilter.runtime.live.virtual_camera import VirtualCamera

    is_linux = sys.platform.startswith("linux")
    if is_linux:
        yield from check_loopback_module(devices())
    try:
        camera = VirtualCamera(640, 480, 30)
    except ToonfilterError as error:
        yield Check("virtual camera", "fault", str(error), "", "live")
        return
    try:
        if not is_linux:
            yield Check("virtual camera", "ok", f"{camera.device} opens", "look for it by name in the call", "live")
            return
        yield read_back(camera.device, lambda: camera.send(two_tone_frame(640, 480), 0.0))
    except ToonfilterError as error:
        yield Check("virtual camera", "fault", str(error), "", "live")
    finally:
        camera.close()


def read_back(
    device: str, send: Callable[[], None], command: tuple[str, ...] = (), limit_s: float = _READER_S
) -> Check:
    """Send pictures until a second process has read one of them, or gave up."""
    command = command or (sys.executable, "-m", "toonfilter.runtime.doctor.loopback_reader", device)
    # The first picture is there before anybody reads.
    send()
    reader = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    deadline_s = time.monotonic() + limit_s
    while reader.poll() is None and time.monotonic() < deadline_s:
        send()
        time.sleep(1 / 30)
    if reader.poll() is None:
        reader.kill()
    told = (reader.communicate()[0] or "").strip()
    if reader.returncode == 0:
        return Check("virtual camera", "ok", f"{device}: a second program reads it, {told}", "", "live")
    advice = (
        "end programs that use the device, then: "
        "sudo modprobe -r v4l2loopback && sudo modprobe v4l2loopback exclusive_caps=1"
    )
    return Check(
        "virtual camera", "fault", f"{device} opens, but a second program gets {told or 'nothing'}", advice, "live"
    )


def check_loopback_module(
    devices: list[VideoDevice], module: Path = Path("/sys/module/v4l2loopback")
) -> Iterator[Check]:
    """Whether browsers see the virtual camera. devices: of this machine; module: where the kernel tells of its own."""
    if not any(device.is_loopback for device in devices):
        return
    version = _text(module / "version") or "unknown"
    exclusive = _text(module / "parameters" / "exclusive_caps")
    if exclusive.startswith("Y") or not exclusive:
        yield Check("v4l2loopback", "ok", f"version {version}", "", "live")
    else:
        cure = "sudo modprobe -r v4l2loopback && sudo modprobe v4l2loopback exclusive_caps=1"
        yield Check(
            "v4l2loopback",
            "note",
            f"version {version}, exclusive_caps=0: browsers and Zoom do not list it",
            cure,
            "live",
        )


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def check_preview() -> Iterator[Check]:
    """Whether a window can be expected to open."""
    import cv2  # noqa: F401  (finds out what is missing)

    if missing:
        advice = "--preview needs them: apt install libgl1 libegl1 libglib2.0-0 libsm6 libxext6; nothing else does"
        yield Check("preview", "note", f"this machine lacks {', '.join(sorted(missing))}", advice)
        return
    has_display = not sys.platform.startswith("linux") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    advice = "" if has_display else "--preview needs a desktop session; the virtual camera and files do not"
    yield Check(
        "preview", "ok" if has_display else "note", "a display is there" if has_display else "no display", advice
    )
