"""Linux video devices without a library: names, abilities, formats, and the cure for v4l2loopback's restart fault.

Structures and numbers are those of <linux/videodev2.h>; everything here returns None or an empty list elsewhere.
"""

import mmap
import os
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from toonfilter.runtime.frames import Image

_QUERYCAP = 0x80685600  # VIDIOC_QUERYCAP, struct v4l2_capability: 104 bytes
_G_FMT = 0xC0D05604  # VIDIOC_G_FMT, struct v4l2_format: 208 bytes
_QUERYBUF = 0xC0585609  # VIDIOC_QUERYBUF, struct v4l2_buffer: 88 bytes
_S_CTRL = 0xC008561C  # VIDIOC_S_CTRL, struct v4l2_control: 8 bytes
_TIMEOUT, _TIMEOUT_IMAGE_IO = 0x0098F902, 0x0098F903  # v4l2loopback's own controls
_STREAMON = 0x40045612  # VIDIOC_STREAMON, int
_ENUM_FMT = 0xC0405602  # VIDIOC_ENUM_FMT, struct v4l2_fmtdesc: 64 bytes
_BUF_TYPE_CAPTURE, _BUF_TYPE_OUTPUT = 1, 2
_MOST_FORMATS = 32
"""That a device is asked for. Raising it changes nothing for devices that end their list."""
_GREY_FORMATS = ("GREY", "Y8I", "Y10", "Y12", "Y16", "Y16 ")
_CAN_CAPTURE, _CAN_OUTPUT, _HAS_DEVICE_CAPS = 0x1, 0x2, 0x80000000
_BUFFERS = 2  # v4l2loopback's default; more are numbered on in a circle
_TURNS = 20
"""Tries to catch the device between two pictures. Raising it waits longer for a busy one."""
_ONE_MOMENT_S = 0.002
"""Stamps closer together are of one moment. Raising it takes two pictures for one."""
WATCH_S = 2.5
"""A writer that sends less than two pictures in this time counts as gone: ours sends one in a second at least."""
LOOPBACK_DRIVER = "v4l2 loopback"


@dataclass(frozen=True, slots=True)
class VideoDevice:
    """One /dev/videoN. driver: empty where it cannot be opened; problem: then why. formats: what it sends."""

    path: str
    name: str
    driver: str
    can_capture: bool
    can_output: bool
    problem: str = ""
    formats: tuple[str, ...] = ()

    @property
    def index(self) -> int:
        return int(self.path.removeprefix("/dev/video"))

    @property
    def is_infrared(self) -> bool:
        """Whether it sees heat or infrared light only: cameras that computers recognise their owners with."""
        return bool(self.formats) and all(one in _GREY_FORMATS for one in self.formats)

    @property
    def kind(self) -> str:
        """What it is, in words."""
        if self.problem:
            return f"cannot be opened: {self.problem}"
        if self.is_loopback:
            return "virtual camera"
        if not self.can_capture:
            return "no camera"
        return "infrared camera" if self.is_infrared else "camera"

    @property
    def is_loopback(self) -> bool:
        return self.driver == LOOPBACK_DRIVER or (not self.driver and "v4l2loopback" in self.name.lower())


def list_devices(names: Path = Path("/sys/class/video4linux")) -> list[VideoDevice]:
    """Every video device of this machine, by number; empty where the system has no V4L2."""
    if not sys.platform.startswith("linux") or not names.is_dir():
        return []
    numbers = sorted(
        int(entry.name.removeprefix("video")) for entry in names.iterdir() if entry.name.removeprefix("video").isdigit()
    )
    return [_device(f"/dev/video{number}", names / f"video{number}" / "name") for number in numbers]


def _device(path: str, name_file: Path) -> VideoDevice:
    try:
        name = name_file.read_text().strip()
    except OSError:
        name = path
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        return VideoDevice(path, name, "", False, False, error.strerror or str(error))
    try:
        answer = bytearray(104)
        _ioctl(handle, _QUERYCAP, answer)
        formats = _formats(handle)
    except OSError as error:
        return VideoDevice(path, name, "", False, False, error.strerror or str(error))
    finally:
        os.close(handle)
    driver = bytes(answer[:16]).split(b"\0")[0].decode(errors="replace")
    everything, here = struct.unpack_from("<II", answer, 84)
    abilities = here if everything & _HAS_DEVICE_CAPS else everything
    return VideoDevice(
        path, name, driver, bool(abilities & _CAN_CAPTURE), bool(abilities & _CAN_OUTPUT), formats=formats
    )


def _formats(handle: int) -> tuple[str, ...]:
    """The four letters of every format that the device can send."""
    found = []
    for number in range(_MOST_FORMATS):
        request = bytearray(64)
        struct.pack_into("<II", request, 0, number, _BUF_TYPE_CAPTURE)
        try:
            _ioctl(handle, _ENUM_FMT, request)
        except OSError:
            break
        found.append(bytes(request[44:48]).decode("latin1").strip())
    return tuple(found)


