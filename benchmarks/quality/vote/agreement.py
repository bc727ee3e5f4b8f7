"""What reviewers chose, and how far they agree."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.quality.bootstrap import Estimate, bootstrap
from toonfilter.benchmarks.quality.vote.store import Vote

Counts = NDArray[np.integer[Any]]
_MIN_PICTURES = 5


@dataclass(frozen=True, slots=True)
class VoteTable:
    """votes: by reviewer and model. shares: of each model among all votes, intervals over pictures.

    kappa: None with fewer than two reviewers of the same pictures. positions: how often each place on the page was
    chosen, from the left: far from even means that reviewers clicked without looking.
    """

    models: tuple[str, ...]
    votes: dict[str, tuple[int, ...]]
    shares: tuple[Estimate, ...]
    kappa: float | None
    shared_pictures: int
    positions: tuple[int, ...]


def count_votes(votes: Sequence[Vote], models: Sequence[str]) -> VoteTable:
    """The table of the votes that count: the last one of each reviewer for each picture."""
    reviewers = sorted({vote.reviewer for vote in votes})
    pictures = sorted({vote.picture for vote in votes})
    counts = np.zeros((len(pictures), len(models)), np.int64)
    by_reviewer = {reviewer: np.zeros(len(models), np.int64) for reviewer in reviewers}
    positions = np.zeros(len(models), np.int64)
    row_of = {picture: row for row, picture in enumerate(pictures)}
    for vote in votes:
        column = models.index(vote.choice)
        counts[row_of[vote.picture], column] += 1
        by_reviewer[vote.reviewer][column] += 1
        positions[vote.shown.index(vote.choice)] += 1
    shared = counts[counts.sum(1) >= 2]
    kappa = fleiss_kappa(shared) if len(shared) else math.nan
    return VoteTable(
        tuple(models),
        {reviewer: tuple(int(value) for value in row) for reviewer, row in by_reviewer.items()},
        tuple(_share(counts, column) for column in range(len(models))),
        None if math.isnan(kappa) else kappa,
        len(shared),
        tuple(int(value) for value in positions),
    )


def fleiss_kappa(counts: Counts) -> float:
    """Agreement beyond chance: 1 is full agreement, 0 what chance gives; NaN where all votes are for one model.

    Fleiss 1971, "Measuring nominal scale agreement among many raters", eqs. 1 to 7, with the number of raters of each
    picture its own where they differ. counts: [pictures, models], at least two votes in every row.
    """
    raters = counts.sum(1).astype(np.float64)
    observed = float((((counts * (counts - 1)).sum(1)) / (raters * (raters - 1))).mean())
    by_chance = float(((counts.sum(0) / counts.sum()) ** 2).sum())
    return (observed - by_chance) / (1 - by_chance) if by_chance < 1 else math.nan


def _share(counts: Counts, column: int) -> Estimate:
    if len(counts) < _MIN_PICTURES:
        total = counts.sum()
        share = float(counts[:, column].sum() / total) if total else math.nan
        return Estimate(share, math.nan, math.nan, int(total))
    found = bootstrap(counts.astype(np.float64), lambda rows: float(rows[:, column].sum() / rows.sum()))
    return Estimate(found.value, found.low, found.high, int(counts.sum()))
