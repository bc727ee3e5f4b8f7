"""What people would say of a face: its age, the tone of its skin in plain daylight, its make-up.

By a small network on the face's shape, picture and colours, fitted to what people said
(`train/data/fields/appearances.py`).
"""

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import (
    EYES,
    INNER_LIPS,
    LIP_MIDDLES,
    MESH_POINTS,
    MOUTH_CORNERS,
    OUTER_CORNERS,
)
from toonfilter.runtime.render.colour import median_lab
from toonfilter.runtime.render.measures.photo import MeasuredPhoto
from toonfilter.runtime.render.measures.skin import skin_pixels

Features = NDArray[np.float32]

_FILE = Path(__file__).with_name("appearance.npz")
_SIDE_PX = 64
"""The face is looked at so small: wrinkles and the soft shapes of children are seen, the noise of cameras is not."""
SHAPE_FEATURES = MESH_POINTS * 3
PICTURE_FEATURES = (_SIDE_PX // 2) ** 2
"""How many of the features are the mesh, the first ones, and lightness, those after; the rest are colours."""
_PLACES = np.array([[0.27, 0.40], [0.73, 0.40], [0.50, 0.78]], np.float32) * _SIDE_PX
"""Of the eyes' middles and of the mouth's."""
_ANCHORS = (*(eye.cross for eye in EYES), (*MOUTH_CORNERS, *INNER_LIPS))
_AROUND_PX, _SPREAD_PX, _LEAST_SPREAD_L = 6.0, 8.0, 4.0
"""Lightness counts against its surroundings, in units of their spread: light from one side makes nobody older."""
_YOUNGER = 8.0
"""Ages are fitted as logarithms of themselves and so many years: a year counts more for children."""
_AGES, _TONES, _PAINT = (0.0, 95.0), (1.0, 10.0), (0.0, 2.0)
_LIGHT_PERCENTILES = (5, 15, 30, 50, 70, 85, 95)
_PARTS = ((0.1, 0.3), (0.38, 0.68), (0.7, 0.92))
"""Shares of the skin's pixels, from the darkest on, whose mean colours are features: shade, tone, lights."""
_UNKNOWN = np.full(3, np.nan, np.float32)
_FEWEST_PX, _ENOUGH_PX = 8, 1500
"""Of fewer pixels no colour is measured; of more only so many are read."""
_WHITE_FROM = 1.15
"""Distance from the pupil, in radii of the iris, from which on an eye is white."""


@dataclass(frozen=True)
class Appearance:
    """age: years. skin_tone: on Monk's scale, 1 the lightest, 10 the deepest. makeup: 0 none, 2 clear to everybody.
    eye_light: 0 brown eyes, 0.5 hazel, 1 grey or blue.
    """

    age: float
    skin_tone: float
    makeup: float
    eye_light: float


TARGETS = tuple(field.name for field in fields(Appearance))


@dataclass(frozen=True)
class AppearanceModel:
    """One hidden layer. usual: float32 [N], features for what cannot be measured. hidden: float32 [H, N]; hidden_bias:
    [H]. answer: float32 [4, H]; answer_bias: [4], the targets as `fitted` has them.
    """

    usual: Features
    hidden: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    answer: NDArray[np.float32]
    answer_bias: NDArray[np.float32]

    def of(self, features: Features) -> Appearance:
        """features: float32 [N], NaN where unknown."""
        known = np.where(np.isfinite(features), features, self.usual) - self.usual
        raised = np.maximum(self.hidden @ known + self.hidden_bias, 0)
        age, tone, makeup, eye_light = (float(value) for value in self.answer @ raised + self.answer_bias)
        years = math.exp(min(age, 6.0)) - _YOUNGER
        return Appearance(
            min(max(years, _AGES[0]), _AGES[1]),
            min(max(tone, _TONES[0]), _TONES[1]),
            min(max(makeup, _PAINT[0]), _PAINT[1]),
            min(max(eye_light, 0.0), 1.0),
        )


def fitted(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of `TARGETS`, float64 [N, 4], as the model is fitted to them: ages by their logarithms."""
    return np.column_stack([np.log(values[:, 0] + _YOUNGER), values[:, 1:]])


def appearance(photo: MeasuredPhoto) -> Appearance:
    """What people would say of this face."""
    return _model().of(appearance_features(photo))


def appearance_features(photo: MeasuredPhoto) -> Features:
    """float32 [N]: the mesh upright, in distances of the pupils; the face's lightness against its surroundings; colours
    of skin, lips, eyes, hair and brows, NaN where there are none.
    """
    return np.concatenate([_shape(photo), _picture(photo), _colours(photo)]).astype(np.float32)


def _shape(photo: MeasuredPhoto) -> Features:
    face = photo.face
    points = face.photo_points[:MESH_POINTS]
    upright = (points - points[list(OUTER_CORNERS)].mean(0)) @ face.fit.rotation.astype(np.float32)
    shape: Features = (upright / np.float32(face.unit_px)).ravel()
    return shape


def _picture(photo: MeasuredPhoto) -> Features:
    anchors = np.stack([photo.face.photo_points[list(ring), :2].mean(0) for ring in _ANCHORS]).astype(np.float32)
    matrix, _ = cv2.estimateAffinePartial2D(anchors, _PLACES)
    if matrix is None:
        return np.full(PICTURE_FEATURES, np.nan, np.float32)
    light = np.ascontiguousarray(photo.lab[..., 0])
    small = cv2.warpAffine(light, matrix, (_SIDE_PX, _SIDE_PX), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    apart = small - cv2.GaussianBlur(small, (0, 0), _AROUND_PX)
    spread = np.sqrt(cv2.GaussianBlur(apart * apart, (0, 0), _SPREAD_PX)) + np.float32(_LEAST_SPREAD_L)
    seen: Features = cv2.resize(apart / spread, (_SIDE_PX // 2, _SIDE_PX // 2), interpolation=cv2.INTER_AREA).ravel()
    return seen


def _colours(photo: MeasuredPhoto) -> Features:
    skin = skin_pixels(photo)
    skin = skin[:: max(1, len(skin) // _ENOUGH_PX)]
    skin = skin[np.argsort(skin[:, 0])]
    shade, tone, lights = (skin[int(low * len(skin)) : int(high * len(skin)) + 1].mean(0) for low, high in _PARTS)
    lips = _median(photo.colours_at(photo.face.flat[list(LIP_MIDDLES)]))
    whites, irises = _eyes(photo)
    brow_points = [photo.face.flat[[*eye.brow_upper, *eye.brow_lower]] for eye in EYES]
    brows = _median(photo.colours_at(np.concatenate(brow_points)))
    hair = _hair(photo)
    everything = np.percentile(photo.lab[::3, ::3, 0], (5, 95, 99))
    features = [
        np.percentile(skin[:, 0], _LIGHT_PERCENTILES), shade, tone, lights, skin.std(0), lips - tone,
        whites, whites - tone, irises - tone, hair, hair - tone, brows - tone, everything, tone[0] - everything,
        *(_hue_and_chroma(colour) for colour in (tone, lights, lips)),
        [colour[0] / max(tone[0], 5.0) for colour in (lights, lips, whites, irises, brows, hair)],
    ]  # fmt: skip
    return np.concatenate([np.asarray(part, np.float32).ravel() for part in features])


def _hue_and_chroma(colour: Features) -> tuple[float, float, float]:
    """Hue in degrees, chroma, and chroma over lightness."""
    lightness, red, yellow = (float(value) for value in colour)
    chroma = math.hypot(red, yellow)
    return math.degrees(math.atan2(yellow, red)), chroma, chroma / max(lightness, 5.0)


def _median(pixels: NDArray[np.float32]) -> Features:
    if len(pixels) < _FEWEST_PX:
        return _UNKNOWN
    return median_lab(pixels)


def _eyes(photo: MeasuredPhoto) -> tuple[Features, Features]:
    """Colours of the light half of the whites, and of the irises."""
    white, coloured = [], []
    for side, eye in enumerate(EYES):
        if photo.face.eye_visibility[side] < 0.5:
            continue
        middle = photo.face.flat[eye.iris[0]]
        radius = float(np.hypot(*(photo.face.flat[list(eye.iris[1:])] - middle).T).mean())
        upper, lower = (photo.curves[f"{('right', 'left')[side]}_{lid}"] for lid in ("upper", "lower"))
        count = min(len(upper), len(lower))
        rows = [upper[2 : count - 2] * share + lower[2 : count - 2] * (1 - share) for share in (0.35, 0.5, 0.65)]
        points = np.concatenate(rows).astype(np.float32)
        away = np.hypot(*(points - middle).T) / max(radius, 1e-3)
        white.append(photo.colours_at(points[away > _WHITE_FROM]))
        coloured.append(photo.colours_at(points[away < 0.8]))
    if not white:
        return _UNKNOWN, _UNKNOWN
    whites = np.concatenate(white)
    whites = whites[whites[:, 0] >= np.median(whites[:, 0])] if len(whites) else whites
    return _median(whites), _median(np.concatenate(coloured))


def _hair(photo: MeasuredPhoto) -> Features:
    plane = photo.planes.get("hair")
    if plane is None:
        return _UNKNOWN
    pixels = photo.lab[cv2.erode(plane, np.ones((5, 5), np.uint8)) > 200]
    return _median(pixels[:: max(1, len(pixels) // _ENOUGH_PX)])


@lru_cache(maxsize=1)
def _model() -> AppearanceModel:
    with np.load(_FILE) as archive:
        return AppearanceModel(
            **{field.name: archive[field.name].astype(np.float32) for field in fields(AppearanceModel)}
        )
