"""Writes docs/styles.md from the rules themselves, and its pictures from the example clip.

usage: python docs/make_styles.py [--pictures]
"""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import av
import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from toonfilter.runtime.files.image_files import write_image
from toonfilter.runtime.frames import Image
from toonfilter.runtime.progress import Progress
from toonfilter.runtime.style_commands.style_files import toml
from toonfilter.runtime.style_commands.style_gallery import Row, draw_rows, sheet_of
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
_CLIP = HERE.parent / "examples" / "astronaut.mp4"
_SHIPPED = ("cartoon", "anime", "comic", "sketch")
_PHOTO_PX = (slice(40, 680), slice(420, 1060))
"""Head and shoulders in the first frame: rows and columns."""
_HEAD_PX = (slice(60, 440), slice(60, 400))
"""What of that is shown."""
_MOST_BYTES, _MOST_SHEET_BYTES = 29_000, 118_000

_KEY_PX = {
    "proportions": (slice(90, 440), slice(80, 380)),
    "base": (slice(60, 440), slice(60, 400)),
    "features.eyes": (slice(222, 284), slice(142, 304)),
    "features.brows": (slice(205, 275), slice(142, 304)),
    "features.nose": (slice(215, 335), slice(160, 285)),
    "features.mouth": (slice(300, 370), slice(160, 285)),
    "features.lines": (slice(190, 370), slice(130, 300)),
}
"""What is shown of the keys of a table: rows and columns of the drawing."""
_KEY_TILE_PX, _KEY_COLUMNS, _KEY_LABEL_PX = 128, 4, 34
_WORDS = {"pattern": ("dots", "hatching"), "fill": ("colour", "paper"), "kind": ("soft", "small")}
_TOGETHER = {
    "dot_u": 'pattern = "dots"\nshade = 1.0\nground_dots = 1.0',
    "softness_u": "shade = 1.0\nform_shade = 1.0\nmodelling = 0.0",
    "form_shade": "modelling = 0.0",
    "inner_line_u": "inner_ink = 1.0",
}
"""What else is set in the pictures of a key, so that it shows."""
_SEEN_LEVELS = 0.15
"""Mean difference of a key's two pictures below which this person does not show it."""

_BASE = """Lines, shade and colours of the whole figure.

**Tones** (`skin_tones`, `hair_tones`, `beard_tones`) draw the photo's light and shade in flat steps. *Relief* is how
much lighter a place of the photo is than this skin or hair usually is, in L* (lightness from 0 to 100): below 0 lies
in shade, above 0 in light. A pair is [relief, step]: where relief is so far from 0 or further, on the same side, the
part is drawn `step` lighter (above 0) or darker (below 0). Tones further out replace nearer ones, never add to them;
between the two innermost lies the flat colour, and the order in the file does not matter. So `[[-4, -5], [-9, -12],
[6, 8]]` draws shade 5 darker, deep shade 12 darker, and light 8 lighter; `[]` draws none. Steps of `skin_tones` are
multiplied by `modelling`: they need it above 0. With `pattern = "hatching"` the photo's shade on skin is strokes
instead."""

