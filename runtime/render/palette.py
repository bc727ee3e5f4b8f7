"""The colours of a person, and as a style paints them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.render.colour import FEWEST_PIXELS, Lab, lightened, median_colour, picture_lab, scaled
from toonfilter.runtime.render.contours import Plane, made_small
from toonfilter.runtime.render.hair_colour import measure_hair
from toonfilter.runtime.render.look import Look
from toonfilter.runtime.styles.style import BaseRules

CLOTH_COLOURS = 4
"""At most. Raising it tells more colours of a cloth apart, each with fewer steps of light."""
_ALIKE = 20.0
"""Cloth colours nearer than this (L*a*b* distance) are one. Raising it gives plainer clothes."""
_ALIKE_HATS = 30.0
"""The same for headwear, most of which has one colour."""
CLOTH_SCALE = np.array([0.36, 1.0, 1.0], np.float32)
"""Of L*, a*, b* in that distance: a fold is the same cloth in another light."""
_LIVELIER, _LIGHTER = np.array([0.91, 1.12, 1.12], np.float32), np.array([9, 0, 0], np.float32)
"""What painted cloth is of the photo's, in L*a*b*."""
_SMALL_PX = 96
_PARTS = ("person", "skin", "hair", "beard", "headwear", "over")
_PAPER_LIGHT, _PAPER_SKIN, _PAPER_HAIR = 68.0, 70.0, 50.0
"""Lightness of black in pencil styles: of cloth, skin, hair. Raising them leaves more of the paper."""
_PAPER_FROM, _PAPER_WHITE = 68.0, 98.5
"""Lightness from which on nothing but the paper is left, and its own. Raising the first gives fair skin a wash."""


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
    hair, beard = (painted_hair(one, rules) for one in (palette.hair, palette.beard))
    return replace(palette, hair=hair, beard=beard, skin=painted_skin(palette.skin, rules))


def painted_skin(lab: Lab, rules: BaseRules) -> Lab:
    """Skin and lips as a style paints them."""
    return lightened(painted_colour(lab, rules, paper_light=_PAPER_SKIN), rules.skin_lightness)


def painted_hair(lab: Lab, rules: BaseRules) -> Lab:
    """Hair and beard as a style paints them."""
    return lightened(painted_colour(lab, rules, paper_light=_PAPER_HAIR), rules.hair_lightness)


def painted_colour(lab: Lab, rules: BaseRules, paper_light: float = _PAPER_LIGHT) -> Lab:
    """Colours [..., 3] as a style paints them; see `BaseRules.fill` and `BaseRules.saturation`.

    paper_light: L* of black on paper.
    """
    if rules.fill == "paper":
        washed = np.zeros_like(lab)
        light = np.clip(lab[..., 0] / np.float32(_PAPER_FROM), 0, 1)
        washed[..., 0] = paper_light + (_PAPER_WHITE - paper_light) * light
        return washed
    return scaled(lab, np.array([1, rules.saturation, rules.saturation], np.float32))


def paintable(colour: Lab) -> Lab:
    """A cloth's colours [..., 3], a little lighter and livelier."""
    return scaled(colour, _LIVELIER, _LIGHTER)


def measure_palette(
    photo: Image,
    fields: Mapping[str, Plane],
    before: Palette | None = None,
    look: Look | None = None,
) -> Palette:
    """photo: uint8 [S, S, 3] RGB; fields in its pixels. before: colours are looked for from here, so that they stay.

    look: of the person, whose age and skin say what hair may be; None where no face is known.
    """
    small = cv2.resize(photo, (_SMALL_PX, _SMALL_PX), interpolation=cv2.INTER_AREA)
    lab = cv2.bilateralFilter(picture_lab(small), 5, 12, 2)
    plane = made_small(fields, [name for name in _PARTS if name in fields], (_SMALL_PX, _SMALL_PX))
    default = before or Palette()
    skin = median_colour(lab[plane["skin"] > 220], default.skin)
    hair = measure_hair(lab, plane, skin, default.hair, look)
    cloth = cloth_plane(plane)
    return Palette(
        hair=hair.hair,
        beard=hair.beard,
        beard_cover=hair.beard_cover,
        skin=skin,
        cloth=_clusters(lab[cloth > 200], default.cloth) or _one_colour(lab[plane["person"] > 128]),
        headwear=_clusters(lab[plane["headwear"] > 200], default.headwear, _ALIKE_HATS),
        over=_clusters(lab[plane["over"] > 200], default.over),
    )


def cloth_plane(fields: Mapping[str, Plane], *, under_beard: bool = False) -> Plane:
    """The person without hair, skin, headwear and what lies before the face. under_beard: cloth goes on under it."""
    cloth = fields["person"]
    for name in ("hair", "skin", "headwear", "over", "beard"):
        if name in fields and not (under_beard and name == "beard"):
            cloth = cv2.subtract(cloth, fields[name])
    return cloth


def _one_colour(pixels: NDArray[np.float32]) -> tuple[Lab, ...]:
    return (np.median(pixels, 0).astype(np.float32),) if len(pixels) else ()


def _clusters(pixels: NDArray[np.float32], before: tuple[Lab, ...], alike: float = _ALIKE) -> tuple[Lab, ...]:
    """Few colours that stand for all of them, the most frequent first."""
    if len(pixels) < FEWEST_PIXELS:
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
