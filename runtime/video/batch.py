"""Converting an archive: every recording below a folder, several at once; see `archive` for what is done already.

A recording that fails is reported at the end and does not stop the rest. Running the same command again goes on: what
is done stays, what was interrupted continues segment by segment, what failed is tried again.
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from toonfilter.runtime.errors import ConfigError, OutputError
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.runtime.video.archive import BatchManifest, Outcome, Recording, Status, find_recordings
from toonfilter.runtime.video.convert import ConvertOptions, ConvertReport, convert
from toonfilter.runtime.video.local_workers import LocalWorkers, default_workers
from toonfilter.runtime.video.segment_workers import OpenFilter, SegmentWorkers
from toonfilter.runtime.video.segments import fingerprint
from toonfilter.runtime.video.sound import Sound


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """codec, quality, sound, segment_s: as for `ConvertOptions`. overwrite: convert everything anew."""

    codec: str = "auto"
    quality: str = "normal"
    sound: Sound = "keep"
    segment_s: float = 20.0
    overwrite: bool = False


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
        workers: convert the segments; closed by the caller.
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
            segment_s=self._options.segment_s,
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
