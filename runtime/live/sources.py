"""Webcams, and things that behave like one: a played file, a picture, a test pattern."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from toonfilter.runtime.clock import Clock, Pacer, SystemClock
from toonfilter.runtime.errors import CaptureError
from toonfilter.runtime.files.file_kinds import is_picture, is_video
from toonfilter.runtime.frames import Image
from toonfilter.runtime.live.v4l2 import VideoDevice, list_devices
from toonfilter.runtime.platform.platform_texts import platform_texts


class Camera(Protocol):
    """A source of live pictures. All calls come from one thread."""

    def open(self) -> str:
        """Open it, also again after `close`; what was opened, in words.

        Raises:
            CaptureError: it is not there, busy or refused; with what to do.
        """
        ...

    def read(self) -> tuple[Image, float]:
        """Wait for the next picture: uint8 [H, W, 3] RGB, owned by the caller, and the clock's time when it was taken.

        Raises:
            CaptureError: unplugged or stalled; close it, and open it again later.
        """
        ...

    def close(self) -> None:
        """Let go of it. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class CameraRequest:
    """camera: a number, a device path, a part of its name; empty takes the first. Sizes and rate are wishes."""

    camera: str = ""
    width: int = 1280
    height: int = 720
    fps: float = 30.0


def prepare_environment() -> None:
    """What OpenCV reads from the environment when it is loaded; call it before the first `import cv2`."""
    # A stalled camera is reported after 1 s instead of 10 s.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "1")
    # Opening takes half a minute on Windows otherwise (opencv issue 17687).
    os.environ.setdefault("OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")


def find_camera(wish: str, devices: list[VideoDevice], *, avoid: str = "", is_linux: bool | None = None) -> int | str:
    """What OpenCV should open for a user's wish: an index or a path.

    avoid: the virtual camera that this program writes to.

    Raises:
        CaptureError: no such camera; with those that are there.
    """
    texts = platform_texts()
    is_linux = sys.platform.startswith("linux") if is_linux is None else is_linux
    if not is_linux:
        if wish and not wish.isdigit():
            raise CaptureError(f"no camera {wish!r}: on {texts.system} cameras have numbers, try --camera 0, 1, 2")
        return int(wish or 0)
    usable = [device for device in devices if (device.can_capture or device.problem) and device.path != avoid]
    if not wish:
        usable.sort(key=lambda device: (device.is_loopback, device.is_infrared, bool(device.problem)))
        if not usable:
            raise CaptureError(f"no camera found; {texts.no_camera}")
        return usable[0].path
    if wish.isdigit():
        wish = f"/dev/video{wish}"
    if wish.startswith("/"):
        if any(device.path == os.path.realpath(wish) for device in usable):
            return os.path.realpath(wish)
    else:
        for device in usable:
            if wish.lower() in device.name.lower():
                return device.path
    known = ", ".join(f"{device.path} ({device.name}, {device.kind})" for device in usable) or "none"
    raise CaptureError(f"no camera {wish!r}; found: {known}; {texts.no_camera}")


