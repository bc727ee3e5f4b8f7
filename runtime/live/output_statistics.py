"""What the live loop has sent so far."""

from collections import Counter, deque

from toonfilter.runtime.frames import PrivacyState, SafeFrame
from toonfilter.runtime.latency import RateMeter, StageReport

_KEPT_LATENCIES = 4096
"""Pictures over which latencies are told, two minutes of them. Raising it shows changes later."""


class OutputStatistics:
    """Counted by the thread that sends.

    states: pictures by the state that they were shown in. stale_drops: pictures that came too late to be shown.
    state, reason, faces: of the last picture. first_safe_s, first_cartoon_s: after the start; None until there was one.
    """

    def __init__(self, started_s: float) -> None:
        self.started_s = started_s
        self.rate = RateMeter()
        self.states: Counter[str] = Counter()
        self.sent = 0
        self.stale_drops = 0
        self.state = PrivacyState.COVERED
        self.reason = "starting"
        self.faces = 0
        self.first_safe_s: float | None = None
        self.first_cartoon_s: float | None = None
        self._latencies_s: deque[float] = deque(maxlen=_KEPT_LATENCIES)

    def add(self, safe: SafeFrame, state: PrivacyState, now_s: float) -> None:
        """One picture was sent. state: as it was shown."""
        self.rate.add(now_s)
        self.sent += 1
        self.state, self.reason, self.faces = state, safe.reason, safe.faces_found
        self.states[state.value] += 1
        if self.first_safe_s is None:
            self.first_safe_s = now_s - self.started_s

    def add_fresh(self, safe: SafeFrame, now_s: float) -> None:
        """A new picture of the camera was sent at once."""
        self._latencies_s.append(now_s - safe.captured_at_s)
        if self.first_cartoon_s is None and safe.state is PrivacyState.PROTECTED:
            self.first_cartoon_s = now_s - self.started_s

    def latency(self) -> StageReport:
        """From the camera's grab to the sink, for fresh pictures."""
        return StageReport.of(list(self._latencies_s))
