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

from toonfilter.runtime.faces.config import HeadMotionConfig
from toonfilter.runtime.faces.smoothing import OneEuroSettings, TransformSmoother
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import CropTransform
from toonfilter.runtime.geometry.sampling import halved, halvings_for, shrunk_matrix

_REACH = 0.71
"""From the middle to a corner, in sides of the focus, whatever the roll."""

_ACROSS, _DOWN = (0.2, 0.8, 7), (0.12, 0.88, 8)
"""First, last and number of the columns and rows of points that are followed: a grid over the face, as far as it lies
in the middle of its crop, in sides of the focus."""

Gray = NDArray[np.uint8]
"""uint8 [S, S]: the middle of a head, upright in its crop."""


class SteadyCrop:
    """Where the crop of one face lies, frame by frame. Not thread safe."""

    def __init__(self, settings: OneEuroSettings, config: HeadMotionConfig | None = None) -> None:
        self._settings, self._config = settings, config or HeadMotionConfig()
        self._smoother = TransformSmoother(settings)
        self._before: Gray | None = None
        self._last: CropTransform | None = None

    def followed(self, image: Image) -> CropTransform | None:
        """Where the last crop is in the next frame, by the motion of the picture; None where there is no telling.

        image: uint8 [H, W, 3] RGB, not drawn into yet. Needs no mesh, so another thread may ask while one is made.
        """
        if self._last is None or self._before is None:
            return None
        return moved_crop(self._before, _focus(image, self._last, self._config), self._last, self._config)

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
        self._before = _focus(image, self._last, self._config)
        return self._last


def moved_crop(before: Gray, now: Gray, transform: CropTransform, config: HeadMotionConfig) -> CropTransform | None:
    """Where a crop is now, from its middle in two frames, both taken where it was; None when they do not match.

    The motion is the similarity that most points agree to, so speech and blinking do not move the crop. Points are
    followed after Bouguet 2001, "Pyramidal Implementation of the Lucas Kanade Feature Tracker".
    """
    points = _points(config.focus_px)
    window = (config.window_px, config.window_px)
    found, is_found, _ = cv2.calcOpticalFlowPyrLK(
        before, now, points, np.empty_like(points), winSize=window, maxLevel=config.halvings
    )
    is_good = is_found[:, 0] > 0
    if int(is_good.sum()) < config.least_points:
        return None
    motion, _ = cv2.estimateAffinePartial2D(points[is_good], found[is_good], method=cv2.LMEDS)
    if motion is None:
        return None
    to_frame = _focus_of(transform, config).crop_to_frame
    linear = to_frame[:, :2] @ motion[:, :2]
    middle = np.full(2, (config.focus_px - 1) / 2)
    centre = linear @ middle + to_frame[:, :2] @ motion[:, 2] + to_frame[:, 2]
    side_px = math.hypot(linear[0, 0], linear[1, 0]) * config.focus_px / config.focus_size
    moved_px = math.dist(centre, (transform.centre_x_px, transform.centre_y_px))
    farthest = config.farthest
    if moved_px > farthest * transform.side_px or abs(math.log(side_px / transform.side_px)) > farthest:
        return None
    return replace(
        transform,
        centre_x_px=float(centre[0]),
        centre_y_px=float(centre[1]),
        side_px=side_px,
        roll_rad=math.atan2(linear[1, 0], linear[0, 0]),
    )


def _focus(image: Image, transform: CropTransform, config: HeadMotionConfig) -> Gray:
    """The middle of the crop in the green channel of the frame, halved first, against aliasing."""
    height, width = image.shape[:2]
    focus, focus_px = _focus_of(transform, config), config.focus_px
    reach = _REACH * focus.side_px
    halvings = min(halvings_for(focus.side_px / focus_px), int(math.log2(min(width, height))))
    factor = 2**halvings
    # Whole blocks of the frame, so that the same place is shrunk in the same way wherever the crop lies.
    left = min(max(0, int(transform.centre_x_px - reach)), width - factor) // factor * factor
    top = min(max(0, int(transform.centre_y_px - reach)), height - factor) // factor * factor
    right = min(max(left + factor, int(transform.centre_x_px + reach) + factor), width)
    bottom = min(max(top + factor, int(transform.centre_y_px + reach) + factor), height)
    shown = cv2.extractChannel(image[top:bottom, left:right], 1)
    rows, columns = (length // factor * factor for length in shown.shape)
    shown = halved(shown[:rows, :columns], halvings)
    matrix = shrunk_matrix(focus.crop_to_frame, (left, top), factor)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    gray: Gray = cv2.warpAffine(shown, matrix, (focus_px, focus_px), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return gray


def _focus_of(transform: CropTransform, config: HeadMotionConfig) -> CropTransform:
    return replace(transform, side_px=config.focus_size * transform.side_px, size=config.focus_px)


def _points(focus_px: int) -> NDArray[np.float32]:
    """float32 [56, 1, 2], px of the focus."""
    across, down = np.linspace(*_ACROSS) * focus_px, np.linspace(*_DOWN) * focus_px
    grid: NDArray[np.float32] = np.stack(np.meshgrid(across, down), -1).reshape(-1, 1, 2).astype(np.float32)
    return grid
