"""Whether the border of the drawing shows in the picture: gradients across it, after against before."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.quality.pictures import Image

_CHANGED_LEVELS = 2
_MIN_BORDER_PX = 40
_FLOOR_LEVELS = 0.5


def changed_region(source: Image, result: Image) -> NDArray[np.bool_]:
    """Where the result differs from its source: one region without holes or specks, bool [H, W]."""
    difference = cv2.absdiff(source, result).max(2)
    changed = (difference > _CHANGED_LEVELS).astype(np.uint8)
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    # Within the drawing some pixels keep their colour by chance, outside it coding noise changes some.
    changed = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, ellipse)
    changed = cv2.morphologyEx(changed, cv2.MORPH_OPEN, ellipse)
    outlines, _ = cv2.findContours(changed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    region = np.zeros_like(changed)
    if outlines:
        cv2.drawContours(region, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    covered: NDArray[np.bool_] = region > 0
    return covered


def gradient_across(image: Image, region: NDArray[np.bool_]) -> float:
    """Mean absolute luminance gradient across the region's border, in levels per pixel; NaN where it has none.

    The border is where the region ends inside the picture; the picture's own edge is no border.
    """
    inside = cv2.GaussianBlur(region.astype(np.float32), (0, 0), 2.0)
    normal_x, normal_y = cv2.Scharr(inside, cv2.CV_32F, 1, 0), cv2.Scharr(inside, cv2.CV_32F, 0, 1)
    length = np.hypot(normal_x, normal_y)
    border = np.abs(inside - 0.5) < 0.25
    border[:3], border[-3:], border[:, :3], border[:, -3:] = False, False, False, False
    border &= length > 0
    if border.sum() < _MIN_BORDER_PX:
        return float("nan")
    luminance = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.0)
    across = cv2.Scharr(luminance, cv2.CV_32F, 1, 0, scale=1 / 32) * normal_x
    across += cv2.Scharr(luminance, cv2.CV_32F, 0, 1, scale=1 / 32) * normal_y
    return float(np.abs(across[border] / length[border]).mean())


def seam_ratio(source: Image, result: Image, region: NDArray[np.bool_]) -> float | None:
    """Gradient across the border of the drawing over that of the source at the same place: 1 is no seam.

    region: where the drawing is, bool [H, W]. None where no border lies inside the picture: nothing or everything was
    drawn.
    """
    after, before = gradient_across(result, region), gradient_across(source, region)
    if not np.isfinite(after):
        return None
    return (after + _FLOOR_LEVELS) / (before + _FLOOR_LEVELS)
