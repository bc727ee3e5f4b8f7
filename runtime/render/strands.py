"""Hair's light and dark, gathered along its strands so that tones become long tapered clumps."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.render.colour import Lab, picture_lab, to_rgb
from toonfilter.runtime.render.contours import Plane

_REACH_U = 0.22
"""How far along a strand light and dark are averaged, to either side, in distances of the pupils. Raising it gives
longer, fewer clumps."""
_ALIKE_LEVELS, _ALIKE_U, _MOST_ALIKE_PX = 16, 0.025, 2.5
"""Light that differs by less, and so far around, becomes one. Raising them loses thin strands."""
_STEPS = 4
_GRAIN_U = 0.05
"""Width of the neighbourhood in which strands have one direction. Raising it straightens curls."""
_WIDE_U = 0.34
"""Width of the surroundings that a strand is lighter or darker than. Raising it gives larger shapes."""
_LARGE_PX = 70.0
"""Distance of the pupils above which half the planes' resolution is enough. Raising it costs time."""
_RIM_U = 0.05
"""How far from its edge hair's own light is believed. Raising it keeps skin beside hair from making highlights."""
_CALM_U = 0.014
"""How far tones are averaged at last. Raising it rounds their edges and loses thin strands."""
_THIN_U, _THIN = 0.035, 34.0
"""Width of the surroundings that a single lock is lighter or darker than, and how much that counts. Raising the latter
draws more lines in hair."""
_VOLUME_U = 0.40
"""How broad the curve of a head of hair is that takes the light. Raising it gives one broad light."""
_VOLUME = 6.0
"""Relief of that curve, in L*. Raising it makes broad light and dark stronger beside strands."""
_TINT_UNIT_PX, _TINT_U = 24.0, 0.11
"""Distance of the pupils in the picture in which hair's colours are told apart by place, and how far each is averaged.
Raising the latter makes hair of one colour."""
_TINT_SHARES, _MOST_TINT, _TINT_DOUBT = np.array([0.65, 0.9, 0.9], np.float32), 22.0, 0.05
"""Shares of that difference, of L*, a*, b*, that are drawn; the most of it that is believed; and the share of hair
below which a place has the colour at large."""
_DYED_BLUE = 8.0
"""How much bluer than grey, in b*, a place of hair must be to be drawn so. Raising it loses blue strands."""
_WAYS = 256
"""Directions that are told apart, of a whole turn: what a byte holds, and its bits turn a way about."""

Relief = NDArray[np.float32]
"""float32 [h, w]: how much lighter or darker than around it hair is, in L* of a middling contrast."""


def hair_light(photo: Image, unit_px: float) -> Plane:
    """The lightness of a picture uint8 [h, w, 3] RGB without its grain: uint8 [h, w].

    unit_px: distance of the pupils in its px.
    """
    lab = cv2.cvtColor(np.ascontiguousarray(photo), cv2.COLOR_RGB2LAB)
    reach = float(np.clip(_ALIKE_U * unit_px, 0.6, _MOST_ALIKE_PX))
    light: Plane = cv2.bilateralFilter(cv2.extractChannel(lab, 0), 2 * round(1.2 * reach) + 1, _ALIKE_LEVELS, reach)
    return light


