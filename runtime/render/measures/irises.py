"""Colour of the irises, told from the skin in the same light: brown is as warm as skin, and only cool is blue."""

import numpy as np

from toonfilter.runtime.geometry.landmarks import EYES
from toonfilter.runtime.render.colour import Lab, median_lab
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.measures.photo import MeasuredPhoto

_BROWN = np.array([30, 13, 20], np.float32)
_FEWEST = 10
_LIGHT, _LIGHT_ENOUGH = (0.30, 0.50), (22.0, 30.0)
"""Lightness over that of skin, and lightness, from which a warm iris is hazel and not brown."""
_COOL_LIGHT = (10.0, 14.0)
"""Lightness below which an iris has no colour that could be told."""
_WARMTH, _WARMTH_SPREAD = 0.33, 0.06
"""Chroma over that of skin below which an iris is cool, and half the width of the doubt."""
_WARMTH_RISE = 0.4
"""How much more warmth light irises may have and still be cool, for each unit of lightness over that of skin."""
_USUAL_SHARE = 0.4
"""Chroma of an iris without a colour of its own, over that of skin."""
_COLOURED_SKIN = (4.0, 9.0)
"""Red and yellow of skin, together, below which the light is too cold, or the picture too grey, to tell."""
_DARK, _DARK_RELATIVE = (19.0, 25.0), (0.36, 0.44)
"""Lightness, and lightness over that of skin, of irises so dark that brown ones have hardly any colour."""
_SURELY_COOL = (0.0, 1.2)
"""Red or yellow left in such an iris that is still cool, and that is brown."""
_NEARLY_BLACK, _NEARLY_BLACK_DOUBT = (16.0, 20.0), 3.8
"""Lightness of irises that take any colour of the light, and how much cooler they must be."""
_REDDISH = (0.24, 0.38)
"""Red of a dark iris over that of skin, from which it is brown, however blue the sky in it."""
_PINKISH, _GREY_LIGHTNESS, _GREY_RELATIVE = (0.62, 0.92), (26.0, 34.0), (0.38, 0.46)
"""Yellow over red of a light iris below which it is grey or blue in warm light: brown has more yellow than red; and
the lightness, and lightness over that of skin, from which that can be told."""
_NARROW = 0.6
"""Opening over the iris' diameter below which the lids' edges and the white are among what is read."""
_TOO_DARK = (0.27, 0.36)
"""Lightness over that of skin below which blue in an iris is the sky's."""
_OWN_BLUE, _GREYEST = (-3.0, 7.0), 0.35
"""b* below 0 of an iris that is grey, and of one that is as blue as blue eyes are drawn; and what grey has of that."""
_OF_COLOUR, _COOL = 0.25, (0.38, 0.52)
"""How much an iris' own colour says for its being grey, green or blue, beside the whole face; and from which sum it may
be, and is. Raising the latter draws more eyes brown."""
_BLUE, _VIVID, _VIOLET = (0.05, 0.45), (2.0, 9.0), (6.0, 16.0)


def iris(photo: MeasuredPhoto, raw: Lab, *, behind_glasses: bool, eye_light: float) -> Lab:
    """Colour of the irises as drawn. raw: the skin as the photo shows it. eye_light: see `Appearance`."""
    found, openings = [], []
    for side, eye in enumerate(EYES):
        if photo.face.eye_visibility[side] < 0.5:
            continue
        centre, *edge = photo.face.flat[list(eye.iris)]
        radius = float(np.mean([np.hypot(*(point - centre)) for point in edge]))
        turns = np.radians(np.arange(-10, 191, 12))
        rings = [centre + radius * share * np.stack([np.cos(turns), np.sin(turns)], 1) for share in (0.55, 0.68, 0.8)]
        points = np.concatenate(rings).astype(np.float32)
        upper, lower = (
            float(np.median(photo.curves[f"{('right', 'left')[side]}_{lid}"][5:10] @ photo.face.down))
            for lid in ("upper", "lower")
        )
        height = points @ photo.face.down
        inside = (height > upper + 0.2 * (lower - upper)) & (height < lower - 0.05 * (lower - upper))
        found.append(photo.colours_at(points[inside]))
        openings.append((lower - upper) / max(2 * radius, 1e-3))
    colours = np.concatenate(found) if found else np.empty((0, 3), np.float32)
    if len(colours) < _FEWEST:
        return _BROWN
    low, high = np.percentile(colours[:, 0], [30, 85] if max(openings) > _NARROW else [5, 45])
    colours = colours[(colours[:, 0] >= low) & (colours[:, 0] <= high)]
    return drawn_iris(median_lab(colours), raw, behind_glasses=behind_glasses, eye_light=eye_light)


