"""Improved precision and recall of Kynkäänniemi et al. 2019: are results like real pictures, and all kinds of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.quality.bootstrap import Estimate, bootstrap
from toonfilter.benchmarks.quality.feature_store import Features, blocks, sampled_rows
from toonfilter.benchmarks.quality.kernel_distance import squared_distances

NEIGHBOURS = 3
"""k of the paper; more makes the estimated sets larger, and both figures higher."""
MOST_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """precision: share of results that lie among the real pictures; recall: of real ones that lie among the results."""

    precision: Estimate
    recall: Estimate


def precision_recall(real: Features, fake: Features, *, seed: int = 0) -> PrecisionRecall:
    """Equations 1 and 2: a picture lies among others where it is within some other's distance to its third neighbour.

    Of at most 10,000 pictures of each set, sampled. Intervals resample the pictures that are asked about.
    """
    real, fake = sampled_rows(real, MOST_ROWS, seed), sampled_rows(fake, MOST_ROWS, seed + 1)
    return PrecisionRecall(_share(_within(fake, real)), _share(_within(real, fake)))


def _share(hits: NDArray[np.bool_]) -> Estimate:
    return bootstrap(hits.astype(np.float64), lambda rows: float(rows.mean()))


def _within(asked: Features, others: Features) -> NDArray[np.bool_]:
    """bool [N]: whether a row of `asked` is in the union of balls around the rows of `others`."""
    radii = np.concatenate([np.sort(squared_distances(rows, others), axis=1)[:, NEIGHBOURS] for rows in blocks(others)])
    return np.concatenate([(squared_distances(rows, others) <= radii).any(1) for rows in blocks(asked)])
