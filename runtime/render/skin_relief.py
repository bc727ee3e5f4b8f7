"""The light and shade of a person's skin in the photo, calmed to few clean shapes that keep what is theirs."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import (
    CHIN,
    FACE_OVAL,
    LEFT_WING,
    LIP_BOTTOM,
    NOSE_PROFILE,
    RIGHT_WING,
)
from toonfilter.runtime.render.bare_skin import LAID_OVER, LIPS, averaged, bare_skin
from toonfilter.runtime.render.canvas import Pixels
from toonfilter.runtime.render.colour import Lab, depth_of, to_rgb
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.head_planes import axes_of, disc, half_plane, hull_region
from toonfilter.runtime.render.tones import step_table, to_levels

LEVELS_PER_L = 5.0
"""Levels of the plane for each L* of relief."""
_LEVELS_8BIT = 2.55
"""Levels of OpenCV's 8-bit L* for each L*."""
_COARSE = 4
"""The light around each place is averaged in a picture so many times smaller."""
_UNIT_PX = 30.0
"""Distance of the pupils at which relief is measured. Raising it keeps finer shapes, and a recogniser knows more."""
_CALM_U, _NOSE_CALM_U = 0.20, 0.085
"""How far light is averaged, and on the nose. Raising it: fewer, cleaner shapes, and a recogniser knows less."""
_SPOT_U = 0.30
"""Half the width of lights and shades that are left out, beside the nose's: they look like blotches and coins. Raising
it leaves fewer, larger shapes."""
_EDGE_LEVELS, _EDGE_PX, _PASSES = 7, 2.2, 2
"""Edge-preserving averages: what differs less than so many levels is one shape. Raising it gives fewer shapes."""
_BROAD_U = 1.2
_BROAD_SHARE = 0.35
"""How much of the light that falls on the whole face is taken away. Raising it flattens hard light."""
_CONTRAST_L = 5.3
"""Relief's standard deviation as it is drawn, L*: flat light is deepened and hard light softened towards it."""
_GAINS = (0.45, 1.15)
"""Least and most of that factor."""
_BASE_PERCENTILE = 57.0
"""Of the face's lightness: what is as light is drawn in the flat colour of skin. Raising it draws more shade."""
_BELOW_CHIN = 0.4
"""Share of the relief that is left on the neck, which lies in a drawn shadow."""
_NECK_U, _NECK_EDGE_U = 0.9, 0.10
"""How far below the chin that shadow reaches, and over how much it begins and ends."""
_MOUTH_U, _AROUND_MOUTH = 0.20, 0.3
"""How far around the lips the relief is weaker, and the share of it there: what is dark beside a mouth looks dirty."""
_DOWN_CHIN = np.float32(0.6)
"""How far down the chin that goes on: the hollow above it looks like stubble."""
_NOSE_GROWS_U, _NOSE_EDGE_U = 0.06, 0.06
"""How far around the nose's hull it is looked at more closely, and over how much that ends."""
_NOSE = (*NOSE_PROFILE, *RIGHT_WING, *LEFT_WING)
_ASKED = ("skin", *LAID_OVER)
_DARKEST, _LIGHTEST, _MOST_COVER = -45.0, 25.0, 0.9
"""Steps in L* of the paint that is laid over skin, thinner for smaller steps; and its opacity at most."""
_DEEP_LIGHTER = 1.2
"""By how much more lights are drawn on deep skin, which has no room for shade. Raising it makes it gloss."""
_REDDER_SHADE, _REDDER_LIGHT, _YELLOWER = 0.35, 0.12, 0.15
"""a* and b* that skin gains for each L* that it is darker, and loses for each that it is lighter."""
_DEEP_LIGHT = (-0.10, -0.40)
"""The same two losses of deep skin where it is lighter: its lights are amber. Raising them makes them ashen."""
_SKIN_LEVEL, _FEWEST_PX = 150, 50
"""Level from which a pixel is surely skin, and how many a face must show. Raising them leaves more faces flat."""
_SEEN_LEVEL, _MARGIN_U = 20, 0.4
"""Where skin is seen at all, relief is measured, and so far beside it. Raising the first leaves out faint skin."""
_GRID_PX = 8
_UNKNOWN = 1e-5
"""Weight of what is not looked at: where nothing else is near, it must count."""


