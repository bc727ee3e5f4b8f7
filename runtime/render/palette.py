"""The colours of hair, cloth and headwear, taken from the person and made paintable."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.render.colour import Lab, picture_lab
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.styles.style import BaseRules

CLOTH_COLOURS = 4
"""At most. Raising it tells more colours of a cloth apart, each with fewer steps of light."""
_ALIKE = 20.0
"""Cloth colours nearer than this (L*a*b* distance) are one. Raising it gives plainer clothes."""
_ALIKE_HATS = 30.0
"""The same for headwear, most of which has one colour."""
CLOTH_SCALE = np.array([0.36, 1.0, 1.0], np.float32)
"""Of L*, a*, b* in that distance: a fold is the same cloth in another light."""
_SMALL_PX = 96
_DARKEST_HAIR, _DARKEST_BEARD = 16.0, 15.0
_LIGHTEST_HAIR = 84.0
"""Lightness of white hair: above it there must be room for its lights."""
_STUBBLE_TO_SKIN, _SEEN_THROUGH = (0.62, 0.86), 0.7
"""Lightness of a beard over that of the skin beside it, from which it is dense and at which it is stubble; and how much
of the skin is seen through that. Raising the first two draws denser beards."""
_LIGHT_BEARD, _WHITE_CHROMA, _LIGHT_BEARD_PERCENTILE = 8.0, 16.0, 60.0
"""How much lighter than skin hair is, in L*, and its chroma at most, for a beard to be white, too; and from which
percentile of what lies in its place its colour is taken."""
_SURE_BEARD, _DENSE_LEVELS = 150, (205.0, 219.0)
"""Level from which a pixel is a beard's, and mean levels of such pixels from which it may be and is dense."""
_GREY_BEARD, _COLOURED_SKIN = (0.35, 0.60), (8.0, 14.0)
"""Chroma of a beard over that of skin up to which it is grey, and from which it is not; and chroma of skin below which
that says nothing."""
_FAINT_BEARD, _FAINT_COVER = (2.0, 8.0), 0.3
"""Difference of lightness between a beard and skin below which it may be shade, and above which it is seen; and how
much is drawn of what may be shade."""
_PAPER_LIGHT, _PAPER_SKIN, _PAPER_HAIR = 68.0, 70.0, 50.0
"""Lightness of black in pencil styles: of cloth, skin, hair. Raising them leaves more of the paper."""
_PAPER_FROM, _PAPER_WHITE = 68.0, 98.5
"""Lightness from which on nothing but the paper is left, and its own. Raising the first gives fair skin a wash."""
_MAY_BE_GREY = (32.0, 48.0)
"""Lightness of hair that is dark whatever its colour, and of hair that may be grey."""
_BLOND_YELLOW = 21.0
"""Least b* of a child's light hair."""
_NOT_GREEN = -2.0
"""a* below which that is dyed."""
_GREYED = 0.4
"""What is left of the colour of grey hair."""
_STRANDS_PX = 5
"""Width of the rim of hair, in a picture of _SMALL_PX, whose colours are not its own."""
_LIT, _FAIR_LIT = (40.0, 80.0), (55.0, 90.0)
"""Percentiles of hair's lightness that give its colour, of dark and of fair hair. Raising them draws it as its lights
are: on dark hair these are gloss."""
_FAIR_FROM = (40.0, 54.0)
"""Lightness of hair, its median, from which it may be and from which it is fair."""
_GREY_TO_SKIN, _DARK = (0.60, 0.78), 15.0
"""Colour of hair over that of skin, chroma over lightness and _DARK each, below which light hair is grey, and above
which it is blond: shade takes chroma away with the light."""
_LEAST_SKIN_CHROMA = 10.0
"""In greyer pictures nobody's hair is told to be blond by it."""
_NO_GREENER = 0.25
"""Least a* of light hair for each b*: only dyed hair is greener."""
_DYED_CHROMA, _DYED_GREEN = 20.0, -6.0
"""Chroma, and a*, beyond which light hair has a colour of its own. Raising them gives blond hair the green
around it."""
_DEEP_SKIN, _SHEEN_TO_SKIN = 0.75, (0.6, 1.0)
"""Chroma over lightness of deep skin in warm light at least; and colour of the light on it over its own, see
_GREY_TO_SKIN: grey hair has less. Widening them takes dyed hair for light."""
_CROPPED = np.array([0.45, 0.4, 0.4], np.float32)
"""Colour of closely cropped hair over that of the skin under it."""
_LEAST_PIXELS = 24


