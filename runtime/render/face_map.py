"""The face as a map: every place of the mesh by its position on the mean face, so that shade stays on the head."""

from collections.abc import Sequence
from functools import cached_property, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.alignment import Landmarks, mean_face
from toonfilter.runtime.geometry.landmarks import MESH_POINTS
from toonfilter.runtime.render.contours import Points
from toonfilter.runtime.render.head_planes import disc

SIDE = 80
"""Cells of the map along each side."""
_SOFT_CELLS = 1.6
_BEYOND_CELLS = 5
_MARGIN_CELLS = 8


@lru_cache(maxsize=1)
def mean_cells() -> Points:
    """float32 [468, 2]: where the points of the mesh lie on the map, column and row."""
    flat = mean_face()[:MESH_POINTS, :2]
    low, high = flat.min(0), flat.max(0)
    cells: Points = ((flat - low) / (high - low) * (SIDE - 1 - 2 * _MARGIN_CELLS) + _MARGIN_CELLS).astype(np.float32)
    return cells


@lru_cache(maxsize=1)
def _layout() -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.bool_]]:
    """For each cell three mesh points and their weights, [SIDE, SIDE, 3] each; and the cells that lie on the face."""
    places = mean_cells()
    mesh = cv2.Subdiv2D((0, 0, SIDE, SIDE))
    index: dict[tuple[float, float], int] = {}
    for number, (x, y) in enumerate(places.tolist()):
        index.setdefault((round(x, 4), round(y, 4)), number)
        mesh.insert((x, y))
    points = np.zeros((SIDE, SIDE, 3), np.int32)
    weights = np.zeros((SIDE, SIDE, 3), np.float32)
    known = np.zeros((SIDE, SIDE), np.bool_)
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1).astype(np.float32)
    for corners in np.asarray(mesh.getTriangleList()).reshape(-1, 3, 2):
        names = [index.get((round(float(x), 4), round(float(y), 4))) for x, y in corners]
        if None in names:
            continue
        left, top = np.maximum(np.floor(corners.min(0)).astype(int), 0)
        right, bottom = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, SIDE)
        cells = grid[top:bottom, left:right].reshape(-1, 2)
        edges = np.stack([corners[1] - corners[0], corners[2] - corners[0]], 1)
        if abs(np.linalg.det(edges)) < 1e-6:
            continue
        second = (cells - corners[0]) @ np.linalg.inv(edges).T
        share = np.concatenate([1 - second.sum(1, keepdims=True), second], 1)
        inside = (share > -1e-3).all(1).reshape(bottom - top, right - left)
        window = np.s_[top:bottom, left:right]
        points[window][inside] = names
        weights[window][inside] = share.reshape(*inside.shape, 3)[inside]
        known[window] |= inside
    return points, weights, known


@lru_cache(maxsize=1)
def _on_face() -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float32]]:
    """Of the cells on the face: flat indices [N], three mesh points and their weights [N, 3]."""
    points, weights, known = _layout()
    return np.flatnonzero(known), points[known], weights[known]


@lru_cache(maxsize=1)
def _known() -> NDArray[np.float32]:
    return _layout()[2].astype(np.float32)


