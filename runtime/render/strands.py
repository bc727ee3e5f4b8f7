"""Hair's light and dark, gathered along its strands so that tones become long tapered clumps."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.contours import Plane, Points

_REACH_U = 0.34
"""How far along a strand light and dark are averaged, to either side, in distances of the pupils. Raising it gives
longer, fewer clumps."""
_STEPS = 4
_GRAIN_U = 0.05
"""Width of the neighbourhood in which strands have one direction. Raising it straightens curls."""
_WIDE_U = 0.34
"""Width of the surroundings that a strand is lighter or darker than. Raising it gives larger shapes."""
_RIM_U = 0.05
"""How far from its edge hair's own light is believed. Raising it keeps skin beside hair from making highlights."""

_CALM_U = 0.03
"""How far tones are averaged at last. Raising it rounds their edges and loses thin strands."""
_LINE_U, _LINE_POINTS = 0.62, 9
"""Length of strands' lines, in distances of the pupils, and the points of each."""
_SEEDS_U = 0.24
"""How far apart they begin. Lowering it draws more of them."""
_FLOW_U, _OUTLINE_U, _OUTLINE = 0.10, 0.22, 0.6
"""Neighbourhoods in which strands and the outline have one direction, and the outline's weight beside strands. Raising
the weight lets lines follow the head's shape rather than curls."""
_INSIDE = 150
_VOLUME_U = 0.40
"""How broad the curve of a head of hair is that takes the light. Raising it gives one broad light."""
_VOLUME = 9.0
"""Relief of that curve, in L*. Raising it makes broad light and dark stronger beside strands."""
_STRAND = 0.75
"""Weight of the strands' own relief beside the curve's."""
_ONE = np.float32(1)
_SUM = np.ones((1, 2), np.float32)

Relief = NDArray[np.float32]
"""float32 [h, w]: how much lighter or darker than around it hair is, in L* of a middling contrast."""


