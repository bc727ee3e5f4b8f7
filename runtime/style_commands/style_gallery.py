"""Pictures drawn in several styles side by side: a contact sheet, or a page that needs no other file."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from toonfilter.runtime.bundle import find_bundle, known_bundles
from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.files.file_kinds import PICTURES_WRITTEN
from toonfilter.runtime.files.image_files import read_image, write_image
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.runtime.frames import Image
from toonfilter.runtime.image.still_images import StillFilter, StillSettings
from toonfilter.runtime.live.sinks import image_of
from toonfilter.runtime.progress import Progress, ShowProgress

TILE_PX = 360
"""Height of a tile. Raising it shows more and makes larger files."""
_LABEL_PX = 30
"""Height of the row with names."""
_GAP_PX = 6
"""Between pictures."""
_JPEG_QUALITY = 88
"""Of the pictures, 0 to 100. Raising it makes pages larger."""


@dataclass(frozen=True, slots=True)
class Row:
    """One picture in every style. tiles: uint8 [H, W, 3] RGB, in the order of the styles; never the photo itself."""

    name: str
    tiles: tuple[Image, ...]


def gallery_styles() -> tuple[str, ...]:
    """Every installed style that draws by rules."""
    return tuple(name for name, path in known_bundles().items() if path.suffix == ".toml")


def draw_rows(
    pictures: Sequence[Path],
    styles: Sequence[str],
    show: ShowProgress,
    *,
    tile_px: int = TILE_PX,
) -> list[Row]:
    """Draw every picture in every style. tile_px: height of a tile.

    Raises:
        CaptureError: a picture cannot be read. BundleError, BackendError: a style cannot be used.
        ConfigError: a style that hides nobody.
    """
    photos = [_scaled(read_image(path), 2 * tile_px) for path in pictures]
    columns: list[list[Image]] = []
    for style in styles:
        if find_bundle(style).input.domain == "drawing":
            raise ConfigError(f"style {style} hides nobody; a gallery shows styles that do")
        still = StillFilter(StillSettings(style=style))
        column = []
        for photo in photos:
            column.append(_tile(image_of(still.process(photo)), tile_px))
            show(Progress(len(columns) * len(photos) + len(column), len(styles) * len(photos), "pictures"))
        still.close()
        columns.append(column)
    return [Row(path.name, tuple(column[place] for column in columns)) for place, path in enumerate(pictures)]


def write_gallery(target: Path, styles: Sequence[str], rows: Sequence[Row]) -> None:
    """Write the page (.html) or the sheet (.png, .jpg, .webp).

    Raises:
        OutputError: the disk does not take it.
    """
    if target.suffix.lower() in (".html", ".htm"):
        write_whole(target, page_of(styles, rows))
    else:
        write_image(target, sheet_of(styles, rows))


def check_gallery_target(target: Path) -> None:
    """Raises: ConfigError: neither a page nor a picture by its name."""
    kinds = (".html", *PICTURES_WRITTEN)
    if target.suffix.lower() not in (*kinds, ".htm"):
        raise ConfigError(f"--output is {target}; must end in {', '.join(kinds)}")


def sheet_of(styles: Sequence[str], rows: Sequence[Row]) -> Image:
    """uint8 [H, W, 3] RGB: a row for each picture, a column for each style, its name above."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    widths = [max(row.tiles[place].shape[1] for row in rows) for place in range(len(styles))]
    lefts = np.cumsum([0, *(width + _GAP_PX for width in widths)]).tolist()
    tops = np.cumsum([_LABEL_PX, *(row.tiles[0].shape[0] + _GAP_PX for row in rows)]).tolist()
    sheet = Pillow.new("RGB", (lefts[-1] - _GAP_PX, tops[-1] - _GAP_PX), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for place, style in enumerate(styles):
        pen.text((lefts[place] + widths[place] / 2, _LABEL_PX / 2), style, "black", font, anchor="mm")
        for top, row in zip(tops, rows, strict=False):
            sheet.paste(Pillow.fromarray(row.tiles[place]), (lefts[place], top))
    return np.asarray(sheet)


def page_of(styles: Sequence[str], rows: Sequence[Row]) -> str:
    """The page as HTML, its pictures within."""
    lines = [
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>toonfilter styles</title>',
        "<style>body{font:16px sans-serif;margin:1em}td{padding:3px}th{text-align:center}img{display:block}</style>",
        f"<table><tr>{''.join(f'<th>{html.escape(style)}</th>' for style in styles)}</tr>",
    ]
    for row in rows:
        cells = zip(styles, row.tiles, strict=True)
        lines.append("<tr>" + "".join(_cell(f"{row.name} in {style}", tile) for style, tile in cells) + "</tr>")
    return "\n".join([*lines, "</table></html>\n"])


def _cell(words: str, tile: Image) -> str:
    from PIL import Image as Pillow

    content = io.BytesIO()
    Pillow.fromarray(tile).save(content, "JPEG", quality=_JPEG_QUALITY)
    text = base64.b64encode(content.getvalue()).decode("ascii")
    return f'<td><img alt="{html.escape(words)}" src="data:image/jpeg;base64,{text}"></td>'


def _scaled(photo: Image, height_px: int) -> Image:
    """At most this tall: more would be work that nobody sees."""
    factor = min(1.0, height_px / photo.shape[0])
    if factor == 1:
        return photo
    scaled: Image = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return scaled


def _tile(drawn: Image, height_px: int) -> Image:
    width = max(1, round(drawn.shape[1] * height_px / drawn.shape[0]))
    how = cv2.INTER_AREA if drawn.shape[0] > height_px else cv2.INTER_LINEAR
    tile: Image = cv2.resize(drawn, (width, height_px), interpolation=how)
    return tile
