"""Parts told apart once more by the colours nearby, so that their edges follow the photo and not the network's grid."""

from collections.abc import Mapping
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.sampling import halved
from toonfilter.runtime.render.contours import Plane

_LAID_OVER = ("hair", "headwear", "over")
_COARSE_PX = 8
"""A power of two."""
_REACH_U = 0.32
"""How far around a place a part's colour is gathered, in distances of the pupils. Raising it trusts colours further
away."""
_DOUBT = 0.03
_DOUBT_OF: Mapping[str, float] = {"beard": 0.006, "headwear": 0.01, "over": 0.01}
"""Share that every part nearby is given at least, and what rarer parts are given. Raising it lets colours overrule the
network more often: shadows become beards."""
_WEIGHTS = np.array([0.5, 1, 1], np.float32)
"""Of L*, a*, b*. Raising the first takes shadows for another part more often."""
_PER_LEVEL, _ORIGIN = np.array([100 / 255, 1, 1], np.float32), np.array([0, -128, -128], np.float32)
"""L*a*b* from bytes: for each level, and at 0."""
_NOISE2 = 80.0
"""Least variance of a part's colour, L*a*b* squared. Raising it trusts colours less."""
_SURE_LEVEL = 235
"""Level from which nobody asks a place's colour. Raising it asks more, which costs time, and changes little."""
_BAND_U = 0.04
"""How far beside doubtful places colours are asked, too."""
_GATHERED = 153
"""Level from which a part's places tell its colour."""
_NEAR = 0.02
"""Share of the surroundings that a part must fill for its colour to be known there."""
_SEEN = 60

Floats = NDArray[np.float32]


def with_colour_edges(planes: Mapping[str, Plane], photo: Image, unit_px: float, middle: Plane) -> dict[str, Plane]:
    """The planes with their edges moved to where the colours change: of hair, skin, beard, headwear, cloth and ground.

    photo: uint8 [h, w, 3]. unit_px: distance of the pupils in its px. middle: 255 where nothing but skin and beard is.
    """
    parts = _exclusive(planes, middle)
    names = list(parts)
    highest = parts[names[0]]
    for name in names[1:]:
        highest = cv2.max(highest, parts[name])
    band = 2 * max(1, round(_BAND_U * unit_px)) + 1
    near = np.ones((band, band), np.uint8)
    doubtful = cv2.dilate(cv2.compare(highest, _SURE_LEVEL, cv2.CMP_LT), near)
    places = np.flatnonzero(doubtful)
    if len(places) == 0:
        return dict(planes)
    height, width = doubtful.shape
    cells = _cells(height, width)[places]
    colours = _terms(np.take(photo.reshape(-1, 3), places, axis=0)[None])
    nearby = _terms(_coarse(photo))
    reach = 2 * max(1, round(_REACH_U * unit_px / _COARSE_PX)) + 1
    likely, total = {}, np.full(len(places), 1e-12, np.float32)
    for name, part in parts.items():
        coarse = _coarse(part)
        if int(coarse.max()) < _GATHERED:
            # Its colour is known nowhere: other parts win.
            continue
        constant, *weights = _colour_weights(nearby, coarse, reach)
        fits = np.take(constant, cells, mode="clip")
        for weight, term in zip(weights, colours, strict=True):
            fits += np.take(weight, cells, mode="clip") * term[0]
        doubt = _DOUBT_OF.get(name, _DOUBT)
        share = part.ravel()[places] * np.float32((1 - doubt) / 255) + np.float32(doubt)
        # Where no known colour fits, what the network says stays.
        likely[name] = share * (np.exp(fits) + np.float32(1e-9))
        total += likely[name]
    scale = np.float32(255) / total
    for name, part in parts.items():
        flat = part.ravel()
        if name in likely:
            flat[places] = (likely[name] * scale + np.float32(0.5)).astype(np.uint8)
        elif name != "beard":
            # Thin beards stay what the network says.
            flat[places] = 0
        parts[name] = flat.reshape(doubtful.shape)
    result = _overlapping(planes, parts)
    # A shaded cheek is as dark as a beard: its edge moves, but nowhere is it surer than the network is beside it.
    result["beard"] = cv2.min(result["beard"], cv2.dilate(planes["beard"], near))
    return result


