"""Apparent age in years, by a linear model of a face's shape and picture; fitted by `train/data/fields/ages.py`."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import EYES, INNER_LIPS, MESH_POINTS, MOUTH_CORNERS, OUTER_CORNERS
from toonfilter.runtime.render.measures.photo import MeasuredPhoto

_FILE = Path(__file__).with_name("age.npz")
_SIDE_PX = 64
"""The face is looked at so small: wrinkles and the soft shapes of children are seen, the noise of cameras is not."""
PICTURE_FEATURES = (_SIDE_PX // 2) ** 2
"""How many of the features, the last ones, are lightness."""
_PLACES = np.array([[0.27, 0.40], [0.73, 0.40], [0.50, 0.78]], np.float32) * _SIDE_PX
"""Of the eyes' middles and of the mouth's."""
_ANCHORS = (*(eye.cross for eye in EYES), (*MOUTH_CORNERS, *INNER_LIPS))
_AROUND_PX, _SPREAD_PX, _LEAST_SPREAD_L = 6.0, 8.0, 4.0
"""Lightness counts against its surroundings, in units of their spread: light from one side makes nobody older."""
_YOUNGER = 8.0
"""Ages are fitted as logarithms of themselves and so many years: a year counts more for children."""
_AGES = (0.0, 95.0)


@dataclass(frozen=True)
class AgeModel:
    """weights: float32 [N], for features as `age_features` gives them. bias: logarithm of years."""

    weights: NDArray[np.float32]
    bias: float

    def years(self, features: NDArray[np.float32]) -> float:
        """features: float32 [N]."""
        return float(np.clip(np.exp(float(features @ self.weights) + self.bias) - _YOUNGER, *_AGES))


def apparent_age(photo: MeasuredPhoto) -> float:
    """How old the face looks, in years."""
    return _model().years(age_features(photo))


def log_age(years: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the model's sum stands for: ages in years as it is fitted to them."""
    logarithms: NDArray[np.float64] = np.log(years + _YOUNGER)
    return logarithms


def age_features(photo: MeasuredPhoto) -> NDArray[np.float32]:
    """float32 [N]: the mesh upright, in distances of the pupils, and the face's lightness against its surroundings."""
    face = photo.face
    points = face.photo_points[:MESH_POINTS]
    shape = (
        (points - points[list(OUTER_CORNERS)].mean(0)) @ face.fit.rotation.astype(np.float32) / np.float32(face.unit_px)
    )
    anchors = np.stack([face.photo_points[list(ring), :2].mean(0) for ring in _ANCHORS]).astype(np.float32)
    matrix, _ = cv2.estimateAffinePartial2D(anchors, _PLACES)
    if matrix is None:
        return np.zeros(shape.size + PICTURE_FEATURES, np.float32)
    light = np.ascontiguousarray(photo.lab[..., 0])
    small = cv2.warpAffine(light, matrix, (_SIDE_PX, _SIDE_PX), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    apart = small - cv2.GaussianBlur(small, (0, 0), _AROUND_PX)
    spread = np.sqrt(cv2.GaussianBlur(apart * apart, (0, 0), _SPREAD_PX)) + np.float32(_LEAST_SPREAD_L)
    seen = cv2.resize(apart / spread, (_SIDE_PX // 2, _SIDE_PX // 2), interpolation=cv2.INTER_AREA)
    features: NDArray[np.float32] = np.concatenate([shape.ravel(), seen.ravel()]).astype(np.float32)
    return features


@lru_cache(maxsize=1)
def _model() -> AgeModel:
    with np.load(_FILE) as archive:
        return AgeModel(archive["weights"].astype(np.float32), float(archive["bias"]))
