"""Writing video files: which encoder, with which options, and the writer itself."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from toonfilter.runtime.errors import ConfigError, OutputError
from toonfilter.runtime.files.file_kinds import MP4_KINDS, VIDEOS_WRITTEN
from toonfilter.runtime.platform.cores import usable_cores
from toonfilter.runtime.video.colour import Colour
from toonfilter.runtime.video.media_files import open_video_output

QUALITIES = ("small", "normal", "high")

_CRF = {"libx264": (28, 21, 16), "libx265": (30, 24, 19), "libvpx-vp9": (40, 32, 24), "libsvtav1": (45, 35, 26)}
_X264 = "cabac=1:no-deblock=0:bframes=3:b-adapt=0:subme=1:8x8dct=1:analyse=i4x4,i8x8:aq-mode=1:aq-strength=0.5"
_SPEED: Mapping[str, Mapping[str, str]] = {
    # What superfast adds to ultrafast, without what costs more time than it saves bytes (`docs/lab-notes.md`).
    "libx264": {"preset": "ultrafast", "x264-params": _X264},
    "libx265": {"preset": "superfast", "x265-params": "log-level=error"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "6", "row-mt": "1", "b": "0"},
    "libsvtav1": {"preset": "10", "svtav1-params": "lp=2"},
}
_SOFTWARE = {"h264": "libx264", "hevc": "libx265", "vp9": "libvpx-vp9", "av1": "libsvtav1"}
_HARDWARE_H264 = ("h264_nvenc", "h264_qsv", "h264_amf", "h264_videotoolbox", "h264_mf")
_HARDWARE_QUALITY: Mapping[str, Callable[[int], dict[str, str]]] = {
    "nvenc": lambda level: {"rc": "vbr", "cq": str(level), "b": "0"},
    "qsv": lambda level: {"global_quality": str(level)},
    "amf": lambda level: {"rc": "cqp", "qp_i": str(level), "qp_p": str(level)},
    "videotoolbox": lambda level: {"q": str(100 - 2 * level)},
    "mf": lambda level: {"rate_control": "quality", "quality": str(100 - 2 * level)},
}
# A second of a recording is on the disk when it is over.
_UNFINISHED_MP4 = {"movflags": "empty_moov+default_base_moof", "frag_duration": "1000000", "flush_packets": "1"}
_UNFINISHED_MATROSKA = {"cluster_time_limit": "1000", "flush_packets": "1"}
_WEBM_CODECS = ("libvpx-vp9", "libsvtav1")
_FEWEST_WITH_DTS = 3
"""x265 learns its reordering delay from the third picture and leaves decoding stamps unset before; so few pictures are
never reordered."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder that was really opened, and its options; plain data, so that another process can use it.

    tried: what `auto` tried before, each with its reason.
    """

    name: str
    options: Mapping[str, str]
    threads: int
    tried: tuple[str, ...] = ()

    @property
    def is_hardware(self) -> bool:
        return self.name.rpartition("_")[2] in _HARDWARE_QUALITY


def choose_encoder(
    codec: str, quality: str, container: str, width: int, height: int, *, threads: int | None = None
) -> Encoder:
    """Find the encoder for `codec`: auto, h264, hevc, vp9, av1, or an encoder's own name such as h264_nvenc.

    auto takes a hardware H.264 encoder if one really opens at this size, else libx264 (in .webm: VP9). A named one
    is opened or refused, never replaced.

    Raises:
        ConfigError: unknown codec, quality or container, or a codec that the container does not take.
        OutputError: the encoder does not open; with its reason.
    """
    if quality not in QUALITIES:
        raise ConfigError(f"unknown quality {quality!r}; known: {', '.join(QUALITIES)}")
    if container.lower() not in VIDEOS_WRITTEN:
        raise ConfigError(f"cannot write {container or 'a file without ending'}; known: {', '.join(VIDEOS_WRITTEN)}")
    threads = threads or max(1, min(8, len(usable_cores())))
    is_webm = container.lower() == ".webm"
    tried: list[str] = []
    if codec == "auto":
        for name in () if is_webm else _HARDWARE_H264:
            encoder = Encoder(name, _options(name, quality), threads, tuple(tried))
            reason = why_not(encoder, width, height)
            if reason is None:
                return encoder
            tried.append(f"{name}: {reason}")
        codec = "vp9" if is_webm else "h264"
    name = _SOFTWARE.get(codec, codec)
    if is_webm and name not in _WEBM_CODECS:
        raise ConfigError(f"codec {codec} does not go into .webm; use vp9 or av1, or an .mp4 or .mkv file")
    encoder = Encoder(name, _options(name, quality), threads, tuple(tried))
    reason = why_not(encoder, width, height)
    if reason is not None:
        raise OutputError(f"the encoder {name} does not open for {width}x{height}: {reason}")
    return encoder


def _options(name: str, quality: str) -> dict[str, str]:
    level = QUALITIES.index(quality)
    if name in _CRF:
        return {**_SPEED[name], "crf": str(_CRF[name][level])}
    kind = name.rpartition("_")[2]
    if kind in _HARDWARE_QUALITY:
        return _HARDWARE_QUALITY[kind]((30, 23, 18)[level])
    known = [*_SOFTWARE, *_HARDWARE_H264]
    raise ConfigError(f"unknown codec {name!r}; known: auto, {', '.join(known)}, and hevc_ and av1_ hardware encoders")


def why_not(encoder: Encoder, width: int, height: int) -> str | None:
    """Encode two grey pictures for real; None if packets came out, else the reason."""
    import av

    # SVT-AV1 writes a page of its settings to the terminal otherwise.
    os.environ.setdefault("SVT_LOG", "1")
    try:
        context = av.CodecContext.create(encoder.name, "w")
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base, context.framerate = Fraction(1, 30), Fraction(30)
        context.options = dict(encoder.options)
        context.thread_count = encoder.threads
        packets = 0
        for number in range(2):
            frame = av.VideoFrame(width, height, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([128]) * plane.buffer_size)
            frame.pts = number
            packets += len(context.encode(frame))
        packets += len(context.encode(None))
    except av.codec.codec.UnknownCodecError:
        return "not in this build of FFmpeg"
    except (av.FFmpegError, ValueError, OSError) as error:
        return str(getattr(error, "strerror", None) or error)
    return None if packets else "it opened but encoded nothing"


class VideoWriter:
    """One encoded video track in a file, frame stamps kept exactly. The file is whole only after `close`.

    Args:
        path: where to write; its ending chooses the container. Callers give a temporary name and rename.
        time_base: the unit of the frames' `pts`.
        frame_rate: a hint for the encoder's rate control; the stamps decide.
        plays_unfinished: what is written can be played before `close`, whatever ends the program.
    """

    def __init__(
        self,
        path: Path,
        encoder: Encoder,
        *,
        width: int,
        height: int,
        time_base: Fraction,
        frame_rate: Fraction,
        colour: Colour,
        pixel_aspect: Fraction | None,
        plays_unfinished: bool = False,
    ) -> None:
        import av

        self.path = path
        self.frames = 0
        options = {}
        if path.suffix in MP4_KINDS:
            # Both scales, or a first stamp other than zero is rounded to whole milliseconds.
            scale = str(time_base.denominator)
            options = {"video_track_timescale": scale, "movie_timescale": scale}
        if plays_unfinished:
            options |= _UNFINISHED_MP4 if options else _UNFINISHED_MATROSKA
        try:
            self._container = open_video_output(path, options)
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from error
        stream = self._container.add_stream(encoder.name, rate=frame_rate, options=dict(encoder.options))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = time_base
        context.thread_count = encoder.threads
        context.color_range, context.colorspace = colour.range, colour.matrix
        context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        if pixel_aspect:
            context.sample_aspect_ratio = pixel_aspect
        self._stream = stream
        self._time_base = time_base

    def write(self, frame: Any) -> None:
        """Encode one `av.VideoFrame` in yuv420p with its `pts` set.

        Raises:
            OutputError: the encoder or the disk refused; with the reason.
        """
        frame.time_base = self._time_base
        frame.pict_type = 0
        self._mux(self._guarded(lambda: self._stream.encode(frame)))
        self.frames += 1

    def close(self) -> None:
        """Flush the encoder and finish the file."""
        packets = self._guarded(lambda: self._stream.encode(None))
        if self.frames < _FEWEST_WITH_DTS:
            for packet in packets:
                packet.dts = packet.pts
        self._mux(packets)
        self._guarded(self._container.close)

    def abandon(self, *, keep: bool = False) -> None:
        """Let go of an unfinished file, and delete it unless it shall be kept."""
        import av

        with suppress(av.FFmpegError, OSError, ValueError):
            self._container.close()
        if not keep:
            self.path.unlink(missing_ok=True)

    def _mux(self, packets: Sequence[Any]) -> None:
        for packet in packets:
            self._guarded(partial(self._container.mux, packet))

    def _guarded(self, action: Callable[[], Any]) -> Any:
        import av

        try:
            return action()
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(f"{self.path}: writing failed ({reason})") from error
