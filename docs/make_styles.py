"""Writes docs/styles.md from the rules themselves, and its pictures from the example clip.

usage: python docs/make_styles.py [--pictures [WORD ...]]    with words, only the pictures whose names hold one
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

from toonfilter.runtime.style_commands.style_files import toml
from toonfilter.runtime.styles.identity import (
    KNOWN_FROM,
    MEASURED,
    MEASURED_FACES,
    MEASURED_ON,
    SAME_PERSON,
    STRANGERS,
)
from toonfilter.runtime.styles.style import SLIDER_RANGES, Sliders, Style
from toonfilter.runtime.styles.style_keys import COUNT, FACTOR, KEYS, PATH, SHARE, TONES, WORD, Key, U, table_of

HERE = Path(__file__).parent
PAGE, SCHEMA = HERE / "styles.md", HERE / "style.schema.json"
_SHIPPED_PICTURE = "pictures/styles.webp"
_SHAPES_PICTURE, _TONES_PICTURE = "pictures/style-shapes.jpg", "pictures/style-tones.jpg"
TONES_SHOWN = ("[]", "[[-4, -8], [6, 6]]", "[[-4, -5], [-9, -12], [6, 8]]")
"""The tones of the three pictures of them."""
_BASE = f"""Lines, shade and colours of the whole figure.

**Lightness** (`skin_lightness`, `hair_lightness`, `ground_lightness`) mixes the person's own colours, and those of the
room, with white or, below 0, with black. Whoever is darker than somebody else stays so. A room that the user replaced
(`--background`) and the paper of `fill = "paper"` stay as they are.

**Tones** (`skin_tones`, `hair_tones`, `beard_tones`) draw the photo's light and shade in flat steps. *Relief* is how
much lighter a place of the photo is than this skin or hair usually is, in L* (lightness from 0 to 100): below 0 lies
in shade, above 0 in light. A pair is [relief, step]: where relief is so far from 0 or further, on the same side, the
part is drawn `step` lighter (above 0) or darker (below 0). Tones further out replace nearer ones, never add to them;
between the two innermost lies the flat colour, and the order in the file does not matter. So
`{TONES_SHOWN[2]}` draws shade 5 darker, deep shade 12 darker, and light 8 lighter; `[]` draws none.
Steps of `skin_tones` are multiplied by `modelling`: they need it above 0. With `pattern = "hatching"` the photo's shade
on skin is strokes instead.

![skin and hair without tones, with one of shade and one of light, and with two of shade]({_TONES_PICTURE})

`skin_tones` and `hair_tones`, left: `{TONES_SHOWN[0]}`. Middle: `{TONES_SHOWN[1]}`. Right: `{TONES_SHOWN[2]}`."""

GROUPS: Mapping[str, tuple[str, str, str]] = {
    "proportions": (
        "How far the face departs from the person's own. The more, the less a recogniser knows the person.",
        "eye_width = 1.0\neye_height = 1.0\nnose_width = 1.0\njaw_width = 1.0",
        "eye_width = 1.6\neye_height = 1.6\nnose_width = 0.7\njaw_width = 0.74",
    ),
    "base": (
        _BASE,
        "outer_line_u = 0.010\nhair_line_u = 0.003\ninner_ink = 0.2\nshade = 0.15\nmodelling = 0.0\nsaturation = 0.5",
        "outer_line_u = 0.06\nhair_line_u = 0.04\ninner_ink = 1.0\nshade = 1.0\nmodelling = 1.0\nsaturation = 1.6",
    ),
    "features.eyes": (
        "Sizes of lights and pupil are shares of the iris's radius.",
        "iris_size = 0.9\npupil = 0.3\nhighlight = 0.1\nsecond_highlight = 0.0\nlid_line_u = 0.012\ncrease_shade = 0.0",
        "iris_size = 1.4\npupil = 0.6\nhighlight = 0.4\nsecond_highlight = 0.25\nlid_line_u = 0.07\ncrease_shade = 0.9",
    ),
    "features.brows": ("", "thickness = 0.5", "thickness = 1.9\nleast_u = 0.1\nmost_u = 0.25"),
    "features.nose": ("", 'kind = "small"', "under_shade = 1.0\nside_shade = 0.7\nwing_u = 0.035\nlight = 1.0"),
    "features.mouth": (
        "",
        "line_u = 0.01\nlip_colour = 0.0\nunder_shade = 0.0",
        "line_u = 0.05\ncorner_u = 0.04\nlight = 1.0\nunder_shade = 1.0",
    ),
    "features.lines": (
        "Lines from nose to mouth, at the eyes and on the forehead, as far as the person has them.",
        "strength = 0.0\nblush = 0.0",
        "strength = 2.0\nwidth_u = 0.035\nblush = 0.9",
    ),
    "features.glasses": ("Only where the person wears some; the astronaut of these pictures does not.", "", ""),
}
"""By table: a word, and what the pictures left and right of cartoon change; none without pictures."""

_START = """# Styles: a guide for artists

