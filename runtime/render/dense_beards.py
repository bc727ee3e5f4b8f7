"""Where a beard is dense: where it is darker than the skin beside it; the rest is stubble."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import FACE_OVAL, LIP_TOP, NOSE_BASE
from toonfilter.runtime.render.bare_skin import averaged, bare_skin, features_region
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.head_planes import hull_region

_UNIT_PX = 24.0
"""Distance of the pupils at which darkness is measured. Raising it keeps finer shapes, and costs time."""
_DARKER = (0.06, 0.22)
"""How much darker than skin in the same light, as a share, a beard is stubble, and dense. Raising them draws smaller
beards."""
_DOUBTED, _SURE, _SURE_LEFT = 0.5, (200.0, 245.0), 0.75
"""What is left of the plane where it is no darker than skin; levels of the plane from which it may be and is sure, and
what is left there, too: grey beards, and lit halves of others. Raising the first and last draws larger beards."""
_SKIN_REACH_U, _CALM_U, _EDGE_U = 0.6, 0.045, 0.03
"""How far skin tells the light around it; and how far darkness, and what follows from it, are averaged."""
_OWN_LIGHT = 0.6
"""Share of the light around a place in what skin would look like there; the rest is the face's at large."""
_MOUSTACHE, _DENSER_HALF = 128, 75
"""Level from which the plane is a moustache above the lip, and the percentile of its places that tells how dense it
is. Raising the second draws more moustaches of shade on one side."""
_USUAL_PERCENTILE, _FEWEST_PX, _UNKNOWN = 60, 30, 0.03
_SURE_SKIN = 200


def dense_part(planes: Mapping[str, Plane], photo: Image, landmarks: Landmarks, unit_px: float) -> Plane:
    """The plane `beard` less where the photo is hardly darker than skin: uint8 [h, w].

    planes: uint8 [h, w]. photo: uint8 [h, w, 3] RGB. landmarks: in their px. unit_px: distance of the pupils, px.
    """
    factor = min(1.0, _UNIT_PX / max(unit_px, 1.0))
    height, width = planes["beard"].shape
    size = (max(2, round(width * factor)), max(2, round(height * factor)))
    light = cv2.extractChannel(
        cv2.cvtColor(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB), 0
    ).astype(np.float32)
    points, unit_px = landmarks[:, :2] * np.float32(factor), unit_px * factor
    whole = bare_skin(planes, points, size, unit_px)
    skin = (whole > _SURE_SKIN) & (hull_region(points[list(FACE_OVAL)], whole.shape) > 0)
    if np.count_nonzero(skin) < _FEWEST_PX:
        return planes["beard"]
    usual = float(np.percentile(light[skin], _USUAL_PERCENTILE))
    around = averaged(light, skin.astype(np.float32), _SKIN_REACH_U * unit_px, usual, _UNKNOWN)
    expected = around * np.float32(_OWN_LIGHT) + np.float32((1 - _OWN_LIGHT) * usual)
    bare = cv2.bitwise_not(features_region(points, whole.shape, unit_px)).astype(np.float32) / 255
    seen = averaged(light, bare, _CALM_U * unit_px, usual, _UNKNOWN)
    low, high = _DARKER
    share = np.clip((1 - seen / np.maximum(expected, 5) - low) / (high - low), 0, 1)
    share = cv2.GaussianBlur(share * share * (3 - 2 * share), (0, 0), _EDGE_U * unit_px)
    _even_moustache(share, cv2.resize(planes["beard"], size, interpolation=cv2.INTER_AREA), points)
    share = cv2.resize(share, (width, height), interpolation=cv2.INTER_LINEAR)
    dense: Plane = (planes["beard"] * (share + (1 - share) * _LEFT[planes["beard"]])).astype(np.uint8)
    return dense


def _even_moustache(share: NDArray[np.float32], beard: Plane, points: Landmarks) -> None:
    """A moustache is as dense on the lit side as on the other: in place. share: how dense it is, [h, w]."""
    above_lip = hull_region(points[[*LIP_TOP, *NOSE_BASE]], beard.shape) > 0
    moustache = above_lip & (beard >= _MOUSTACHE)
    if np.any(moustache):
        share[moustache] = np.maximum(share[moustache], np.percentile(share[moustache], _DENSER_HALF))


_LEFT = np.interp(np.arange(256), _SURE, (_DOUBTED, _SURE_LEFT)).astype(np.float32)
"""By level of the plane, what is left of it where it is no darker than skin."""
