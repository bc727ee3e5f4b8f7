"""Skin and hair told by the person's own colours: cloth below the chin, light on a bald head, ears among hair."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import EAR_ROOTS
from toonfilter.runtime.render.colour import picture_lab
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.sure_regions import axes_of

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
_GLEAM_HUE, _GLEAM_DARKER, _GLEAM_PX = 0.20, 6.0, 5
"""Difference from the face's skin, see _OTHER_SKIN, and L* below it, up to which hair on such a head is skin; and the
side of the surroundings, in the smaller picture, that must agree. Raising the first two makes short fair hair bald."""
_EAR_OUT_U, _EAR_HALF_U, _LEAST_EAR_PX = 0.20, (0.34, 0.48), 8
"""How far outside its root an ear's middle lies, and the half axes of where it may be, in distances of the pupils."""
_EAR_WEIGHTS = np.array([0.6, 1.2, 1.0], np.float32)
_DARKEST, _LEAST_APART, _HAIR_LEVEL = 20.0, 12.0, 128
"""Percentile of the colours there that is hair's; least distance of that from skin; and level from which it is hair."""
_NEARER = 0.7
"""Distance of an ear from skin over its distance from hair, at most. Lowering it finds fewer ears."""
_EAR_GAP_U = 0.03
"""Gaps in an ear that are closed, in distances of the pupils, on each side."""
_EVERY_PX = 6
"""The face's skin is known well enough from every so many pixels across and down."""
_LEAST_EAR_U2, _EAR_FILLS = 0.05, 0.35
"""Area of an ear at least, in squared distances of the pupils, and the share of its box that it fills."""

Floats = NDArray[np.float32]


def with_own_colours(planes: Mapping[str, Plane], photo: Image, middle: Plane, below: Plane) -> dict[str, Plane]:
    """The planes with less skin and hair where their colours are others than the head's.

    photo: uint8 [h, w, 3]. middle: 255 in the middle of the face. below: 255 below the chin, where colours are asked.
    """
    size = _smaller(middle)
    small = {name: cv2.resize(planes[name], size, interpolation=cv2.INTER_AREA) for name in ("skin", "hair")}
    lab = picture_lab(cv2.resize(photo, size, interpolation=cv2.INTER_AREA))
    asked = cv2.resize(below, size, interpolation=cv2.INTER_AREA)
    face = cv2.resize(middle, size, interpolation=cv2.INTER_AREA) > _SURE_HAIR
    result = dict(planes)
    if np.count_nonzero(face) >= _LEAST_PX:
        result["skin"] = _less(planes["skin"], _other_hue(lab, face), _OTHER_SKIN, asked)
    hair = (small["hair"] > _SURE_HAIR) & (asked == 0)
    if np.count_nonzero(hair) >= _LEAST_PX:
        light, red, yellow = (plane - np.median(plane[hair]) for plane in cv2.split(lab))
        away = np.sqrt(light * light + red * red + yellow * yellow)
        result["hair"] = _less(planes["hair"], away, _OTHER_HAIR, asked)
    return result


def without_gleams(planes: Mapping[str, Plane], photo: Image, middle: Plane, below: Plane) -> dict[str, Plane]:
    """The planes of a nearly bald head without hair that has the skin's colour and is no darker: light on the skull.

    photo, middle, below: as in `with_own_colours`.
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


def with_ears(
    planes: Mapping[str, Plane], photo: Image, landmarks: Landmarks, middle: Plane, unit_px: float
) -> dict[str, Plane]:
    """The planes with skin where an ear of the skin's colour lies in what the network calls hair.

    photo: uint8 [h, w, 3]. landmarks: float32 [478, 3] px of the planes. middle: 255 in the middle of the face.
    unit_px: distance of the pupils in px.
    """
    hair, skin = planes["hair"], planes["skin"]
    across, _ = axes_of(landmarks)
    angle = float(np.degrees(np.arctan2(across[1], across[0])))
    given, colours = np.zeros_like(hair), None
    for root, way in zip(EAR_ROOTS, (-across, across), strict=True):
        place = landmarks[list(root), :2].mean(0) + way * np.float32(_EAR_OUT_U * unit_px)
        half = np.array(_EAR_HALF_U) * unit_px
        low = np.maximum(np.floor(place - half.max()), 0).astype(int)
        high = np.minimum(np.ceil(place + half.max()), hair.shape[::-1]).astype(int)
        if (high - low < _LEAST_EAR_PX).any():
            continue
        window = np.s_[low[1] : high[1], low[0] : high[0]]
        region = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        centre = tuple(float(value) for value in place - low)
        cv2.ellipse(region, (centre, (2 * float(half[0]), 2 * float(half[1])), angle), 255, -1)
        asked = cv2.bitwise_and(region, cv2.compare(hair[window], _HAIR_LEVEL, cv2.CMP_GE))
        if cv2.countNonZero(asked) < _LEAST_PX:
            continue
        colours = _colours(photo, middle) if colours is None else colours
        if colours is None:
            break
        found = _ear_in(photo[window], asked, colours, unit_px)
        given[window] = cv2.max(given[window], found)
    return {**planes, "hair": cv2.subtract(hair, given), "skin": cv2.add(skin, given)}


def _colours(photo: Image, middle: Plane) -> Floats | None:
    """L*a*b* of the face's skin, float32 [3]; None where too little is seen."""
    every = np.s_[::_EVERY_PX, ::_EVERY_PX]
    pixels = photo[every][middle[every] > _SURE_HAIR]
    if len(pixels) < _LEAST_PX:
        return None
    median: Floats = np.median(picture_lab(pixels[None])[0], 0).astype(np.float32)
    return median


def _ear_in(photo: Image, asked: Plane, skin: Floats, unit_px: float) -> Plane:
    """255 on an ear among hair: the largest patch that is nearer to skin than to that hair. asked: where it may be."""
    none = np.zeros_like(asked)
    lab = picture_lab(photo) * _EAR_WEIGHTS
    own = np.percentile(lab[asked > 0], _DARKEST, axis=0).astype(np.float32)
    skin = skin * _EAR_WEIGHTS
    if float(np.linalg.norm(skin - own)) < _LEAST_APART:
        return none
    nearer = np.linalg.norm(lab - skin, axis=2) < _NEARER * np.linalg.norm(lab - own, axis=2)
    ear = cv2.morphologyEx(nearer.astype(np.uint8) * asked, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(ear)
    if count < 2:
        return none
    best = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    width, height, area = stats[best, cv2.CC_STAT_WIDTH : cv2.CC_STAT_AREA + 1].tolist()
    if area < _LEAST_EAR_U2 * unit_px**2 or area < _EAR_FILLS * width * height:
        return none
    side = 2 * max(1, round(_EAR_GAP_U * unit_px)) + 1
    whole = cv2.morphologyEx((parts == best).astype(np.uint8) * 255, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    found: Plane = cv2.blur(whole, (3, 3))
    return found


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
