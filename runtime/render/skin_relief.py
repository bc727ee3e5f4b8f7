"""The light and shade of a person's skin in the photo, calmed to few clean shapes that keep what is theirs."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import CHIN, EYES, FACE_OVAL, LIP_BOTTOM, LIP_TOP
from toonfilter.runtime.render.canvas import Pixels
from toonfilter.runtime.render.colour import Lab, to_rgb
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.sure_regions import axes_of, half_plane

LEVELS_PER_L = 5.0
"""Levels of the plane for each L* of relief."""
_UNIT_PX = 30.0
"""Distance of the pupils at which relief is measured. Raising it keeps finer shapes, and a recogniser knows more."""
_CALM_U, _NOSE_CALM_U = 0.10, 0.05
"""How far light is averaged, and on the nose. Raising it: fewer, cleaner shapes, and a recogniser knows less."""
_EDGE_LEVELS, _EDGE_PX, _PASSES = 7, 2.2, 2
"""Edge-preserving averages: what differs less than so many levels is one shape. Raising it gives fewer shapes."""
_BROAD_U = 1.2
_BROAD_SHARE = 0.35
"""How much of the light that falls on the whole face is taken away. Raising it flattens hard light."""
_CONTRAST_L = 7.5
"""Relief's standard deviation as it is drawn, L*: flat light is deepened and hard light softened towards it."""
_GAINS = (0.45, 1.15)
_FEATURES_GROW_U = 0.05
"""How far around eyes, brows and lips the photo is not looked at: they are drawn. Raising it flattens their sockets."""
_BASE_PERCENTILE = 57.0
"""Of the face's lightness: what is as light is drawn in the flat colour of skin. Raising it draws more shade."""
_BELOW_CHIN = 0.4
"""Share of the relief that is left on the neck, which lies in a drawn shadow."""
_NECK_U, _NECK_EDGE_U = 0.9, 0.10
"""How far below the chin that shadow reaches, and over how much it begins and ends."""
_MOUTH_U, _AROUND_MOUTH = 0.20, 0.3
"""How far around the lips the relief is weaker, and the share of it there: what is dark beside a mouth looks dirty."""
_BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (336, 296, 334, 293, 300, 276, 283, 282, 295, 285))
_NOSE = (168, 122, 351, 129, 358, 98, 327, 2)
_DARKEST, _LIGHTEST = -45.0, 25.0
_RAMP_L = 1.0
_UNKNOWN = 1e-5


def skin_relief(photo: Image, planes: Mapping[str, Plane], landmarks: Landmarks, unit_px: float) -> Plane:
    """How much lighter or darker than the face's middle tone its skin is: uint8 [h, w], 128 for as light.

    photo: uint8 [h, w, 3] RGB. planes: uint8 [h, w]. landmarks: in their px. unit_px: distance of the pupils, px.
    """
    height, width = photo.shape[:2]
    factor = min(1.0, _UNIT_PX / max(unit_px, 1.0))
    size = (max(2, round(width * factor)), max(2, round(height * factor)))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    light = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[..., 0]
    points = landmarks[:, :2] * np.float32(factor)
    weight = _believed(planes, points, size, unit_px * factor)
    face_alone = _filled([points[list(FACE_OVAL)]], size)
    face = cv2.bitwise_and(cv2.compare(weight, 150, cv2.CMP_GE), face_alone)
    seen = light[face > 0]
    if len(seen) < 50:
        return np.full((height, width), 128, np.uint8)
    share = weight.astype(np.float32) / 255 + np.float32(_UNKNOWN)
    calm = _averaged(light, share, _CALM_U * unit_px * factor)
    # A nose needs its bridge and its wings.
    nose = cv2.blur(cv2.dilate(_filled([points[list(_NOSE)]], size), _disc(0.06 * unit_px * factor)), (5, 5))
    nearer = _averaged(light, share, _NOSE_CALM_U * unit_px * factor)
    calm = cv2.convertScaleAbs(calm + (nearer - calm) * (nose.astype(np.float32) / 255))
    for _ in range(_PASSES):
        calm = cv2.bilateralFilter(calm, 7, _EDGE_LEVELS, _EDGE_PX)
    quarter = [cv2.resize(one, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA) for one in (light, share)]
    broad = cv2.resize(_averaged(quarter[0], quarter[1], _BROAD_U * unit_px * factor / 4), size)
    middle = np.float32(np.percentile(seen, _BASE_PERCENTILE))
    relief = (calm - np.float32(_BROAD_SHARE) * broad - np.float32(1 - _BROAD_SHARE) * middle) / np.float32(2.55)
    spread = float(np.std(relief[face > 0]))
    relief *= np.float32(np.clip(_CONTRAST_L / max(spread, 1e-3), *_GAINS))
    level = cv2.convertScaleAbs(relief, alpha=LEVELS_PER_L, beta=128)
    level = _calmed(level, _neck(level, points, unit_px * factor), _NECK_EDGE_U * unit_px * factor, _BELOW_CHIN)
    mouth = cv2.dilate(_filled([points[[*LIP_TOP, *LIP_BOTTOM]]], size), _disc(_MOUTH_U * unit_px * factor))
    level = _calmed(level, mouth, _MOUTH_U * unit_px * factor, _AROUND_MOUTH)
    large: Plane = cv2.resize(level, (width, height), interpolation=cv2.INTER_CUBIC)
    return large


