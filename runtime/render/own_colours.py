"""Skin and hair below the chin that have not the colours of the face's skin and the head's hair are cloth."""

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
_OTHER_HAIR = (34.0, 50.0)
"""The same for hair, as a distance of L*a*b*. Lowering it loses tips that are dyed or lit."""
_SURE_HAIR = 215
_DARK = 15.0
_NEARLY_BALD, _SOME = 0.12, 60
"""Sure hair of a nearly bald head at most, over the face's middle, and the level below which there is no hair."""
_GLEAM_HUE, _GLEAM_DARKER, _GLEAM_PX = 0.20, 6.0, 9
"""Difference from the face's skin, see _OTHER_SKIN, and L* below it, up to which hair on such a head is skin; and the
side of the surroundings that must agree. Raising the first two makes short fair hair bald."""

Floats = NDArray[np.float32]


def with_own_colours(planes: Mapping[str, Plane], photo: Image, middle: Plane, below: Plane) -> dict[str, Plane]:
    """The planes with less skin and hair where their colours are others than the head's.

    photo: uint8 [h, w, 3]. middle: 255 in the middle of the face. below: 255 below the chin, where colours are asked.
    """
    height, width = middle.shape
    size = (max(2, width // _SMALLER), max(2, height // _SMALLER))
    small = {name: cv2.resize(planes[name], size, interpolation=cv2.INTER_AREA) for name in ("skin", "hair")}
    lab = picture_lab(cv2.resize(photo, size, interpolation=cv2.INTER_AREA))
    asked = cv2.resize(below, size, interpolation=cv2.INTER_AREA)
    face = cv2.resize(middle, size, interpolation=cv2.INTER_AREA) > _SURE_HAIR
    result = dict(planes)
    light, red, yellow = cv2.split(lab)
    if np.count_nonzero(face) >= _LEAST_PX:
        share = 1 / (light + np.float32(_DARK))
        away = cv2.max(*(np.abs(hue - np.median(hue[face])) for hue in (red * share, yellow * share)))
        result["skin"] = _less(planes["skin"], away, _OTHER_SKIN, asked)
    hair = (small["hair"] > _SURE_HAIR) & (asked == 0)
    if np.count_nonzero(hair) >= _LEAST_PX:
        light, red, yellow = (plane - np.median(plane[hair]) for plane in (light, red, yellow))
        away = np.sqrt(light * light + red * red + yellow * yellow)
        result["hair"] = _less(planes["hair"], away, _OTHER_HAIR, asked)
    return result


def without_gleams(planes: Mapping[str, Plane], photo: Image, middle: Plane, below: Plane) -> dict[str, Plane]:
    """The planes of a nearly bald head without hair that has the skin's colour and is no darker: light on the skull.

    photo, middle, below: as in `with_own_colours`.
    """
    hair = planes["hair"]
    face = middle > _SURE_HAIR
    above = cv2.bitwise_and(hair, cv2.bitwise_not(below))
    least = int(np.count_nonzero(face))
    if least < _LEAST_PX or int(np.count_nonzero(above > _SURE_HAIR)) > _NEARLY_BALD * least or above.max() < _SOME:
        return dict(planes)
    light, red, yellow = cv2.split(picture_lab(photo))
    share = 1 / (light + np.float32(_DARK))
    away = cv2.max(*(np.abs(hue - np.median(hue[face])) for hue in (red * share, yellow * share)))
    darker = np.float32(np.median(light[face])) - light
    is_skin = ((away < _GLEAM_HUE) & (darker < _GLEAM_DARKER)).astype(np.uint8) * 255
    gleam = cv2.bitwise_and(cv2.blur(is_skin, (_GLEAM_PX, _GLEAM_PX)), above)
    return {**planes, "hair": cv2.subtract(hair, gleam), "skin": cv2.add(planes["skin"], gleam)}


def _less(plane: Plane, away: Floats, limits: tuple[float, float], asked: Plane) -> Plane:
    """The plane without what lies so far away in colour. away, asked: smaller than the plane."""
    low, high = limits
    other = cv2.min(np.clip((away - low) * (255 / (high - low)), 0, 255).astype(np.uint8), asked)
    large = cv2.resize(cv2.blur(other, (3, 3)), (plane.shape[1], plane.shape[0]), interpolation=cv2.INTER_LINEAR)
    kept: Plane = cv2.min(plane, cv2.bitwise_not(large))
    return kept
