"""Skin told by the colours of the face: light on a bald head is skin, ties and collars are none."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.render.colour import picture_lab
from toonfilter.runtime.render.contours import Plane

_SMALLER = 2
_LEAST_PX = 30
_OTHER_SKIN = (0.26, 0.40)
"""How far a* and b*, over L* + 15, may lie from those of the face's skin: below the first it is skin, from the second
on cloth. Raising them takes cloth of like colour for skin; lowering them loses hands in coloured light."""
_SURE_SKIN, _FAR_FROM_SKIN = 200, (0.5, 0.7)
"""Level from which skin is sure, as throats in the shadow and hands in coloured light are, and what holds for that in
place of _OTHER_SKIN: orange sleeves are none. Raising the first, or lowering the second, takes more skin for cloth."""
_SURE_HAIR = 215
_DARK = 15.0
_NEARLY_BALD, _SOME = 0.12, 60
"""Sure hair of a nearly bald head at most, over the face's middle, and the level below which there is no hair."""
_GLEAM_HUE, _GLEAM_DARKER, _GLEAM_PX = 0.20, 6.0, 5
"""Difference from the face's skin, see `_other_hue`, and L* below it, up to which hair on such a head is skin; and the
side of the surroundings, in the smaller picture, that must agree. Raising the first two makes short fair hair bald."""
Floats = NDArray[np.float32]


def with_own_skin(planes: Mapping[str, Plane], photo: Image, middle: Plane, below: Plane) -> dict[str, Plane]:
    """The planes with less skin where its colours are others than the face's, most of all where it is doubtful: ties,
    collars, sleeves.

    photo: uint8 [h, w, 3]. middle: 255 in the middle of the face. below: 255 below the chin, where colours are asked.
    """
    size = _smaller(middle)
    face = cv2.resize(middle, size, interpolation=cv2.INTER_AREA) > _SURE_HAIR
    if np.count_nonzero(face) < _LEAST_PX:
        return dict(planes)
    lab = picture_lab(cv2.resize(photo, size, interpolation=cv2.INTER_AREA))
    away, skin = _other_hue(lab, face), planes["skin"]
    doubtful = cv2.min(below, cv2.compare(skin, _SURE_SKIN, cv2.CMP_LT))
    for limits, places in ((_OTHER_SKIN, doubtful), (_FAR_FROM_SKIN, below)):
        skin = _less(skin, away, limits, cv2.resize(places, size, interpolation=cv2.INTER_AREA))
    return {**planes, "skin": skin}


def without_gleams(planes: Mapping[str, Plane], photo: Image, middle: Plane, below: Plane) -> dict[str, Plane]:
    """The planes of a nearly bald head without hair that has the skin's colour and is no darker: light on the skull.

    photo: uint8 [h, w, 3]. middle: 255 in the middle of the face. below: 255 below the chin, where it is not looked.
    """
    hair = planes["hair"]
    least = int(np.count_nonzero(middle > _SURE_HAIR))
    above = cv2.min(hair, cv2.bitwise_not(below))
    if least < _LEAST_PX or int(np.count_nonzero(above > _SURE_HAIR)) > _NEARLY_BALD * least or above.max() < _SOME:
        return dict(planes)
    size = _smaller(middle)
    lab = picture_lab(cv2.resize(photo, size, interpolation=cv2.INTER_AREA))
    face = cv2.resize(middle, size, interpolation=cv2.INTER_AREA) > _SURE_HAIR
    darker = np.median(lab[face, 0]) - lab[..., 0]
    is_skin = ((_other_hue(lab, face) < _GLEAM_HUE) & (darker < _GLEAM_DARKER)).astype(np.uint8) * 255
    gleam = cv2.min(_enlarged(cv2.blur(is_skin, (_GLEAM_PX, _GLEAM_PX)), hair), above)
    return {**planes, "hair": cv2.subtract(hair, gleam), "skin": cv2.add(planes["skin"], gleam)}


def _less(plane: Plane, away: Floats, limits: tuple[float, float], asked: Plane) -> Plane:
    """The plane without what lies so far away in colour. away, asked: smaller than the plane."""
    low, high = limits
    other = cv2.min(np.clip((away - low) * (255 / (high - low)), 0, 255).astype(np.uint8), asked)
    kept: Plane = cv2.min(plane, cv2.bitwise_not(_enlarged(cv2.blur(other, (3, 3)), plane)))
    return kept


def _other_hue(lab: Floats, face: NDArray[np.bool_]) -> Floats:
    """How far a* and b*, over lightness, lie from those of the face's skin: float32 [h, w]. face: where that is."""
    light, red, yellow = cv2.split(lab)
    share = 1 / (light + np.float32(_DARK))
    away: Floats = cv2.max(*(np.abs(hue - np.median(hue[face])) for hue in (red * share, yellow * share)))
    return away


def _smaller(plane: Plane) -> tuple[int, int]:
    """Width and height in px of the smaller picture in which colours are told apart."""
    height, width = plane.shape
    return max(2, width // _SMALLER), max(2, height // _SMALLER)


def _enlarged(small: Plane, plane: Plane) -> Plane:
    large: Plane = cv2.resize(small, (plane.shape[1], plane.shape[0]), interpolation=cv2.INTER_LINEAR)
    return large
