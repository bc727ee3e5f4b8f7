"""The colours of hair and beard, told from light, shade, gloss and the skin that is seen through them."""

from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.colour import FEWEST_PIXELS, Lab, median_colour
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import Look
from toonfilter.runtime.render.photo_light import cast_of, in_good_light, surely_grey, without_cast

_SURE_HAIR = 200
_DARKEST_HAIR, _DARKEST_BEARD = 16.0, 15.0
"""L* of the darkest hair and beard that lines can be seen on."""
_LIGHTEST_HAIR = 84.0
"""Lightness of white hair: above it there must be room for its lights."""
_STUBBLE_TO_SKIN = (0.45, 0.75)
"""Lightness of a beard over that of the skin beside it, up to which it is dense and from which it is stubble. Raising
them draws denser beards."""
_DARKER_OWN, _LEAST_APART, _CLEARER = 0.62, 4.0, 1.25
"""Most lightness of stubble's hairs, which have the colour of the head's, over what is seen of it; the least difference
from skin, L*, by which covers are told; and how much more of it is drawn than is seen."""
_OWN_COLOUR = 0.7
"""How much stubble's colour is its own, not that of the head's hair. Raising it draws skin between hairs, too."""
_GREY_AS_LIGHT, _LIGHT, _LIGHTER_THAN_SKIN = (-22.0, -8.0), (-7.0, 0.0), 6.0
"""Lightness of a beard less that of skin, L*: from which one without colour may be and is grey, not dark stubble;
from which any may be and is; and how much lighter than skin that is drawn at least."""
_SURELY_LIGHT = 8.0
"""By how much lighter, L*, beards must be for that of which the network is not sure. Raising it draws less white
stubble, and fewer lit upper lips as white moustaches."""
_FAIR_BEARD = (0.9, 1.2)
"""Chroma of a light beard over that of skin up to which it is grey, and from which it is blond or ginger."""
_GREY_COVER, _SURE_COVER, _SURE_DEEP_COVER = 0.85, 0.2, 0.5
"""How much of the skin grey beards hide, and others of which the network is sure, at least; on deep skin more, from
which they hardly differ. Raising the second draws the shade above lips as a moustache."""
_LEAST_RED, _LEAST_YELLOW = 0.5, 1.5
"""Least a* and b* of beards. Raising them draws none blue or green, and grey ones brown."""
_LIGHT_BEARD, _WHITE_CHROMA, _LIGHT_BEARD_PERCENTILE = 8.0, 16.0, 60.0
"""How much lighter than skin hair is, in L*, and its chroma at most, for a beard to be white, too; and from which
percentile of what lies in its place its colour is taken."""
_AS_WHITE = (5.0, 20.0)
"""How much lighter than skin such a beard is seen, in L*, from which it may be and is as white as the hair."""
_SURE_BEARD, _DENSE_LEVELS = 150, (205.0, 219.0)
"""Level from which a pixel is a beard's, and mean levels of such pixels from which it may be and is sure."""
_GREY_BEARD, _COLOURED_SKIN = (0.35, 0.60), (8.0, 14.0)
"""Chroma of a beard over that of skin up to which it is grey, and from which it is not; and chroma of skin below which
that says nothing."""
_FAINT_BEARD, _FAINT_COVER = (2.0, 8.0), 0.3
"""Difference of lightness between a beard and skin below which it may be shade, and above which it is seen; and how
much is drawn of what may be shade."""
_OF_SKIN, _GINGER = (0.8, 1.0), (1.1, 1.4)
"""Chroma of stubble over that of skin from which it may be and is skin in shade; and from which it may be and is
ginger. Raising the first two draws more shade around mouths as stubble."""
_MAY_BE_GREY = (32.0, 48.0)
"""Lightness of hair that is dark whatever its colour, and of hair that may be grey."""
_BLOND_YELLOW = 21.0
"""Least b* of a child's light hair."""
_NOT_GREEN = -2.0
"""a* below which that is dyed."""
_GREYED = 0.4
"""What is left of the colour of grey hair."""
_HIGHLIGHTS, _VIOLET, _RICHER, _COLD_LIGHTS = (80.0, 97.0), (12.5, 14.5), (1.25, 1.5), (-4.0, -1.5)
"""Percentiles of hair's lightness that are its lights; their chroma, and that over the chroma of the rest, from which
they may be and are dyed violet: shade is blue in many photos, and gloss has hardly a colour; and b* up to which they
are cold, and from which not. Raising the chroma draws faintly dyed dark hair black."""
_PINK, _LIGHT_ENOUGH, _PINK_HUE = (4.0, 6.0), (52.0, 64.0), (0.3, 0.6)
"""a* of light hair from which it may be and is dyed pink, whatever the light; lightness of hair that is not light, and
that is; and b* over a* up to which it is pink, and from which blond. Raising the first draws pale pink white."""
_SKY, _SKY_YELLOW = (9.0, 11.0), (-1.0, 2.0)
"""Chroma up to which blue hair is grey or black and mirrors the sky, and from which it is dyed; and b* up to which that
is blue, and from which green. Raising the first draws faintly dyed hair grey."""
_STRANDS_PX = 5
"""Width of the rim of hair, in px of the measured picture, whose colours are not its own."""
_LIT = (40.0, 80.0)
"""Percentiles of hair's lightness that give its colour. Raising them draws it as its lights are: on dark hair these are
gloss, and blond hair becomes white."""
_BELOW_GLOSS, _DEEP_DRAWN = (10.0, 40.0), (50.0, 64.0)
"""The same beside deep skin; and lightness of drawn skin that is deep, and that is not. Raising the latter draws hair
beside brown skin darker, and no child there blond."""
_STRONG = (30.0, 55.0)
"""Chroma of hair from which it gains less colour, and none. Raising it draws ginger hair red."""
_MOST_GOLDEN, _GOLD_LEFT = 32.0, np.float32(0.3)
"""b* of golden hair, and how much of what is beyond it is left. Raising them draws blond hair lemon."""
_UNDYED, _DARK_BESIDE = 10.0, 0.55
"""Chroma up to which hair beside deep skin is black, and its lightness over that of the skin at most, but of the old.
Raising the latter draws more grey hair there, and more flash as grey."""
_GREY_TO_SKIN, _NOT_OLD, _DARK = (0.60, 0.78), 0.17, 15.0
"""Colour of hair over that of skin, chroma over lightness and _DARK each, below which light hair of the old is grey,
and above which it is blond: shade takes chroma away with the light; and how much lower both are for others. Raising the
last draws ash blond hair blond, and warmly lit grey hair of people in their fifties, too."""
_BROWN_CHROMA, _BROWN_FROM, _BROWN_TO, _COLD, _GREEN = 9.0, (22.0, 32.0), (48.0, 60.0), -2.5, -4.5
"""Least chroma of the hair of people who are not old, between lightnesses of black hair and of fair or dyed hair; and
b*, and a*, below which hair is dyed. Raising the first draws early grey hair brown."""
_BROWN_HUE = np.array([0.42, 0.91], np.float32)
"""a* and b* of brown hair, of a chroma of 1."""
_CAST_OF_YOUNG = 0.4
"""How much of the light's colour is taken from the hair of people who are not old, over that of others: it is rarely
grey. Raising it draws blond hair in warm light grey."""
_OLD = 0.3
"""`look.AgeLines.old` from which somebody's light hair is as likely grey. Raising it draws more of it blond."""
_LEAST_SKIN_CHROMA = 10.0
"""In greyer pictures nobody's hair is told to be blond by it."""
_NO_GREENER = 0.25
"""Least a* of light hair for each b*: only dyed hair is greener."""
_DYED_CHROMA, _DYED_GREEN = 20.0, -6.0
"""Chroma, and a*, beyond which light hair has a colour of its own. Raising them gives blond hair the green
around it."""
_DARK_BEARD, _MOST_OF_BEARD, _GREY_AGE, _BESIDE_GLEAM = 4.0, 80.0, 0.8, (2.0, 30.0)
"""How much darker than skin, L*, this percentile of a beard is, beside which white hair of who looks younger than that,
see `look.AgeLines.aged`, is a gleam; and the percentiles of hair's lightness that lie beside it. Raising the last draws
cropped hair lighter."""
_CHILD = 0.5
"""`look.AgeLines.young` from which nobody has white hair. Raising it draws more children before the sun with it."""
_DEEP_SKIN, _SHEEN_TO_SKIN = 0.75, (0.6, 1.0)
"""Chroma over lightness of deep skin in warm light at least; and colour of the light on it over its own, see
_GREY_TO_SKIN: grey hair has less. Widening them takes dyed hair for light."""
_SURELY = 0.5
"""`photo_light.surely_grey` from which hair is no light on deep skin. Raising it draws grey hair black in dim light."""
_CROPPED = np.array([0.45, 0.4, 0.4], np.float32)
"""Colour of closely cropped hair over that of the skin under it."""


