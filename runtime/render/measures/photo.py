"""A photo prepared for measuring: colours in CIELAB and samples along curves of the mesh."""

from collections.abc import Mapping
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.proportions import Points, Proportions
from toonfilter.runtime.render.colour import picture_lab
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.curves import FaceCurves

Plane = NDArray[np.uint8]
Picture = NDArray[np.uint8]
"""uint8 [H, W, 3] RGB."""

_MARGIN = 0.12
"""Of the face's longer side, around the mesh."""
_SOFT = 0.012
"""Blur before lightness is read along curves, in pupil distances."""


class MeasuredPhoto:
    """One face in its crop. unit_px: distance of the pupils."""

    def __init__(self, photo: Picture, landmarks: Landmarks, planes: Mapping[str, Plane]) -> None:
        """photo: uint8 [H, W, 3] RGB. landmarks: float32 [478, 3] px of it. planes: see `fields.FieldName`."""
        part, corner = _around(landmarks, (photo.shape[0], photo.shape[1]))
        moved = landmarks.astype(np.float32)
        moved[:, :2] -= corner
        self.face = FaceGeometry.of(moved, Proportions.none())
        self.curves = FaceCurves(self.face.flat)
        self.unit_px = self.face.unit_px
        self.lab = picture_lab(np.ascontiguousarray(photo[part]))
        self.planes = {name: np.ascontiguousarray(plane[part]) for name, plane in planes.items()}

    @cached_property
    def lightness(self) -> NDArray[np.float32]:
        """float32 [H, W]: L*, slightly blurred."""
        plane = np.ascontiguousarray(self.lab[..., 0])
        soft: NDArray[np.float32] = cv2.GaussianBlur(plane, (0, 0), max(_SOFT * self.unit_px, 0.5))
        return soft

    def lightness_at(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """L* at [..., 2] px, of the same shape without the last axis."""
        flat = points.reshape(1, -1, 2).astype(np.float32)
        found = cv2.remap(self.lightness, flat[..., 0], flat[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        shaped: NDArray[np.float32] = found.reshape(points.shape[:-1])
        return shaped

    def colours_at(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """L*a*b* at [N, 2] px, float32 [N, 3], from the nearest pixel; points outside take the border's."""
        height, width = self.lab.shape[:2]
        places = np.clip(np.rint(points), 0, (width - 1, height - 1)).astype(int)
        found: NDArray[np.float32] = self.lab[places[:, 1], places[:, 0]]
        return found

    def plane_at(self, name: str, points: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """A plane's values 0 to 1 at [..., 2] px; None where it is not known."""
        plane = self.planes.get(name)
        if plane is None:
            return None
        flat = points.reshape(1, -1, 2).astype(np.float32)
        found = cv2.remap(plane, flat[..., 0], flat[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        shaped: NDArray[np.float32] = found.reshape(points.shape[:-1]).astype(np.float32) / 255
        return shaped

    def hidden(self, points: NDArray[np.float32], *names: str) -> NDArray[np.float32]:
        """0 to 1 at [..., 2] px: how far any of these planes covers the skin there; 0 where none is known."""
        covered = np.zeros(points.shape[:-1], np.float32)
        for name in names:
            plane = self.plane_at(name, points)
            if plane is not None:
                covered = np.maximum(covered, plane)
        return covered


def _around(landmarks: Landmarks, size: tuple[int, int]) -> tuple[tuple[slice, slice], NDArray[np.float32]]:
    """The part of the picture that holds the face, and its upper left corner px."""
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    margin = _MARGIN * float((high - low).max())
    left, top = (int(value) for value in np.maximum(np.floor(low - margin), 0))
    right, bottom = (int(value) for value in np.minimum(np.ceil(high + margin) + 1, (size[1], size[0])))
    right, bottom = max(right, min(left + 2, size[1])), max(bottom, min(top + 2, size[0]))
    left, top = min(left, right - 1), min(top, bottom - 1)
    return (slice(top, bottom), slice(left, right)), np.array([left, top], np.float32)


def across(curve: Points, direction: NDArray[np.float32], offsets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Points beside a curve: float32 [N, M, 2] from curve [N, 2] and offsets [M] px along direction [2] or [N, 2]."""
    directions = np.broadcast_to(direction, curve.shape)
    beside: NDArray[np.float32] = curve[:, None] + directions[:, None] * offsets[None, :, None]
    return beside
