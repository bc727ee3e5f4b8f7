"""A style's proportions: a smooth displacement that enlarges the eyes, shrinks the nose and slims the jaw.

Each part is scaled about its own centre with a weight that falls off as a Gaussian. All is laid in the plane of the
face, foreshortened as the head turns; so landmarks, outlines of regions and glasses move alike at every pose.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.geometry.alignment import HeadFit, Landmarks
from toonfilter.runtime.geometry.landmarks import BELOW_NOSE, CHIN, EYES, LIP_BOTTOM, LIP_TOP, NOSE_TIP

Points = NDArray[np.float32]
"""float32 [N, 2]: x and y px."""

SCALES = (0.7, 1.6)
"""See `MOVES`."""
MOVES = (-0.08, 0.08)
"""Least and most of scales and of moves, in pupil distances. Wider ones would fold the face over itself."""
# Falloff of each part across and down, in units of the pupil distance.
_CHIN_REACH = (0.6, 0.3)
"""Raising a reach moves more beside the part, softer."""
_EYE_REACH = (0.33, 0.27)
"""See `_CHIN_REACH`."""
_NOSE_REACH = (0.30, 0.34)
"""See `_CHIN_REACH`."""
_MOUTH_REACH = (0.42, 0.26)
"""See `_CHIN_REACH`."""
_JAW_REACH = (1.0, 0.80)
"""See `_CHIN_REACH`."""
_JAW_TOP, _JAW_FULL = -0.55, 0.35
"""Where the jaw begins to move and where it moves in full, pupil distances below the mouth. Lower ones move cheeks,
too."""
_FOREHEAD = (0.5, 1.4)
"""Where the forehead begins and ends, pupil distances above the eyes. Raising the first leaves brows more room."""
_HEAD_REACH = 1.8
"""See `_CHIN_REACH`."""
_TURNED = 0.5
"""Cosine of the roll up to which foreheads keep their height. Raising it lowers fewer on heads to the side."""
_LEAST_FORESHORTENING = 0.35
"""Length of a turned axis, of 1, below which it counts as so long. Raising it warps profiles less."""
_INVERSION_STEPS = 6
"""Of the fixed-point search for where a pixel comes from. Raising it is slower, and exact in stronger warps."""


@dataclass(frozen=True, slots=True)
class Proportions:
    """How far a style departs from the person; the defaults are those of `cartoon`.

    Scales, 0.7 to 1.6, where 1 leaves the person's own: eye_width, eye_height, nose_width, nose_length, mouth_width,
    jaw_width, forehead (its height). Moves, -0.08 to 0.08 of the pupil distance: eye_drop (down), nose_lift (up),
    chin_lift (up).
    """

    eye_width: float = 1.36
    eye_height: float = 1.49
    nose_width: float = 0.86
    nose_length: float = 0.97
    mouth_width: float = 1.04
    jaw_width: float = 0.85
    forehead: float = 0.91
    eye_drop: float = 0.035
    nose_lift: float = 0.02
    chin_lift: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high = MOVES if field.name.endswith(("drop", "lift")) else SCALES
            value = getattr(self, field.name)
            if not low <= value <= high:
                raise ConfigError(f"{field.name} is {value:g}; must be {low:g} to {high:g}.")

    @classmethod
    def none(cls) -> "Proportions":
        """The person's own."""
        return cls().toned(1.0)

    def toned(self, likeness: float) -> "Proportions":
        """Nearer to the person. likeness: 0 leaves the style's proportions, 1 gives the person's own."""
        keep = 1 - likeness
        moved = ("drop", "lift")
        return Proportions(
            **{
                field.name: getattr(self, field.name) * keep + (0.0 if field.name.endswith(moved) else likeness)
                for field in fields(self)
            }
        )

    def warp(self, landmarks: Landmarks, fit: HeadFit, unit_px: float) -> "ProportionWarp":
        """The displacement for one face.

        landmarks: float32 [478, 3] px. fit: its rigid fit. unit_px: distance of the pupils in three dimensions.
        """
        flat = landmarks[:, :2]
        frame = _face_plane(fit, unit_px)
        parts = []
        for eye in EYES:
            centre = flat[list(eye.cross)].mean(0)
            parts.append((centre, _EYE_REACH, (self.eye_width - 1, self.eye_height - 1), (0.0, self.eye_drop)))
        nose = flat[[BELOW_NOSE, NOSE_TIP]].mean(0)
        parts.append((nose, _NOSE_REACH, (self.nose_width - 1, self.nose_length - 1), (0.0, -self.nose_lift)))
        mouth = flat[[LIP_TOP[0], LIP_TOP[-1], LIP_TOP[5], LIP_BOTTOM[5]]].mean(0)
        parts.append((mouth, _MOUTH_REACH, (self.mouth_width - 1, 0.0), (0.0, 0.0)))
        chin = flat[CHIN]
        parts.append((chin, _CHIN_REACH, (0.0, 0.0), (0.0, -self.chin_lift)))
        between = ((parts[0][0] + parts[1][0]) / 2).astype(np.float32)
        # What moves nothing costs as much.
        parts = [part for part in parts if any((*part[2], *part[3]))]
        centres = np.array([part[0] for part in parts], np.float32).reshape(-1, 2)
        numbers = np.array([[*part[1], *part[2], *part[3]] for part in parts], np.float32).reshape(-1, 6)
        jaw, forehead = self.jaw_width - 1, 1 - self.forehead
        return ProportionWarp(frame, _inverse(frame), centres, numbers, mouth, jaw, between, forehead)


