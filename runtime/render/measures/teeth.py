"""Teeth: cheap enough to be measured in every frame, for they move with speech."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import MOUTH_BOTTOM, MOUTH_TOP
from toonfilter.runtime.render.colour import Lab
from toonfilter.runtime.render.features.curves import resampled
from toonfilter.runtime.render.measures.photo import Picture

_ROWS = np.linspace(0.05, 0.95, 19).astype(np.float32)
_COLUMNS = 9
_LEAST_GAP = 0.05
"""Gap of the lips, in widths of the mouth, from which teeth can be seen."""


def measure_teeth(photo: Picture, landmarks: Landmarks, skin: Lab) -> tuple[float, float]:
    """Share of the mouth's opening that upper and lower teeth fill.

    photo: uint8 [H, W, 3] RGB. landmarks: float32 [478, 3] px of it. skin: the lit skin, which tells the light.
    """
    flat = landmarks[:, :2]
    # The middle of both lips, where teeth are.
    top = resampled(flat[list(MOUTH_TOP[3:-3])], _COLUMNS)
    bottom = resampled(flat[list(MOUTH_BOTTOM[3:-3])], _COLUMNS)
    width = float(np.linalg.norm(landmarks[MOUTH_TOP[-1]] - landmarks[MOUTH_TOP[0]]))
    if float(np.hypot(*(bottom - top).T).mean()) < _LEAST_GAP * width:
        return 0.0, 0.0
    points = top[:, None] + (bottom - top)[:, None] * _ROWS[None, :, None]
    places = np.clip(np.rint(points), 0, (photo.shape[1] - 1, photo.shape[0] - 1)).astype(int)
    seen = photo[places[..., 1], places[..., 0]].astype(np.float32) / 255
    colours = cv2.cvtColor(seen, cv2.COLOR_RGB2LAB)
    lightness = colours[..., 0]
    redness = colours[..., 1] / (lightness + 12)
    skin_red = float(skin[1]) / (float(skin[0]) + 12)
    bright = np.clip((lightness - 0.45 * float(skin[0])) / (0.18 * float(skin[0])), 0, 1)
    red = np.clip((redness - (skin_red + 0.02)) / (0.5 * skin_red + 0.06), 0, 1)
    tooth = np.median(bright * (1 - red), 0) > 0.5
    from_top = _run(tooth)
    from_bottom = 0.0 if from_top > 0.85 else _run(tooth[::-1])
    return from_top, min(from_bottom, 0.5)


def _run(tooth: NDArray[np.bool_]) -> float:
    """Share of the rows from the first on that are teeth; the lip's shadow before them counts as theirs."""
    start = next((number for number in range(6) if tooth[number]), None)
    if start is None:
        return 0.0
    stop = start
    while stop < len(tooth) and tooth[stop]:
        stop += 1
    return stop / len(tooth)
