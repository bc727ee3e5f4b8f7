"""Augmentation: one random placement for all pictures of a sample, one light for photo and drawing, wear on the photo.

A sample is a dict of uint8 pictures [H, W, C] by the names that toonfilter.train.systems gives them; `matte` is
[H, W, 1]. Every draw comes from the generator that is handed in, so that a sample depends on nothing but its number.
"""

import math
from collections.abc import Callable, Mapping
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Sample = dict[str, NDArray[np.generic]]
Augmentation = Callable[[Mapping[str, Image], np.random.Generator, int], Sample]

# Room around a crop for its second, shifted view.
SHIFT_MARGIN_PX = 6
# Pairs are 384 px; the filter runs at 256, 384 and 512: these scales make every tier seen.
TIER_SCALES = (2 / 3, 1.0, 4 / 3)
TIER_SHARES = (0.5, 0.3, 0.2)


def squared(pictures: Mapping[str, Image], how: str) -> dict[str, Image]:
    """Pictures [H, W, C] and landmarks (names ending in `landmarks`) as squares: "crop" takes the middle square, "pad"
    fills up by reflection, "stretch" leaves them to be stretched later."""
    if how == "stretch":
        return dict(pictures)
    result = {}
    for name, value in pictures.items():
        partner = _picture_of(name, pictures) if name.endswith("landmarks") else value
        height, width = partner.shape[:2]
        side = min(height, width) if how == "crop" else max(height, width)
        left, top = (side - width) // 2, (side - height) // 2
        if name.endswith("landmarks"):
            result[name] = cast(Image, (value + np.array([left, top], np.float32)).astype(np.float32))
        elif how == "crop":
            result[name] = np.ascontiguousarray(value[-top : side - top, -left : side - left])
        else:
            edges = (top, side - height - top, left, side - width - left)
            padded = cv2.copyMakeBorder(value, *edges, cv2.BORDER_REFLECT)
            result[name] = cast(Image, padded[..., None] if padded.ndim == 2 else padded)
    return result


def _picture_of(landmarks: str, pictures: Mapping[str, Image]) -> Image:
    """The picture that landmarks are of; in unpaired data the only one there is."""
    name = "target" if landmarks == "target_landmarks" and "target" in pictures else "source"
    return pictures[name] if name in pictures else pictures["target"]


def fit(pictures: Mapping[str, Image], rng: np.random.Generator, size: int) -> Sample:  # noqa: ARG001 (same call for all)
    """The whole picture at size x size; landmarks (float32 [P, 2] px, names ending in `landmarks`) with it."""
    sample: Sample = {}
    for name, value in pictures.items():
        if name.endswith("landmarks"):
            height, width = _picture_of(name, pictures).shape[:2]
            sample[name] = _scaled(value, (size / width, size / height))
        else:
            sample[name] = _resize(value, size)
    return sample


def flip(pictures: Mapping[str, Image], rng: np.random.Generator, size: int) -> Sample:
    """The whole picture, mirrored half of the time."""
    sample = fit(pictures, rng, size)
    if rng.random() < 0.5:
        sample = {name: np.ascontiguousarray(picture[:, ::-1]) for name, picture in sample.items()}
    return sample


def jitter(pictures: Mapping[str, Image], rng: np.random.Generator, size: int) -> Sample:
    """Enlarged by 286/256, a random crop of `size`, mirrored half of the time (Isola et al. 2017, section 6.2)."""
    large = round(size * 286 / 256)
    sample = flip(pictures, rng, large)
    y, x = (int(v) for v in rng.integers(0, large - size + 1, 2))
    return {name: np.ascontiguousarray(picture[y : y + size, x : x + size]) for name, picture in sample.items()}


def toon(pictures: Mapping[str, Image], rng: np.random.Generator, size: int) -> Sample:
    """For the real-time filter: random place, scale, turn; one light and colour cast for photo and drawing (the drawing
    keeps the photo's tones); noise, blur and JPEG on the photo alone; guidance moved a little and, rarely, absent.

    Adds `again`, `again_guidance`: the same place seen `shift` (dx, dy) pixels further, with wear of its own:
    again[y, x] shows what source[y + dy, x + dx] shows.
    """
    margin = SHIFT_MARGIN_PX
    aligned = _place(pictures, rng, size + 2 * margin)
    table = _light_table(rng)
    source, target = cv2.LUT(aligned["source"], table), cv2.LUT(aligned["target"], table)
    dx, dy = (int(v) for v in rng.integers(-margin, margin + 1, 2))
    inner = slice(margin, margin + size), slice(margin, margin + size)
    moved = slice(margin + dy, margin + dy + size), slice(margin + dx, margin + dx + size)
    sample: Sample = {
        "source": wear(source[inner], rng),
        "target": np.ascontiguousarray(target[inner]),
        "again": wear(source[moved], rng),
        "shift": np.array([dx, dy], np.int64),
    }
    if "matte" in aligned:
        sample["matte"] = np.ascontiguousarray(aligned["matte"][inner])
    if "guidance" in aligned:
        guidance = _loosened(aligned["guidance"], rng)
        sample["guidance"] = np.ascontiguousarray(guidance[inner])
        sample["again_guidance"] = np.ascontiguousarray(guidance[moved])
    return sample


def human(pictures: Mapping[str, Image], rng: np.random.Generator, size: int) -> Sample:
    """For the way back: as `toon`, but a part of the drawings is replaced by a quick filter's, so that other people's
    cartoons are understood as well."""
    if rng.random() < 0.3:
        pictures = {**pictures, "source": _quick_cartoon(pictures["target"], rng)}
    return toon(pictures, rng, size)


