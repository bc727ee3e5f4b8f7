"""Skin, lips and irises: true colours, made clean for a drawing."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.colour import Lab
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.measures.photo import MeasuredPhoto, median_lab

REGIONS = (
    (116, 117, 118, 101, 36, 205, 187, 123),
    (345, 346, 347, 330, 266, 425, 411, 352),
    (69, 67, 109, 10, 338, 297, 299, 337, 151, 108),
)
"""Cheeks and forehead."""
_HIDING = ("hair", "glasses", "over", "headwear", "beard")
_USUAL = (38.0, 68.0)
"""Percentiles of lightness that give the skin's flat tone: lights and shade are drawn over it, see `skin_relief`."""
_DEEP_LIPS, _BELOW_GLOSS = (-15.0, -9.0), (20.0, 48.0)
"""How much less red than skin (see `_lips_redder`) lips are that only deep skin has, surely and perhaps; and the
percentiles of its flat tone: on deep skin light is gloss. Raising the latter draws deep skin lighter."""
_FEWEST_PX = 30
_SKIN_HUE = 54.0
_FAIR, _OUT_OF_SHADE = 66.0, 0.55
_REDDER_LIPS, _MOST_REDDER = (0.5, 4.5), 14.0
"""How much redder than skin lips are, a* and half of b*: of deep skin below the first, of fair skin above the second;
and what of paint is believed. Raising the first two takes more skin for deep."""
_PAINTED = (10.0, 26.0)
"""How much redder than skin, in a*, bare lips may be, and painted ones are."""
_STRANDS_U = 0.12
"""Width of the rim of hair whose colours are not its own, in distances of the pupils."""
_OF_HAIR = 0.6
"""What fair hair alone says for fair skin."""
_AS_LIGHT, _YELLOW = (-12.0, 4.0), (7.0, 15.0)
_LIGHT_HAIR = (24.0, 36.0)
"""Lightness of hair over that of skin, its b*, and its lightness, from which it may be and from which it is fair."""
_LIP_MIDDLES = (37, 0, 267, 84, 17, 314, 181, 405)
_DEEP_SHADE = (42.0, 54.0)
"""Lightness of skin below which it may be in deep shade, and above which it is not."""
_WARMED = 7.0
"""Least chroma that fair skin lifted out of cold shade gains."""
_LIFT = 0.07
"""How much lighter, over L* 50, and yellower light skin is drawn than it is measured."""
_LESS_RED, _LESS_YELLOW = 0.03, 0.0
"""How much of that colour light skin gives back where the photo models it."""
_MODELLED = (5.0, 14.0)
"""Spread of lightness, L*, of skin that is flat in the photo, and of skin with full light and shade."""
_LEAST_RED = 8.5
_LEAST_CHROMA, _LEAST_LIVELY = 12.0, 17.0
"""Least chroma of deep and of light skin. Raising them gives pale pictures rosier faces."""
_FULL_CHROMA, _FULLER_SHARE = 26.0, 0.45
"""Chroma from which skin owes its colour to the light, and the share of what is above that stays."""
_MIDDLE_LIFT = 4.5
"""How much lighter skin of middle lightness is drawn, L*: pictures of it hold lights that a flat colour lacks."""


def raw_skin(photo: MeasuredPhoto) -> Lab:
    """The skin as the photo shows it, neither in its lights nor in its shade."""
    pixels = _skin_pixels(photo)
    if len(pixels) < _FEWEST_PX:
        return median_lab(photo.colours_at(photo.face.flat[list(range(0, 468, 7))]))
    usual = _between(pixels, _USUAL)
    deep = 1 - smoothstep(_lips_redder(photo, usual), *_DEEP_LIPS)
    return usual + (_between(pixels, _BELOW_GLOSS) - usual) * np.float32(deep)


