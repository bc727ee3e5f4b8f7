"""A filter without a model; in a module of its own, so that worker processes find it."""

from collections.abc import Sequence

from toonfilter.runtime import privacy
from toonfilter.runtime.frames import Frame, SafeFrame


class CoveringFilter:
    """A `ResettableFilter` that covers every frame whole, without any model."""

    def __init__(self, reason: str = "no model") -> None:
        self.reason = reason

    def track(self, frame: Frame) -> Frame:
        return frame

    def draw(self, tracked: Frame) -> SafeFrame:
        return privacy.cover(tracked, self.reason)

    def cover(self, frame: Frame, reason: str) -> SafeFrame:
        return privacy.cover(frame, reason)

    def look_back(self, waiting: Sequence[Frame], newest: Frame | None) -> None:
        """Nothing is known."""

    def reset(self) -> None:
        """Nothing to forget."""

    def close(self) -> None:
        """Nothing to free."""
