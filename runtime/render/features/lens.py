"""Where glasses sit: from outlines in the face's plane to the picture."""

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import EYES
from toonfilter.runtime.geometry.proportions import Points
from toonfilter.runtime.render.face_geometry import FaceGeometry

_BEFORE_EYE = -0.16
"""How far the lenses lie before the eyes' corners, in pupil distances; towards the temples they bend back."""
_BEND = 0.16


def lens_points(face: FaceGeometry, outline: NDArray[np.float32], side: int) -> Points:
    """The outline before one eye of the photo, float32 [N, 2] px.

    outline: float32 [N, 2] pupil distances, x outwards, y down, from the eye's centre.
    """
    eye = EYES[side]
    centre = face.photo_points[list(eye.cross), :2].mean(0)
    outwards = -1.0 if side == 0 else 1.0
    depth = _BEFORE_EYE + _BEND * np.maximum(outline[:, 0] + 0.15, 0) ** 2
    offsets = np.stack([outline[:, 0] * outwards, outline[:, 1], depth], 1)
    placed: Points = centre + (offsets @ face.fit.rotation[:2].T * face.unit_px).astype(np.float32)
    return placed
