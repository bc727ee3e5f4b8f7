"""Pictures of people into aligned face crops. What spoils training is dropped, and every reason is counted.

The published reports found three kinds of pictures that spoil a face data set: grayscale ones, faces too small in the
picture (enlarged, they teach blur), and duplicates.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.faces.still_faces import UPRIGHT, StillFaceFinder
from toonfilter.runtime.geometry.alignment import crop_transform
from toonfilter.runtime.progress import Progress, ShowProgress
from toonfilter.train.data.pictures import picture_paths, read_rgb, write_png
from toonfilter.train.data.published import published_identities
from toonfilter.train.data.splits import write_identities

Image = NDArray[np.uint8]

# The order is the order in which they are applied.
REASONS = ("unreadable", "grayscale", "no face", "several faces", "face too small", "turned away", "duplicate")


@dataclass(frozen=True)
class FaceSettings:
    """What is kept.

    min_face_px: height of the face (forehead to chin) in the original picture.
    min_chroma: spread of colours in CIELAB units; below it the picture is grayscale, or toned.
    max_yaw_degrees: faces turned farther away are dropped.
    duplicate_bits: crops whose 256-bit difference hashes differ in at most this many bits are the same; the faces of
    different people differ in 46 and more.
    all_faces: keep every face of a picture, not only pictures with one.
    """

    size_px: int = 256
    min_face_px: float = 96.0
    min_chroma: float = 1.6
    max_yaw_degrees: float = 60.0
    duplicate_bits: int = 24
    all_faces: bool = False


@dataclass(frozen=True)
class FacesResult:
    """What `crop_folder` did: `dropped` counts pictures (or faces) by reason, `reasons` says it for each file."""

    pictures: int
    written: int
    dropped: Mapping[str, int]
    reasons: Mapping[str, str] = field(default_factory=dict)


def is_grayscale(image: Image, min_chroma: float = 1.6) -> bool:
    """Whether a picture has no colours of its own: gray, or gray with one tone over it (sepia).

    What counts is how far the pixels' colours (a and b of CIELAB) are from a curve over lightness (a parabola), so a
    toned print is gray too.

    Args:
        image: uint8 [H,W,3] RGB.
    """
    small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float64)
    lab = cv2.cvtColor((small / 255).astype(np.float32), cv2.COLOR_RGB2LAB)
    lightness, ab = lab[..., 0].reshape(-1) / 100, lab[..., 1:].reshape(-1, 2)
    curve = np.stack([np.ones_like(lightness), lightness, lightness**2], axis=1)
    weights, *_ = np.linalg.lstsq(curve, ab, rcond=None)
    spread = np.sqrt(((ab - curve @ weights) ** 2).sum(1).mean())
    return bool(spread < min_chroma)


def difference_hash(image: Image) -> NDArray[np.uint8]:
    """256 bits, uint8 [32]: whether each of 16 x 16 places is brighter than its right neighbour.

    Survives scaling, JPEG and crops that differ by a pixel or two.
    """
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    smooth = cv2.GaussianBlur(gray, (0, 0), max(image.shape[0] / 64, 0.3))
    small = cv2.resize(smooth, (17, 16), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.packbits(small[:, 1:] > small[:, :-1])


class DuplicateFilter:
    """Remembers hashes; tells whether a picture is like an earlier one."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._seen = np.zeros((1024, 32), np.uint8)
        self._count = 0
        self._ones = np.array([value.bit_count() for value in range(256)], np.uint8)

    def seen(self, image: Image) -> bool:
        """Return True for a duplicate; otherwise remember the picture. image: uint8 [H,W,3] RGB."""
        found = difference_hash(image)
        distances = self._ones[self._seen[: self._count] ^ found].sum(1, dtype=np.int64)
        if (distances <= self._bits).any():
            return True
        if self._count == len(self._seen):
            self._seen = np.concatenate([self._seen, np.zeros_like(self._seen)])
        self._seen[self._count] = found
        self._count += 1
        return False


