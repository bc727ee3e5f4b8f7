"""Converting a video file: checks first, segments next, the whole file under its name at the very end."""

import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from toonfilter.runtime.errors import CaptureError, ConfigError, OutputError
from toonfilter.runtime.files.whole_files import check_outputs, move_into_place, replacing
from toonfilter.runtime.frames import PrivacyState
from toonfilter.runtime.progress import ProgressCounter, ShowProgress
from toonfilter.runtime.video.local_workers import InlineWorkers
from toonfilter.runtime.video.mux import Tracks, check_container, join_segments
from toonfilter.runtime.video.picture_survey import PictureSurvey
from toonfilter.runtime.video.pyav_versions import copies_chapters
from toonfilter.runtime.video.reader import VideoIndex, VideoInfo, inspect_video, scan_video
from toonfilter.runtime.video.review import (
    COVERS,
    Cover,
    CoveringOpener,
    Doubt,
    covers_within,
    doubts_in,
    write_review,
)
from toonfilter.runtime.video.segment_pipeline import ConversionStopped, SegmentJob, make_converter
from toonfilter.runtime.video.segment_workers import OpenFilter, SegmentBatch, SegmentWorkers
from toonfilter.runtime.video.segments import Segment, SegmentResult, WorkFolder, fingerprint, plan_segments
from toonfilter.runtime.video.sound import Sound
from toonfilter.runtime.video.writer import Encoder, VideoWriter, choose_encoder

Status = Literal["complete", "partial", "interrupted", "reviewed"]
_BITS_PER_PIXEL = 0.15
"""Of a result, to tell whether the disk has room. Raising it refuses more disks that would do."""


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """codec, quality: see `choose_encoder`. resume: True insists on going on with an interrupted conversion, None goes
    on where there is one of the same file with the same options, False begins anew.

    review: a folder for pictures of doubtful frames, written instead of the target. covers: regions to pixelate; only
    segments of an interrupted or reviewed conversion that they change are made again. sound: what becomes of it.
    audit: where to write one JSON line per frame. also_written: what the caller will write afterwards; checked like the
    target. segment_s: the least length of a segment in seconds of video.
    """

    codec: str = "auto"
    quality: str = "normal"
    overwrite: bool = False
    resume: bool | None = None
    sound: Sound = "keep"
    audit: Path | None = None
    also_written: tuple[Path, ...] = ()
    review: Path | None = None
    covers: tuple[Cover, ...] = ()
    segment_s: float = 20.0


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """status: `partial` when the source was cut off or damaged. `interrupted` when asked to stop, and
    `reviewed` when a review was written instead: no output then.

    states: frames by privacy state, the leak report. notes: what the user should know, a line each.
    doubts: what a review shows.
    """

    status: Status
    target: Path
    frames: int
    states: Mapping[str, int]
    fps: float
    duration_s: float
    encoder: str
    notes: tuple[str, ...]
    doubts: tuple[Doubt, ...] = ()


def convert(
    source: Path,
    target: Path,
    open_filter: OpenFilter,
    options: ConvertOptions | None = None,
    *,
    workers: SegmentWorkers | None = None,
    filter_identity: str = "",
    progress: ShowProgress | None = None,
    stop: threading.Event | None = None,
) -> ConvertReport:
    """Convert the first video track of `source` into `target`; subtitles, and sound if wished, are copied as they are.

    Nothing appears under the target's name before it is whole.

    Args:
        open_filter: opens the filter; with workers in other processes it must be picklable.
        workers: who converts the segments; None: this process. Not closed here.
        filter_identity: names everything about the filter that changes its pictures (style, its sha256, settings).
        progress: called about five times a second, from any thread.
        stop: set it to stop at the next frame; finished segments stay, and the next call goes on with them.

    Raises:
        CaptureError: the source cannot be read. ConfigError: options contradict each other.
        OutputError: the target cannot be written. Any error of the filter.
    """
    options = options or ConvertOptions()
    if options.segment_s <= 0:
        raise ConfigError(f"segment length is {options.segment_s} s; must be more than 0")
    info = inspect_video(source)
    _check_target(info, target, options)
    index = scan_video(info)
    info = adapted(info, index.survey)
    segments = plan_segments(info, index, options.segment_s)
    is_short = len(segments) == 1 and options.review is None
    with _work_folder(target, is_short=is_short) as folder:
        work = _Conversion(info, index, segments, folder, target, options, filter_identity, progress)
        try:
            work.check_room()
            work.check_tracks()
            if options.covers:
                open_filter = CoveringOpener(open_filter, options.covers)
            work.run(open_filter, stop or threading.Event(), workers or InlineWorkers())
            return work.finish()
        except ConversionStopped:
            return work.report("interrupted")
        finally:
            work.forget_if_empty()


