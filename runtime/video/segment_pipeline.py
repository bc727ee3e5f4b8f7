"""Converting segments: decode, track, draw and encode in four threads with short queues between them."""

import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

from toonfilter.runtime.errors import OutputError
from toonfilter.runtime.faces.config import LOOKAHEAD_FRAMES
from toonfilter.runtime.files.whole_files import move_into_place
from toonfilter.runtime.filter.frame_filter import ResettableFilter
from toonfilter.runtime.frames import Frame, Image, PrivacyState, SafeFrame
from toonfilter.runtime.platform.cores import few_opencv_threads
from toonfilter.runtime.queues import BoundedQueue, QueueClosed, quick_switching
from toonfilter.runtime.video.colour import ColourConverter
from toonfilter.runtime.video.pyav_versions import duration_of, stores_rotation
from toonfilter.runtime.video.reader import VideoFile, VideoInfo
from toonfilter.runtime.video.segments import WARM_UP_FRAMES, Segment, SegmentResult, WorkFolder, origin_of
from toonfilter.runtime.video.timeline import Timeline
from toonfilter.runtime.video.writer import Encoder, VideoWriter

_QUEUE_BYTES = 64 << 20
"""Of frames that wait between two stages. Raising it takes memory, and smooths what takes uneven time."""
_QUEUE_FRAMES = 8
"""The same, at most."""


class ConversionStopped(Exception):  # noqa: N818 - the user's wish, not a fault
    """The user asked to stop; finished segments stay in the work folder."""


class StopSign(Protocol):
    """Tells whether to stop: a `threading.Event`, or what stands for one in another process."""

    def is_set(self) -> bool:
        """Whether to stop at the next frame."""
        ...


