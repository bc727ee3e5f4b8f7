"""Whole pictures from interlaced ones, by FFmpeg's bwdif filter; pictures that are not interlaced pass unchanged."""

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toonfilter.runtime.video.reader import VideoInfo


def whole_pictures(pictures: Iterator[Any], info: "VideoInfo") -> Iterator[Any]:
    """One whole picture for each of the `av.VideoFrame`s, with its stamp; delayed by one.

    A change of size or format within the file begins a new filter.
    """
    graph, key = None, None
    for frame in pictures:
        frame.time_base = info.time_base
        if graph is None or key != (frame.width, frame.height, frame.format.name):
            if graph is not None:
                yield from graph.rest()
            graph, key = _Graph(frame, info), (frame.width, frame.height, frame.format.name)
        yield from graph.take(frame)
    if graph is not None:
        yield from graph.rest()


class _Graph:
    def __init__(self, first: Any, info: "VideoInfo") -> None:
        from av.filter import Graph

        self._unit = info.time_base
        self._graph = Graph()
        source = self._graph.add_buffer(
            width=first.width, height=first.height, format=first.format.name, time_base=info.time_base
        )
        filtering = self._graph.add("bwdif", "mode=send_frame:deint=interlaced")
        sink = self._graph.add("buffersink")
        source.link_to(filtering)
        filtering.link_to(sink)
        self._graph.configure()

    def take(self, frame: Any) -> Iterator[Any]:
        self._graph.push(frame)
        yield from self._ready()

    def rest(self) -> Iterator[Any]:
        self._graph.push(None)
        yield from self._ready()

    def _ready(self) -> Iterator[Any]:
        import av

        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            # The filter counts in half units.
            if frame.pts is not None and frame.time_base is not None:
                frame.pts = round(Fraction(frame.pts) * frame.time_base / self._unit)
            frame.time_base = self._unit
            yield frame