class HairColours(NamedTuple):
    """L*a*b* colours of hair and beard. beard_cover: how much of the skin under it a beard hides, 0 to 1."""

    hair: Lab
    beard: Lab
    beard_cover: float


def measure_hair(
    lab: NDArray[np.float32], planes: Mapping[str, Plane], skin: Lab, default: Lab, look: Look | None
) -> HairColours:
    """lab: float32 [h, w, 3], a small picture; planes in its pixels. skin: as the photo shows it.

    default: of the hair, where too little of it is seen. look: of the person, None where no face is known: children
    have no grey hair, and hair is drawn in the good light in which the skin is.
    """
    plane, beard_plane = planes["hair"], planes.get("beard")
    # Between strands there is the room.
    inner = cv2.erode(plane, np.ones((_STRANDS_PX, _STRANDS_PX), np.uint8))
    sure = inner > _SURE_HAIR if np.count_nonzero(inner > _SURE_HAIR) >= FEWEST_PIXELS else plane > _SURE_HAIR
    young, gloss = (0.0, 0.0) if look is None else (look.lines.young, _gloss(look))
    mature = 1.0 if look is None else max(look.lines.aged, smoothstep(look.lines.old, 0.0, _OLD))
    seen = _lit(lab[sure], default, gloss)
    bearded = lab[:0] if beard_plane is None else lab[beard_plane > _SURE_BEARD]
    has_dark_beard = _is_dark(bearded, skin)
    may_be_white = young < _CHILD and not (has_dark_beard and (look is None or look.lines.aged < _GREY_AGE))
    if not may_be_white and _is_white(seen, skin):
        # A gleam on a cropped head, or the sun behind a child.
        seen = _between(lab[plane > _SURE_HAIR], *_BESIDE_GLEAM)
    grey = surely_grey(seen, skin, look)
    gloss *= 1 - grey
    if grey < _SURELY and (look is None or look.skin[0] < _DEEP_DRAWN[1]) and _is_sheen(seen, skin):
        seen = skin * _CROPPED
    beard = seen if beard_plane is None else _beard_colour(bearded, seen, skin, is_dark=has_dark_beard)
    is_white, grey_beard = _is_white(seen, skin), surely_grey(beard, skin, look)
    lights, in_photo = _highlights(lab[sure], seen), seen
    if look is not None:
        cast = cast_of(skin, look.skin) * np.float32(_CAST_OF_YOUNG + (1 - _CAST_OF_YOUNG) * mature)
        seen = without_cast(seen, cast, skin, grey=grey)
        beard, lights, skin = (without_cast(colour, cast, skin) for colour in (beard, lights, skin))
    dyed = _dyed(seen, lights) * (1 - gloss)
    own = seen + (in_photo - seen) * np.float32(dyed)
    hair = _with_youth(_ungreened(own), young * (1 - gloss)) * _livelier(own, skin, young, _NOT_OLD * (1 - mature))
    hair = _unlemoned(in_good_light(_without_sky(_browned(_undyed(hair, dyed), 1 - mature)), skin, look, grey))
    hair[0] = min(max(float(hair[0]), _DARKEST_HAIR), _LIGHTEST_HAIR)
    if look is not None and np.hypot(*hair[1:]) < _UNDYED:
        # Flash on black hair looks grey.
        hair[0] -= gloss * max(0.0, float(hair[0]) - max(_DARKEST_HAIR, _DARK_BESIDE * float(look.skin[0])))
    if is_white:
        cover = 1.0
        beard = beard + (seen - beard) * np.float32(0.5 * smoothstep(float(beard[0] - skin[0]), *_AS_WHITE))
    else:
        certainty = 0.0 if beard_plane is None else _certainty(beard_plane)
        beard, cover = _without_skin(beard, seen, skin, certainty=certainty, deep=gloss)
    beard = _warm(_ungreened(beard) * _livelier(beard, skin, 0.0, 0.0))
    beard = in_good_light(beard, skin, look, grey_beard)
    beard[0] = min(max(float(beard[0]), _DARKEST_BEARD), _LIGHTEST_HAIR)
    return HairColours(hair, beard, cover)


