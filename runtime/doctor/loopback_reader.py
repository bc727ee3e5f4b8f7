"""Reads a virtual camera as another program would: `python -m toonfilter.runtime.doctor.loopback_reader /dev/videoN`.

Writes what it saw; exit status 0 when the test card of `cover_pictures.two_tone_frame` came through.
"""

import sys
import time
from typing import Any

_WAIT_S = 20.0
"""How long the colour that is sent is waited for. Raising it waits longer for a device that shows nothing."""
_TOLERANCE = 40
"""Levels that a colour may be off after its way through the device. Raising it lets a wrong picture pass."""


def main(device: str) -> int:
    """Wait for the device to offer pictures, read one, and compare its colours."""
    from toonfilter.runtime.live.sources import prepare_environment

    prepare_environment()
    import cv2

    deadline_s = time.monotonic() + _WAIT_S
    told = "no picture"
    while time.monotonic() < deadline_s:
        capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
        try:
            is_whole, image = capture.read() if capture.isOpened() else (False, None)
        finally:
            capture.release()
        if is_whole and image is not None:
            is_right, told = judge(image[:, :, ::-1])
            if is_right:
                sys.stdout.write(told)
                return 0
        time.sleep(0.1)
    sys.stdout.write(told)
    return 1


def judge(image: Any) -> tuple[bool, str]:
    """Whether the picture (RGB) is the test card, and its size and colours in words."""
    from toonfilter.runtime.live.cover_pictures import LOWER, UPPER

    height, width = image.shape[:2]
    seen = [image[y, width // 2].tolist() for y in (height // 4, 3 * height // 4)]
    is_right = all(
        abs(a - b) <= _TOLERANCE
        for want, got in zip((UPPER, LOWER), seen, strict=True)
        for a, b in zip(want, got, strict=True)
    )
    return is_right, f"{width}x{height}" if is_right else f"wrong colours {seen} at {width}x{height}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
