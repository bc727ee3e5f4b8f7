"""A page of pictures in rows and titled columns, on files beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from toonfilter.runtime.files.whole_files import write_whole

_STYLE = (
    "body{font:14px/1.5 system-ui,sans-serif;margin:24px;background:#fff;color:#222}"
    "table{border-collapse:collapse}th{position:sticky;top:0;background:#fff;text-align:left;padding:4px 8px}"
    "td{padding:4px 8px;vertical-align:top}img{width:192px;height:auto;display:block}"
    "td.name{color:#666;max-width:160px;overflow-wrap:anywhere}"
    "@media(prefers-color-scheme:dark){body,th{background:#181818;color:#ddd}}"
)


@dataclass(frozen=True)
class Row:
    """A name, and a picture for each column: files below the page's folder, or None where there is none."""

    name: str
    pictures: Sequence[Path | None]


def write_gallery(page: Path, title: str, columns: Sequence[str], rows: Sequence[Row], note: str = "") -> None:
    """Write an HTML page that shows `rows`; it loads nothing from elsewhere and scales no file."""
    heads = "".join(f"<th>{escape(column)}</th>" for column in ("", *columns))
    body = "".join(
        f"<tr><td class='name'>{escape(row.name)}</td>{''.join(_cell(page, picture) for picture in row.pictures)}</tr>"
        for row in rows
    )
    text = (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<meta name='viewport' content='width=device-width, initial-scale=1'><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1><p>{escape(note)}</p><table><tr>{heads}</tr>{body}</table></body></html>\n"
    )
    write_whole(page, text)


def _cell(page: Path, picture: Path | None) -> str:
    if picture is None:
        return "<td></td>"
    place = quote(picture.relative_to(page.parent).as_posix())
    return f"<td><img loading='lazy' alt='' src='{place}'></td>"