def _without_skin(beard: Lab, hair: Lab, skin: Lab, *, certainty: float, deep: float) -> tuple[Lab, float]:
    """The colour of a beard's hairs, and how much of the skin between them they hide. All as the photo shows them.

    What is seen of stubble is a mixture of both: its hairs are as dark as those of the head. A beard that is as light
    as skin is grey. certainty: how sure the network is of the beard, see `_certainty`. deep: 1 for deep skin, on which
    stubble has the skin's colour as shade has.
    """
    lightness = float(beard[0]) / max(float(skin[0]), 1.0)
    stubble = smoothstep(lightness, *_STUBBLE_TO_SKIN)
    apart = float(beard[0] - skin[0])
    light = smoothstep(apart - _SURELY_LIGHT * (1 - certainty), *_LIGHT)
    grey = max(_greyness(beard, skin) * smoothstep(apart, *_GREY_AS_LIGHT), light)
    own = hair * np.float32(min(1.0, _DARKER_OWN * float(beard[0]) / max(float(hair[0]), 1.0)))
    own[1:] += (beard[1:] * min(1.0, float(own[0]) / max(float(beard[0]), 1.0)) - own[1:]) * np.float32(_OWN_COLOUR)
    hairs: Lab = beard + (own - beard) * np.float32(stubble * (1 - grey))
    seen = -apart / max(float(skin[0] - hairs[0]), _LEAST_APART)
    of_skin = float(np.hypot(*beard[1:])) / max(float(np.hypot(*skin[1:])), _LEAST_SKIN_CHROMA)
    shade = (1 - deep) * stubble * smoothstep(of_skin, *_OF_SKIN) * (1 - smoothstep(of_skin, *_GINGER))
    believed = _FAINT_COVER + (1 - _FAINT_COVER) * smoothstep(abs(apart), *_FAINT_BEARD) * (1 - shade)
    hairs[0] += light * max(0.0, _LIGHTER_THAN_SKIN - apart)
    hairs[1:] *= 1 - (1 - _GREYED) * light * (1 - smoothstep(of_skin, *_FAIR_BEARD))
    least = certainty * (_SURE_COVER + deep * (_SURE_DEEP_COVER - _SURE_COVER))
    return hairs, min(1.0, max(believed * max(_CLEARER * seen, least), _GREY_COVER * grey))