<!-- Written by docs/make_styles.py; change that, or the rules. -->

A style is a small text file of rules. The network finds where hair, skin, cloth, eyes and lines are; the style says how
they are drawn. No training, no programming:

```
toonfilter styles new mine --from anime            # a file with every key, in your folder; tells its full path
toonfilter cam --preview --to mine                 # edit the file: the picture follows each time you save it
toonfilter styles check FILE                       # lists all that is wrong: line, key, value, range
toonfilter styles gallery photos/*.jpg -o out.html --to mine --to anime    # many people side by side
```

![the four styles that ship: cartoon, anime, comic, sketch](pictures/styles.webp)

Your folder of styles is `~/.local/share/toonfilter/models` on Linux, `~/Library/Application Support/toonfilter/models`
on macOS, `%LOCALAPPDATA%\\toonfilter\\models` on Windows; where TOONFILTER_HOME is set, `models` in that folder. A
style may lie elsewhere: `--to` and `check` take its path, too.

What a file does not name has cartoon's value, so one key is enough to begin with. Start with large steps, look at
several people (children, old people, beards, deep and fair skin) and then refine. A smile must stay one, and a frown.

## Units

- **u**: the distance of the pupils. `outer_line_u = 0.03` is a line of three hundredths of it, however large the face.
- **times**: a factor of the person's own, or of the usual; 1 leaves it.
- **share**: 0 none, 1 full. A few shares of expression reach 2; those of lightness go below 0.

[style.schema.json](style.schema.json) has all keys and ranges as JSON Schema: an editor that knows TOML (such as Even
Better TOML) helps while you type if the first line of your file is `#:schema PATH/TO/style.schema.json`.

The head of a file holds `version`, `description` (a line for lists) and `network`, which stays `"fields"`.
"""

_SHAPES = """
## Shapes

Keys whose unit is *SVG path* take path data: draw the shape in any program that saves SVG, with its middle at 0,0, and
copy the text between the quotes of the attribute `d` of its `<path>`, no more. Paths are filled; x runs to the
picture's right, y down. All commands are known, arcs and curves as well. A shape follows the face: it turns and shrinks
with the head, and what is on the cheeks is mirrored.

- Of the iris (`pupil_shape`, `highlight_shape`, `second_highlight_shape`): 1 is where the edge of the usual one is, so
  that `pupil`, `highlight` and `second_highlight` still set their sizes.
- `features.brows.shape`: x from 0 at the temple to 1 at the nose, y from -1 at the upper to 1 at the lower edge of the
  brow, which is bent along the person's own.
- `features.nose.shape` and `shade_shape`: in u from the place below the tip, instead of what `kind` draws; only the
  bridge's line of a turned head stays.
- `features.lines.blush_shape`: in u from the middle of the cheek, x outwards.

![hearts for pupils, pointed lights, straight brows, a stroke of a nose, marks on the cheeks](pictures/style-shapes.jpg)

Left: cartoon. Right:

```
{shapes}```
"""

SHAPES = """[features.eyes]
pupil = 0.5
pupil_shape = "M0 1 C-1.5 0 -.9 -1.1 0 -.45 C.9 -1.1 1.5 0 0 1 Z"
highlight_shape = "M0 -1 Q.2 -.2 1 0 Q.2 .2 0 1 Q-.2 .2 -1 0 Q-.2 -.2 0 -1 Z"

[features.brows]
shape = "M0 -.6 L1 -1 L1 1 L0 .2 Z"

[features.nose]
shape = "M-.06 .03 L.07 -.02 L.07 .02 Z"

[features.lines]
blush = 0.8
blush_shape = "M-.20 .1 l.07 -.2 h.04 l-.07 .2 Z M-.06 .1 l.07 -.2 h.04 l-.07 .2 Z M.08 .1 l.07 -.2 h.04 l-.07 .2 Z"
"""
"""The example of the guide; its picture is drawn from it."""

_END = """
## Sliders

Users change these of every style, with `cam`, `video`, `image` and `batch`; so a style should bear both ends.

| option | range | usual | raising it |
|---|---|---|---|
"""

_SLIDER_WORDS = {
    "likeness": "the person's own proportions instead of the style's; a recogniser knows the person better",
    "line": "thicker lines, as a factor",
    "shade": "deeper shade, as a factor",
    "colour": "stronger colours, as a factor",
    "softness": "edges of shade fade more widely",
}


_IDENTITY = f"""
How far a face recogniser (one that nothing was trained or tuned against) takes the drawing for the person, as the
cosine of its embeddings, median / 95th percentile over {MEASURED_FACES} faces by lot, measured on {MEASURED_ON}.
Photos of two people have {STRANGERS:g}, two photos of one person {SAME_PERSON:g} on average; from {KNOWN_FROM:g} on a
face counts as known:

