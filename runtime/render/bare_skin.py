"""Where a photo shows bare skin, and averages of what counts."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import EYES, LIP_BOTTOM, LIP_TOP
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.head_planes import disc, hull_region

LAID_OVER = ("beard", "over", "glasses", "hair")
"""Planes that hide skin."""
LIPS = (*LIP_TOP, *LIP_BOTTOM)
_FEATURES = (LIPS, *((*eye.upper, *eye.lower) for eye in EYES), *((*eye.brow_upper, *eye.brow_lower) for eye in EYES))
_FEATURES_GROW_U = 0.05
"""How far around eyes, brows and lips the photo is not looked at: they are drawn. Raising it flattens their sockets."""


def bare_skin(planes: Mapping[str, Plane], points: NDArray[np.float32], size: tuple[int, int], unit_px: float) -> Plane:
    """Where a photo shows bare skin, none of it where features are drawn: uint8 [h, w], 0 to 255.

    planes: uint8 [H, W], `skin` and what hides it. points: float32 [N, 2] px of the smaller picture. size: its width
    and height. unit_px: distance of the pupils in its px.
    """
    skin = planes["skin"]
    for name in LAID_OVER:
        if name in planes:
            skin = cv2.subtract(skin, planes[name])
    skin = cv2.resize(skin, size, interpolation=cv2.INTER_AREA)
    bare: Plane = cv2.min(skin, cv2.bitwise_not(features_region(points, skin.shape, unit_px)))
    return bare


def features_region(points: NDArray[np.float32], shape: tuple[int, ...], unit_px: float) -> Plane:
    """255 in and close around eyes, brows and lips, which are drawn: uint8 [h, w]. points, unit_px: see `bare_skin`."""
    region = np.zeros(shape[:2], np.uint8)
    for part in _FEATURES:
        region = cv2.max(region, hull_region(points[list(part)], shape))
    grown: Plane = cv2.dilate(region, disc(_FEATURES_GROW_U * unit_px))
    return grown


def averaged(
    light: NDArray[Any], weight: NDArray[np.float32], sigma_px: float, usual: float = 0.0, unknown: float = 0.0
) -> NDArray[np.float32]:
    """The mean of what counts around each place. usual, unknown: a value that counts everywhere, and how much."""
    sums, weights = (
        cv2.GaussianBlur(one, (0, 0), max(sigma_px, 0.5)) for one in (light.astype(np.float32) * weight, weight)
    )
    mean: NDArray[np.float32] = (sums + np.float32(usual * unknown)) / (weights + np.float32(unknown))
    return mean