@contextmanager
def _work_folder(target: Path, *, is_short: bool) -> Iterator[WorkFolder]:
    """Beside the target, to go on with; a short one has none there, unless one was left: it is made anew."""
    folder = WorkFolder(target)
    with ExitStack() as stack:
        if is_short and not folder.path.exists():
            folder = WorkFolder(Path(stack.enter_context(TemporaryDirectory(prefix="toonfilter-"))) / target.name)
        stack.enter_context(folder.locked())
        yield folder


def adapted(info: VideoInfo, survey: PictureSurvey) -> VideoInfo:
    """What is to be made of a file whose pictures are of several sizes, or interlaced here and there."""
    width, height = survey.largest() or (info.width, info.height)
    return replace(
        info,
        width=width,
        height=height,
        format=replace(info.format, is_interlaced=survey.is_interlaced, has_captions=survey.has_captions),
    )


def _check_target(info: VideoInfo, target: Path, options: ConvertOptions) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{target.parent}: no such folder, and it cannot be made ({error.strerror})") from error
    check_outputs([target, options.audit, *options.also_written], [info.path], overwrite=options.overwrite)


class _Conversion:
    """One conversion, its work folder held. What came out of segments is kept in memory; the disk is read to resume."""

    def __init__(
        self,
        info: VideoInfo,
        index: VideoIndex,
        segments: Sequence[Segment],
        folder: WorkFolder,
        target: Path,
        options: ConvertOptions,
        filter_identity: str,
        progress: ShowProgress | None,
    ) -> None:
        self._info, self._index, self._target = info, index, target
        self._options = options
        self._segments = segments
        encoder = self._opened_folder(folder, filter_identity)
        self._job = SegmentJob(info, encoder, folder, index.timeline)
        self._drop_changed(folder)
        found = ((segment, folder.result(segment)) for segment in self._segments)
        self._results = {segment: result for segment, result in found if result is not None}
        frames_before = sum(result.frames for result in self._results.values())
        self._counter = ProgressCounter(progress, frames_before, index.frames)
        self._doubts: tuple[Doubt, ...] = ()

    def _opened_folder(self, folder: WorkFolder, filter_identity: str) -> Encoder:
        options, colours = self._options, make_converter(self._info)
        size = colours.coded.width, colours.coded.height
        encoder = choose_encoder(options.codec, options.quality, self._target.suffix, *size)
        identity = {
            "source": fingerprint(self._info.path),
            "filter": filter_identity,
            "codec": options.codec,
            "quality": options.quality,
            "size": size,
            "segments": [asdict(segment) for segment in self._segments],
        }
        return folder.open(identity, encoder, resume=options.resume)

    def _drop_changed(self, folder: WorkFolder) -> None:
        """Forget segments that were made with other regions than are covered in them now."""
        before, now = folder.covers(), self._options.covers
        for segment in self._segments:
            times_s = self._times_s(segment)
            if before is None or covers_within(before, *times_s) != covers_within(now, *times_s):
                folder.drop(segment)
        folder.keep_covers(now)

    def _times_s(self, segment: Segment) -> tuple[float, float]:
        """When it begins and ends, in seconds of the result."""
        unit_s, start_s = self._info.time_base, self._index.timeline.start_s
        from_s = float("-inf") if segment.start_pts is None else float(segment.start_pts * unit_s - start_s)
        return from_s, float("inf") if segment.end_pts is None else float(segment.end_pts * unit_s - start_s)

    def check_room(self) -> None:
        """Segments and the joined file both lie on the disk at the end."""
        info = self._info
        pixels = info.width * info.height * self._index.frames
        video_bytes = min(pixels * _BITS_PER_PIXEL / 8, 3 * info.declared.size_bytes + 1_000_000)
        done_bytes = sum(result.file_bytes for result in self._results.values())
        needed = max(0, int(2 * video_bytes + self._index.other_bytes) - done_bytes)
        free = shutil.disk_usage(self._target.parent).free
        if free < needed:
            raise OutputError(
                f"{self._target.parent}: {free / 1e6:.0f} MB free, about {needed / 1e6:.0f} MB needed; "
                "make room or choose another disk"
            )

    def check_tracks(self) -> None:
        """Refuse now what the container would refuse after hours."""
        template = self._job.folder.path / "template.mp4"
        colours = make_converter(self._info)
        writer = VideoWriter(
            template,
            self._job.encoder,
            width=colours.coded.width,
            height=colours.coded.height,
            time_base=self._info.time_base,
            frame_rate=self._info.frame_rate,
            colour=colours.output,
            pixel_aspect=colours.stored_aspect(self._info.format.aspect),
        )
        try:
            writer.write(_grey_frame(colours.coded.width, colours.coded.height))
            writer.close()
            trial = self._job.folder.path / f"trial{self._target.suffix}"
            check_container(self._info, template, trial, self._tracks())
        finally:
            template.unlink(missing_ok=True)

    def run(self, open_filter: OpenFilter, stop: threading.Event, workers: SegmentWorkers) -> None:
        missing = [segment for segment in self._segments if segment not in self._results]
        if not missing:
            return
        workers.map(SegmentBatch(self._job, missing, open_filter, self._counter.add, self._results.__setitem__, stop))

    def finish(self) -> ConvertReport:
        done = self._done()
        if not any(result.frames for _, result in done):
            raise CaptureError(f"{self._info.path}: none of its pictures could be decoded")
        if len(done) != len(self._segments):
            missing = len(self._segments) - len(done)
            raise OutputError(f"{self._target}: {missing} of {len(self._segments)} segments are missing")
        if self._job.folder.is_beside(self._target):
            whole = self._job.folder.path / f"whole{self._target.suffix}"
            self._join(done, whole)
            if self._options.review is not None:
                return self._review(self._options.review, whole, done)
            move_into_place(whole, self._target)
        else:
            with replacing(self._target) as whole:
                self._join(done, whole)
        damaged = sum(result.damaged_packets for _, result in done)
        report = self.report("partial" if self._index.damage or damaged else "complete")
        self._job.folder.forget()
        return report

    def _join(self, done: Sequence[tuple[Segment, SegmentResult]], whole: Path) -> None:
        try:
            join_segments(self._info, self._job.folder, done, whole, self._tracks())
        except OutputError as error:
            if not self._job.folder.is_beside(self._target):
                raise OutputError(f"{error}. Without the sound: --audio drop") from error
            raise OutputError(
                f"{error}. All pictures are converted and kept: the same command goes on from there, "
                "with --audio drop without the sound"
            ) from error
        if self._options.audit is not None:
            self._write_audit(self._options.audit, done)

    def _review(self, folder: Path, whole: Path, done: Sequence[tuple[Segment, SegmentResult]]) -> ConvertReport:
        lines: list[dict[str, Any]] = []
        for segment, _ in done:
            text = self._job.folder.audit_path(segment).read_text(encoding="utf-8")
            lines.extend(json.loads(line) for line in text.splitlines())
        self._doubts = tuple(doubts_in(lines))
        write_review(whole, self._doubts, folder, self._info.path)
        whole.unlink()
        return self.report("reviewed")

    def _tracks(self) -> Tracks:
        return Tracks(self._index.timeline, self._options.sound)

    def report(self, status: Status) -> ConvertReport:
        states: Counter[str] = Counter({state.value: 0 for state in PrivacyState})
        for _, result in self._done():
            states.update(result.states)
        elapsed_s = self._counter.elapsed_s
        return ConvertReport(
            status=status,
            target=self._target,
            frames=sum(states.values()),
            states=dict(states),
            fps=self._counter.frames / elapsed_s if elapsed_s > 0 else 0.0,
            duration_s=elapsed_s,
            encoder=self._job.encoder.name,
            notes=tuple(self._notes(status)),
            doubts=self._doubts,
        )

    def forget_if_empty(self) -> None:
        """A work folder without a finished segment is of no use."""
        if not self._results:
            self._job.folder.forget()

    def _done(self) -> list[tuple[Segment, SegmentResult]]:
        return [(segment, self._results[segment]) for segment in self._segments if segment in self._results]

    def _write_audit(self, path: Path, done: Sequence[tuple[Segment, SegmentResult]]) -> None:
        number = 0
        with replacing(path) as part, part.open("w", encoding="utf-8") as audit:
            for segment, _ in done:
                with self._job.folder.audit_path(segment).open(encoding="utf-8") as lines:
                    for line in lines:
                        audit.write(f'{{"index": {number}, {line[1:]}')
                        number += 1

    def _notes(self, status: str) -> list[str]:
        if status == "interrupted":
            kept = sum(result.frames for result in self._results.values())
            return [f"stopped after {self._counter.frames} frames; the same command goes on after frame {kept}"]
        if status == "reviewed":
            pictures = "1 picture" if len(self._doubts) == 1 else f"{len(self._doubts)} pictures"
            return [f"{pictures} of doubtful frames, and {COVERS} for what you want covered: {self._options.review}"]
        damaged = sum(result.damaged_packets for result in self._results.values())
        notes = []
        if self._index.damage:
            notes.append(f"the source is not whole: {self._index.damage}; everything up to there was converted")
        if damaged:
            notes.append(f"{damaged} damaged packets of the source could not be decoded")
        return [*notes, *self._index.timeline.notes(), *notes_on(self._info, self._index.survey, self._options.sound)]


