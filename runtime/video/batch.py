"""Converting an archive: every recording below a folder, several at once, with a manifest that tells what is done.

A recording that fails is reported at the end and does not stop the rest. Running the same command again goes on: what
is done stays, what was interrupted continues piece by piece, what failed is tried again.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from toonfilter.runtime.errors import CaptureError, ConfigError, OutputError
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.runtime.video.convert import ConvertOptions, ConvertReport, convert
from toonfilter.runtime.video.segments import fingerprint
from toonfilter.runtime.video.workers import LocalWorkers, OpenFilter, SegmentWorkers, default_workers
from toonfilter.runtime.video.writer import CONTAINERS

MANIFEST = "toonfilter-batch.json"
VIDEO_SUFFIXES = frozenset(
    ".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .vob .webm .wmv".split()  # noqa: SIM905
)
# Their sound or subtitles are of kinds that .mp4 does not take: WMA, AMR, DVB, PGS.
_INTO_MATROSKA = frozenset((".3gp", ".m2ts", ".mts", ".ts", ".vob", ".wmv"))
_FORMAT = 1

Status = Literal["done", "partial", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """codec, quality, piece_s: as for `ConvertOptions`. overwrite: convert everything anew."""

    codec: str = "auto"
    quality: str = "normal"
    piece_s: float = 20.0
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of the archive. name: its path below the archive's folder."""

    name: str
    source: Path
    target: Path


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

    @property
    def states(self) -> dict[str, int]:
        """Frames by privacy state over all recordings."""
        total: Counter[str] = Counter()
        for outcome in self.outcomes.values():
            total.update(outcome.states or {})
        return dict(total)


def find_recordings(archive: Path, output: Path) -> list[Recording]:
    """Every video file below the folder, the largest first; hidden ones and those below `output` are left out.

    Raises:
        CaptureError: there is no such folder, or no video file in it.
    """
    if not archive.is_dir():
        raise CaptureError(f"{archive}: no such folder")
    if archive.resolve() == output.resolve():
        raise ConfigError(f"{output}: the archive itself; choose another folder, the originals are never overwritten")
    sources = [path for path in archive.rglob("*") if _is_recording(path, archive, output)]
    if not sources:
        raise CaptureError(f"{archive}: no video files in it; looked for {', '.join(sorted(VIDEO_SUFFIXES))}")
    stems = Counter(path.with_suffix("") for path in sources)
    sources.sort(key=lambda path: (-path.stat().st_size, path))
    recordings = []
    for source in sources:
        below = source.relative_to(archive)
        suffix = target_suffix(source)
        # lecture.avi and lecture.mpg must not become the same file.
        name = below.with_name(below.name + suffix) if stems[source.with_suffix("")] > 1 else below.with_suffix(suffix)
        recordings.append(Recording(below.as_posix(), source, output / name))
    return recordings


def target_suffix(source: Path) -> str:
    """The ending of what this recording becomes: its own, or that of a kind that holds all its tracks."""
    suffix = source.suffix.lower()
    return suffix if suffix in CONTAINERS else ".mkv" if suffix in _INTO_MATROSKA else ".mp4"


def _is_recording(path: Path, archive: Path, output: Path) -> bool:
    if path.suffix.lower() not in VIDEO_SUFFIXES or not path.is_file():
        return False
    is_hidden = any(part.startswith(".") for part in path.relative_to(archive).parts)
    return not is_hidden and not path.resolve().is_relative_to(output.resolve())


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
            temporary = self._path.with_name(self._path.name + ".part")
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            temporary.replace(self._path)

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
    manifest = BatchManifest(output, f"{filter_identity}, {options.codec}, {options.quality}")
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
        self._frames = self._finished = self._failed = self._total = 0

    def run(self, recordings: Sequence[Recording]) -> BatchReport:
        pending = [one for one in recordings if self._options.overwrite or not self._manifest.is_done(one)]
        kept = len(recordings) - len(pending)
        self._total, self._finished = len(recordings), kept
        # One more than there are workers: the next recording is read through while the others are drawn.
        with ThreadPoolExecutor(min(self._workers.count + 1, max(1, len(pending)))) as threads:
            list(threads.map(self._convert, pending))
        duration_s = time.perf_counter() - self._start_s
        names = {one.name for one in recordings}
        return BatchReport(
            outcomes={name: outcome for name, outcome in self._manifest.outcomes.items() if name in names},
            kept=kept,
            frames=self._frames,
            fps=self._frames / duration_s if duration_s > 0 else 0.0,
            duration_s=duration_s,
            workers=self._workers.count,
        )

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
            earlier = self._manifest.outcomes.get(recording.name)
            recording.target.parent.mkdir(parents=True, exist_ok=True)
            self._manifest.note(recording.name, Outcome("interrupted", stamp))
            report = self._converted(recording, is_same=earlier is None or earlier.fingerprint in ("", stamp))
            status: Status = "done" if report.status == "complete" else report.status
            outcome = Outcome(status, stamp, report.frames, report.states, report.notes)
        except Exception as error:
            reason = str(error) or type(error).__name__
            outcome = Outcome("failed", stamp, reason=reason, owns_target=owns_target)
        seconds = round(time.perf_counter() - start_s, 3)
        self._manifest.note(recording.name, Outcome(**{**asdict(outcome), "seconds": seconds}))
        with self._lock:
            self._finished += 1
            self._failed += outcome.status == "failed"
        self._report()

    def _converted(self, recording: Recording, *, is_same: bool) -> ConvertReport:
        """is_same: as far as is known, the source is what it was when pieces of it were made."""
        options = self._options
        convert_options = ConvertOptions(
            codec=options.codec,
            quality=options.quality,
            overwrite=True,
            resume=is_same and not options.overwrite,
            piece_s=options.piece_s,
        )

        def spread(job: Any, pieces: Any, open_filter: Any, on_frames: Callable[[int], None], stop: Any) -> None:
            def count(frames: int) -> None:
                on_frames(frames)
                with self._lock:
                    self._frames += frames
                self._report()

            self._workers.spread(job, pieces, open_filter, count, stop)

        return convert(
            recording.source,
            recording.target,
            self._open_filter,
            convert_options,
            filter_identity=self._manifest.identity,
            stop=self._stop,
            spread=spread,
        )

    def _report(self) -> None:
        if self._progress is None:
            return
        with self._lock:
            elapsed_s = time.perf_counter() - self._start_s
            rate = self._frames / elapsed_s if elapsed_s > 0 else 0.0
            failed = f", {self._failed} failed" if self._failed else ""
            state = Progress(self._finished, self._total, f"recordings{failed}, {self._frames} frames", rate)
        self._progress(state)
