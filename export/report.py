"""The parity report: crops, PyTorch's drawing and every file's drawing side by side, with the figures."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.export.parity import Comparison
from toonfilter.runtime.bundle import Parity
from toonfilter.runtime.errors import OutputError
from toonfilter.runtime.files.whole_files import write_whole

_ROWS = 3
_CELL_PX = 192
_GAIN = 16
_PAPER = 255


def write_report(folder: Path, title: str, comparisons: Mapping[str, Comparison], parities: Sequence[Parity]) -> Path:
    """Write parity.html and parity.png into the folder; returns the page's path.

    comparisons: by file name, in the order of the columns. Differences are shown 16 times enlarged.

    Raises:
        OutputError: the folder cannot be written.
    """
    sheet = contact_sheet(list(comparisons.values()))
    rows = "\n".join(
        f"<tr><td>{html.escape(entry.path)}</td><td>{entry.mean_abs_error:.4f}</td><td>{entry.max_abs_error:g}</td>"
        f"<td>{entry.psnr_db:.2f}</td><td>{entry.crops}</td></tr>"
        for entry in parities
    )
    columns = ", ".join(f"{html.escape(name)}, its difference x {_GAIN}" for name in comparisons)
    page = f"""<!doctype html>
<meta charset="utf-8">
<title>{html.escape(title)}</title>
<style>body{{font:16px sans-serif;margin:2em}}td,th{{padding:.2em .8em;text-align:right}}
td:first-child{{text-align:left}}
img{{max-width:100%}}</style>
<h1>{html.escape(title)}</h1>
<p>Each file against PyTorch on real face crops, errors in 8-bit levels over all channels.</p>
<table><tr><th>file</th><th>mean</th><th>max</th><th>PSNR, dB</th><th>crops</th></tr>
{rows}</table>
<p>From the left: crop, PyTorch, {columns}.</p>
<img src="parity.png" alt="the pictures side by side">
"""
    encoded, png = cv2.imencode(".png", sheet[:, :, ::-1])
    try:
        if not encoded:
            raise OSError("the picture could not be encoded")
        write_whole(folder / "parity.png", png.tobytes())
        write_whole(folder / "parity.html", page.encode())
    except OSError as error:
        raise OutputError(f"{folder}: the parity report cannot be written ({error})") from error
    return folder / "parity.html"


def contact_sheet(comparisons: Sequence[Comparison]) -> NDArray[np.uint8]:
    """uint8 [rows * 192, columns * 192, 3]: crop, reference, then result and enlarged difference of each comparison."""
    count = min(_ROWS, *(len(comparison.examples) for comparison in comparisons))
    rows = []
    for index in range(count):
        crop, reference, _ = comparisons[0].examples[index]
        cells = [_on_paper(crop), _on_paper(reference)]
        for comparison in comparisons:
            _, expected, result = comparison.examples[index]
            difference = np.abs(result[:, :, :3].astype(np.int16) - expected[:, :, :3]) * _GAIN
            cells += [_on_paper(result), np.minimum(difference, 255).astype(np.uint8)]
        rows.append(np.hstack([_cell(cell) for cell in cells]))
    return np.vstack(rows)


def _on_paper(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB as it is; RGBA over white."""
    if picture.shape[2] == 3:
        return picture
    alpha = picture[:, :, 3:].astype(np.float32) / 255
    over = picture[:, :, :3] * alpha + _PAPER * (1 - alpha)
    flat: NDArray[np.uint8] = np.round(over).astype(np.uint8)
    return flat


def _cell(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if picture.shape[0] == _CELL_PX:
        return picture
    resized: NDArray[np.uint8] = cv2.resize(picture, (_CELL_PX, _CELL_PX), interpolation=cv2.INTER_AREA)
    return resized