def drawn_iris(measured: Lab, raw: Lab, *, behind_glasses: bool, eye_light: float) -> Lab:
    """From the photo's iris colour to the drawn one. raw: the skin in the same light. eye_light: see `Appearance`."""
    lightness = float(measured[0])
    relative = lightness / max(float(raw[0]), 20)
    light = smoothstep(relative, *_LIGHT) * smoothstep(lightness, *_LIGHT_ENOUGH)
    cool = coolness(measured, raw)
    # The colour of a few pixels and the look of the whole face are right more often together than either alone.
    cool = smoothstep(_OF_COLOUR * cool + (1 - _OF_COLOUR) * eye_light, *_COOL)
    if behind_glasses:
        # Glass reflects the sky.
        cool, light = cool * 0.6, light * 0.6
    brown = _BROWN + np.array([np.clip((lightness - 24) * 0.35, -6, 6), 0, 0], np.float32)
    hazel = np.array([np.clip(lightness * 1.0 + 2, 34, 48), 9, 26], np.float32)
    warm = brown + (hazel - brown) * np.float32(light)
    drawn: Lab = warm + (_cool_colour(measured, raw) - warm) * np.float32(cool)
    return drawn


def coolness(measured: Lab, raw: Lab) -> float:
    """0 for brown and hazel, 1 for blue, grey and green: how far the iris lacks the warmth of the skin."""
    warmth = float(raw[1] + raw[2])
    own = float(measured[1] + measured[2]) / max(warmth, 6.0)
    bound = _WARMTH + _WARMTH_RISE * (float(measured[0]) / max(float(raw[0]), 20) - 0.4)
    lightness, red, yellow = (float(value) for value in measured)
    relative = lightness / max(float(raw[0]), 20)
    dark = max(1 - smoothstep(lightness, *_DARK), 1 - smoothstep(relative, *_DARK_RELATIVE))
    doubt = _NEARLY_BLACK_DOUBT * (1 - smoothstep(lightness, *_NEARLY_BLACK))
    warm = max(
        smoothstep(min(red - 0.5, yellow + 1) + doubt, *_SURELY_COOL),
        smoothstep(red / max(float(raw[1]), 6.0), *_REDDISH),
    )
    cool = (
        (1 - dark * warm)
        * (1 - smoothstep(own, bound - _WARMTH_SPREAD, bound + _WARMTH_SPREAD))
        * smoothstep(warmth, *_COLOURED_SKIN)
        * smoothstep(lightness, *_COOL_LIGHT)
        * smoothstep(relative, *_TOO_DARK)
    )
    return max(cool, _pinkish(measured) * smoothstep(relative, *_GREY_RELATIVE))


def _pinkish(measured: Lab) -> float:
    """1 for a light iris with more red than yellow, which brown never has."""
    lightness, red, yellow = (float(value) for value in measured)
    return (1 - smoothstep(yellow / max(red, 2.0), *_PINKISH)) * smoothstep(lightness, *_GREY_LIGHTNESS)


def _cool_colour(measured: Lab, raw: Lab) -> Lab:
    red, yellow = (float(value) for value in measured[1:] - _USUAL_SHARE * raw[1:])
    lightness = float(measured[0]) * 1.1
    apart = abs(red) + abs(yellow)
    vivid = np.float32(0.5 + 0.5 * smoothstep(apart, *_VIVID))
    # Warm skin makes grey irises look blue, but they are drawn grey.
    own_blue = np.float32(_GREYEST + (1 - _GREYEST) * smoothstep(-float(measured[2]), *_OWN_BLUE))
    blue = np.array([np.clip(lightness + 6, 40, 60), -5 * vivid * own_blue, -19 * vivid * own_blue], np.float32)
    green = np.array([np.clip(lightness + 4, 38, 56), -11 * vivid, 14 * vivid], np.float32)
    violet = np.array([40, 26, -36], np.float32)
    is_blue = max(smoothstep(-yellow / max(apart, 1e-3), *_BLUE), _pinkish(measured))
    cold = green + (blue - green) * np.float32(is_blue)
    cool: Lab = cold + (violet - cold) * np.float32(smoothstep(red, *_VIOLET))
    return cool
