"""Parts of a picture as a head's landmarks divide it: along its axes, above its chin, within its outline."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import CHIN, OUTER_CORNERS
from toonfilter.runtime.render.contours import Plane, Points


def axes_of(landmarks: Landmarks) -> tuple[Points, Points]:
    """Unit vectors along the eyes' line and from the eyes to the chin."""
    across = landmarks[OUTER_CORNERS[1], :2] - landmarks[OUTER_CORNERS[0], :2]
    across = across / (np.linalg.norm(across) + np.float32(1e-6))
    return across, np.array([-across[1], across[0]], np.float32)


def half_plane(shape: tuple[int, ...], edge: Points, way: Points) -> Plane:
    """255 beyond a line. edge: a point on it, px. way: unit vector away from it."""
    far = np.float32(4 * max(shape))
    along = np.array([-way[1], way[0]], np.float32)
    corners = [edge - along * far, edge + along * far, edge + (along + way) * far, edge + (way - along) * far]
    region: Plane = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(region, [np.rint(np.stack(corners)).astype(np.int32)], 255)
    return region


def above_chin(landmarks: Landmarks, shape: tuple[int, ...], below_px: float) -> Plane:
    """255 on the head's side of a line so far below the chin."""
    _, down = axes_of(landmarks)
    return half_plane(shape, landmarks[CHIN, :2] + down * np.float32(below_px), -down)


def hull_region(points: NDArray[np.float32], shape: tuple[int, ...]) -> Plane:
    """255 within the convex hull of these points. points: [N, 2 or more] px."""
    region: Plane = np.zeros(shape[:2], np.uint8)
    hull = cv2.convexHull(np.ascontiguousarray(points[:, :2], np.float32))
    cv2.fillConvexPoly(region, np.rint(hull).astype(np.int32), 255)
    return region


def disc(radius_px: float) -> Plane:
    """A disc for `cv2.dilate` and the like."""
    side = 2 * max(1, round(radius_px)) + 1
    ellipse: Plane = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return ellipse
