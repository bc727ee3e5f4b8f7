"""Fits the linear model of apparent age to what people guessed."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import DataError
from toonfilter.runtime.files.whole_files import replacing
from toonfilter.runtime.render.measures.apparent_age import PICTURE_FEATURES, age_features, log_age
from toonfilter.runtime.render.measures.photo import MeasuredPhoto
from toonfilter.train.data.fields.store import LabelStore

_COMPONENTS = 20
"""Principal components of shape, and of picture, that the model sees. Raising it fits more of the noise."""
_RIDGE = 30.0
"""Penalty on squared weights of standardised components. Raising it draws all ages to the mean."""
_FOLDS = 5
"""Of the cross-validation."""
_FEWEST = 50
"""Pictures, below which nothing is fitted."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AgeFit:
    """weights, bias: see `AgeModel`. correlation (of logarithms), error_years (mean): cross-validated. count: faces."""

    weights: NDArray[np.float32]
    bias: float
    correlation: float
    error_years: float
    count: int


def read_ages(paths: list[Path]) -> dict[str, float]:
    """Ages in years by picture file, from CSV files with the columns file and age.

    Raises:
        DataError: a column is missing, or an age is no number of years.
    """
    ages = {}
    for path in paths:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            if not {"file", "age"} <= set(reader.fieldnames or ()):
                raise DataError(f"{path}: expected the columns file and age")
            for number, row in enumerate(reader, 2):
                try:
                    age = float(row["age"])
                except (TypeError, ValueError):
                    age = math.nan
                if not 0 <= age < math.inf:
                    raise DataError(f"{path}, line {number}: age is {row['age']!r}; must be years, 0 or more")
                ages[(row["file"] or "").strip()] = age
    return ages


def fit_ages(store: LabelStore, ages: Mapping[str, float]) -> AgeFit:
    """Ridge regression on principal components, cross-validated.

    Raises:
        DataError: fewer than 50 pictures have both an age and a mesh.
    """
    features, years = _samples(store, ages)
    if len(years) < _FEWEST:
        raise DataError(f"{len(years)} pictures have an age and a face; expected at least {_FEWEST}")
    target = log_age(years)
    fold = np.random.default_rng(0).integers(0, _FOLDS, len(years))
    guessed = np.zeros(len(years))
    for number in range(_FOLDS):
        seen = fold != number
        weights, bias = _fitted(features[seen], target[seen])
        guessed[~seen] = features[~seen] @ weights + bias
    weights, bias = _fitted(features, target)
    error = np.abs(np.exp(guessed) - np.exp(target)).mean()
    correlation = float(np.corrcoef(guessed, target)[0, 1])
    return AgeFit(weights.astype(np.float32), bias, correlation, float(error), len(years))


def write_ages(fit: AgeFit, path: Path) -> None:
    """Write the model whole."""
    with replacing(path) as partial, partial.open("wb") as stream:
        np.savez(stream, weights=fit.weights, bias=np.float64(fit.bias))


def _samples(store: LabelStore, ages: Mapping[str, float]) -> tuple[Floats, Floats]:
    features, years = [], []
    for place, entry in enumerate(store.entries):
        mesh = store["mesh"][place]
        if entry.file in ages and np.isfinite(mesh).all():
            photo = MeasuredPhoto(np.asarray(store["photo"][place]), np.asarray(mesh), {})
            features.append(age_features(photo))
            years.append(ages[entry.file])
    return np.asarray(features, np.float64), np.asarray(years, np.float64)


def _fitted(features: Floats, target: Floats) -> tuple[Floats, float]:
    """Weights of the features themselves, not of their components, and the bias."""
    shape_features = features.shape[1] - PICTURE_FEATURES
    middle, bias = features.mean(0), float(target.mean())
    components = np.zeros((features.shape[1], 2 * _COMPONENTS))
    for part, columns in ((np.s_[:shape_features], np.s_[:_COMPONENTS]), (np.s_[shape_features:], np.s_[_COMPONENTS:])):
        _, _, axes = np.linalg.svd(features[:, part] - middle[part], full_matrices=False)
        components[part, columns] = axes[:_COMPONENTS].T
    scores = (features - middle) @ components
    spread = scores.std(0) + 1e-9
    scores = scores / spread
    of_scores = np.linalg.solve(scores.T @ scores + _RIDGE * np.eye(scores.shape[1]), scores.T @ (target - bias))
    weights = components @ (of_scores / spread)
    return weights, bias - float(middle @ weights)
