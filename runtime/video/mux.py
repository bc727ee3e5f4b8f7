"""Putting converted pieces together by packet copy, with the source's sound and subtitles as they are."""

import heapq
import math
from array import array
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from toonfilter.runtime.errors import OutputError
from toonfilter.runtime.video.pyav_versions import copy_chapters, open_input, set_time_base, stores_rotation, type_of
from toonfilter.runtime.video.reader import VideoInfo
from toonfilter.runtime.video.segments import Segment, SegmentResult, WorkFolder

_COPIED = ("audio", "subtitle")
# A place, a device or a moment may tell who it is.
_PRIVATE_METADATA = ("location", "gps", "make", "model", "creation_time", "com.android", "com.apple")


def join_pieces(
    info: VideoInfo, folder: WorkFolder, done: Sequence[tuple[Segment, SegmentResult]], target: Path
) -> None:
    """Write `target` from finished pieces; sound and subtitle packets are copied bit for bit with their stamps.

    Raises:
        OutputError: the container does not take one of the tracks, or the disk refuses.
    """
    done = [(piece, result) for piece, result in done if result.frames]
    with _Joint(info, target, folder.video_path(done[0][0])) as joint:
        video = _video_packets(info, folder, done)
        copied = _copied_packets(joint)
        for _, _, packet, stream in heapq.merge(video, copied, key=lambda entry: entry[:2]):
            joint.mux(packet, stream or joint.pictures)


def check_container(info: VideoInfo, template: Path, target: Path) -> None:
    """Try whether the target's container takes all tracks, before hours of work.

    template: a file with a video track as it will be. target: a temporary name with the real ending.

    Raises:
        OutputError: it does not; with the track and what to do.
    """
    try:
        with _Joint(info, target, template):
            pass
    finally:
        target.unlink(missing_ok=True)


class _Joint:
    """The output container with all its tracks, open for packets."""

    def __init__(self, info: VideoInfo, target: Path, template: Path) -> None:
        import av

        self._target = target
        self.source = open_input(info.path)
        options = {}
        if target.suffix.lower() in (".mp4", ".m4v", ".mov"):
            options = _exact_mp4_times(info, [stream for stream in self.source.streams if type_of(stream) in _COPIED])
        try:
            self._output = av.open(str(target), "w", options=options)
            self._add_tracks(info, template)
            self._output.start_encoding()
        except (av.FFmpegError, OSError, ValueError) as error:
            # Before the source is closed: it is asked for its tracks.
            refusal = self._refusal(error)
            self.source.close()
            raise OutputError(refusal) from error

    def _add_tracks(self, info: VideoInfo, template: Path) -> None:
        import av

        chosen = next(s for s in self.source.streams.video if not s.disposition & type(s.disposition).attached_pic)
        self.copies: dict[int, Any] = {}
        self.pictures: Any = None
        for stream in self.source.streams:
            if stream.index == chosen.index:
                with av.open(str(template)) as piece:
                    self.pictures = self._output.add_stream_from_template(piece.streams.video[0], opaque=True)
                if info.display_matrix is not None and stores_rotation():
                    self.pictures.set_display_matrix(info.display_matrix)
                added = self.pictures
            elif type_of(stream) in _COPIED:
                added = self.copies[stream.index] = self._output.add_stream_from_template(stream, opaque=True)
            else:
                continue
            unit = Fraction(1, info.time_base.denominator) if added is self.pictures else stream.time_base
            set_time_base(added, unit)
            added.metadata.update(_public(stream.metadata))
            added.disposition = stream.disposition.value
        self._output.metadata.update(_public(self.source.metadata))
        copy_chapters(self.source, self._output)

    def mux(self, packet: Any, stream: Any) -> None:
        import av

        try:
            packet.stream = stream
            self._output.mux_one(packet)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise OutputError(self._refusal(error)) from error

    def __enter__(self) -> "_Joint":
        return self

    def __exit__(self, *_: object) -> None:
        import av

        self.source.close()
        try:
            self._output.close()
        except (av.FFmpegError, OSError) as error:
            raise OutputError(self._refusal(error)) from error

    def _refusal(self, error: BaseException) -> str:
        import errno

        reason = str(getattr(error, "strerror", None) or error)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EDQUOT):
            return f"{self._target}: cannot be written ({reason})"
        kinds = (
            sorted(
                {
                    f"{type_of(s)} {getattr(s.codec_context, 'name', 'unknown')}"
                    for s in self.source.streams
                    if type_of(s) in _COPIED
                }
            )
            if (self.source.streams)
            else []
        )
        way = "choose another ending, .mkv takes nearly everything"
        if self._target.suffix.lower() == ".mkv":
            way = "convert the sound first: ffmpeg -i IN -c:v copy -c:a aac OUT.mkv"
        return (
            f"a {self._target.suffix} file does not take these tracks ({', '.join(kinds) or 'video'}: {reason}); {way}"
        )


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


def _public(metadata: dict[str, str]) -> dict[str, str]:
    return {key: text for key, text in metadata.items() if not any(word in key.lower() for word in _PRIVATE_METADATA)}


def _video_packets(
    info: VideoInfo, folder: WorkFolder, done: Sequence[tuple[Segment, SegmentResult]]
) -> Iterator[tuple[float, int, Any, Any]]:
    """All pieces' packets with stamps of the source and decoding stamps that grow over the joints."""
    unit = Fraction(1, info.time_base.denominator)
    stamps = array("q", (packet.pts for packet in _piece_packets(info, folder, done)))
    shown = sorted(stamps)
    rank = {pts: number for number, pts in enumerate(shown)}
    delay = max((number - rank[pts] for number, pts in enumerate(stamps)), default=0)
    step = shown[1] - shown[0] if len(shown) > 1 else 1
    last_duration = done[-1][1].last_duration * info.time_base.numerator or step
    for number, packet in enumerate(_piece_packets(info, folder, done)):
        place = rank[packet.pts] + 1
        packet.dts = shown[number - delay] if number >= delay else shown[0] - (delay - number) * step
        packet.duration = shown[place] - packet.pts if place < len(shown) else last_duration
        packet.time_base = unit
        yield float(packet.dts * unit), 0, packet, None


def _piece_packets(info: VideoInfo, folder: WorkFolder, done: Sequence[tuple[Segment, SegmentResult]]) -> Iterator[Any]:
    import av

    for piece, _ in done:
        origin = (piece.start_pts or 0) * info.time_base.numerator
        with av.open(str(folder.video_path(piece))) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.size:
                    packet.pts += origin
                    yield packet


def _copied_packets(joint: _Joint) -> Iterator[tuple[float, int, Any, Any]]:
    import av

    last_s, number = float("-inf"), 0
    packets = joint.source.demux([joint.source.streams[index] for index in joint.copies]) if joint.copies else iter(())
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        if not packet.size or packet.is_corrupt:
            continue
        number += 1
        stamp = packet.dts if packet.dts is not None else packet.pts
        last_s = max(last_s, float(stamp * packet.time_base)) if stamp is not None else last_s
        yield last_s, number, packet, joint.copies[packet.stream_index]
