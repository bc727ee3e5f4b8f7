"""The pictures of docs/styles.md, drawn from the example clip; for `make_styles.py`."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
from toonfilter.runtime.styles.style import Style
from toonfilter.runtime.styles.style_keys import COUNT, KEYS, PATH, TONES, WORD, Key, table_of

_HERE = Path(__file__).parent
_CLIP = _HERE.parent / "examples" / "astronaut.mp4"
_SHIPPED = ("cartoon", "anime", "comic", "sketch")
_PHOTO_PX = (slice(40, 680), slice(420, 1060))
"""Head and shoulders in the first frame: rows and columns."""
_HEAD_PX = (slice(60, 440), slice(60, 400))
"""What of that is shown."""
_MOST_BYTES, _MOST_SHEET_BYTES = 29_000, 118_000
"""Of a row of drawings and of a sheet. Raising them gives finer pictures, and a larger repository."""
_WIDEST_PX = 820
"""Of a row of drawings. Raising it shows more detail, in as many bytes."""

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
"""Width of a drawing in such a sheet, pairs of them side by side, and height of what is written above each pair."""
_WORDS = {
    "cloth": ("flat", "painted"),
    "pattern": ("dots", "hatching"),
    "fill": ("colour", "paper"),
    "kind": ("soft", "small"),
}
_TOGETHER = {
    "dot_u": 'pattern = "dots"\nshade = 1.0\nground_dots = 1.0',
    "softness_u": "shade = 1.0\nform_shade = 1.0\nmodelling = 0.0",
    "form_shade": "modelling = 0.0",
    "inner_line_u": "inner_ink = 1.0",
}
"""What else is set in the pictures of a key, so that it shows."""
_SEEN_LEVELS = 0.15
"""Mean difference of a key's two pictures below which this person does not show it. Raising it leaves out more keys."""


def write_shipped(path: Path) -> None:
    """The styles that ship, with their names."""
    _write_small(
        path, sheet_of(_SHIPPED, [Row("", tuple(tile[_HEAD_PX] for tile in _drawn(_SHIPPED)))]), _MOST_SHEET_BYTES
    )


def write_rows(rows: Mapping[Path, Sequence[str]]) -> None:
    """Drawings side by side. rows: by picture, the text of each style file; an empty one is cartoon."""
    texts = list(dict.fromkeys(text for row in rows.values() for text in row))
    tiles = dict(zip(texts, _drawn_by(texts), strict=True))
    for path, row in rows.items():
        image = np.concatenate([tiles[text][_HEAD_PX] for text in row], axis=1)
        factor = min(1.0, _WIDEST_PX / image.shape[1])
        _write_small(path, cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))


def write_keys(path: Path, table: str) -> None:
    """A sheet with two drawings of each key of a table that the portrait shows."""
    usual = table_of(Style("cartoon"), table)
    ends = {name: _ends(name, key, getattr(usual, name)) for name, key in KEYS[table].items() if key.unit != PATH}
    texts = [
        f"[{table}]\n{_TOGETHER.get(name, '')}\n{name} = {toml(value)}\n" for name, two in ends.items() for value in two
    ]
    tiles = [tile[_KEY_PX[table]] for tile in _drawn_by(texts)]
    pairs = {name: tiles[2 * number : 2 * number + 2] for number, name in enumerate(ends)}
    _write_small(path, _key_sheet(pairs, ends), _MOST_SHEET_BYTES)


def _drawn_by(texts: Sequence[str]) -> list[Image]:
    """As `_drawn`, in styles of these texts."""
    with tempfile.TemporaryDirectory() as folder:
        styles = []
        for number, text in enumerate(texts):
            styles.append(Path(folder) / f"style-{number}.toml")
            styles[-1].write_text(text, encoding="utf-8")
        return _drawn([str(path) for path in styles])


def _drawn(styles: Sequence[str]) -> list[Image]:
    """The portrait in each style: uint8 [640, 640, 3] RGB."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "astronaut.png"
        write_image(photo, _photo())
        return list(draw_rows([photo], styles, _show, tile_px=640)[0].tiles)


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
