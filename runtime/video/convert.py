"""Converting a video file: checks first, pieces next, the whole file under its name at the very end."""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from toonfilter.runtime.errors import CaptureError, ConfigError, OutputError
from toonfilter.runtime.frame_filter import ResettableFilter
from toonfilter.runtime.frames import PrivacyState
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.runtime.video.mux import check_container, join_pieces
from toonfilter.runtime.video.parallel_segments import run_pieces_in_processes
from toonfilter.runtime.video.reader import VideoIndex, VideoInfo, inspect_video, scan_video
from toonfilter.runtime.video.segment_pipeline import ConversionStopped, SegmentJob, make_converter, run_pieces
from toonfilter.runtime.video.segments import Segment, SegmentResult, WorkFolder, fingerprint, plan_segments
from toonfilter.runtime.video.writer import VideoWriter, choose_encoder

SpreadPieces = Callable[
    [SegmentJob, Sequence[Segment], Callable[[], ResettableFilter], Callable[[int], None], threading.Event], None
]
"""Converts the pieces wherever it likes: job, missing pieces, filter opener, count of new frames, stop. Each piece must
be whole in the job's work folder afterwards; raises the first error, or `ConversionStopped`."""

_PROGRESS_EVERY_S = 0.2
_BITS_PER_PIXEL = 0.15


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """codec, quality: see `choose_encoder`. resume: continue an interrupted conversion. jobs: processes.

    audit: where to write one JSON line per frame. piece_s: the least length of a piece in seconds of video.
    """

    codec: str = "auto"
    quality: str = "normal"
    overwrite: bool = False
    resume: bool = False
    jobs: int = 1
    audit: Path | None = None
    piece_s: float = 20.0


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """status: `partial` when the source was cut off or damaged; `interrupted` when asked to stop (no output then).

    states: frames by privacy state, the leak report. notes: what the user should know, a line each.
    """

    status: Literal["complete", "partial", "interrupted"]
    target: Path
    frames: int
    states: Mapping[str, int]
    fps: float
    duration_s: float
    encoder: str
    notes: tuple[str, ...]

    @property
    def exposed_frames(self) -> int:
        return self.states.get(PrivacyState.EXPOSED.value, 0)


def convert(
    source: Path,
    target: Path,
    open_filter: Callable[[], ResettableFilter],
    options: ConvertOptions | None = None,
    *,
    filter_identity: str = "",
    progress: ShowProgress | None = None,
    stop: threading.Event | None = None,
    spread: SpreadPieces | None = None,
) -> ConvertReport:
    """Convert the first video track of `source` into `target`; sound and subtitles are copied as they are.

    Nothing appears under the target's name before it is whole.

    Args:
        open_filter: opens the filter; with more than one job in other processes, so it must be picklable then.
        filter_identity: names everything about the filter that changes its pictures (style, its sha256, settings).
        progress: called about five times a second, from any thread.
        stop: set it to stop at the next frame; finished pieces stay for `resume`.
        spread: converts the pieces instead of this process, for example on other machines.

    Raises:
        CaptureError: the source cannot be read. ConfigError: options contradict each other.
        OutputError: the target cannot be written. Any error of the filter.
    """
    options = options or ConvertOptions()
    _check_options(options)
    info = inspect_video(source)
    _check_target(info, target, options)
    index = scan_video(info)
    colours = make_converter(info)
    encoder = choose_encoder(options.codec, options.quality, target.suffix, colours.coded_width, colours.coded_height)
    pieces = plan_segments(info, index, options.piece_s)
    folder = WorkFolder(target)
    identity = {
        "source": fingerprint(source),
        "filter": filter_identity,
        "codec": options.codec,
        "quality": options.quality,
        "pieces": [asdict(piece) for piece in pieces],
    }
    encoder = folder.open(identity, encoder, resume=options.resume)
    work = _Conversion(info, index, pieces, SegmentJob(info, encoder, folder), options, progress)
    try:
        work.check_room(target)
        work.check_tracks(target)
        work.run(open_filter, stop or threading.Event(), spread)
        return work.finish(target)
    except ConversionStopped:
        return work.report("interrupted", target)
    except BaseException:
        work.forget_if_empty()
        raise
    finally:
        folder.release()


