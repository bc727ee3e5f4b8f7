"""Both eyes look at one place: what the mesh says of one alone is mostly its noise."""

import numpy as np

from toonfilter.runtime.geometry.landmarks import EYES
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.smooth import smoothstep

_USUAL = 0.045
"""How far outwards from the eye's middle irises of a straight gaze are, in half widths of the eye: the median of 1,015
frontal faces, whose spread is 0.073."""
_NOISE, _BELIEVED = 0.25, 0.35
"""Difference from that, in half widths, up to which it is mostly noise, and how much of it is drawn; what is beyond is
meant. Raising the former straightens eyes that cross."""
_TURNED = (18.0, 28.0)
"""Yaw in degrees from which eyes are drawn as the mesh has them: the far one is seen from the side."""
_SEEN = 0.9


def vergence_correction(face: FaceGeometry, side: int) -> float:
    """How far to the right an iris is drawn of where the mesh has it, in half widths of the eye."""
    if min(face.eye_visibility) < _SEEN:
        return 0.0
    places = [_place(face, one) for one in (0, 1)]
    away = (places[1] - places[0]) / 2 - _USUAL
    noise = float(np.clip(away, -_NOISE, _NOISE))
    apart = (1 - _BELIEVED) * noise * (1 - smoothstep(abs(face.yaw), *_TURNED))
    return apart if side == 0 else -apart


def _place(face: FaceGeometry, side: int) -> float:
    """Where the iris is between the corners, to the right of their middle, in half widths."""
    eye = EYES[side]
    corners = face.flat[list(eye.corners)]
    width = float(np.linalg.norm(corners[1] - corners[0]))
    return float((face.flat[eye.iris[0]] - corners.mean(0)) @ face.right) / max(width / 2, 1e-3)
