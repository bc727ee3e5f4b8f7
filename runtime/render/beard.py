"""The beard as a shape of the face: read on the face's map, made symmetric and smooth, and laid back onto the head."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import LIP_BOTTOM, LIP_TOP
from toonfilter.runtime.render.contours import Plane, Points, outlines
from toonfilter.runtime.render.face_map import SIDE, FaceMap, mean_cells

BeardMap = NDArray[np.float32]
"""float32 [SIDE, SIDE] on the face's map: 0 bare skin, about 0.5 stubble, 1 dense."""

DENSE = 0.48
"""Density from which a beard is drawn as hair. Raising it draws more of them as stubble."""
STUBBLE = 0.22
"""Density from which stubble is drawn. Raising it leaves weak stubble out."""
_SOFT_CELLS = 2.0
_GAP_CELLS = 9
"""Gaps narrower than this are closed. Raising it joins moustache, chin and cheeks."""
_LEAST_CELLS2 = 12.0
_LIP_MARGIN_CELLS = 1
_LEVEL = 255


def measure_beard(plane: Plane, landmarks: Landmarks) -> BeardMap:
    """Where hair grows on a face and how densely. plane: uint8 [h, w], the field `beard`. landmarks: in its px."""
    face = FaceMap(landmarks)
    seen = cv2.remap(plane, face.places[..., 0], face.places[..., 1], cv2.INTER_LINEAR).astype(np.float32) / 255
    trust = np.clip(-3 * face.normals[..., 2], 0.02, 1) * face.known
    mirrored, mirrored_trust = seen[:, ::-1], trust[:, ::-1]
    even = (seen * trust + mirrored * mirrored_trust) / (trust + mirrored_trust + 1e-3)
    grown = (even * face.known).astype(np.float32)
    return _calm(cv2.morphologyEx(grown, cv2.MORPH_CLOSE, np.ones((_GAP_CELLS, _GAP_CELLS), np.uint8)))


def beard_shapes(face: FaceMap, beard: BeardMap, density: float) -> list[Points]:
    """Outlines in px of where the beard is denser than this; the lips are left free."""
    free = (np.where(_lips(), 0, beard / density * 128)).clip(0, _LEVEL).astype(np.uint8)
    shapes = outlines(free, blur_px=1.0, smooth_px=2.5, least_px2=_LEAST_CELLS2)
    return [face.to_picture(shape) for shape in shapes]


def _calm(beard: BeardMap) -> BeardMap:
    soft: BeardMap = cv2.GaussianBlur(beard, (0, 0), _SOFT_CELLS)
    return soft


@lru_cache(maxsize=1)
def _lips() -> NDArray[np.bool_]:
    plane = np.zeros((SIDE, SIDE), np.uint8)
    ring = mean_cells()[[*LIP_TOP, *LIP_BOTTOM[::-1]]]
    cv2.fillPoly(plane, [np.rint(ring).astype(np.int32)], 1)
    size = 2 * _LIP_MARGIN_CELLS + 1
    wide: NDArray[np.bool_] = cv2.dilate(plane, np.ones((size, size), np.uint8)) > 0
    return wide