@dataclass(frozen=True, slots=True)
class Palette:
    """L*a*b* colours. cloth: the largest first; empty where there is none."""

    hair: Lab = field(default_factory=lambda: np.array([24, 5, 8], np.float32))
    beard: Lab = field(default_factory=lambda: np.array([24, 6, 9], np.float32))
    skin: Lab = field(default_factory=lambda: np.array([62, 14, 19], np.float32))
    cloth: tuple[Lab, ...] = ()
    headwear: tuple[Lab, ...] = ()
    over: tuple[Lab, ...] = ()
    beard_cover: float = 1.0
    """How much of the skin under it a beard hides: 1 dense, less for stubble."""

    def toward(self, other: "Palette", share: float) -> "Palette":
        """Mixed with a later measurement. share: 0 stays, 1 is the other; another number of colours is at once."""

        def mixed(first: tuple[Lab, ...], second: tuple[Lab, ...]) -> tuple[Lab, ...]:
            if len(first) != len(second):
                return second
            return tuple(a + (b - a) * np.float32(share) for a, b in zip(first, second, strict=True))

        hair, beard, skin = mixed((self.hair, self.beard, self.skin), (other.hair, other.beard, other.skin))
        cloth, headwear = mixed(self.cloth, other.cloth), mixed(self.headwear, other.headwear)
        cover = self.beard_cover + (other.beard_cover - self.beard_cover) * share
        return Palette(hair, beard, skin, cloth, headwear, mixed(self.over, other.over), cover)


def painted_colours(palette: Palette, rules: BaseRules) -> Palette:
    """The palette as a style paints it; cloth is painted with its light and shade, see `cloth_paint`."""
    hair, beard = (painted_colour(one, rules, paper_light=_PAPER_HAIR) for one in (palette.hair, palette.beard))
    return replace(palette, hair=hair, beard=beard, skin=painted_skin(palette.skin, rules))


def painted_skin(lab: Lab, rules: BaseRules) -> Lab:
    """Skin, and what is drawn on it, as a style paints it."""
    return painted_colour(lab, rules, paper_light=_PAPER_SKIN)


def painted_colour(lab: Lab, rules: BaseRules, paper_light: float = _PAPER_LIGHT) -> Lab:
    """Colours [..., 3] as a style paints them; see `BaseRules.fill` and `BaseRules.saturation`.

    paper_light: L* of black on paper.
    """
    if rules.fill == "paper":
        washed = np.zeros_like(lab)
        light = np.clip(lab[..., 0] / np.float32(_PAPER_FROM), 0, 1)
        washed[..., 0] = paper_light + (_PAPER_WHITE - paper_light) * light
        return washed
    painted: Lab = lab * np.array([1, rules.saturation, rules.saturation], np.float32)
    return painted


def measure_palette(
    photo: Image, fields: Mapping[str, Plane], before: Palette | None = None, *, young: float = 0.0
) -> Palette:
    """photo: uint8 [S, S, 3] RGB; fields in its pixels. before: colours are looked for from here, so that they stay.

    young: see `AgeLines.young`; children have no grey hair.
    """
    small = cv2.resize(photo, (_SMALL_PX, _SMALL_PX), interpolation=cv2.INTER_AREA)
    lab = cv2.bilateralFilter(picture_lab(small), 5, 12, 2)
    size = (_SMALL_PX, _SMALL_PX)
    plane = {name: cv2.resize(one, size, interpolation=cv2.INTER_AREA) for name, one in fields.items()}
    default = before or Palette()
    # Between strands there is the room.
    inner = cv2.erode(plane["hair"], np.ones((_STRANDS_PX, _STRANDS_PX), np.uint8))
    sure = inner > 200 if np.count_nonzero(inner > 200) >= _LEAST_PIXELS else plane["hair"] > 200
    head_hair = _lit(lab[sure], default.hair)
    skin = _median(lab[plane["skin"] > 220], default.skin)
    if _is_sheen(head_hair, skin):
        head_hair = skin * _CROPPED
    hair = _with_youth(_ungreened(head_hair), young) * _livelier(head_hair, skin, young)
    hair[0] = min(max(hair[0] + 2, _DARKEST_HAIR), _LIGHTEST_HAIR)
    beard = _beard_colour(lab[plane["beard"] > _SURE_BEARD], head_hair, skin) if "beard" in plane else head_hair
    cover = 1 - _SEEN_THROUGH * smoothstep(float(beard[0]) / max(float(skin[0]), 1.0), *_STUBBLE_TO_SKIN)
    cover *= _FAINT_COVER + (1 - _FAINT_COVER) * smoothstep(abs(float(skin[0] - beard[0])), *_FAINT_BEARD)
    cover = max(cover, _greyness(beard, skin), _certainty(plane))
    if _is_white(head_hair, skin):
        cover, beard = 1.0, (beard + head_hair) / 2
    beard = _ungreened(beard) * _livelier(beard, skin, 0.0)
    beard[0] = max(beard[0] + 2, _DARKEST_BEARD)
    cloth = cloth_plane(plane)
    return Palette(
        hair=hair,
        beard=beard,
        skin=skin,
        cloth=_clusters(lab[cloth > 200], default.cloth) or _one_colour(lab[plane["person"] > 128]),
        headwear=_clusters(lab[plane["headwear"] > 200], default.headwear, _ALIKE_HATS),
        over=_clusters(lab[plane["over"] > 200], default.over),
        beard_cover=cover,
    )