def output_size(path: str) -> tuple[int, int] | None:
    """Width and height that a virtual camera really has on its writing side; None where it does not tell."""
    request = bytearray(208)
    struct.pack_into("<I", request, 0, _BUF_TYPE_OUTPUT)
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        _ioctl(handle, _G_FMT, request)
    except OSError:
        return None
    finally:
        os.close(handle)
    width, height = struct.unpack_from("<II", request, 8)
    return (width, height) if width and height else None


def has_writer(path: str, watch_s: float = WATCH_S) -> bool:
    """Whether pictures are still coming into a v4l2loopback device; what cannot be told counts as yes.

    A device whose writer was killed looks like a busy one as long as a reader holds it. The driver stamps each
    picture, and tells the stamps without being read: they move while somebody writes. Waits watch_s at most.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        stamps, changes, end_s = _stamps(handle), 0, time.monotonic() + watch_s
        while time.monotonic() < end_s:
            time.sleep(0.05)
            before, stamps = stamps, _stamps(handle)
            changes += stamps != before and not _set_by_a_reader(stamps)
            if changes > 1:
                return True
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _stamps(handle: int) -> list[tuple[float, int]]:
    """When each of the device's buffers was filled, in seconds, and its picture's number."""
    stamps = []
    for number in range(_BUFFERS):
        answer = _buffer(handle, number)
        seconds, microseconds = struct.unpack_from("<qq", answer, 24)
        stamps.append((seconds + microseconds / 1e6, struct.unpack_from("<I", answer, 56)[0]))
    return stamps


def _set_by_a_reader(stamps: list[tuple[float, int]]) -> bool:
    """Whether a program that opens the device to read did this: all buffers anew in one moment, as often as it asks."""
    times_s = [time_s for time_s, _ in stamps]
    return not any(number for _, number in stamps) and max(times_s) - min(times_s) < _ONE_MOMENT_S


def heal_loopback(path: str) -> bool:
    """Make a v4l2loopback device writable again after its last writer ended; True if it had to be done.

    Up to 0.12.7 a device with exclusive_caps=1 is neither input nor output after a close or a kill, or an input
    only as long as a reader holds it, and the next start fails. STREAMON on the output side and a close bring it
    back, without root rights and with readers attached.
    """
    device = _device(path, Path("/sys/class/video4linux") / Path(path).name / "name")
    if not device.is_loopback or device.can_output or (device.can_capture and has_writer(path)):
        return False
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        _ioctl(handle, _STREAMON, bytearray(struct.pack("i", _BUF_TYPE_OUTPUT)))
    except OSError:
        # EINVAL is the usual answer; the close below does the work all the same.
        pass
    finally:
        os.close(handle)
    return True


def set_timeout_picture(path: str, image: Image, timeout_ms: int) -> bool:
    """What v4l2loopback shows its readers when its writer sends nothing for so long, a crash included; True if it took.

    image: uint8 [H, W, 3] RGB in the device's size. The device must be open for writing already. The driver keeps the
    picture and the time until its last user is gone.
    """
    request = bytearray(208)
    struct.pack_into("<I", request, 0, _BUF_TYPE_OUTPUT)
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        try:
            _ioctl(handle, _G_FMT, request)
            pixels = packed_picture(image, *struct.unpack_from("<II4s", request, 8))
            if pixels is None:
                return False
            for _ in range(_TURNS):
                # The driver hands the picture's memory to whoever opens the device next, which may be a program that
                # looks for cameras just now. It forgets the wish then, but V4L2 remembers the 1 and drops a second one.
                _set_control(handle, _TIMEOUT_IMAGE_IO, 0)
                _set_control(handle, _TIMEOUT_IMAGE_IO, 1)
                if _write_timeout_memory(path, pixels):
                    _set_control(handle, _TIMEOUT, timeout_ms)
                    return True
        finally:
            os.close(handle)
    except (OSError, ValueError):
        pass
    return False


def packed_picture(image: Image, width: int, height: int, fourcc: bytes) -> bytes | None:
    """The picture as the device stores it; None for formats and sizes that are not ours."""
    import cv2

    if image.shape != (height, width, 3) or fourcc != b"YU12" or width % 2 or height % 2:
        return None
    return bytes(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420).tobytes())


def _write_timeout_memory(path: str, pixels: bytes) -> bool:
    """False if another program got it: what came instead is the first of the ordinary buffers, at offset 0."""
    handle = os.open(path, os.O_RDWR)
    try:
        buffer = _buffer(handle, 0)
        (offset,), (length,) = struct.unpack_from("<I", buffer, 64), struct.unpack_from("<I", buffer, 72)
        if offset == 0:
            return False
        with mmap.mmap(handle, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset) as memory:
            memory[: len(pixels)] = pixels
    finally:
        os.close(handle)
    return True


def _buffer(handle: int, number: int) -> bytearray:
    answer = bytearray(88)
    struct.pack_into("<II", answer, 0, number, _BUF_TYPE_OUTPUT)
    _ioctl(handle, _QUERYBUF, answer)
    return answer


def _set_control(handle: int, control: int, value: int) -> None:
    _ioctl(handle, _S_CTRL, bytearray(struct.pack("<Ii", control, value)))


def _ioctl(handle: int, request: int, answer: bytearray) -> None:
    import fcntl

    fcntl.ioctl(handle, request, answer, True)
