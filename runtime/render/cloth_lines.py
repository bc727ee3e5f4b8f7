"""Folds, collars and seams of cloth as lines."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.canvas import Pixels
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.strands import along_lines
from toonfilter.runtime.render.tones import to_levels

_LINE_U, _LINE_WIDER = 0.020, 1.6
"""Scale of lines of cloth (folds, collars, seams), and of the surroundings that they are darker than, over it. Raising
the first gives fewer, bolder lines."""
_LINE_FROM, _LINE_FULL, _LINE_DARK = 0.024, 0.054, 40.0
"""How much darker than their surroundings lines are, in shares of these and _LINE_DARK levels, from which they are
drawn, and whole."""
_VALLEY, _LEAST_VALLEY = 2.2, 0.03
"""Width of a line at most, in its scale, and how much darker than both its sides it is at least, see _LINE_FROM.
Raising the first gives suits a black band beside the shirt."""
_LEAST_LINE_U = 0.9
"""Shorter lines are left out: they are patterns, noise, or something that is no cloth. Raising it leaves out more."""
_LINE_LEVEL, _INK_FROM, _INK_RANGE = 64, 84, 70
"""Level of lines from which they hang together; from which they have ink; and over which the ink grows to its whole."""
_SMOOTH_U, _LEAST_SMOOTH_PX = 0.018, 0.8
"""How far the edges of lines are smoothed, in distances of the pupils, and at least. Raising them rounds collars and
loses thin seams; lowering them leaves steps, as of charcoal."""
_INKED = 0.42
"""What is left of a cloth's light under a line."""


def cloth_lines(light: NDArray[np.float32], inside: Plane, unit_px: float) -> Plane:
    """Folds, collars and seams: uint8 [h, w], from 0 for none to 255 for the clearest.

    light: float32 [h, w], L*. inside: 255 where the cloth is. unit_px: distance of the pupils. A difference of
    Gaussians, thresholded with hysteresis: Winnemoeller, XDoG (2012), section 2.
    """
    sigma = max(0.8, _LINE_U * unit_px)
    level = light * np.float32(2.55)
    near, far = (cv2.GaussianBlur(level, (0, 0), one) for one in (sigma, sigma * _LINE_WIDER))
    darker = (far - near) / (far + np.float32(_LINE_DARK))
    # Beside something lighter the whole rim of dark cloth is darker than its surroundings: that is no line.
    side = 2 * max(1, round(_VALLEY * sigma)) + 1
    valley = cv2.morphologyEx(near, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)) - near
    is_line = valley > _LEAST_VALLEY * (far + np.float32(_LINE_DARK))
    darker = np.where(is_line, darker, np.float32(0))
    darker = along_lines(darker, unit_px)
    lines = to_levels(darker - np.float32(_LINE_FROM), 255 / (_LINE_FULL - _LINE_FROM), 0.0)
    inner = cv2.erode(inside, np.ones((3, 3), np.uint8))
    lines = cv2.bitwise_and(lines, inner)
    _, marks, stats, _ = cv2.connectedComponentsWithStats(cv2.compare(lines, _LINE_LEVEL, cv2.CMP_GE), connectivity=8)
    length = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    kept = (length >= _LEAST_LINE_U * unit_px).astype(np.uint8) * 255
    kept[0] = 0
    near_kept = cv2.dilate(kept[marks], np.ones((3, 3), np.uint8))
    kept_lines = cv2.bitwise_and(lines, near_kept)
    drawn: Plane = cv2.GaussianBlur(kept_lines, (0, 0), max(_LEAST_SMOOTH_PX, _SMOOTH_U * unit_px))
    return drawn


def draw_lines(picture: Pixels, lines: Plane, ink: float) -> None:
    """Darken a picture uint8 [h, w, 4] along lines, in place. ink: opacity."""
    table = np.full((256, 4), 255, np.uint8)
    share = np.clip((np.arange(256, dtype=np.float32) - _INK_FROM) / _INK_RANGE, 0, 1) * np.float32(ink * (1 - _INKED))
    table[:, :3] = np.round(255 * (1 - share))[:, None]
    kept = cv2.LUT(lines, table.view(np.int32)).view(np.uint8).reshape(picture.shape)
    cv2.multiply(picture, kept, dst=picture, scale=1 / 255)
