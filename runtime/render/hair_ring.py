"""The ring of light around the crown that drawn hair has, with jagged edges, anchored to the head."""

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.contours import Points

_HEIGHT_U, _SAG_U = 1.34, 0.26
"""How far above the pupils the ring lies in the middle, and how much lower one unit to the side, in distances of the
pupils."""
_ABOVE_U, _BELOW_U = (0.06, 0.08), (0.07, 0.22)
"""How far the ring reaches up and down at its narrowest, and how much further its points do. Raising them: bolder."""
_POINTS = 2.6
"""Points for each distance of the pupils."""
_ENDS_U = (0.7, 1.35)
"""How far to the side the ring fades, and is gone."""
_EDGE_U = 0.015


def crown_ring(shape: tuple[int, ...], pupils: Points, right: Points, unit_px: float) -> NDArray[np.float32]:
    """Where the ring is: float32 [h, w], 0 to 1.

    shape: h, w. pupils: float32 [2], the middle between the eyes, px. right: unit vector along them. unit_px: their
    distance.
    """
    height, width = shape
    columns = (np.arange(width, dtype=np.float32) - pupils[0]) / np.float32(unit_px)
    rows = (np.arange(height, dtype=np.float32)[:, None] - pupils[1]) / np.float32(unit_px)
    across = columns * right[0] + rows * right[1]
    down = rows * right[0] - columns * right[1]
    place = down + np.float32(_HEIGHT_U) - np.float32(_SAG_U) * across * across
    ends = np.clip((_ENDS_U[1] - np.abs(across)) / np.float32(_ENDS_U[1] - _ENDS_U[0]), 0, 1)
    # Two waves of different steps: no point is like the next.
    wave = np.abs(np.sin(across * np.float32(_POINTS * np.pi)) * np.sin(across * np.float32(1.37 * np.pi) + 0.7))
    above = (np.float32(_ABOVE_U[0]) + np.float32(_ABOVE_U[1]) * wave) * ends
    below = (np.float32(_BELOW_U[0]) + np.float32(_BELOW_U[1]) * (1 - wave) ** 3) * ends
    half = np.where(place < 0, above, below) - np.float32(_EDGE_U) * (1 - ends)
    away = np.abs(place)
    ring: NDArray[np.float32] = np.clip((half - away) / np.float32(_EDGE_U) + np.float32(0.5), 0, 1)
    return ring