GROUPS: Mapping[str, tuple[str, str, str]] = {
    "proportions": (
        "How far the face departs from the person's own. The more, the less a recogniser knows the person.",
        "eye_width = 1.0\neye_height = 1.0\nnose_width = 1.0\njaw_width = 1.0",
        "eye_width = 1.5\neye_height = 1.6\nnose_width = 0.75\njaw_width = 0.84",
    ),
    "base": (
        _BASE,
        "outer_line_u = 0.010\nhair_line_u = 0.006\ninner_ink = 0.2\nshade = 0.15\nmodelling = 0.0\nsaturation = 0.5",
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
- **share**: 0 none, 1 full. A few shares of expression reach 2.

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
        if table in _KEY_PX:
            parts.append(
                f"\n![keys of {table} that this person shows, a little and a lot of each]({_keys_picture(table)})\n"
            )
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


def _ends(name: str, key: Key, value: Any) -> tuple[Any, Any]:
    """A little and a lot of a key. value: cartoon's."""
    if key.unit == WORD:
        return _WORDS[name]
    if key.unit == COUNT:
        return 0, 8
    if key.unit == TONES:
        return [], [[start, 2 * step] for start, step in value]
    if key.low < 0:
        return key.low, key.high
    low = max(key.low, 0.25 * value)
    return round(low, 3), round(min(key.high, 2.5 * value) if value else 0.75 * key.high, 3)


def write_key_pictures() -> None:
    """For each table a sheet with two drawings of each key that the portrait shows."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "astronaut.png"
        write_image(photo, _photo())
        for table, (rows, columns) in _KEY_PX.items():
            styles, ends = [], {}
            for name, key in KEYS[table].items():
                if key.unit == PATH:
                    continue
                ends[name] = _ends(name, key, getattr(table_of(Style("cartoon"), table), name))
                for number, value in enumerate(ends[name]):
                    path = Path(folder) / f"{name}-{number}.toml"
                    path.write_text(f"[{table}]\n{_TOGETHER.get(name, '')}\n{name} = {toml(value)}\n", encoding="utf-8")
                    styles.append(str(path))
            drawn = draw_rows([photo], styles, _show, tile_px=640)[0].tiles
            pairs = {name: [tile[rows, columns] for tile in drawn[2 * n : 2 * n + 2]] for n, name in enumerate(ends)}
            _write_small(HERE / _keys_picture(table), _key_sheet(pairs, ends), _MOST_SHEET_BYTES)


def _key_sheet(pairs: Mapping[str, Sequence[Image]], ends: Mapping[str, tuple[Any, Any]]) -> Image:
    """uint8 [H, W, 3] RGB: the key's name, its two values, and a drawing below each."""
    shown = {name: two for name, two in pairs.items() if cv2.absdiff(*two).mean() > _SEEN_LEVELS}
    height, width = next(iter(pairs.values()))[0].shape[:2]
    tile = (_KEY_TILE_PX, round(_KEY_TILE_PX * height / width))
    cell = (2 * tile[0] + 16, tile[1] + _KEY_LABEL_PX + 8)
    rows = -(-len(shown) // _KEY_COLUMNS)
    sheet = Pillow.new("RGB", (_KEY_COLUMNS * cell[0], rows * cell[1]), "white")
    pen, font, small = ImageDraw.Draw(sheet), ImageFont.load_default(14), ImageFont.load_default(11)
    for number, (name, two) in enumerate(shown.items()):
        left, top = number % _KEY_COLUMNS * cell[0], number // _KEY_COLUMNS * cell[1]
        pen.text((left + tile[0], top + 9), name, "black", font, anchor="mm")
        for side, image in enumerate(two):
            at = left + side * (tile[0] + 2)
            value = ends[name][side]
            pen.text((at + tile[0] / 2, top + 25), _said(value), "#555", small, anchor="mm")
            small_image = cv2.resize(image, tile, interpolation=cv2.INTER_AREA)
            sheet.paste(Pillow.fromarray(small_image), (at, top + _KEY_LABEL_PX))
    return np.asarray(sheet)


def _said(value: Any) -> str:
    return ("twice the steps" if value else "none") if isinstance(value, list) else str(value)


def write_pictures() -> None:
    """A picture for each table, and the gallery."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "astronaut.png"
        write_image(photo, _photo())
        styles = list(_SHIPPED)
        for table, (_, *sides) in GROUPS.items():
            for side, text in zip(("less", "more"), sides, strict=True):
                if text:
                    path = Path(folder) / f"{table}-{side}.toml"
                    path.write_text(f"[{table}]\n{text}\n", encoding="utf-8")
                    styles.append(str(path))
        shapes = Path(folder) / "shapes.toml"
        shapes.write_text(SHAPES, encoding="utf-8")
        styles.append(str(shapes))
        tiles = [tile[_HEAD_PX] for tile in draw_rows([photo], styles, _show, tile_px=640)[0].tiles]
    named = dict(zip((Path(style).stem for style in styles), tiles, strict=True))
    sheet = sheet_of(_SHIPPED, [Row("", tuple(tiles[: len(_SHIPPED)]))])
    _write_small(HERE / "pictures" / "styles.webp", sheet, _MOST_SHEET_BYTES)
    both = np.concatenate([named["cartoon"], named["shapes"]], axis=1)
    _write_small(HERE / "pictures" / "style-shapes.jpg", both)
    for table, (_, less, _) in GROUPS.items():
        if less:
            three = np.concatenate([named[f"{table}-less"], named["cartoon"], named[f"{table}-more"]], axis=1)
            _write_small(HERE / _picture(table), cv2.resize(three, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA))


def _write_small(path: Path, image: Image, most_bytes: int = _MOST_BYTES) -> None:
    """As a JPEG or WebP of the best quality that stays small."""
    flag = cv2.IMWRITE_WEBP_QUALITY if path.suffix == ".webp" else cv2.IMWRITE_JPEG_QUALITY
    for quality in range(90, 40, -3):
        _, content = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [flag, quality])
        if content.size <= most_bytes:
            break
    path.write_bytes(content.tobytes())


def _photo() -> Image:
    """uint8 [640, 640, 3] RGB."""
    with av.open(str(_CLIP)) as clip:
        first: Image = next(clip.decode(video=0)).to_ndarray(format="rgb24")
    return np.ascontiguousarray(first[_PHOTO_PX])


def _show(progress: Progress) -> None:
    sys.stderr.write(f"{progress}\n")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")
    if "--pictures" in sys.argv:
        write_pictures()
        write_key_pictures()