def crop_face(image: Image, landmarks: NDArray[Any], size_px: int) -> tuple[Image, NDArray[np.float32]]:
    """Cut the upright square around the whole head, as the filter does while running.

    Args:
        image: uint8 [H,W,3] RGB.
        landmarks: float32 [478,3] in its pixels.

    Returns:
        The crop, uint8 [size,size,3], and the landmarks in it, float32 [478,2] px.
    """
    transform = crop_transform(landmarks, size_px)
    shrink = transform.side_px / size_px
    if shrink > 2:
        # A bilinear warp that shrinks much skips pixels; halve first.
        factor = 1 / shrink
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(np.uint8)
        landmarks = landmarks * np.float32(factor)
        transform = crop_transform(landmarks, size_px)
    crop = cv2.warpAffine(
        image, transform.frame_to_crop, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return crop.astype(np.uint8), transform.to_crop(landmarks)[:, :2]


def crop_folder(
    pictures: Path, out: Path, settings: FaceSettings = FaceSettings(), report: ShowProgress | None = None
) -> FacesResult:
    """Write OUT/photo/NAME.png (aligned crops), OUT/landmarks/NAME.npy (float32 [478,2] crop px), OUT/identities.json.

    Who is on a picture is what CelebA's list says, or the name of the folder that the picture lies in (one folder for
    each person); pictures directly in `pictures` are taken for different people.

    Raises:
        DataError: no pictures in the folder.
    """
    paths = picture_paths(pictures)
    finder = StillFaceFinder(turns=UPRIGHT)
    duplicates = DuplicateFilter(settings.duplicate_bits)
    dropped: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    identities: dict[str, str] = {}
    people = published_identities(pictures)
    try:
        for number, path in enumerate(paths):
            name = "_".join(path.relative_to(pictures).with_suffix("").parts)
            kept, why = _faces_of(path, finder, duplicates, settings)
            for place, (crop, points) in enumerate(kept):
                unique = name if len(kept) == 1 else f"{name}_{place}"
                write_png(out / "photo" / f"{unique}.png", crop)
                (out / "landmarks").mkdir(parents=True, exist_ok=True)
                np.save(out / "landmarks" / f"{unique}.npy", points)
                folder = "_".join(path.relative_to(pictures).parent.parts)
                identities[unique] = people.get(path.name) or folder or name
            if why:
                dropped.update(why)
                reasons[str(path.relative_to(pictures))] = ", ".join(why)
            if report is not None:
                report(Progress(number + 1, len(paths), "faces"))
    finally:
        finder.close()
    if identities:
        write_identities(out, identities)
    ordered = {reason: dropped[reason] for reason in REASONS if dropped[reason]}
    return FacesResult(len(paths), len(identities), ordered, reasons)


def _faces_of(
    path: Path, finder: StillFaceFinder, duplicates: DuplicateFilter, settings: FaceSettings
) -> tuple[list[tuple[Image, NDArray[np.float32]]], list[str]]:
    image = read_rgb(path)
    if image is None:
        return [], ["unreadable"]
    if is_grayscale(image, settings.min_chroma):
        return [], ["grayscale"]
    faces, _ = finder.find(image)
    if not faces:
        return [], ["no face"]
    if len(faces) > 1 and not settings.all_faces:
        return [], ["several faces"]
    kept: list[tuple[Image, NDArray[np.float32]]] = []
    why: list[str] = []
    for face in faces:
        reason = _reason_against(face, settings)
        crop, points = crop_face(image, face.landmarks, settings.size_px)
        if reason is None and duplicates.seen(crop):
            reason = "duplicate"
        if reason is None:
            kept.append((crop, points))
        else:
            why.append(reason)
    return kept, why


def _reason_against(face: Face, settings: FaceSettings) -> str | None:
    if face.fit.scale < settings.min_face_px:
        return "face too small"
    if abs(face.pose[0]) > settings.max_yaw_degrees:
        return "turned away"
    return None