@lru_cache(maxsize=1)
def _around() -> NDArray[np.float32]:
    closed = cv2.morphologyEx(_layout()[2].astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    wide: NDArray[np.float32] = cv2.dilate(closed, disc(_BEYOND_CELLS)).astype(np.float32)
    return wide


@lru_cache(maxsize=1)
def _beyond() -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Cells beside the face, the face's cell nearest to each, and the one as far on its inner side: flat indices."""
    known = _layout()[2]
    closed = cv2.morphologyEx(known.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    inner = known & (cv2.erode(closed, np.ones((3, 3), np.uint8)) > 0)
    rows, columns = np.nonzero(inner)
    outside = np.argwhere(~inner)
    distance = (outside[:, :1] - rows) ** 2 + (outside[:, 1:] - columns) ** 2
    nearest = distance.argmin(1)
    edge = np.stack([rows[nearest], columns[nearest]], 1)
    mirrored = np.clip(2 * edge - outside, 0, SIDE - 1)
    back = ((mirrored[:, :1] - rows) ** 2 + (mirrored[:, 1:] - columns) ** 2).argmin(1)
    flat = np.array([SIDE, 1])
    return outside @ flat, edge @ flat, rows[back] * SIDE + columns[back]


@lru_cache(maxsize=1)
def _cells() -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """For each cell, flat, beside the face, too, six mesh points and their weights: [SIDE * SIDE, 6] each."""
    points, weights = (np.tile(one.reshape(SIDE * SIDE, 3), 2) for one in _layout()[:2])
    outside, edge, back = _beyond()
    weights[:, 3:] = 0
    points[outside] = np.hstack([points[edge, :3], points[back, :3]])
    weights[outside] = np.hstack([2 * weights[edge, :3], -weights[back, :3]])
    return points, weights


class MeshShapes:
    """Outlines on the map tied to the mesh, so that later frames need not lay out the map to know where they are."""

    def __init__(self, outlines: Sequence[Points]) -> None:
        """outlines: x and y in cells, [N, 2] each."""
        self._ends = np.cumsum([len(one) for one in outlines])[:-1]
        places = np.clip(np.concatenate([np.empty((0, 2), np.float32), *outlines]), 0, SIDE - 1)
        first = np.minimum(places.astype(np.int32), SIDE - 2)
        (x, y), (column, row) = (places - first).T, first.T
        shares = np.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], 1)
        corners = (row * SIDE + column)[:, None] + np.array([0, 1, SIDE, SIDE + 1])
        points, weights = (one[corners] for one in _cells())
        cells = np.arange(len(places))[:, None, None] * MESH_POINTS + points
        summed = np.bincount(cells.ravel(), (weights * shares[..., None]).ravel(), len(places) * MESH_POINTS)
        self._weights = summed.reshape(-1, MESH_POINTS).astype(np.float32)

    def on(self, flat: Points) -> list[Points]:
        """The outlines in the picture, each [N, 2] px. flat: float32 [478, 2] px, the mesh."""
        return np.split(self._weights @ flat[:MESH_POINTS], self._ends) if len(self._weights) else []


class FaceMap:
    """The mesh of one face laid out flat, SIDE x SIDE cells. Cells beside the face go on as those at its edge.

    places: float32 [SIDE, SIDE, 3] in the landmarks' pixels.
    """

    def __init__(self, landmarks: Landmarks) -> None:
        cells, points, weights = _on_face()
        places = np.zeros((SIDE * SIDE, 3), np.float32)
        places[cells] = np.einsum("ik,ikc->ic", weights, np.take(landmarks, points, axis=0))
        self.places: NDArray[np.float32] = _filled(places.reshape(SIDE, SIDE, 3))

    @cached_property
    def normals(self) -> NDArray[np.float32]:
        """float32 [SIDE, SIDE, 3], unit length, z below 0 towards the camera."""
        calm = cv2.GaussianBlur(self.places, (0, 0), _SOFT_CELLS)
        across, down = cv2.Sobel(calm, cv2.CV_32F, 1, 0), cv2.Sobel(calm, cv2.CV_32F, 0, 1)
        outwards = np.cross(down, across)
        normals: NDArray[np.float32] = outwards / (np.linalg.norm(outwards, axis=2, keepdims=True) + 1e-6)
        return normals

    @property
    def known(self) -> NDArray[np.float32]:
        """float32 [SIDE, SIDE], 1 on the face."""
        return _known()

    @property
    def around(self) -> NDArray[np.float32]:
        """float32 [SIDE, SIDE]: 1 on the face and a little beyond, where places can still be trusted."""
        return _around()

    def shapes(self, outlines: Sequence[Points]) -> list[Points]:
        """Outlines on the map as they lie in the picture, each [N, 2] px."""
        if not outlines:
            return []
        ends = np.cumsum([len(one) for one in outlines])[:-1]
        return np.split(self.to_picture(np.concatenate(outlines)), ends)

    def to_picture(self, cells: Points) -> Points:
        """Places on the map, x and y in cells, to pixels: [N, 2]."""
        moved: Points = cv2.remap(
            self.places[..., :2],
            cells[:, None, 0],
            cells[:, None, 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )[:, 0]
        return moved


def _filled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Beside the face values go on as they run at its edge, so that outlines may cross it."""
    outside, edge, back = _beyond()
    flat = values.reshape(SIDE * SIDE, -1)
    flat[outside] = 2 * flat[edge] - flat[back]
    return flat.reshape(values.shape)
