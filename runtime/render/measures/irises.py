"""Colour of the irises, told from the skin in the same light: brown is as warm as skin, and only cool is blue."""

import numpy as np
from numpy.typing import NDArray

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
_PUPIL, _PUPIL_SHARE = (0.42, 0.58), 25.0
"""Lightness of the pupil over that of the iris up to which the iris is light itself, and from which that may be a
reflection, which lies over both; and the percentile that gives it: glints lie there. Raising the first draws more dark
eyes blue that reflect the sky."""
_RING_RADII, _RING_TURNS = (0.55, 0.68, 0.8), np.radians(np.arange(-10, 191, 12))
_PUPIL_RADII, _PUPIL_TURNS = (0.05, 0.15, 0.25), np.radians(np.arange(0, 360, 30))
"""Where the iris and the pupil are read: in radii of the iris, and angles."""
_UNRED, _DARK_UNRED, _DARK_IRIS = (-1.2, 0.2), 3.0, (17.0, 20.5)
"""a* up to which such an iris is not brown, and from which it may be; how much lower it must be in dark irises, whose
colour is hardly seen; and lightness up to which they are dark, and from which not. Raising the first, and lowering the
second, draws more dark eyes blue."""
_OF_COLOUR, _COOL = 0.25, (0.38, 0.52)
"""How much an iris' own colour says for its being grey, green or blue, beside the whole face; and from which sum it may
be, and is. Raising the latter draws more eyes brown."""
_BLUE, _VIVID, _VIOLET = (0.05, 0.45), (2.0, 9.0), (6.0, 16.0)


def iris(photo: MeasuredPhoto, raw: Lab, *, behind_glasses: bool, eye_light: float, rarely_light: float = 0.0) -> Lab:
    """Colour of the irises as drawn. raw: the skin as the photo shows it. eye_light: see `Appearance`. rarely_light: 1
    where skin is so deep that light eyes are rare, see `drawn_iris`.
    """
    rings: list[NDArray[np.float32]] = []
    pupils: list[NDArray[np.float32]] = []
    openings = []
    for side, eye in enumerate(EYES):
        if photo.face.eye_visibility[side] < 0.5:
            continue
        centre, *edge = photo.face.flat[list(eye.iris)]
        radius = float(np.mean([np.hypot(*(point - centre)) for point in edge]))
        upper, lower = (
            float(np.median(photo.curves[f"{('right', 'left')[side]}_{lid}"][5:10] @ photo.face.down))
            for lid in ("upper", "lower")
        )
        for found, shares, turns in ((rings, _RING_RADII, _RING_TURNS), (pupils, _PUPIL_RADII, _PUPIL_TURNS)):
            around = np.stack([np.cos(turns), np.sin(turns)], 1)
            points = np.concatenate([centre + radius * share * around for share in shares]).astype(np.float32)
            height = points @ photo.face.down
            inside = (height > upper + 0.2 * (lower - upper)) & (height < lower - 0.05 * (lower - upper))
            found.append(photo.colours_at(points[inside]))
        openings.append((lower - upper) / max(2 * radius, 1e-3))
    colours = np.concatenate(rings) if rings else np.empty((0, 3), np.float32)
    if len(colours) < _FEWEST:
        return _BROWN
    low, high = np.percentile(colours[:, 0], [30, 85] if max(openings) > _NARROW else [5, 45])
    measured = median_lab(colours[(colours[:, 0] >= low) & (colours[:, 0] <= high)])
    own = own_colour(measured, np.concatenate(pupils)[:, 0])
    return drawn_iris(
        measured, raw, behind_glasses=behind_glasses, eye_light=eye_light, rarely_light=rarely_light, own=own
    )


def own_colour(measured: Lab, pupil: NDArray[np.float32]) -> float:
    """1 where an iris surely is no brown one that reflects the sky: it is not red, and the pupil in it is darker.

    pupil: float32 [N], lightness of places in it.
    """
    if len(pupil) < _FEWEST:
        return 0.0
    share = float(np.percentile(pupil, _PUPIL_SHARE)) / max(float(measured[0]), 1.0)
    red = float(measured[1]) + _DARK_UNRED * (1 - smoothstep(float(measured[0]), *_DARK_IRIS))
    return (1 - smoothstep(share, *_PUPIL)) * (1 - smoothstep(red, *_UNRED))


def drawn_iris(
    measured: Lab,
    raw: Lab,
    *,
    behind_glasses: bool,
    eye_light: float,
    rarely_light: float = 0.0,
    own: float = 0.0,
) -> Lab:
    """From the photo's iris colour to the drawn one. raw: the skin in the same light. eye_light: see `Appearance`.

    rarely_light: how little eye_light counts where the iris' colour may be a reflection, 0 to 1. own: see `own_colour`.
    """
    lightness = float(measured[0])
    relative = lightness / max(float(raw[0]), 20)
    light = smoothstep(relative, *_LIGHT) * smoothstep(lightness, *_LIGHT_ENOUGH)
    cool = coolness(measured, raw, own)
    eye_light *= 1 - rarely_light * (1 - own)
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


def coolness(measured: Lab, raw: Lab, own: float = 0.0) -> float:
    """0 for brown and hazel, 1 for blue, grey and green: how far the iris lacks the warmth of the skin.

    own: how sure it is that no reflection gives the colour, see `own_colour`.
    """
    warmth = float(raw[1] + raw[2])
    share = float(measured[1] + measured[2]) / max(warmth, 6.0)
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
        * (1 - smoothstep(share, bound - _WARMTH_SPREAD, bound + _WARMTH_SPREAD))
        * smoothstep(warmth, *_COLOURED_SKIN)
        * smoothstep(lightness, *_COOL_LIGHT)
        * max(smoothstep(relative, *_TOO_DARK), own)
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
