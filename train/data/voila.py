"""Four-panel pictures (photo and cartoons in one, as a phone app makes them) into photo/cartoon pairs.

The app draws an emoji or a watermark into a corner. A published report found that the network learned it as part of
the style, so it is found and painted over. It is what does not change: the pixels of a panel's corner that stay the
same over all pictures although they are not flat.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import DataError
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.train.data.pictures import picture_name, picture_paths, read_rgb, write_png

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

# 8-bit levels between neighbouring pixels that count as a step, and the share of such pixels along a seam; the lower
# share is for a seam that stands alone. Higher shares lose collages with flat backdrops, lower ones let selfies in.
_STEP_LEVELS = 6.0
_SEAM_SHARE = 0.55
_WEAK_SEAM_SHARE = 0.12

PANELS = ("top-left", "top-right", "bottom-left", "bottom-right")


@dataclass(frozen=True)
class VoilaSettings:
    """Which panel is what, and how an overlay is told from a drawing.

    A corner is the square of `corner_share` of the panel's side. A pixel is overlay when over the pictures it
    differs from its median by less than `still_levels` (8-bit) in nine of ten pictures.
    """

    photo_panel: str = "top-left"
    cartoon_panel: str = "bottom-right"
    size_px: int = 256
    corner_share: float = 0.3
    still_levels: float = 12.0
    min_pictures: int = 8


@dataclass(frozen=True)
class VoilaResult:
    """What `split_folder` did. Shares are of the panel's area."""

    written: int
    unreadable: tuple[str, ...]
    not_four_panels: tuple[str, ...]
    masked_share_photo: float
    masked_share_cartoon: float


@dataclass(frozen=True)
class _Seam:
    """A line above row `place` along which pixels change; is_strong: nearly everywhere along it."""

    place: int
    is_strong: bool