def _coarse(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Means over squares of _COARSE_PX; columns and rows that fill none are left out. Tiny pictures stay."""
    height, width = (side // _COARSE_PX * _COARSE_PX for side in picture.shape[:2])
    if height == 0 or width == 0:
        return picture
    return halved(picture[:height, :width], _COARSE_PX.bit_length() - 1)


@lru_cache(maxsize=8)
def _cells(height: int, width: int) -> NDArray[np.intp]:
    """The place on the coarse picture of each place, flat [height * width]. Read only."""
    if min(height, width) < _COARSE_PX:
        return np.arange(height * width)
    rows, columns = (np.minimum(np.arange(side) // _COARSE_PX, side // _COARSE_PX - 1) for side in (height, width))
    cells: NDArray[np.intp] = (rows[:, None] * (width // _COARSE_PX) + columns[None]).ravel()
    return cells


def _terms(picture: Image) -> list[Floats]:
    """[h, w] each: L*, a*, b*, weighted, and the sum of their squares. picture: uint8 [h, w, 3] RGB."""
    # Whole steps of L*a*b* will do: colours of a part vary by more.
    planes = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB))
    light, red, yellow = (
        plane.astype(np.float32) * weight + origin
        for plane, weight, origin in zip(planes, _WEIGHTS * _PER_LEVEL, _ORIGIN, strict=True)
    )
    return [light, red, yellow, light * light + red * red + yellow * yellow]


def _exclusive(planes: Mapping[str, Plane], middle: Plane) -> dict[str, Plane]:
    """Parts of which each place has one. In the face's middle there are skin and beard alone."""
    parts = {}
    outside = cv2.bitwise_not(middle)
    for name in _LAID_OVER:
        if int(planes[name].max()) > _SEEN:
            parts[name] = cv2.min(planes[name], outside) if name != "over" else planes[name].copy()
    beard = cv2.min(planes["beard"], cv2.max(planes["person"], middle))
    parts["beard"] = beard
    parts["skin"] = cv2.subtract(cv2.max(planes["skin"], middle), beard)
    person = cv2.max(cv2.max(planes["person"], planes["hair"]), middle)
    cloth = person
    for part in parts.values():
        cloth = cv2.subtract(cloth, part)
    return {**parts, "cloth": cloth, "ground": cv2.bitwise_not(person)}


def _overlapping(planes: Mapping[str, Plane], parts: Mapping[str, Plane]) -> dict[str, Plane]:
    """The planes as the network gives them: skin goes on under a beard."""
    laid_over = {name: parts[name] for name in _LAID_OVER if name in parts}
    skin = cv2.add(parts["skin"], parts["beard"])
    return {**planes, **laid_over, "beard": parts["beard"], "skin": skin, "person": cv2.bitwise_not(parts["ground"])}


def _colour_weights(nearby: list[Floats], share: Plane, reach: int) -> list[Floats]:
    """How likely a colour is a part's, as a normal distribution of those nearby tells.

    Weights [h, w] of 1 and of `_terms`, whose sum is the likelihood's logarithm.

    nearby: terms of the surroundings. share: uint8 [h, w], where the part is.
    """
    weight = cv2.compare(share, _GATHERED, cv2.CMP_GE).astype(np.float32) / 255

    def gathered(values: Floats) -> Floats:
        soft: Floats = cv2.blur(cv2.blur(values, (reach, reach)), (reach, reach))
        return soft

    near = gathered(weight)
    total = near + np.float32(1e-4)
    light, red, yellow, squares = (gathered(term * weight) / total for term in nearby)
    square = light * light + red * red + yellow * yellow
    variance = np.maximum(squares - square, 0) / 3 + np.float32(_NOISE2)
    known = np.clip(near / np.float32(_NEAR), 1e-9, 1)
    each = 1 / variance
    constant = np.log(known) - np.float32(0.75) * np.log(variance) - np.float32(0.5) * square * each
    return [constant, light * each, red * each, yellow * each, np.float32(-0.5) * each]
