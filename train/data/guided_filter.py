"""A mask that follows the edges of its photo."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.train.data.flow import Plane


def guided_filter(values: Plane, photo: NDArray[np.uint8], *, radius_px: int, levels: float) -> Plane:
    """`values` float32 [H, W], smoothed where the photo is even and kept at its edges.

    levels: contrast in the photo from which on an edge counts. After He, Sun and Tang, "Guided image filtering", 2010,
    with a colour guide: in each window the values are a linear function of the three channels.
    """

    def mean(planes: NDArray[np.float32]) -> NDArray[np.float32]:
        side = 2 * radius_px + 1
        blurred: NDArray[np.float32] = cv2.blur(planes, (side, side), borderType=cv2.BORDER_REFLECT)
        return blurred

    guide = photo.astype(np.float32)
    middle, level = mean(guide), mean(values)
    products = np.stack([mean(guide * guide[..., channel, None]) for channel in range(3)], -2)
    covariance = products - middle[..., :, None] * middle[..., None, :] + np.eye(3, dtype=np.float32) * levels**2
    with_values = mean(guide * values[..., None]) - middle * level[..., None]
    slope = np.linalg.solve(covariance, with_values[..., None])[..., 0].astype(np.float32)
    offset = level - (slope * middle).sum(-1)
    smoothed: Plane = (mean(slope) * guide).sum(-1) + mean(offset)
    return smoothed