def _seam(gray: NDArray[np.float64]) -> _Seam | None:
    """Return where a picture [H,W] is cut in two near its middle, or None where nothing cuts it.

    Along a seam neighbouring pixels differ nearly everywhere, in the left half as in the right one; where both sides
    have the same flat backdrop they differ less, but still much more than along any line near by. An edge of what a
    picture shows is neither straight nor as wide as the picture: the lines beside it differ as well.
    """
    height, width = gray.shape
    steps = np.abs(np.diff(gray, axis=0)) > _STEP_LEVELS
    share = np.stack([steps[:, : width // 2].mean(1), steps[:, width // 2 :].mean(1)]).min(0)
    first, last = int(height * 0.45), max(int(height * 0.55), int(height * 0.45) + 1)
    window = share[first - 1 : last]
    place = int(window.argmax())
    if window[place] >= _SEAM_SHARE and window[place] >= 2 * np.median(share):
        return _Seam(first + place, is_strong=True)
    # Scaling and JPEG spread a seam over its neighbours.
    others = np.delete(window, slice(max(0, place - 2), place + 3))
    is_alone = window[place] >= _WEAK_SEAM_SHARE and window[place] >= 2.5 * others.max(initial=0.0)
    return _Seam(first + place, is_strong=False) if is_alone else None


def _content(panel: Image) -> Image:
    """Cut away a uniform frame (white or black bars) around a panel."""
    gray = cv2.cvtColor(panel, cv2.COLOR_RGB2GRAY).astype(np.float64)
    height, width = gray.shape
    rows, columns = gray.std(1) > 2.0, gray.std(0) > 2.0
    if not rows.any() or not columns.any():
        return panel
    top, bottom = int(rows.argmax()), height - int(rows[::-1].argmax())
    left, right = int(columns.argmax()), width - int(columns[::-1].argmax())
    # A dark or bright area may be part of the picture; a frame is thin.
    if bottom - top < 0.8 * height or right - left < 0.8 * width:
        return panel
    return panel[top:bottom, left:right]


def split_panels(image: Image, size_px: int) -> dict[str, Image] | None:
    """Cut a 2 x 2 picture into panels of size_px x size_px.

    Args:
        image: uint8 [H,W,3] RGB.

    Returns:
        Panels by name (see PANELS), or None where the picture has no 2 x 2 panels: too small, too wide or high, or no
        seam in its middle in one of the two directions.
    """
    height, width = image.shape[:2]
    if min(height, width) < 64 or not 0.7 < width / height < 1.4:
        return None
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64)
    across, down = _seam(gray), _seam(gray.T)
    if across is None or down is None or not (across.is_strong or down.is_strong):
        return None
    y, x = across.place, down.place
    cut = (image[:y, :x], image[:y, x:], image[y:, :x], image[y:, x:])
    panels = {}
    for name, panel in zip(PANELS, cut, strict=True):
        inner = _content(panel)
        if min(inner.shape[:2]) < 32:
            return None
        panels[name] = cv2.resize(inner, (size_px, size_px), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return panels


def find_overlay(panels: Sequence[Image], settings: VoilaSettings = VoilaSettings()) -> Mask:
    """Find an emoji or watermark that all panels carry in the same corner.

    Args:
        panels: the same panel of many pictures, uint8 [S,S,3]; their number must vary what is behind the overlay.

    Returns:
        bool [S,S], True where the overlay is; all False where the corners hold nothing that stays the same, or
        when there are fewer than `min_pictures`.
    """
    size = panels[0].shape[0]
    mask = np.zeros((size, size), bool)
    if len(panels) < settings.min_pictures:
        return mask
    stack = np.stack(panels[:200]).astype(np.float32)
    middle = np.median(stack, axis=0)
    spread = np.percentile(np.abs(stack - middle).max(-1), 90, axis=0)
    still = spread < settings.still_levels
    corner = int(size * settings.corner_share)
    gray = cv2.cvtColor(middle.astype(np.uint8), cv2.COLOR_RGB2GRAY)
    shape = cv2.morphologyEx(gray, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 24
    for rows in (slice(0, corner), slice(size - corner, size)):
        for columns in (slice(0, corner), slice(size - corner, size)):
            part = still[rows, columns]
            # A white backdrop stays the same too: what fills the corner, or has no shape of its own, is no overlay.
            if part.mean() > 0.8 or (part & shape[rows, columns]).sum() < 0.002 * corner**2:
                continue
            mask[rows, columns] = _solid(part)
    margin = max(3, size // 64) | 1
    return cast(Mask, cv2.dilate(mask.astype(np.uint8), np.ones((margin, margin), np.uint8)) > 0)


def _solid(part: Mask) -> Mask:
    """Close gaps between letters and drop single pixels."""
    side = max(3, part.shape[0] // 12) | 1
    opened = cv2.morphologyEx(part.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    return cast(Mask, closed > 0)


def paint_over(image: Image, mask: Mask) -> Image:
    """Fill the masked pixels from around them (Telea 2004)."""
    if not mask.any():
        return image
    return cast(Image, cv2.inpaint(image, mask.astype(np.uint8), 3, cv2.INPAINT_TELEA).astype(np.uint8))


def split_folder(
    pictures: Path, out: Path, settings: VoilaSettings = VoilaSettings(), report: ShowProgress | None = None
) -> VoilaResult:
    """Write OUT/photo/NAME.png and OUT/cartoon/NAME.png for every four-panel picture, and OUT/mask/*.png.

    Raises:
        DataError: an unknown panel name, no pictures, or none with four panels.
    """
    for panel in (settings.photo_panel, settings.cartoon_panel):
        if panel not in PANELS:
            raise DataError(f"panel {panel!r}; expected one of {', '.join(PANELS)}")
    paths = picture_paths(pictures)
    masks = _overlays(paths, settings)
    written, unreadable, odd = 0, [], []
    for number, path in enumerate(paths):
        image = read_rgb(path)
        panels = None if image is None else split_panels(image, settings.size_px)
        if image is None:
            unreadable.append(path.name)
        elif panels is None:
            odd.append(path.name)
        else:
            for side, panel in (("photo", settings.photo_panel), ("cartoon", settings.cartoon_panel)):
                write_png(out / side / f"{picture_name(path)}.png", paint_over(panels[panel], masks[side]))
            written += 1
        if report is not None:
            report(Progress(number + 1, len(paths), "pictures"))
    if not written:
        raise DataError(f"{pictures}: no picture has 2 x 2 panels ({len(odd)} others, {len(unreadable)} unreadable)")
    for side, mask in masks.items():
        write_png(out / "mask" / f"{side}.png", np.repeat(mask[..., None].astype(np.uint8) * 255, 3, axis=2))
    return VoilaResult(
        written, tuple(unreadable), tuple(odd), float(masks["photo"].mean()), float(masks["cartoon"].mean())
    )


def _overlays(paths: Sequence[Path], settings: VoilaSettings) -> dict[str, Mask]:
    """Look for overlays in at most 200 pictures spread over the folder."""
    photos, cartoons = [], []
    for path in paths[:: max(1, len(paths) // 200)]:
        image = read_rgb(path)
        panels = None if image is None else split_panels(image, settings.size_px)
        if panels is not None:
            photos.append(panels[settings.photo_panel])
            cartoons.append(panels[settings.cartoon_panel])
    empty = np.zeros((settings.size_px, settings.size_px), bool)
    return {
        "photo": find_overlay(photos, settings) if photos else empty,
        "cartoon": find_overlay(cartoons, settings) if cartoons else empty,
    }
