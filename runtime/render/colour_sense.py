"""Parts told apart once more by the colours nearby, so that their edges follow the photo and not the network's grid."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.render.colour import picture_lab
from toonfilter.runtime.render.contours import Plane

_LAID_OVER = ("hair", "headwear", "over")
_COARSE_PX = 8
_REACH_U = 0.42
"""How far around a place a part's colour is gathered, in distances of the pupils. Raising it trusts colours further
away."""
_DOUBT = 0.03
"""Share that every part nearby is given at least. Raising it lets colours overrule the network more often."""
_WEIGHTS = np.array([0.7, 1, 1], np.float32)
"""Of L*, a*, b*. Raising the first takes shadows for another part more often."""
_NOISE2 = 60.0
"""Least variance of a part's colour, L*a*b* squared. Raising it trusts colours less."""
_SURE_LEVEL = 247
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
    doubtful = cv2.dilate(cv2.compare(highest, _SURE_LEVEL, cv2.CMP_LT), np.ones((band, band), np.uint8))
    places = np.flatnonzero(doubtful)
    if len(places) == 0:
        return dict(planes)
    width = photo.shape[1]
    colours = picture_lab(np.take(photo.reshape(-1, 3), places, 0)[None])[0] * _WEIGHTS
    size = (max(2, width // _COARSE_PX), max(2, photo.shape[0] // _COARSE_PX))
    rows = np.minimum(places // width // _COARSE_PX, size[1] - 1)
    coarse = rows * size[0] + np.minimum(places % width // _COARSE_PX, size[0] - 1)
    small = picture_lab(cv2.resize(photo, size, interpolation=cv2.INTER_AREA)) * _WEIGHTS
    square = (small * small).sum(2)
    reach = 2 * max(1, round(_REACH_U * unit_px / _COARSE_PX)) + 1
    likely = []
    for part in parts.values():
        nearby = _colours_nearby(small, square, cv2.resize(part, size, interpolation=cv2.INTER_AREA), reach)
        here = np.take(nearby.reshape(-1, 5), coarse, 0)
        apart = here[:, :3] - colours
        share = np.take(part.ravel(), places) * np.float32((1 - _DOUBT) / 255) + np.float32(_DOUBT)
        likely.append(share * here[:, 4] * np.exp(np.einsum("ij,ij->i", apart, apart) * here[:, 3]) + np.float32(1e-9))
    scale = np.float32(255) / np.sum(likely, axis=0)
    for name, one in zip(names, likely, strict=True):
        flat = parts[name].ravel()
        flat[places] = (one * scale + np.float32(0.5)).astype(np.uint8)
        parts[name] = flat.reshape(doubtful.shape)
    return _overlapping(planes, parts)


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


def _colours_nearby(lab: Floats, square: Floats, share: Plane, reach: int) -> Floats:
    """What a part's colour is around each place: float32 [h, w, 5]: its mean, -1 over twice its variance, and a weight.

    The weight is 0 where the part is not near, and the less, the more its colours vary. square: lab squared, [h, w].
    """
    weight = cv2.compare(share, _GATHERED, cv2.CMP_GE).astype(np.float32) / 255
    weighted = np.dstack([lab * weight[..., None], square * weight, weight])
    gathered = cv2.blur(cv2.blur(weighted, (reach, reach)), (reach, reach))
    near = np.clip(gathered[..., 4] / _NEAR, 0, 1)
    gathered[..., :4] /= gathered[..., 4:] + np.float32(1e-4)
    mean = gathered[..., :3]
    variance = np.maximum(gathered[..., 3] - (mean * mean).sum(2), 0) / 3 + np.float32(_NOISE2)
    gathered[..., 3] = -0.5 / variance
    gathered[..., 4] = near * variance**-0.75
    return gathered