def _face_plane(fit: HeadFit, unit_px: float) -> NDArray[np.float32]:
    """float32 [2, 2]: columns are one unit across and one down the face, as the picture shows them."""
    axes = fit.rotation[:2, :2].copy()
    for column in range(2):
        length = float(np.hypot(*axes[:, column]))
        if length < _LEAST_FORESHORTENING:
            other = axes[:, 1 - column]
            upright = np.array([other[1], -other[0]] if column == 0 else [-other[1], other[0]])
            upright /= max(float(np.hypot(*upright)), 1e-6)
            axes[:, column] = upright * _LEAST_FORESHORTENING
    scaled: NDArray[np.float32] = (axes * unit_px).astype(np.float32)
    return scaled


def _inverse(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    (a, b), (c, d) = matrix.tolist()
    return np.array([[d, -b], [-c, a]], np.float32) / np.float32(a * d - b * c)


def _share(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Limited to 0 to 1; `np.clip` takes longer for so few."""
    limited: NDArray[np.float32] = np.minimum(np.maximum(values, 0), 1)
    return limited


def _axes(points: Points, matrix: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both coordinates of points [N, 2] after a matrix [2, 2], apart."""
    (a, b), (c, d) = matrix
    return points[:, 0] * a + points[:, 1] * b, points[:, 0] * c + points[:, 1] * d


@dataclass(frozen=True, slots=True, eq=False)
class ProportionWarp:
    """The displacement of one face in one picture; see `Proportions.warp`."""

    _frame: NDArray[np.float32]
    _inverse: NDArray[np.float32]
    _centres: NDArray[np.float32]
    _numbers: NDArray[np.float32]
    _mouth: NDArray[np.float32]
    _jaw: float
    _between_eyes: NDArray[np.float32]
    _forehead: float

    def move(self, points: NDArray[np.floating[Any]]) -> Points:
        """Where points of the photo lie in the drawing: [N, 2] px to float32 [N, 2] px."""
        points = points.astype(np.float32)
        if not (len(self._centres) or self._jaw or self._forehead):
            return points
        # One coordinate after the other: NumPy is slow where its inner loop is two numbers long.
        (a, b), (c, d) = self._inverse
        across = points[:, 0] - self._centres[:, 0, None]
        down = points[:, 1] - self._centres[:, 1, None]
        across, down = across * a + down * b, across * c + down * d
        numbers = self._numbers[..., None]
        weight = np.exp(-0.5 * ((across / numbers[:, 0]) ** 2 + (down / numbers[:, 1]) ** 2))
        aside = (weight * (across * numbers[:, 2] + numbers[:, 4])).sum(0)
        lower = (weight * (down * numbers[:, 3] + numbers[:, 5])).sum(0)
        if self._jaw:
            below = _axes(points - self._mouth, self._inverse)
            rise = _share((below[1] - _JAW_TOP) / (_JAW_FULL - _JAW_TOP))
            fall = np.exp(-0.5 * ((below[0] / _JAW_REACH[0]) ** 2 + (below[1] / _JAW_REACH[1]) ** 2))
            aside += self._jaw * below[0] * rise * rise * (3 - 2 * rise) * fall
        if self._forehead:
            lower += self._lowered(points)
        drawn: Points = points + np.stack([aside, lower], 1) @ self._frame.T
        return drawn

    def _lowered(self, points: Points) -> NDArray[np.float32]:
        """How far a lower forehead moves points down the face: float32 [N], in units."""
        place = _axes(points - self._between_eyes, self._inverse)
        low, high = _FOREHEAD
        rise = _share((-place[1] - low) / (high - low))
        fall = np.exp(-0.5 * (place[0] / _HEAD_REACH) ** 2)
        # Outlines end soon beyond edges of the picture that are not its top, and turned heads would show that.
        down = self._frame[:, 1]
        upright = np.clip((down[1] / np.hypot(*down) - _TURNED) / (1 - _TURNED), 0, 1)
        most = self._forehead * (high - low) * np.float32(upright)
        shift: NDArray[np.float32] = most * rise * rise * (3 - 2 * rise) * fall
        return shift

    def source(self, points: NDArray[np.floating[Any]]) -> Points:
        """The inverse of `move`: where points of the drawing lie in the photo, float32 [N, 2] px, by fixed point."""
        points = points.astype(np.float32)
        found = points
        for _ in range(_INVERSION_STEPS):
            found = points - (self.move(found) - found)
        return found
