"""One face as the generator sees it: the warped crop, its guidance picture, and the way back into the frame."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import CropTransform, Landmarks
from toonfilter.runtime.geometry.sampling import halvings_for, shrunk_region
from toonfilter.runtime.geometry.warp import FaceWarp, Field, displacement, warp_points
from toonfilter.runtime.render.guidance import draw_guidance

_LEAST_SHRINKING = 0.8


@dataclass(frozen=True, slots=True)
class Portrait:
    """crop: uint8 [S, S, 3] RGB, warped. guidance: uint8 [S, S, 3], or None where it was not asked for.

    transform: frame to crop, without the warp. plain_landmarks, landmarks: float32 [478, 3] crop px, before
    and after the warp.
    """

    crop: Image
    guidance: NDArray[np.uint8] | None
    transform: CropTransform
    plain_landmarks: Landmarks
    landmarks: Landmarks


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything of a portrait lies, before it is taken. See `Portrait`; field: see `displacement`, or None."""

    transform: CropTransform
    plain_landmarks: Landmarks
    landmarks: Landmarks
    field: Field | None


def lay_out(landmarks: Landmarks, transform: CropTransform, warp: FaceWarp | None) -> Layout:
    """landmarks: float32 [478, 3] frame px. warp: None leaves the proportions."""
    plain = transform.to_crop(landmarks)
    if warp is None:
        return Layout(transform, plain, plain, None)
    field = displacement(plain, transform.size, warp)
    return Layout(transform, plain, warp_points(plain, transform.size, warp, field), field)


def take_crop(image: Image, layout: Layout) -> Image:
    """Sample the frame once, through alignment and warp together; its border goes on beyond its edge.

    image: uint8 [H, W, 3] RGB. Returns uint8 [S, S, 3].
    """
    places = _pixel_grid(layout.transform.size)
    return _sample(image, places if layout.field is None else places + layout.field, layout.transform)


def finish_portrait(image: Image, layout: Layout, *, with_guidance: bool) -> Portrait:
    """image: uint8 [H, W, 3] RGB."""
    guidance = draw_guidance(layout.landmarks, layout.transform.size) if with_guidance else None
    return Portrait(take_crop(image, layout), guidance, layout.transform, layout.plain_landmarks, layout.landmarks)


def take_portrait(
    image: Image,
    landmarks: Landmarks,
    transform: CropTransform,
    warp: FaceWarp | None,
    *,
    with_guidance: bool,
) -> Portrait:
    """The steps above, one after the other."""
    return finish_portrait(image, lay_out(landmarks, transform, warp), with_guidance=with_guidance)


def _sample(image: Image, places: NDArray[np.float32], transform: CropTransform) -> Image:
    """The frame's colours at crop places float32 [S, S, 2]; large faces are shrunk first, against aliasing."""
    matrix = transform.crop_to_frame
    halvings = halvings_for(transform.side_px / transform.size, _LEAST_SHRINKING)
    if halvings:
        image, matrix = shrunk_region(image, matrix, transform.size, halvings)
    maps = cv2.transform(places, matrix)
    sampled: Image = cv2.remap(image, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return sampled


@lru_cache(maxsize=4)
def _pixel_grid(size: int) -> NDArray[np.float32]:
    axis = np.arange(size, dtype=np.float32)
    grid: NDArray[np.float32] = np.ascontiguousarray(np.dstack(np.meshgrid(axis, axis)))
    grid.flags.writeable = False
    return grid
