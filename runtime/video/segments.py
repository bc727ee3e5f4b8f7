"""Cutting a long conversion into pieces at key frames, and the work folder that remembers the finished ones.

A piece starts from a filter that knows nothing but the `WARM_UP_FRAMES` before it, whether the pieces are converted one
after the other, in parallel, or after an interruption. So the result is the same, byte for byte.
"""

import hashlib
import json
import os
import shutil
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from toonfilter.runtime.errors import ConfigError, OutputError
from toonfilter.runtime.video.reader import VideoIndex, VideoInfo
from toonfilter.runtime.video.writer import Encoder

WARM_UP_FRAMES = 12
_MANIFEST_FORMAT = 1
_SAME_START_S = 5.0


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
    """What came out of a piece; no file where nothing in it could be decoded (0 frames).

    states: frames by privacy state. last_duration: of the last frame, in time base units.
    """

    frames: int
    states: Mapping[str, int]
    damaged_packets: int
    last_duration: int
    file_bytes: int


def plan_segments(info: VideoInfo, index: VideoIndex, piece_s: float) -> list[Segment]:
    """Pieces of at least `piece_s` seconds, each starting at a key frame; one piece where there are no key frames."""
    length = piece_s / info.time_base
    cuts: list[int] = []
    start = index.first_pts
    for number, pts in enumerate(index.key_pts):
        if pts - start >= length and index.key_positions[number] > 0:
            cuts.append(number)
            start = pts
    bounds = [index.key_pts[number] for number in cuts]
    pieces = [Segment(0, None, bounds[0] if bounds else None, None)]
    for position, number in enumerate(cuts):
        end = bounds[position + 1] if position + 1 < len(bounds) else None
        pieces.append(Segment(position + 1, bounds[position], end, _decode_from(index, number)))
    return pieces


def _decode_from(index: VideoIndex, key_number: int) -> int | None:
    """The last key frame with enough frames between it and the piece; some of those may belong before the key frame."""
    wanted = index.key_positions[key_number] - WARM_UP_FRAMES - 8
    number = bisect_right(index.key_positions, wanted) - 1
    return index.key_pts[number] if number > 0 else None


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
    """The hidden folder beside the target that holds finished pieces until they are joined."""

    def __init__(self, target: Path) -> None:
        self.path = target.parent / f".{target.name}.toonfilter"

    def open(self, identity: Mapping[str, Any], encoder: Encoder, *, resume: bool) -> Encoder:
        """Make the folder, or take up an interrupted conversion; the encoder that its pieces have been made with.

        identity: everything that changes the result: source, settings, pieces.

        Raises:
            ConfigError: what lies there was made from another file or with other options.
            OutputError: another process is at work there, or the folder cannot be written.
        """
        manifest = self._read_manifest()
        self._refuse_if_busy(manifest)
        if resume and manifest is not None:
            if manifest.get("identity") != json.loads(json.dumps(identity)):
                raise ConfigError(
                    f"{self.path}: the interrupted conversion was made from another file or with other options; "
                    "use the same ones, or start again without --resume"
                )
            stored = manifest["encoder"]
            encoder = Encoder(stored["name"], stored["options"], stored["threads"])
        elif self.path.exists():
            shutil.rmtree(self.path)
        try:
            self.path.mkdir(exist_ok=True)
            content = {
                "format": _MANIFEST_FORMAT,
                "process": os.getpid(),
                "process_started_s": _started_s(os.getpid()),
                "identity": identity,
                "encoder": {"name": encoder.name, "options": dict(encoder.options), "threads": encoder.threads},
            }
            _write_whole(self.path / "manifest.json", json.dumps(content, indent=1))
        except OSError as error:
            raise OutputError(f"{self.path.parent}: cannot be written ({error.strerror or error})") from error
        return encoder

    def release(self) -> None:
        """Let another process take the folder up; its pieces stay."""
        manifest = self._read_manifest()
        if manifest is not None:
            _write_whole(self.path / "manifest.json", json.dumps({**manifest, "process": None}, indent=1))

    def remove(self) -> None:
        """Delete the folder with all pieces."""
        shutil.rmtree(self.path, ignore_errors=True)

    def video_path(self, piece: Segment) -> Path:
        return self.path / f"piece-{piece.number:05d}.mp4"

    def audit_path(self, piece: Segment) -> Path:
        return self.path / f"piece-{piece.number:05d}.jsonl"

    def finish(self, piece: Segment, result: SegmentResult) -> None:
        """Note the piece as done; written last, so what is noted is whole."""
        _write_whole(self._result_path(piece), json.dumps(asdict(result)))

    def result(self, piece: Segment) -> SegmentResult | None:
        """What came out of the piece; None if it is not done, or its file is not what was noted."""
        try:
            found = SegmentResult(**json.loads(self._result_path(piece).read_text()))
            is_whole = found.frames == 0 or self.video_path(piece).stat().st_size == found.file_bytes
        except (OSError, ValueError, TypeError):
            return None
        return found if is_whole and self.audit_path(piece).exists() else None

    def _result_path(self, piece: Segment) -> Path:
        return self.path / f"piece-{piece.number:05d}.json"

    def _read_manifest(self) -> dict[str, Any] | None:
        try:
            manifest = json.loads((self.path / "manifest.json").read_text())
        except (OSError, ValueError):
            return None
        is_ours = isinstance(manifest, dict) and manifest.get("format") == _MANIFEST_FORMAT
        return manifest if is_ours else None

    def _refuse_if_busy(self, manifest: Mapping[str, Any] | None) -> None:
        owner = manifest.get("process") if manifest else None
        if manifest is None or not isinstance(owner, int) or owner == os.getpid():
            return
        started_s = _started_s(owner)
        # After a restart of the machine another process has the number. Clocks are set now and then.
        if started_s is not None and abs(started_s - manifest.get("process_started_s", started_s)) < _SAME_START_S:
            raise OutputError(f"{self.path}: process {owner} is converting to this target now; wait or choose another")


def _started_s(process: int) -> float | None:
    """When a process began, seconds since 1970; None where there is none of this number."""
    import psutil

    try:
        return float(psutil.Process(process).create_time())
    except psutil.Error:
        return None


def _write_whole(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
