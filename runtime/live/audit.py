"""The record of everything that was sent, one line of JSON for each picture."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from toonfilter.runtime.errors import OutputError
from toonfilter.runtime.frames import PrivacyState, SafeFrame


class AuditLog:
    """Written line by line: what was sent before a crash is accounted for too.

    Raises:
        OutputError: the file cannot be written; every method may.
    """

    def __init__(self, path: Path) -> None:
        with _written(path):
            self._file: IO[str] = path.open("w", buffering=1, encoding="utf-8")
        self._path = path
        self._lines = 0

    def add(self, safe: SafeFrame, state: PrivacyState, time_s: float, *, is_repeat: bool) -> None:
        """One picture was sent. state: as it was shown. time_s: since the start. is_repeat: it was sent before."""
        line = {
            "index": self._lines,
            "frame": safe.index,
            "time_s": round(time_s, 6),
            "state": state.value,
            "is_repeat": is_repeat,
            "faces_found": safe.faces_found,
            "faces_drawn": safe.faces_drawn,
            "faces_covered": safe.faces_covered,
            "reason": safe.reason,
        }
        self._lines += 1
        with _written(self._path):
            self._file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        """Finish the file; nothing happens the second time."""
        with _written(self._path):
            self._file.close()


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
