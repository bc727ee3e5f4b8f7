"""Skin, lips and irises: true colours, made clean for a drawing."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import LIP_MIDDLES, MESH_POINTS, SKIN_AREAS
from toonfilter.runtime.render.colour import Lab, median_lab
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.measures.photo import MeasuredPhoto

_HIDING = ("hair", "glasses", "over", "headwear", "beard")
_USUAL = (38.0, 68.0)
"""Percentiles of lightness that give the skin's flat tone: lights and shade are drawn over it, see `skin_relief`."""
_DEEP_LIPS, _BELOW_GLOSS = (-15.0, -9.0), (20.0, 48.0)
"""How much less red than skin (see `_lips_redder`) lips are that only deep skin has, surely and perhaps; and the
percentiles of its flat tone: on deep skin light is gloss. Raising the latter draws deep skin lighter."""
_LIT_SIDE, _LIT_SHARE = (65.0, 90.0), 0.6
"""Percentiles of lightness of the lit side of fair skin in light from the side, and how far its tone is taken from
there: the shaded side is no tone. Raising the latter draws such faces lighter."""
_SPREAD_PERCENTILES, _SPREAD = (10.0, 90.0), (14.0, 30.0)
"""Range of lightness, L* between these percentiles, from which light comes from the side, and comes hard."""
_FEWEST_PX = 30
_SKIN_HUE = 54.0
_COLOURLESS, _COLOURLESS_FAIR = (2.0, 6.0), 0.6
"""Chroma of skin in black and white pictures, which say nothing of lips, and how fair it is taken for there."""
_FAIR, _OUT_OF_SHADE = 70.0, 0.65
"""Lightness that fair skin has in good light, and how far skin that lies in shade is lifted towards it."""
_REDDER_LIPS, _MOST_REDDER = (-1.8, 1.6), 14.0
"""How much redder than skin lips are, a* and half of b*: of deep skin below the first, of fair skin above the second;
and what of paint is believed. Raising the first two takes more skin for deep."""
_PAINTED = (11.0, 25.0)
"""How much redder than skin, in a*, bare lips may be, and painted ones are."""
_PAINT_DARKER, _PAINT_BLUER = 26.0, 13.0
"""How much darker and bluer than bare lips painted ones may be."""
_STRANDS_U = 0.12
"""Width of the rim of hair whose colours are not its own, in distances of the pupils."""
_OF_HAIR = 0.6
"""What fair hair alone says for fair skin."""
_SURELY_REDDER, _SURE_SHARE = (3.0, 7.0), 0.2
"""The same from which there is no doubt, however coloured the light is; and the part of the scale of `fairness` that
only this reaches."""
_DEEP_CHROMA, _NEVER_DEEP = (0.44, 0.57), (54.0, 64.0)
"""Chroma over lightness from which skin is deep, unless lips leave no doubt; and lightness from which that may be, and
is, the light's. Lowering the latter draws deep skin in strong light lighter."""
_PINK, _PINK_LIGHT, _PINK_FAIR = (40.0, 47.0), (38.0, 48.0), 0.8
"""Hue in degrees up to which skin is fair, and from which that says nothing; lightness below which it never does, as in
coloured light deep skin is pink, too; and how fair that makes it."""
_AS_LIGHT, _YELLOW = (-12.0, 4.0), (7.0, 15.0)
_LIGHT_HAIR = (24.0, 36.0)
"""Lightness of hair over that of skin, its b*, and its lightness, from which it may be and from which it is fair."""
_SHADE = (46.0, 68.0)
"""Lightness of skin below which it may be in shade, and above which it is not."""
_LIT, _TOO_DARK = 45.0, 0.13
"""Lightness below which skin is drawn lighter than the photo shows it, and by what share of the difference: features
must be seen on it. Raising them lightens deep skin."""
_LIFT, _YELLOWER = 0.24, 0.6
"""How much lighter, over L* 50, light skin is drawn than it is measured, as a flat colour lacks
the lights; and the share of it by which it gains colour, so that its tone stays."""
_HUE_SPREAD, _HUE_LIMIT = 14.0, 8.0
"""How far hues, in degrees, may lie from _SKIN_HUE before they are drawn in, and the farthest that is drawn."""
_NO_HUE, _SURE_HUE = 8.0, 18.0
"""Chroma below which skin's hue says nothing, and from which it is believed."""
_LIGHTNESS = (15.0, 25.0, 35.0, 50.0, 62.0, 72.0, 82.0, 92.0)
_LEAST_CHROMA = (10.0, 15.0, 20.0, 24.0, 21.0, 18.0, 15.0, 10.0)
"""Least chroma of skin at each lightness. Skin in cold or dim light has less, and looks ill in flat colours."""
_WARMED = 3.0
"""What fair skin in shade gains over that."""
_DEEPER = 0.22
"""How much darker deep skin is drawn for each chroma that it gains: colour looks like light."""
_FULL_CHROMA, _FULLER_SHARE, _MOST_FULLER = 26.0, 0.55, 12.0
"""Chroma from which skin owes its colour to the light, the share of what is above that stays, and the most of it."""
_MOST_CHROMA, _YELLOW_SKIN = 34.0, (48.0, 58.0)
"""Chroma that skin has at most in good light, and hues from which skin that has more is deep skin in strong light: it
is drawn as much darker. Raising the former draws it lighter."""
_NOT_DEEP = (0.5, 1.0)
"""Fairness up to which skin may be deep skin in strong light, and at which it never is."""
_LEAST_EXPOSURE = 0.76
"""How much darker it is drawn at most: in light that is strongly coloured nothing tells."""
_DARKEST_SKIN, _LIGHTEST = 26.0, 90.0
"""On darker skin ink could not be seen."""


