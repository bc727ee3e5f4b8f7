"""Putting the drawing back into the frame without a visible seam."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.sampling import shrunk_matrix
from toonfilter.runtime.render.portrait import Portrait

Region = Literal["head", "face"]
Mask = NDArray[np.uint8]
"""uint8 [S, S]: 255 where only the drawing may be seen."""

_DOUBLED_FROM = 2.0
_HULL_MARGIN = 0.025
_RIM = 0.09
_BOTTOM_FADE = 0.22


def blend_mask(portrait: Portrait, matte: Mask | None, region: Region) -> Mask:
    """How much of the drawing is shown: always all of it on the face, softly less towards the border of the crop.

    matte: uint8 [S, S] person matte of the generator; None takes an oval around the head.
    region: `head` follows the matte with hair and neck, `face` ends at the outline of the face.
    """
    size = portrait.transform.size
    face = face_hull(portrait.plain_landmarks, portrait.landmarks, size)
    if region == "face":
        return face
    head = head_oval(size) if matte is None else matte
    shown: Mask = cv2.max(cv2.multiply(head, border_window(size), scale=1 / 255), face)
    return shown


def beside_neighbours(masks: Sequence[Mask], portraits: Sequence[Portrait]) -> list[Mask]:
    """The masks without the faces of others: what a crop holds of a neighbour is no cartoon of them."""
    return [
        _beside(mask, own, [one for one in portraits if one is not own])
        for mask, own in zip(masks, portraits, strict=True)
    ]


def _beside(mask: Mask, own: Portrait, others: Sequence[Portrait]) -> Mask:
    transform, size = own.transform, own.transform.size
    face = face_hull(own.plain_landmarks, own.landmarks, size)
    for other in others:
        plain, moved = (
            transform.to_crop(other.transform.to_frame(points)) for points in (other.plain_landmarks, other.landmarks)
        )
        low, high = moved[:, :2].min(0), moved[:, :2].max(0)
        if (high < 0).any() or (low > size).any():
            continue
        mask = cv2.max(cv2.min(mask, cv2.bitwise_not(face_hull(plain, moved, size))), cv2.min(mask, face))
    return mask


def paste(image: Image, drawing: Image, mask: Mask, portrait: Portrait) -> None:
    """Blend the drawing into the frame, in place.

    image: uint8 [H, W, 3] RGB. drawing: uint8 [S, S, 3] RGB. mask: see `blend_mask`.
    """
    matrix = portrait.transform.crop_to_frame
    rectangle = _rectangle(mask, matrix, image.shape[0], image.shape[1])
    if rectangle is None:
        return
    left, top, right, bottom = rectangle
    # Colours weighted by the mask go through the warp together with it: one warp, and its interpolation is exact.
    weighted = cv2.multiply(cv2.cvtColor(drawing, cv2.COLOR_RGB2RGBA), cv2.merge([mask] * 4), scale=1 / 255)
    weighted = _enlarged(weighted, matrix, rectangle)
    remaining = cv2.bitwise_not(cv2.extractChannel(weighted, 3))
    target = image[top:bottom, left:right]
    cv2.multiply(target, cv2.merge([remaining] * 3), dst=target, scale=1 / 255)
    cv2.add(target, cv2.cvtColor(weighted, cv2.COLOR_RGBA2RGB), dst=target)


def _enlarged(weighted: Image, matrix: NDArray[np.float64], rectangle: tuple[int, int, int, int]) -> Image:
    """The crop laid into this part of the frame: uint8 [H, W, 4], 0 beside it. matrix: crop to frame."""
    left, top, right, bottom = rectangle
    width, height = right - left, bottom - top
    # A warp takes four times as long as an enlargement of as many pixels.
    factor = 2 if math.hypot(matrix[0, 0], matrix[1, 0]) >= _DOUBLED_FROM else 1
    fitted = shrunk_matrix(matrix, (left, top), factor)
    size = (math.ceil(width / factor), math.ceil(height / factor))
    warped = cv2.warpAffine(weighted, fitted, size, flags=cv2.INTER_LINEAR, borderValue=0)
    if factor > 1:
        warped = cv2.resize(warped, (factor * size[0], factor * size[1]), interpolation=cv2.INTER_LINEAR)
    enlarged: Image = warped[:height, :width]
    return enlarged


def face_hull(plain_landmarks: Landmarks, landmarks: Landmarks, size: int) -> Mask:
    """The face's outline, before and after the warp together, so that nothing of the real one is left open.

    Landmarks in crop px.
    """
    margin_px = max(1, round(_HULL_MARGIN * size))
    points = np.concatenate([plain_landmarks[:, :2], landmarks[:, :2]])
    # Widened by twice the blur's reach, so that the blur leaves the face itself fully covered.
    around = cv2.convexHull(points) + 2 * margin_px * _directions()
    hull = cv2.convexHull(around.reshape(-1, 1, 2))
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.round(hull * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    softened: Mask = cv2.blur(mask, (2 * margin_px + 1, 2 * margin_px + 1), borderType=cv2.BORDER_REPLICATE)
    return softened


@lru_cache(maxsize=1)
def _directions() -> NDArray[np.float32]:
    """float32 [1, 16, 2]: the corners of a polygon around the unit circle."""
    angle = np.arange(16) * (np.pi / 8)
    corners = np.stack([np.cos(angle), np.sin(angle)], 1) / np.cos(np.pi / 16)
    directions: NDArray[np.float32] = corners[None].astype(np.float32)
    return directions


@lru_cache(maxsize=4)
def border_window(size: int) -> Mask:
    """255 inside, fading to 0 at the crop's border; longer at the bottom, where a body goes on."""
    place = (np.arange(size) + 0.5) / size
    window = _upright_share(place)[:, None] * _sides_share(place)[None, :]
    levels: Mask = np.round(255 * window).astype(np.uint8)
    return levels


