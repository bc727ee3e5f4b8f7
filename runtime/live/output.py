"""What goes out and when: a fresh safe picture at once, else the last one or the cover, at a steady rate."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from toonfilter.runtime import privacy
from toonfilter.runtime.clock import Clock, Pacer
from toonfilter.runtime.errors import OutputError
from toonfilter.runtime.frames import Frame, Image, PrivacyState, SafeFrame
from toonfilter.runtime.latency import RateMeter, StageReport
from toonfilter.runtime.live.cover_pictures import cover_picture
from toonfilter.runtime.live.sinks import LiveSink
from toonfilter.runtime.live.stages import Controls

LEAST_COVER_S = 1.0
"""After fresh pictures failed to come in time, the cover stays until they came in time for so long. Raising it calms
a machine that is now and then too slow, and shows the cover longer."""
_KEPT_LATENCIES = 4096
_TOO_SLOW = "no fresh picture"


class LiveOutput:
    """Decides for every moment what the sink gets. Used from one thread; time comes from the clock.

    A fresh picture is sent when it arrives. Without one at the deadline the last safe picture is repeated for at most
    `hold_s`; after that, before the first, while hidden and while settings change, the cover is sent. Where pictures
    come too late again and again, the cover stays, so that it does not flicker.
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
        self._width, self._height, self._hold_s = width, height, hold_s
        self._placeholder = placeholder
        self.pacer = Pacer(1 / fps, clock)
        self.rate = RateMeter()
        self.states: Counter[str] = Counter()
        self.latencies_s: list[float] = []
        self.sent = 0
        self.stale_drops = 0
        self.state = PrivacyState.COVERED
        self.reason = "starting"
        self.faces = 0
        self.started_s = clock.now_s()
        self.first_safe_s: float | None = None
        self.first_cartoon_s: float | None = None
        self._last: SafeFrame | None = None
        self._last_shown_s = self._late_at_s = float("-inf")
        self._epoch = 0
        self._is_waiting = True
        self._covers: dict[str, SafeFrame] = {}
        self._audit = _opened(audit) if audit else None

    def step(self, item: tuple[int, SafeFrame] | None) -> None:
        """Send what is right now: `item` (its epoch and picture) if it may be shown, else what stands in for it."""
        wishes = self._controls.wishes
        has_changed = wishes.epoch != self._epoch
        if has_changed:
            # Settings changed: nothing drawn before counts any more.
            self._epoch, self._last, self._late_at_s = wishes.epoch, None, float("-inf")
            self._is_waiting = True
        if item is not None and item[0] == self._epoch:
            self._send_fresh(item[1])
            return
        self.stale_drops += item is not None
        if has_changed or self.pacer.is_due():
            self.pacer.advance()
            self._send_stand_in(wishes.is_hidden)

    def cover_now(self, reason: str) -> None:
        """Send the cover, whatever is there."""
        self._send(self._cover(reason), is_repeat=False)

    def latency(self) -> StageReport:
        """From the camera's grab to the sink, for fresh pictures."""
        return StageReport.of(self.latencies_s)

    def close(self) -> None:
        """Finish the audit.

        Raises:
            OutputError: its last lines could not be written.
        """
        audit, self._audit = self._audit, None
        if audit is not None:
            with _written(audit):
                audit.close()

    def _send_fresh(self, safe: SafeFrame) -> None:
        now_s = self._clock.now_s()
        self._last, self._is_waiting = safe, False
        if safe.state is not PrivacyState.HOLDING:
            # A held picture is as old as it was when it was fresh.
            self._last_shown_s = now_s
        # The camera's next picture is due in one period; it may come half a period late before the last is repeated.
        self.pacer.restart(0.5 * self.pacer.period_s)
        if self._is_unsteady:
            self._send(self._cover(_TOO_SLOW), is_repeat=False)
            return
        self.latencies_s.append(now_s - safe.captured_at_s)
        del self.latencies_s[:-_KEPT_LATENCIES]
        self._send(safe, is_repeat=False)
        if self.first_cartoon_s is None and safe.state is PrivacyState.PROTECTED:
            self.first_cartoon_s = now_s - self.started_s

    @property
    def _is_unsteady(self) -> bool:
        """Whether a picture came too late just now, so that others may."""
        return self._clock.now_s() - self._late_at_s < LEAST_COVER_S

    def _send_stand_in(self, is_hidden: bool) -> None:
        if is_hidden:
            self._send(self._cover("hidden by the user"), is_repeat=False)
            return
        if self._last is None or self._clock.now_s() - self._last_shown_s > self._hold_s:
            self._last = None
            if not self._is_waiting:
                self._late_at_s = self._clock.now_s()
        if self._last is not None and not self._is_unsteady:
            self._send(self._last, is_repeat=True)
        else:
            is_first = self._is_waiting and self.first_cartoon_s is None
            self._send(self._cover("starting" if is_first else _TOO_SLOW), is_repeat=False)

    def _send(self, safe: SafeFrame, *, is_repeat: bool) -> None:
        now_s = self._clock.now_s()
        self._sink.send(safe, now_s)
        self.rate.add(now_s)
        self.sent += 1
        is_held = is_repeat and safe.state is PrivacyState.PROTECTED
        self.state = PrivacyState.HOLDING if is_held else safe.state
        self.reason, self.faces = safe.reason, safe.faces_found
        self.states[self.state.value] += 1
        if self.first_safe_s is None:
            self.first_safe_s = self._clock.now_s() - self.started_s
        if self._audit is not None:
            with _written(self._audit):
                self._audit.write(json.dumps(self._audit_line(safe, now_s, is_repeat)) + "\n")

    def _audit_line(self, safe: SafeFrame, now_s: float, is_repeat: bool) -> dict[str, Any]:
        return {
            "index": self.sent - 1,
            "frame": safe.index,
            "time_s": round(now_s - self.started_s, 6),
            "state": self.state.value,
            "is_repeat": is_repeat,
            "faces_found": safe.faces_found,
            "faces_drawn": safe.faces_drawn,
            "faces_covered": safe.faces_covered,
            "reason": safe.reason,
        }

    def _cover(self, reason: str) -> SafeFrame:
        if reason not in self._covers:
            empty = Frame(np.zeros((self._height, self._width, 3), np.uint8), -1, self._clock.now_s())
            picture = self._placeholder if self._placeholder is not None else cover_picture(self._width, self._height)
            self._covers[reason] = privacy.cover(empty, reason, picture)
        return self._covers[reason]


@contextmanager
def _written(audit: IO[str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{audit.name}: cannot be written ({error.strerror or error})") from error


def _opened(path: Path) -> IO[str]:
    try:
        # Line by line: what was sent before a crash is accounted for too.
        return path.open("w", buffering=1, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
