"""How much is done for a frame, and when it is begun."""

from collections.abc import Callable

from toonfilter.runtime.live.quality_control import AdjustableFilter, EffortSettings, SteeredFilter
from toonfilter.runtime.live.supervisor import LiveFilter

_REMEMBERED = 8
"""Frames whose times tell when the next one is needed. Raising it lets frames wait for each other less often, and makes
them older."""


class WorkPace:
    """Lets a filter do less where frames take longer than period_s, and says when the next frame is needed.

    effort: when to give way; None never does.
    """

    def __init__(self, period_s: float, effort: EffortSettings | None, notify: Callable[[str], None]) -> None:
        self._period_s, self._effort, self._notify = period_s, effort, notify
        self._steered: SteeredFilter | None = None
        # Replaced whole: another thread reads it.
        self._took_s: tuple[tuple[float, float], ...] = ()
        self._drawing_since_s: float | None = None

    def drawing(self, now_s: float) -> None:
        """A frame begins to be drawn."""
        self._drawing_since_s = now_s

    def early_s(self, now_s: float) -> float:
        """How long tracking may wait for a newer frame and still be done when drawing is."""
        since_s, took_s = self._drawing_since_s, self._took_s
        if since_s is None or not took_s:
            return 0.0
        track_s, draw_s = (max(track_s for track_s, _ in took_s), min(draw_s for _, draw_s in took_s))
        return max(0.0, since_s + draw_s - track_s - now_s)

    def steer(self, opened: LiveFilter) -> None:
        """A filter was opened; it starts at full effort."""
        if self._effort is not None and isinstance(opened, AdjustableFilter):
            self._steered = SteeredFilter(opened, self._period_s, self._effort, self._notify)

    def skips(self) -> bool:
        """Whether the frame that came now is left out; call it once for each."""
        return self._steered is not None and self._steered.skips()

    def drawn(self, now_s: float, track_s: float, draw_s: float) -> None:
        """A frame was drawn. track_s, draw_s: how long its two halves took."""
        self._drawing_since_s = None
        self._took_s = (*self._took_s, (track_s, draw_s))[-_REMEMBERED:]
        if self._steered is not None:
            self._steered.drawn(now_s, max(track_s, draw_s))
