"""What a style must reach before it ships, and whether it does."""

from collections.abc import Mapping
from dataclasses import dataclass

from toonfilter.benchmarks.quality.bootstrap import Estimate


@dataclass(frozen=True, slots=True)
class Threshold:
    """Bounds of one measure; None is no bound. must: the same in words."""

    key: str
    must: str
    low: float | None = None
    high: float | None = None

    def passed(self, value: float) -> bool:
        """Whether the value lies within the bounds, both included."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


THRESHOLDS = (
    Threshold("face_found", ">= 0.99", low=0.99),
    Threshold("identity_median", "<= 0.35", high=0.35),
    Threshold("identity_p95", "<= 0.5", high=0.5),
    Threshold("mouth_correlation", ">= 0.95", low=0.95),
    Threshold("eye_correlation", ">= 0.93", low=0.93),
    Threshold("gaze_difference", "<= 0.03", high=0.03),
    Threshold("yaw_difference", "<= 3", high=3.0),
    Threshold("pitch_difference", "<= 3", high=3.0),
    Threshold("roll_difference", "<= 3", high=3.0),
    Threshold("ita_change_dark", "-6 to 6", low=-6.0, high=6.0),
    Threshold("ita_change_middle", "-6 to 6", low=-6.0, high=6.0),
    Threshold("ita_change_light", "-6 to 6", low=-6.0, high=6.0),
    Threshold("temporal_ratio", "<= 1.0", high=1.0),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A threshold and what a model reached; reached and passed are None where the measure is missing."""

    threshold: Threshold
    reached: float | None
    passed: bool | None


def judge(measured: Mapping[str, Estimate]) -> list[Verdict]:
    """One verdict per threshold, in their order."""
    verdicts = []
    for threshold in THRESHOLDS:
        found = measured.get(threshold.key)
        if found is None:
            verdicts.append(Verdict(threshold, None, None))
        else:
            verdicts.append(Verdict(threshold, found.value, threshold.passed(found.value)))
    return verdicts