AUGMENTATIONS: Mapping[str, Augmentation] = {
    "none": fit,
    "flip": flip,
    "jitter": jitter,
    "toon": toon,
    "human": human,
}


def wear(photo: Image, rng: np.random.Generator) -> Image:
    """What a webcam does: a little blur, lost resolution, noise, light drift, JPEG. uint8 [H, W, 3] to the same."""
    height, width = photo.shape[:2]
    worn = photo
    kind = rng.random()
    if kind < 0.2:
        worn = cast(Image, cv2.GaussianBlur(worn, (0, 0), rng.uniform(0.4, 1.3)))
    elif kind < 0.4:
        factor = rng.uniform(0.45, 0.9)
        small = cv2.resize(worn, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        worn = cast(Image, cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))
    if rng.random() < 0.6:
        level = rng.uniform(1.0, 9.0)
        noise = rng.standard_normal((height, width, 1), np.float32) * level
        chroma = rng.standard_normal((height // 2, width // 2, 3), np.float32) * (level * 0.5)
        noise = noise + cv2.resize(chroma, (width, height), interpolation=cv2.INTER_LINEAR)
        worn = np.clip(worn * np.float32(rng.uniform(0.96, 1.04)) + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(35, 96))
        encoded = cv2.imencode(".jpg", worn, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        worn = cast(Image, cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    return np.ascontiguousarray(worn)


def _place(pictures: Mapping[str, Image], rng: np.random.Generator, size: int) -> dict[str, Image]:
    """All pictures through one similarity: size x size pixels around a point that is most often near the face."""
    side = pictures["source"].shape[0]
    scale = float(rng.choice(TIER_SCALES, p=TIER_SHARES)) * 384 / side * math.exp(rng.uniform(-0.1, 0.1))
    angle = rng.normal(0.0, 8.0) if rng.random() < 0.7 else rng.uniform(-35.0, 35.0)
    half = min(size / scale / 2, side / 2)
    spread = max(side / 2 - half, 0.08 * side)
    centre = side / 2 + np.clip(rng.normal(0.0, 0.5, 2), -1, 1) * spread
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), angle, scale)
    matrix[:, 2] += size / 2 - centre
    if rng.random() < 0.5:
        matrix = np.array([[-1.0, 0.0, size - 1.0], [0.0, 1.0, 0.0]]) @ np.vstack([matrix, [0, 0, 1]])
    return {name: _warp(picture, matrix, size, name) for name, picture in pictures.items()}


def _warp(picture: Image, matrix: NDArray[np.float64], size: int, name: str) -> Image:
    # A guidance picture is drawn, never mirrored over the edge; photo and drawing go on beyond it.
    border = cv2.BORDER_CONSTANT if name == "guidance" else cv2.BORDER_REFLECT
    warped = cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border)
    return cast(Image, warped[..., None] if warped.ndim == 2 else warped)


def _light_table(rng: np.random.Generator) -> Image:
    """A lookup table [1, 256, 3]: exposure, gamma and colour cast. Black stays black, so ink stays ink."""
    gain = math.exp(rng.normal(0.0, 0.13)) * np.exp(rng.normal(0.0, 0.035, 3))
    gamma = math.exp(rng.normal(0.0, 0.13))
    values = (np.arange(256) / 255.0) ** gamma
    return cast(Image, np.round(np.clip(values[:, None] * gain * 255, 0, 255)).astype(np.uint8)[None])


def _loosened(guidance: Image, rng: np.random.Generator) -> Image:
    if rng.random() < 0.02:
        return np.zeros_like(guidance)
    if rng.random() < 0.4:
        x, y = rng.uniform(-1.0, 1.0, 2)
        matrix = np.array([[1.0, 0.0, x], [0.0, 1.0, y]])
        guidance = cast(Image, cv2.warpAffine(guidance, matrix, (guidance.shape[1], guidance.shape[0])))
    return guidance


def _quick_cartoon(photo: Image, rng: np.random.Generator) -> Image:
    """The classic OpenCV cartoon: smoothed, posterised, ink from an adaptive threshold."""
    smooth = cv2.medianBlur(cv2.bilateralFilter(photo, 7, 60, 7), 2 * int(rng.integers(1, 4)) + 1)
    levels = int(rng.integers(5, 12))
    tones = cv2.LUT(smooth, np.round(np.round(np.arange(256) / 255 * levels) / levels * 255).astype(np.uint8))
    gray = cv2.medianBlur(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), 5)
    ink = cv2.adaptiveThreshold(gray, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 9, int(rng.integers(3, 8)))
    return cast(Image, np.where(ink[..., None] > 0, tones, tones // 4))


def _scaled(points: NDArray[np.generic], factors: tuple[float, float]) -> NDArray[np.generic]:
    """Points [P, 2] times factors across and down. Pixel centres lie at whole numbers, so the edge at -0.5 stays."""
    scaled = (points.astype(np.float32) + 0.5) * np.array(factors, np.float32) - 0.5
    return cast(NDArray[np.generic], scaled.astype(np.float32))


def _resize(picture: Image, size: int) -> NDArray[np.generic]:
    if picture.shape[:2] == (size, size):
        return np.ascontiguousarray(picture)
    how = cv2.INTER_AREA if max(picture.shape[:2]) > size else cv2.INTER_LINEAR
    resized = cv2.resize(picture, (size, size), interpolation=how)
    return cast(NDArray[np.generic], resized[..., None] if resized.ndim == 2 else resized)
