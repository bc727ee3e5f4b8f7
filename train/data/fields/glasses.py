"""Fits the model of glasses' frames (size, shape, width, colour) to what people said of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import DataError
from toonfilter.runtime.fields import field_index
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.runtime.render.colour import picture_lab
from toonfilter.runtime.render.measures.glasses import (
    RIM_TARGETS,
    SIZE_TARGETS,
    FrameModel,
    RimViews,
    lens_radii,
    rim_features,
    size_features,
)
from toonfilter.runtime.render.measures.photo import MeasuredPhoto
from toonfilter.runtime.render.measures.skin import raw_skin
from toonfilter.train.data.fields.fits import FOLDS, Fit, Floats, check_enough, fold_of, judged, write_arrays
from toonfilter.train.data.fields.said import number_in, read_said
from toonfilter.train.data.fields.store import LabelStore

_SHAPES = {
    "round": 2.1,
    "oval": 2.3,
    "aviator": 2.4,
    "cateye": 2.7,
    "browline": 2.7,
    "other": 2.6,
    "square": 3.0,
    "rectangle": 3.2,
}
"""Power of the superellipse that is most like each."""
_RIM_WIDTHS = (0.010, 0.015, 0.028, 0.044, 0.062)
"""Width in distances of the pupils: rimless, wire, medium, thick, very thick."""
_SIDES = SIZE_TARGETS[:4]
_SIDE_LIMITS = (0.0, 1.0)
"""Distances of the pupils."""
COLUMNS = ("file", *_SIDES, "shape", "rim", "upper_only", "colour")
_STIFFNESS = 100.0
"""Ridge regression's penalty, of features with a spread of 1. Raising it fits less of the noise."""
_SCALES = (1, 2)
"""Sizes in which each picture is looked at: live faces are small."""
_MIDDLE = np.array([0.5, 0.5, 0], np.float32)


@dataclass(frozen=True)
class FrameSamples:
    """views: of each face in each size. values: float64 [N, 10], SIZE_TARGETS and RIM_TARGETS. groups: int [N]."""

    views: list[RimViews]
    values: Floats
    groups: NDArray[np.int64]


def read_frames(path: Path) -> dict[str, Floats]:
    """What people said of frames by picture file: float64 [10], SIZE_TARGETS and RIM_TARGETS. See `COLUMNS`.

    Raises:
        DataError: a column is missing, or a value is not what it must be; the text names file and line.
    """
    return {row["file"]: _said(row, place) for place, row in read_said(path, COLUMNS)}


def _said(row: Mapping[str, str], place: str) -> Floats:
    sides = [number_in(_SIDE_LIMITS, row[name], name, place) for name in _SIDES]
    if row["shape"] not in _SHAPES:
        raise DataError(f"{place}: shape is {row['shape']!r}; must be one of {', '.join(_SHAPES)}")
    rim = number_in((0, len(_RIM_WIDTHS) - 1), row["rim"], "rim", place)
    upper_only = number_in((0, 1), row["upper_only"], "upper_only", place)
    width = float(np.interp(rim, range(len(_RIM_WIDTHS)), _RIM_WIDTHS))
    colour = _colour(row["colour"], place)
    return np.array([*sides, _SHAPES[row["shape"]], math.log(width), upper_only, *colour])


def _colour(text: str, place: str) -> Floats:
    try:
        rgb = np.array([[list(bytes.fromhex(text))]], np.uint8)
    except ValueError:
        rgb = np.zeros((1, 1, 0), np.uint8)
    if rgb.shape[2] != 3:
        raise DataError(f"{place}: colour is {text!r}; must be six hexadecimal digits, as 5a3a22")
    lab: Floats = picture_lab(rgb)[0, 0].astype(np.float64)
    return lab


