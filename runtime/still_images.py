"""Still pictures: files or a folder in, cartoons out."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from toonfilter.runtime.backends import EngineOptions, Opened, open_translator
from toonfilter.runtime.bundle import find_bundle
from toonfilter.runtime.errors import CaptureError, ConfigError, OutputError, ToonfilterError
from toonfilter.runtime.faces.detection import StillFaceFinder
from toonfilter.runtime.frames import Frame, Image, SafeFrame
from toonfilter.runtime.geometry.alignment import crop_transform
from toonfilter.runtime.geometry.pixelate import mosaic
from toonfilter.runtime.privacy import CoverageCheck, Guard, LostPolicy
from toonfilter.runtime.render.opening import RenderOptions, open_renderer

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
_ENLARGE_UP_TO = 1.25


@dataclass(frozen=True, slots=True)
class StillSettings:
    """style, engine, rendering: as for `FilterSettings`. lost: what a picture without a face becomes."""

    style: str = "cartoon"
    engine: str = "auto"
    rendering: RenderOptions = field(default_factory=RenderOptions)
    lost: LostPolicy = field(default_factory=lambda: LostPolicy(action="cover"))


@dataclass(frozen=True, slots=True)
class Converted:
    """One picture done. safe is None where it failed; error says why."""

    source: Path
    target: Path
    safe: SafeFrame | None
    error: ToonfilterError | None = None


class StillFilter:
    """Draws every face of single pictures at the sharpest size the bundle has. Not thread safe."""

    def __init__(
        self, settings: StillSettings | None = None, *, opener: Callable[..., Opened] = open_translator
    ) -> None:
        """Raises: BundleError, BackendError, ConfigError when the style or the engine cannot be opened."""
        settings = settings or StillSettings()
        bundle = find_bundle(settings.style)
        self._sizes = sorted(bundle.input.sizes)
        # Precision before speed: nobody waits for the next frame.
        options = EngineOptions(size=self._sizes[0], precision="fp32" if "fp32" in bundle.precisions else None)
        self.opened = opener(bundle, settings.engine, options)
        self._renderer = open_renderer(bundle, self.opened.translator, settings.rendering)
        self._finder = StillFaceFinder()
        self._guard = Guard(settings.lost)
        self._takes_drawings = bundle.takes_drawings

    def process(self, image: Image) -> SafeFrame:
        """The picture with every face drawn. image: uint8 [H, W, 3] RGB, left as it is.

        Raises:
            BackendError: the engine failed.
        """
        canvas = image.copy()
        frame = Frame(canvas, 0)
        faces, unmeshed = self._finder.find(image)
        if not faces:
            return self._guard.lost(frame, "no face found")
        witness = CoverageCheck(image, faces)
        aligned = [(face, crop_transform(face.landmarks, 1, face.fit)) for face in faces]
        sized = [(face, self._size_for(transform.side_px)) for face, transform in aligned]
        for size, group in groupby(sorted(sized, key=lambda one: one[1]), key=lambda one: one[1]):
            self._renderer.render(canvas, [(face, crop_transform(face.landmarks, size, face.fit)) for face, _ in group])
        covered = len(faces) if self._takes_drawings else witness.covered(canvas)
        for box in unmeshed:
            mosaic(canvas, box)
        doubtful = len(unmeshed)
        return self._guard.protected(frame, canvas, faces_found=len(faces) + doubtful, faces_covered=covered + doubtful)

    def close(self) -> None:
        """Free finder and engine."""
        self._finder.close()
        self.opened.translator.close()

    def _size_for(self, side_px: float) -> int:
        return next((size for size in self._sizes if size * _ENLARGE_UP_TO >= side_px), self._sizes[-1])


def plan_pictures(inputs: Sequence[Path], output: Path, *, overwrite: bool) -> list[tuple[Path, Path]]:
    """Which picture goes where: a single file to a file, anything else into the folder `output`, sub-folders kept.

    Raises:
        CaptureError: an input is missing or holds no pictures.
        OutputError: a target exists already, is one of the inputs, or two inputs would share one.
    """
    pairs: list[tuple[Path, Path]] = []
    single = len(inputs) == 1 and not inputs[0].is_dir() and output.suffix.lower() in PICTURE_SUFFIXES
    for path in inputs:
        if path.is_dir():
            found = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in PICTURE_SUFFIXES]
            if not found:
                raise CaptureError(f"{path} holds no pictures; looked for {', '.join(PICTURE_SUFFIXES)}")
            pairs += [(file, output / file.relative_to(path)) for file in found]
        elif path.is_file():
            pairs.append((path, output if single else output / path.name))
        else:
            raise CaptureError(f"{path} does not exist; give a picture or a folder of pictures")
    _check_targets(pairs, overwrite=overwrite)
    return pairs


def convert_pictures(pairs: Sequence[tuple[Path, Path]], still: StillFilter) -> Iterator[Converted]:
    """Convert one after the other; a picture that fails is reported and does not stop the rest."""
    for source, target in pairs:
        try:
            safe = still.process(read_picture(source))
            write_picture(target, safe)
        except ToonfilterError as error:
            yield Converted(source, target, None, error)
        else:
            yield Converted(source, target, safe)


def read_picture(path: Path) -> Image:
    """uint8 [H, W, 3] RGB, upright as its EXIF data says.

    Raises:
        CaptureError: missing, empty, or not a picture.
    """
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise CaptureError(f"{path} cannot be read ({error.strerror})") from error
    if content.size == 0:
        raise CaptureError(f"{path} is empty (0 bytes); expected a picture")
    try:
        decoded = cv2.imdecode(content, cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise CaptureError(f"{path} cannot be decoded; it may be too large or damaged") from error
    if decoded is None:
        raise CaptureError(f"{path} is not a picture that can be read; expected {', '.join(PICTURE_SUFFIXES)}")
    image: Image = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    return image


def write_picture(path: Path, safe: SafeFrame) -> None:
    """Write a safe picture; nothing of the original's metadata is carried over. See `write_image`."""
    write_image(path, safe.image)


def write_image(path: Path, image: Image) -> None:
    """Write uint8 [H, W, 3] RGB under a temporary name beside the target, then rename.

    Raises:
        OutputError: the folder cannot be written, or the suffix is no picture format.
    """
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise OutputError(
            f"{path}: {path.suffix or 'no suffix'} is no picture format; use {', '.join(PICTURE_SUFFIXES)}"
        )
    done, encoded = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise OutputError(f"{path} cannot be encoded as {path.suffix}")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(encoded.tobytes())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written ({error.strerror}); choose another -o") from error


def _check_targets(pairs: Sequence[tuple[Path, Path]], *, overwrite: bool) -> None:
    sources = {source.resolve() for source, _ in pairs}
    targets: set[Path] = set()
    for source, target in pairs:
        resolved = target.resolve()
        if resolved in sources:
            raise OutputError(f"{target} is an input; the originals are never overwritten, choose another -o")
        if resolved in targets:
            raise OutputError(f"{source} and another input would both become {target}; convert them separately")
        if target.exists() and not overwrite:
            raise OutputError(f"{target} exists already; add --overwrite to replace it")
        targets.add(resolved)
    if not pairs:
        raise ConfigError("no pictures given")
