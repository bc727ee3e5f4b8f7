"""Every curve of a face in one matrix product: samples along smooth lines through landmarks."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry import landmarks as table
from toonfilter.runtime.geometry.landmarks import EYES, EyePoints, Indices
from toonfilter.runtime.geometry.proportions import Points

_CALM = 0.5
"""How far each point is drawn towards the middle of its neighbours before the curve is laid. More gives calmer arcs."""

_EYE: Final = 15
_LIP: Final = 15
_LONG: Final = 11
_SHORT: Final = 7


def _eye_curves(side: str, eye: EyePoints) -> dict[str, tuple[Indices, int]]:
    return {
        f"{side}_upper": (eye.upper, _EYE),
        f"{side}_lower": (eye.lower, _EYE),
        f"{side}_crease": (eye.crease, _LONG),
        f"{side}_bag": (eye.bag, _LONG),
        f"{side}_brow_upper": (eye.brow_upper, _LONG),
        f"{side}_brow_lower": (eye.brow_lower, _LONG),
    }


CURVES: Final[dict[str, tuple[Indices, int]]] = {
    **_eye_curves("right", EYES[0]),
    **_eye_curves("left", EYES[1]),
    "lip_top": (table.LIP_TOP, _LIP),
    "lip_bottom": (table.LIP_BOTTOM, _LIP),
    "mouth_top": (table.MOUTH_TOP, _LIP),
    "mouth_bottom": (table.MOUTH_BOTTOM, _LIP),
    "nose_base": (table.NOSE_BASE, _LONG),
    "nose_profile": (table.NOSE_PROFILE, _LIP),
    "right_wing": (table.RIGHT_WING, _SHORT),
    "left_wing": (table.LEFT_WING, _SHORT),
    "right_fold": (table.RIGHT_FOLD, _LONG),
    "left_fold": (table.LEFT_FOLD, _LONG),
    "right_marionette": (table.RIGHT_MARIONETTE, _SHORT),
    "left_marionette": (table.LEFT_MARIONETTE, _SHORT),
    "forehead_high": (table.FOREHEAD_ROWS[0], _LONG),
    "forehead_middle": (table.FOREHEAD_ROWS[1], _LONG),
    "forehead_low": (table.FOREHEAD_ROWS[2], _LONG),
    "right_frown": (table.FROWN[0], _SHORT),
    "left_frown": (table.FROWN[1], _SHORT),
    "right_crow": (EYES[0].crow, _SHORT),
    "left_crow": (EYES[1].crow, _SHORT),
    "jaw": (table.JAW, 41),
}
"""Name, landmarks, number of samples."""


class FaceCurves:
    """The curves of one face: `curves["lip_top"]` is float32 [N, 2] px."""

    def __init__(self, flat: Points) -> None:
        """flat: float32 [478, 2] px."""
        matrix, places = _sampling()
        self._samples: Points = matrix @ flat
        self._places = places

    def __getitem__(self, name: str) -> Points:
        return self._samples[self._places[name]]


@lru_cache(maxsize=1)
def _sampling() -> tuple[NDArray[np.float32], dict[str, slice]]:
    rows, places, start = [], {}, 0
    for name, (indices, count) in CURVES.items():
        weights = spline_matrix(len(indices), count) @ _calming(len(indices))
        block = np.zeros((count, 478), np.float32)
        for column, index in enumerate(indices):
            block[:, index] += weights[:, column]
        rows.append(block)
        places[name] = slice(start, start + count)
        start += count
    return np.concatenate(rows), places


def _calming(count: int) -> NDArray[np.float32]:
    """[count, count]: ends stay, points between move towards the middle of their neighbours."""
    matrix = np.eye(count, dtype=np.float32)
    for row in range(1, count - 1):
        matrix[row, row] = 1 - _CALM
        matrix[row, row - 1] += _CALM / 2
        matrix[row, row + 1] += _CALM / 2
    return matrix


@lru_cache(maxsize=64)
def spline_matrix(points: int, samples: int) -> NDArray[np.float32]:
    """[samples, points]: Catmull-Rom interpolation, ends mirrored, evenly spaced in the parameter. Read only."""
    extended = np.zeros((points + 2, points), np.float32)
    extended[1:-1] = np.eye(points)
    extended[0, :2] = 2, -1
    extended[-1, -2:] = -1, 2
    place = np.linspace(0, points - 1, samples)
    first = np.minimum(place.astype(int), points - 2)
    t = (place - first)[:, None].astype(np.float32)
    a, b, c, d = (extended[first + step] for step in range(4))
    matrix: NDArray[np.float32] = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    matrix.flags.writeable = False
    return matrix


def resampled(points: Points, samples: int) -> Points:
    """A smooth curve through points, float32 [samples, 2]."""
    return spline_matrix(len(points), samples) @ points
