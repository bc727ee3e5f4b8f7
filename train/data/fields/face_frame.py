"""The face's own coordinates: where on the picture "above the brows" or "below the mouth" is."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import CHIN, FACE_OVAL, FACE_SIDES, FOREHEAD, NOSE_BRIDGE
from toonfilter.train.data.guided_filter import guided_filter

Plane = NDArray[np.float32]
"""float32 [S, S], 0 to 1 for masks."""


@dataclass(frozen=True, slots=True)
class FaceFrame:
    """across, up: float32 [S, S], in face heights (forehead to chin), 0 at the bridge of the nose; up grows upwards.

    landmarks: float32 [478, 2] px. height_px: forehead to chin.
    """

    landmarks: NDArray[np.float32]
    across: Plane
    up: Plane
    height_px: float

    @property
    def size(self) -> int:
        """Side of the picture, px."""
        return int(self.across.shape[0])

    def filled(self, points: Sequence[int] | NDArray[np.float32], *, hull: bool = False) -> Plane:
        """The polygon through these mesh points, or through float32 [N, 2] px, as an anti-aliased mask."""
        places = points if isinstance(points, np.ndarray) else self.landmarks[list(points)]
        return fill_polygon(places, self.size, hull=hull)

    def face(self) -> Plane:
        """Inside the face's outline."""
        return self.filled(FACE_OVAL)

    def px(self, face_heights: float) -> float:
        """A length in pixels."""
        return face_heights * self.height_px


def face_frame(landmarks: NDArray[np.float32], size: int) -> FaceFrame:
    """landmarks: float32 [478, 2 or 3] px of a picture size x size."""
    points = landmarks[:, :2]
    down = points[CHIN] - points[FOREHEAD]
    # A nodding head is shorter in the picture; its width tells the true scale.
    width = float(np.linalg.norm(points[FACE_SIDES[1]] - points[FACE_SIDES[0]]))
    height = max(float(np.linalg.norm(down)), 1.15 * width, 8.0)
    down = down / max(float(np.linalg.norm(down)), 1e-3)
    x, y = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
    x, y = x - points[NOSE_BRIDGE, 0], y - points[NOSE_BRIDGE, 1]
    up = -(x * down[0] + y * down[1]) / height
    across = (x * down[1] - y * down[0]) / height
    return FaceFrame(points.astype(np.float32), across.astype(np.float32), up.astype(np.float32), height)


def fill_polygon(points: NDArray[np.float32], size: int, *, hull: bool = False) -> Plane:
    """A polygon float32 [N, 2] px as an anti-aliased mask float32 [size, size]."""
    canvas = np.zeros((size, size), np.uint8)
    outline = cv2.convexHull(points.astype(np.float32))[:, 0] if hull else points
    cv2.fillPoly(canvas, [np.rint(outline * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
    return canvas.astype(np.float32) / 255


def grown(mask: Plane, radius_px: float) -> Plane:
    """Dilated (or, with a negative radius, eroded) by a disc."""
    side = 2 * max(1, round(abs(radius_px))) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    changed: Plane = cv2.dilate(mask, kernel) if radius_px > 0 else cv2.erode(mask, kernel)
    return changed


def smoothstep(values: Plane, low: float, high: float) -> Plane:
    """0 below `low`, 1 above `high`, smooth between; falling where low > high."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def soft_edges(mask: Plane, photo: NDArray[np.uint8], radius_px: int = 4, tolerance: float = 0.03) -> Plane:
    """A coarse mask made to follow the photo's edges, its edge about two pixels soft.

    tolerance: contrast, of 1, from which on the photo's edges count; raising it ignores weaker ones.
    """
    refined = guided_filter(mask.astype(np.float32), photo, radius_px=radius_px, levels=tolerance * 255)
    return smoothstep(refined, 0.2, 0.8)
