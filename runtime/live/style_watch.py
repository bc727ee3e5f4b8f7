"""Notices when the style file in use is saved, so that the picture follows while somebody works on it."""

import time
from pathlib import Path

from toonfilter.runtime.bundle import known_bundles

_LOOK_EVERY_S = 0.25
"""Raising it looks at the file less often; the picture follows later."""


class StyleFileWatch:
    """Not thread safe."""

    def __init__(self, look_every_s: float = _LOOK_EVERY_S) -> None:
        self._look_every_s = look_every_s
        self._path: Path | None = None
        self._seen: tuple[int, int] | None = None
        self._next_look_s = 0.0

    def follow(self, style: str) -> None:
        """Watch this style's file from now on; nothing where the style is none. Called before the file is read."""
        self._path = _style_file(style)
        self._seen = _state(self._path)

    def was_saved(self) -> bool:
        """Whether the file is another than at the last call; a file that is gone for a moment is not."""
        now_s = time.monotonic()
        if self._path is None or now_s < self._next_look_s:
            return False
        self._next_look_s = now_s + self._look_every_s
        state = _state(self._path)
        if state is None or state == self._seen:
            return False
        self._seen = state
        return True


def _style_file(style: str) -> Path | None:
    path = known_bundles().get(style, Path(style))
    return path if path.suffix == ".toml" else None


def _state(path: Path | None) -> tuple[int, int] | None:
    """Time of the last change in ns, and size in bytes; None where there is no such file."""
    if path is None:
        return None
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size