class Webcam:
    """A camera through OpenCV: MJPG asked for, the format that came told, the stamp taken right after the grab."""

    def __init__(self, request: CameraRequest, clock: Clock | None = None, *, avoid: str = "") -> None:
        self._request = request
        self._clock = clock or SystemClock()
        self._avoid = avoid
        self._capture: Any = None
        self._texts = platform_texts()

    def open(self) -> str:
        import cv2

        devices = list_devices()
        target = find_camera(self._request.camera, devices, avoid=self._avoid)
        if isinstance(target, str) and not os.access(target, os.R_OK | os.W_OK):
            raise CaptureError(f"{target}: no permission; {self._texts.camera_permission}")
        self._capture = cv2.VideoCapture(target, getattr(cv2, self._texts.capture_backend))
        if not self._capture.isOpened():
            self.close()
            raise CaptureError(self._refusal(target))
        kind = self._negotiate(cv2)
        for _ in range(3):
            # The first grabs of some cameras fail while they wake up.
            if self._capture.grab():
                break
        else:
            self.close()
            raise CaptureError(f"camera {target}: it opens but sends no picture; {self._texts.camera_busy}")
        name = next((device.name for device in devices if device.path == target), f"camera {target}")
        width, height = (int(self._capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        return f"{name}, {width}x{height} {kind}"

    def _negotiate(self, cv2: Any) -> str:
        """Ask for compressed pictures first: raw 720p does not fit through USB 2 at 30 per second."""
        request, capture = self._request, self._capture
        kind = ""
        for wish in ("MJPG", "YUYV"):
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter_fourcc(*wish))
            kind = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True).decode("latin1").strip("\0")
            if kind == wish:
                break
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, request.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, request.height)
        capture.set(cv2.CAP_PROP_FPS, request.fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return kind

    def _refusal(self, target: int | str) -> str:
        if isinstance(target, int) and not sys.platform.startswith("linux"):
            return (
                f"camera {target} does not open: {self._texts.no_camera}; "
                f"if it is there, {self._texts.camera_busy}, or: {self._texts.camera_permission}"
            )
        return f"camera {target} is busy or refuses; {self._texts.camera_busy}"

    def read(self) -> tuple[Image, float]:
        import cv2

        if self._capture is None or not self._capture.grab():
            raise CaptureError("the camera sends no pictures any more")
        captured_at_s = self._clock.now_s()
        is_whole, image = self._capture.retrieve()
        if not is_whole or image is None:
            raise CaptureError("the camera's picture cannot be decoded")
        if image.ndim == 2:
            return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), captured_at_s
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image), captured_at_s

    def close(self) -> None:
        # Releasing before reopening matters: a held handle makes the camera come back under another number.
        if self._capture is not None:
            self._capture.release()
            self._capture = None


class _Paced:
    """Pictures at a fixed rate by absolute deadlines, as a camera would deliver them."""

    def __init__(self, fps: float, clock: Clock | None) -> None:
        self._clock = clock or SystemClock()
        self._pacer = Pacer(1 / fps, self._clock)

    def wait(self) -> float:
        self._clock.sleep(self._pacer.wait_s())
        self._pacer.advance()
        return self._clock.now_s()


class TestPattern:
    """A moving pattern without a face, for trying outputs without a camera."""

    __test__ = False  # pytest collects classes by this name

    def __init__(self, request: CameraRequest, clock: Clock | None = None) -> None:
        self._request, self._clock = request, clock
        self._number = 0

    def open(self) -> str:
        self._paced = _Paced(self._request.fps, self._clock)
        columns = np.linspace(0, 255, self._request.width, dtype=np.uint8)
        rows = np.linspace(0, 255, self._request.height, dtype=np.uint8)[:, None]
        self._picture: Image = np.stack(np.broadcast_arrays(columns, rows, rows ^ columns), -1)
        return f"test pattern, {self._request.width}x{self._request.height}"

    def read(self) -> tuple[Image, float]:
        captured_at_s = self._paced.wait()
        self._number += 1
        return np.roll(self._picture, 4 * self._number, axis=1), captured_at_s

    def close(self) -> None:
        """Nothing to let go of."""


class ImageFile:
    """A still picture again and again."""

    def __init__(self, path: Path, fps: float = 30.0, clock: Clock | None = None) -> None:
        self._path, self._fps, self._clock = path, fps, clock

    def open(self) -> str:
        from toonfilter.runtime.files.image_files import read_image

        self._picture = read_image(self._path)
        self._paced = _Paced(self._fps, self._clock)
        return f"picture {self._path.name}, {self._picture.shape[1]}x{self._picture.shape[0]}"

    def read(self) -> tuple[Image, float]:
        captured_at_s = self._paced.wait()
        return self._picture.copy(), captured_at_s

    def close(self) -> None:
        """Nothing to let go of."""


