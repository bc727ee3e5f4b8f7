"""Cutting a long conversion into segments at key frames, and the work folder that remembers the finished ones.

A segment starts from a filter that knows nothing but the `WARM_UP_FRAMES` before it, whether the segments are converted
one after the other, in parallel, or after an interruption. So the result is the same, byte for byte.
"""

import hashlib
import json
import os
import shutil
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from toonfilter.runtime.errors import ConfigError, OutputError
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.runtime.video.reader import VideoIndex, VideoInfo
from toonfilter.runtime.video.review import Cover, covers_from
from toonfilter.runtime.video.timeline import Timeline
from toonfilter.runtime.video.writer import Encoder

WARM_UP_FRAMES = 12
"""Before a segment, that only fill the filter's memory. Raising it makes joints smoother, and each segment slower."""
_MANIFEST, _LOCK, _COVERED = "manifest.json", "lock", "covered.json"
_MANIFEST_FORMAT = 2
"""Raised when work folders change: conversions that were stopped begin anew."""
_LONGEST_NAME = 200
"""Bytes of a name, with room for what is added to it within the 255 of file systems."""
_MOST_FOLDERS = 10
"""Names that are tried for a work folder, where others' files have them."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames with start_pts <= pts < end_pts (None: no limit).

    decode_from_pts: a key frame early enough for the warm-up frames; None: the beginning of the file.
    """

    number: int
    start_pts: int | None
    end_pts: int | None
    decode_from_pts: int | None

    def has(self, pts: int) -> bool:
        return self.end_pts is None or pts < self.end_pts


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """What came out of a segment; no file where nothing in it could be decoded (0 frames).

    states: frames by privacy state. last_duration: of the last frame, in time base units.
    """

    frames: int
    states: Mapping[str, int]
    damaged_packets: int
    last_duration: int
    file_bytes: int


def plan_segments(info: VideoInfo, index: VideoIndex, segment_s: float) -> list[Segment]:
    """Segments of at least `segment_s` seconds, each starting at a key frame; one where there are no key frames."""
    length = segment_s / info.time_base
    cuts: list[int] = []
    start = index.first_pts
    for number, pts in enumerate(index.key_pts):
        if pts - start >= length and index.key_positions[number] > 0:
            cuts.append(number)
            start = pts
    bounds = [index.key_pts[number] for number in cuts]
    segments = [Segment(0, None, bounds[0] if bounds else None, None)]
    for position, number in enumerate(cuts):
        end = bounds[position + 1] if position + 1 < len(bounds) else None
        segments.append(Segment(position + 1, bounds[position], end, _decode_from(index, number)))
    return segments


def _decode_from(index: VideoIndex, key_number: int) -> int | None:
    """The last key frame with enough frames between it and the segment; some may belong before the key frame."""
    wanted = index.key_positions[key_number] - WARM_UP_FRAMES - 8
    number = bisect_right(index.key_positions, wanted) - 1
    return index.key_pts[number] if number > 0 else None


def origin_of(segment: Segment, timeline: Timeline, info: VideoInfo) -> int:
    """The stamp that is zero in the segment's file: large and negative ones are a burden for some muxers."""
    return timeline.start_ticks(info.time_base) if segment.start_pts is None else segment.start_pts