"""
_IDENTITY_END = """
`toonfilter styles show NAME` and the panel show these figures (`runtime/styles/identity.py`); styles of your own were
not measured. Whatever a style or a slider does, the picture is measured before it leaves: a face that still shows is
covered.
"""


def _identity() -> str:
    likenesses = [f"`--likeness {one.likeness:g}`" for one in MEASURED["cartoon"]]
    head = f"| style | {' | '.join(likenesses)} |\n|---{'|---' * len(likenesses)}|\n"
    rows = (f"| `{name}` | {' | '.join(map(str, measured))} |\n" for name, measured in MEASURED.items())
    return _IDENTITY + head + "".join(rows) + _IDENTITY_END


def page() -> str:
    """The guide as Markdown."""
    parts = [_START]
    for table, keys in KEYS.items():
        words, less, more = GROUPS[table]
        parts.append(f"\n## [{table}]\n")
        if words:
            parts.append(f"\n{words}\n")
        if less:
            parts.append(f"\n![{table}: less, cartoon, more]({_picture(table)})\n")
            parts.append(f"\nLeft: {_inline(less)}. Middle: cartoon. Right: {_inline(more)}.\n")
            words = f"keys of {table} that this person shows, a little and a lot of each"
            parts.append(f"\n![{words}]({_keys_picture(table)})\n")
        parts.append("\n| key | unit | range | cartoon | raising it |\n|---|---|---|---|---|\n")
        rules = table_of(Style("cartoon"), table)
        parts += [_row(name, key, getattr(rules, name)) for name, key in keys.items()]
    parts.append(_SHAPES.format(shapes=SHAPES))
    parts.append(_END)
    for name, (low, high) in SLIDER_RANGES.items():
        parts.append(f"| `--{name}` | {low:g} to {high:g} | {getattr(Sliders(), name):g} | {_SLIDER_WORDS[name]} |\n")
    parts.append(_identity())
    return "".join(parts)


def schema() -> str:
    """The keys of a style file as JSON Schema, for editors."""
    root: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": {}}
    for name in ("name", "version", "description", "network"):
        root["properties"][name] = {"type": "string"}
    for table, keys in KEYS.items():
        node = root
        for part in table.split("."):
            empty = {"type": "object", "additionalProperties": False, "properties": {}}
            node = node["properties"].setdefault(part, empty)
        rules = table_of(Style("cartoon"), table)
        words = get_type_hints(type(rules))
        node["properties"] |= {
            name: {"description": key.raising, "default": getattr(rules, name)} | _kind(key, words[name])
            for name, key in keys.items()
        }
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A style of toonfilter"}
    return json.dumps(head | root, indent=1) + "\n"


def _kind(key: Key, hint: Any) -> dict[str, Any]:
    """Type and range of a key."""
    if key.unit == WORD:
        return {"enum": list(get_args(hint))}
    if key.unit == PATH:
        return {"type": "string"}
    number = {"type": "integer" if key.unit == COUNT else "number", "minimum": key.low, "maximum": key.high}
    if key.unit == TONES:
        return {"type": "array", "items": {"type": "array", "items": number, "minItems": 2, "maxItems": 2}}
    return number


def _row(name: str, key: Key, value: object) -> str:
    unit = {U: "u", FACTOR: "times", SHARE: "share"}.get(key.unit, key.unit)
    reach = "" if key.unit == WORD else f"{key.low:g} to {key.high:g}"
    return f"| `{name}` | {unit} | {reach} | `{toml(value)}` | {key.raising} |\n"


def _inline(lines: str) -> str:
    return ", ".join(f"`{line}`" for line in lines.splitlines())


def _picture(table: str) -> str:
    return f"pictures/style-{table.rpartition('.')[2]}.jpg"


def _keys_picture(table: str) -> str:
    return f"pictures/style-keys-{table.rpartition('.')[2]}.webp"


def picture_rows() -> dict[str, tuple[str, ...]]:
    """By picture the texts of the style files that are drawn side by side; an empty one is cartoon."""
    rows: dict[str, tuple[str, ...]] = {
        _picture(table): (f"[{table}]\n{less}\n", "", f"[{table}]\n{more}\n")
        for table, (_, less, more) in GROUPS.items()
        if less
    }
    tones = tuple(f"[base]\nmodelling = 1.0\nskin_tones = {one}\nhair_tones = {one}\n" for one in TONES_SHOWN)
    return rows | {_TONES_PICTURE: tones, _SHAPES_PICTURE: ("", SHAPES)}


def write_pictures(words: Sequence[str]) -> None:
    """Draw the pictures. words: only those whose names hold one; empty for all."""
    from style_pictures import write_keys, write_rows, write_shipped

    def is_asked(name: str) -> bool:
        return not words or any(word in name for word in words)

    if is_asked(_SHIPPED_PICTURE):
        write_shipped(HERE / _SHIPPED_PICTURE)
    write_rows({HERE / name: row for name, row in picture_rows().items() if is_asked(name)})
    for table, (_, less, _) in GROUPS.items():
        if less and is_asked(_keys_picture(table)):
            write_keys(HERE / _keys_picture(table), table)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")
    if "--pictures" in sys.argv:
        write_pictures(sys.argv[sys.argv.index("--pictures") + 1 :])
