"""Giving way by rule when the machine is too slow or must stay cool, and coming back when it can.

Steps from the least visible on: smaller crops, fewer looks for newcomers, fewer frames. The rule has no clock of its
own: every call says what time it is, so it is tested with exact numbers.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from toonfilter.runtime.errors import ConfigError

_LOOKS_COST = 1.25
"""How much dearer a frame is thought to become, at most, when looks for newcomers are twice as frequent."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done. size: greatest crop in px. detect_every: frames between looks for newcomers.

    draw_every: of so many frames of the camera one is drawn, the others are skipped.
    """

    size: int
    detect_every: int
    draw_every: int = 1

    def __str__(self) -> str:
        rate = "every frame" if self.draw_every == 1 else f"one frame in {self.draw_every}"
        return f"crops up to {self.size} px, {rate}"


@dataclass(frozen=True, slots=True)
class EffortSettings:
    """When to change.

    too_busy: share of the frame period, or of the CPU cap, above which a step is given up. comfortable: the share that
    must be expected after taking a step back. window_frames: how many frames are judged together. patience_s: how long
    a step back must have looked comfortable; doubled, up to most_patience_s, each time one did not hold that long.
    cpu_cap_cores: low-power mode: cores the process may use on average; None for no cap.
    """

    too_busy: float = 0.95
    comfortable: float = 0.85
    window_frames: int = 30
    patience_s: float = 5.0
    most_patience_s: float = 80.0
    cpu_cap_cores: float | None = None

    def __post_init__(self) -> None:
        if self.cpu_cap_cores is not None and self.cpu_cap_cores <= 0:
            raise ConfigError(f"CPU cap is {self.cpu_cap_cores} cores; must be more than 0")
        if not 0 < self.comfortable < self.too_busy:
            raise ConfigError(f"comfortable is {self.comfortable}; must lie between 0 and too_busy, {self.too_busy}")


def effort_steps(sizes: Sequence[int], detect_every: int) -> list[Effort]:
    """From full effort down. sizes: crop sizes the filter may use, in any order."""
    ordered = sorted(sizes, reverse=True)
    least = ordered[-1]
    return [
        *(Effort(size, detect_every) for size in ordered),
        *(Effort(least, 2 * detect_every, draw_every) for draw_every in (1, 2, 3)),
    ]


@runtime_checkable
class AdjustableFilter(Protocol):
    """A filter that can do with less."""

    @property
    def full_effort(self) -> tuple[Sequence[int], int]:
        """Crop sizes that its settings allow, and frames between looks for newcomers."""
        ...

    def set_effort(self, size: int, detect_every: int) -> None:
        """From the next frame on: crops of at most `size` px, a look for newcomers at least every so many frames."""
        ...


class QualityController:
    """Chooses the step from how long frames take. Not thread safe."""

    def __init__(self, steps: Sequence[Effort], period_s: float, settings: EffortSettings | None = None) -> None:
        """period_s: between two frames of the camera."""
        self._steps = tuple(steps)
        self._period_s = period_s
        self._settings = settings or EffortSettings()
        self._place = 0
        self._patience_s = self._settings.patience_s
        self._busy_s: list[float] = []
        self._window_start: tuple[float, float] | None = None
        self._comfortable_since_s: float | None = None
        self._taken_back_s: float | None = None

    @property
    def effort(self) -> Effort:
        """What holds now."""
        return self._steps[self._place]

    def note(self, now_s: float, busy_s: float, cpu_s: float) -> Effort | None:
        """One frame was drawn. Returns the new effort when it changes.

        busy_s: time of the frame's slowest stage, since stages run beside each other. cpu_s: CPU time of the process
        since its start.
        """
        if self._window_start is None:
            self._window_start = (now_s, cpu_s)
        self._busy_s.append(busy_s)
        if len(self._busy_s) <= self._settings.window_frames:
            return None
        start_s, start_cpu_s = self._window_start
        load = statistics.median(self._busy_s) / (self._period_s * self.effort.draw_every)
        if self._settings.cpu_cap_cores is not None:
            cores = (cpu_s - start_cpu_s) / max(now_s - start_s, 1e-9)
            load = max(load, cores / self._settings.cpu_cap_cores)
        self._busy_s.clear()
        self._window_start = None
        return self._judge(load, start_s, now_s)

    def _judge(self, load: float, start_s: float, now_s: float) -> Effort | None:
        if load > self._settings.too_busy:
            self._comfortable_since_s = None
            return self._give_up(now_s)
        if self._place == 0 or load * self._growth() > self._settings.comfortable:
            self._comfortable_since_s = None
            return None
        if self._comfortable_since_s is None:
            self._comfortable_since_s = start_s
        if now_s - self._comfortable_since_s < self._patience_s:
            return None
        self._comfortable_since_s = None
        self._taken_back_s = now_s
        self._place -= 1
        return self.effort

    def _give_up(self, now_s: float) -> Effort | None:
        if self._place == len(self._steps) - 1:
            return None
        if self._taken_back_s is not None:
            held = now_s - self._taken_back_s >= self._patience_s
            longer_s = min(2 * self._patience_s, self._settings.most_patience_s)
            self._patience_s = self._settings.patience_s if held else longer_s
            self._taken_back_s = None
        self._place += 1
        return self.effort

    def _growth(self) -> float:
        """How much dearer a frame becomes, at most, one step back."""
        lower, higher = self._steps[self._place], self._steps[self._place - 1]
        looks = _LOOKS_COST if higher.detect_every < lower.detect_every else 1.0
        return (higher.size / lower.size) ** 2 * lower.draw_every / higher.draw_every * looks


class SteeredFilter:
    """A running filter under a quality controller; tells of changes. `drawn` belongs to one thread."""

    def __init__(
        self,
        steered: AdjustableFilter,
        period_s: float,
        settings: EffortSettings,
        notify: Callable[[str], None],
        cpu_s: Callable[[], float] = time.process_time,
    ) -> None:
        """period_s: between two frames of the camera. cpu_s: CPU time of the process so far."""
        sizes, detect_every = steered.full_effort
        self._filter, self._notify, self._cpu_s = steered, notify, cpu_s
        self._controller = QualityController(effort_steps(sizes, detect_every), period_s, settings)
        self._taken = 0

    def skips(self) -> bool:
        """Whether the frame that came now is left out; call it once for each."""
        self._taken += 1
        return self._taken % self._controller.effort.draw_every != 0

    def drawn(self, now_s: float, busy_s: float) -> None:
        """A frame was drawn; its slowest stage took busy_s."""
        before = self._controller.effort
        changed = self._controller.note(now_s, busy_s, self._cpu_s())
        if changed is None:
            return
        self._filter.set_effort(changed.size, changed.detect_every)
        is_less = (changed.size, -changed.detect_every, -changed.draw_every) < (
            before.size,
            -before.detect_every,
            -before.draw_every,
        )
        self._notify(f"{'doing less' if is_less else 'doing more again'}: {changed}")
