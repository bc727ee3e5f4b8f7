"""What the loops need of a filter: two halves that may run in two threads, and ways to cover."""

from collections.abc import Sequence
from typing import Any, Protocol

from toonfilter.runtime.frames import Frame, SafeFrame


class FrameFilter(Protocol):
    """Frames in order go through `track`, its results in the same order through `draw`.

    One thread may track the next frame while another draws this one. `ToonFilter` is the real one.
    """

    def track(self, frame: Frame) -> Any:
        """Find the faces; what is returned goes to `draw`."""
        ...

    def draw(self, tracked: Any) -> SafeFrame:
        """Draw and guard; may write into the frame's image and keep it."""
        ...

    def cover(self, frame: Frame, reason: str) -> SafeFrame:
        """The frame covered whole."""
        ...

    def close(self) -> None:
        """Free what the filter holds."""
        ...


class ResettableFilter(FrameFilter, Protocol):
    """A filter that can forget all earlier frames, so that a segment of a file always comes out the same."""

    def look_back(self, waiting: Sequence[Any], newest: Any | None) -> None:
        """Use what is known by now for those that wait to be drawn, the oldest first; called for every frame.

        newest: the tracked frame that will wait next, or None when no more come.
        """
        ...

    def reset(self) -> None:
        """Be as if freshly opened."""
        ...
