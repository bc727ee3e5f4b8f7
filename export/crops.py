"""Real face crops, as the runtime would hand them to the generator: for parity, calibration and the report."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import CaptureError, DataError, require
from toonfilter.runtime.faces.still_faces import UPRIGHT, StillFaceFinder
from toonfilter.runtime.files.file_kinds import is_picture
from toonfilter.runtime.files.image_files import read_image
from toonfilter.runtime.geometry.alignment import CropTransform, crop_transform
from toonfilter.runtime.geometry.warp import FaceWarp
from toonfilter.runtime.render.portrait import take_portrait

Feeds = dict[str, NDArray[np.uint8]]
"""What one call of a model file gets: image uint8 [N, S, S, 3] and, where it has one, guidance uint8 [N, S, S, G]."""

_JITTERED_CROPS = 12


@dataclass(frozen=True, slots=True)
class FaceCrops:
    """images: uint8 [K, S, S, 3] RGB. guidance: uint8 [K, S, S, 3], or None for generators that take none."""

    images: NDArray[np.uint8]
    guidance: NDArray[np.uint8] | None
    source: str

    def __len__(self) -> int:
        return len(self.images)

    def feeds(self, size: int, count: int | None = None, batch: int = 1) -> list[Feeds]:
        """The first `count` crops at size x size, `batch` in each call (the last call may have fewer)."""
        chosen = list(range(len(self.images)))[:count]
        calls = [chosen[start : start + batch] for start in range(0, len(chosen), batch)]
        return [self._feed(call, size) for call in calls]

    def _feed(self, indices: Sequence[int], size: int) -> Feeds:
        feed = {"image": np.stack([_resized(self.images[index], size) for index in indices])}
        if self.guidance is not None:
            feed["guidance"] = np.stack([_resized(self.guidance[index], size) for index in indices])
        return feed


def load_crops(
    folder: Path | None,
    *,
    with_guidance: bool,
    warp: FaceWarp | None,
    size: int,
    count: int,
    pictures: Literal["photo", "cartoon"] = "photo",
) -> FaceCrops:
    """Crops from a pairs folder, a folder of photographs or, without a folder, of one portrait that scikit-image has.

    Pairs folders are taken as they are, the photos or, for the way back, the cartoons; photographs are detected,
    aligned and warped.

    Raises:
        DataError: no pictures, or no face in any of them.
        ConfigError: no folder was given and scikit-image is not installed.
    """
    if folder is None:
        require("skimage", extra="train")
        import skimage.data

        return _crops_of_portrait(skimage.data.astronaut(), with_guidance, warp, size, count)
    if (folder / pictures).is_dir():
        return _pairs(folder, pictures, with_guidance, size, count)
    return _photographs(folder, with_guidance, warp, size, count)


def _pairs(folder: Path, pictures: str, with_guidance: bool, size: int, count: int) -> FaceCrops:
    paths = _spread(sorted(path for path in (folder / pictures).iterdir() if is_picture(path)), count)
    if not paths:
        raise DataError(f"{folder / pictures} holds no pictures; give a folder made by `toonfilter prepare pairs`")
    images = np.stack([_resized(_read(path), size) for path in paths])
    guidance = None
    if with_guidance:
        drawn = [folder / "guidance" / path.name for path in paths]
        missing = [path for path in drawn if not path.is_file()]
        if missing:
            raise DataError(f"{missing[0]} is missing; this generator needs guidance pictures")
        guidance = np.stack([_resized(_read(path), size) for path in drawn])
    return FaceCrops(images, guidance, folder.name)


def _photographs(folder: Path, with_guidance: bool, warp: FaceWarp | None, size: int, count: int) -> FaceCrops:
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give one with face pictures")
    paths = sorted(path for path in folder.rglob("*") if is_picture(path))
    finder = StillFaceFinder(max_faces=1, turns=UPRIGHT)
    images, guidance = [], []
    try:
        for path in _spread(paths, 4 * count):
            picture = _read(path)
            for face in finder.find(picture)[0][:1]:
                transform = crop_transform(face.landmarks, size, face.fit)
                portrait = take_portrait(picture, face.landmarks, transform, warp, with_guidance=with_guidance)
                images.append(portrait.crop)
                guidance.append(portrait.guidance)
            if len(images) == count:
                break
    finally:
        finder.close()
    if not images:
        raise DataError(f"{folder}: no face in its {len(paths)} pictures; give a folder with face pictures")
    drawn = [picture for picture in guidance if picture is not None]
    return FaceCrops(np.stack(images), np.stack(drawn) if drawn else None, folder.name)


def _crops_of_portrait(
    picture: NDArray[np.uint8], with_guidance: bool, warp: FaceWarp | None, size: int, count: int
) -> FaceCrops:
    """One face under small moves and changes of light, for want of more."""
    finder = StillFaceFinder(max_faces=1, turns=UPRIGHT)
    try:
        faces, _ = finder.find(picture)
    finally:
        finder.close()
    if not faces:
        raise DataError("no face was found in the test portrait; give a folder with face pictures")
    face = faces[0]
    images, guidance = [], []
    base = crop_transform(face.landmarks, size, face.fit)
    for transform, gain in _jitter(base, min(count, _JITTERED_CROPS)):
        lit = np.clip(picture.astype(np.float32) * gain, 0, 255).astype(np.uint8)
        portrait = take_portrait(lit, face.landmarks, transform, warp, with_guidance=with_guidance)
        images.append(portrait.crop)
        guidance.append(portrait.guidance)
    drawn = [entry for entry in guidance if entry is not None]
    return FaceCrops(np.stack(images), np.stack(drawn) if drawn else None, "astronaut (scikit-image, NASA)")


def _jitter(base: CropTransform, count: int) -> Iterator[tuple[CropTransform, float]]:
    random = np.random.default_rng(6)
    for index in range(count):
        amount = 0.0 if index == 0 else 1.0
        dx, dy, roll, grow, light = amount * random.uniform(-1, 1, 5)
        yield (
            CropTransform(
                base.centre_x_px + 0.04 * base.side_px * dx,
                base.centre_y_px + 0.04 * base.side_px * dy,
                base.side_px * (1 + 0.08 * grow),
                base.roll_rad + 0.2 * roll,
                base.size,
            ),
            float(1 + 0.35 * light),
        )


def _spread(paths: list[Path], count: int) -> list[Path]:
    """`count` of the paths, evenly spread over all."""
    if len(paths) <= count:
        return paths
    return [paths[round(place)] for place in np.linspace(0, len(paths) - 1, count)]


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        return read_image(path)
    except CaptureError as error:
        raise DataError(str(error)) from error


def _resized(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if picture.shape[0] == size:
        return picture
    shrinks = picture.shape[0] > size
    resized: NDArray[np.uint8] = cv2.resize(
        picture, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    )
    return resized