def _certainty(plane: Mapping[str, Plane]) -> float:
    """How sure the network is of a beard: it wavers where it sees stubble."""
    beard = plane.get("beard")
    seen = beard is not None and int(cv2.countNonZero(cv2.compare(beard, _SURE_BEARD, cv2.CMP_GT))) >= _LEAST_PIXELS
    if beard is None or not seen:
        return 0.0
    return smoothstep(cv2.mean(beard, cv2.compare(beard, _SURE_BEARD, cv2.CMP_GT))[0], *_DENSE_LEVELS)


def _greyness(beard: Lab, skin: Lab) -> float:
    """1 for a beard that is grey beside the skin, 0 for one of its colours."""
    chroma = float(np.hypot(*skin[1:]))
    share = float(np.hypot(*beard[1:])) / max(chroma, 1.0)
    return (1 - smoothstep(share, *_GREY_BEARD)) * smoothstep(chroma, *_COLOURED_SKIN)


def _is_sheen(hair: Lab, skin: Lab) -> bool:
    """Whether what is seen in the place of hair is light on deep skin: closely cropped hair is dark."""
    if hair[0] < skin[0] or np.hypot(*skin[1:]) < _DEEP_SKIN * skin[0]:
        return False
    of_skin = np.hypot(*hair[1:]) / (hair[0] + _DARK) / (np.hypot(*skin[1:]) / (skin[0] + _DARK))
    return bool(_SHEEN_TO_SKIN[0] < of_skin < _SHEEN_TO_SKIN[1])


def _is_white(hair: Lab, skin: Lab) -> bool:
    """Whether hair is white or grey, beside darker skin; dyed hair says nothing of a beard."""
    return bool(hair[0] >= skin[0] + _LIGHT_BEARD and np.hypot(*hair[1:]) < _WHITE_CHROMA)


def _beard_colour(pixels: NDArray[np.float32], hair: Lab, skin: Lab) -> Lab:
    """Who has white hair has a white beard, among which skin and mouth look dark."""
    if len(pixels) < _LEAST_PIXELS or not _is_white(hair, skin):
        return _median(pixels, hair)
    lightest = pixels[pixels[:, 0] >= np.percentile(pixels[:, 0], _LIGHT_BEARD_PERCENTILE)]
    colour: Lab = lightest.mean(0).astype(np.float32)
    return colour


def cloth_plane(fields: Mapping[str, Plane], *, under_beard: bool = False) -> Plane:
    """The person without hair, skin, headwear and what lies before the face. under_beard: cloth goes on under it."""
    cloth = fields["person"]
    for name in ("hair", "skin", "headwear", "over", "beard"):
        if name in fields and not (under_beard and name == "beard"):
            cloth = cv2.subtract(cloth, fields[name])
    return cloth


def _one_colour(pixels: NDArray[np.float32]) -> tuple[Lab, ...]:
    return (np.median(pixels, 0).astype(np.float32),) if len(pixels) else ()


