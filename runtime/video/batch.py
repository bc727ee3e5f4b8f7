"""Converting an archive: every recording below a folder, several at once, with a manifest that tells what is done.

A recording that fails is reported at the end and does not stop the rest. Running the same command again goes on: what
is done stays, what was interrupted continues piece by piece, what failed is tried again.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from toonfilter.runtime.errors import CaptureError, ConfigError, OutputError
from toonfilter.runtime.file_kinds import VIDEOS_READ, VIDEOS_WRITTEN, is_hidden, is_video
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.runtime.video.convert import ConvertOptions, ConvertReport, convert
from toonfilter.runtime.video.local_workers import LocalWorkers, default_workers
from toonfilter.runtime.video.segment_workers import OpenFilter, SegmentWorkers
from toonfilter.runtime.video.segments import fingerprint
from toonfilter.runtime.video.sound import Sound
from toonfilter.runtime.whole_files import write_whole

MANIFEST = "toonfilter-batch.json"
# Their sound or subtitles are of kinds that .mp4 does not take: WMA, AMR, DVB, PGS.
_INTO_MATROSKA = frozenset((".3gp", ".asf", ".m2ts", ".mts", ".mxf", ".rm", ".rmvb", ".ts", ".vob", ".wmv"))
_FORMAT = 1

Status = Literal["done", "partial", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """codec, quality, sound, piece_s: as for `ConvertOptions`. overwrite: convert everything anew."""

    codec: str = "auto"
    quality: str = "normal"
    sound: Sound = "keep"
    piece_s: float = 20.0
    overwrite: bool = False


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


@dataclass(frozen=True, slots=True)
class BatchReport:
    """outcomes by name, all recordings of the archive. kept: those that were done before. frames, fps: of this run."""

    outcomes: Mapping[str, Outcome]
    kept: int
    frames: int
    fps: float
    duration_s: float
    workers: int

    @property
    def failures(self) -> dict[str, Outcome]:
        return {name: outcome for name, outcome in self.outcomes.items() if outcome.status == "failed"}

    def as_json(self) -> dict[str, Any]:
        """The report for other programs."""
        return {
            "recordings": {name: asdict(outcome) for name, outcome in sorted(self.outcomes.items())},
            "kept": self.kept,
            "frames": self.frames,
            "fps": round(self.fps, 2),
            "duration_s": round(self.duration_s, 2),
            "workers": self.workers,
            "states": self.states,
        }

    @property
    def states(self) -> dict[str, int]:
        """Frames by privacy state over all recordings."""
        total: Counter[str] = Counter()
        for outcome in self.outcomes.values():
            total.update(outcome.states or {})
        return dict(total)


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


def open_workers(count: int | None, cluster: str | None) -> SegmentWorkers:
    """Processes of this machine, or the workers of the Ray cluster at this address.

    count: None takes one for each core: the four threads of a worker wait for each other now and then.

    Raises:
        ConfigError: both are given, Ray is not installed, or there is no such cluster.
    """
    if cluster is None:
        return LocalWorkers(default_workers() if count is None else count)
    if count is not None:
        raise ConfigError("--workers is for this machine; with --cluster the cluster's cores decide")
    from toonfilter.runtime.video.ray_workers import RayWorkers

    return RayWorkers(cluster)


def run_batch(
    archive: Path,
    output: Path,
    open_filter: OpenFilter,
    workers: SegmentWorkers,
    options: BatchOptions | None = None,
    *,
    filter_identity: str = "",
    progress: ShowProgress | None = None,
    stop: threading.Event | None = None,
) -> BatchReport:
    """Convert every recording below `archive` into the same place below `output`.

    Args:
        open_filter, filter_identity: as for `convert`.
        workers: convert the pieces; closed by the caller.
        stop: set it to stop soon; running the same again continues.

    Raises:
        CaptureError: no recordings. ConfigError: the output belongs to other settings. OutputError: it cannot be
        written. What fails for one recording only is in the report.
    """
    options = options or BatchOptions()
    # Workers on other machines have another working directory.
    archive, output = archive.resolve(), output.resolve()
    recordings = find_recordings(archive, output)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output}: cannot be made ({error.strerror or error})") from error
    manifest = BatchManifest(output, f"{filter_identity}, {options.codec}, {options.quality}, {options.sound}")
    if options.overwrite:
        manifest.begin_anew(recordings)
    else:
        manifest.load()
    batch = _Batch(manifest, open_filter, workers, options, progress, stop or threading.Event())
    return batch.run(recordings)


class _Batch:
    def __init__(
        self,
        manifest: BatchManifest,
        open_filter: OpenFilter,
        workers: SegmentWorkers,
        options: BatchOptions,
        progress: ShowProgress | None,
        stop: threading.Event,
    ) -> None:
        self._manifest, self._open_filter, self._workers = manifest, open_filter, workers
        self._options, self._progress, self._stop = options, progress, stop
        self._lock = threading.Lock()
        self._start_s = time.perf_counter()
        self._finished = self._failed = 0
        self._recordings: Sequence[Recording] = ()
        # Frames of a recording: done, done before this run, and of how many.
        self._frames: dict[str, tuple[int, int, int]] = {}

    def run(self, recordings: Sequence[Recording]) -> BatchReport:
        self._recordings = recordings
        pending = [one for one in recordings if self._options.overwrite or not self._manifest.is_done(one)]
        for one in recordings:
            if one not in pending:
                frames = self._manifest.outcomes[one.name].frames
                self._frames[one.name] = (frames, frames, frames)
        kept = self._finished = len(recordings) - len(pending)
        # One more than there are workers: the next recording is read through while the others are drawn.
        with ThreadPoolExecutor(min(self._workers.count + 1, max(1, len(pending)))) as threads:
            list(threads.map(self._convert, pending))
        duration_s = time.perf_counter() - self._start_s
        names = {one.name for one in recordings}
        frames_now = self._frames_now()
        return BatchReport(
            outcomes={name: outcome for name, outcome in self._manifest.outcomes.items() if name in names},
            kept=kept,
            frames=frames_now,
            fps=frames_now / duration_s if duration_s > 0 else 0.0,
            duration_s=duration_s,
            workers=self._workers.count,
        )

    def _frames_now(self) -> int:
        return sum(done - before for done, before, _ in self._frames.values())

    def _convert(self, recording: Recording) -> None:
        if self._stop.is_set():
            return
        start_s = time.perf_counter()
        stamp = ""
        owns_target = self._manifest.owns_target(recording)
        try:
            stamp = fingerprint(recording.source)
            if not owns_target:
                raise ConfigError(
                    f"{recording.target}: exists already, not from this batch; move it, or use --overwrite"
                )
            recording.target.parent.mkdir(parents=True, exist_ok=True)
            self._manifest.note(recording.name, Outcome("interrupted", stamp))
            report = self._converted(recording)
            assert report.status != "reviewed", "batch asks for no review"
            status: Status = "done" if report.status == "complete" else report.status
            outcome = Outcome(status, stamp, report.frames, report.states, report.notes)
        except Exception as error:
            reason = str(error) or type(error).__name__
            outcome = Outcome("failed", stamp, reason=reason, owns_target=owns_target)
        seconds = round(time.perf_counter() - start_s, 3)
        self._manifest.note(recording.name, Outcome(**{**asdict(outcome), "seconds": seconds}))
        with self._lock:
            done, before, _ = self._frames.get(recording.name, (0, 0, 0))
            done = max(done, outcome.frames)
            self._frames[recording.name] = (done, before, done)
            self._finished += 1
            self._failed += outcome.status == "failed"
        self._report()

    def _converted(self, recording: Recording) -> ConvertReport:
        def note(progress: Progress) -> None:
            with self._lock:
                _, before, _ = self._frames.get(recording.name, (0, progress.done - progress.fresh, 0))
                self._frames[recording.name] = (progress.done, before, max(progress.done, progress.total))
            self._report()

        options = ConvertOptions(
            codec=self._options.codec,
            quality=self._options.quality,
            overwrite=True,
            resume=False if self._options.overwrite else None,
            sound=self._options.sound,
            piece_s=self._options.piece_s,
        )
        return convert(
            recording.source,
            recording.target,
            self._open_filter,
            options,
            workers=self._workers,
            filter_identity=self._manifest.identity,
            progress=note,
            stop=self._stop,
        )

    def _report(self) -> None:
        if self._progress is None:
            return
        with self._lock:
            elapsed_s = time.perf_counter() - self._start_s
            fps = self._frames_now() / elapsed_s if elapsed_s > 0 else 0.0
            done = sum(frames for frames, _, _ in self._frames.values())
            total = self._frames_expected()
            failed = f", {self._failed} failed" if self._failed else ""
            words = f"frames; {self._finished} of {len(self._recordings)} recordings{failed}"
            left_s = (total - done) / fps if fps > 0 else None
            state = Progress(done, total, words, fps, left_s, self._frames_now())
        self._progress(state)

    def _frames_expected(self) -> int:
        """Of recordings that were not opened yet as many frames in a byte as those that were."""
        known = {one.name: one.size_bytes for one in self._recordings if one.name in self._frames}
        frames = sum(total for _, _, total in self._frames.values())
        unknown_bytes = sum(one.size_bytes for one in self._recordings) - sum(known.values())
        return frames + round(unknown_bytes * frames / max(1, sum(known.values())))
