"""Estimates with confidence intervals: percentile bootstrap over pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.floating[Any]]

REPEATS = 500
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % confidence interval and the number of samples behind it."""

    value: float
    low: float
    high: float
    count: int


def bootstrap(
    samples: Samples, statistic: Callable[[Samples], float], *, repeats: int = REPEATS, seed: int = 0
) -> Estimate:
    """The statistic of the samples with its percentile interval (Efron and Tibshirani 1993, section 13.3).

    samples: [N, ...]; rows are sampled together, so that pairs stay pairs. Resamples on which the statistic is not
    finite (a correlation of constants) are left out of the interval.
    """
    count = len(samples)
    generator = np.random.default_rng(seed)
    resampled = np.array([statistic(samples[generator.integers(0, count, count)]) for _ in range(repeats)])
    return from_resamples(statistic(samples), resampled, count)


def from_resamples(value: float, resampled: Samples, count: int) -> Estimate:
    """The interval from the statistic's values on resamples, float [R]."""
    finite = resampled[np.isfinite(resampled)]
    if not len(finite):
        return Estimate(float(value), float("nan"), float("nan"), count)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(finite, [tail, 100 - tail])
    return Estimate(float(value), float(low), float(high), count)


def from_spread(value: float, resampled: Samples, count: int, *, scale: float = 1.0) -> Estimate:
    """A normal interval with the resamples' standard deviation, times `scale`.

    For statistics that resampling shifts (FID and kernel distances grow on duplicated rows): their spread is right
    where their level is not.
    """
    half = 1.96 * scale * float(np.std(resampled, ddof=1)) if len(resampled) > 1 else float("nan")
    return Estimate(float(value), float(value) - half, float(value) + half, count)
