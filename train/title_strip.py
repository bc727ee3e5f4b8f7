"""Words above the columns of a grid of pictures."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT_PX = 18


def title_strip(titles: Sequence[str], column_px: int, width_px: int) -> NDArray[np.uint8]:
    """Dark words on white above columns of `column_px`: uint8 [HEIGHT_PX, width_px, 3]. Long words are made smaller."""
    strip = np.full((HEIGHT_PX, width_px), 255, np.uint8)
    for number, title in enumerate(titles):
        (wide, _), _ = cv2.getTextSize(title, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
        size = 0.4 * min(1.0, (column_px - 4) / max(wide, 1))
        place = (2 + number * column_px, 13)
        cv2.putText(strip, title, place, cv2.FONT_HERSHEY_SIMPLEX, size, 0, 1, cv2.LINE_AA)
    return np.repeat(strip[..., None], 3, 2)
