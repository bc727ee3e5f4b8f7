"""Where a beard is dense: where it is darker than the skin beside it; the rest is stubble."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import EYES, FACE_OVAL, LIP_BOTTOM, LIP_TOP
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.head_planes import hull_region

_UNIT_PX = 24.0
"""Distance of the pupils at which darkness is measured. Raising it keeps finer shapes, and costs time."""
_DARKER = (0.06, 0.22)
"""How much darker than skin in the same light, as a share, a beard is stubble, and dense. Raising them draws smaller
beards."""
_DOUBTED = 0.5
"""What is left of the plane where it is no darker than skin. Raising it draws larger beards."""
_SKIN_REACH_U, _CALM_U, _EDGE_U = 0.6, 0.045, 0.03
"""How far skin tells the light around it; and how far darkness, and what follows from it, are averaged."""
_OWN_LIGHT = 0.6
"""Share of the light around a place in what skin would look like there; the rest is the face's at large."""
_USUAL_PERCENTILE, _FEWEST_PX, _UNKNOWN = 60, 30, 0.03
_SURE_SKIN, _HIDDEN = 200, 30
_HIDING = ("beard", "hair", "over", "glasses")
_DRAWN = ((*LIP_TOP, *LIP_BOTTOM), *((*eye.upper, *eye.lower, *eye.brow_upper, *eye.brow_lower) for eye in EYES))


def dense_part(planes: Mapping[str, Plane], photo: Image, landmarks: Landmarks, unit_px: float) -> Plane:
    """The plane `beard` less where the photo is hardly darker than skin: uint8 [h, w].

    planes: uint8 [h, w]. photo: uint8 [h, w, 3] RGB. landmarks: in their px. unit_px: distance of the pupils, px.
    """
    factor = min(1.0, _UNIT_PX / max(unit_px, 1.0))
    height, width = planes["beard"].shape
    size = (max(2, round(width * factor)), max(2, round(height * factor)))
    light = cv2.extractChannel(
        cv2.cvtColor(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB), 0
    ).astype(np.float32)
    points, unit_px = landmarks[:, :2] * np.float32(factor), unit_px * factor
    drawn = np.zeros(size[::-1], np.uint8)
    for part in _DRAWN:
        drawn = cv2.max(drawn, hull_region(points[list(part)], drawn.shape))
    drawn = cv2.dilate(drawn, np.ones((3, 3), np.uint8))
    skin = (hull_region(points[list(FACE_OVAL)], drawn.shape) > 0) & (drawn == 0)
    skin &= cv2.resize(planes["skin"], size, interpolation=cv2.INTER_AREA) > _SURE_SKIN
    for name in _HIDING:
        if name in planes:
            skin &= cv2.resize(planes[name], size, interpolation=cv2.INTER_AREA) < _HIDDEN
    if np.count_nonzero(skin) < _FEWEST_PX:
        return planes["beard"]
    usual = float(np.percentile(light[skin], _USUAL_PERCENTILE))
    around = _averaged(light, skin.astype(np.float32), _SKIN_REACH_U * unit_px, usual)
    expected = around * np.float32(_OWN_LIGHT) + np.float32((1 - _OWN_LIGHT) * usual)
    seen = _averaged(light, (drawn == 0).astype(np.float32), _CALM_U * unit_px, usual)
    low, high = _DARKER
    share = np.clip((1 - seen / np.maximum(expected, 5) - low) / (high - low), 0, 1)
    share = cv2.GaussianBlur(share * share * (3 - 2 * share), (0, 0), _EDGE_U * unit_px)
    kept = cv2.resize(_DOUBTED + (1 - _DOUBTED) * share, (width, height), interpolation=cv2.INTER_LINEAR)
    dense: Plane = (planes["beard"] * kept).astype(np.uint8)
    return dense


def _averaged(
    light: NDArray[np.float32], weight: NDArray[np.float32], sigma_px: float, usual: float
) -> NDArray[np.float32]:
    """The mean of what counts around each place; the usual where there is nothing."""
    sums, weights = (cv2.GaussianBlur(one, (0, 0), max(sigma_px, 0.5)) for one in (light * weight, weight))
    mean: NDArray[np.float32] = (sums + np.float32(usual * _UNKNOWN)) / (weights + np.float32(_UNKNOWN))
    return mean