def fingerprint(path: Path) -> str:
    """sha256 of the file's size and of samples from its beginning, middle and end; fast on files of any size."""
    digest = hashlib.sha256()
    size = path.stat().st_size
    digest.update(str(size).encode())
    with path.open("rb") as file:
        for part in range(17):
            file.seek(max(0, (size - 65536) * part // 16))
            digest.update(file.read(65536))
    return digest.hexdigest()


class WorkFolder:
    """The hidden folder beside the target with finished segments until they are joined; only its user reads it."""

    def __init__(self, target: Path) -> None:
        self.path = _folder_for(target)

    def is_beside(self, target: Path) -> bool:
        """Whether it lies where the next run looks for it."""
        return self.path.parent == target.parent

    def open(self, identity: Mapping[str, Any], encoder: Encoder, *, resume: bool | None) -> Encoder:
        """Make the folder, or take up an interrupted conversion; the encoder that its segments have been made with.

        identity: everything that changes the result: source, settings, segments. resume: False begins anew, None goes
        on where everything is the same, True insists on it.

        Raises:
            ConfigError: `resume` is True and what lies there was made from another file or with other options.
            OutputError: the folder cannot be written.
        """
        manifest = self._read_manifest()
        is_same = manifest is not None and manifest.get("identity") == json.loads(json.dumps(identity))
        if manifest is not None and is_same and resume is not False:
            stored = manifest["encoder"]
            return Encoder(stored["name"], stored["options"], stored["threads"])
        if resume and manifest is not None:
            raise ConfigError(
                f"{self.path}: the interrupted conversion was made from another file or with other options; "
                "use the same ones, or start again without --resume"
            )
        content = {
            "format": _MANIFEST_FORMAT,
            "identity": identity,
            "encoder": {"name": encoder.name, "options": dict(encoder.options), "threads": encoder.threads},
        }
        for old in self.path.iterdir():
            if old.name != _LOCK:
                old.unlink()
        write_whole(self.path / _MANIFEST, json.dumps(content, indent=1))
        return encoder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; the system lets go of it when the process ends, however it ends.

        Raises:
            OutputError: another process is at work there, or the folder cannot be made.
        """
        try:
            self.path.mkdir(mode=0o700, exist_ok=True)
            lock = FileLock(self.path / _LOCK, timeout=0)
            lock.acquire()
        except Timeout as error:
            raise OutputError(
                f"{self.path}: another process is converting to this target now; wait or choose another"
            ) from error
        except OSError as error:
            raise OutputError(f"{self.path.parent}: cannot be written ({error.strerror or error})") from error
        try:
            yield
        finally:
            is_empty = self._read_manifest() is None
            lock.release()
            if is_empty:
                self.remove()

    def forget(self) -> None:
        """Give the segments up: the folder vanishes when it is let go of."""
        (self.path / _MANIFEST).unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the folder with all segments."""
        shutil.rmtree(self.path, ignore_errors=True)

    def video_path(self, segment: Segment) -> Path:
        return self.path / f"segment-{segment.number:05d}.mp4"

    def audit_path(self, segment: Segment) -> Path:
        return self.path / f"segment-{segment.number:05d}.jsonl"

    def finish(self, segment: Segment, result: SegmentResult) -> None:
        """Note the segment as done; written last, so what is noted is whole."""
        write_whole(self._result_path(segment), json.dumps(asdict(result)))

    def result(self, segment: Segment) -> SegmentResult | None:
        """What came out of the segment; None if it is not done, or its file is not what was noted."""
        try:
            found = SegmentResult(**json.loads(self._result_path(segment).read_text(encoding="utf-8")))
            is_whole = found.frames == 0 or self.video_path(segment).stat().st_size == found.file_bytes
        except (OSError, ValueError, TypeError):
            return None
        return found if is_whole and self.audit_path(segment).exists() else None

    def drop(self, segment: Segment) -> None:
        """Note the segment as not done."""
        self._result_path(segment).unlink(missing_ok=True)

    def covers(self) -> tuple[Cover, ...] | None:
        """The regions that are covered in the segments; None where that cannot be read."""
        path = self.path / _COVERED
        try:
            return covers_from(json.loads(path.read_text(encoding="utf-8")), str(path)) if path.exists() else ()
        except (OSError, ValueError, ConfigError):
            return None

    def keep_covers(self, covers: Sequence[Cover]) -> None:
        """Note which regions are covered in the segments from now on."""
        write_whole(self.path / _COVERED, json.dumps([asdict(one) for one in covers]))

    def _result_path(self, segment: Segment) -> Path:
        return self.path / f"segment-{segment.number:05d}.json"

    def _read_manifest(self) -> dict[str, Any] | None:
        return _manifest_in(self.path)


def _folder_for(target: Path) -> Path:
    """The folder's name: it tells the target's, fits on the disk, and is nobody else's."""
    name = target.name
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    for number in range(1, _MOST_FOLDERS):
        path = target.parent / (f".{name}.toonfilter" + (f"-{number}" if number > 1 else ""))
        if not os.path.lexists(path) or _is_ours(path):
            return path
    raise OutputError(f"{target.parent}: other files have all names for a work folder, such as .{name}.toonfilter")


def _is_ours(path: Path) -> bool:
    """Whether it is a folder of this user, not a link, that holds what this program left or nothing."""
    if path.is_symlink() or not path.is_dir():
        return False
    if hasattr(os, "geteuid") and path.stat().st_uid != os.geteuid():
        return False
    return _manifest_in(path) is not None or all(one.name == _LOCK for one in path.iterdir())


def _manifest_in(folder: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_ours = isinstance(manifest, dict) and manifest.get("format") == _MANIFEST_FORMAT
    return manifest if is_ours else None
