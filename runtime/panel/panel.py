"""Everything the page can see and ask for. One object for all tabs, so that they agree."""

import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import cv2

from toonfilter.runtime.errors import CaptureError, ConfigError
from toonfilter.runtime.files.file_kinds import is_video
from toonfilter.runtime.files.image_files import read_image, write_image
from toonfilter.runtime.panel import shortcut
from toonfilter.runtime.panel.camera import CameraChoice, CameraControl, CameraParts
from toonfilter.runtime.panel.checkup import Checkup
from toonfilter.runtime.panel.devices import Choice, camera_choices, system_name, virtual_choices
from toonfilter.runtime.panel.languages import LANGUAGES
from toonfilter.runtime.panel.looks import SWATCHES, Look, look_from, style_cards
from toonfilter.runtime.panel.recording_list import RecordingSettings
from toonfilter.runtime.panel.recordings import RecordingQueue
from toonfilter.runtime.panel.store import PanelStore
from toonfilter.runtime.styles.identity import SAME_PERSON, STRANGERS
from toonfilter.runtime.video.sound import Sound

Request = Mapping[str, Any]
Reply = dict[str, Any] | None

_MOST_ENTRIES = 2000
"""Of a folder that the page lists. Raising it makes long lists slower."""
_BACKGROUND_PX = 1920
"""Longer side of a background that is kept. Raising it takes memory, for large frames."""


@dataclass(frozen=True, slots=True)
class PanelOptions:
    """folder: of settings and queue. videos: where results go. camera: stands in for the first one, as `--camera`."""

    folder: Path
    videos: Path
    camera: str = ""


