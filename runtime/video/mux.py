"""Putting converted segments together by packet copy, with the source's sound and subtitles as they are."""

import errno
import heapq
import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from toonfilter.runtime.errors import OutputError
from toonfilter.runtime.files.file_kinds import MP4_KINDS
from toonfilter.runtime.video.media_files import open_recording, open_video_output, reason_of
from toonfilter.runtime.video.pyav_versions import (
    add_copied_track,
    copy_chapter_times,
    set_time_unit,
    stores_rotation,
    type_of,
)
from toonfilter.runtime.video.reader import VideoInfo
from toonfilter.runtime.video.segments import Segment, SegmentResult, WorkFolder, origin_of
from toonfilter.runtime.video.sound import Sound, add_disguised_track, disguised
from toonfilter.runtime.video.timeline import StampReader, Timeline

# Everything else may tell who it is: titles, comments, places, devices, moments, a picture of the face in a tag.
_KEPT_METADATA = ("language",)
_TRIAL_PACKETS = 32
"""Of each track, that a container must take before the work begins. Raising it finds rarer faults, later."""
_MOST_TRIAL_PACKETS = 4000
"""That are read for that. Raising it takes longer where a track begins late."""
_BEFORE_SHOWN_S = 0.1
"""Sound that is not played, right before what is: decoders need it. More of it was cut away by somebody."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """What goes beside the pictures, and how stamps are mended."""

    timeline: Timeline
    sound: Sound = "keep"


def join_segments(
    info: VideoInfo, folder: WorkFolder, done: Sequence[tuple[Segment, SegmentResult]], target: Path, tracks: Tracks
) -> None:
    """Write `target` from finished segments; sound and subtitle packets are copied bit for bit with their stamps.

    Raises:
        OutputError: the container does not take one of the tracks, or the disk refuses.
    """
    done = [(segment, result) for segment, result in done if result.frames]
    with _Joint(info, target, folder.video_path(done[0][0]), tracks) as joint:
        video = _video_packets(info, folder, done, tracks.timeline)
        for _, _, packet, stream in heapq.merge(video, joint.others(), key=lambda entry: entry[:2]):
            joint.mux(packet, stream or joint.pictures)


def check_container(info: VideoInfo, template: Path, target: Path, tracks: Tracks) -> None:
    """Try whether the target's container takes the first packets of all tracks, before hours of work.

    template: a file with a video track as it will be. target: a temporary name with the real ending.

    Raises:
        OutputError: it does not; with the track and what to do.
    """
    try:
        with _Joint(info, target, template, tracks) as joint:
            with open_recording(template) as source:
                for packet in source.demux(source.streams.video[0]):
                    if packet.size:
                        joint.mux(packet, joint.pictures)
            missing = {stream.index: _TRIAL_PACKETS for stream in joint.copies.values()}
            for _, _, packet, stream in islice(joint.others(), _MOST_TRIAL_PACKETS):
                joint.mux(packet, stream)
                missing[stream.index] -= 1
                if not any(count > 0 for count in missing.values()):
                    break
    finally:
        target.unlink(missing_ok=True)


class _Joint:
    """The output container with all its tracks, open for packets."""

    def __init__(self, info: VideoInfo, target: Path, template: Path, tracks: Tracks) -> None:
        import av

        self._target, self._info, self._tracks = target, info, tracks
        self.source = open_recording(info.path)
        self.copies: dict[int, Any] = {}
        self.pictures: Any = None
        options = {}
        if target.suffix.lower() in MP4_KINDS:
            options = _exact_mp4_times(info, [stream for stream in self.source.streams if self._is_kept(stream)])
        try:
            self._output = open_video_output(target, options)
            self._add_tracks(template)
            self._output.start_encoding()
        except (av.FFmpegError, OSError, ValueError) as error:
            # Before the source is closed: it is asked for its tracks.
            refusal = self._refusal(error)
            self.source.close()
            raise OutputError(refusal) from error

    def _is_kept(self, stream: Any) -> bool:
        kind = type_of(stream)
        return kind == "subtitle" or (kind == "audio" and self._tracks.sound != "drop")

    def _add_tracks(self, template: Path) -> None:
        info = self._info
        for stream in self.source.streams:
            unit = stream.time_base
            if stream.index == info.track:
                with open_recording(template) as container:
                    added = add_copied_track(self._output, container.streams.video[0])
                self.pictures, unit = added, Fraction(1, info.time_base.denominator)
                if info.display_matrix is not None and stores_rotation():
                    self.pictures.set_display_matrix(info.display_matrix)
            elif not self._is_kept(stream):
                continue
            elif type_of(stream) == "audio" and self._tracks.sound == "disguise":
                added = self.copies[stream.index] = add_disguised_track(self._output, self._target)
                unit = None
            else:
                added = self.copies[stream.index] = add_copied_track(self._output, stream)
            if unit is not None:
                set_time_unit(added, unit)
            added.metadata.update({key: text for key, text in stream.metadata.items() if key in _KEPT_METADATA})
            added.disposition = stream.disposition.value
        if not self._tracks.timeline.has_jumps:
            copy_chapter_times(self.source, self._output, self._tracks.timeline.start_s)

    def others(self) -> Iterator[tuple[float, int, Any, Any]]:
        """The packets of all tracks but the pictures, with mended stamps: time in s, number, packet, track."""
        packets = _copied_packets(self.source, self.copies, self._tracks.timeline)
        if self._tracks.sound == "disguise":
            return disguised(packets, {stream.index for stream in self.source.streams.audio}, self.copies)
        return packets

    def mux(self, packet: Any, stream: Any) -> None:
        import av

        try:
            packet.stream = stream
            self._output.mux_one(packet)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise OutputError(self._refusal(error)) from error

    def __enter__(self) -> "_Joint":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        import av

        self.source.close()
        try:
            self._output.close()
        except (av.FFmpegError, OSError) as error:
            if kind is None:
                raise OutputError(self._refusal(error)) from error

    def _refusal(self, error: BaseException) -> str:
        reason = reason_of(error)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EDQUOT):
            return f"{self._target}: cannot be written ({reason})"
        kinds = sorted(
            f"{type_of(stream)} {getattr(stream.codec_context, 'name', 'unknown')}"
            for stream in (self.source.streams or ())
            if self._is_kept(stream)
        )
        way = "choose another ending, .mkv takes nearly everything, or --audio drop"
        if self._target.suffix.lower() == ".mkv":
            way = "use --audio drop, or convert the sound first: ffmpeg -i IN -c:v copy -c:a aac OUT.mkv"
        tracks = ", ".join(dict.fromkeys(kinds)) or "video"
        return f"a {self._target.suffix} file does not take these tracks ({tracks}: {reason}); {way}"


def _exact_mp4_times(info: VideoInfo, copied: Sequence[Any]) -> dict[str, str]:
    """Time scales in which the pictures' stamps and the start of every track are whole numbers."""
    units = [info.time_base, *(stream.time_base for stream in copied)]
    movie_scale = math.lcm(*(unit.denominator for unit in units))
    if movie_scale >= 1 << 31:
        movie_scale = info.time_base.denominator
    return {
        "movflags": "faststart",
        "video_track_timescale": str(info.time_base.denominator),
        "movie_timescale": str(movie_scale),
    }


