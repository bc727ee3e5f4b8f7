"""How much is done for a frame."""

from collections.abc import Callable

from toonfilter.runtime.live.quality_control import AdjustableFilter, EffortSettings, SteeredFilter
from toonfilter.runtime.live.supervisor import LiveFilter


class WorkPace:
    """Lets a filter do less where frames take longer than period_s. effort: when to give way; None never does."""

    def __init__(self, period_s: float, effort: EffortSettings | None, notify: Callable[[str], None]) -> None:
        self._period_s, self._effort, self._notify = period_s, effort, notify
        self._steered: SteeredFilter | None = None

    def steer(self, opened: LiveFilter) -> None:
        """A filter was opened; it starts at full effort."""
        if self._effort is not None and isinstance(opened, AdjustableFilter):
            self._steered = SteeredFilter(opened, self._period_s, self._effort, self._notify)

    def skips(self) -> bool:
        """Whether the frame that came now is left out; call it once for each."""
        return self._steered is not None and self._steered.skips()

    def drawn(self, now_s: float, track_s: float, draw_s: float) -> None:
        """A frame was drawn. track_s, draw_s: how long its two halves took."""
        if self._steered is not None:
            self._steered.drawn(now_s, max(track_s, draw_s))
