"""Fits the model of a face's appearance (age, skin tone, make-up, eye colour) to what people said."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from toonfilter.runtime.errors import DataError
from toonfilter.runtime.fields import field_index
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.runtime.render.measures.appearance import (
    PICTURE_FEATURES,
    SHAPE_FEATURES,
    TARGETS,
    AppearanceModel,
    appearance_features,
    fitted,
)
from toonfilter.runtime.render.measures.photo import MeasuredPhoto
from toonfilter.train.data.fields.fits import FOLDS, Fit, Floats, check_enough, fold_of, judged, write_arrays
from toonfilter.train.data.fields.said import number_in, read_said
from toonfilter.train.data.fields.store import LabelStore

_COMPONENTS = 80
"""Principal components of shape, and of picture, that the network sees. Raising it fits more of the noise."""
_HIDDEN, _NETWORKS = 64, 3
"""Neurons of a network, and how many, from other starts, answer together."""
_DROPPED, _DROPPED_INPUTS, _WEIGHT_DECAY = 0.3, 0.1, 0.1
_EPOCHS, _BATCH, _LEARNING_RATE = 60, 128, 2e-3
_LEAST_SPREAD = 1e-4
"""Of a component over all faces; one that varies less is left out. Raising it leaves out more."""
_LIGHT, _LIGHT_COLOUR, _HAZE = (0.5, 1.25), 0.07, 12.0
"""Strength of other light; spread of the logarithm of its colours; levels that are added."""
_USUAL_TONE, _DEEPER_COUNTS = 4.0, 0.8
"""Tone of skin up to which faces are many, and by how much more one counts for each tone that is deeper."""
_TONE = TARGETS.index("skin_tone")
_LIMITS = {"age": (0.0, 130.0), "skin_tone": (1.0, 10.0), "makeup": (0.0, 2.0), "eye_light": (0.0, 1.0)}


@dataclass(frozen=True)
class Samples:
    """features: float64 [N, F], NaN where unknown. values: float64 [N, 4], as `fitted`, NaN where nobody said. groups:
    int [N].
    """

    features: Floats
    values: Floats
    groups: NDArray[np.int64]


def read_appearances(paths: list[Path]) -> dict[str, dict[str, float]]:
    """What people said by picture file, from CSV files with a column file and any of age, skin_tone, makeup, eye_light.

    Raises:
        DataError: a column is missing, or a value is no number within its limits; the text names file and line.
    """
    found: dict[str, dict[str, float]] = {}
    for path in paths:
        for place, row in read_said(path):
            columns = set(TARGETS) & set(row)
            if not columns:
                raise DataError(f"{path}: expected the column file and one of {', '.join(TARGETS)}")
            values = {name: number_in(_LIMITS[name], row[name], name, place) for name in columns}
            found.setdefault(row["file"], {}).update(values)
    return found


def read_samples(
    store: LabelStore, said: Mapping[str, Mapping[str, float]], report: ShowProgress | None = None
) -> Samples:
    """The faces of the store of which somebody said something, each as it is and once more in another light.

    Raises:
        DataError: they are fewer than 50.
    """
    features, values, groups = [], [], []
    rng = np.random.default_rng(0)
    for place, entry in enumerate(store.entries):
        mesh, photo = np.asarray(store["mesh"][place]), np.array(store["photo"][place])
        if entry.file in said and np.isfinite(mesh).all():
            hair = {"hair": np.array(store["labels"][place, ..., field_index("hair")])}
            features += [appearance_features(MeasuredPhoto(lit, mesh, hair)) for lit in (photo, _relit(photo, rng))]
            values += [[said[entry.file].get(name, math.nan) for name in TARGETS]] * 2
            groups += [fold_of(entry.cluster)] * 2
        if report is not None:
            report(Progress(place + 1, len(store), "faces read"))
    check_enough(len(values) // 2)
    return Samples(np.asarray(features, np.float64), fitted(np.asarray(values)), np.asarray(groups))


def _relit(photo: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The photo in light of another strength and colour."""
    strength = np.exp(rng.uniform(*np.log(_LIGHT))) * np.exp(rng.normal(0, _LIGHT_COLOUR, 3))
    lit: NDArray[np.uint8] = np.clip(photo * strength + rng.uniform(0, _HAZE), 0, 255).astype(np.uint8)
    return lit


