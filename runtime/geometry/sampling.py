"""Sampling a turned square out of a frame without aliasing."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import CropTransform


def take_view(image: Image, transform: CropTransform, into: Image | None = None) -> Image:
    """The square as uint8 [S, S, 3], black beyond the frame: new memory, or written over `into`.

    image: uint8 [H, W, 3].
    """
    matrix = transform.crop_to_frame
    halvings = halvings_for(transform.side_px / transform.size)
    if halvings:
        image, matrix = shrunk_region(image, matrix, transform.size, halvings)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    view: Image = cv2.warpAffine(image, matrix, (transform.size, transform.size), dst=into, flags=flags)
    return view


def halvings_for(ratio: float, least: float = 1.0) -> int:
    """How often to halve a picture that is to be sampled `ratio` times smaller; at least `least` of that remains."""
    return max(0, int(math.log2(max(ratio, least) / least)))


def halved(picture: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """Means over squares of 2 ** times pixels; sides are multiples of that.

    OpenCV has a fast way for 2 x 2 alone: ten times faster than for other factors.
    """
    for _ in range(times):
        height, width = picture.shape[:2]
        picture = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return picture


def shrunk_region(
    image: Image, matrix: NDArray[np.float64], size: int, halvings: int
) -> tuple[Image, NDArray[np.float64]]:
    """The part of the frame under a crop, halved so many times, and the matrix that fits it.

    matrix: crop to frame.
    """
    height, width = image.shape[:2]
    halvings = min(halvings, int(math.log2(min(height, width))))
    factor = 2**halvings
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) @ matrix[:, :2].T + matrix[:, 2]
    limits = np.array([width, height]) // factor
    # Pixel centres: the first one that is sampled lies half a pixel before the corner.
    first = np.clip(np.floor((corners.min(0) + 0.5) / factor - 0.5).astype(int), 0, limits - 1)
    last = np.clip(np.ceil(corners.max(0) / factor).astype(int) + 1, first + 1, limits)
    (left, top), (right, bottom) = (first * factor).tolist(), (last * factor).tolist()
    return halved(image[top:bottom, left:right], halvings), shrunk_matrix(matrix, (left, top), factor)


def shrunk_matrix(matrix: NDArray[np.float64], corner: tuple[int, int], factor: int) -> NDArray[np.float64]:
    """The matrix to a frame as one to its part from `corner` (x, y) on, shrunk by `factor`."""
    fitted = matrix / factor
    # Pixel centres lie at whole numbers, so scaling about a pixel's corner shifts by half a pixel.
    fitted[:, 2] += (0.5 - np.array(corner)) / factor - 0.5
    return fitted