def _livelier(colour: Lab, skin: Lab, young: float) -> NDArray[np.float32]:
    """Factors for L*, a*, b*: coloured hair gains colour; grey hair in warm light gives it back.

    skin: of the same person, in the same light.
    """
    lightness, red, yellow = (float(value) for value in colour)
    chroma = float(np.hypot(red, yellow))
    gain = 1 + 0.3 * min(1.0, max(0.0, (chroma - 6) / 10))
    # Blond is as coloured as skin, ginger strong, dyed hair red or blue.
    of_skin = chroma / max(float(np.hypot(skin[1], skin[2])), _LEAST_SKIN_CHROMA)
    of_skin *= (float(skin[0]) + _DARK) / (lightness + _DARK)
    grey = smoothstep(lightness, *_MAY_BE_GREY) * (1 - smoothstep(of_skin, *_GREY_TO_SKIN)) * smoothstep(yellow, 0, 4)
    grey *= (1 - smoothstep(red, 10, 14)) * (1 - young)
    gain += (_GREYED - gain) * grey
    return np.array([0.97, gain, gain], np.float32)


def _with_youth(colour: Lab, young: float) -> Lab:
    """Light hair of a child is blond at least, however cold the light."""
    if young <= 0 or colour[1] < _NOT_GREEN or colour[2] < 0:
        return colour
    least = _BLOND_YELLOW * young * smoothstep(float(colour[0]), *_MAY_BE_GREY)
    return np.array([colour[0], max(colour[1], 0.2 * least), max(colour[2], least)], np.float32)


def _ungreened(colour: Lab) -> Lab:
    """Light hair that reflects green is not green."""
    lightness, red, yellow = (float(value) for value in colour)
    if lightness < _MAY_BE_GREY[1] or yellow < 0 or red < _DYED_GREEN or np.hypot(red, yellow) > _DYED_CHROMA:
        return colour
    return np.array([lightness, max(red, _NO_GREENER * yellow), yellow], np.float32)


def _lit(pixels: NDArray[np.float32], default: Lab) -> Lab:
    """The colour of hair between its shadows and its lights."""
    if len(pixels) < _LEAST_PIXELS:
        return default
    fair = smoothstep(float(np.median(pixels[:, 0])), *_FAIR_FROM)
    low, high = np.percentile(pixels[:, 0], np.array(_LIT) + fair * (np.array(_FAIR_LIT) - np.array(_LIT)))
    lit: Lab = pixels[(pixels[:, 0] >= low) & (pixels[:, 0] <= high)].mean(0).astype(np.float32)
    return lit


def _median(pixels: NDArray[np.float32], default: Lab) -> Lab:
    return np.median(pixels, 0).astype(np.float32) if len(pixels) >= _LEAST_PIXELS else default


def _clusters(pixels: NDArray[np.float32], before: tuple[Lab, ...], alike: float = _ALIKE) -> tuple[Lab, ...]:
    """Few colours that stand for all of them, the most frequent first."""
    if len(pixels) < _LEAST_PIXELS:
        return ()
    pixels = np.ascontiguousarray(pixels[:: max(1, len(pixels) // 1500)], np.float32) * CLOTH_SCALE
    count = min(CLOTH_COLOURS, len(pixels))
    if before:
        centres = np.stack(before) * CLOTH_SCALE
        for _ in range(2):
            nearest = ((pixels[:, None] - centres[None]) ** 2).sum(2).argmin(1)
            counts = np.bincount(nearest, minlength=len(centres))
            sums = np.stack([np.bincount(nearest, pixels[:, c], len(centres)) for c in range(3)], 1)
            centres = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centres).astype(np.float32)
        far = ((pixels[:, None] - centres[None]) ** 2).sum(2).min(1) > (2.5 * alike) ** 2
        if far.mean() < 0.06:
            return tuple((centres / CLOTH_SCALE).astype(np.float32))
    cv2.setRNGSeed(7)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    _, labels, centres = cv2.kmeans(pixels, count, None, criteria, 2, cv2.KMEANS_PP_CENTERS)
    sizes = np.bincount(labels.ravel(), minlength=count)
    kept: list[tuple[float, Lab]] = []
    for number in np.argsort(-sizes):
        for place, (weight, centre) in enumerate(kept):
            if float(np.linalg.norm(centre - centres[number])) < alike:
                total = weight + sizes[number]
                kept[place] = (total, (centre * weight + centres[number] * sizes[number]) / total)
                break
        else:
            if sizes[number] >= 0.02 * len(pixels):
                kept.append((float(sizes[number]), centres[number]))
    return tuple((centre / CLOTH_SCALE).astype(np.float32) for _, centre in sorted(kept, key=lambda one: -one[0]))