class PlayedFile:
    """A video file played at its own speed, over and over, as if a camera saw it."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._path, self._clock = path, clock
        self._file: Any = None

    def open(self) -> str:
        from toonfilter.runtime.video.colour import ColourConverter
        from toonfilter.runtime.video.reader import VideoFile, inspect_video

        info = inspect_video(self._path)
        self._colours = ColourConverter(info.format.colour, info.orientation, info.width, info.height)
        self._file = VideoFile(info)
        self._frames = self._file.frames()
        self._info = info
        self._paced = _Paced(float(info.frame_rate), self._clock)
        return f"file {self._path.name}, {info.width}x{info.height}"

    def read(self) -> tuple[Image, float]:
        from toonfilter.runtime.video.reader import VideoFile

        decoded = next(self._frames, None)
        if decoded is None:
            self._file.close()
            self._file = VideoFile(self._info)
            self._frames = self._file.frames()
            decoded = next(self._frames, None)
            if decoded is None:
                raise CaptureError(f"{self._path}: no picture in it can be decoded")
        image = self._colours.upright_rgb(decoded)
        return image, self._paced.wait()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class AdjustedCamera:
    """A camera whose pictures are mirrored, or lifted where there is little light, before anything looks at them."""

    def __init__(self, camera: Camera, *, mirror: bool = False, lift: bool = False) -> None:
        self._camera, self._mirror = camera, mirror
        self._lift = LowLightLift() if lift else None

    def open(self) -> str:
        return self._camera.open()

    def read(self) -> tuple[Image, float]:
        image, captured_at_s = self._camera.read()
        if self._lift is not None:
            image = self._lift(image)
        return (np.ascontiguousarray(image[:, ::-1]) if self._mirror else image), captured_at_s

    def close(self) -> None:
        self._camera.close()


class LowLightLift:
    """Brightens dark pictures by a curve that follows the light slowly, so that nothing pumps."""

    WISHED_LEVEL = 105.0
    """Of the mean, of 255; pictures at least as bright stay as they are. Raising it lifts more, and more noise."""
    MOST = 0.45
    """The least exponent of the curve; lowering it lifts darker rooms."""
    FOLLOWS_FRAMES = 30

    def __init__(self) -> None:
        self._exponent = 1.0

    def __call__(self, image: Image) -> Image:
        """uint8 [H, W, 3] in and out; the same array where nothing is lifted."""
        import cv2

        mean = min(254.0, max(1.0, float(image[::8, ::8].mean())))
        wished = np.log(self.WISHED_LEVEL / 255) / np.log(mean / 255) if mean < self.WISHED_LEVEL else 1.0
        self._exponent += (max(self.MOST, float(wished)) - self._exponent) / self.FOLLOWS_FRAMES
        if self._exponent > 0.98:
            return image
        curve = np.round(255 * (np.arange(256) / 255) ** self._exponent).astype(np.uint8)
        lifted: Image = cv2.LUT(image, curve)
        return lifted


def wished_path(wish: str) -> str:
    """The device path of a webcam that the user names; empty for other sources, no wish, and one that is not there."""
    if not wish or not isinstance(open_source(CameraRequest(wish)), Webcam):
        return ""
    try:
        return str(find_camera(wish, list_devices()))
    except CaptureError:
        return ""


def open_source(request: CameraRequest, clock: Clock | None = None, *, avoid: str = "") -> Camera:
    """The camera that the user means; not opened yet. `test` is the test pattern, a file's name plays the file."""
    path = Path(request.camera)
    if request.camera == "test":
        return TestPattern(request, clock)
    if is_video(path):
        return PlayedFile(path, clock)
    if is_picture(path):
        return ImageFile(path, request.fps, clock)
    return Webcam(request, clock, avoid=avoid)
