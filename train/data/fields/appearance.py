"""The planes that say how hair and cloth look: lightness and ink, smoothed along their flow."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.train.data.fields.face_frame import Plane
from toonfilter.train.data.flow import Flow

INK_THRESHOLD = 0.016
"""Relative contrast, along the flow, at which a dark line begins: level 128 of the ink plane. Higher: fewer lines."""

_CLUMP_PASSES = 2


def tone_and_ink(photo: NDArray[np.uint8]) -> tuple[Plane, Plane]:
    """Lightness (L* / 100) and ink, float32 [S, S], 0 to 1, of a photo uint8 [S, S, 3] RGB of one head."""
    side = photo.shape[0]
    lightness = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0]
    flow = Flow(lightness, tensor_sigma_px=side / 110, reach_px=side / 22, steps=6)
    tone = lightness
    for _ in range(_CLUMP_PASSES):
        tone = flow.smooth(cv2.GaussianBlur(tone, (0, 0), side / 300))
    return np.clip(tone / 100, 0, 1).astype(np.float32), _ink(lightness, flow, side)


def _ink(lightness: Plane, flow: Flow, side: int) -> Plane:
    """Difference of Gaussians along the flow, relative to the lightness around; soft, to be thresholded when drawn."""
    sigma_px = side / 300
    narrow = cv2.GaussianBlur(lightness, (0, 0), sigma_px)
    wide = cv2.GaussianBlur(lightness, (0, 0), sigma_px * 1.8)
    surround = cv2.GaussianBlur(lightness, (0, 0), sigma_px * 7)
    response = flow.smooth(((wide - narrow) / (surround + 12)).astype(np.float32))
    response = cv2.GaussianBlur(response, (0, 0), sigma_px * 0.6)
    # Not cut off: a higher level than 128 makes strong lines thinner and leaves weak ones out.
    dark = np.maximum(response, 0)
    ink: Plane = (dark / (dark + np.float32(INK_THRESHOLD))).astype(np.float32)
    return ink