def raw_skin(photo: MeasuredPhoto) -> Lab:
    """The skin as the photo shows it, neither in its lights nor in its shade."""
    pixels = _skin_pixels(photo)
    if len(pixels) < _FEWEST_PX:
        return median_lab(photo.colours_at(photo.face.flat[list(range(0, MESH_POINTS, 7))]))
    usual = _between(pixels, _USUAL)
    deep = 1 - smoothstep(_lips_redder(photo, usual), *_DEEP_LIPS)
    return usual + (_between(pixels, _BELOW_GLOSS) - usual) * np.float32(deep)


def lit_skin(photo: MeasuredPhoto, raw: Lab, fair: float) -> Lab:
    """`raw_skin` of a face that is lit from the side, nearer to its lit side. fair: see `fairness`; deep skin has gloss
    there.
    """
    pixels = _skin_pixels(photo)
    if len(pixels) < _FEWEST_PX:
        return raw
    low, high = np.percentile(pixels[:, 0], _SPREAD_PERCENTILES)
    share = _LIT_SHARE * fair * smoothstep(float(high - low), *_SPREAD)
    share *= 1 - smoothstep(float(np.hypot(*raw[1:])), _MOST_CHROMA, _MOST_CHROMA + 8)
    return raw + (_between(pixels, _LIT_SIDE) - raw) * np.float32(share)


def _between(pixels: NDArray[np.float32], percentiles: tuple[float, float]) -> Lab:
    """Mean colour of the pixels whose lightness lies between two percentiles."""
    low, high = np.percentile(pixels[:, 0], percentiles)
    mean: Lab = pixels[(pixels[:, 0] >= low) & (pixels[:, 0] <= high)].mean(0).astype(np.float32)
    return mean


def _skin_pixels(photo: MeasuredPhoto) -> NDArray[np.float32]:
    """L*a*b* of the bare skin of cheeks and forehead: float32 [N, 3]."""
    mask = np.zeros(photo.lab.shape[:2], np.uint8)
    for region in SKIN_AREAS:
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


