"""Which way lines run, and filters along them: strands of hair and confident ink instead of speckle.

Kang, Lee and Chui 2007, "Coherent line drawing", and Kyprianidis and Dollner 2008, "Image abstraction by structure
adaptive filtering": the smoothed structure tensor gives the tangent, pictures are averaged along it.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
"""float32 [H, W]."""


class Flow:
    """The tangents of a picture, traced some steps to both sides of every pixel.

    lightness: float32 [H, W]. tensor_sigma_px: smoothing of the structure tensor. reach_px: length traced to each side.
    """

    def __init__(self, lightness: Plane, *, tensor_sigma_px: float, reach_px: float, steps: int) -> None:
        dx = cv2.Scharr(lightness, cv2.CV_32F, 1, 0) / 32
        dy = cv2.Scharr(lightness, cv2.CV_32F, 0, 1) / 32
        size = (0, 0)
        xx = cv2.GaussianBlur(dx * dx, size, tensor_sigma_px)
        yy = cv2.GaussianBlur(dy * dy, size, tensor_sigma_px)
        xy = cv2.GaussianBlur(dx * dy, size, tensor_sigma_px)
        angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2
        tangent_x, tangent_y = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        self.coherence: Plane = np.sqrt((xx - yy) ** 2 + 4 * xy * xy) / (xx + yy + 2.0)
        self._paths = _trace(tangent_x, tangent_y, reach_px / steps, steps)

    def smooth(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average along the lines with a Gaussian falloff; float32 [H, W] or [H, W, 3] in and out."""
        total = image.copy()
        weight_sum = 1.0
        steps = len(self._paths) // 2
        for number, (map_x, map_y) in enumerate(self._paths):
            weight = float(np.exp(-2.0 * ((number % steps + 1) / steps) ** 2))
            sampled = cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            cv2.scaleAdd(sampled, weight, total, total)
            weight_sum += weight
        return total / np.float32(weight_sum)


def _trace(tangent_x: Plane, tangent_y: Plane, step_px: float, steps: int) -> list[tuple[Plane, Plane]]:
    height, width = tangent_x.shape
    start_x, start_y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    paths = []
    for sign in (1.0, -1.0):
        x, y = start_x, start_y
        along_x, along_y = tangent_x * np.float32(sign), tangent_y * np.float32(sign)
        for _ in range(steps):
            x = x + along_x * np.float32(step_px)
            y = y + along_y * np.float32(step_px)
            paths.append((x, y))
            next_x = cv2.remap(tangent_x, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            next_y = cv2.remap(tangent_y, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            # A tangent has no sign of its own: go on in the direction we came from.
            turn = np.where(next_x * along_x + next_y * along_y < 0, np.float32(-1), np.float32(1))
            along_x, along_y = next_x * turn, next_y * turn
    return paths


def ink_lines(lightness: Plane, flow: Flow, *, sigma_px: float, threshold: float, softness: float) -> Plane:
    """How much ink lies on each pixel, 0 to 1: lines darker than both sides, along the flow.

    Difference of Gaussians on *relative* lightness, so that dark skin is not speckled where light skin is clean.
    Kang et al. 2007, eqs. 6 to 9; the soft threshold is that of Winnemoller 2012, "XDoG", eq. 5.
    """
    surround = cv2.GaussianBlur(lightness, (0, 0), sigma_px * 6)
    narrow = cv2.GaussianBlur(lightness, (0, 0), sigma_px)
    wide = cv2.GaussianBlur(lightness, (0, 0), sigma_px * 1.7)
    relative = (wide - narrow) / (surround + 12)
    response = flow.smooth(relative.astype(np.float32))
    return np.clip((response - threshold) / softness, 0, 1).astype(np.float32)
