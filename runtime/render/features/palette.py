"""The colours of the features, mixed from a look."""

from dataclasses import dataclass

import numpy as np

from toonfilter.runtime.render.colour import BLACK, Colour, Lab, depth_of, ink, mix, to_rgb
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import Look
from toonfilter.runtime.styles.feature_rules import FeatureRules

_WHITE = np.array([0.985, 0.978, 0.972], np.float32)
_LASH = np.array([0.11, 0.06, 0.07], np.float32)
_ROSE = np.array([-5.0, 8.5, 0.0], np.float32)
"""What a drawing adds to lips: flat and as pale as they are they would be lost, full ones most of all."""
_BROW_CONTRAST = 0.52
"""Most lightness of brows over that of skin."""
_BLACK_BROW = 0.65
"""How far brows go with black ink."""
_DARKER_IRIS, _LESS_GLOW = 0.25, 9.0
"""How much darker and less coloured irises are beside deep skin, and how much less light, L*, is in them: they would
glow. Raising these calms them."""
_TEETH = np.array([0.975, 0.955, 0.915], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SkinColours:
    """Skin and the lines on it: sRGB 0 to 1, float32 [3] each."""

    shade: Colour
    light: Colour
    """Skin where it catches the light."""
    ink: Colour
    soft_ink: Colour
    blush: Colour


@dataclass(frozen=True, slots=True, eq=False)
class EyeColours:
    """sRGB 0 to 1, float32 [3] each."""

    white: Colour
    caruncle: Colour
    iris_ring: Colour
    iris_deep: Colour
    iris: Colour
    iris_glow: Colour
    pupil: Colour
    lash: Colour
    lower_lid: Colour


@dataclass(frozen=True, slots=True, eq=False)
class MouthColours:
    """sRGB 0 to 1, float32 [3] each."""

    lip: Colour
    lip_upper: Colour
    lip_light: Colour
    inside: Colour
    tongue: Colour
    teeth: Colour
    teeth_shade: Colour
    teeth_dark: Colour


@dataclass(frozen=True, slots=True, eq=False)
class FeatureColours:
    """All that a face is drawn with. brow: sRGB 0 to 1, float32 [3]."""

    skin: SkinColours
    eyes: EyeColours
    brow: Colour
    mouth: MouthColours

    @classmethod
    def of(cls, look: Look, rules: FeatureRules, ink_black: float = 0.0) -> "FeatureColours":
        """Mix the palette; a drawing of the same look can keep it."""
        skin = _skin_colours(look, ink_black)
        return cls(
            skin=skin,
            eyes=_eye_colours(look, rules, skin, ink_black),
            brow=mix(to_rgb(_seen_brow(look)), BLACK, _BLACK_BROW * ink_black),
            mouth=_mouth_colours(look, rules),
        )


def _skin_colours(look: Look, ink_black: float) -> SkinColours:
    dark = 1 - smoothstep(float(look.skin[0]), 38, 58)
    soft = to_rgb(_between(look.shadow, look.skin * np.array([0.26, 0.75, 0.6], np.float32), 0.42 + 0.1 * dark))
    return SkinColours(
        shade=to_rgb(look.shadow),
        light=_lab_rgb(look.skin, 9 + 3 * dark, 0.80, 0.85),
        ink=mix(ink(look.skin), BLACK, ink_black),
        soft_ink=mix(soft, BLACK, 0.75 * ink_black),
        blush=_lab_rgb(look.skin, -5 - 2 * dark, 1.0, 1.0, red=17 - 4 * dark),
    )


def _eye_colours(look: Look, rules: FeatureRules, skin: SkinColours, ink_black: float) -> EyeColours:
    iris, deep = look.iris.copy(), depth_of(look.skin)
    iris[0] *= np.float32(1 - _DARKER_IRIS * deep)
    iris[1:] *= np.float32(rules.eyes.iris_saturation * (1 - _DARKER_IRIS * deep))
    lash = mix(mix(ink(look.brow), _LASH, 0.65), BLACK, ink_black)
    return EyeColours(
        white=(_WHITE + (to_rgb(look.skin) - _WHITE) * np.float32(rules.eyes.white_tint)) * _brightness(look),
        caruncle=_lab_rgb(look.skin, -4, 1.0, 0.9, red=14),
        iris_ring=_lab_rgb(iris * np.array([0.30, 0.75, 0.6], np.float32), 1, 1, 1, red=1.5),
        iris_deep=_lab_rgb(iris * np.array([0.50, 0.95, 0.85], np.float32), 0, 1, 1),
        iris=to_rgb(iris),
        iris_glow=_lab_rgb(iris, min(20.0 - _LESS_GLOW * deep, 80 - float(iris[0])), 1.2, 1.3),
        pupil=_lab_rgb(iris * np.array([0.16, 0.4, 0.3], np.float32), 2, 1, 1),
        lash=lash,
        lower_lid=mix(skin.soft_ink, lash, 0.25 + 0.35 * look.lash),
    )


def _mouth_colours(look: Look, rules: FeatureRules) -> MouthColours:
    lip, upper = _lips(look, rules)
    return MouthColours(
        lip=to_rgb(lip),
        lip_upper=to_rgb(upper),
        lip_light=_lab_rgb(lip, 10, 0.85, 0.85),
        inside=_lab_rgb(np.array([17, 26, 13], np.float32), 0, 1, 1),
        tongue=_lab_rgb(np.array([50, 38, 20], np.float32), 0, 1, 1),
        teeth=_TEETH * (np.float32(0.92) + np.float32(0.08) * _brightness(look)),
        teeth_shade=_TEETH * np.array([0.82, 0.78, 0.78], np.float32),
        teeth_dark=_TEETH * np.array([0.72, 0.63, 0.60], np.float32),
    )


def _brightness(look: Look) -> np.float32:
    """Of the whites of eyes and teeth: less in a dark face."""
    return np.float32(0.90 + 0.10 * min(1.0, float(look.skin[0]) / 62))


_MIXED: dict[object, FeatureColours] = {}
_KEPT = 64


def feature_colours(look: Look, rules: FeatureRules, ink_black: float = 0.0) -> FeatureColours:
    """As `FeatureColours.of`, kept for as long as the colours of the look stay."""
    parts = (look.skin, look.shadow, look.lip, look.iris, look.brow, (look.lip_strength, look.lash))
    key = (rules, ink_black, *(np.round(part, 1).tobytes() for part in parts))
    colours = _MIXED.get(key)
    if colours is None:
        if len(_MIXED) >= _KEPT:
            _MIXED.clear()
        colours = _MIXED[key] = FeatureColours.of(look, rules, ink_black)
    return colours


def _seen_brow(look: Look) -> Lab:
    """Fair and grey brows darkened until they speak."""
    brow = look.brow.copy()
    brow[0] = min(float(brow[0]), _BROW_CONTRAST * float(look.skin[0]))
    return brow


def _lips(look: Look, rules: FeatureRules) -> tuple[Lab, Lab]:
    share = rules.mouth.lip_colour * (0.78 + 0.22 * look.lip_strength)
    lip: Lab = _between(look.skin, look.lip, share) + _ROSE * np.float32(rules.mouth.lip_colour)
    upper = lip * np.array([0.93, 1.0, 0.95], np.float32) + np.array([0, 3.0, 0], np.float32)
    return lip, upper


def _between(first: Lab, second: Lab, share: float) -> Lab:
    between: Lab = first + (second - first) * np.float32(share)
    return between


def _lab_rgb(lab: Lab, lighter: float, red_scale: float, yellow_scale: float, *, red: float = 0.0) -> Colour:
    """A relative of a colour: lightness added to, chroma scaled, redness added to."""
    moved = np.array(
        [min(max(float(lab[0]) + lighter, 2.0), 98.0), float(lab[1]) * red_scale + red, float(lab[2]) * yellow_scale],
        np.float32,
    )
    return to_rgb(moved)