def fairness(photo: MeasuredPhoto, raw: Lab) -> float:
    """How surely this is fair skin, and not deep skin: 0 to 1. The scale's last part, `_SURE_SHARE`, is for what is
    fair however strongly coloured the light is.

    Lips tell them apart: those of fair skin are redder than it, those of deep skin are less red and bluer.
    So does hair that is yellow and as light as the skin beside it, though it may be dyed, and skin that is pink.
    """
    redder = _lips_redder(photo, raw)
    surely = smoothstep(redder, *_SURELY_REDDER)
    chroma = float(np.hypot(*raw[1:]))
    deep = smoothstep(chroma / max(float(raw[0]), 1.0), *_DEEP_CHROMA) * (1 - smoothstep(float(raw[0]), *_NEVER_DEEP))
    lips = (1 - _SURE_SHARE) * smoothstep(redder, *_REDDER_LIPS) * (1 - deep * (1 - surely)) + _SURE_SHARE * surely
    colourless = _COLOURLESS_FAIR * (1 - smoothstep(chroma, *_COLOURLESS))
    return min(1.0, max(lips, colourless, _PINK_FAIR * _pinkness(raw)) + _OF_HAIR * _fair_hair(photo, raw))


def _pinkness(raw: Lab) -> float:
    """1 for skin that is redder than deep skin ever is, 0 for skin that is as yellow."""
    lightness, red, yellow = (float(value) for value in raw)
    pink = 1 - smoothstep(math.degrees(math.atan2(yellow, red)), *_PINK)
    return pink * smoothstep(lightness, *_PINK_LIGHT) * smoothstep(math.hypot(red, yellow), _NO_HUE, _SURE_HUE)


def _lips_redder(photo: MeasuredPhoto, raw: Lab) -> float:
    """How much redder than the skin lips are: a* and half of b*; what of paint is believed."""
    lip = median_lab(photo.colours_at(photo.face.flat[list(LIP_MIDDLES)])) - raw
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


def clean_skin(raw: Lab, fair: float = 0.0) -> Lab:
    """The drawn skin: of the person's tone, in good light.

    fair: see `fairness`; fair skin is lifted out of the shade by a part.
    """
    lightness, red, yellow = (float(value) for value in raw)
    chroma = math.hypot(red, yellow)
    hue_deg = math.degrees(math.atan2(yellow, red))
    too_light = smoothstep(hue_deg, *_YELLOW_SKIN) * (1 - smoothstep(fair, *_NOT_DEEP))
    exposure = max(min(1.0, _MOST_CHROMA / max(chroma, 1.0)), _LEAST_EXPOSURE) ** too_light
    lightness, chroma = lightness * exposure, chroma * exposure
    turned = (hue_deg - _SKIN_HUE) * smoothstep(chroma, _NO_HUE, _SURE_HUE)
    hue = math.radians(_SKIN_HUE + _HUE_LIMIT * math.tanh(turned / _HUE_SPREAD))
    shaded = fair * exposure**3 * (1 - smoothstep(lightness, *_SHADE))
    lightness += _OUT_OF_SHADE * max(_FAIR - lightness, 0) * shaded**0.8
    lightness += _TOO_DARK * max(_LIT - lightness, 0)
    light = smoothstep(lightness, 50, 62)
    lift = _LIFT * light
    lightness = min(lightness + lift * max(lightness - 50, 0), _LIGHTEST)
    fuller = max(
        chroma * (1 + _YELLOWER * lift), float(np.interp(lightness, _LIGHTNESS, _LEAST_CHROMA)) + _WARMED * shaded
    )
    lightness -= _DEEPER * (fuller - chroma) * (1 - light)
    calmer = min(
        fuller, _FULL_CHROMA + _MOST_FULLER * math.tanh((fuller - _FULL_CHROMA) * _FULLER_SHARE / _MOST_FULLER)
    )
    lightness = max(lightness, _DARKEST_SKIN)
    return np.array([lightness, calmer * math.cos(hue), calmer * math.sin(hue)], np.float32)


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
    share = 0.72 + 0.26 * strength
    moved = np.array(
        [
            np.clip(difference[0], -20 - _PAINT_DARKER * strength, -3) * share - 1,
            np.clip(difference[1], 5, 24) * share,
            np.clip(difference[2], -9 - _PAINT_BLUER * strength, 5) * share,
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
