"""Reading and writing pictures of data folders. A bad picture is None, never an exception."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import CaptureError, DataError, OutputError
from toonfilter.runtime.file_kinds import PICTURES_READ
from toonfilter.runtime.image_files import pictures_below, read_image, read_picture
from toonfilter.runtime.whole_files import write_whole


def picture_paths(folder: Path) -> list[Path]:
    """Return the pictures of a folder and its subfolders, sorted by path.

    Raises:
        DataError: no such folder, or no pictures in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    paths = [path for path in pictures_below(folder)[0] if path.is_file()]
    if not paths:
        raise DataError(f"{folder} holds no pictures; looked for {', '.join(PICTURES_READ)}")
    return paths


def read_rgba(path: Path) -> NDArray[np.uint8] | None:
    """Return uint8 [H,W,3] RGB, or [H,W,4] RGBA where the file has alpha; None for a damaged or foreign file."""
    try:
        moment = read_picture(path, first_only=True).moments[0]
    except CaptureError:
        return None
    return moment.image if moment.alpha is None else np.dstack([moment.image, moment.alpha])


def read_rgb(path: Path) -> NDArray[np.uint8] | None:
    """Return uint8 [H,W,3] RGB (alpha is dropped), turned upright by its EXIF mark; None for a damaged file."""
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