class Panel:
    """State and actions. Everything may be called from any thread; actions raise our errors, which the page shows."""

    def __init__(
        self,
        options: PanelOptions,
        *,
        parts: CameraParts | None = None,
        queue: RecordingQueue | None = None,
        checkup: Checkup | None = None,
    ) -> None:
        """parts, queue, checkup: stand-ins for tests."""
        self._options = options
        self._store = PanelStore(options.folder)
        self._styles = tuple(style_cards())
        if self._store.known.look.style not in {card.name for card in self._styles}:
            self._store.set_look(Look(style=self._styles[0].name) if self._styles else Look())
        self.camera = CameraControl(self._store.known.look, parts)
        self.recordings = queue or RecordingQueue(options.folder, options.videos, lambda: self.camera.is_on)
        self.checkup = checkup or Checkup()
        self.is_ending = threading.Event()
        self._cameras: list[Choice] = []
        self._virtuals: list[Choice] = []
        self._actions: dict[str, Callable[[Request], Reply]] = {
            "devices": self._find_devices,
            "camera/start": self._start,
            "camera/stop": lambda request: self.camera.stop(),  # noqa: ARG005
            "camera/hide": lambda request: self.camera.hide(_flag(request, "hidden")),
            "camera/sample": self._sample,
            "check": self._check,
            "shortcut": lambda request: {"path": str(shortcut.install())},  # noqa: ARG005
            "look/set": lambda request: self._show(look_from(request.get("look"), self._styles, self.pictures)),
            "look/undo": lambda request: self.camera.show(self._store.undo()),  # noqa: ARG005
            "look/reset": lambda request: self._show(Look(style=self._store.known.look.style)),  # noqa: ARG005
            "presets/save": lambda request: self._store.save_preset(_text(request, "name")),
            "presets/use": lambda request: self._show(self._store.preset(_text(request, "name"))),
            "presets/delete": lambda request: self._store.delete_preset(_text(request, "name")),
            "settings": self._settings,
            "folder": self._list_folder,
            "recordings/add": self._add,
            "recordings/remove": lambda request: self.recordings.remove(_text(request, "id")),
            "recordings/again": lambda request: self.recordings.try_again(_text(request, "id")),
            "recordings/pause": lambda request: self.recordings.pause(_flag(request, "paused")),
            "recordings/compare": lambda request: self.recordings.allow_comparison(_text(request, "id")),
            "recordings/reveal": self._reveal,
            "recordings/doubts": lambda request: {"doubts": self.recordings.doubts_of(_text(request, "id"))},
            "recordings/cover": lambda request: self.recordings.cover(_text(request, "id"), request.get("covers")),
            "recordings/finish": lambda request: self.recordings.finish_review(
                _text(request, "id"), request.get("covers")
            ),
            "quit": lambda request: self.is_ending.set(),  # noqa: ARG005
        }

    @property
    def actions(self) -> Mapping[str, Callable[[Request], Reply]]:
        """What the page may ask for, by name."""
        return self._actions

    @property
    def look(self) -> Look:
        """The present look, which recordings are queued with, too."""
        return self._store.known.look

    def take_recording(self, copy: Path) -> None:
        """Queue a dropped file, which was copied into the inbox.

        Raises:
            ConfigError: there are too many.
        """
        self.recordings.add_copy(copy, self._recording_settings())

    @property
    def pictures(self) -> Path:
        """The folder of the person's own backgrounds."""
        return self._options.folder / "backgrounds"

    def take_background(self, name: str, content: bytes) -> None:
        """Draw people before this picture from now on. content: of an image file.

        Raises:
            CaptureError: it is no picture that can be read.
        """
        self.pictures.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory() as folder:
            given = Path(folder) / f"given{Path(name).suffix.lower()[:6]}"
            given.write_bytes(content)
            image = read_image(given)
        factor = min(1.0, _BACKGROUND_PX / max(image.shape[:2]))
        size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
        path = self.pictures / f"{hashlib.sha256(content).hexdigest()[:16]}.png"
        write_image(path, cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        self._show(replace(self._store.known.look, background=str(path)))

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as plain data: what every tab shows."""
        known = self._store.known
        return {
            "system": system_name(),
            "languages": LANGUAGES,
            "camera": self.camera.snapshot(),
            "cameras": [asdict(one) for one in self._cameras],
            "virtuals": [asdict(one) for one in self._virtuals],
            "preferred": {"camera": self._options.camera or known.camera, "output": known.output},
            "look": asdict(known.look),
            "can_undo": self._store.can_undo,
            "presets": list(known.presets),
            "styles": [asdict(card) for card in self._styles],
            "swatches": SWATCHES,
            "similarity": {"strangers": STRANGERS, "same": SAME_PERSON},
            "recordings": self.recordings.snapshot(),
            "checkup": self.checkup.snapshot(),
            "language": known.language,
            "is_known": known.is_known,
            "is_mirrored": known.is_mirrored,
            "looks_first": known.looks_first,
            "sound": known.sound,
        }

    def close(self) -> None:
        """Cover, close the camera, and stop converting; the queue goes on in the next run."""
        self.camera.close()
        self.recordings.close()
        self.checkup.close()

    def _find_devices(self, request: Request) -> None:  # noqa: ARG002
        if self.camera.is_on or self.checkup.is_running:
            # Some systems tell what there is only by opening it.
            return
        cameras = camera_choices()
        if self._options.camera:
            cameras = [Choice(self._options.camera, Path(self._options.camera).name), *cameras]
        self._cameras, self._virtuals = cameras, virtual_choices()

    def _check(self, request: Request) -> None:  # noqa: ARG002
        if self.camera.is_on:
            raise ConfigError("the camera is on; stop it first, so that it can be tried")
        self.checkup.start()

    def _start(self, request: Request) -> None:
        if self.checkup.is_running:
            raise ConfigError("this computer is being checked; wait until that is done")
        camera, output = _text(request, "camera", ""), _text(request, "output", "")
        allowed = {"", self._options.camera, *(one.wish for one in self._cameras)}
        if camera not in allowed:
            raise ConfigError("this camera is not there any more; choose another")
        if output not in {"", "none", *(one.wish for one in self._virtuals)}:
            raise ConfigError("this virtual camera is not there any more; choose another")
        self._store.change(camera="" if camera == self._options.camera else camera, output=output)
        self.camera.start(CameraChoice(camera or self._options.camera, output))

    def _sample(self, request: Request) -> None:  # noqa: ARG002
        self.camera.sample_styles([card.name for card in self._styles])

    def _show(self, look: Look) -> None:
        self._store.set_look(look)
        self.camera.show(look)

    def _settings(self, request: Request) -> None:
        changes: dict[str, Any] = {}
        for name in ("is_known", "is_mirrored", "looks_first"):
            if name in request:
                changes[name] = _flag(request, name)
        if "sound" in request:
            changes["sound"] = _text(request, "sound")
            if changes["sound"] not in get_args(Sound):
                raise ConfigError(f"sound is {changes['sound']!r}; must be {', '.join(get_args(Sound))}")
        if "language" in request:
            changes["language"] = _text(request, "language")
            if changes["language"] not in ("", *LANGUAGES):
                raise ConfigError(f"language is {changes['language']!r}; must be {', '.join(LANGUAGES)}")
        self._store.change(**changes)

    def _add(self, request: Request) -> Reply:
        path = Path(_text(request, "path"))
        if not path.is_absolute():
            raise CaptureError("the path must be whole, from the root on")
        return {"added": self.recordings.add_path(path, self._recording_settings())}

    def _recording_settings(self) -> RecordingSettings:
        known = self._store.known
        return RecordingSettings(known.look, known.looks_first, known.sound)

    def _reveal(self, request: Request) -> None:
        import typer

        target = self.recordings.target_of(_text(request, "id"))
        typer.launch(str(target if target.exists() else target.parent), locate=target.exists())

    def _list_folder(self, request: Request) -> Reply:
        """Folders and recordings of a folder, so that files can be chosen without a copy."""
        path = Path(_text(request, "path", "") or Path.home())
        try:
            entries = sorted(os.scandir(path), key=lambda entry: entry.name.casefold())[:_MOST_ENTRIES]
            shown = [entry for entry in entries if not entry.name.startswith(".")]
            folders = [entry.name for entry in shown if entry.is_dir()]
            videos = [
                {"name": entry.name, "size_mb": round(entry.stat().st_size / 1e6, 1)}
                for entry in shown
                if entry.is_file() and is_video(Path(entry.name))
            ]
        except OSError as error:
            raise CaptureError(f"{path}: cannot be read ({error.strerror or error})") from error
        parent = str(path.parent) if path.parent != path else ""
        return {"path": str(path), "parent": parent, "separator": os.sep, "folders": folders, "videos": videos}


def _text(request: Request, name: str, usual: str | None = None) -> str:
    value = request.get(name, usual)
    if not isinstance(value, str) or len(value) > 4096 or "\0" in value:
        raise ConfigError(f"{name} must be a text")
    return value


def _flag(request: Request, name: str) -> bool:
    value = request.get(name)
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be true or false")
    return value
