"""The cartoon's proportions: a smooth displacement that enlarges the eyes, shrinks the nose and reshapes the head.

The displacement is a composition of local maps, each of which scales or moves one part of the face and fades out with
(1 - r^2)^2; every one is invertible, so their composition has no folds. Lengths are in face heights, of which a crop
has `CROP_SIDE_FACE_HEIGHTS`.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.geometry.alignment import CROP_SIDE_FACE_HEIGHTS
from toonfilter.runtime.geometry.landmarks import WarpPoints

GRID = 48
"""Points along a side at which the displacement is worked out; it is smooth between them. Raising it is slower and
no finer."""
_INVERSION_STEPS = 3
"""Of Newton's search for where a pixel comes from. Raising it is slower, and exact in stronger warps."""
_LONGEST_STEP_PX = 8.0
"""Of that search. Raising it may overshoot."""
_LEAST_SLOPE = 0.1
"""Of the map in that search. Raising it makes steps shorter where the map is flat."""
_HERE_RIGHT_DOWN = np.array([[[0, 0]], [[1, 0]], [[0, 1]]], np.float32)
_BORDER = 0.06
"""Width of the rim, in crop sides, in which the displacement fades to nothing."""

_FACTORS, _LEAST_EYE = (0.6, 1.8), 0.9
"""Least and most of a factor, and the least of an eye's. Within these every local map is invertible, for the derivative
of its fade is bounded: no folds."""
_MOVES = (-0.05, 0.05)
"""Least and most of a move, in face heights."""
_SQUINT = 1.2
"""How much flatter narrowed eyes become, as a share of how much taller open ones do: lids move more than in life, for a
drawing shows it less than a photo."""
_LEAST_NARROWED = 0.67
"""Least height of a narrowed eye, of its own. Lowering it closes eyes that only squint."""

_AT: Final = WarpPoints()

