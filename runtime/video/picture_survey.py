"""What a video's pictures are like all over the file: some of its key frames are decoded while it is read through."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toonfilter.runtime.video.reader import VideoInfo

_MOST_SAMPLES = 600
"""Pictures that are looked at, over the whole recording. Raising it finds shorter changes, slower."""
_SAMPLE_EVERY_S = 0.5
"""At most one in so long."""


@dataclass(frozen=True, slots=True)
class PictureSurvey:
    """sizes: (width, height) of stored pictures, with how many samples had it."""

    sizes: dict[tuple[int, int], int]
    is_interlaced: bool
    has_captions: bool

    def largest(self) -> tuple[int, int] | None:
        """The size with the most pixels; of equals the wider one. None where no sample could be decoded."""
        return max(self.sizes, key=lambda size: (size[0] * size[1], size[0]), default=None)


class PictureSurveyor:
    """Takes the packets of the video track in order; decodes at most some hundred of its key frames."""

    def __init__(self, stream: Any, info: "VideoInfo") -> None:
        self._context = stream.codec_context
        self._context.thread_count = 1
        self._context.skip_frame = "NONKEY"
        self._unit_s = float(info.time_base)
        self._every_s = max(_SAMPLE_EVERY_S, (info.declared.duration_s or 0.0) / _MOST_SAMPLES)
        self._next_s = float("-inf")
        self._samples = 0
        self._sizes: Counter[tuple[int, int]] = Counter()
        self._interlaced = 0
        self._has_captions = info.format.has_captions

    def see(self, packet: Any) -> None:
        """Decode the packet if it is a key frame and due."""
        if not packet.is_keyframe or packet.is_discard:
            return
        time_s = (packet.pts or 0) * self._unit_s
        # A clock that went back starts the count anew.
        if self._next_s - 2 * self._every_s < time_s < self._next_s:
            return
        self._next_s = time_s + self._every_s
        self._samples += 1
        if self._samples <= 4 * _MOST_SAMPLES:
            self._decode(packet)

    def found(self) -> PictureSurvey:
        """What the samples were; call it once, at the end."""
        self._decode(None)
        # One frame with a wrong flag among progressive ones is no reason to soften all.
        decoded = sum(self._sizes.values())
        return PictureSurvey(dict(self._sizes), 4 * self._interlaced > decoded, self._has_captions)

    def _decode(self, packet: Any) -> None:
        import av

        try:
            frames = self._context.decode(packet)
        except (av.FFmpegError, ValueError):
            return
        for frame in frames:
            self._sizes[frame.width, frame.height] += 1
            self._interlaced += bool(frame.interlaced_frame)
            self._has_captions = self._has_captions or has_captions(frame)


def has_captions(frame: Any) -> bool:
    """Whether closed captions (CEA-608 or 708) lie in a decoded picture."""
    # PyAV 19 goes over the kinds, older ones over the data.
    return any(getattr(data, "type", data).name == "A53_CC" for data in frame.side_data)