def notes_on(info: VideoInfo, survey: PictureSurvey, sound: Sound) -> list[str]:
    """What a conversion changes or leaves out, known before it begins, a line each."""
    notes = []
    if len(survey.sizes) > 1:
        sizes = ", ".join(f"{width}x{height}" for width, height in survey.sizes)
        notes.append(f"the size of the picture changes ({sizes}); all are fitted into {info.width}x{info.height}")
    if info.format.is_interlaced:
        notes.append("the source is interlaced; the result has whole pictures")
    if info.format.has_captions:
        notes.append("left out: closed captions inside the pictures")
    if info.format.has_alpha:
        notes.append("left out: transparency; what lies under it is shown")
    if info.format.colour.is_hdr:
        notes.append("the source is HDR; the result is ordinary BT.709 with 8 bits")
    elif info.format.bit_depth > 8:
        notes.append(f"the source has {info.format.bit_depth} bits per colour; the result has 8")
    if info.width % 2 or info.height % 2:
        notes.append(
            f"odd size {info.width}x{info.height}: the last column or row is repeated once, "
            "because the codec needs even sides"
        )
    notes.extend(
        f"left out, it might show a face: {track}" if "video" in track or "cover" in track else f"left out: {track}"
        for track in info.others.left_out
    )
    if not copies_chapters():
        notes.append("left out: chapter marks, if there are any; PyAV 16 or newer copies them")
    if info.others.audio and sound == "keep":
        notes.append("the sound is kept: a voice is a person, too (--audio disguise or drop)")
    return notes


def _grey_frame(width: int, height: int) -> object:
    import av

    frame = av.VideoFrame(width, height, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes([128]) * plane.buffer_size)
    frame.pts = 0
    return frame
