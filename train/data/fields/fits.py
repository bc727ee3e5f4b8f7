"""How well a small model answers for faces that it has not seen, and how far its answers are to be spread."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import DataError
from toonfilter.runtime.files.whole_files import replacing

Floats = NDArray[np.float64]
Model = TypeVar("Model")

FOLDS = 5
"""Of the cross-validation; look-alikes are in one fold."""
_FEWEST = 50
"""Pictures, below which nothing is fitted."""
_FEWEST_JUDGED = 3
"""Answers, below which a target is not judged."""
_MOST_WIDENED = 1.4
"""Answers to faces that were not seen lie nearer to the middle than the truth; they are spread as far as that, by so
much at most. Deep skin that is drawn light is worse than a larger mean error."""


@dataclass(frozen=True)
class Fit(Generic[Model]):
    """correlations, errors (mean absolute; logarithms of ages): by target, cross-validated. count: faces."""

    model: Model
    correlations: dict[str, float]
    errors: dict[str, float]
    count: int


@dataclass(frozen=True)
class Judged:
    """Of one target. middle: median of the truth. spread: factor by which answers go away from it. error: mean
    absolute, of the spread answers.
    """

    correlation: float
    error: float
    middle: float
    spread: float


def fold_of(cluster: str) -> int:
    """The fold of a cluster of look-alikes, 0 to FOLDS - 1; the same in every run."""
    return crc32(cluster.encode()) % FOLDS


def check_enough(pictures: int) -> None:
    """Raises:
    DataError: there are too few pictures to fit anything.
    """
    if pictures < _FEWEST:
        raise DataError(f"of {pictures} pictures somebody said something; expected at least {_FEWEST}")


def judged(truth: Floats, guess: Floats) -> Judged | None:
    """Compare answers for unseen faces to the truth, both float64 [N], NaN where unknown; None where too few are."""
    known = np.isfinite(truth) & np.isfinite(guess)
    if known.sum() < _FEWEST_JUDGED:
        return None
    truth, guess = truth[known], guess[known]
    correlation = float(np.corrcoef(truth, guess)[0, 1]) if truth.std() > 0 and guess.std() > 0 else 0.0
    spread = float(np.clip(truth.std() / max(guess.std(), 1e-6), 1, _MOST_WIDENED))
    middle = float(np.median(truth))
    error = float(np.abs(truth - middle - (guess - middle) * spread).mean())
    return Judged(correlation, error, middle, spread)


def write_arrays(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write a model's arrays whole."""
    with replacing(path) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