def hair_relief(tone: Plane, hair: Plane, unit_px: float, light_side: float = -0.6) -> Relief:
    """tone, hair: uint8 [h, w], fields of those names. unit_px: distance of the pupils in their px.

    light_side: see `shade.Light`.
    """
    height, width = tone.shape
    half = (max(2, width // 2), max(2, height // 2))
    tone, hair = (cv2.resize(plane, half, interpolation=cv2.INTER_AREA) for plane in (tone, hair))
    unit_px /= 2
    rim = 2 * max(1, round(_RIM_U * unit_px)) + 1
    inside = cv2.compare(cv2.erode(hair, np.ones((rim, rim), np.uint8)), 128, cv2.CMP_GE)
    wide = _surroundings(tone, inside, unit_px)
    filled = np.where(inside > 0, tone, wide).astype(np.float32)
    gathered = _along_strands(filled, unit_px)
    small = (gathered - wide) * (60 / 2.55) / (wide / 2.55 + 18)
    small = _STRAND * small + _VOLUME * _volume(hair, unit_px, light_side)
    calm = 2 * max(1, round(_CALM_U * unit_px)) + 1
    small = cv2.blur(small, (calm, calm))
    relief: Relief = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return relief


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


def _along_strands(light: NDArray[np.float32], unit_px: float) -> NDArray[np.float32]:
    """Averages along the direction of strands: a line integral over the structure tensor's minor direction."""
    across, down = cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1)
    grain = max(1.0, _GRAIN_U * unit_px)
    size = 2 * round(2 * grain) + 1
    xx, yy, xy = (cv2.blur(one, (size, size)) for one in (across * across, down * down, across * down))
    # Doubled angle: directions that differ by half a turn are one.
    angle = cv2.phase(xx - yy, 2 * xy)
    flow = cv2.merge(cv2.polarToCart(None, 0.5 * angle + np.float32(np.pi / 2)))
    height, width = light.shape
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    start = cv2.merge([columns, rows])
    step = _REACH_U * unit_px / _STEPS
    total, weights = light.copy(), 1.0
    for sense in (1.0, -1.0):
        place, heading = start, flow * np.float32(sense)
        for number in range(1, _STEPS + 1):
            place = cv2.scaleAdd(heading, step, place)
            weight = float(np.exp(-1.5 * (number / _STEPS) ** 2))
            there = cv2.remap(light, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            total = cv2.scaleAdd(there, weight, total)
            weights += weight
            if number < _STEPS:
                there = cv2.remap(flow, place, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
                agrees = cv2.transform(cv2.multiply(there, heading), _SUM)
                heading = cv2.multiply(there, cv2.merge([np.copysign(_ONE, agrees)] * 2))
    gathered: NDArray[np.float32] = total / np.float32(weights)
    return gathered


def strand_lines(tone: Plane, hair: Plane, unit_px: float, anchor: tuple[float, float]) -> list[Points]:
    """Lines along the strands, for ink: float32 [_LINE_POINTS, 2] each, px of the planes.

    tone, hair: as in `hair_relief`. anchor: a point of the head, px; lines keep their places beside it as it moves.
    """
    height, width = tone.shape
    half = (max(2, width // 2), max(2, height // 2))
    tone, hair = (cv2.resize(plane, half, interpolation=cv2.INTER_AREA) for plane in (tone, hair))
    unit_px /= 2
    step = _SEEDS_U * unit_px
    # Counted from the anchor: the same line is the same line in the next frame.
    columns, rows = (
        np.arange(math.floor(-place / 2 / step) - 1, math.ceil((side - place / 2) / step) + 1)
        for place, side in zip(anchor, half, strict=True)
    )
    across, down = np.meshgrid(columns, rows)
    seeds = np.stack([across + 0.5 * (down % 2), down], -1) * step + np.array(anchor) / 2
    flow = _flow(tone, hair, unit_px)
    paths = _followed(flow, seeds.astype(np.float32).reshape(1, -1, 2), _LINE_U * unit_px / (_LINE_POINTS - 1))
    inside = cv2.erode(hair, np.ones((2 * max(1, round(_RIM_U * unit_px)) + 1,) * 2, np.uint8))
    seen = cv2.remap(inside, paths, None, cv2.INTER_LINEAR, borderValue=0).min(0) > _INSIDE
    return list(2 * paths.transpose(1, 0, 2)[seen])


def _flow(tone: Plane, hair: Plane, unit_px: float) -> NDArray[np.float32]:
    """Unit vectors along strands, float32 [h, w, 2]: of the picture, and of the outline where the picture is flat."""
    total = np.zeros((3, *tone.shape), np.float32)
    for plane, grain_u, weight in ((tone, _FLOW_U, 1.0), (hair, _OUTLINE_U, _OUTLINE)):
        size = 2 * max(1, round(grain_u * unit_px)) + 1
        soft = cv2.blur(plane, (size // 2 * 2 + 1,) * 2) if plane is hair else plane
        across, down = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
        for place, one in enumerate((across * across, down * down, across * down)):
            total[place] += weight * cv2.blur(cv2.blur(one, (size, size)), (size, size))
    angle = 0.5 * np.arctan2(2 * total[2], total[0] - total[1]) + np.float32(np.pi / 2)
    return np.dstack([np.cos(angle), np.sin(angle)]).astype(np.float32)


def _followed(flow: NDArray[np.float32], seeds: Points, step: float) -> Points:
    """Places along the flow from seeds float32 [1, N, 2], downwards first: float32 [_LINE_POINTS, N, 2]."""
    place, path = seeds, [seeds]
    heading = np.broadcast_to(np.array([0.2, 1.0], np.float32), seeds.shape)
    for _ in range(_LINE_POINTS - 1):
        there = cv2.remap(flow, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        heading = there * np.where((there * heading).sum(2, keepdims=True) < 0, np.float32(-1), np.float32(1))
        place = place + heading * np.float32(step)
        path.append(place)
    return np.concatenate(path)