@dataclass(frozen=True, slots=True)
class SegmentJob:
    """Everything but the filter that makes segments; plain data, so that another process can do it."""

    info: VideoInfo
    encoder: Encoder
    folder: WorkFolder
    timeline: Timeline
    decoder_threads: int = 0

    def origin_of(self, segment: Segment) -> int:
        """The stamp that is zero in the segment's file."""
        return origin_of(segment, self.timeline, self.info)


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture on its way.

    is_warm_up: only for the filter's memory, not for the file. is_ahead: only to look back from.
    """

    segment: Segment
    image: Image
    index: int
    pts: int
    duration: int
    is_first: bool
    is_warm_up: bool
    is_ahead: bool


@dataclass(frozen=True, slots=True)
class _SegmentEnd:
    segment: Segment
    damaged_packets: int


def run_segments(
    job: SegmentJob,
    segments: Sequence[Segment],
    frame_filter: ResettableFilter,
    *,
    on_frame: Callable[[PrivacyState], None],
    on_result: Callable[[Segment, SegmentResult], None],
    stop: StopSign,
) -> None:
    """Convert consecutive segments; each is noted in the work folder and told when its file is whole.

    The first error of any thread ends all of them and comes out here.

    Raises:
        ConversionStopped: `stop` was set.
    """
    with quick_switching(), few_opencv_threads():
        _Runner(job, segments, frame_filter, on_frame, on_result, stop).run()


class _Queues:
    """Between the four threads, in the order of a picture's way. drawn_segments: each segment's end, back to tracking.

    room: pictures that may wait at each end.
    """

    def __init__(self, room: int) -> None:
        self.decoded: BoundedQueue[Any] = BoundedQueue(room)
        self.tracked: BoundedQueue[Any] = BoundedQueue(2)
        self.drawn: BoundedQueue[Any] = BoundedQueue(room)
        self.drawn_segments: BoundedQueue[Any] = BoundedQueue(1)

    def fail(self, error: BaseException) -> None:
        """End all threads."""
        for queue in (self.decoded, self.tracked, self.drawn, self.drawn_segments):
            queue.close(error)


class _Runner:
    def __init__(
        self,
        job: SegmentJob,
        segments: Sequence[Segment],
        frame_filter: ResettableFilter,
        on_frame: Callable[[PrivacyState], None],
        on_result: Callable[[Segment, SegmentResult], None],
        stop: StopSign,
    ) -> None:
        self._job, self._segments, self._filter = job, segments, frame_filter
        self._on_frame, self._on_result, self._stop = on_frame, on_result, stop
        info = job.info
        # Decoding and encoding are in different threads; a converter belongs to one of them.
        self._decoding_colours = make_converter(info)
        self._encoding_colours = make_converter(info)
        room = max(2, min(_QUEUE_FRAMES, _QUEUE_BYTES // (3 * info.width * info.height)))
        self._ahead = min(room, LOOKAHEAD_FRAMES)
        self._queues = _Queues(room)
        self._errors: list[BaseException] = []

    def run(self) -> None:
        threads = [
            threading.Thread(target=self._guarded, args=(stage,), name=f"convert-{stage.__name__.strip('_')}")
            for stage in (self._decode, self._track, self._encode)
        ]
        for thread in threads:
            thread.start()
        self._guarded(self._draw)
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _guarded(self, stage: Callable[[], None]) -> None:
        try:
            stage()
        except QueueClosed:
            pass
        except BaseException as error:
            if error not in self._errors:
                self._errors.append(error)
            self._queues.fail(error)

    def _decode(self) -> None:
        with VideoFile(self._job.info, self._job.decoder_threads, self._job.timeline) as file:
            for item in pictures_of(file, self._segments, self._decoding_colours):
                if self._stop.is_set():
                    raise ConversionStopped
                self._queues.decoded.put(item)
        self._queues.decoded.close()

    def _track(self) -> None:
        while True:
            try:
                item = taken(self._queues.decoded)
            except QueueClosed:
                self._queues.tracked.close()
                return
            if isinstance(item, _Picture):
                if item.is_first:
                    self._start_segment()
                time_s = float(item.pts * self._job.info.time_base - self._job.timeline.start_s)
                self._queues.tracked.put((item, self._filter.track(Frame(item.image, item.index, time_s, item.pts))))
            else:
                self._queues.tracked.put((item, None))

    def _start_segment(self) -> None:
        """Make the filter forget, once everything before has been drawn."""
        self._queues.tracked.put((None, None))
        taken(self._queues.drawn_segments)
        self._filter.reset()

    def _draw(self) -> None:
        waiting: deque[Any] = deque()
        while True:
            try:
                item, tracked = taken(self._queues.tracked)
            except QueueClosed:
                self._queues.drawn.close()
                return
            if isinstance(item, _Picture):
                self._filter.look_back([held for _, held in waiting], tracked)
                waiting.append((item, tracked))
                if len(waiting) > self._ahead:
                    self._draw_one(*waiting.popleft())
                continue
            self._filter.look_back([held for _, held in waiting], None)
            while waiting:
                self._draw_one(*waiting.popleft())
            if item is None:
                self._queues.drawn_segments.put(True)
            else:
                self._queues.drawn.put((item, None))

    def _draw_one(self, item: _Picture, tracked: Any) -> None:
        if item.is_ahead:
            return
        safe = self._filter.draw(tracked)
        if not item.is_warm_up:
            self._queues.drawn.put((item, safe))

    def _encode(self) -> None:
        output: SegmentOutput | None = None
        try:
            while True:
                item, safe = taken(self._queues.drawn)
                output = output or SegmentOutput(self._job, item.segment, self._encoding_colours)
                if isinstance(item, _SegmentEnd):
                    self._on_result(item.segment, output.finish(item.damaged_packets))
                    output = None
                else:
                    output.write(item, safe)
                    self._on_frame(safe.state)
        finally:
            if output is not None:
                output.abandon()


def taken(queue: BoundedQueue[Any]) -> Any:
    """The next item, however long it takes."""
    return queue.get()


def make_converter(info: VideoInfo) -> ColourConverter:
    """The colours and orientation of a file, for one thread."""
    return ColourConverter(
        info.format.colour, info.orientation, info.width, info.height, stores_upright=not stores_rotation()
    )


def pictures_of(
    file: VideoFile, segments: Sequence[Segment], colours: ColourConverter
) -> Iterator[_Picture | _SegmentEnd]:
    """The pictures of consecutive segments in order, each between its warm-up frames and those to look back from."""
    remaining = deque(segments)
    segment = remaining.popleft()
    before: deque[Any] = deque(maxlen=WARM_UP_FRAMES)
    index, damaged = -1, 0
    source: Iterator[Any] = iter(file.frames(segment.decode_from_pts))
    while (decoded := next(source, None)) is not None:
        while not segment.has(decoded.pts):
            if index >= 0:
                ahead = list(islice(source, LOOKAHEAD_FRAMES - 1))
                source = chain(ahead, source)
                for number, later in enumerate((decoded, *ahead)):
                    yield _picture(segment, later, index + 1 + number, colours, is_ahead=True)
            yield _SegmentEnd(segment, file.damaged_packets - damaged)
            if not remaining:
                return
            segment, index, damaged = remaining.popleft(), -1, file.damaged_packets
        if segment.start_pts is None or decoded.pts >= segment.start_pts:
            if index < 0:
                for index, earlier in enumerate(before):
                    yield _picture(segment, earlier, index, colours, is_warm_up=True)
            index += 1
            yield _picture(segment, decoded, index, colours)
        before.append(decoded)
    for ended in (segment, *remaining):
        yield _SegmentEnd(ended, file.damaged_packets - damaged)
        damaged = file.damaged_packets


def _picture(
    segment: Segment,
    decoded: Any,
    index: int,
    colours: ColourConverter,
    *,
    is_warm_up: bool = False,
    is_ahead: bool = False,
) -> _Picture:
    image = colours.upright_rgb(decoded)
    return _Picture(segment, image, index, decoded.pts, duration_of(decoded), index == 0, is_warm_up, is_ahead)


class SegmentOutput:
    """The file of one segment and its audit, under temporary names until it is whole."""

    def __init__(self, job: SegmentJob, segment: Segment, colours: ColourConverter) -> None:
        self._job, self._segment, self._colours = job, segment, colours
        self._video = job.folder.video_path(segment)
        self._audit = job.folder.audit_path(segment)
        self._states: Counter[str] = Counter()
        self._last_duration = 0
        # Stamps inside a segment count from its start: large first stamps are a burden for some muxers.
        self._origin = job.origin_of(segment)
        self._writer: VideoWriter | None = None
        self._audit_file = self._audit.with_suffix(".part").open("w", encoding="utf-8")

    def _open_writer(self) -> VideoWriter:
        info, colours = self._job.info, self._colours
        return VideoWriter(
            self._video.with_suffix(".part.mp4"),
            self._job.encoder,
            width=colours.coded.width,
            height=colours.coded.height,
            time_base=info.time_base,
            frame_rate=info.frame_rate,
            colour=colours.output,
            pixel_aspect=colours.stored_aspect(info.format.aspect),
        )

    def write(self, item: _Picture, safe: SafeFrame) -> None:
        if not isinstance(safe, SafeFrame):
            raise OutputError(f"the filter returned {type(safe).__name__}; only a SafeFrame may be written")
        if safe.image.shape != item.image.shape:
            raise OutputError(f"the filter changed the frame's shape from {item.image.shape} to {safe.image.shape}")
        frame = self._colours.stored_frame(safe.image)
        frame.pts = item.pts - self._origin
        self._writer = self._writer or self._open_writer()
        self._writer.write(frame)
        self._states[safe.state.value] += 1
        self._last_duration = item.duration
        time_s = float(item.pts * self._job.info.time_base - self._job.timeline.start_s)
        line = {"pts": item.pts, "time_s": round(time_s, 6), **audit_entry(safe)}
        self._audit_file.write(json.dumps(line) + "\n")

    def finish(self, damaged_packets: int) -> SegmentResult:
        self._audit_file.close()
        frames = file_bytes = 0
        if self._writer is not None:
            self._writer.close()
            move_into_place(self._writer.path, self._video)
            frames, file_bytes = self._writer.frames, self._video.stat().st_size
        move_into_place(Path(self._audit_file.name), self._audit)
        result = SegmentResult(frames, dict(self._states), damaged_packets, self._last_duration, file_bytes)
        self._job.folder.finish(self._segment, result)
        return result

    def abandon(self) -> None:
        if self._writer is not None:
            self._writer.abandon()
        self._audit_file.close()
        Path(self._audit_file.name).unlink(missing_ok=True)


def audit_entry(safe: SafeFrame) -> dict[str, Any]:
    """What an audit line says about a frame; nothing of the picture."""
    return {
        "state": safe.state.value,
        "faces_found": safe.faces_found,
        "faces_drawn": safe.faces_drawn,
        "faces_covered": safe.faces_covered,
        "reason": safe.reason,
    }
