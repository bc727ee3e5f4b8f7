"""Weights that change over a run along a line: gan-v2's lambda, cyclegan-v4's gamma."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ramp:
    """From `start` to `end` along a line over the share `until` of the run, then `end`."""

    start: float
    end: float
    until: float = 1.0

    def at(self, progress: float) -> float:
        """Return the weight at `progress`, the share of the run already done, in [0,1]."""
        share = 1.0 if self.until <= 0 else min(max(progress / self.until, 0.0), 1.0)
        return self.start + (self.end - self.start) * share
