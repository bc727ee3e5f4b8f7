"""What the panel remembers between runs: look, presets, devices, language. Never that a face may be seen."""

import json
import threading
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.files.strict import Problem, parse
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.runtime.panel.looks import Look
from toonfilter.runtime.video.sound import Sound

_T = TypeVar("_T")

MOST_PRESETS = 40
"""That a person may keep. Raising it makes the list longer."""
MOST_NAME = 40
"""Characters of a preset."""
_MOST_UNDO = 50
"""Changes of the look that can be taken back. Raising it takes memory."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """language: a code, empty for the browser's. is_known: the first steps were seen. camera, output: last chosen.

    looks_first: doubtful pictures of recordings are looked at before files are made. sound: what becomes of theirs.
    """

    look: Look = field(default_factory=Look)
    presets: dict[str, Look] = field(default_factory=dict)
    language: str = ""
    is_known: bool = False
    is_mirrored: bool = False
    looks_first: bool = False
    sound: Sound = "keep"
    camera: str = ""
    output: str = ""


def write_json(path: Path, content: Any) -> None:
    """Write JSON under a temporary name, readable by this person only, then rename it.

    Raises:
        OutputError: the disk does not take it.
    """
    write_whole(path, json.dumps(content, indent=1), is_private=True)


def read_json(kind: type[_T], path: Path) -> _T:
    """What `write_json` wrote; the usual values where nothing was, or where another version wrote it."""
    try:
        found: _T = parse(kind, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, Problem, RecursionError):
        return kind()
    return found


class PanelStore:
    """The remembered settings, on disk after every change. All methods may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "settings.json"
        self._lock = threading.Lock()
        self._past: list[Look] = []
        self._known = read_json(Remembered, self._path)

    @property
    def known(self) -> Remembered:
        with self._lock:
            return self._known

    @property
    def can_undo(self) -> bool:
        with self._lock:
            return bool(self._past)

    def change(self, **changes: Any) -> None:
        """Remember other values for the fields named."""
        with self._lock:
            self._keep(replace(self._known, **changes))

    def set_look(self, look: Look) -> None:
        """Remember the look; `undo` goes back to the one before."""
        with self._lock:
            if look != self._known.look:
                self._past = [*self._past[1 - _MOST_UNDO :], self._known.look]
                self._keep(replace(self._known, look=look))

    def undo(self) -> Look:
        """The look before the last change, which is the look again; the present one where there is none."""
        with self._lock:
            if self._past:
                self._keep(replace(self._known, look=self._past.pop()))
            return self._known.look

    def save_preset(self, name: str) -> None:
        """Keep the present look under this name; an older one of the same name is replaced.

        Raises:
            ConfigError: no name, too long a one, or too many presets.
        """
        name = " ".join(name.split())
        if not 1 <= len(name) <= MOST_NAME or not name.isprintable():
            raise ConfigError(f"the name has {len(name)} characters; must have 1 to {MOST_NAME}, without control signs")
        with self._lock:
            presets = {**self._known.presets, name: self._known.look}
            if len(presets) > MOST_PRESETS:
                raise ConfigError(f"there are {MOST_PRESETS} presets already; delete one first")
            self._keep(replace(self._known, presets=presets))

    def delete_preset(self, name: str) -> None:
        """Forget a preset; nothing happens where there is none of this name."""
        with self._lock:
            presets = {key: look for key, look in self._known.presets.items() if key != name}
            self._keep(replace(self._known, presets=presets))

    def preset(self, name: str) -> Look:
        """
        Raises:
            ConfigError: there is none of this name.
        """
        presets = self.known.presets
        if name not in presets:
            raise ConfigError("there is no preset of this name any more")
        return presets[name]

    def _keep(self, known: Remembered) -> None:
        self._known = known
        write_json(self._path, asdict(known))