def _certainty(beard: Plane) -> float:
    """How sure the network is of a beard, 0 to 1: it wavers where it sees stubble."""
    sure = cv2.compare(beard, _SURE_BEARD, cv2.CMP_GT)
    if cv2.countNonZero(sure) < FEWEST_PIXELS:
        return 0.0
    return smoothstep(cv2.mean(beard, sure)[0], *_DENSE_LEVELS)


def _warm(beard: Lab) -> Lab:
    """Nobody's beard is blue: that is the light."""
    return np.array([beard[0], max(beard[1], _LEAST_RED), max(beard[2], _LEAST_YELLOW)], np.float32)


def _greyness(beard: Lab, skin: Lab) -> float:
    """1 for a beard that is grey beside the skin, 0 for one of its colours."""
    chroma = float(np.hypot(*skin[1:]))
    share = float(np.hypot(*beard[1:])) / max(chroma, 1.0)
    return (1 - smoothstep(share, *_GREY_BEARD)) * smoothstep(chroma, *_COLOURED_SKIN)


def _is_dark(beard: NDArray[np.float32], skin: Lab) -> bool:
    """Whether nearly all of a beard is darker than the skin, whatever the hair. beard: its pixels."""
    return len(beard) >= FEWEST_PIXELS and bool(np.percentile(beard[:, 0], _MOST_OF_BEARD) < skin[0] - _DARK_BEARD)


