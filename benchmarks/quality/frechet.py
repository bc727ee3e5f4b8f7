"""Frechet distance of two sets of features, as the FID takes it on Inception v3."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.quality.bootstrap import Estimate, from_spread
from toonfilter.benchmarks.quality.feature_store import Features, blocks, sampled_rows

Moment = NDArray[np.floating[Any]]
_BOOTSTRAP_ROWS, _BOOTSTRAP_REPEATS = 500, 30


class RunningMoments:
    """Mean and covariance of rows that come in blocks: Chan, Golub and LeVeque 1979, eqs. 2.1."""

    def __init__(self, width: int) -> None:
        self.count = 0
        self.mean: Moment = np.zeros(width)
        self._scatter: Moment = np.zeros((width, width))

    def add(self, rows: Features) -> None:
        """Take in rows [N, D]."""
        rows = rows.astype(np.float64)
        mean = rows.mean(0)
        centred, offset = rows - mean, mean - self.mean
        total = self.count + len(rows)
        self._scatter += centred.T @ centred + np.outer(offset, offset) * (self.count * len(rows) / total)
        self.mean = self.mean + offset * (len(rows) / total)
        self.count = total

    @property
    def covariance(self) -> Moment:
        """[D, D], unbiased."""
        return self._scatter / (self.count - 1)


def frechet_distance(mean1: Moment, covariance1: Moment, mean2: Moment, covariance2: Moment) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), of Gaussians.

    Dowson and Landau 1982, eq. 4; Heusel et al. 2017, eq. 6. The trace of the root is taken from the eigenvalues of
    the symmetric C1^(1/2) C2 C1^(1/2), which are those of C1 C2.
    """
    values, vectors = np.linalg.eigh(covariance1)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    product = np.linalg.eigvalsh(root @ covariance2 @ root)
    trace = float(np.sqrt(np.maximum(product, 0)).sum())
    offset = mean1 - mean2
    return float(offset @ offset + np.trace(covariance1) + np.trace(covariance2) - 2 * trace)


def fid(real: Features, fake: Features, *, seed: int = 0) -> Estimate:
    """Frechet distance of two feature sets [N, D], read in blocks.

    The interval is the spread over resamples of up to 500 rows, scaled to all rows: resampling itself would raise the
    level.
    """
    moments = []
    for features in (real, fake):
        running = RunningMoments(features.shape[1])
        for block in blocks(features):
            running.add(block)
        moments.append((running.mean, running.covariance))
    value = max(frechet_distance(*moments[0], *moments[1]), 0.0)
    count = min(len(real), len(fake))
    real, fake = sampled_rows(real, _BOOTSTRAP_ROWS, seed), sampled_rows(fake, _BOOTSTRAP_ROWS, seed + 1)
    generator = np.random.default_rng(seed)
    resampled = [
        _distance_of_few(_resample(real, generator), _resample(fake, generator)) for _ in range(_BOOTSTRAP_REPEATS)
    ]
    found = from_spread(value, np.array(resampled), count, scale=math.sqrt(min(len(real), len(fake)) / count))
    return Estimate(found.value, max(found.low, 0.0), found.high, count)


def _resample(rows: Features, generator: np.random.Generator) -> Features:
    resampled: Features = rows[generator.integers(0, len(rows), len(rows))].astype(np.float64)
    return resampled


def _distance_of_few(first: Features, second: Features) -> float:
    """The same distance; with fewer rows than features the root's trace is the nuclear norm of the [N, M] products."""
    offset = first.mean(0) - second.mean(0)
    if min(len(first), len(second)) > first.shape[1]:
        return frechet_distance(offset, np.cov(first.T), np.zeros_like(offset), np.cov(second.T))
    first = (first - first.mean(0)) / math.sqrt(len(first) - 1)
    second = (second - second.mean(0)) / math.sqrt(len(second) - 1)
    trace = float(np.linalg.svd(first @ second.T, compute_uv=False).sum())
    return float(offset @ offset + (first**2).sum() + (second**2).sum() - 2 * trace)