def _between(pixels: NDArray[np.float32], percentiles: tuple[float, float]) -> Lab:
    """Mean colour of the pixels whose lightness lies between two percentiles."""
    low, high = np.percentile(pixels[:, 0], percentiles)
    mean: Lab = pixels[(pixels[:, 0] >= low) & (pixels[:, 0] <= high)].mean(0).astype(np.float32)
    return mean


def _skin_pixels(photo: MeasuredPhoto) -> NDArray[np.float32]:
    """L*a*b* of the bare skin of cheeks and forehead: float32 [N, 3]."""
    mask = np.zeros(photo.lab.shape[:2], np.uint8)
    for region in REGIONS:
        hull = cv2.convexHull(np.round(photo.face.flat[list(region)]).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, 1)
    for name in _HIDING:
        plane = photo.planes.get(name)
        if plane is not None and int((mask & (plane < 100)).sum()) > _FEWEST_PX:
            mask &= (plane < 100).astype(np.uint8)
    pixels = photo.lab[mask > 0]
    if len(pixels) < _FEWEST_PX:
        return np.empty((0, 3), np.float32)
    # Hair and frames over the forehead are far from the rest in colour.
    near = np.abs(pixels - np.median(pixels, 0)) < np.array([60, 18, 22])
    kept: NDArray[np.float32] = pixels[near.all(1)]
    return kept


def modelling(photo: MeasuredPhoto) -> float:
    """How much light and shade a photo's skin holds that one flat colour lacks: 0 none to 1."""
    pixels = _skin_pixels(photo)
    if len(pixels) < _FEWEST_PX:
        return 0.0
    low, high = np.percentile(pixels[:, 0], [10, 90])
    return smoothstep(float(high - low), *_MODELLED)


def shaded_fairness(photo: MeasuredPhoto, raw: Lab) -> float:
    """How surely this is fair skin in deep shade, and not deep skin: 0 to 1.

    Lips tell them apart in any light: those of fair skin are redder than it, those of deep skin are less red and bluer.
    So does hair that is yellow and as light as the skin beside it, though it may be dyed.
    """
    surely = min(1.0, smoothstep(_lips_redder(photo, raw), *_REDDER_LIPS) + _OF_HAIR * _fair_hair(photo, raw))
    return (1 - smoothstep(float(raw[0]), *_DEEP_SHADE)) * surely


def _lips_redder(photo: MeasuredPhoto, raw: Lab) -> float:
    """How much redder than the skin lips are: a* and half of b*; what of paint is believed."""
    lip = median_lab(photo.colours_at(photo.face.flat[list(_LIP_MIDDLES)])) - raw
    return min(float(lip[1]), _MOST_REDDER) + 0.5 * float(lip[2])


def _fair_hair(photo: MeasuredPhoto, raw: Lab) -> float:
    """1 for hair that is yellow and as light as the skin, 0 for dark or grey hair."""
    hair = photo.planes.get("hair")
    if hair is None:
        return 0.0
    # Between strands there is the room.
    side = 2 * max(1, round(_STRANDS_U * photo.unit_px)) + 1
    pixels = photo.lab[cv2.erode(hair, np.ones((side, side), np.uint8)) > 200]
    if len(pixels) < _FEWEST_PX:
        return 0.0
    lightness, _, yellow = np.percentile(pixels, 40, axis=0)
    light = smoothstep(float(lightness - raw[0]), *_AS_LIGHT) * smoothstep(float(lightness), *_LIGHT_HAIR)
    return light * smoothstep(float(yellow), *_YELLOW)


