"""Where the head is: rigid fit of the face mesh, head pose, and the upright square crop around the whole head.

Lengths of the mean face are in face heights (forehead top, mesh point 10, to chin, mesh point 152, of a frontal
neutral face), its origin lies between the outer eye corners, x points to the right of the picture, y down, z away from
the camera.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.geometry.landmarks import RIGID_POINTS

CROP_SIDE_FACE_HEIGHTS = 1.85
"""Side of the crop: the whole head with hair, ears and chin."""

_CROP_CENTRE = np.array([0.0, 0.10, 0.15])
_RIGID_POINTS = np.array(RIGID_POINTS)

Landmarks = NDArray[np.float32]
"""float32 [478, 3]: x and y in pixels of the picture, z in the same scale, growing away from the camera."""


@dataclass(frozen=True, slots=True)
class HeadFit:
    """The mean face aligned onto a mesh: `landmarks ~ scale * rotation @ mean + translation`.

    scale: pixels per face height. rotation: float64 [3, 3]. translation: float64 [3] px.
    """

    scale: float
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    @property
    def pose_degrees(self) -> tuple[float, float, float]:
        """Yaw, pitch, roll in degrees; 0, 0, 0 looks into the camera.

        Yaw grows as the nose turns to the right of the picture, pitch as it points down, roll clockwise.
        """
        forward = -self.rotation[:, 2]
        yaw = math.atan2(forward[0], -forward[2])
        pitch = math.atan2(forward[1], math.hypot(forward[0], forward[2]))
        return math.degrees(yaw), math.degrees(pitch), math.degrees(self.roll_rad)

    @property
    def roll_rad(self) -> float:
        """Rotation in the picture's plane, clockwise."""
        across = self.rotation[:, 0]
        down = self.rotation[:, 1]
        # The sum of both axes stays well defined where yaw shortens one of them to nothing.
        return math.atan2(across[1] - down[0], across[0] + down[1])

    @property
    def crop_centre(self) -> NDArray[np.float64]:
        """float64 [2] px: the projected middle of the head."""
        centre: NDArray[np.float64] = (self.scale * self.rotation @ _CROP_CENTRE + self.translation)[:2]
        return centre


@dataclass(frozen=True, slots=True)
class CropTransform:
    """Similarity between a frame and a square crop of `size` pixels.

    Pixel centres lie at whole numbers, as in OpenCV. centre_x_px, centre_y_px, side_px: the square in the frame;
    roll_rad: its clockwise rotation.
    """

    centre_x_px: float
    centre_y_px: float
    side_px: float
    roll_rad: float
    size: int

    @property
    def frame_to_crop(self) -> NDArray[np.float64]:
        """float64 [2, 3]: crop_xy = M[:, :2] @ frame_xy + M[:, 2]."""
        factor = self.size / self.side_px
        cosine, sine = factor * math.cos(self.roll_rad), factor * math.sin(self.roll_rad)
        middle, x, y = (self.size - 1) / 2, self.centre_x_px, self.centre_y_px
        return np.array(
            [[cosine, sine, middle - cosine * x - sine * y], [-sine, cosine, middle + sine * x - cosine * y]]
        )

    @property
    def crop_to_frame(self) -> NDArray[np.float64]:
        """float64 [2, 3]: frame_xy = M[:, :2] @ crop_xy + M[:, 2]."""
        factor = self.side_px / self.size
        cosine, sine = factor * math.cos(self.roll_rad), factor * math.sin(self.roll_rad)
        middle, x, y = (self.size - 1) / 2, self.centre_x_px, self.centre_y_px
        return np.array([[cosine, -sine, x - (cosine - sine) * middle], [sine, cosine, y - (sine + cosine) * middle]])

    def to_crop(self, points: NDArray[np.floating[Any]]) -> Landmarks:
        """Frame points [N, 2 or 3] to crop pixels, float32 of the same shape; z is scaled with them."""
        return _apply(self.frame_to_crop, points, self.size / self.side_px)

    def to_frame(self, points: NDArray[np.floating[Any]]) -> Landmarks:
        """Crop points [N, 2 or 3] to frame pixels, float32 of the same shape; z is scaled with them."""
        return _apply(self.crop_to_frame, points, self.side_px / self.size)


def _apply(matrix: NDArray[np.float64], points: NDArray[np.floating[Any]], z_factor: float) -> Landmarks:
    moved = points.astype(np.float32)
    moved[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    if points.shape[1] > 2:
        moved[:, 2] = points[:, 2] * z_factor
    return moved


@lru_cache(maxsize=1)
def mean_face() -> NDArray[np.float64]:
    """float64 [478, 3] in face heights: the median mesh of some hundred frontal, neutral faces. Read only."""
    with np.load(Path(__file__).with_name("mean_face.npz")) as archive:
        landmarks: NDArray[np.float64] = archive["landmarks"].astype(np.float64)
    landmarks.flags.writeable = False
    return landmarks


def fit_head(landmarks: Landmarks) -> HeadFit:
    """Fit the mean face to a mesh by least squares over the points that expression does not move.

    Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns", eqs. 40 to 42.

    Raises:
        ConfigError: the landmarks are not [478, 3] or not finite.
    """
    if landmarks.shape != (478, 3) or not np.isfinite(landmarks).all():
        raise ConfigError(f"landmarks are {landmarks.dtype} {list(landmarks.shape)}; must be finite, [478, 3]")
    source = mean_face()[_RIGID_POINTS]
    target = landmarks[_RIGID_POINTS].astype(np.float64)
    source_mean, target_mean = source.mean(0), target.mean(0)
    source_centred, target_centred = source - source_mean, target - target_mean
    left, singular, right = np.linalg.svd(target_centred.T @ source_centred)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right)) or 1.0])
    rotation = (left * signs) @ right
    scale = float((singular * signs).sum() / (source_centred**2).sum())
    return HeadFit(scale, rotation, target_mean - scale * rotation @ source_mean)


def crop_transform(landmarks: Landmarks, size: int, fit: HeadFit | None = None) -> CropTransform:
    """The upright square around the whole head, as `size` x `size` crop pixels.

    landmarks: float32 [478, 3] frame px. fit: the result of `fit_head`, when it is at hand.
    """
    fit = fit or fit_head(landmarks)
    centre_x_px, centre_y_px = fit.crop_centre
    return CropTransform(float(centre_x_px), float(centre_y_px), fit.scale * CROP_SIDE_FACE_HEIGHTS, fit.roll_rad, size)