Field = NDArray[np.float32]
Points = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FaceWarp:
    """How far the proportions go; the default is the look that ships, `FaceWarp.none()` leaves the face as it is.

    Factors of size: eyes (width), eye_height, nose, mouth, jaw (width of the lower face), cheeks (width), forehead.
    Moves, in face heights: eye_spread outwards, eye_drop downwards, brow_lift, nose_lift, mouth_lift, chin_lift and
    corner_lift (of the mouth, against the sadness that shrinking the nose brings) upwards.
    """

    eyes: float = 1.36
    eye_height: float = 1.4
    eye_spread: float = 0.004
    eye_drop: float = 0.034
    brow_lift: float = 0.05
    nose: float = 0.67
    nose_lift: float = 0.0
    mouth: float = 1.08
    mouth_lift: float = 0.0
    corner_lift: float = 0.014
    jaw: float = 0.86
    chin_lift: float = 0.025
    cheeks: float = 1.07
    forehead: float = 1.06

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = _MOVES if field.name.endswith(("spread", "drop", "lift")) else _FACTORS
            low = _LEAST_EYE if field.name.startswith("eye") and (low, high) == _FACTORS else low
            if not low <= value <= high:
                raise ConfigError(f"warp.{field.name} is {value}; must lie in {low} to {high}.")

    @classmethod
    def none(cls) -> "FaceWarp":
        """No change of proportions at all."""
        return cls(1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "FaceWarp":
        """Read what `to_dict` wrote.

        Raises:
            ConfigError: unknown names, missing names, or values out of range.
        """
        known = {field.name for field in fields(cls)}
        if values.keys() != known:
            wrong = sorted(values.keys() ^ known)
            raise ConfigError(f"warp: {', '.join(wrong)} unknown or missing; must be {', '.join(sorted(known))}.")
        return cls(**{name: float(value) for name, value in values.items()})

    def to_dict(self) -> dict[str, float]:
        """All factors by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Part:
    """One local map: scale about a centre, then move. All in crop pixels.

    is_flat: fade with (1 - r^4)^2, nearly the same scale everywhere inside, so that gaze keeps its proportions.
    """

    centre: tuple[float, float]
    radius: tuple[float, float]
    scale: tuple[float, float] = (1.0, 1.0)
    move: tuple[float, float] = (0.0, 0.0)
    is_flat: bool = False


def displacement(landmarks_crop: NDArray[np.floating[Any]], size: int, warp: FaceWarp) -> Field:
    """Where each pixel of the warped crop comes from.

    landmarks_crop: [478, 2 or 3] px of the plain crop. size: side of the crop in px.
    Returns float32 [size, size, 2]: offset (x, y) in crop px, so that output(x, y) = crop(x + dx, y + dy). Smooth,
    zero on the border, without folds; new memory.

    Raises:
        ConfigError: the landmarks have another shape.
    """
    coarse = coarse_displacement(landmarks_crop, size, warp)
    field: Field = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return field


def warp_points(
    landmarks_crop: NDArray[np.floating[Any]], size: int, warp: FaceWarp, field: Field | None = None
) -> Points:
    """The landmarks in the warped crop, float32 of the same shape; z is kept.

    field: the result of `displacement` for the same landmarks, when it is at hand.
    """
    field = displacement(landmarks_crop, size, warp) if field is None else field
    moved = landmarks_crop.astype(np.float32)
    source = np.ascontiguousarray(moved[:, :2])
    target = source.copy()
    for _ in range(_INVERSION_STEPS):
        target -= _newton_step(field, target, source)
    moved[:, :2] = target
    return moved


def _newton_step(field: Field, target: Points, source: Points) -> Points:
    """How far `target` is from where the displaced picture shows `source`, to first order; float32 [N, 2] px."""
    # The points, and two neighbours of each for the slopes, in one call.
    probes = target + _HERE_RIGHT_DOWN
    here, *beside = cv2.remap(field, probes, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    (a, c), (b, d) = ((neighbour - here).T for neighbour in beside)
    a, d = 1 + a, 1 + d
    x, y = (target + here - source).T
    step = np.stack([d * x - b * y, a * y - c * x], 1)
    step /= np.maximum(a * d - b * c, _LEAST_SLOPE)[:, None]
    limited: Points = np.clip(step, -_LONGEST_STEP_PX, _LONGEST_STEP_PX)
    return limited


def coarse_displacement(landmarks_crop: NDArray[np.floating[Any]], size: int, warp: FaceWarp) -> Field:
    """`displacement` before its enlargement: float32 [GRID, GRID, 2], enlarged bicubically wherever it is sampled."""
    if landmarks_crop.ndim != 2 or landmarks_crop.shape[0] != 478 or landmarks_crop.shape[1] not in (2, 3):
        raise ConfigError(f"landmarks are {list(landmarks_crop.shape)}; must be [478, 2] or [478, 3].")
    grid, rim = _coarse_grid(size)
    places = grid.copy()
    parts = list(_parts(landmarks_crop[:, :2].astype(np.float64), size / CROP_SIDE_FACE_HEIGHTS, warp))
    for part in reversed(parts):
        _pull_back(places, part)
    places -= grid
    places *= rim
    field: Field = cv2.merge([places[0], places[1]])
    return field


@lru_cache(maxsize=4)
def _coarse_grid(size: int) -> tuple[Field, Field]:
    # The places cv2.resize takes coarse samples to lie at.
    axis = ((np.arange(GRID) + 0.5) * size / GRID - 0.5).astype(np.float32)
    inside = np.minimum(axis, axis[::-1]) / (size * _BORDER)
    fade = np.clip(inside - 0.25, 0, 1)
    fade = fade * fade * (3 - 2 * fade)
    return np.stack(np.meshgrid(axis, axis)), np.minimum(fade[:, None], fade[None, :]).astype(np.float32)


def _pull_back(places: Field, part: _Part) -> None:
    """Move output positions, float32 [2, GRID, GRID], to where the part's map took them from, in place."""
    move = _column(part.move)
    offset = places - _column((part.centre[0] + part.move[0], part.centre[1] + part.move[1]))
    relative = offset * _column((1 / part.radius[0], 1 / part.radius[1]))
    relative *= relative
    weight = relative[0]
    weight += relative[1]
    if part.is_flat:
        weight *= weight
    np.subtract(1, weight, out=weight)
    np.maximum(weight, 0, out=weight)
    weight *= weight
    if part.scale == (1.0, 1.0):
        places -= weight * move
        return
    offset *= _column((1 / part.scale[0] - 1, 1 / part.scale[1] - 1))
    offset -= move
    offset *= weight
    places += offset


def _column(pair: tuple[float, float]) -> Field:
    return np.array(pair, np.float32).reshape(2, 1, 1)


def _parts(points: NDArray[np.float64], unit_px: float, how: FaceWarp) -> Iterator[_Part]:
    everywhere = points.tolist()

    def centre(indices: tuple[int, ...], dy: float = 0.0) -> tuple[float, float]:
        x = math.fsum(everywhere[index][0] for index in indices) / len(indices)
        y = math.fsum(everywhere[index][1] for index in indices) / len(indices)
        return x, y + dy * unit_px

    def px(a: float, b: float) -> tuple[float, float]:
        return a * unit_px, b * unit_px

    for eye, side in zip(_AT.eyes, (-1, 1), strict=True):
        openness = _openness([everywhere[index] for index in eye], unit_px)
        narrowed = max(1 + _SQUINT * (1 - how.eye_height), _LEAST_NARROWED)
        height = openness * how.eye_height + (1 - openness) * narrowed
        yield _Part(centre(eye), px(0.20, 0.17), (how.eyes, height), is_flat=True)
        # The whole socket moves, so that nothing tears between lids, cheek and nose.
        yield _Part(centre(eye), px(0.30, 0.30), move=px(side * how.eye_spread, how.eye_drop))
    for brow in _AT.brows:
        yield _Part(centre(brow), px(0.24, 0.16), move=px(0.0, -how.brow_lift))
    yield _Part(centre(_AT.nose), px(0.22, 0.21), (how.nose, how.nose), px(0.0, -how.nose_lift))
    yield _Part(centre(_AT.mouth), px(0.32, 0.24), (how.mouth, how.mouth), px(0.0, -how.mouth_lift))
    for corner in _AT.mouth[:2]:
        yield _Part(centre((corner,)), px(0.13, 0.12), move=px(0.0, -how.corner_lift))
    yield _Part(centre(_AT.jaw), px(0.62, 0.42), (how.jaw, 1.0))
    yield _Part(centre(_AT.chin, dy=0.04), px(0.40, 0.22), move=px(0.0, -how.chin_lift))
    yield _Part(centre(_AT.cheeks), px(0.62, 0.30), (how.cheeks, 1.0))
    yield _Part(centre(_AT.forehead, dy=-0.1), px(0.62, 0.40), (how.forehead, how.forehead))


def _openness(eye: list[list[float]], unit_px: float) -> float:
    """0 for a closed eye, 1 for an open one: a narrowed eye must not be pulled wide open. eye: [6, 2] px."""
    (x1, y1), (x2, y2), (x3, y3), (x4, y4), (x5, y5), (x6, y6) = eye
    width = max(math.hypot(x2 - x1, y2 - y1), 0.12 * unit_px)
    gap = math.hypot(x3 + x4 - x5 - x6, y3 + y4 - y5 - y6) / (2 * width)
    return min(max((gap - 0.20) / 0.26, 0.0), 1.0)