def clean_skin(raw: Lab, pale: float = 0.0, modelled: float = 0.0) -> Lab:
    """The drawn skin: as light and as yellow as measured, so that its tone is true, but never grey.

    Light skin gains lightness and yellow in one proportion, deep skin gains red; both keep the typology angle.
    pale: see `shaded_fairness`; such skin is lifted out of the shade by a part. modelled: see `modelling`; a flat
    colour looks darker and fuller than the same skin with its lights, so that much is given back.
    """
    lightness, red, yellow = (float(value) for value in raw)
    chroma = math.hypot(red, yellow)
    hue = math.degrees(math.atan2(yellow, red)) if chroma > 3 else _SKIN_HUE
    turn = math.radians(_SKIN_HUE + 15 * math.tanh((hue - _SKIN_HUE) / 19))
    lightness += _OUT_OF_SHADE * max(_FAIR - lightness, 0) * pale**0.5
    least = _LEAST_CHROMA + (_LEAST_LIVELY - _LEAST_CHROMA) * smoothstep(lightness, 50, 62)
    chroma = max(chroma, least + _WARMED * pale)
    chroma = min(chroma, _FULL_CHROMA + (chroma - _FULL_CHROMA) * (1 - (1 - _FULLER_SHARE) * modelled))
    # Skin in cold or dim light looks ill without its red.
    red = max(chroma * math.cos(turn), _LEAST_RED * smoothstep(lightness, 15, 40))
    yellow = chroma * math.sin(turn)
    light = smoothstep(lightness, 50, 62)
    lightness += _MIDDLE_LIFT * modelled * smoothstep(lightness, 49, 59) * (1 - smoothstep(lightness, 62, 80))
    fuller = 1 + _LIFT * light
    lightness = 50 + (lightness - 50) * fuller if lightness > 50 else lightness
    calm = modelled * light
    return np.array(
        [
            min(lightness + 0.8 * light, 93.0),
            red * (1.05 - 0.10 * light - _LESS_RED * calm) + 0.6,
            yellow * fuller * (1 - _LESS_YELLOW * calm),
        ],
        np.float32,
    )


def skin_shadow(skin: Lab) -> Lab:
    """The same skin in shade: darker, redder, not greyer."""
    dark = 1 - smoothstep(float(skin[0]), 35, 58)
    return np.array([skin[0] * (0.83 - 0.04 * dark) - 1, skin[1] + 7 - 2.5 * dark, skin[2] * 0.98 + 1], np.float32)


def lips(photo: MeasuredPhoto, raw: Lab, skin: Lab) -> tuple[Lab, float]:
    """Colour and strength of the lips, moved from the measured to the drawn skin."""
    top, bottom = photo.curves["lip_top"], photo.curves["lip_bottom"]
    inner_top, inner_bottom = photo.curves["mouth_top"], photo.curves["mouth_bottom"]
    rows = [bottom * t + inner_bottom * (1 - t) for t in (0.3, 0.5, 0.7)]
    rows += [top * t + inner_top * (1 - t) for t in (0.35, 0.6)]
    points = np.concatenate([row[3:-3] for row in rows])
    colours = photo.colours_at(points)
    shown = photo.hidden(points, "beard", "over") < 0.5
    colours = colours[shown] if int(shown.sum()) > 10 else colours
    difference = median_lab(colours) - raw
    red = float(difference[1]) - 0.25 * float(difference[2])
    strength = smoothstep(red, *_PAINTED)
    # One flat colour speaks louder than the soft edge of bare lips; painted lips are flat themselves.
    share = 0.68 + 0.30 * strength
    moved = np.array(
        [
            np.clip(difference[0], -20, -3) * share - 1,
            np.clip(difference[1], 5, 24) * share,
            np.clip(difference[2], -9, 5) * share,
        ],
        np.float32,
    )
    return skin + moved, strength


def lid_darkness(photo: MeasuredPhoto, raw: Lab) -> float:
    """How dark the lash line is, 0 to 1 of the skin's lightness."""
    darkest = []
    offsets = np.linspace(-0.03, 0.025, 6).astype(np.float32) * photo.unit_px
    for side, name in enumerate(("right", "left")):
        if photo.face.eye_visibility[side] < 0.5:
            continue
        lid = photo.curves[f"{name}_upper"][1:-3]
        points = lid[:, None] + photo.face.down[None, None] * offsets[None, :, None]
        darkest.append(float(photo.lightness_at(points).min(1).mean()))
    if not darkest:
        return 0.4
    return 1 - float(np.mean(darkest)) / max(float(raw[0]), 10)
