"""What a style may change of the features. Names that end in _u are lengths in pupil distances."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class EyeRules:
    """Eyes. Sizes of parts of the iris are shares of its radius."""

    width: float = 1.18
    height: float = 1.0
    """How much larger than the style's proportions make them eyes are drawn, where skin need not make room."""
    iris_size: float = 1.17
    """Radius over the person's own."""
    iris_tall: float = 1.0
    """Height of the iris over its width."""
    iris_least_u: float = 0.104
    pupil: float = 0.44
    highlight: float = 0.29
    second_highlight: float = 0.12
    pupil_shape: str = ""
    highlight_shape: str = ""
    second_highlight_shape: str = ""
    """SVG path data, 1 where the edge of the usual one is; empty draws that."""
    glow: float = 0.70
    """Light in the lower half of the iris, 0 to 1."""
    iris_saturation: float = 1.2
    white_tint: float = 0.2
    """Share of skin colour in the white."""
    lid_shadow_u: float = 0.08
    """Depth of the lid's shadow on the white."""
    exaggeration: float = 0.6
    """How much further than in life lids open in wonder, and in part how much they narrow."""
    lid_line_u: float = 0.047
    lash_line_u: float = 0.028
    """What full lashes add to the lid's line."""
    wing_u: float = 0.07
    lashes: int = 3
    """Single lashes at the outer corner of made-up eyes."""
    lower_line_u: float = 0.019
    lower_reach: float = 0.95
    """Share of the lower lid, from the outer corner, that has a line."""
    crease_line_u: float = 0.018
    crease_shade: float = 0.34
    least_crease: float = 0.35
    """How strong the fold above the eye is at least, 0 to 1."""
    socket_shade: float = 0.55
    """Soft shade beside the nose and above the lid, 0 to 1."""
    closed_line_u: float = 0.052


@dataclass(frozen=True, slots=True)
class BrowRules:
    """Brows."""

    thickness: float = 1.05
    """Over the person's own."""
    least_u: float = 0.050
    most_u: float = 0.150
    likeness: float = 1.0
    """How far the person's own shape and place are kept, 0 to 1."""
    friendly_u: float = 0.032
    """How far the inner end is raised, so that rest is not angry."""
    lower_u: float = 0.018
    """How far brows come down again after larger eyes have pushed them up."""
    alpha: float = 1.0
    exaggeration: float = 0.65
    """How much further than in life the inner end falls in a frown and rises in worry."""
    shape: str = ""
    """SVG path data: x from 0 at the temple to 1 at the nose, y from -1 at the upper to 1 at the lower edge."""


@dataclass(frozen=True, slots=True)
class NoseRules:
    """Nose."""

    kind: Literal["soft", "small"] = "soft"
    """soft: wings, nostrils and the plane below the tip; small: a shadow and one stroke."""
    under_shade: float = 0.7
    side_shade: float = 0.55
    nostril_u: float = 0.029
    wing_u: float = 0.022
    bridge_u: float = 0.028
    """Line along the bridge of a turned head."""
    light: float = 0.8
    shape: str = ""
    shade_shape: str = ""
    """SVG path data in distances of the pupils from the tip: of lines and shade, instead of those of `kind`."""


@dataclass(frozen=True, slots=True)
class MouthRules:
    """Mouth."""

    line_u: float = 0.021
    corner_u: float = 0.018
    lip_colour: float = 0.86
    """0 paints no lips."""
    light: float = 0.5
    under_shade: float = 0.35
    lower_edge_u: float = 0.004
    friendly_u: float = 0.019
    """How far the corners are raised, so that rest is not sad."""
    exaggeration: float = 0.2
    """How much further than in life the corners rise in a smile and fall in a frown."""


@dataclass(frozen=True, slots=True)
class LineRules:
    """Lines of age and smile, blush."""

    strength: float = 0.42
    width_u: float = 0.036
    blush: float = 0.5
    blush_shape: str = ""
    """SVG path data in distances of the pupils from the cheek, x outwards; instead of a soft glow."""


@dataclass(frozen=True, slots=True)
class GlassesRules:
    """Glasses."""

    width: float = 1.0
    """Of the rims, over the person's own."""
    glare: float = 0.16
    shadow: float = 0.30


@dataclass(frozen=True, slots=True)
class FeatureRules:
    """All features; the defaults are those of `cartoon`."""

    eyes: EyeRules = field(default_factory=EyeRules)
    brows: BrowRules = field(default_factory=BrowRules)
    nose: NoseRules = field(default_factory=NoseRules)
    mouth: MouthRules = field(default_factory=MouthRules)
    lines: LineRules = field(default_factory=LineRules)
    glasses: GlassesRules = field(default_factory=GlassesRules)
