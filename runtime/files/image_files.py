"""Still pictures on disk: one reader and one writer for all of the project.

What is read comes out upright, in sRGB, with its transparency and all of its pages or moments. What is written carries
nothing of the source but the pixels that it was given.
"""

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import CaptureError, OutputError
from toonfilter.runtime.files.file_kinds import PICTURES_READ, PICTURES_WRITTEN
from toonfilter.runtime.files.whole_files import replacing
from toonfilter.runtime.frames import Image

MOST_PIXELS = 400_000_000
"""Of one picture, or of all moments of an animation together; what is larger is refused instead of filling the memory.
"""
Alpha = NDArray[np.uint8]
"""uint8 [H, W]: 0 transparent, 255 opaque."""

_SEVERAL = ("GIF", "PNG", "WEBP", "TIFF", "AVIF")
_WITH_ALPHA = (".png", ".apng", ".webp", ".tif", ".tiff", ".gif", ".avif")
_WITH_MOMENTS = (".gif", ".png", ".apng", ".webp", ".tif", ".tiff", ".avif")
_JPEG, _TIFF = {"format": "JPEG", "quality": 95}, {"format": "TIFF", "compression": "tiff_deflate"}
_FORMATS: dict[str, dict[str, Any]] = {
    **dict.fromkeys((".jpg", ".jpeg", ".jfif"), _JPEG),
    ".png": {"format": "PNG"},
    ".apng": {"format": "PNG"},
    ".webp": {"format": "WEBP", "quality": 95},
    ".bmp": {"format": "BMP"},
    **dict.fromkeys((".tif", ".tiff"), _TIFF),
    ".gif": {"format": "GIF", "disposal": 2},
    ".avif": {"format": "AVIF", "quality": 90},
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One page of a document, or one picture of an animation.

    image: uint8 [H, W, 3], RGB, sRGB, upright; free to be written into. alpha: None where the file has none.
    duration_ms: how long it is shown; 0 for pages and single pictures.
    """

    image: Image
    alpha: Alpha | None = None
    duration_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Picture:
    """All that a file shows. notes: what could not be kept, a line each. loops: of an animation, 0 for ever."""

    moments: tuple[Moment, ...]
    loops: int = 0
    notes: tuple[str, ...] = ()


def read_image(path: Path) -> Image:
    """The first or only picture: uint8 [H, W, 3], RGB, sRGB, upright; transparent places show what lies under them.

    Raises:
        CaptureError: see `read_picture`.
    """
    return read_picture(path, first_only=True).moments[0].image


def read_picture(path: Path, *, first_only: bool = False) -> Picture:
    """Everything that the file shows, in sRGB and upright.

    Raises:
        CaptureError: missing, empty, too large, damaged, or not a picture of a kind that is read.
    """
    content = _content(path)
    notes: list[str] = []
    try:
        with warnings.catch_warnings():
            # Damaged tags beside a picture that is whole are of no concern.
            warnings.simplefilter("ignore")
            with _opened(content) as opened:
                count = getattr(opened, "n_frames", 1)
                has_several = opened.format in _SEVERAL and count > 1
                _check_size(path, opened.size, count if has_several and not first_only else 1)
                if count > 1 and not has_several:
                    notes.append(f"left out: {count - 1} further pictures in the file (previews, depth, a burst)")
                moments = tuple(_moments(opened, count if has_several and not first_only else 1, notes))
                return Picture(moments, int(opened.info.get("loop", 0)), tuple(dict.fromkeys(notes)))
    except CaptureError:
        raise
    except MemoryError as error:
        raise CaptureError(f"{path}: there is not enough memory for a picture of this size") from error
    except Exception as error:
        # Decoders raise whatever they like for damaged files: SyntaxError, struct.error, EOFError and others.
        reason = str(error) if "cannot identify" not in str(error) else "of no known kind"
        raise CaptureError(
            f"{path} is not a picture that can be read ({' '.join(reason.split())[:120]}); "
            f"expected {', '.join(PICTURES_READ)}"
        ) from error


def check_image_target(path: Path) -> None:
    """Raises: OutputError: the suffix is of no kind that is written."""
    if path.suffix.lower() not in PICTURES_WRITTEN:
        raise OutputError(
            f"{path}: {path.suffix or 'no suffix'} is no picture format that is written; "
            f"use {', '.join(PICTURES_WRITTEN)}"
        )


def keeps_alpha(path: Path) -> bool:
    """Whether a file of this name can have transparent places."""
    return path.suffix.lower() in _WITH_ALPHA


def keeps_moments(path: Path) -> bool:
    """Whether a file of this name can have several pages or moments."""
    return path.suffix.lower() in _WITH_MOMENTS


def write_image(path: Path, image: Image, alpha: Alpha | None = None) -> None:
    """Write one picture; see `write_picture`. image: uint8 [H, W, 3], RGB."""
    write_picture(path, Picture((Moment(image, alpha),)))


def write_picture(path: Path, picture: Picture) -> None:
    """Write under a temporary name, then rename; the folder is made where it is missing.

    Transparent places are written empty, whatever lay under them; in a format without transparency they become white.
    A format without pages or moments gets the first one.

    Raises:
        OutputError: the disk refuses, or the suffix is of no kind that is written.
    """
    check_image_target(path)
    moments = picture.moments if keeps_moments(path) else picture.moments[:1]
    options = dict(_FORMATS[path.suffix.lower()])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stored = [_stored(moment, has_alpha=keeps_alpha(path)) for moment in moments]
        if len(stored) > 1:
            options |= {"save_all": True, "append_images": stored[1:]}
            if options["format"] != "TIFF":
                options |= {"duration": [round(one.duration_ms) for one in moments], "loop": picture.loops}
        with replacing(path) as part:
            stored[0].save(part, **options)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be written ({getattr(error, 'strerror', None) or error})") from error


def _content(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise CaptureError(f"{path} is a folder; expected a picture")
        if path.exists() and not path.is_file():
            raise CaptureError(f"{path} is no ordinary file; expected a picture")
        content = path.read_bytes()
    except OSError as error:
        raise CaptureError(f"{path} cannot be read ({error.strerror})") from error
    if not content:
        raise CaptureError(f"{path} is empty (0 bytes); expected a picture")
    return content


@cache
def _pillow() -> Any:
    from PIL import Image as Pillow

    # Sizes are checked here, with a limit that large cameras keep below.
    Pillow.MAX_IMAGE_PIXELS = None
    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
    except ImportError:
        # No wheel for this platform: such files are told to be of no known kind.
        pass
    return Pillow


def _opened(content: bytes) -> Any:
    return _pillow().open(io.BytesIO(content))


def _check_size(path: Path, size: tuple[int, int], count: int) -> None:
    if size[0] * size[1] * count > MOST_PIXELS:
        several = f", {count} times" if count > 1 else ""
        raise CaptureError(
            f"{path} is too large ({size[0]}x{size[1]} pixels{several}; at most {MOST_PIXELS / 1e6:.0f} million)"
        )


def _moments(opened: Any, count: int, notes: list[str]) -> Iterator[Moment]:
    for number in range(count):
        opened.seek(number)
        upright = _upright(opened)
        # Some formats tell the duration only with the pixels.
        is_shown_for_a_time = count > 1 and opened.format != "TIFF"
        duration_ms = float(opened.info.get("duration", 0) or 100) if is_shown_for_a_time else 0.0
        alpha = None
        if upright.has_transparency_data:
            alpha = np.array(upright.convert("RGBA").getchannel("A"))
        yield Moment(np.array(_in_srgb(upright, opened.info.get("icc_profile"), notes)), alpha, duration_ms)


def _upright(opened: Any) -> Any:
    from PIL import ImageOps

    return ImageOps.exif_transpose(opened)


def _in_srgb(image: Any, profile: bytes | None, notes: list[str]) -> Any:
    """The picture in mode RGB, its numbers converted by littlecms where it brings a profile of its own."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        return _eight_bits(image).convert("RGB")
    if image.mode in ("P", "PA", "LA", "La", "RGBa", "RGBX", "1"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode == "RGBA":
        image = _without_alpha(image)
    if profile:
        from PIL import ImageCms

        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(
                image,
                source,
                ImageCms.createProfile("sRGB"),
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            notes.append("its colour profile cannot be used; the colours were taken as sRGB")
    return image.convert("RGB")


def _without_alpha(image: Any) -> Any:
    return _pillow().merge("RGB", image.split()[:3])


def _eight_bits(image: Any) -> Any:
    levels = np.asarray(image)
    if image.mode == "F":
        levels = levels * (255 if levels.size and levels.max() <= 1 else 1)
    else:
        levels = levels / 257 if levels.size and levels.max() > 255 else levels
    return _pillow().fromarray(np.clip(np.round(levels), 0, 255).astype(np.uint8))


def _stored(moment: Moment, *, has_alpha: bool) -> Any:
    image, alpha = moment.image, moment.alpha
    if alpha is None:
        return _pillow().fromarray(np.ascontiguousarray(image))
    if has_alpha:
        shown = np.where(alpha[..., None] == 0, np.uint8(0), image)
        return _pillow().fromarray(np.dstack([shown, alpha]))
    share = alpha[..., None].astype(np.uint16)
    laid = (image * share + 255 * (255 - share) + 127) // 255
    return _pillow().fromarray(laid.astype(np.uint8))


def pictures_below(folder: Path, *, leave_out: Sequence[Path] = ()) -> tuple[list[Path], list[Path]]:
    """Pictures below a folder, sorted, and the other files, which are left out; hidden files count as neither.

    leave_out: folders whose content is not looked at, such as one for the results.
    """
    from toonfilter.runtime.files.file_kinds import is_hidden, is_picture

    skipped = [path.resolve() for path in leave_out]
    pictures: list[Path] = []
    others: list[Path] = []
    for root, folders, names in os.walk(folder):
        here = Path(root)
        folders[:] = sorted(name for name in folders if (here / name).resolve() not in skipped)
        for path in (here / name for name in sorted(names)):
            if not is_hidden(path, folder):
                (pictures if is_picture(path) else others).append(path)
    return sorted(pictures), sorted(others)