def fit_appearance(samples: Samples) -> Fit[AppearanceModel]:
    """Cross-validate, then fit to all."""
    guessed = np.full(samples.values.shape, np.nan)
    for fold in range(FOLDS):
        held = samples.groups == fold
        if held.any() and not held.all():
            model = _learned(samples.features[~held], samples.values[~held])
            guessed[held] = _answers(model, samples.features[held])
    model = _learned(samples.features, samples.values)
    correlations, errors = {}, {}
    for column, name in enumerate(TARGETS):
        found = judged(samples.values[:, column], guessed[:, column])
        if found is not None:
            correlations[name], errors[name] = found.correlation, found.error
            model = _widened(model, column, found.middle, found.spread)
    return Fit(model, correlations, errors, len(samples.values) // 2)


def _widened(model: AppearanceModel, column: int, middle: float, spread: float) -> AppearanceModel:
    """The model with one target's answers farther from the middle."""
    answer, bias = model.answer.copy(), model.answer_bias.copy()
    answer[column] *= spread
    bias[column] = middle + (bias[column] - middle) * spread
    return replace(model, answer=answer, answer_bias=bias)


def write_appearance(model: AppearanceModel, path: Path) -> None:
    """Write the model whole; its large arrays with half the digits."""
    arrays = {field.name: getattr(model, field.name) for field in fields(AppearanceModel)}
    arrays["hidden"], arrays["usual"] = arrays["hidden"].astype(np.float16), arrays["usual"].astype(np.float32)
    write_arrays(arrays, path)


def _learned(features: Floats, values: Floats) -> AppearanceModel:
    unknown = ~np.isfinite(features).any(0)
    usual = np.nanmedian(np.where(unknown, 0, features), 0)
    known = np.where(np.isfinite(features), features, usual) - usual
    axes = _axes(known)
    scores = known @ axes
    middle, spread = scores.mean(0), scores.std(0)
    # What does not vary says nothing.
    spread = np.where(spread > _LEAST_SPREAD, spread, np.inf)
    # Where nobody said anything of a target, all answers are as good.
    unsaid = ~np.isfinite(values).any(0)
    target_middle, target_spread = (measure(np.where(unsaid, 0, values), 0) for measure in (np.nanmean, np.nanstd))
    target_spread += 1e-6
    inputs = torch.tensor((scores - middle) / spread, dtype=torch.float32)
    targets = torch.tensor((values - target_middle) / target_spread, dtype=torch.float32)
    deeper = np.nan_to_num(values[:, _TONE] - _USUAL_TONE).clip(0)
    importance = torch.tensor(1 + _DEEPER_COUNTS * deeper, dtype=torch.float32)
    networks = [_trained(inputs, targets, importance, seed) for seed in range(_NETWORKS)]
    weights = np.concatenate([_array(network.hidden.weight) for network in networks])
    biases = np.concatenate([_array(network.hidden.bias) for network in networks])
    answer = np.concatenate([_array(network.answer.weight) for network in networks], 1) / _NETWORKS
    answer_bias = np.mean([_array(network.answer.bias) for network in networks], 0)
    return AppearanceModel(
        usual=usual.astype(np.float32),
        hidden=((weights / spread) @ axes.T).astype(np.float32),
        hidden_bias=(biases - (weights / spread) @ middle).astype(np.float32),
        answer=(answer * target_spread[:, None]).astype(np.float32),
        answer_bias=(answer_bias * target_spread + target_middle).astype(np.float32),
    )


def _axes(known: Floats) -> Floats:
    """float64 [F, K]: principal components of shape and of picture, and all colours."""
    pictures = SHAPE_FEATURES + PICTURE_FEATURES
    blocks = []
    for part in (slice(0, SHAPE_FEATURES), slice(SHAPE_FEATURES, pictures)):
        _, _, components = np.linalg.svd(known[:, part] - known[:, part].mean(0), full_matrices=False)
        block = np.zeros((known.shape[1], min(_COMPONENTS, len(components))))
        block[part] = components[:_COMPONENTS].T
        blocks.append(block)
    colours = np.eye(known.shape[1])[:, pictures:]
    return np.concatenate([*blocks, colours], 1)


class _Network(nn.Module):
    def __init__(self, inputs: int, targets: int) -> None:
        super().__init__()
        self.hidden, self.answer = nn.Linear(inputs, _HIDDEN), nn.Linear(_HIDDEN, targets)

    def forward(self, scores: Tensor) -> Tensor:
        kept = functional.dropout(scores, _DROPPED_INPUTS, self.training)
        raised = functional.dropout(functional.relu(self.hidden(kept)), _DROPPED, self.training)
        answer: Tensor = self.answer(raised)
        return answer


def _trained(inputs: Tensor, targets: Tensor, importance: Tensor, seed: int) -> _Network:
    torch.manual_seed(seed)
    network = _Network(inputs.shape[1], targets.shape[1])
    optimiser = torch.optim.AdamW(network.parameters(), _LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    said = torch.isfinite(targets) * importance[:, None]
    wanted = torch.nan_to_num(targets)
    for _ in range(_EPOCHS):
        for batch in torch.split(torch.randperm(len(inputs)), _BATCH):
            apart = network(inputs[batch]) - wanted[batch]
            loss = (apart**2 * said[batch]).sum() / said[batch].sum().clamp(min=1)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
    return network


def _array(weights: Tensor) -> Floats:
    return weights.detach().numpy().astype(np.float64)


def _answers(model: AppearanceModel, features: Floats) -> Floats:
    known = np.where(np.isfinite(features), features, model.usual) - model.usual
    answers: Floats = np.maximum(known @ model.hidden.T + model.hidden_bias, 0) @ model.answer.T + model.answer_bias
    return answers