@lru_cache(maxsize=4)
def head_oval(size: int) -> Mask:
    """An oval where a head lies in its crop, for generators without a matte."""
    place = (np.arange(size) + 0.5) / size - 0.5
    radius = np.hypot(place[None, :] / 0.40, (place[:, None] - 0.01) / 0.47)
    levels: Mask = np.round(255 * _eased(np.clip((1 - radius) / 0.2, 0, 1))).astype(np.uint8)
    return levels


def border_share(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """As `border_window`, float64 [N], 0 to 1. places: x and y in the crop's square, 0 to 1, or beyond it."""
    return _upright_share(places[:, 1]) * _sides_share(places[:, 0])


def _upright_share(place: NDArray[np.float64]) -> NDArray[np.float64]:
    return _eased(np.clip(np.minimum(place / _RIM, (1 - place) / _BOTTOM_FADE), 0, 1))


def _sides_share(place: NDArray[np.float64]) -> NDArray[np.float64]:
    return _eased(np.clip(np.minimum(place, 1 - place) / _RIM, 0, 1))


def _eased(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return value * value * (3 - 2 * value)


def _rectangle(mask: Mask, matrix: NDArray[np.float64], height: int, width: int) -> tuple[int, int, int, int] | None:
    """left, top, right, bottom of the frame pixels that the mask can reach, or None where it reaches none."""
    left, top, box_width, box_height = cv2.boundingRect(mask)
    if box_width == 0:
        return None
    corners = np.array([(x, y) for x in (left - 1, left + box_width) for y in (top - 1, top + box_height)], np.float64)
    reached = corners @ matrix[:, :2].T + matrix[:, 2]
    low, high = np.floor(reached.min(0)).astype(int), np.ceil(reached.max(0)).astype(int) + 1
    left, top = max(0, int(low[0])), max(0, int(low[1]))
    right, bottom = min(width, int(high[0])), min(height, int(high[1]))
    return (left, top, right, bottom) if right > left and bottom > top else None
