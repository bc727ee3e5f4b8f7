"""Which cameras and virtual cameras can be chosen on this machine, and words for what is missing."""

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields

from toonfilter.runtime.live.camera_list import list_cameras
from toonfilter.runtime.live.v4l2 import VideoDevice, list_devices
from toonfilter.runtime.platform.platform_texts import PlatformTexts, platform_texts

ListDevices = Callable[[], list[VideoDevice]]

_NOT_ADVICE = ("system", "capture_backend", "virtual_backends")
ADVICE = tuple(entry.name for entry in fields(PlatformTexts) if entry.name not in _NOT_ADVICE)
"""The texts of `platform_texts` that say what to do; the page has them in every language."""


@dataclass(frozen=True, slots=True)
class Choice:
    """wish: as `--camera` and `--device` take it. name: for people; empty where the system does not tell."""

    wish: str
    name: str
    problem: str = ""


def camera_choices() -> list[Choice]:
    """The cameras; by number where the system does not name them, where each is opened for a moment."""
    found = [one for one in list_cameras() if one.kind != "virtual camera"]
    return [
        Choice(
            one.wish,
            "" if one.wish.isdigit() else one.name,
            "" if one.kind in ("camera", "infrared camera") else one.kind,
        )
        for one in found
    ]


def virtual_choices(devices: ListDevices = list_devices) -> list[Choice]:
    """The virtual cameras; elsewhere than on Linux the one that OBS brings, which is found when it is opened."""
    if not sys.platform.startswith("linux"):
        return []
    return [Choice(device.path, device.name) for device in devices() if device.is_loopback]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong. text: in English, whole. advice: which of `ADVICE` says what to do; empty for none of them."""

    text: str
    advice: str = ""

    @classmethod
    def of(cls, text: str, texts: PlatformTexts | None = None, *, is_virtual: bool = False) -> "Trouble":
        """The advice is found by its words in the text, where the code that failed put them.

        is_virtual: it is about the virtual camera, for which some systems say the same as for the camera.
        """
        table = asdict(texts or platform_texts())
        names = sorted(ADVICE, key=lambda name: ("virtual" in name) != is_virtual)
        return cls(text, next((name for name in names if table[name] in text), ""))


def system_name() -> str:
    """linux, windows or macos: which of the page's texts about this system hold."""
    return {"win32": "windows", "cygwin": "windows", "darwin": "macos"}.get(sys.platform, "linux")


_WHYS = (
    ("hidden by the user", "hidden"),
    ("starting", "starting"),
    ("stopped", "stopped"),
    ("no face found", "no_face"),
    ("no fresh picture", "no_picture"),
    ("settings change", "changing"),
    ("the filter is being opened", "changing"),
    ("the filter failed", "error"),
)


def why(reason: str) -> str:
    """Which of the page's words say the reason of a safe frame; `doubt` for any other, empty for none."""
    if not reason:
        return ""
    return next((word for start, word in _WHYS if reason.startswith(start)), "doubt")