def _is_sheen(hair: Lab, skin: Lab) -> bool:
    """Whether what is seen in the place of hair is light on deep skin: closely cropped hair is dark."""
    if hair[0] < skin[0] or np.hypot(*skin[1:]) < _DEEP_SKIN * skin[0]:
        return False
    of_skin = np.hypot(*hair[1:]) / (hair[0] + _DARK) / (np.hypot(*skin[1:]) / (skin[0] + _DARK))
    return bool(_SHEEN_TO_SKIN[0] < of_skin < _SHEEN_TO_SKIN[1])


def _is_white(hair: Lab, skin: Lab) -> bool:
    """Whether hair is white or grey, beside darker skin; dyed hair says nothing of a beard."""
    return bool(hair[0] >= skin[0] + _LIGHT_BEARD and np.hypot(*hair[1:]) < _WHITE_CHROMA)


def _beard_colour(pixels: NDArray[np.float32], hair: Lab, skin: Lab, *, is_dark: bool) -> Lab:
    """Who has white hair has a white beard, among which skin and mouth look dark, if it is not a dark one."""
    if len(pixels) < FEWEST_PIXELS or is_dark or not _is_white(hair, skin):
        return median_colour(pixels, hair)
    lightest = pixels[pixels[:, 0] >= np.percentile(pixels[:, 0], _LIGHT_BEARD_PERCENTILE)]
    colour: Lab = lightest.mean(0).astype(np.float32)
    return colour


def _livelier(colour: Lab, skin: Lab, young: float, lower: float) -> NDArray[np.float32]:
    """Factors for L*, a*, b*: coloured hair gains colour; grey hair in warm light gives it back.

    skin: of the same person, in the same light. lower: see _NOT_OLD.
    """
    lightness, red, yellow = (float(value) for value in colour)
    chroma = float(np.hypot(red, yellow))
    gain = 1 + 0.3 * min(1.0, max(0.0, (chroma - 6) / 10)) * (1 - smoothstep(chroma, *_STRONG))
    # Blond is as coloured as skin, ginger strong, dyed hair red or blue.
    of_skin = chroma / max(float(np.hypot(skin[1], skin[2])), _LEAST_SKIN_CHROMA)
    of_skin *= (float(skin[0]) + _DARK) / (lightness + _DARK)
    grey = smoothstep(lightness, *_MAY_BE_GREY) * (1 - smoothstep(of_skin + lower, *_GREY_TO_SKIN))
    grey *= smoothstep(yellow, 0, 4) * (1 - smoothstep(red, 10, 14)) * (1 - young)
    gain += (_GREYED - gain) * grey
    return np.array([0.97, gain, gain], np.float32)


def _with_youth(colour: Lab, young: float) -> Lab:
    """Light hair of a child is blond at least, however cold the light."""
    if young <= 0 or colour[1] < _NOT_GREEN or colour[2] < 0:
        return colour
    least = _BLOND_YELLOW * young * smoothstep(float(colour[0]), *_MAY_BE_GREY)
    return np.array([colour[0], max(colour[1], 0.2 * least), max(colour[2], least)], np.float32)


def _dyed(hair: Lab, lights: Lab) -> float:
    """1 where hair that is hardly coloured is dyed violet or pink all the same, 0 where that may be the light.

    Both without what the light added. lights: see `_highlights`. A dye colours the lights of dark hair most, gloss
    takes their colour away. Light hair that is pink where skin in the same light is not has a colour of its own.
    """
    chroma, rest = float(np.hypot(*lights[1:])), max(float(np.hypot(*hair[1:])), 1.0)
    violet = smoothstep(chroma, *_VIOLET) * smoothstep(chroma / rest, *_RICHER) * smoothstep(float(lights[1]), 0, 4)
    violet *= 1 - smoothstep(float(lights[2]), *_COLD_LIGHTS)
    red = max(float(hair[1]), 1.0)
    pink = smoothstep(red, *_PINK) * smoothstep(float(hair[0]), *_LIGHT_ENOUGH)
    return max(violet, pink * (1 - smoothstep(float(hair[2]) / red, *_PINK_HUE)))