def _video_packets(
    info: VideoInfo, folder: WorkFolder, done: Sequence[tuple[Segment, SegmentResult]], timeline: Timeline
) -> Iterator[tuple[float, int, Any, Any]]:
    """All segments' packets with mended stamps, and decoding stamps that grow over the joints."""
    unit = Fraction(1, info.time_base.denominator)
    stamps = array("q", (packet.pts for packet in _segment_packets(info, folder, done, timeline)))
    shown = sorted(stamps)
    rank = {pts: number for number, pts in enumerate(shown)}
    delay = max((number - rank[pts] for number, pts in enumerate(stamps)), default=0)
    step = shown[1] - shown[0] if len(shown) > 1 else 1
    last_duration = done[-1][1].last_duration * info.time_base.numerator or step
    for number, packet in enumerate(_segment_packets(info, folder, done, timeline)):
        place = rank[packet.pts] + 1
        packet.dts = shown[number - delay] if number >= delay else shown[0] - (delay - number) * step
        packet.duration = shown[place] - packet.pts if place < len(shown) else last_duration
        packet.time_base = unit
        yield float(packet.dts * unit), 0, packet, None


def _segment_packets(
    info: VideoInfo, folder: WorkFolder, done: Sequence[tuple[Segment, SegmentResult]], timeline: Timeline
) -> Iterator[Any]:
    for segment, _ in done:
        start = timeline.start_ticks(info.time_base)
        origin = (origin_of(segment, timeline, info) - start) * info.time_base.numerator
        with open_recording(folder.video_path(segment)) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.size:
                    packet.pts += origin
                    yield packet


def _copied_packets(
    source: Any, copies: Mapping[int, Any], timeline: Timeline
) -> Iterator[tuple[float, int, Any, Any]]:
    import av

    stamps, last_s, number = StampReader(timeline), float("-inf"), 0
    last_dts: dict[int, int] = {}
    packets = source.demux([source.streams[index] for index in copies]) if copies else iter(())
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        if not packet.size:
            continue
        stamps.mend(packet)
        if packet.is_corrupt or _is_cut_away(packet):
            continue
        number += 1
        _start_at_zero(packet, timeline.start_ticks(packet.time_base), last_dts)
        stamp = packet.dts if packet.dts is not None else packet.pts
        last_s = max(last_s, float(stamp * packet.time_base)) if stamp is not None else last_s
        yield last_s, number, packet, copies[packet.stream_index]


def _is_cut_away(packet: Any) -> bool:
    if not packet.is_discard or packet.pts is None:
        return False
    end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
    return packet.pts >= 0 or end_s < -_BEFORE_SHOWN_S


def _start_at_zero(packet: Any, start: int, last_dts: dict[int, int]) -> None:
    """Move the stamps, and make decoding stamps grow: muxers refuse others."""
    packet.pts = None if packet.pts is None else packet.pts - start
    if packet.dts is None:
        return
    last = last_dts.get(packet.stream_index)
    packet.dts -= start
    if last is not None and packet.dts <= last:
        packet.dts = last + 1
        packet.pts = packet.dts if packet.pts is None else max(packet.pts, packet.dts)
    last_dts[packet.stream_index] = packet.dts
