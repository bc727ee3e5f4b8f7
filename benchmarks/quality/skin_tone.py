"""Skin tone as the individual typology angle (ITA) of cheeks and forehead, and the groups it makes.

Chardon, Cretois and Hourseau 1991: ITA = arctan((L* - 50) / b*) in degrees of CIELAB under D65. Light skin is above
41 degrees, dark skin below 10.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import SKIN_AREAS

GROUPS = ("dark", "middle", "light")
GROUP_TITLES = {"dark": "ITA < 10", "middle": "ITA 10 to 41", "light": "ITA > 41"}
_MIN_PIXELS = 30
_GRAY_CHROMA = 3.0


def ita_degrees(lightness: float, blue_yellow: float) -> float:
    """Individual typology angle of CIELAB L* and b*."""
    return float(np.degrees(np.arctan2(lightness - 50.0, blue_yellow)))


def ita_group(ita: float) -> str:
    """dark below 10 degrees, middle from 10 to 41, light above."""
    if ita < 10:
        return "dark"
    return "middle" if ita <= 41 else "light"


def skin_pixels(image: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """CIELAB float32 [N, 3] of cheeks and forehead.

    image: uint8 [H, W, 3] RGB. landmarks: [478, 2 or 3] px. Each region is its points' convex hull.
    """
    mask = np.zeros(image.shape[:2], np.uint8)
    for region in SKIN_AREAS:
        hull = cv2.convexHull(np.round(landmarks[list(region), :2]).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, 1)
    pixels = image[mask > 0]
    if not len(pixels):
        return np.empty((0, 3), np.float32)
    converted: NDArray[np.float32] = cv2.cvtColor(pixels[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    return converted


def skin_tone(image: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]]) -> float:
    """ITA of the skin in degrees; NaN where too little skin is visible or the picture is gray.

    Only the middle half of the pixels by lightness counts, so that hair over the forehead, frames of glasses, ink
    lines, highlights and a shadowed side do not.
    """
    lab = skin_pixels(image, landmarks)
    if len(lab) < _MIN_PIXELS:
        return float("nan")
    low, high = np.percentile(lab[:, 0], [25, 75])
    lightness, green_red, blue_yellow = lab[(lab[:, 0] >= low) & (lab[:, 0] <= high)].mean(0)
    if np.hypot(green_red, blue_yellow) < _GRAY_CHROMA:
        return float("nan")
    return ita_degrees(float(lightness), float(blue_yellow))