def read_frame_samples(
    store: LabelStore, said: Mapping[str, Floats], report: ShowProgress | None = None
) -> FrameSamples:
    """The faces of the store of whose glasses somebody said something, each in two sizes.

    Raises:
        DataError: they are fewer than 50.
    """
    views, values, groups = [], [], []
    plane = field_index("glasses")
    for place, entry in enumerate(store.entries):
        mesh = np.asarray(store["mesh"][place])
        if entry.file in said and np.isfinite(mesh).all():
            photo, glasses = np.array(store["photo"][place]), np.array(store["labels"][place, ..., plane])
            for scale in _SCALES:
                views.append(_views(photo, glasses, mesh, scale))
                values.append(said[entry.file])
                groups.append(fold_of(entry.cluster))
        if report is not None:
            report(Progress(place + 1, len(store), "faces read"))
    check_enough(len(views) // len(_SCALES))
    return FrameSamples(views, np.asarray(values), np.asarray(groups))


def _views(photo: NDArray[np.uint8], glasses: NDArray[np.uint8], mesh: NDArray[np.float32], scale: int) -> RimViews:
    if scale != 1:
        size = (photo.shape[1] * scale, photo.shape[0] * scale)
        photo, glasses = (cv2.resize(one, size, interpolation=cv2.INTER_CUBIC) for one in (photo, glasses))
        # Pixels lie at their middles.
        mesh = ((mesh + _MIDDLE) * scale - _MIDDLE).astype(np.float32)
    measured = MeasuredPhoto(photo, mesh, {"glasses": glasses})
    return RimViews(measured, raw_skin(measured))


def fit_frames(samples: FrameSamples) -> Fit[FrameModel]:
    """Cross-validate, then fit to all."""
    sizes = np.stack([size_features(one) for one in samples.views]).astype(np.float64)
    guessed = np.full(samples.values.shape, np.nan)
    for fold in range(FOLDS):
        held = samples.groups == fold
        if held.any() and not held.all():
            guessed[held] = _Fitted(samples.views, sizes, samples.values, ~held).answers(held)
    fitted = _Fitted(samples.views, sizes, samples.values, np.ones(len(sizes), bool))
    targets = guessed.shape[1]
    middles, spreads, correlations, errors = np.zeros(targets), np.ones(targets), {}, {}
    for column, name in enumerate((*SIZE_TARGETS, *RIM_TARGETS)):
        found = judged(samples.values[:, column], guessed[:, column])
        if found is not None:
            middles[column], spreads[column] = found.middle, found.spread
            correlations[name], errors[name] = found.correlation, found.error
    return Fit(fitted.model(middles, spreads), correlations, errors, len(sizes) // len(_SCALES))


class _Fitted:
    """Both linear models, fitted to the chosen samples."""

    def __init__(self, views: list[RimViews], sizes: Floats, values: Floats, chosen: NDArray[np.bool_]) -> None:
        count = len(SIZE_TARGETS)
        self._sizes = _ridge(sizes[chosen], values[chosen, :count])
        guessed = _applied(self._sizes, sizes)
        radii = [lens_radii(row.astype(np.float32)) for row in guessed]
        rims = np.stack([rim_features(one, radius) for one, radius in zip(views, radii, strict=True)])
        self._features = np.concatenate([sizes, rims], 1)
        self._rim = _ridge(self._features[chosen], values[chosen, count:])
        self._guessed = guessed

    def answers(self, which: NDArray[np.bool_]) -> Floats:
        return np.concatenate([self._guessed[which], _applied(self._rim, self._features[which])], 1)

    def model(self, middles: Floats, spreads: Floats) -> FrameModel:
        """With all answers spread from the middle."""
        parts = []
        for (weights, bias), targets in ((self._sizes, slice(0, 5)), (self._rim, slice(5, 10))):
            spread, middle = spreads[targets], middles[targets]
            parts += [weights * spread[:, None], middle + (bias - middle) * spread]
        return FrameModel(*(part.astype(np.float32) for part in parts))


def _ridge(features: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Weights [T, N] and bias [T] of a linear model: Hoerl, Kennard, Ridge Regression (1970)."""
    middle, spread = features.mean(0), features.std(0) + 1e-6
    scaled, mean = (features - middle) / spread, values.mean(0)
    penalty = _STIFFNESS * np.eye(features.shape[1])
    weights = np.linalg.solve(scaled.T @ scaled + penalty, scaled.T @ (values - mean)).T / spread
    return weights, mean - weights @ middle


def _applied(model: tuple[Floats, Floats], features: Floats) -> Floats:
    weights, bias = model
    answers: Floats = features @ weights.T + bias
    return answers


def write_frames(model: FrameModel, path: Path) -> None:
    """Write the model whole."""
    write_arrays({name: getattr(model, name) for name in ("sizes", "sizes_bias", "rim", "rim_bias")}, path)
