"""One table of what to tell people on each operating system. Nothing else in the project looks at the system's name."""

import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlatformTexts:
    """What to do about a missing or refused device, in words for the user.

    capture_backend: OpenCV's backend that opens cameras fast there. virtual_backends: pyvirtualcam's, best first.
    """

    system: str
    capture_backend: str
    virtual_backends: tuple[str, ...]
    no_camera: str
    camera_busy: str
    camera_permission: str
    no_virtual_camera: str
    virtual_permission: str
    virtual_busy: str


_LINUX = PlatformTexts(
    system="Linux",
    capture_backend="CAP_V4L2",
    virtual_backends=("v4l2loopback",),
    no_camera="plug a camera in, or look whether `ls /dev/video*` shows one; in a virtual machine pass it through",
    camera_busy="close the program that uses it (`fuser -v /dev/video*` shows which)",
    camera_permission="add yourself to the group that owns it and log in again: sudo usermod -aG video $USER",
    no_virtual_camera=(
        "install and load v4l2loopback: sudo apt install v4l2loopback-dkms && "
        "sudo modprobe v4l2loopback exclusive_caps=1 card_label='Toonfilter' "
        "(with Secure Boot its signing key must be enrolled: sudo mokutil --import /var/lib/dkms/mok.pub); "
        "or use --output preview"
    ),
    virtual_permission="add yourself to the group that owns it and log in again: sudo usermod -aG video $USER",
    virtual_busy="another program writes to it: end it, or load a second device: sudo modprobe v4l2loopback devices=2",
)
_WINDOWS = PlatformTexts(
    system="Windows",
    capture_backend="CAP_DSHOW",
    virtual_backends=("obs", "unitycapture"),
    no_camera="plug a camera in, and look whether the Camera app of Windows shows it",
    camera_busy="close the program that uses it (the Camera app, a browser tab, a call)",
    camera_permission="Settings > Privacy & security > Camera: let desktop apps access the camera",
    no_virtual_camera=(
        "install OBS Studio 26.1 or newer (https://obsproject.com), it brings the OBS Virtual Camera; "
        "or use --output preview"
    ),
    virtual_permission="start OBS Studio once, click Start Virtual Camera and stop it again",
    virtual_busy="OBS Studio or another program uses it: stop the virtual camera there",
)
_MACOS = PlatformTexts(
    system="macOS",
    capture_backend="CAP_AVFOUNDATION",
    virtual_backends=("obs",),
    no_camera="plug a camera in, and look whether Photo Booth shows it",
    camera_busy="close the program that uses it",
    camera_permission="System Settings > Privacy & Security > Camera: allow it for your terminal, then start it again",
    no_virtual_camera=(
        "install OBS Studio 30 or newer (https://obsproject.com), start its virtual camera once and allow the system "
        "extension; or use --output preview"
    ),
    virtual_permission="System Settings > General > Login Items & Extensions > Camera Extensions: allow OBS",
    virtual_busy="OBS Studio uses it: stop the virtual camera there",
)
_TABLE = {"linux": _LINUX, "win32": _WINDOWS, "cygwin": _WINDOWS, "darwin": _MACOS}


def platform_texts(platform: str = sys.platform) -> PlatformTexts:
    """The texts of this operating system; Linux's for one that is not in the table."""
    return _TABLE.get(platform, _LINUX)