def skin_relief(photo: Image, planes: Mapping[str, Plane], landmarks: Landmarks, unit_px: float) -> Plane:
    """How much lighter or darker than the face's middle tone its skin is: uint8 [h, w], 128 for as light.

    photo: uint8 [h, w, 3] RGB. planes: uint8 [h, w]. landmarks: in their px. unit_px: distance of the pupils, px.
    """
    relief: Plane = np.full(photo.shape[:2], 128, np.uint8)
    left, top, right, bottom = _around_skin(planes["skin"], unit_px)
    part = np.s_[top:bottom, left:right]
    if right > left and bottom > top:
        moved = landmarks - np.array([left, top, 0], np.float32)
        relief[part] = _relief_of({name: planes[name][part] for name in _ASKED}, photo[part], moved, unit_px)
    return relief


def _around_skin(skin: Plane, unit_px: float) -> tuple[int, int, int, int]:
    """First column and row, end column and row; what is no skin costs as much."""
    left, top, width, height = cv2.boundingRect(cv2.compare(skin, _SEEN_LEVEL, cv2.CMP_GE))
    if width == 0:
        return 0, 0, 0, 0
    margin, grid = max(1, round(_MARGIN_U * unit_px)), _GRID_PX
    right, bottom = (-(-(end + margin) // grid) * grid for end in (left + width, top + height))
    left, top = (max(0, (begin - margin) // grid * grid) for begin in (left, top))
    return left, top, min(right, skin.shape[1]), min(bottom, skin.shape[0])


def _relief_of(planes: Mapping[str, Plane], photo: Image, landmarks: Landmarks, unit_px: float) -> Plane:
    """See `skin_relief`."""
    height, width = photo.shape[:2]
    factor = min(1.0, _UNIT_PX / max(unit_px, 1.0))
    unit_px *= factor
    size = (max(2, round(width * factor)), max(2, round(height * factor)))
    light = cv2.extractChannel(
        cv2.cvtColor(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB), 0
    )
    points = landmarks[:, :2] * np.float32(factor)
    weight = bare_skin(planes, points, size, unit_px)
    outline = hull_region(points[list(FACE_OVAL)], light.shape)
    face = cv2.bitwise_and(cv2.compare(weight, _SKIN_LEVEL, cv2.CMP_GE), outline)
    if np.count_nonzero(face) < _FEWEST_PX:
        return np.full((height, width), 128, np.uint8)
    share = weight.astype(np.float32) / 255 + np.float32(_UNKNOWN)
    relief = _calm_light(light, share, points, unit_px) - _surroundings(light, share, face, unit_px)
    gain = float(np.clip(_CONTRAST_L * _LEVELS_8BIT / max(float(np.std(relief[face > 0])), 1e-3), *_GAINS))
    level = to_levels(relief, gain * LEVELS_PER_L / _LEVELS_8BIT)
    neck = cv2.subtract(_below_mouth(points, light.shape, unit_px), outline)
    level = _calmed(level, neck, _NECK_EDGE_U * unit_px, _BELOW_CHIN)
    below_lip = points[[LIP_BOTTOM[len(LIP_BOTTOM) // 2]]]
    around = np.concatenate([points[list(LIPS)], below_lip + _DOWN_CHIN * (points[[CHIN]] - below_lip)])
    mouth = cv2.dilate(hull_region(around, light.shape), disc(_MOUTH_U * unit_px))
    level = _calmed(level, mouth, _MOUTH_U * unit_px, _AROUND_MOUTH)
    large: Plane = cv2.resize(level, (width, height), interpolation=cv2.INTER_CUBIC)
    return large


def _calm_light(
    light: Plane, share: NDArray[np.float32], points: NDArray[np.float32], unit_px: float
) -> NDArray[np.float32]:
    """Light in few shapes, more of them on the nose, which needs its bridge and its wings: float32, 8-bit levels."""
    nose = cv2.dilate(hull_region(points[list(_NOSE)], light.shape), disc(_NOSE_GROWS_U * unit_px))
    edge = 2 * max(1, round(_NOSE_EDGE_U * unit_px)) + 1
    nearer = cv2.blur(nose, (edge, edge)).astype(np.float32) / 255
    calm, close = (averaged(light, share, reach * unit_px) for reach in (_CALM_U, _NOSE_CALM_U))
    shapes = cv2.convertScaleAbs(calm + (close - calm) * nearer)
    spot = disc(_SPOT_U * unit_px)
    whole = cv2.morphologyEx(cv2.morphologyEx(shapes, cv2.MORPH_OPEN, spot), cv2.MORPH_CLOSE, spot)
    shapes = cv2.convertScaleAbs(whole + (shapes - whole.astype(np.float32)) * nearer)
    for _ in range(_PASSES):
        shapes = cv2.bilateralFilter(shapes, 7, _EDGE_LEVELS, _EDGE_PX)
    calmed: NDArray[np.float32] = shapes.astype(np.float32)
    return calmed


def _surroundings(light: Plane, share: NDArray[np.float32], face: Plane, unit_px: float) -> NDArray[np.float32]:
    """What counts as neither light nor dark: the face's usual light, and a share of the light around each place."""
    quarter = [
        cv2.resize(one, None, fx=1 / _COARSE, fy=1 / _COARSE, interpolation=cv2.INTER_AREA) for one in (light, share)
    ]
    broad = cv2.resize(averaged(quarter[0], quarter[1], _BROAD_U * unit_px / _COARSE), light.shape[::-1])
    middle = np.float32(np.percentile(light[face > 0], _BASE_PERCENTILE))
    around: NDArray[np.float32] = broad * np.float32(_BROAD_SHARE) + middle * np.float32(1 - _BROAD_SHARE)
    return around


def _below_mouth(points: NDArray[np.float32], shape: tuple[int, ...], unit_px: float) -> Plane:
    """255 from the mouth's corners down to the chest: beside the face that is the neck."""
    _, down = axes_of(points)
    below = half_plane(shape, points[LIP_BOTTOM[0]], down)
    chest = half_plane(shape, points[CHIN] + down * np.float32(_NECK_U * unit_px), down)
    neck: Plane = cv2.subtract(below, chest)
    return neck


def _calmed(level: Plane, where: Plane, edge_px: float, share: float) -> Plane:
    """The relief with a share of it left in some place. edge_px: over how much that begins and ends."""
    soft = 2 * max(1, round(edge_px)) + 1
    inside = cv2.blur(cv2.blur(where, (soft, soft)), (soft, soft))
    kept = cv2.convertScaleAbs(inside, alpha=-(1 - share), beta=255)
    flat = cv2.multiply(cv2.bitwise_not(kept), np.full_like(level, 128), scale=1 / 255)
    calm: Plane = cv2.add(cv2.multiply(level, kept, scale=1 / 255), flat)
    return calm


def relief_picture(relief: Plane, skin: Lab, tones: Sequence[tuple[float, float]], strength: float) -> Pixels:
    """Relief as paint to lay over flat skin: uint8 [h, w, 4] RGBA, premultiplied.

    relief: see `skin_relief`. tones: from which relief on, L*, and its step in L*. strength: 0 none, 1 as they say.
    """
    nearest_first = sorted(tones, key=lambda tone: abs(tone[0]))
    levels = [(128 + start * LEVELS_PER_L, np.array([step], np.float32)) for start, step in nearest_first]
    steps = step_table(levels, np.zeros(1, np.float32))[:, 0] * np.float32(strength)
    steps[steps > 0] *= np.float32(1 + _DEEP_LIGHTER * depth_of(skin))
    darkest, lightest = _toned(skin, _DARKEST), _toned(skin, _LIGHTEST)
    table = np.zeros((256, 4), np.float32)
    table[:, 3] = np.clip(np.where(steps < 0, steps / _DARKEST, steps / _LIGHTEST), 0, _MOST_COVER)
    table[:, :3] = np.where(steps[:, None] < 0, darkest, lightest) * table[:, 3:]
    packed = np.round(table * 255).astype(np.uint8).view(np.int32)
    picture: Pixels = cv2.LUT(relief, packed).view(np.uint8).reshape(*relief.shape, 4)
    return picture


def _toned(skin: Lab, step: float) -> NDArray[np.float32]:
    """Skin lighter or darker by so many L*; darker skin is redder."""
    lightness = float(np.clip(skin[0] + step, 4, 97))
    change = lightness - float(skin[0])
    redder, yellower = (_REDDER_SHADE, _YELLOWER) if change < 0 else (_REDDER_LIGHT, _YELLOWER)
    if change > 0:
        deep = depth_of(skin)
        redder += deep * (_DEEP_LIGHT[0] - redder)
        yellower += deep * (_DEEP_LIGHT[1] - yellower)
    tone: NDArray[np.float32] = to_rgb(
        np.array([lightness, skin[1] - redder * change, skin[2] - yellower * change], np.float32)
    )
    return tone
