"""Steady drawings in video: where a face is drawn nearly as it was a moment ago, the difference is noise.

The crop follows the head (head_motion.py), so the same place of two drawings is the same place of the face. Small
differences are averaged over time; where something really moved, a lid or a lip, only the new drawing counts.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.render.blending import Mask

_NOISE_LEVELS = 8.0
_MOTION_LEVELS = 30.0
_MEMORY_S = 0.07
_LEAST_SHARE = 0.05
_REACH = 1 / 51


class TemporalSmoother:
    """The last drawing of each face. Not thread safe."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[Image, Mask | None]] = {}
        self._time_s = 0.0

    def advance(self, time_s: float, present: set[int]) -> float:
        """Go on to the frame of this time, and forget faces that are gone. Returns the share that the past keeps."""
        gap_s = time_s - self._time_s
        self._time_s = time_s
        self._last = {key: value for key, value in self._last.items() if key in present}
        return math.exp(-gap_s / _MEMORY_S) if gap_s >= 0 else 0.0

    def steady(self, face_id: int, picture: Image, matte: Mask | None, share: float) -> tuple[Image, Mask | None]:
        """The drawing averaged with the last one of this face where they hardly differ.

        picture: uint8 [S, S, 3] RGB. matte: uint8 [S, S] or None. share: of the last drawing, see `advance`.
        Returns new memory, or the arguments where there is no past; keeps what it returns.
        """
        last = self._last.get(face_id)
        if last is not None and last[0].shape == picture.shape and share > _LEAST_SHARE:
            past = _weight_of_past(last[0], picture, share)
            now = cv2.bitwise_not(past)
            if matte is not None and last[1] is not None:
                matte = _mixed(last[1], past, matte, now)
            picture = _mixed(last[0], cv2.merge([past] * 3), picture, cv2.merge([now] * 3))
        self._last[face_id] = (picture, matte)
        return picture, matte


def _weight_of_past(last: Image, picture: Image, share: float) -> Mask:
    """uint8 [S, S]: 255 times the share where two drawings differ by noise only, falling to 0 where something moved."""
    reach_px = max(3, round(_REACH * picture.shape[0]))
    red, green, blue = cv2.split(cv2.absdiff(last, picture))
    levels = cv2.blur(cv2.max(cv2.max(red, green), blue), (reach_px, reach_px))
    weight: Mask = cv2.LUT(levels, np.round(share * _SAMENESS).astype(np.uint8))
    return weight


def _mixed(
    first: NDArray[np.uint8], weight: NDArray[np.uint8], second: NDArray[np.uint8], rest: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    mixed: NDArray[np.uint8] = cv2.add(
        cv2.multiply(first, weight, scale=1 / 255), cv2.multiply(second, rest, scale=1 / 255)
    )
    return mixed


_SAMENESS = 255 * np.clip((_MOTION_LEVELS - np.arange(256)) / (_MOTION_LEVELS - _NOISE_LEVELS), 0, 1)
