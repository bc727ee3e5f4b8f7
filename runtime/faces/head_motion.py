"""How a head moved between two frames, from the picture itself: steadier by far than the difference of two meshes.

A mesh says where the head is to about half a pixel of a crop, anew in every frame; that wobble shows as swimming ink
lines. Optical flow says how far the head moved to a few hundredths. So the crop is carried along by the flow, and only
slowly drawn to the mesh.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.faces.smoothing import OneEuroSettings, TransformSmoother
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import CropTransform
from toonfilter.runtime.geometry.sampling import halved, halvings_for, shrunk_matrix

_FOCUS_SHARE = 0.6
_FOCUS_PX = 96
_WINDOW_PX = 11
_COARSER = 2
_LEAST_POINTS = 16
_FARTHEST = 0.25
_REACH = 0.71
"""From the middle to a corner, in sides of the focus, whatever the roll."""

Gray = NDArray[np.uint8]
"""uint8 [96, 96]: the middle of a head, upright in its crop."""


class SteadyCrop:
    """Where the crop of one face lies, frame by frame. Not thread safe."""

    def __init__(self, settings: OneEuroSettings) -> None:
        self._settings = settings
        self._smoother = TransformSmoother(settings)
        self._before: Gray | None = None
        self._last: CropTransform | None = None

    def followed(self, image: Image) -> CropTransform | None:
        """Where the last crop is in the next frame, by the motion of the picture; None where there is no telling.

        image: uint8 [H, W, 3] RGB, not drawn into yet. Needs no mesh, so another thread may ask while one is made.
        """
        if self._last is None or self._before is None:
            return None
        return moved_crop(self._before, _focus(image, self._last), self._last)

    def __call__(
        self,
        image: Image,
        raw: CropTransform,
        time_s: float,
        followed: Callable[[], CropTransform | None] | None = None,
    ) -> CropTransform:
        """The steadied crop.

        image: uint8 [H, W, 3] RGB, not drawn into yet. raw: where the mesh says the crop is.
        followed: gives what `followed` found in this image; None asks it now.
        """
        carried = self.followed(image) if followed is None else followed()
        if carried is None:
            self._smoother = TransformSmoother(self._settings)
        self._last = self._smoother(raw, time_s, carried)
        self._before = _focus(image, self._last)
        return self._last


def moved_crop(before: Gray, now: Gray, transform: CropTransform) -> CropTransform | None:
    """Where a crop is now, from its middle in two frames, both taken where it was; None when they do not match.

    The motion is the similarity that most points agree to, so speech and blinking do not move the crop. Points are
    followed after Bouguet 2001, "Pyramidal Implementation of the Lucas Kanade Feature Tracker".
    """
    points = _points()
    found, is_found, _ = cv2.calcOpticalFlowPyrLK(
        before, now, points, np.empty_like(points), winSize=(_WINDOW_PX, _WINDOW_PX), maxLevel=_COARSER
    )
    is_good = is_found[:, 0] > 0
    if int(is_good.sum()) < _LEAST_POINTS:
        return None
    motion, _ = cv2.estimateAffinePartial2D(points[is_good], found[is_good], method=cv2.LMEDS)
    if motion is None:
        return None
    to_frame = _focus_of(transform).crop_to_frame
    linear = to_frame[:, :2] @ motion[:, :2]
    middle = np.full(2, (_FOCUS_PX - 1) / 2)
    centre = linear @ middle + to_frame[:, :2] @ motion[:, 2] + to_frame[:, 2]
    side_px = math.hypot(linear[0, 0], linear[1, 0]) * _FOCUS_PX / _FOCUS_SHARE
    moved_px = math.dist(centre, (transform.centre_x_px, transform.centre_y_px))
    if moved_px > _FARTHEST * transform.side_px or abs(math.log(side_px / transform.side_px)) > _FARTHEST:
        return None
    return replace(
        transform,
        centre_x_px=float(centre[0]),
        centre_y_px=float(centre[1]),
        side_px=side_px,
        roll_rad=math.atan2(linear[1, 0], linear[0, 0]),
    )


def _focus(image: Image, transform: CropTransform) -> Gray:
    """The middle of the crop in the green channel of the frame, halved first, against aliasing."""
    height, width = image.shape[:2]
    reach = _REACH * _FOCUS_SHARE * transform.side_px
    halvings = min(halvings_for(_FOCUS_SHARE * transform.side_px / _FOCUS_PX), int(math.log2(min(width, height))))
    factor = 2**halvings
    # Whole blocks of the frame, so that the same place is shrunk in the same way wherever the crop lies.
    left = min(max(0, int(transform.centre_x_px - reach)), width - factor) // factor * factor
    top = min(max(0, int(transform.centre_y_px - reach)), height - factor) // factor * factor
    right = min(max(left + factor, int(transform.centre_x_px + reach) + factor), width)
    bottom = min(max(top + factor, int(transform.centre_y_px + reach) + factor), height)
    shown = cv2.extractChannel(image[top:bottom, left:right], 1)
    rows, columns = (length // factor * factor for length in shown.shape)
    shown = halved(shown[:rows, :columns], halvings)
    matrix = shrunk_matrix(_focus_of(transform).crop_to_frame, (left, top), factor)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    gray: Gray = cv2.warpAffine(shown, matrix, (_FOCUS_PX, _FOCUS_PX), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return gray


def _focus_of(transform: CropTransform) -> CropTransform:
    return replace(transform, side_px=_FOCUS_SHARE * transform.side_px, size=_FOCUS_PX)


def _points() -> NDArray[np.float32]:
    """float32 [56, 1, 2]: a grid over the face, as far as it lies in the middle of its crop."""
    across, down = np.linspace(0.2, 0.8, 7) * _FOCUS_PX, np.linspace(0.12, 0.88, 8) * _FOCUS_PX
    grid: NDArray[np.float32] = np.stack(np.meshgrid(across, down), -1).reshape(-1, 1, 2).astype(np.float32)
    return grid