def hair_relief(light: Plane, hair: Plane, unit_px: float, light_side: float = -0.6) -> Relief:
    """light, hair: uint8 [h, w]; see `hair_light`, and where hair is. unit_px: distance of the pupils in their px.

    light_side: see `shade.Light`.
    """
    height, width = light.shape
    if unit_px > _LARGE_PX:
        half = (max(2, width // 2), max(2, height // 2))
        light, hair = (cv2.resize(plane, half, interpolation=cv2.INTER_AREA) for plane in (light, hair))
        unit_px /= 2
    rim = 2 * max(1, round(_RIM_U * unit_px)) + 1
    inside = cv2.compare(cv2.erode(hair, np.ones((rim, rim), np.uint8)), 128, cv2.CMP_GE)
    wide = _surroundings(light, inside, unit_px)
    filled = np.where(inside > 0, light, wide).astype(np.float32)
    gathered = along_lines(filled, unit_px)
    small = (gathered - wide) * (60 / 2.55) / (wide / 2.55 + 18)
    thin = max(0.8, _THIN_U * unit_px)
    small += _THIN * (gathered - cv2.GaussianBlur(gathered, (0, 0), thin)) / (wide / 2.55 + 18)
    small += _VOLUME * _volume(hair, unit_px, light_side)
    calm = 2 * round(_CALM_U * unit_px) + 1
    small = cv2.blur(small, (calm, calm))
    relief: Relief = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return relief


def hair_tints(photo: Image, hair: Plane, base: Lab, unit_px: float) -> NDArray[np.float32]:
    """How far hair's own colour around each place is from its colour at large: float32 [h, w, 3] sRGB, small.

    photo, hair: uint8 [H, W, 3] and [H, W]. base: the colour at large as it is drawn. unit_px: distance of the pupils.
    """
    factor = min(1.0, _TINT_UNIT_PX / max(unit_px, 1.0))
    size = (max(2, round(hair.shape[1] * factor)), max(2, round(hair.shape[0] * factor)))
    rim = 2 * max(1, round(_RIM_U * unit_px)) + 1
    inner = cv2.erode(hair, np.ones((rim, rim), np.uint8))
    weight = cv2.resize(inner, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = picture_lab(cv2.resize(photo, size, interpolation=cv2.INTER_AREA))
    total = float(weight.sum())
    if total < 1:
        return np.zeros((2, 2, 3), np.float32)
    mean = (lab * weight[..., None]).sum((0, 1)) / total
    sigma = _TINT_U * _TINT_UNIT_PX
    sums = cv2.GaussianBlur((lab - mean) * weight[..., None], (0, 0), sigma)
    apart = sums / (cv2.GaussianBlur(weight, (0, 0), sigma) + np.float32(_TINT_DOUBT))[..., None]
    tinted = base + np.clip(apart, -_MOST_TINT, _MOST_TINT) * _TINT_SHARES
    # A little blue in brown or black hair is the light; more of it is dyed.
    least = np.minimum(base[2], np.float32(0))
    is_light = (tinted[..., 2] < least) & (tinted[..., 2] > least - _DYED_BLUE)
    tinted[..., 2] = np.where(is_light, least, tinted[..., 2])
    tints: NDArray[np.float32] = to_rgb(tinted.astype(np.float32)) - to_rgb(base)
    return tints


def _volume(hair: Plane, unit_px: float, light_side: float) -> NDArray[np.float32]:
    """How far hair, taken as a round body, faces the light: about -1 to 1."""
    reach = 2 * max(1, round(_VOLUME_U * unit_px)) + 1
    # Beyond the part of the picture that is looked at there is no hair.
    body = cv2.copyMakeBorder(hair, reach, reach, reach, reach, cv2.BORDER_CONSTANT)
    body = cv2.blur(cv2.blur(body, (reach, reach)), (reach, reach)).astype(np.float32) / 255
    across = cv2.Sobel(body, cv2.CV_32F, 1, 0, scale=unit_px / 8)
    down = cv2.Sobel(body, cv2.CV_32F, 0, 1, scale=unit_px / 8)
    facing: NDArray[np.float32] = down * np.float32(0.83) - across * np.float32(np.sign(light_side) * 0.55)
    return facing[reach:-reach, reach:-reach]


def _surroundings(tone: Plane, inside: Plane, unit_px: float) -> NDArray[np.float32]:
    """The mean of hair around each place, of a picture half the size."""
    height, width = tone.shape
    size = (max(2, width // 2), max(2, height // 2))
    weight = cv2.resize(inside, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    sums = cv2.resize(cv2.bitwise_and(tone, inside), size, interpolation=cv2.INTER_AREA).astype(np.float32)
    reach = 2 * max(1, round(_WIDE_U * unit_px / 2)) + 1
    blur = (reach, reach)
    around = cv2.blur(cv2.blur(sums, blur), blur) / (cv2.blur(cv2.blur(weight, blur), blur) + 1e-3)
    wide: NDArray[np.float32] = cv2.resize(around, (width, height), interpolation=cv2.INTER_LINEAR)
    return wide


def along_lines(light: NDArray[np.float32], unit_px: float) -> NDArray[np.float32]:
    """Averages along the direction of lines, as of strands: an integral over the structure tensor's minor direction.

    light: float32 [h, w]. unit_px: distance of the pupils, px. Line integral convolution: Cabral, Leedom, Imaging
    Vector Fields Using Line Integral Convolution (1993), section 3.
    """
    across, down = cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1)
    grain = max(1.0, _GRAIN_U * unit_px)
    size = 2 * round(2 * grain) + 1
    xx, yy, xy = (cv2.blur(one, (size, size)) for one in (across * across, down * down, across * down))
    # Doubled angle: directions that differ by half a turn are one.
    angle = cv2.phase(xx - yy, 2 * xy)
    flow = (angle * np.float32(_WAYS / (4 * np.pi)) + np.float32(_WAYS / 4 + 0.5)).astype(np.uint8)
    height, width = light.shape
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    start, steps = cv2.merge([columns, rows]), _steps(_REACH_U * unit_px / _STEPS)
    total, weights = light.copy(), 1.0
    for turn in (0, _WAYS // 2):
        place, heading = start, flow ^ np.uint8(turn)
        for number in range(1, _STEPS + 1):
            place = cv2.add(place, cv2.LUT(heading, steps).view(np.float32).reshape(height, width, 2))
            weight = float(np.exp(-1.5 * (number / _STEPS) ** 2))
            there = cv2.remap(light, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            cv2.scaleAdd(there, weight, total, dst=total)
            weights += weight
            if number < _STEPS:
                there = cv2.remap(flow, place, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
                # Of both ways along a line, the one that is within a quarter turn.
                heading = there ^ ((there - heading + np.uint8(_WAYS // 4)) & np.uint8(_WAYS // 2))
    gathered: NDArray[np.float32] = total / np.float32(weights)
    return gathered


def _steps(length_px: float) -> NDArray[np.float64]:
    """One step in each of _WAYS directions: pairs of float32, taken for one number so that `cv2.LUT` finds them."""
    angles = np.arange(_WAYS, dtype=np.float32) * np.float32(2 * np.pi / _WAYS)
    pairs = np.stack([np.cos(angles), np.sin(angles)], 1) * np.float32(length_px)
    steps: NDArray[np.float64] = pairs.view(np.float64).ravel()
    return steps
