"""Every key of a style file: its unit, its range, and what raising it does; for reading and for `docs/styles.md`."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.files.strict import Problem
from toonfilter.runtime.geometry.proportions import MOVES, SCALES
from toonfilter.runtime.styles.shapes import outlines_of

U, FACTOR, SHARE, TONES, WORD, COUNT, PATH = "u", "factor", "share", "pairs, L*", "word", "count", "SVG path"
"""Units. u: distance of the pupils. factor: of the person's own or of the usual; 1 leaves it. share: 0 none, 1 full.
SVG path: path data as in the attribute `d`, closed; low and high hold of its coordinates."""

_TONE_PAIRS = "pairs [from which relief on, step in lightness], below 0 shade; further from 0, less often or stronger"


@dataclass(frozen=True, slots=True)
class Key:
    """low, high: the range, both ends allowed; of each number where there are several. raising: a line for artists."""

    unit: str
    low: float
    high: float
    raising: str


def _line(raising: str) -> Key:
    return Key(U, 0.0, 0.2, raising)


def _share(raising: str) -> Key:
    return Key(SHARE, 0.0, 1.0, raising)


def _lightness(raising: str) -> Key:
    return Key(SHARE, -0.6, 0.6, f"{raising}; below 0 darker, 0 leaves it")


def _factor(raising: str, low: float = 0.0, high: float = 3.0) -> Key:
    return Key(FACTOR, low, high, raising)


def _scale(raising: str) -> Key:
    return Key(FACTOR, *SCALES, raising)


def _move(raising: str) -> Key:
    return Key(U, *MOVES, raising)


def _path(reach: float, what: str) -> Key:
    return Key(PATH, -reach, reach, what)


KEYS: Mapping[str, Mapping[str, Key]] = {
    "proportions": {
        "eye_width": _scale("wider eyes"),
        "eye_height": _scale("taller eyes"),
        "nose_width": _scale("a wider nose"),
        "nose_length": _scale("a longer nose"),
        "mouth_width": _scale("a wider mouth"),
        "jaw_width": _scale("a broader jaw"),
        "forehead": _scale("a higher forehead"),
        "eye_drop": _move("eyes lie lower in the face"),
        "nose_lift": _move("the nose lies higher"),
        "chin_lift": _move("a shorter chin"),
    },
    "base": {
        "outer_line_u": _line("a thicker outline of the figure"),
        "hair_line_u": _line("thicker lines around hair and beard"),
        "inner_line_u": _line("thicker lines inside the figure: cloth, neck, chin"),
        "inner_ink": _share("stronger ink of those lines; 0 draws none"),
        "shade": _share("darker shade on skin, and darker dots; at 0 `modelling` and keys of features still draw some"),
        "form_shade": _share("more of `shade` on the face's form, in the flat pattern; 0 draws none there"),
        "softness_u": _line("that shade ends more softly; 0 draws a crisp edge"),
        "modelling": _share("the photo's own light and shade on the skin shows more; 0 draws none, nor `skin_tones`"),
        "cloth": Key(WORD, 0, 0, "`painted`: in patches of the photo's own colours; `flat`: in few colours"),
        "folds": _share("the photo's own light and shade on cloth shows more; 0 draws it flat"),
        "skin_tones": Key(TONES, -60.0, 60.0, f"{_TONE_PAIRS}; only with `modelling` above 0"),
        "ink_black": _share("lines go from the hue of what they surround to black"),
        "line_taper": _share("outlines thinner towards the light and wider away from it"),
        "pattern": Key(WORD, 0, 0, "how shade is drawn: `flat`, printed `dots`, or `hatching`"),
        "dot_u": Key(U, 0.02, 0.2, "printed dots lie further apart"),
        "ground_dots": _share("darker printed dots on the ground"),
        "fill": Key(WORD, 0, 0, "`colour`: parts in their own colours; `paper`: nearly white, for pencil styles"),
        "saturation": _factor("stronger colours of skin, hair and cloth; 0 draws all in black and white"),
        "skin_lightness": _lightness("lighter skin and lips"),
        "hair_lightness": _lightness("lighter hair, beard and brows"),
        "ground_lightness": _lightness("a lighter room, where the room is drawn"),
        "neck_shadow_u": Key(U, 0.0, 1.0, "the head's shadow reaches further down the neck"),
        "stubble": _share("darker stubble"),
        "hair_ring": _share("a brighter ring of light around the crown, and fewer other lights; 0 draws none"),
        "hair_lines": _share("how many single strands are drawn on hair, along its flow; pencil styles draw their own"),
        "loose_hair": _share("how many tips and single hairs leave the outline of hair"),
        "beard_tones": Key(TONES, -60.0, 60.0, _TONE_PAIRS),
        "hair_tones": Key(TONES, -60.0, 60.0, _TONE_PAIRS),
    },
    "features.eyes": {
        "width": _factor("wider eyes, over the proportions; skin makes no room", 0.5, 2.0),
        "height": _factor("taller eyes, over the proportions; skin makes no room", 0.5, 2.0),
        "iris_size": _factor("a larger iris", 0.5, 2.0),
        "iris_tall": _factor("an iris taller than wide", 0.5, 2.0),
        "iris_least_u": _line("small irises are drawn larger"),
        "pupil": _share("a larger pupil in the iris"),
        "highlight": _share("a larger light on the iris"),
        "second_highlight": _share("a larger second light, below"),
        "pupil_shape": _path(2, "the pupil's shape, 1 at the edge of the usual one; empty: an oval"),
        "highlight_shape": _path(2, "the light's shape, 1 at the edge of the usual one; empty: an oval"),
        "second_highlight_shape": _path(2, "the second light's shape, as the first's; empty: a disc"),
        "glow": _share("more light in the lower half of the iris"),
        "iris_saturation": _factor("stronger colour of the iris"),
        "white_tint": _share("more skin colour in the white of the eye"),
        "lid_shadow_u": _line("a deeper shadow of the lid on the white"),
        "exaggeration": Key(SHARE, 0.0, 2.0, "lids narrow and open further than in life"),
        "lid_line_u": _line("a thicker line of the upper lid"),
        "lash_line_u": _line("full lashes add more to that line"),
        "wing_u": _line("the line reaches further out at the outer corner"),
        "lashes": Key(COUNT, 0, 12, "more single lashes on made-up eyes"),
        "lower_line_u": _line("a thicker line of the lower lid"),
        "lower_reach": _share("that line reaches further in"),
        "crease_line_u": _line("a thicker fold above the eye"),
        "crease_shade": _share("darker shade between fold and lid"),
        "least_crease": _share("faint folds above the eye are stronger; 0 leaves them as the photo shows them"),
        "socket_shade": _share("darker, soft shade beside the nose and above the lid"),
        "closed_line_u": _line("a thicker arc of closed eyes"),
    },
    "features.brows": {
        "thickness": _factor("thicker brows"),
        "least_u": _line("thin brows are drawn thicker"),
        "most_u": Key(U, 0.0, 0.3, "thick brows may be thicker"),
        "lower_u": Key(U, -0.1, 0.1, "brows lie lower, nearer to the eyes"),
        "likeness": _share("brows keep more of the person's own shape and place"),
        "friendly_u": _line("inner ends lie higher, so that rest looks less angry"),
        "alpha": _share("brows cover the skin more"),
        "shape": _path(2, "x from 0 at the temple to 1 at the nose, y -1 to 1 across the brow; empty: tapered"),
        "exaggeration": Key(SHARE, 0.0, 2.0, "inner ends fall in a frown and rise in worry further than in life"),
    },
    "features.nose": {
        "kind": Key(WORD, 0, 0, "`soft`: wings, nostrils, the plane below the tip; `small`: a shadow and one stroke"),
        "under_shade": _share("darker below the tip"),
        "side_shade": _share("darker on the side away from the light"),
        "nostril_u": _line("larger nostrils"),
        "wing_u": _line("thicker lines of the wings"),
        "bridge_u": _line("a thicker line along the bridge of a turned head"),
        "light": _share("a stronger light on tip and bridge"),
        "shape": _path(1, "lines of the nose, in u from below the tip; instead of those of `kind`"),
        "shade_shape": _path(1, "shade of the nose, as `shape`"),
    },
    "features.mouth": {
        "line_u": _line("a thicker line between the lips"),
        "corner_u": _line("heavier corners"),
        "lip_colour": _share("stronger colour of lips; 0 paints none"),
        "light": _share("a stronger light on the lower lip"),
        "under_shade": _share("darker below the lower lip"),
        "lower_edge_u": _line("a thicker lower edge of the open mouth"),
        "friendly_u": _line("corners lie higher, so that rest looks less sad"),
        "exaggeration": Key(SHARE, 0.0, 2.0, "corners rise in a smile and fall in a frown further than in life"),
    },
    "features.lines": {
        "strength": Key(SHARE, 0.0, 2.0, "more and darker lines of age and smile; 0 draws none"),
        "width_u": _line("thicker lines of age and smile"),
        "blush": _share("redder cheeks"),
        "blush_shape": _path(1, "a mark on each cheek, in u from its middle, x outwards; empty: a soft glow"),
    },
    "features.glasses": {
        "width": _factor("thicker rims"),
        "glare": _share("brighter reflections on lenses"),
        "shadow": _share("darker shadow of the rims on the face"),
    },
}
"""By table of a style file and key."""


def out_of_range(content: Mapping[str, Any]) -> Iterator[Problem]:
    """Every value out of its range, with its key and the range.

    content: tables of a style file; keys and values of other kinds are left to `strict.parse`.
    """
    for table, keys in KEYS.items():
        given = _given(content, table)
        for name, key in keys.items():
            if name in given and (wrong := _problem_in(given[name], key)):
                yield Problem(f"{table}.{name} {wrong}", f"{table}.{name}")


def _given(content: Mapping[str, Any], table: str) -> Mapping[str, Any]:
    """What a file gives in a table; empty where that is none."""
    given: Any = content
    for part in table.split("."):
        given = given.get(part) if isinstance(given, Mapping) else None
    return given if isinstance(given, Mapping) else {}


def _problem_in(value: Any, key: Key) -> str:
    """What is out of range in a value; empty where nothing is, or where the value is of another kind than the key."""
    if key.unit == PATH:
        return _problem_in_path(value, key) if isinstance(value, str) else ""
    if key.unit == WORD or isinstance(value, list) != (key.unit == TONES):
        return ""
    for number in _numbers(value):
        if not key.low <= number <= key.high:
            return f"is {number:g}; must be {key.low:g} to {key.high:g}"
    return ""


def _problem_in_path(path: str, key: Key) -> str:
    try:
        outlines = outlines_of(path)
    except ConfigError as error:
        return f"is {path[:60]!r}; {error}"
    for value in (value for one in outlines for value in one.ravel().tolist()):
        if not key.low <= value <= key.high:
            return f"reaches {value:g}; must stay within {key.low:g} to {key.high:g}"
    return ""


def table_of(style: Any, table: str) -> Any:
    """The rules that one table of a style file sets."""
    rules = style
    for part in table.split("."):
        rules = getattr(rules, part)
    return rules


def changed_keys(style: Any, usual: Any) -> Iterator[tuple[str, str, Any]]:
    """Table, key and value wherever `style` differs from `usual`."""
    for table in KEYS:
        rules, usual_rules = table_of(style, table), table_of(usual, table)
        for field in dataclasses.fields(rules):
            value = getattr(rules, field.name)
            if value != getattr(usual_rules, field.name):
                yield table, field.name, value


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, list):
        for one in value:
            yield from _numbers(one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value
