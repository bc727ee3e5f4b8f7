"""Edge-smoothed cartoons, CartoonGAN's extra negatives (Chen et al. 2018, section 3.1.1)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.train.data.pictures import picture_name, picture_paths, read_rgba, write_png

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class EdgeSettings:
    """How wide and how soft. The kernel is relative to 256 px pictures and grows with them."""

    canny_low: int = 100
    canny_high: int = 200
    kernel_px: int = 5

    def kernel_for(self, side_px: int) -> int:
        """Return the odd kernel size for pictures of this side."""
        return max(3, round(self.kernel_px * side_px / 256) // 2 * 2 + 1)


@dataclass(frozen=True)
class EdgesResult:
    """What `smooth_folder` did."""

    written: int
    unreadable: tuple[str, ...]


def smooth_edges(image: Image, settings: EdgeSettings = EdgeSettings()) -> Image:
    """Blur a cartoon along its edges only: Canny edges, dilated, Gaussian blur inside.

    Args:
        image: uint8 [H,W,3] RGB.

    Returns:
        uint8 [H,W,3] RGB, equal to the input away from edges.
    """
    size = settings.kernel_for(min(image.shape[:2]))
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    edges = cv2.Canny(gray, settings.canny_low, settings.canny_high)
    wide = cv2.dilate(edges, np.ones((size, size), np.uint8)) > 0
    blurred = cv2.GaussianBlur(image, (size, size), 0)
    return np.where(wide[..., None], blurred, image).astype(np.uint8)


def smooth_folder(
    cartoons: Path, out: Path, settings: EdgeSettings = EdgeSettings(), report: ShowProgress | None = None
) -> EdgesResult:
    """Write OUT/NAME.png for every cartoon; RGBA cartoons keep their matte.

    Raises:
        DataError: no pictures in the folder.
    """
    paths = picture_paths(cartoons)
    written, unreadable = 0, []
    for number, path in enumerate(paths):
        image: Any = read_rgba(path)
        if image is None:
            unreadable.append(path.name)
        else:
            smoothed = smooth_edges(image[..., :3], settings)
            if image.shape[2] == 4:
                smoothed = np.dstack([smoothed, image[..., 3]])
            write_png(out / f"{picture_name(path)}.png", smoothed)
            written += 1
        if report is not None:
            report(Progress(number + 1, len(paths), "cartoons"))
    return EdgesResult(written, tuple(unreadable))
