"""Reading and writing pictures of data folders. A bad picture is None, never an exception."""

import bz2
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import CaptureError, DataError, OutputError
from toonfilter.runtime.files.file_kinds import PICTURES_READ, is_hidden
from toonfilter.runtime.files.image_files import pictures_below, read_image, read_picture
from toonfilter.runtime.files.whole_files import write_whole

# As colorFERET packs its pictures.
_PACKED = ".ppm.bz2"


def picture_paths(folder: Path) -> list[Path]:
    """Return the pictures of a folder and its subfolders, sorted by path.

    Raises:
        DataError: no such folder, or no pictures in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    paths = [path for path in pictures_below(folder)[0] if path.is_file()]
    paths = sorted([*paths, *(path for path in folder.rglob(f"*{_PACKED}") if not is_hidden(path, folder))])
    if not paths:
        raise DataError(f"{folder} holds no pictures; looked for {', '.join(PICTURES_READ)}")
    return paths


def picture_name(path: Path) -> str:
    """The file's name without its ending, or endings where it is packed: what pairs have in common."""
    return path.name.removesuffix(_PACKED) if path.name.endswith(_PACKED) else path.stem


def _unpacked(path: Path) -> NDArray[np.uint8] | None:
    """uint8 [H,W,3] RGB of a packed picture; None for a damaged one."""
    try:
        image = cv2.imdecode(np.frombuffer(bz2.decompress(path.read_bytes()), np.uint8), cv2.IMREAD_COLOR)
    except (OSError, ValueError, EOFError, cv2.error):
        return None
    return None if image is None else cast(NDArray[np.uint8], cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def read_rgba(path: Path) -> NDArray[np.uint8] | None:
    """Return uint8 [H,W,3] RGB, or [H,W,4] RGBA where the file has alpha; None for a damaged or foreign file."""
    if path.name.endswith(_PACKED):
        return _unpacked(path)
    try:
        moment = read_picture(path, first_only=True).moments[0]
    except CaptureError:
        return None
    return moment.image if moment.alpha is None else np.dstack([moment.image, moment.alpha])


def read_rgb(path: Path) -> NDArray[np.uint8] | None:
    """Return uint8 [H,W,3] RGB (alpha is dropped), turned upright by its EXIF mark; None for a damaged file."""
    if path.name.endswith(_PACKED):
        return _unpacked(path)
    try:
        return read_image(path)
    except CaptureError:
        return None


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write uint8 [H,W,3] RGB or [H,W,4] RGBA whole: under a temporary name, then renamed.

    Raises:
        OutputError: the disk does not take it.
    """
    order = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    done, encoded = cv2.imencode(".png", cv2.cvtColor(image, order), [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise OutputError(f"{path}: cannot be encoded as PNG")
    write_whole(path, encoded.tobytes())
