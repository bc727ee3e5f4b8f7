"""How much is done for a frame, and on which cores: what the filter's two threads have in common."""

import threading
from collections.abc import Callable

from toonfilter.runtime.live.quality_control import AdjustableFilter, EffortSettings, SteeredFilter
from toonfilter.runtime.live.supervisor import LiveFilter
from toonfilter.runtime.platform.cores import CoreShare, WorksBeside


class WorkPace:
    """Lets a filter do less where frames take longer than period_s. effort: when to give way; None never does."""

    def __init__(self, period_s: float, effort: EffortSettings | None, notify: Callable[[str], None]) -> None:
        self._period_s, self._effort, self._notify = period_s, effort, notify
        self._steered: SteeredFilter | None = None
        self._cores = CoreShare(period_s)
        self._threads: list[int] = []

    def join(self) -> None:
        """The calling thread works on frames."""
        self._threads.append(threading.get_native_id())

    def steer(self, opened: LiveFilter) -> None:
        """A filter was opened; it starts at full effort."""
        if self._effort is not None and isinstance(opened, AdjustableFilter):
            self._steered = SteeredFilter(opened, self._period_s, self._effort, self._notify)

    def skips(self) -> bool:
        """Whether the frame that came now is left out; call it once for each."""
        return self._steered is not None and self._steered.skips()

    def drawn(self, drawn_by: LiveFilter, now_s: float, track_s: float, draw_s: float) -> None:
        """A frame was drawn. track_s, draw_s: how long its two halves took."""
        if self._steered is not None:
            self._steered.drawn(now_s, max(track_s, draw_s))
        if isinstance(drawn_by, WorksBeside):
            self._cores.note(track_s + draw_s, self._threads, drawn_by.threads_beside)
