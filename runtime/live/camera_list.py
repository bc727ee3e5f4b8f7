"""The cameras of this machine, as people choose between them."""

import sys
from dataclasses import dataclass

from toonfilter.runtime.live.v4l2 import list_devices
from toonfilter.runtime.platform.platform_texts import platform_texts

_MOST_NUMBERS = 5
"""Numbers of cameras that are tried where the system has no list. Raising it takes a second more for each."""


@dataclass(frozen=True, slots=True)
class ListedCamera:
    """wish: what `--camera` takes. kind: camera, infrared camera, virtual camera, or why it cannot be opened."""

    wish: str
    name: str
    kind: str


def list_cameras() -> list[ListedCamera]:
    """What `--camera` can name. Where the system tells no names, cameras are opened for a moment."""
    is_linux: bool = sys.platform.startswith("linux")
    if is_linux:
        return [ListedCamera(one.path, one.name, one.kind) for one in list_devices() if one.kind != "no camera"]
    return [
        ListedCamera(str(number), f"camera {number}", "camera") for number in range(_MOST_NUMBERS) if _opens(number)
    ]


def _opens(number: int) -> bool:
    import cv2

    capture = cv2.VideoCapture(number, getattr(cv2, platform_texts().capture_backend))
    try:
        return bool(capture.isOpened())
    finally:
        capture.release()
