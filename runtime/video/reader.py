"""Reading video files: what is in them, where they can be cut, and their pictures in order."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

from toonfilter.runtime.errors import CaptureError
from toonfilter.runtime.video.colour import Colour, Orientation
from toonfilter.runtime.video.deinterlacing import whole_pictures
from toonfilter.runtime.video.media_files import open_recording, reason_of
from toonfilter.runtime.video.picture_survey import PictureSurvey, PictureSurveyor, has_captions
from toonfilter.runtime.video.pyav_versions import primaries_and_transfer, type_of
from toonfilter.runtime.video.timeline import StampReader, Timeline, TimelineFinder

_ALPHA_FORMATS = ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya")


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """How pictures are stored. name: FFmpeg's, of the pixels. aspect: width to height of a pixel; None is not said.

    is_interlaced: pictures are made of two moments, line by line; `VideoFile` gives whole ones.
    has_captions: closed captions lie inside the pictures.
    """

    name: str
    bit_depth: int
    colour: Colour
    aspect: Fraction | None = None
    is_interlaced: bool = False
    has_captions: bool = False

    @property
    def has_alpha(self) -> bool:
        """Whether pictures have transparent places."""
        return self.name.startswith(_ALPHA_FORMATS)


@dataclass(frozen=True, slots=True)
class OtherTracks:
    """Numbers of tracks beside the video's. left_out: those that a conversion does not carry over, in words."""

    audio: int
    subtitles: int
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeclaredLength:
    """What the file's head says; it may be wrong. frames: 0 where it does not say. size_bytes: of the whole file."""

    frames: int
    duration_s: float | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a file says about its first video track.

    track: its index in the file. width, height: of the stored picture, before `orientation` turns it upright.
    """

    path: Path
    track: int
    codec: str
    width: int
    height: int
    time_base: Fraction
    frame_rate: Fraction
    format: PictureFormat
    display_matrix: tuple[int, ...] | None
    declared: DeclaredLength
    others: OtherTracks

    @property
    def orientation(self) -> Orientation:
        return Orientation.of_display_matrix(self.display_matrix)


@dataclass(frozen=True, slots=True)
class VideoIndex:
    """What reading through all packets told: how many pictures there are, and where decoding can start.

    key_pts: presentation stamps of the key frames, ascending; empty where the packets carry no stamps.
    key_positions: how many packets come before each of them in the file.
    damage: why the file counts as cut off or damaged, in words; None for a whole one.
    timeline: how its stamps are mended. survey: what its pictures are like, from samples all over it.
    """

    frames: int
    key_pts: tuple[int, ...]
    key_positions: tuple[int, ...]
    first_pts: int
    other_bytes: int
    damage: str | None
    timeline: Timeline
    survey: PictureSurvey


def _pictures_of(container: Any, path: Path) -> Any:
    """The first video track that is not a cover picture."""
    for stream in container.streams.video:
        if not stream.disposition & type(stream.disposition).attached_pic:
            return stream
    kinds = ", ".join(sorted({type_of(stream) for stream in container.streams})) or "nothing"
    raise CaptureError(f"{path}: no video track in it (found: {kinds})")


def inspect_video(path: Path) -> VideoInfo:
    """Open the file, decode its first picture, and tell what is there.

    Raises:
        CaptureError: the file is missing, empty, not a video, or its pictures cannot be decoded.
    """
    with open_recording(path) as container:
        stream = _pictures_of(container, path)
        first = _first_picture(container, stream, path)
        context = stream.codec_context
        pixel_format = first.format
        duration_s = None
        if stream.duration is not None:
            duration_s = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            duration_s = container.duration / 1_000_000
        matrix = first.side_data.get("DISPLAYMATRIX")
        return VideoInfo(
            path=path,
            track=stream.index,
            codec=context.name,
            width=first.width,
            height=first.height,
            time_base=stream.time_base,
            frame_rate=stream.average_rate or stream.guessed_rate or Fraction(30),
            format=PictureFormat(
                pixel_format.name,
                max(component.bits for component in pixel_format.components),
                _colour_of(first, context),
                stream.sample_aspect_ratio or None,
                is_interlaced=bool(first.interlaced_frame),
                has_captions=has_captions(first),
            ),
            display_matrix=None if matrix is None else tuple(memoryview(bytes(matrix)).cast("i")),
            declared=DeclaredLength(stream.frames, duration_s, path.stat().st_size),
            others=OtherTracks(
                len(container.streams.audio), len(container.streams.subtitles), _left_out(container, stream)
            ),
        )


def _first_picture(container: Any, stream: Any, path: Path) -> Any:
    import av

    if stream.codec_context is None:
        # To decode it all the same ends the process before PyAV 18.1.
        raise CaptureError(f"{path}: the kind of its video track is not known")
    damaged = ""
    try:
        for packet in container.demux(stream):
            try:
                for frame in packet.decode():
                    return frame
            except av.FFmpegError as error:
                damaged = f" ({reason_of(error)})"
    except av.FFmpegError as error:
        damaged = f" ({reason_of(error)})"
    raise CaptureError(f"{path}: no picture of its {stream.codec_context.name} track can be decoded{damaged}")


def _colour_of(frame: Any, context: Any) -> Colour:
    colour_range = int(frame.color_range)
    if frame.format.name.startswith("yuvj"):
        colour_range = 2
    return Colour(colour_range, int(frame.colorspace), *primaries_and_transfer(frame, context))


def _left_out(container: Any, chosen: Any) -> tuple[str, ...]:
    words = []
    for stream in container.streams:
        if type_of(stream) == "video" and stream.index != chosen.index:
            is_cover = bool(stream.disposition & type(stream.disposition).attached_pic)
            # A cover picture or a second camera may show the face.
            words.append(f"track {stream.index}: {'cover picture' if is_cover else 'second video track'}")
        elif type_of(stream) not in ("video", "audio", "subtitle"):
            words.append(f"track {stream.index}: {type_of(stream)}")
    return tuple(words)


def scan_video(info: VideoInfo) -> VideoIndex:
    """Read through all packets without decoding them (as fast as the disk).

    Raises:
        CaptureError: the file is gone or has no packet of its video track.
    """
    import av

    failure: str | None = None
    with open_recording(info.path) as container:
        stream = _pictures_of(container, info.path)
        kinds = {one.index: type_of(one) for one in container.streams}
        finder, survey = TimelineFinder(container.format.name), PictureSurveyor(stream, info)
        tally = _PacketTally()
        try:
            for packet in container.demux():
                if packet.size == 0:
                    continue
                is_picture, kind = packet.stream_index == stream.index, kinds[packet.stream_index]
                on_time = is_picture or kind in ("audio", "subtitle")
                tally.see(packet, finder.see(packet, kind) if on_time else 0.0, is_picture=is_picture)
                if is_picture:
                    survey.see(packet)
        except av.FFmpegError as error:
            failure = reason_of(error)
    if tally.pictures == 0:
        raise CaptureError(f"{info.path}: its video track is empty")
    timeline = finder.timeline(info.time_base)
    # Where streams were joined the last packet of one and the first of the other are not whole.
    if failure is None and tally.corrupt > 2 * len(timeline.jumps.get(info.track, ())):
        failure = f"{tally.corrupt} of its packets are damaged"
    # A length that was told by a clock that jumps says nothing.
    told = replace(info, declared=replace(info.declared, duration_s=None)) if timeline.has_jumps else info
    end_s = tally.end_s - float(timeline.start_s)
    damage = _damage(told, tally.pictures, end_s, tally.picture_end_s, failure)
    # Stamps that come twice are no places to seek to.
    keys = tuple(sorted(tally.key_positions)) if tally.has_stamps and not timeline.has_jumps else ()
    positions = tuple(tally.key_positions[pts] for pts in keys)
    first_pts = tally.first_pts or 0
    return VideoIndex(tally.frames, keys, positions, first_pts, tally.other_bytes, damage, timeline, survey.found())


@dataclass(slots=True)
class _PacketTally:
    """What is counted over the packets of a file.

    pictures: packets of the video track; frames: those that are shown. key_positions: numbers of key pictures by stamp.
    """

    pictures: int = 0
    frames: int = 0
    other_bytes: int = 0
    corrupt: int = 0
    has_stamps: bool = True
    key_positions: dict[int, int] = field(default_factory=dict)
    first_pts: int | None = None
    end_s: float = 0.0
    picture_end_s: float = 0.0

    def see(self, packet: Any, shift_s: float, *, is_picture: bool) -> None:
        """Count a packet. shift_s: from its own clock to the file's."""
        if packet.pts is not None and not packet.is_discard:
            end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base) + shift_s
            self.end_s = max(self.end_s, end_s)
            self.picture_end_s = max(self.picture_end_s, end_s if is_picture else 0.0)
        if not is_picture:
            self.other_bytes += packet.size
            return
        self.pictures += 1
        self.frames += not packet.is_discard
        self.corrupt += packet.is_corrupt
        if packet.pts is None:
            self.has_stamps = False
            return
        if not packet.is_discard:
            self.first_pts = packet.pts if self.first_pts is None else min(self.first_pts, packet.pts)
        if packet.is_keyframe:
            self.key_positions.setdefault(packet.pts, self.pictures - 1)


