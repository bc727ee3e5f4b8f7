"""Sampling a turned square out of a frame without aliasing."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.alignment import CropTransform
from toonfilter.runtime.frames import Image


def take_view(image: Image, transform: CropTransform, into: Image | None = None) -> Image:
    """The square as uint8 [S, S, 3], black beyond the frame: new memory, or written over `into`.

    image: uint8 [H, W, 3].
    """
    matrix = transform.crop_to_frame
    factor = int(transform.side_px / transform.size)
    if factor > 1:
        image, matrix = shrunk_region(image, matrix, transform.size, factor)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    view: Image = cv2.warpAffine(image, matrix, (transform.size, transform.size), dst=into, flags=flags)
    return view


def shrunk_region(
    image: Image, matrix: NDArray[np.float64], size: int, factor: int
) -> tuple[Image, NDArray[np.float64]]:
    """The part of the frame under a crop, means over factor x factor pixels, and the matrix that fits it.

    A whole factor is ten times faster than the exact ratio, which the sampling that follows makes up for.
    matrix: crop to frame.
    """
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) @ matrix[:, :2].T + matrix[:, 2]
    limits = np.maximum(np.array([width, height]) // factor, 1)
    first = np.clip(np.floor(corners.min(0) / factor).astype(int), 0, limits - 1)
    last = np.clip(np.ceil(corners.max(0) / factor).astype(int) + 1, first + 1, limits)
    (left, top), (right, bottom) = (first * factor).tolist(), (last * factor).tolist()
    region = image[top:bottom, left:right]
    columns, rows = (last - first).tolist()
    small = cv2.resize(region, (columns, rows), interpolation=cv2.INTER_AREA)
    scale = np.array([[columns / region.shape[1]], [rows / region.shape[0]]])
    fitted = matrix * scale
    # Pixel centres lie at whole numbers, so scaling about a pixel's corner shifts by half a pixel.
    fitted[:, 2] += (scale[:, 0] * (0.5 - np.array([left, top]))) - 0.5
    return small, fitted
