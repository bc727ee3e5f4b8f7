"""What becomes of the sound: kept as it is, dropped, or the voices disguised."""

from collections.abc import Iterator, Mapping, Set
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

Sound = Literal["keep", "drop", "disguise"]

_RATE = 48_000
"""Samples per second of sound that is made anew."""
_PITCH = 0.78
"""Voices sound lower by this factor, at the same speed; nearer to 1 is easier to understand and to recognise."""

Entry = tuple[float, int, Any, Any]


def add_disguised_track(output: Any, target: Path) -> Any:
    """A track for `disguised` sound in an `av.container.OutputContainer`: AAC, in .webm Opus."""
    codec = "libopus" if target.suffix.lower() == ".webm" else "aac"
    stream = output.add_stream(codec, rate=_RATE)
    stream.codec_context.layout = "stereo"
    stream.codec_context.time_base = Fraction(1, _RATE)
    return stream


def disguised(packets: Iterator[Entry], sounds: Set[int], tracks: Mapping[int, Any]) -> Iterator[Entry]:
    """The same entries with every sound track decoded, shifted in pitch and encoded again; others pass.

    A changed pitch hides a voice from the ear, not from somebody who turns it back.
    """
    shifters: dict[int, _Shifter] = {}
    last_s, number = float("-inf"), 0
    for time_s, _, packet, stream in packets:
        last_s = max(last_s, time_s)
        index = packet.stream_index
        if index not in sounds:
            number += 1
            yield last_s, number, packet, stream
            continue
        shifter = shifters.setdefault(index, _Shifter(tracks[index]))
        for encoded in shifter.take(packet):
            number += 1
            yield last_s, number, encoded, stream
    for index, shifter in shifters.items():
        for encoded in shifter.rest():
            number += 1
            yield last_s, number, encoded, tracks[index]


class _Shifter:
    """Decodes, shifts and encodes one sound track."""

    def __init__(self, track: Any) -> None:
        from av.audio.resampler import AudioResampler

        self._track = track
        # Gaps become silence and overlaps are cut, so that counting samples keeps the time.
        self._even = AudioResampler(format="fltp", layout="stereo", rate=_RATE)
        self._graph: Any = None
        self._next = 0

    def take(self, packet: Any) -> Iterator[Any]:
        import av

        try:
            frames = packet.decode()
        except av.FFmpegError:
            return
        for frame in frames:
            for even in self._even.resample(frame):
                yield from self._shifted(even)

    def rest(self) -> Iterator[Any]:
        if self._graph is not None:
            self._graph.push(None)
            yield from self._encoded()
        yield from self._track.encode(None)

    def _shifted(self, frame: Any) -> Iterator[Any]:
        if self._graph is None:
            self._graph = _pitch_graph()
            self._next = round((frame.pts or 0) * frame.time_base * _RATE)
        self._graph.push(frame)
        yield from self._encoded()

    def _encoded(self) -> Iterator[Any]:
        import av

        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            frame.pts, frame.time_base = self._next, Fraction(1, _RATE)
            self._next += frame.samples
            yield from self._track.encode(frame)


def _pitch_graph() -> Any:
    from av.filter import Graph

    graph = Graph()
    steps = [
        graph.add_abuffer(sample_rate=_RATE, format="fltp", layout="stereo", time_base=Fraction(1, _RATE)),
        graph.add("aresample", f"{_RATE}:async=1000"),
        graph.add("asetrate", f"{round(_RATE * _PITCH)}"),
        graph.add("aresample", f"{_RATE}"),
        graph.add("atempo", f"{1 / _PITCH:.6f}"),
        graph.add("aformat", f"sample_fmts=fltp:channel_layouts=stereo:sample_rates={_RATE}"),
        graph.add("abuffersink"),
    ]
    for before, after in pairwise(steps):
        before.link_to(after)
    graph.configure()
    return graph
