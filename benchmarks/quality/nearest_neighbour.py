"""Leave-one-out 1-NN accuracy: can real and drawn pictures be told apart by their nearest neighbour."""

from contextlib import closing
from dataclasses import dataclass

import numpy as np

from toonfilter.benchmarks.quality.bootstrap import Estimate, bootstrap
from toonfilter.benchmarks.quality.feature_store import Features, FeatureStore
from toonfilter.runtime.errors import require


@dataclass(frozen=True, slots=True)
class NearestNeighbour:
    """Shares whose nearest neighbour is of their own kind: 0.5 cannot be told apart, 1 can, below 0.5 memorises.

    both: over all pictures; real, fake: over those only.
    """

    both: Estimate
    real: Estimate
    fake: Estimate


def nearest_neighbour(real: Features, fake: Features, *, seed: int = 0) -> NearestNeighbour:
    """Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample tests", section 3; Xu et al. 2018, section 2.

    Both sets must be of one size for 0.5 to mean equal: the larger one is thinned at random. Intervals resample
    pictures and keep their neighbours. The rows lie in a file and
    scikit-learn walks through the distances in blocks: memory is that of some blocks.
    """
    neighbours = require("sklearn.neighbors", extra="train")
    count = min(len(real), len(fake))
    with closing(FeatureStore()) as both:
        both.extend(real, count, seed)
        both.extend(fake, count, seed)
        search = neighbours.NearestNeighbors(n_neighbors=1, algorithm="brute").fit(both.array())
        nearest = search.kneighbors(return_distance=False)[:, 0]
    own_kind = (nearest < count) == (np.arange(2 * count) < count)
    parts = (own_kind, own_kind[:count], own_kind[count:])
    return NearestNeighbour(*(bootstrap(part.astype(np.float64), lambda rows: float(rows.mean())) for part in parts))
