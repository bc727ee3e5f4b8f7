"""A style's proportions: a smooth displacement that enlarges the eyes, shrinks the nose and slims the jaw.

Each part is scaled about its own centre with a weight that falls off as a Gaussian. All is laid in the plane of the
face, foreshortened as the head turns; so landmarks, outlines of regions and glasses move alike at every pose.
"""

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.geometry.alignment import HeadFit, Landmarks
from toonfilter.runtime.geometry.landmarks import BELOW_NOSE, CHIN, EYES, LIP_BOTTOM, LIP_TOP, NOSE_TIP, Indices

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
_ENDLESS = 1e6
"""Reach of what does not fall off."""
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

    eye_width: float = 1.24
    eye_height: float = 1.34
    nose_width: float = 0.86
    nose_length: float = 0.97
    mouth_width: float = 1.04
    jaw_width: float = 0.93
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
    @lru_cache(maxsize=1)
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
        plan, frame = _plan(self), _face_plane(fit, unit_px)
        across, down = _inverse(frame)
        axes = plan.across[:, None] * across + plan.down[:, None] * down
        centres = plan.centres @ landmarks[:, :2]
        origins = -(axes * centres).sum(1) - plan.starts
        # Outlines end soon beyond edges of the picture that are not its top, and turned heads would show that.
        way_down = float(frame[1, 1] / np.hypot(*frame[:, 1]))
        upright = min(max((way_down - _TURNED) / (1 - _TURNED), 0.0), 1.0)
        moves = plan.moves + plan.forehead * np.float32(upright)
        return ProportionWarp(plan, frame, axes, origins[:, None], moves)


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


@dataclass(frozen=True, slots=True)
class _Part:
    """What moves about a centre, the middle of some landmarks; lengths in units.

    reach: falloff across and down. wider, taller: how much of its distance from the centre a point moves across and
    down. moves: how far down all of it moves. ramp: heights below the centre between which it begins to.
    """

    centre: Indices
    reach: tuple[float, float]
    wider: float = 0.0
    taller: float = 0.0
    moves: float = 0.0
    ramp: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """All parts of some proportions, whatever the face. float32, by rows of `ProportionWarp`: [2 P + R] or [P].

    centres: [2 P + R, 478], weights of the landmarks in the row's centre. across, down: the row's axis, over those of
    the face. starts: where it begins. wider, taller, moves: of each part, its reach. forehead: what upright ones move.
    """

    centres: NDArray[np.float32]
    across: NDArray[np.float32]
    down: NDArray[np.float32]
    starts: NDArray[np.float32]
    wider: NDArray[np.float32]
    taller: NDArray[np.float32]
    moves: NDArray[np.float32]
    forehead: NDArray[np.float32]


@lru_cache(maxsize=64)
def _plan(proportions: Proportions) -> _Plan:
    own, (low, high) = proportions, _FOREHEAD
    both, mouth = (*EYES[0].cross, *EYES[1].cross), (LIP_TOP[0], LIP_TOP[-1], LIP_TOP[5], LIP_BOTTOM[5])
    forehead = _Part(both, (_HEAD_REACH, _ENDLESS), moves=(1 - own.forehead) * (high - low), ramp=(-low, -high))
    parts = [
        *(_Part(eye.cross, _EYE_REACH, own.eye_width - 1, own.eye_height - 1, own.eye_drop) for eye in EYES),
        _Part((BELOW_NOSE, NOSE_TIP), _NOSE_REACH, own.nose_width - 1, own.nose_length - 1, -own.nose_lift),
        _Part(mouth, _MOUTH_REACH, own.mouth_width - 1),
        _Part((CHIN,), _CHIN_REACH, moves=-own.chin_lift),
        _Part(mouth, _JAW_REACH, own.jaw_width - 1, ramp=(_JAW_TOP, _JAW_FULL)),
        forehead,
    ]
    # What moves nothing costs as much.
    parts = [part for part in parts if part.wider or part.taller or part.moves]
    ramped = [part for part in parts if part.ramp is not None]
    rows = [*parts, *parts, *ramped]
    centres = np.zeros((len(rows), 478))
    for row, part in zip(centres, rows, strict=True):
        row[list(part.centre)] = 1 / len(part.centre)
    reach = np.array([part.reach for part in parts]).reshape(-1, 2)
    begin, end = np.array([part.ramp for part in ramped]).reshape(-1, 2).T
    none = np.zeros(len(parts))
    numbers = (
        centres,
        np.concatenate([1 / reach[:, 0], none, 0 * begin]),
        np.concatenate([none, 1 / reach[:, 1], 1 / (end - begin)]),
        np.concatenate([none, none, begin / (end - begin)]),
        reach[:, 0] * [part.wider for part in parts],
        reach[:, 1] * [part.taller for part in parts],
        np.array([part.moves * (part is not forehead) for part in parts]),
        np.array([part.moves * (part is forehead) for part in parts]),
    )
    return _Plan(*(one.astype(np.float32) for one in numbers))


@dataclass(frozen=True, slots=True, eq=False)
class ProportionWarp:
    """The displacement of one face in one picture; see `Proportions.warp`.

    All places in all parts are found at once: rows of _axes, float32 [2 P + R, 2], and _origins, [2 P + R, 1], give for
    each of P parts how far across and down from its centre a point lies, in its reach, and for the last R how far up
    its ramp. _moves: float32 [P], units.
    """

    _plan: _Plan
    _frame: NDArray[np.float32]
    _axes: NDArray[np.float32]
    _origins: NDArray[np.float32]
    _moves: NDArray[np.float32]

    def move(self, points: NDArray[np.floating[Any]]) -> Points:
        """Where points of the photo lie in the drawing: [N, 2] px to float32 [N, 2] px."""
        points = points.astype(np.float32)
        count = len(self._moves)
        if not count:
            return points
        # One coordinate after the other: NumPy is slow where its inner loop is two numbers long.
        places = self._axes @ points.T + self._origins
        across, down = places[:count], places[count : 2 * count]
        weight = np.exp(-0.5 * (across * across + down * down))
        ramps = np.minimum(np.maximum(places[2 * count :], 0), 1)
        weight[count - len(ramps) :] *= ramps * ramps * (3 - 2 * ramps)
        aside = self._plan.wider @ (weight * across)
        lower = self._plan.taller @ (weight * down) + self._moves @ weight
        drawn: Points = points + np.stack([aside, lower], 1) @ self._frame.T
        return drawn

    def source(self, points: NDArray[np.floating[Any]]) -> Points:
        """The inverse of `move`: where points of the drawing lie in the photo, float32 [N, 2] px, by fixed point."""
        points = points.astype(np.float32)
        found = points
        for _ in range(_INVERSION_STEPS):
            found = points - (self.move(found) - found)
        return found
