"""Reading and writing pictures of data folders. A bad picture is None, never an exception."""

import os
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})


def picture_paths(folder: Path) -> list[Path]:
    """Return the pictures of a folder and its subfolders, sorted by path.

    Raises:
        DataError: no such folder, or no pictures in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise DataError(f"{folder}: no pictures ({', '.join(sorted(SUFFIXES))}) in it")
    return paths


def read_rgba(path: Path) -> NDArray[np.uint8] | None:
    """Return uint8 [H,W,3] RGB, or [H,W,4] RGBA where the file has alpha; None for a damaged or foreign file."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError:
        return None
    if not data.size:
        return None
    try:
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if image is None or image.dtype != np.uint8 or min(image.shape[:2]) < 1:
        return None
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    elif image.shape[2] == 4:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA)
    else:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return cast(NDArray[np.uint8], image)


def read_rgb(path: Path) -> NDArray[np.uint8] | None:
    """Return uint8 [H,W,3] RGB (alpha is dropped), turned upright by its EXIF mark; None for a damaged file."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (OSError, cv2.error):
        return None
    return None if image is None else cast(NDArray[np.uint8], cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write uint8 [H,W,3] RGB or [H,W,4] RGBA whole: under a temporary name, then renamed.

    Raises:
        DataError: the disk does not take it.
    """
    order = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    done, encoded = cv2.imencode(".png", cv2.cvtColor(image, order), [cv2.IMWRITE_PNG_COMPRESSION, 3])
    try:
        if not done:
            raise OSError(0, "cannot be encoded as PNG")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.partial")
        temporary.write_bytes(encoded.tobytes())
        os.replace(temporary, path)  # noqa: PTH105 (atomic on every system)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from error
