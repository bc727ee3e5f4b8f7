"""The plain cartoon filter of countless tutorials, as the baseline that everything else is compared with."""

import cv2
import numpy as np
from numpy.typing import NDArray

_SMOOTHINGS = 5
_REFERENCE_PX = 384


def opencv_cartoon(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bilateral filter for flat colours, adaptive threshold of the smoothed lightness for black lines.

    image: uint8 [H, W, 3] RGB. Returns uint8 [H, W, 3] RGB, new memory.
    """
    scale = max(image.shape[:2]) / _REFERENCE_PX
    colours = image
    for _ in range(_SMOOTHINGS):
        colours = cv2.bilateralFilter(colours, max(5, round(9 * scale) | 1), 30, 9 * scale)
    gray = cv2.medianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 7 if scale > 0.75 else 5)
    block = max(3, round(9 * scale) | 1)
    lines = cv2.adaptiveThreshold(gray, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, block, 2)
    cartoon: NDArray[np.uint8] = cv2.bitwise_and(colours, cv2.cvtColor(lines, cv2.COLOR_GRAY2RGB))
    return cartoon
