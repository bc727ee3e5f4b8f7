"""Teeth: cheap enough to be measured in every frame, for they move with speech."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import (
    CHIN,
    FOREHEAD,
    INNER_LIPS,
    LOWER_LIP_RED,
    MOUTH_BOTTOM,
    MOUTH_TOP,
    OUTER_CORNERS,
    UPPER_LIP_RED,
)
from toonfilter.runtime.render.colour import Lab
from toonfilter.runtime.render.features.curves import resampled
from toonfilter.runtime.render.look import Teeth
from toonfilter.runtime.render.measures.photo import Picture

_ROWS = np.linspace(0.05, 0.95, 19).astype(np.float32)
_COLUMNS = 9
_SMILE, _WIDE_GAP, _SMILE_TEETH = 0.045, 0.32, 0.62
"""How far the corners are raised in a smile, over the distance of the eyes' outer corners; gap, in widths of the mouth,
up to which teeth are taken for granted; and the share of it that they fill."""
_LIP_BRIGHT, _MOST_LIP = 0.25, 0.6
"""Brightness, as of teeth, of what may be lip and is not the mouth's depth; and the share of the opening that it fills
at most: meshes of smiles have the lower lip too low. Raising the second draws smiles with less of their teeth."""
_TEETH_ABOVE_LIP = 0.3
"""Share of the opening that upper teeth must fill to tell where the lip below them is. Lowering it makes mouths twitch
in speech."""
_ONE_ROW = 0.85
_LATEST_START = 8
"""Row of the opening by which upper teeth must have begun."""
_LEAST_GAP = 0.05
"""Gap of the lips, in widths of the mouth, from which teeth can be seen."""


def measure_teeth(photo: Picture, landmarks: Landmarks, skin: Lab) -> Teeth:
    """Share of the mouth's opening that upper and lower teeth fill, and the lower lip.

    photo: uint8 [H, W, 3] RGB. landmarks: float32 [478, 3] px of it. skin: the lit skin, which tells the light.
    """
    flat = landmarks[:, :2]
    # The middle of both lips, where teeth are.
    top = resampled(flat[list(MOUTH_TOP[3:-3])], _COLUMNS)
    bottom = resampled(flat[list(MOUTH_BOTTOM[3:-3])], _COLUMNS)
    width = float(np.linalg.norm(landmarks[MOUTH_TOP[-1]] - landmarks[MOUTH_TOP[0]]))
    if float(np.hypot(*(bottom - top).T).mean()) < _LEAST_GAP * width:
        return Teeth(0.0, 0.0, 0.0)
    points = top[:, None] + (bottom - top)[:, None] * _ROWS[None, :, None]
    places = np.clip(np.rint(points), 0, (photo.shape[1] - 1, photo.shape[0] - 1)).astype(int)
    seen = photo[places[..., 1], places[..., 0]].astype(np.float32) / 255
    colours = cv2.cvtColor(seen, cv2.COLOR_RGB2LAB)
    lightness = colours[..., 0]
    redness = _middle(colours[..., 1] / (lightness + 12))
    skin_red = float(skin[1]) / (float(skin[0]) + 12)
    bright = np.clip((_middle(lightness) - 0.42 * float(skin[0])) / (0.16 * float(skin[0])), 0, 1)
    # Between the red of skin and of these lips.
    lip_red = max(_lip_redness(photo, flat), skin_red + 0.06)
    pale = np.clip((0.25 * skin_red + 0.75 * lip_red - redness) / (0.4 * (lip_red - skin_red) + 0.03), 0, 1)
    tooth = bright * pale > 0.5
    from_top, from_bottom = _run(tooth), _run(tooth[::-1])
    is_wide = float(np.hypot(*(bottom - top).T).mean()) >= _WIDE_GAP * width
    lip = 0.0 if is_wide or from_top < _TEETH_ABOVE_LIP else _run((bright > _LIP_BRIGHT)[::-1] & ~tooth[::-1])
    if from_top + lip < _ONE_ROW:
        # What is not next to the teeth is the tongue.
        lip = 0.0
    lip = min(lip, _MOST_LIP)
    if from_top == 0 and _smiles(landmarks) and not is_wide:
        # Who smiles shows teeth, even where they lie in shadow.
        from_top = _SMILE_TEETH
    # Where both runs meet they are one row of teeth.
    return Teeth(min(1.0, from_top / (1 - lip)), 0.0 if from_top + from_bottom > _ONE_ROW else from_bottom, lip)


def _middle(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The median over the columns of the opening, float32 [N]: of an odd number, `np.median` takes longer to begin."""
    middle: NDArray[np.float32] = np.partition(values, _COLUMNS // 2, 0)[_COLUMNS // 2]
    return middle


def _smiles(landmarks: Landmarks) -> bool:
    """Whether the corners of the mouth are clearly raised."""
    across = landmarks[OUTER_CORNERS[1]] - landmarks[OUTER_CORNERS[0]]
    down = landmarks[CHIN] - landmarks[FOREHEAD]
    down = down / max(float(np.linalg.norm(down)), 1e-6)
    corners = landmarks[[MOUTH_TOP[0], MOUTH_TOP[-1]]].mean(0) - landmarks[list(INNER_LIPS)].mean(0)
    return -float(corners @ down) > _SMILE * float(np.linalg.norm(across))


def _lip_redness(photo: Picture, flat: NDArray[np.float32]) -> float:
    points = flat[[*UPPER_LIP_RED, *LOWER_LIP_RED]]
    places = np.clip(np.rint(points), 0, (photo.shape[1] - 1, photo.shape[0] - 1)).astype(int)
    lips = cv2.cvtColor(photo[places[:, 1], places[:, 0]][None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    return float(np.median(lips[:, 1] / (lips[:, 0] + 12)))


def _run(tooth: NDArray[np.bool_]) -> float:
    """Share of the rows from the first on that are teeth; the lip's shadow before them counts as theirs."""
    start = next((number for number in range(_LATEST_START) if tooth[number]), None)
    if start is None:
        return 0.0
    stop = start
    while stop < len(tooth) and tooth[stop]:
        stop += 1
    return stop / len(tooth)