def _undyed(colour: Lab, dyed: float) -> Lab:
    """Hair that is hardly coloured is not purple: that is the light. dyed: how sure it is that it is not."""
    if colour[2] >= _LEAST_YELLOW or np.hypot(*colour[1:]) > _UNDYED or colour[1] < 0:
        return colour
    plain = np.array([colour[0], min(float(colour[1]), _LEAST_YELLOW), _LEAST_YELLOW], np.float32)
    undyed: Lab = plain + (colour - plain) * np.float32(dyed)
    return undyed


def _without_sky(colour: Lab) -> Lab:
    """Hair that is hardly coloured is not blue: grey and black hair mirrors the sky."""
    lightness, red, yellow = (float(value) for value in colour)
    if red >= 0:
        return colour
    sky = (1 - smoothstep(float(np.hypot(red, yellow)), *_SKY)) * (1 - smoothstep(yellow, *_SKY_YELLOW))
    plain = np.array([lightness, 0, _LEAST_YELLOW], np.float32)
    without: Lab = colour + (plain - colour) * np.float32(sky)
    return without


def _browned(colour: Lab, share: float) -> Lab:
    """Hair that is neither black nor light is brown, not grey. share: of how much of it that is sure, 0 to 1."""
    lightness, chroma = float(colour[0]), float(np.hypot(*colour[1:]))
    least = _BROWN_CHROMA * share * smoothstep(lightness, *_BROWN_FROM) * (1 - smoothstep(lightness, *_BROWN_TO))
    if chroma >= least or float(colour[2]) < _COLD or float(colour[1]) < _GREEN:
        return colour
    return np.array([lightness, *(np.float32(least) * _BROWN_HUE)], np.float32)


def _unlemoned(colour: Lab) -> Lab:
    """Golden hair is no lemon: warm light and edited photos make it stronger than hair can be.

    Orange hair is as yellow as it is red.
    """
    most = max(_MOST_GOLDEN, float(colour[1]))
    if colour[1] < _NOT_GREEN or colour[2] <= most:
        return colour
    gold: Lab = colour.copy()
    gold[2] = most + _GOLD_LEFT * (colour[2] - most)
    return gold


def _ungreened(colour: Lab) -> Lab:
    """Light hair that reflects green is not green."""
    lightness, red, yellow = (float(value) for value in colour)
    if lightness < _MAY_BE_GREY[1] or yellow < 0 or red < _DYED_GREEN or np.hypot(red, yellow) > _DYED_CHROMA:
        return colour
    return np.array([lightness, max(red, _NO_GREENER * yellow), yellow], np.float32)


def _gloss(look: Look) -> float:
    """1 beside deep skin, where light on hair is gloss, 0 beside fair skin; of the old it is grey hair."""
    return (1 - smoothstep(float(look.skin[0]), *_DEEP_DRAWN)) * (1 - look.lines.old)


def _highlights(pixels: NDArray[np.float32], default: Lab) -> Lab:
    """The colour of the lights on hair."""
    if len(pixels) < FEWEST_PIXELS:
        return default
    return _between(pixels, *_HIGHLIGHTS)


def _lit(pixels: NDArray[np.float32], default: Lab, gloss: float) -> Lab:
    """The colour of hair between its shadows and its lights."""
    if len(pixels) < FEWEST_PIXELS:
        return default
    shares = np.array(_LIT) + gloss * (np.array(_BELOW_GLOSS) - np.array(_LIT))
    return _between(pixels, *shares)


def _between(pixels: NDArray[np.float32], darkest: float, lightest: float) -> Lab:
    """The mean colour of what lies between two percentiles of lightness."""
    low, high = np.percentile(pixels[:, 0], (darkest, lightest))
    colour: Lab = pixels[(pixels[:, 0] >= low) & (pixels[:, 0] <= high)].mean(0).astype(np.float32)
    return colour
