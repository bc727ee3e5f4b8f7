"""The recordings of an archive, where their cartoons go, and the manifest that tells which are done."""

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from toonfilter.runtime.errors import CaptureError, ConfigError
from toonfilter.runtime.files.file_kinds import VIDEOS_READ, VIDEOS_WRITTEN, is_hidden, is_video
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.runtime.video.segments import fingerprint

MANIFEST = "toonfilter-batch.json"
# Their sound or subtitles are of kinds that .mp4 does not take: WMA, AMR, DVB, PGS.
_INTO_MATROSKA = frozenset((".3gp", ".asf", ".m2ts", ".mts", ".mxf", ".rm", ".rmvb", ".ts", ".vob", ".wmv"))
_FORMAT = 1
"""Raised when the manifest of an archive changes: everything is converted anew."""

Status = Literal["done", "partial", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of the archive. name: its path below the archive's folder."""

    name: str
    source: Path
    target: Path
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a recording. fingerprint: of the source. reason: why it failed. seconds: it took, this time.

    `partial`: the source was cut off or damaged and everything up to there was converted.
    owns_target: whether a file under the target's name is a result of this batch, which it may replace.
    """

    status: Status
    fingerprint: str
    frames: int = 0
    states: Mapping[str, int] | None = None
    notes: tuple[str, ...] = ()
    reason: str = ""
    seconds: float = 0.0
    owns_target: bool = True


def default_target(source: Path) -> Path:
    """Where the cartoon of a recording goes when the user does not say: `NAME-cartoon` beside it."""
    return source.with_name(f"{source.stem}-cartoon{target_suffix(source)}")


def default_folder(archive: Path) -> Path:
    """Where the cartoons of an archive go when the user does not say: `NAME-cartoon` beside it."""
    whole = archive.resolve()
    return whole.with_name(f"{whole.name}-cartoon")


def target_suffix(source: Path) -> str:
    """The source's suffix where such files are written, else of one that takes its sound."""
    suffix = source.suffix.lower()
    return suffix if suffix in VIDEOS_WRITTEN else ".mkv" if suffix in _INTO_MATROSKA else ".mp4"


def find_recordings(archive: Path, output: Path) -> list[Recording]:
    """Every video file below the folder, the largest first; hidden ones and those below `output` are left out.

    Raises:
        CaptureError: there is no such folder, or no video file in it.
    """
    if archive.is_file():
        raise CaptureError(f"{archive}: a file, not a folder; use: toonfilter video {archive}")
    if not archive.is_dir():
        raise CaptureError(f"{archive}: no such folder")
    if archive.resolve() == output.resolve():
        raise ConfigError(f"{output}: the archive itself; choose another folder, the originals are never overwritten")
    sources = [path for path in archive.rglob("*") if _is_recording(path, archive, output)]
    if not sources:
        raise CaptureError(f"{archive}: no video files in it; looked for {', '.join(VIDEOS_READ)}")
    stems = Counter(path.with_suffix("") for path in sources)
    sources.sort(key=lambda path: (-path.stat().st_size, path))
    recordings = []
    for source in sources:
        below = source.relative_to(archive)
        suffix = target_suffix(source)
        # lecture.avi and lecture.mpg must not become the same file.
        name = below.with_name(below.name + suffix) if stems[source.with_suffix("")] > 1 else below.with_suffix(suffix)
        recordings.append(Recording(below.as_posix(), source, output / name, source.stat().st_size))
    return recordings


def _is_recording(path: Path, archive: Path, output: Path) -> bool:
    if not is_video(path) or not path.is_file():
        return False
    return not is_hidden(path, archive) and not path.resolve().is_relative_to(output.resolve())


class BatchManifest:
    """What is done, in the output folder; written anew, under a temporary name first, after every recording."""

    def __init__(self, output: Path, filter_identity: str) -> None:
        self._path = output / MANIFEST
        self.identity = filter_identity
        self._lock = threading.Lock()
        self.outcomes: dict[str, Outcome] = {}

    def load(self) -> None:
        """Take up what an earlier run noted.

        Raises:
            ConfigError: it was made with another style or other settings, or is not readable.
        """
        if not self._path.exists():
            return
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            found = {name: _outcome(values) for name, values in content["recordings"].items()}
            is_ours = content["format"] == _FORMAT
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"{self._path} cannot be read ({error}); delete it or use --overwrite") from error
        if not is_ours or content.get("filter") != self.identity:
            raise ConfigError(
                f"{self._path}: made with another style or other settings; use the same, another -o, or --overwrite"
            )
        self.outcomes = found

    def note(self, name: str, outcome: Outcome) -> None:
        """Remember what became of a recording."""
        with self._lock:
            self.outcomes[name] = outcome
            content = {
                "format": _FORMAT,
                "filter": self.identity,
                "recordings": {key: asdict(value) for key, value in sorted(self.outcomes.items())},
            }
            write_whole(self._path, json.dumps(content, indent=1) + "\n")

    def begin_anew(self, recordings: Sequence[Recording]) -> None:
        """What lies there may all be replaced, also by a later run that goes on after this one was stopped."""
        for recording in recordings:
            if recording.target.exists():
                self.outcomes[recording.name] = Outcome("interrupted", "")

    def owns_target(self, recording: Recording) -> bool:
        """Whether nothing lies under the target's name but what this batch put there."""
        outcome = self.outcomes.get(recording.name)
        return not recording.target.exists() or (outcome is not None and outcome.owns_target)

    def is_done(self, recording: Recording) -> bool:
        """Whether this very file was converted before and the result is still there."""
        outcome = self.outcomes.get(recording.name)
        if outcome is None or outcome.status not in ("done", "partial") or not recording.target.exists():
            return False
        return outcome.fingerprint == fingerprint(recording.source)


def _outcome(values: Any) -> Outcome:
    return Outcome(**{**values, "notes": tuple(values["notes"])})
