"""What goes out and when: a fresh safe picture at once, else what the policy says, at a steady rate."""

from pathlib import Path

from toonfilter.runtime import privacy
from toonfilter.runtime.clock import Clock, Pacer
from toonfilter.runtime.frames import Image, PrivacyState, SafeFrame
from toonfilter.runtime.live.audit import AuditLog
from toonfilter.runtime.live.controls import Controls
from toonfilter.runtime.live.cover_pictures import CoverPictures
from toonfilter.runtime.live.output_policy import Choice, OutputPolicy
from toonfilter.runtime.live.output_statistics import OutputStatistics
from toonfilter.runtime.live.sinks import LiveSink


class LiveOutput:
    """Sends to the sink, counts, and keeps the audit. Used from one thread; time comes from the clock.

    A fresh picture is sent when it arrives, and something else at the deadline without one; see `OutputPolicy`.
    """

    def __init__(
        self,
        sink: LiveSink,
        controls: Controls,
        clock: Clock,
        *,
        width: int,
        height: int,
        fps: float,
        hold_s: float = privacy.HOLD_S,
        placeholder: Image | None = None,
        audit: Path | None = None,
    ) -> None:
        self._sink, self._controls, self._clock = sink, controls, clock
        self.pacer = Pacer(1 / fps, clock)
        self.statistics = OutputStatistics(clock.now_s())
        self._policy = OutputPolicy(hold_s)
        self._covers = CoverPictures(width, height, placeholder)
        self._audit = AuditLog(audit) if audit else None

    def step(self, item: tuple[int, SafeFrame] | None) -> None:
        """Send what is right now: `item` (its revision and picture) if it may be shown, else what stands in for it."""
        has_changed = self._policy.follow(self._controls.state)
        if item is not None and self._policy.accepts(item[0]):
            self._send_fresh(item[1])
            return
        self.statistics.stale_drops += item is not None
        if has_changed or self.pacer.is_due():
            self.pacer.advance()
            self._send(self._policy.stand_in(self._clock.now_s()))

    def cover_now(self, reason: str) -> None:
        """Send the cover, whatever is there."""
        self._send(Choice(reason=reason))

    def close(self) -> None:
        """Finish the audit.

        Raises:
            OutputError: its last lines could not be written.
        """
        if self._audit is not None:
            self._audit.close()

    def _send_fresh(self, safe: SafeFrame) -> None:
        now_s = self._clock.now_s()
        choice = self._policy.fresh(safe, now_s)
        # The camera's next picture is due in one period; it may come half a period late before the last is repeated.
        self.pacer.restart(0.5 * self.pacer.period_s)
        self._send(choice)
        if choice.picture is not None:
            self.statistics.add_fresh(choice.picture, now_s)

    def _send(self, choice: Choice) -> None:
        now_s = self._clock.now_s()
        safe = choice.picture if choice.picture is not None else self._covers.of(choice.reason, now_s)
        self._sink.send(safe, now_s)
        is_held = choice.is_repeat and safe.state is PrivacyState.PROTECTED
        state = PrivacyState.HOLDING if is_held else safe.state
        self.statistics.add(safe, state, self._clock.now_s())
        if self._audit is not None:
            self._audit.add(safe, state, now_s - self.statistics.started_s, is_repeat=choice.is_repeat)
