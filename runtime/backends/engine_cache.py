"""Engines on disk: built once for this model, this GPU and this TensorRT, and never loaded for another."""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from toonfilter.runtime.errors import BackendError
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.runtime.platform.user_folders import engines_folder

FORMAT = 1
"""Raised when engines must be built anew: part of every key."""


@dataclass(frozen=True, slots=True)
class EngineKey:
    """Everything that an engine depends on. compute_capability as "8.9"; flavour with its version."""

    model_sha256: str
    gpu: str
    compute_capability: str
    driver: str
    flavour: str
    precision: str
    size: int
    max_batch: int
    format: int = FORMAT

    @property
    def digest(self) -> str:
        """The key as a file name."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


Build = Callable[[bytes], tuple[bytes, bytes]]
"""Takes the timing cache, returns the engine and the new timing cache."""


class EngineCache:
    """Engines, timing caches and runtime caches of one user. Safe between threads and processes."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or engines_folder()

    def get(self, key: EngineKey, build: Build, *, wait_s: float = 1800.0) -> tuple[bytes, bool]:
        """The engine of this key, built now when there is none that is whole and for this very key.

        While another process builds the same engine this waits for it, wait_s at most.
        Returns the engine and whether it was built now.

        Raises:
            BackendError: building failed, the folder cannot be written, or the other process does not finish.
        """
        if (plan := self.find(key)) is not None:
            return plan, False
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / f"{key.digest}.lock", timeout=wait_s):
                # Another process may have finished while this one waited.
                if (plan := self.find(key)) is not None:
                    return plan, False
                timing = self.folder / f"timing-{_timing_name(key)}.bin"
                plan, timings = build(_read(timing))
                self._store(key, plan)
                if timings:
                    write_whole(timing, timings)
        except Timeout:
            raise BackendError(
                f"another process has been building this engine for {wait_s:.0f} s; end it and try again"
            ) from None
        except OSError as error:
            raise BackendError(f"{self.folder}: the engine cannot be kept ({error.strerror or error})") from error
        return plan, True

    def find(self, key: EngineKey) -> bytes | None:
        """The engine of this key, or None where there is none, or it is damaged, or its key is another one."""
        plan = _read(self.path_of(key))
        try:
            note = json.loads(self.note_of(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(note, dict) or note.get("key") != dataclasses.asdict(key):
            return None
        return plan if plan and note.get("sha256") == hashlib.sha256(plan).hexdigest() else None

    def path_of(self, key: EngineKey) -> Path:
        """Where the engine of this key lies or will lie."""
        return self.folder / f"{key.digest}.engine"

    def note_of(self, key: EngineKey) -> Path:
        """Where the engine's key and sha256 lie."""
        return self.folder / f"{key.digest}.json"

    def runtime_cache(self, key: EngineKey) -> bytes:
        """Kernels compiled at an earlier start, or nothing. TensorRT-RTX checks by itself whom they suit."""
        return _read(self.folder / f"{key.digest}.kernels")

    def keep_runtime_cache(self, key: EngineKey, content: bytes) -> None:
        """Keep what was compiled at this start; a disk that refuses costs the next start some seconds."""
        if content and content != self.runtime_cache(key):
            with contextlib.suppress(OSError):
                write_whole(self.folder / f"{key.digest}.kernels", content)

    def _store(self, key: EngineKey, plan: bytes) -> None:
        """The engine first, its note last: an engine without a note is not found."""
        self.note_of(key).unlink(missing_ok=True)
        write_whole(self.path_of(key), plan)
        note = {"key": dataclasses.asdict(key), "sha256": hashlib.sha256(plan).hexdigest()}
        write_whole(self.note_of(key), (json.dumps(note, indent=1) + "\n").encode())


def _timing_name(key: EngineKey) -> str:
    text = f"{key.gpu}|{key.compute_capability}|{key.driver}|{key.flavour}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
