"""A picture with its labels while it is composed: taken from the store, turned and scaled, pasted, covered."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.fields import FIELDS, FieldName, field_index
from toonfilter.runtime.geometry.landmarks import MIRRORED
from toonfilter.train.data.fields.face_frame import Plane
from toonfilter.train.data.fields.store import LabelStore

Matrix = NDArray[np.float64]
"""float64 [2, 3], from pixels of the stored picture to those of the sample."""

_COVERED_BY_THINGS: tuple[FieldName, ...] = ("hair", "skin", "beard", "headwear", "glasses", "over", "ink")


@dataclass(slots=True)
class Layer:
    """picture: float32 [S, S, 3] RGB, 0 to 1. planes: float32 [S, S, 9], 0 to 1. Both are changed in place.

    landmarks: float32 [478, 3] px, or None.
    """

    picture: NDArray[np.float32]
    planes: NDArray[np.float32]
    landmarks: NDArray[np.float32] | None

    def plane(self, name: FieldName) -> Plane:
        """A view of one plane."""
        return self.planes[..., field_index(name)]

    def cover(self, mask: Plane, colour: NDArray[np.float32], fields: Mapping[FieldName, float]) -> None:
        """Paint over where mask is: colour float32 [S, S, 3] or [3]; fields: what is there then, 0 to 1.

        The other fields are emptied there, but for the person, which stays, and for tone, which follows the colour.
        """
        alpha = mask[..., None]
        painted = np.broadcast_to(colour, self.picture.shape).astype(np.float32)
        self.picture += (painted - self.picture) * alpha
        smooth = cv2.GaussianBlur(painted.mean(-1), (0, 0), max(self.picture.shape[0] / 160, 0.6))
        for name in _COVERED_BY_THINGS:
            self.plane(name)[:] += (fields.get(name, 0.0) - self.plane(name)) * mask
        if "person" in fields:
            np.maximum(self.plane("person"), mask, out=self.plane("person"))
        self.plane("tone")[:] += (smooth - self.plane("tone")) * mask


def take(store: LabelStore, index: int, matrix: Matrix, side_px: int, *, foreground: bool, mirror: bool) -> Layer:
    """One stored picture as a layer.

    foreground: with colours that go on beyond the person's edge, for pasting. mirror: left and right changed first.
    """
    if mirror:
        matrix = matrix @ np.array([[-1, 0, store["photo"].shape[2] - 1], [0, 1, 0], [0, 0, 1]], np.float64)
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    photo = store["foreground" if foreground else "photo"][index]
    labels = store["labels"][index]
    # Masks of a pasted person end with its picture; otherwise the border goes on, as at the edge of a camera's frame.
    border = cv2.BORDER_CONSTANT if foreground else cv2.BORDER_REPLICATE
    while scale < 0.5:
        photo, labels = _halved(photo), np.dstack([_halved(labels[..., k : k + 3]) for k in range(0, 9, 3)])
        matrix = matrix @ np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]], np.float64)
        scale *= 2
    size = (side_px, side_px)
    picture = cv2.warpAffine(photo, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    planes = [
        cv2.warpAffine(
            np.ascontiguousarray(labels[..., k : k + 3]), matrix, size, flags=cv2.INTER_LINEAR, borderMode=border
        )
        for k in range(0, len(FIELDS), 3)
    ]
    landmarks = moved(store["mesh"][index], matrix, store["photo"].shape[1] / photo.shape[0])
    return Layer(
        picture.astype(np.float32) / 255,
        np.dstack(planes).astype(np.float32) / 255,
        mirrored(landmarks) if mirror else landmarks,
    )


def _halved(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    half: NDArray[np.uint8] = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return half


def moved(landmarks: NDArray[np.float32], matrix: Matrix, shrunk: float = 1.0) -> NDArray[np.float32]:
    """Landmarks float32 [N, 3] of a stored picture, which matrix sees `shrunk` times smaller, in the sample."""
    points = (landmarks[:, :2] + 0.5) / shrunk - 0.5
    placed = points @ matrix[:, :2].T + matrix[:, 2]
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2])))) / shrunk
    return np.column_stack([placed, landmarks[:, 2] * scale]).astype(np.float32)


def mirrored(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Landmarks of a mirrored picture: the parts that drawing needs change their numbers with their side."""
    swapped = landmarks.copy()
    for left, right in MIRRORED:
        swapped[left], swapped[right] = landmarks[right], landmarks[left]
    return swapped


def paste(below: Layer, above: Layer) -> None:
    """Put a person before what is there; the layer above keeps its landmarks."""
    alpha = above.plane("person")[..., None].copy()
    below.picture += (above.picture - below.picture) * alpha
    below.planes += (above.planes - below.planes) * alpha
    # The matte itself is not multiplied with itself.
    person = field_index("person")
    below.planes[..., person] = np.maximum(below.planes[..., person], above.planes[..., person])
