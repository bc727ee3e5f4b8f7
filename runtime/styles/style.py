"""What a style decides: a file of rules, without any training."""

from dataclasses import dataclass, field, replace
from typing import Literal

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.geometry.proportions import Proportions
from toonfilter.runtime.styles.feature_rules import FeatureRules


@dataclass(frozen=True, slots=True)
class BaseRules:
    """Lines in units of the distance of the pupils (u). inner_ink: opacity of lines inside the figure. shade: darkness
    of what is drawn as shade, 0 none to 1; the photo's own (`modelling`) and that of features are beside it.

    hair_tones: from which relief on (L*, below 0 is shade) a tone is drawn, and its step in L*; tones further from 0
    replace nearer ones. pattern: how the face's shade is drawn. fill: `colour` paints parts in their own colours,
    `paper` leaves them nearly white, for pencil styles. saturation: of cloth, hair and skin, over the person's own.
    form_shade: strength of a shade that makes the face round. softness_u: how softly it ends. modelling: how much of
    the photo's own light and shade the skin shows; skin_tones: its tones, as hair_tones, times modelling. cloth:
    `painted` in patches of the photo's colours, or in few flat ones. folds: how much of the photo's light cloth shows.
    ink_black: 0 ink in the hue of what it surrounds, 1 black. line_taper: how much thinner outlines are towards the
    light than away from it. hair_ring: light of a ring around the crown. hair_lines, loose_hair: how many single
    strands are drawn on hair, and how many leave its outline. dot_u: distance of printed dots. ground_dots: their
    darkness on the ground. skin_lightness, hair_lightness, ground_lightness: how far skin, hair and the room are mixed
    with white, 0 to 1, or below 0 with black.
    """

    outer_line_u: float = 0.022
    hair_line_u: float = 0.005
    inner_line_u: float = 0.013
    inner_ink: float = 0.75
    shade: float = 0.55
    form_shade: float = 0.35
    softness_u: float = 0.11
    modelling: float = 1.0
    skin_tones: tuple[tuple[float, float], ...] = (
        (-3.2, -3.5),
        (-4.8, -7.0),
        (-9.2, -10.5),
        (-10.8, -14.0),
        (3.0, 1.0),
        (4.0, 2.0),
        (5.0, 3.0),
        (6.0, 4.0),
        (7.0, 5.0),
        (8.0, 6.0),
    )
    cloth: Literal["painted", "flat"] = "painted"
    folds: float = 0.8
    ink_black: float = 0.0
    line_taper: float = 0.8
    skin_lightness: float = 0.0
    hair_lightness: float = 0.0
    ground_lightness: float = 0.0
    dot_u: float = 0.06
    hair_ring: float = 0.0
    hair_lines: float = 1.0
    loose_hair: float = 0.0
    ground_dots: float = 0.0
    pattern: Literal["flat", "dots", "hatching"] = "flat"
    fill: Literal["colour", "paper"] = "colour"
    saturation: float = 1.12
    neck_shadow_u: float = 0.5
    stubble: float = 0.35
    beard_tones: tuple[tuple[float, float], ...] = ((-6.0, -7.0), (7.0, 4.0))
    hair_tones: tuple[tuple[float, float], ...] = ((-3.0, -6.0), (-7.0, -12.0), (3.0, 4.0), (7.0, 8.0), (11.0, 13.0))


@dataclass(frozen=True, slots=True)
class Style:
    """name, version, description: for people. network: the fields network that it draws with."""

    name: str
    version: str = "1.0"
    description: str = ""
    network: str = "fields"
    base: BaseRules = field(default_factory=BaseRules)
    features: FeatureRules = field(default_factory=FeatureRules)
    proportions: Proportions = field(default_factory=Proportions)


@dataclass(frozen=True, slots=True)
class Sliders:
    """What a user may change of any style while it runs.

    likeness: 0 the style's proportions, 1 the person's own; the lower, the less a recogniser knows the person. line,
    shade, colour: factors of line weights, of the depth of shade, and of saturation; 1 leaves them. softness: 0 leaves
    the edges of shade as the style has them, 1 lets them fade widely.
    """

    likeness: float = 0.0
    line: float = 1.0
    shade: float = 1.0
    colour: float = 1.0
    softness: float = 0.0

    def __post_init__(self) -> None:
        for name, (low, high) in SLIDER_RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"{name} is {value:g}; must be {low:g} to {high:g}")

    def applied(self, style: Style) -> Style:
        """The style as these sliders change it."""
        base = style.base
        lines = {name: getattr(base, name) * self.line for name in ("outer_line_u", "hair_line_u", "inner_line_u")}
        changed = replace(
            base,
            **lines,
            shade=min(1.0, base.shade * self.shade),
            modelling=min(1.0, base.modelling * self.shade),
            folds=min(1.0, base.folds * self.shade),
            saturation=base.saturation * self.colour,
            softness_u=base.softness_u + _SOFTEST_U * self.softness,
        )
        features = style.features
        mouth = replace(features.mouth, line_u=features.mouth.line_u * self.line)
        eyes = replace(features.eyes, lid_line_u=features.eyes.lid_line_u * self.line)
        return replace(
            style,
            base=changed,
            features=replace(features, mouth=mouth, eyes=eyes),
            proportions=style.proportions.toned(self.likeness),
        )


_SOFTEST_U = 0.09
"""What all of the slider `softness` adds to how softly shade ends."""
SLIDER_RANGES = {
    "likeness": (0.0, 1.0),
    "line": (0.3, 2.5),
    "shade": (0.0, 1.6),
    "colour": (0.0, 1.8),
    "softness": (0.0, 1.0),
}
"""Least and most of each slider."""