def _check_options(options: ConvertOptions) -> None:
    if options.jobs < 1:
        raise ConfigError(f"--jobs is {options.jobs}; must be 1 or more")
    if options.piece_s <= 0:
        raise ConfigError(f"piece length is {options.piece_s} s; must be more than 0")


def _check_target(info: VideoInfo, target: Path, options: ConvertOptions) -> None:
    if target.exists() and target.samefile(info.path):
        raise ConfigError(f"{target}: target and source are the same file; choose another name")
    if target.is_dir():
        raise ConfigError(f"{target}: a folder; give a file name such as {target / 'cartoon.mp4'}")
    if target.exists() and not options.overwrite:
        raise ConfigError(f"{target}: exists already; add --overwrite to replace it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{target.parent}: no such folder, and it cannot be made ({error.strerror})") from error
    if options.audit is not None and not options.audit.absolute().parent.is_dir():
        raise OutputError(f"{options.audit.parent}: no such folder")
    if options.audit is not None and options.audit.exists() and not options.overwrite:
        raise ConfigError(f"{options.audit}: exists already; add --overwrite to replace it")


class _Conversion:
    def __init__(
        self,
        info: VideoInfo,
        index: VideoIndex,
        pieces: Sequence[Segment],
        job: SegmentJob,
        options: ConvertOptions,
        progress: ShowProgress | None,
    ) -> None:
        self._info, self._index, self._pieces, self._job = info, index, pieces, job
        self._options, self._progress = options, progress
        self._lock = threading.Lock()
        self._frames_before = sum(result.frames for _, result in self._done())
        self._frames_now = 0
        self._start_s = time.perf_counter()
        self._reported_s = 0.0

    def check_room(self, target: Path) -> None:
        """Pieces and the joined file both lie on the disk at the end."""
        info = self._info
        pixels = info.width * info.height * self._index.frames
        video_bytes = min(pixels * _BITS_PER_PIXEL / 8, 3 * info.size_bytes + 1_000_000)
        done_bytes = sum(result.file_bytes for _, result in self._done())
        needed = max(0, int(2 * video_bytes + self._index.other_bytes) - done_bytes)
        free = shutil.disk_usage(target.parent).free
        if free < needed:
            raise OutputError(
                f"{target.parent}: {free / 1e6:.0f} MB free, about {needed / 1e6:.0f} MB needed; "
                "make room or choose another disk"
            )

    def check_tracks(self, target: Path) -> None:
        """Refuse now what the container would refuse after hours."""
        template = self._job.folder.path / "template.mp4"
        colours = make_converter(self._info)
        writer = VideoWriter(
            template,
            self._job.encoder,
            width=colours.coded_width,
            height=colours.coded_height,
            time_base=self._info.time_base,
            frame_rate=self._info.frame_rate,
            colour=colours.output,
            pixel_aspect=colours.stored_aspect(self._info.pixel_aspect),
        )
        try:
            writer.write(_grey_frame(colours.coded_width, colours.coded_height))
            writer.close()
            trial = self._job.folder.path / f"trial{target.suffix}"
            check_container(self._info, template, trial)
        finally:
            template.unlink(missing_ok=True)

    def run(
        self, open_filter: Callable[[], ResettableFilter], stop: threading.Event, spread: SpreadPieces | None
    ) -> None:
        missing = [piece for piece in self._pieces if self._job.folder.result(piece) is None]
        if not missing:
            return
        if spread is not None:
            spread(self._job, missing, open_filter, self._count, stop)
            return
        if self._options.jobs > 1 and len(missing) > 1:
            run_pieces_in_processes(
                self._job, missing, open_filter, jobs=self._options.jobs, on_frames=self._count, stop=stop
            )
            return
        frame_filter = open_filter()
        try:
            for group in _consecutive(missing):
                run_pieces(self._job, group, frame_filter, on_frame=lambda _: self._count(1), stop=stop)
        finally:
            frame_filter.close()

    def finish(self, target: Path) -> ConvertReport:
        done = self._done()
        if not any(result.frames for _, result in done):
            raise CaptureError(f"{self._info.path}: none of its pictures could be decoded")
        if len(done) != len(self._pieces):
            raise OutputError(f"{target}: {len(self._pieces) - len(done)} of {len(self._pieces)} pieces are missing")
        whole = self._job.folder.path / f"whole{target.suffix}"
        join_pieces(self._info, self._job.folder, done, whole)
        if self._options.audit is not None:
            self._write_audit(self._options.audit, done)
        whole.replace(target)
        damaged = sum(result.damaged_packets for _, result in done)
        status: Literal["complete", "partial"] = "partial" if self._index.damage or damaged else "complete"
        report = self.report(status, target)
        self._job.folder.remove()
        return report

    def report(self, status: Literal["complete", "partial", "interrupted"], target: Path) -> ConvertReport:
        states: Counter[str] = Counter({state.value: 0 for state in PrivacyState})
        for _, result in self._done():
            states.update(result.states)
        elapsed_s = time.perf_counter() - self._start_s
        return ConvertReport(
            status=status,
            target=target,
            frames=sum(states.values()),
            states=dict(states),
            fps=self._frames_now / elapsed_s if elapsed_s > 0 else 0.0,
            duration_s=elapsed_s,
            encoder=self._job.encoder.name,
            notes=tuple(self._notes(status)),
        )

    def forget_if_empty(self) -> None:
        """After an error: a work folder without a finished piece is of no use."""
        if not self._done():
            self._job.folder.remove()

    def _done(self) -> list[tuple[Segment, SegmentResult]]:
        results = [(piece, self._job.folder.result(piece)) for piece in self._pieces]
        return [(piece, result) for piece, result in results if result is not None]

    def _count(self, frames: int) -> None:
        with self._lock:
            self._frames_now += frames
            now_s = time.perf_counter()
            if self._progress is None or now_s - self._reported_s < _PROGRESS_EVERY_S:
                return
            self._reported_s = now_s
            fps = self._frames_now / (now_s - self._start_s)
            done = self._frames_before + self._frames_now
            left_s = max(0, self._index.frames - done) / fps if fps > 0 else None
            self._progress(Progress(done, self._index.frames, "frames", fps, left_s))

    def _write_audit(self, path: Path, done: Sequence[tuple[Segment, SegmentResult]]) -> None:
        temporary = path.with_name(path.name + ".part")
        number = 0
        with temporary.open("w", encoding="utf-8") as audit:
            for piece, _ in done:
                with self._job.folder.audit_path(piece).open(encoding="utf-8") as lines:
                    for line in lines:
                        audit.write(f'{{"index": {number}, {line[1:]}')
                        number += 1
        temporary.replace(path)

    def _notes(self, status: str) -> list[str]:
        info, notes = self._info, []
        if status == "interrupted":
            return [
                "stopped; the same command with --resume continues "
                f"({len(self._done())} of {len(self._pieces)} pieces are done)"
            ]
        damaged = sum(result.damaged_packets for _, result in self._done())
        if self._index.damage:
            notes.append(f"the source is not whole: {self._index.damage}; everything up to there was converted")
        if damaged:
            notes.append(f"{damaged} damaged packets of the source could not be decoded")
        if info.colour.is_hdr:
            notes.append("the source is HDR; the result is ordinary BT.709 with 8 bits")
        elif info.bit_depth > 8:
            notes.append(f"the source has {info.bit_depth} bits per colour; the result has 8")
        if info.width % 2 or info.height % 2:
            notes.append(
                f"odd size {info.width}x{info.height}: the last column or row is repeated once, "
                "because the codec needs even sides"
            )
        notes.extend(
            f"left out, it might show a face: {track}" if "video" in track or "cover" in track else f"left out: {track}"
            for track in info.left_out
        )
        return notes


def _consecutive(pieces: Sequence[Segment]) -> list[list[Segment]]:
    groups: list[list[Segment]] = []
    for piece in pieces:
        if groups and groups[-1][-1].number + 1 == piece.number:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return groups


def _grey_frame(width: int, height: int) -> object:
    import av

    frame = av.VideoFrame(width, height, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes([128]) * plane.buffer_size)
    frame.pts = 0
    return frame
