"""Linux video devices without a library: names, abilities, formats, and the cure for v4l2loopback's restart fault.

Structures and numbers are those of <linux/videodev2.h>; everything here returns None or an empty list elsewhere.
"""

import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

_QUERYCAP = 0x80685600  # VIDIOC_QUERYCAP, struct v4l2_capability: 104 bytes
_G_FMT = 0xC0D05604  # VIDIOC_G_FMT, struct v4l2_format: 208 bytes
_STREAMON = 0x40045612  # VIDIOC_STREAMON, int
_BUF_TYPE_OUTPUT = 2
_CAN_CAPTURE, _CAN_OUTPUT, _HAS_DEVICE_CAPS = 0x1, 0x2, 0x80000000
LOOPBACK_DRIVER = "v4l2 loopback"


@dataclass(frozen=True, slots=True)
class VideoDevice:
    """One /dev/videoN. driver: empty where it cannot be opened; problem: then why."""

    path: str
    name: str
    driver: str
    can_capture: bool
    can_output: bool
    problem: str = ""

    @property
    def index(self) -> int:
        return int(self.path.removeprefix("/dev/video"))

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
    except OSError as error:
        return VideoDevice(path, name, "", False, False, error.strerror or str(error))
    finally:
        os.close(handle)
    driver = bytes(answer[:16]).split(b"\0")[0].decode(errors="replace")
    everything, here = struct.unpack_from("<II", answer, 84)
    abilities = here if everything & _HAS_DEVICE_CAPS else everything
    return VideoDevice(path, name, driver, bool(abilities & _CAN_CAPTURE), bool(abilities & _CAN_OUTPUT))


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


def heal_loopback(path: str) -> bool:
    """Make a v4l2loopback device writable again after its last writer ended; True if it had to be done.

    Up to 0.12.7 a device with exclusive_caps=1 is neither input nor output after a close or a kill, and the next start
    fails. STREAMON on the output side and a close bring it back, without root rights and with readers attached.
    """
    device = _device(path, Path("/sys/class/video4linux") / Path(path).name / "name")
    # One that can be read has a writer now: it is another program's, not orphaned.
    if not device.is_loopback or device.can_output or device.can_capture:
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


def _ioctl(handle: int, request: int, answer: bytearray) -> None:
    import fcntl

    fcntl.ioctl(handle, request, answer, True)
