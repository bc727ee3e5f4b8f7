"""The virtual camera that video calls see: opened once, healed where its driver needs it, checked after opening."""

import os
import sys
from typing import Any

from toonfilter.runtime.errors import OutputError
from toonfilter.runtime.frames import SafeFrame
from toonfilter.runtime.live.cover_pictures import cover_picture
from toonfilter.runtime.live.sinks import fitted, image_of
from toonfilter.runtime.live.v4l2 import (
    VideoDevice,
    has_writer,
    heal_loopback,
    list_devices,
    output_size,
    set_timeout_picture,
)
from toonfilter.runtime.platform.platform_texts import PlatformTexts, platform_texts

_TIMEOUT_MS = 1000
"""After so long without a picture v4l2loopback shows the covered one by itself. Raising it freezes the last picture
longer."""


def find_virtual_camera(wish: str, devices: list[VideoDevice], texts: PlatformTexts | None = None) -> str:
    """The path of the v4l2loopback device to write to. wish: a path, or empty for the first.

    Raises:
        OutputError: there is none, or the wished one is not one; with what to do.
    """
    texts = texts or platform_texts("linux")
    loopbacks = [device for device in devices if device.is_loopback]
    if wish:
        for device in devices:
            if device.path == wish and (device.is_loopback or device.can_output):
                return device.path
        known = ", ".join(device.path for device in loopbacks) or "none"
        raise OutputError(f"{wish} is not a virtual camera; found: {known}; {texts.no_virtual_camera}")
    if not loopbacks:
        raise OutputError(f"no virtual camera found; {texts.no_virtual_camera}")
    return (loopbacks[0] if len(loopbacks) == 1 else min(loopbacks, key=_occupation)).path


def _occupation(device: VideoDevice) -> int:
    """0: free. 1: free once it is healed. 2: the same, and somebody reads it: a program died in a call. 3: busy."""
    if device.can_output:
        return 0
    if not device.can_capture:
        return 1
    return 3 if has_writer(device.path) else 2


class VirtualCamera:
    """A device that other programs see as a webcam. Pictures of another size are fitted into it with bars."""

    def __init__(self, width: int, height: int, fps: float, *, device: str = "", avoid: str = "") -> None:
        """
        device: which one, where there are several; empty takes the first free one. avoid: the camera's own path.

        Raises:
            OutputError: there is none, it is busy, refused, or held at another size; with what to do.
        """
        texts = platform_texts()
        if width % 2 or height % 2:
            raise OutputError(
                f"--size is {width} {height}; a virtual camera takes even sides only, such as {width + width % 2} "
                f"{height + height % 2}"
            )
        self.width, self.height = width, height
        self._camera: Any = None
        if sys.platform.startswith("linux"):
            device = find_virtual_camera(device, [entry for entry in list_devices() if entry.path != avoid], texts)
            if not os.access(device, os.R_OK | os.W_OK):
                raise OutputError(f"{device}: no permission; {texts.virtual_permission}")
            heal_loopback(device)
        self._camera = _open_any(width, height, fps, device, texts)
        self.device = str(self._camera.device)
        self._check_size()
        if sys.platform.startswith("linux"):
            # Should this program die, readers get this and not the last picture for ever.
            set_timeout_picture(self.device, cover_picture(width, height), _TIMEOUT_MS)

    def _check_size(self) -> None:
        """v4l2loopback keeps the old size while a reader holds the device, and says nothing."""
        found = output_size(self.device) if sys.platform.startswith("linux") else None
        if found is not None and found != (self.width, self.height):
            self.close()
            raise OutputError(
                f"{self.device} keeps {found[0]}x{found[1]} while a program reads it, {self.width}x{self.height} was "
                f"asked for; close that program, or start with --size {found[0]} {found[1]}"
            )

    def send(self, safe: SafeFrame, now_s: float) -> None:  # noqa: ARG002
        try:
            self._camera.send(fitted(image_of(safe), self.width, self.height))
        except (RuntimeError, ValueError) as error:
            raise OutputError(f"{self.device}: the virtual camera does not take pictures any more ({error})") from error

    def keys(self) -> str:
        return ""

    def close(self) -> None:
        if self._camera is not None:
            self._camera.close()
            self._camera = None
            if sys.platform.startswith("linux"):
                heal_loopback(self.device)


def _open_any(width: int, height: int, fps: float, device: str, texts: PlatformTexts) -> Any:
    """Try the system's virtual cameras in order; every reason is told when none opens."""
    import pyvirtualcam

    reasons = []
    for backend in texts.virtual_backends:
        try:
            return pyvirtualcam.Camera(
                width, height, fps, fmt=pyvirtualcam.PixelFormat.RGB, device=device or None, backend=backend
            )
        except (RuntimeError, KeyError, ValueError) as error:
            reasons.append(f"{backend}: {' '.join(str(error).split())}")
    told = "; ".join(reasons)
    if device and ("busy" in told.lower() or "not a video output" in told.lower() or "could not be opened" in told):
        raise OutputError(f"the virtual camera {device} does not open ({told}); {texts.virtual_busy}")
    raise OutputError(f"no virtual camera opens ({told}); {texts.no_virtual_camera}")