def _believed(planes: Mapping[str, Plane], points: NDArray[np.float32], size: tuple[int, int], unit_px: float) -> Plane:
    """Where the photo shows bare skin: uint8, 0 to 255."""
    skin = planes["skin"]
    for name in ("beard", "over", "glasses", "hair"):
        skin = cv2.subtract(skin, planes[name])
    skin = cv2.resize(skin, size, interpolation=cv2.INTER_AREA)
    shapes = [points[[*eye.upper, *eye.lower]] for eye in EYES]
    shapes += [points[list(brow)] for brow in _BROWS] + [points[[*LIP_TOP, *LIP_BOTTOM]]]
    drawn = _filled(shapes, size)
    drawn = cv2.dilate(drawn, _disc(_FEATURES_GROW_U * unit_px))
    believed: Plane = cv2.min(skin, cv2.bitwise_not(drawn))
    return believed


def _neck(level: Plane, points: NDArray[np.float32], unit_px: float) -> Plane:
    """255 below the jaw, where the head's shadow is drawn."""
    size = (level.shape[1], level.shape[0])
    _, down = axes_of(points)
    below = half_plane(level.shape, points[LIP_BOTTOM[0]], down)
    chest = half_plane(level.shape, points[CHIN] + down * np.float32(_NECK_U * unit_px), down)
    neck: Plane = cv2.subtract(cv2.subtract(below, chest), _filled([points[list(FACE_OVAL)]], size))
    return neck


def _calmed(level: Plane, where: Plane, edge_px: float, share: float) -> Plane:
    """The relief with a share of it left in some place. edge_px: over how much that begins and ends."""
    soft = 2 * max(1, round(edge_px)) + 1
    inside = cv2.blur(cv2.blur(where, (soft, soft)), (soft, soft))
    kept = cv2.convertScaleAbs(inside, alpha=-(1 - share), beta=255)
    flat = cv2.multiply(cv2.bitwise_not(kept), np.full_like(level, 128), scale=1 / 255)
    calm: Plane = cv2.add(cv2.multiply(level, kept, scale=1 / 255), flat)
    return calm


def _disc(radius_px: float) -> Plane:
    side = 2 * max(1, round(radius_px)) + 1
    disc: Plane = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return disc


def _filled(shapes: Sequence[NDArray[np.float32]], size: tuple[int, int]) -> Plane:
    mask = np.zeros(size[::-1], np.uint8)
    for shape in shapes:
        cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(shape).astype(np.int32)), 255)
    return mask


def _averaged(light: NDArray[np.uint8], share: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """The mean of what is believed around each place."""
    sigma = max(sigma_px, 0.5)
    sums = cv2.GaussianBlur(light.astype(np.float32) * share, (0, 0), sigma)
    mean: NDArray[np.float32] = sums / cv2.GaussianBlur(share, (0, 0), sigma)
    return mean


def relief_picture(relief: Plane, skin: Lab, tones: Sequence[tuple[float, float]], strength: float) -> Pixels:
    """Relief as paint to lay over flat skin: uint8 [h, w, 4] RGBA, premultiplied.

    relief: see `skin_relief`. tones: from which relief on, L*, and its step in L*. strength: 0 none, 1 as they say.
    """
    steps = _steps(tones) * np.float32(strength)
    darkest, lightest = _toned(skin, _DARKEST), _toned(skin, _LIGHTEST)
    table = np.zeros((256, 4), np.float32)
    table[:, 3] = np.clip(np.where(steps < 0, steps / _DARKEST, steps / _LIGHTEST), 0, 0.9)
    table[:, :3] = np.where(steps[:, None] < 0, darkest, lightest) * table[:, 3:]
    packed = np.round(table * 255).astype(np.uint8).view(np.int32)
    picture: Pixels = cv2.LUT(relief, packed).view(np.uint8).reshape(*relief.shape, 4)
    return picture


def _steps(tones: Sequence[tuple[float, float]]) -> NDArray[np.float32]:
    """float32 [256]: the step in L* of each level."""
    level = (np.arange(256, dtype=np.float32) - 128) / np.float32(LEVELS_PER_L)
    steps = np.zeros(256, np.float32)
    for start, step in sorted(tones, key=lambda tone: abs(tone[0])):
        beyond = (level - start) * np.sign(start)
        steps += (np.float32(step) - steps) * np.clip(beyond / (2 * _RAMP_L) + 0.5, 0, 1).astype(np.float32)
    return steps


def _toned(skin: Lab, step: float) -> NDArray[np.float32]:
    """Skin lighter or darker by so many L*; darker skin is redder."""
    lightness = float(np.clip(skin[0] + step, 4, 97))
    change = lightness - float(skin[0])
    redder = 0.35 if change < 0 else 0.12
    tone: NDArray[np.float32] = to_rgb(
        np.array([lightness, skin[1] - redder * change, skin[2] - 0.15 * change], np.float32)
    )
    return tone
