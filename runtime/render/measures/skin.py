"""Skin and lips: true colours, made clean for a drawing."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import MESH_POINTS, SKIN_AREAS
from toonfilter.runtime.render.colour import Lab, median_lab
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.measures.photo import MeasuredPhoto

_HIDING = ("hair", "glasses", "over", "headwear", "beard")
_USUAL = (38.0, 68.0)
"""Percentiles of lightness that give the skin's flat tone: lights and shade are drawn over it, see `skin_relief`."""
_FEWEST_PX = 30
_HUE_TONES, _HUES = (5.0, 8.0), (59.0, 54.0)
"""Hue of skin up to the first tone on Monk's scale and from the second on, degrees in the plane of a* and b*. Raising
them draws people more golden, and deep skin greenish; lowering them draws them pinker."""
_PAINTED = (11.0, 25.0)
"""How much redder than skin, in a*, bare lips may be, and painted ones are."""
_SURELY_PAINTED = 0.4
"""How strong lips are that look painted in a made-up face though their colour does not show it."""
_LEAST_RED, _PAINT_REDDER = 5.0, 10.0
"""How much redder than skin, in a*, lips are drawn at least, bare ones and what paint adds to that."""
_PAINT_DARKER, _PAINT_BLUER = 26.0, 13.0
"""How much darker and bluer than bare lips painted ones may be."""
_TONES = (1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
"""Tones of skin on Monk's scale, for the rows below."""
_LIGHTNESS = (86.5, 83.0, 81.0, 79.0, 76.5, 73.0, 64.0, 56.0, 47.0, 40.5, 35.0, 31.0)
"""Lightness in which each is drawn. Darker ones are lighter than in life, as features must be seen on them."""
_IN_GOOD_LIGHT = (74.0, 72.0, 71.0, 69.0, 67.0, 64.0, 58.0, 53.0, 46.0, 39.0, 32.0, 27.0)
"""Lightness that each has in a photo in good light."""
_LEAST_CHROMA = (13.0, 16.0, 17.5, 18.5, 20.0, 21.5, 24.0, 25.0, 24.0, 22.0, 19.5, 16.5)
_MOST_CHROMA = (20.0, 24.0, 26.0, 28.0, 30.0, 31.0, 33.0, 34.0, 32.0, 29.0, 25.0, 21.0)
"""Chroma that each has in good light: skin in cold or dim light has less, and looks ill; in warm light it has more."""
_OF_LIGHT, _MOST_OF_LIGHT = 0.3, 9.0
"""Share of the photo's own lightness, over that of such skin in good light, that stays, and the most that is believed.
Raising the former follows the photo where the tone is guessed wrongly, and its light, too."""
_HUE_SPREAD, _HUE_LIMIT = 14.0, 5.0
"""How far hues, in degrees, may lie from the usual one before they are drawn in, and the farthest that is drawn.
Raising the second keeps more of a person's own rosy or olive skin, and of the light's colour."""
_NO_HUE, _SURE_HUE = 8.0, 18.0
"""Chroma below which skin's hue says nothing, and from which it is believed."""
_DARKEST_SKIN, _LIGHTEST = 26.0, 90.0
"""On darker skin ink could not be seen."""


def raw_skin(photo: MeasuredPhoto) -> Lab:
    """The skin as the photo shows it, neither in its lights nor in its shade."""
    pixels = skin_pixels(photo)
    low, high = np.percentile(pixels[:, 0], _USUAL)
    mean: Lab = pixels[(pixels[:, 0] >= low) & (pixels[:, 0] <= high)].mean(0).astype(np.float32)
    return mean


def skin_pixels(photo: MeasuredPhoto) -> NDArray[np.float32]:
    """L*a*b* of the bare skin of cheeks and forehead, of the whole face where these are covered: float32 [N, 3]."""
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
        return photo.colours_at(photo.face.flat[list(range(0, MESH_POINTS, 7))])
    # Hair and frames over the forehead are far from the rest in colour.
    near = (np.abs(pixels - np.median(pixels, 0)) < np.array([60, 18, 22])).all(1)
    kept: NDArray[np.float32] = pixels[near] if near.any() else pixels
    return kept


def clean_skin(raw: Lab, tone: float) -> Lab:
    """The drawn skin: of the person's tone, in good light.

    raw: see `raw_skin`; it gives the hue, and a little of the rest. tone: on Monk's scale, 1 to 10.
    """
    lightness, red, yellow = (float(value) for value in raw)
    chroma = math.hypot(red, yellow)
    lit = lightness - float(np.interp(tone, _TONES, _IN_GOOD_LIGHT))
    drawn = float(np.interp(tone, _TONES, _LIGHTNESS)) + _OF_LIGHT * min(max(lit, -_MOST_OF_LIGHT), _MOST_OF_LIGHT)
    usual = float(np.interp(tone, _HUE_TONES, _HUES))
    turned = (math.degrees(math.atan2(yellow, red)) - usual) * smoothstep(chroma, _NO_HUE, _SURE_HUE)
    hue = math.radians(usual + _HUE_LIMIT * math.tanh(turned / _HUE_SPREAD))
    least, most = (float(np.interp(tone, _TONES, row)) for row in (_LEAST_CHROMA, _MOST_CHROMA))
    calm = min(max(chroma, least), most)
    drawn = min(max(drawn, _DARKEST_SKIN), _LIGHTEST)
    return np.array([drawn, calm * math.cos(hue), calm * math.sin(hue)], np.float32)


def skin_shadow(skin: Lab) -> Lab:
    """The same skin in shade: darker, redder, not greyer."""
    dark = 1 - smoothstep(float(skin[0]), 35, 58)
    return np.array([skin[0] * (0.83 - 0.04 * dark) - 1, skin[1] + 7 - 2.5 * dark, skin[2] * 0.98 + 1], np.float32)


def lips(photo: MeasuredPhoto, raw: Lab, skin: Lab, made_up: float) -> tuple[Lab, float]:
    """Colour and strength of the lips, moved from the measured to the drawn skin. made_up: 0 bare, 1 surely painted."""
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
    strength = made_up * (_SURELY_PAINTED + (1 - _SURELY_PAINTED) * smoothstep(red, *_PAINTED))
    # One flat colour speaks louder than the soft edge of bare lips; painted lips are flat themselves.
    share = 0.72 + 0.26 * strength
    moved = np.array(
        [
            np.clip(difference[0], -20 - _PAINT_DARKER * strength, -3) * share - 1,
            np.clip(difference[1], _LEAST_RED + _PAINT_REDDER * strength, 24) * share,
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
