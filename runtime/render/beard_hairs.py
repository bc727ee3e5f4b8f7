"""Single hairs of a beard: a fringe that breaks its edge, and darker and lighter ones upon it."""

from dataclasses import dataclass

import numpy as np

from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.hair_flow import at, seeds

_APART_U = 0.052
"""Distance of neighbouring hairs, in distances of the pupils. Raising it draws fewer."""
_LENGTH_U, _WIDTH_U = (0.06, 0.13), 0.021
"""Length of hairs, from the shortest to the longest, and their width at the root."""
_FALLS = 0.7
"""How much hairs fall, over how much they point away from the mouth."""
_FRINGE_LEVEL, _INNER_LEVEL = 104, 185
"""Levels of the plane from which there are hairs, and up to which they are the fringe. Raising them moves it in."""
_OUTSIDE_LEVEL, _SHORTER = 80, 0.4
"""Level of the plane below which a hair's tip has left the beard, and how long such a hair is, over the others. Raising
them gives spiky beards."""
_DARK, _LIGHT = 0.34, 0.80
"""Shares of the inner hairs up to which they are dark, and from which they are light."""


@dataclass(frozen=True, slots=True)
class BeardHairs:
    """Outlines of hairs, each float32 [5, 2], tapered to their tips. fringe: along the edge. dark, light: within."""

    fringe: list[Points]
    dark: list[Points]
    light: list[Points]


def beard_hairs(plane: Plane, nose: Points, mouth: Points, down: Points, unit_px: float) -> BeardHairs:
    """Hairs in px of a plane uint8 [h, w]; they keep to the head.

    nose, mouth: float32 [2] px. down: unit vector from the eyes to the chin. unit_px: distance of the pupils.
    """
    ground = plane.astype(np.float32)
    roots, chance = seeds(ground, nose, _APART_U * unit_px, _FRINGE_LEVEL)
    if not len(roots):
        return BeardHairs([], [], [])
    away = roots - mouth
    away /= np.linalg.norm(away, axis=1, keepdims=True) + np.float32(1e-6)
    along = away + np.float32(_FALLS) * down.astype(np.float32)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + np.float32(1e-6)
    short, long = _LENGTH_U
    length = np.float32(unit_px) * (short + (long - short) * chance[:, :1])
    leaves = at(ground, roots + along * length) < _OUTSIDE_LEVEL
    length[leaves] *= np.float32(_SHORTER)
    hairs = _tapered(roots, along, length, np.float32(_WIDTH_U * unit_px), chance[:, 1:2])
    is_fringe, lot = at(ground, roots) < _INNER_LEVEL, chance[:, 2]
    return BeardHairs(
        list(hairs[is_fringe]), list(hairs[~is_fringe & (lot < _DARK)]), list(hairs[~is_fringe & (lot > _LIGHT)])
    )


def _tapered(roots: Points, along: Points, length: Points, width: np.float32, bend: Points) -> Points:
    """Outlines float32 [N, 5, 2] of hairs that are widest at the root. along: [N, 2]. length, bend: [N, 1]."""
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    middle = roots + along * length * np.float32(0.55) + across * length * (bend - np.float32(0.5)) * np.float32(0.35)
    tip = roots + along * length
    half = across * width / 2
    hairs: Points = np.stack(
        [roots + half, middle + half * np.float32(0.7), tip, middle - half * np.float32(0.7), roots - half], 1
    )
    return hairs