def _damage(info: VideoInfo, packets: int, end_s: float, picture_end_s: float, failure: str | None) -> str | None:
    declared_s = info.declared.duration_s
    # Trimmed files keep frames that they do not show, and the count of all. AVI files count one too many now and then.
    is_as_long_as_told = declared_s is not None and picture_end_s >= declared_s - 2 / info.frame_rate
    if info.declared.frames > packets + 2 and not is_as_long_as_told:
        return f"the file ends after {packets} of {info.declared.frames} frames"
    if failure is None and declared_s is not None and end_s > 0 and declared_s > end_s + max(0.5, 0.02 * declared_s):
        return f"the file ends after {end_s:.1f} of {declared_s:.1f} s"
    return failure


class VideoFile:
    """The pictures of a file's first video track, in the order they are shown.

    `frames` yields `av.VideoFrame` with strictly growing `pts`; `damaged_packets` counts what could not be decoded.
    """

    def __init__(self, info: VideoInfo, threads: int = 0, timeline: Timeline | None = None) -> None:
        """timeline: with jumps, stamps are mended as it says; then the file is read from its beginning only."""
        self.info = info
        self._timeline = timeline if timeline is not None and timeline.has_jumps else None
        self.damaged_packets = 0
        self._threads = threads
        self._is_flushed = False
        self._open()

    def _open(self) -> None:
        self._container = open_recording(self.info.path)
        self._stream = _pictures_of(self._container, self.info.path)
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = self._threads
        self._is_flushed = False

    def frames(self, start_pts: int | None = None) -> Iterator[Any]:
        """All pictures from a key frame at or before `start_pts` on (None: from the beginning).

        Call it once; for a second pass open the file again.
        """
        pictures = self._decoded() if start_pts is None else self._decoded_from(start_pts)
        if self.info.format.is_interlaced:
            pictures = whole_pictures(pictures, self.info)
        last_pts: int | None = None
        for frame in pictures:
            last_pts = self._stamp(frame, last_pts)
            yield frame

    def close(self) -> None:
        self._container.close()

    def __enter__(self) -> "VideoFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _decoded_from(self, start_pts: int) -> Iterator[Any]:
        """Pictures from a key frame at or before `start_pts` on, even where seeking lands too late."""
        import av

        back = max(1, round(10 / self.info.time_base))
        for target in (start_pts, start_pts - back):
            try:
                self._container.seek(target, stream=self._stream, backward=True)
            except av.FFmpegError:
                break
            pictures = self._decoded()
            first = next(pictures, None)
            if first is not None and first.pts is not None and first.pts <= start_pts:
                return chain([first], pictures)
        self.close()
        self._open()
        return self._decoded()

    def _decoded(self) -> Iterator[Any]:
        import av

        packets = self._container.demux(self._stream)
        stamps = StampReader(self._timeline) if self._timeline is not None else None
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                self.damaged_packets += 1
                packet = None
            if packet is None:
                break
            if stamps is not None and packet.size:
                stamps.mend(packet)
            yield from self._decode(packet)
        if not self._is_flushed:
            yield from self._decode(None)

    def _decode(self, packet: Any) -> list[Any]:
        import av

        try:
            if packet is None:
                return list(self._stream.codec_context.decode(None))
            self._is_flushed = packet.size == 0
            return list(packet.decode())
        except av.EOFError:
            return []
        except av.FFmpegError:
            self.damaged_packets += 1
            return []

    def _stamp(self, frame: Any, last_pts: int | None) -> int:
        step = max(1, round(1 / (self.info.frame_rate * self.info.time_base)))
        pts: int = frame.pts if frame.pts is not None else (0 if last_pts is None else last_pts + step)
        if last_pts is not None and pts <= last_pts:
            # Far enough that containers that count in milliseconds keep them apart.
            pts = last_pts + math.ceil(Fraction(11, 10_000) / self.info.time_base)
        if frame.pts != pts:
            frame.pts = pts
        return pts
