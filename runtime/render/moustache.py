"""Moustaches are even: light from one side hides half of one, and nobody wears half a moustache."""

from collections.abc import Mapping

import cv2
import numpy as np

from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import BELOW_NOSE, FACE_SIDES, MOUTH_CORNERS, NOSE_TIP
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.head_planes import axes_of

_REACH_U, _BELOW_U = 0.55, 0.08
"""How far to either side of the nose a moustache reaches, and below the mouth's corners, in distances of the pupils."""
_SHARE = 0.95
"""How much of one side the other gets. Raising it makes moustaches of shade on one side."""
_LEAST_LEVEL = 70
"""Level that the plane must reach for there to be a moustache."""
_MOST_UNEVEN = 2.0
"""Width of the face's halves, one over the other, beyond which it is turned too far."""


def with_even_moustache(planes: Mapping[str, Plane], landmarks: Landmarks, unit_px: float) -> dict[str, Plane]:
    """The planes with a moustache that is on both sides what it is on the clearer one.

    planes: uint8 [h, w]. landmarks: float32 [478, 3] in their px. unit_px: distance of the pupils.
    """
    beard = planes["beard"]
    across, down = axes_of(landmarks)
    middle = landmarks[BELOW_NOSE, :2]
    top = float((landmarks[NOSE_TIP, :2] - middle) @ down)
    bottom = float((landmarks[list(MOUTH_CORNERS), :2].mean(0) - middle) @ down) + _BELOW_U * unit_px
    halves = [abs(float((landmarks[side, :2] - middle) @ across)) for side in FACE_SIDES]
    if bottom <= top or min(halves) < 1 or max(halves) > _MOST_UNEVEN * min(halves):
        return dict(planes)
    rows = np.arange(top, bottom, dtype=np.float32)
    columns = np.arange(-_REACH_U * unit_px, _REACH_U * unit_px + 1, dtype=np.float32)
    x, y = np.meshgrid(columns, rows)
    to_frame = np.stack([across, down, middle], 1).astype(np.float64)
    size = (len(columns), len(rows))
    shift = np.array([[1, 0, columns[0]], [0, 1, rows[0]], [0, 0, 1]])
    placed = to_frame @ shift
    own = cv2.warpAffine(beard, placed, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    if int(own.max(initial=0)) < _LEAST_LEVEL:
        return dict(planes)
    # A turned head shows less of one half.
    wider = np.where(x < 0, halves[1] / halves[0], halves[0] / halves[1]).astype(np.float32)
    mirrored = cv2.remap(own, -x * wider - columns[0], y - rows[0], cv2.INTER_LINEAR)
    evened = cv2.max(own, cv2.convertScaleAbs(mirrored, alpha=_SHARE))
    back = cv2.warpAffine(evened, placed, beard.shape[::-1], flags=cv2.INTER_LINEAR)
    return {**planes, "beard": cv2.max(beard, back)}
