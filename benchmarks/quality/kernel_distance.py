"""Kernel distances between two sets of features: the kernel MMD of Xu et al. and the KID of Binkowski et al."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.quality.bootstrap import Estimate, from_spread
from toonfilter.benchmarks.quality.feature_store import Features, blocks, sampled_rows

Kernel = Callable[[Features, Features], NDArray[np.float64]]
"""Two sets [N, D], [M, D] to values [N, M]."""

MOST_ROWS_MMD = 10_000
KID_SUBSETS, KID_SUBSET_ROWS = 100, 1000
_BOOTSTRAP_ROWS, _BOOTSTRAP_REPEATS = 1000, 200


def kernel_mmd(real: Features, fake: Features, *, seed: int = 0) -> Estimate:
    """Kernel MMD: 0 for equal sets, about 1 for sets far apart.

    Gretton et al. 2012, eq. 5 (biased), its square root, with the kernel of Xu et al. 2018, "An empirical study on
    evaluation metrics of generative adversarial networks": a Gaussian whose squared width is the mean squared distance
    of real pictures. At most 10,000 pictures of each set, sampled.
    """
    real, fake = sampled_rows(real, MOST_ROWS_MMD, seed), sampled_rows(fake, MOST_ROWS_MMD, seed + 1)
    kernel = gaussian_kernel(mean_squared_distance(real))
    squared = _mean(kernel, real, real) + _mean(kernel, fake, fake) - 2 * _mean(kernel, real, fake)
    spread = _interval(squared, kernel, real, fake, seed)
    return Estimate(_root(squared), _root(spread.low), _root(spread.high), min(len(real), len(fake)))


def kid(real: Features, fake: Features, *, seed: int = 0) -> Estimate:
    """Kernel inception distance: unbiased squared MMD with the kernel (x.y / D + 1)^3.

    Binkowski et al. 2018, "Demystifying MMD GANs", section 4: the mean over 100 subsets of 1,000 pictures; sets up to
    that size are taken whole.
    """
    kernel = polynomial_kernel(real.shape[1])
    count = min(len(real), len(fake))
    if count <= KID_SUBSET_ROWS:
        value = unbiased_squared_mmd(kernel, np.asarray(real), np.asarray(fake))
    else:
        generator = np.random.default_rng(seed)
        values = []
        for _ in range(KID_SUBSETS):
            seeds = generator.integers(2**31, size=2)
            some_real = sampled_rows(real, KID_SUBSET_ROWS, int(seeds[0]))
            some_fake = sampled_rows(fake, KID_SUBSET_ROWS, int(seeds[1]))
            values.append(unbiased_squared_mmd(kernel, some_real, some_fake))
        value = float(np.mean(values))
    return _interval(value, kernel, real, fake, seed)


def gaussian_kernel(squared_width: float) -> Kernel:
    """exp(-|x - y|^2 / (2 squared_width))."""
    return lambda first, second: np.exp(squared_distances(first, second) / (-2 * max(squared_width, 1e-300)))


def polynomial_kernel(width: int) -> Kernel:
    """(x.y / D + 1)^3."""
    return lambda first, second: (first.astype(np.float64) @ second.T.astype(np.float64) / width + 1) ** 3


def squared_distances(first: Features, second: Features) -> NDArray[np.float64]:
    """Squared Euclidean distances [N, M], never below 0."""
    first, second = first.astype(np.float64), second.astype(np.float64)
    products = first @ second.T
    distances: NDArray[np.float64] = (first**2).sum(1)[:, None] + (second**2).sum(1)[None] - 2 * products
    return np.maximum(distances, 0)


def mean_squared_distance(features: Features) -> float:
    """Mean over all pairs, each row with itself included: twice the total variance."""
    mean = np.sum([block.sum(0, dtype=np.float64) for block in blocks(features)], axis=0) / len(features)
    return 2 * sum(float(((block - mean) ** 2).sum()) for block in blocks(features)) / len(features)


def unbiased_squared_mmd(kernel: Kernel, real: Features, fake: Features) -> float:
    """Gretton et al. 2012, eq. 3 with possibly different set sizes."""
    within = [_mean_off_diagonal(kernel(features, features)) for features in (real, fake)]
    return sum(within) - 2 * float(kernel(real, fake).mean())


def _mean_off_diagonal(values: NDArray[np.float64]) -> float:
    count = len(values)
    return float((values.sum() - np.trace(values)) / (count * (count - 1)))


def _mean(kernel: Kernel, first: Features, second: Features) -> float:
    total = sum(float(kernel(rows, columns).sum()) for rows in blocks(first, 2048) for columns in blocks(second, 2048))
    return total / len(first) / len(second)


def _interval(value: float, kernel: Kernel, real: Features, fake: Features, seed: int) -> Estimate:
    """The spread of the unbiased distance over resamples of up to 1,000 rows, scaled to all rows.

    A row sampled twice makes no pair with itself, so that resampling does not shift the distance.
    """
    count = min(len(real), len(fake))
    real, fake = sampled_rows(real, _BOOTSTRAP_ROWS, seed), sampled_rows(fake, _BOOTSTRAP_ROWS, seed + 1)
    generator = np.random.default_rng(seed)
    weights = [
        generator.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), _BOOTSTRAP_REPEATS).astype(np.float64)
        for rows in (real, fake)
    ]
    resampled = -2 * np.einsum("ri,ij,rj->r", weights[0], kernel(real, fake), weights[1], optimize=True)
    resampled /= len(real) * len(fake)
    for rows, weight in zip((real, fake), weights, strict=True):
        values = kernel(rows, rows)
        pairs = len(rows) ** 2 - (weight**2).sum(1)
        itself = (weight**2) @ np.diag(values)
        resampled += (np.einsum("ri,ij,rj->r", weight, values, weight, optimize=True) - itself) / pairs
    return from_spread(value, resampled, count, scale=math.sqrt(min(len(real), len(fake)) / count))


def _root(value: float) -> float:
    return math.sqrt(max(value, 0.0))
