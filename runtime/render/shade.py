"""Shade of a face from its form and one fitted light: a clean shape that stays on the head and cannot flicker."""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import BETWEEN_BROWS, MOUTH_CORNERS
from toonfilter.runtime.render.contours import Plane, Points, outlines
from toonfilter.runtime.render.face_map import SIDE, FaceMap, mean_cells

_CLEAR_MOUTHS = (0.75, 1.35)
"""From the face's middle, in half widths of the mouth: up to where there is no shade, and from where it is whole."""
_REACH = -0.05
"""How far shade reaches towards the light, as a cosine. Raising it gives more shade."""
_GAUSSIAN_REACH = 3
"""In standard deviations, of 8-bit pictures in OpenCV."""
_LEAST_SIDE = 0.5
"""How far to the side the drawn light comes from at least, so that every face gets a designed shadow."""


@dataclass(frozen=True, slots=True)
class Light:
    """Where the light comes from: side below 0 is the picture's left, above 0 the right; strength 0 flat to 1 hard."""

    side: float = -0.6
    strength: float = 0.4

    def toward(self, other: "Light", share: float) -> "Light":
        """Mixed with a later measurement. share: 0 stays, 1 is the other."""
        return Light(
            self.side + (other.side - self.side) * share, self.strength + (other.strength - self.strength) * share
        )


def fit_light(photo: Image, landmarks: Landmarks) -> Light:
    """From the brightness of the skin over the mesh's normals. photo: uint8 [S, S, 3]; landmarks in its px."""
    face = FaceMap(landmarks)
    gray, corner = calm_gray(photo, face.places[..., :2].reshape(-1, 2), photo.shape[0] / 60)
    level = cv2.remap(gray, face.places[..., :2] - corner, None, cv2.INTER_LINEAR).astype(np.float32)
    chosen = (face.known > 0) & (face.normals[..., 2] < -0.2)
    chosen &= (np.arange(level.size).reshape(level.shape) % 7) == 0
    normals, levels = face.normals[chosen], level[chosen]
    if len(levels) < 40 or float(np.median(levels)) < 4:
        return Light()
    levels = levels / float(np.median(levels))
    columns = np.stack([np.ones(len(levels)), normals[:, 0], normals[:, 1]], 1)
    weight = np.ones(len(levels))
    solution = np.zeros(3)
    for _ in range(4):
        solution = np.linalg.lstsq(columns * weight[:, None], levels * weight, rcond=None)[0]
        weight = 1 / (1 + ((columns @ solution - levels) / 0.12) ** 2)
    return Light(math.tanh(4 * solution[1]), min(1.0, math.hypot(solution[1], solution[2]) / 0.35))


def calm_gray(photo: Image, places: Points, sigma_px: float) -> tuple[Plane, Points]:
    """The brightness of the part of a photo that holds these places, and where its first pixel lies, float32 [2].

    What is further away than a Gaussian reaches does not count. sigma_px: how far it is averaged.
    """
    reach = math.ceil(_GAUSSIAN_REACH * sigma_px) + 2
    last = (photo.shape[1] - 1, photo.shape[0] - 1)
    left, top = np.clip(np.floor(places.min(0)).astype(int) - reach, 0, last).tolist()
    right, bottom = (np.clip(np.ceil(places.max(0)).astype(int) + reach, 0, last) + 1).tolist()
    part = np.ascontiguousarray(photo[top:bottom, left:right])
    gray: Plane = cv2.GaussianBlur(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), (0, 0), sigma_px)
    return gray, np.array([left, top], np.float32)


@lru_cache(maxsize=1)
def _beside() -> NDArray[np.float32]:
    """float32 [SIDE, SIDE]: 1 beside the face's middle, 0 in it, so that no shade cuts through nose, mouth and chin."""
    cells = mean_cells()
    half = float(cells[MOUTH_CORNERS[1], 0] - cells[MOUTH_CORNERS[0], 0]) / 2
    middle = float(cells[list(MOUTH_CORNERS), 0].mean())
    away = np.abs(np.arange(SIDE, dtype=np.float32) - middle) / half
    across = np.clip((away - _CLEAR_MOUTHS[0]) / (_CLEAR_MOUTHS[1] - _CLEAR_MOUTHS[0]), 0, 1)
    brow = float(cells[BETWEEN_BROWS, 1])
    above = np.clip((brow - np.arange(SIDE, dtype=np.float32)) / 6, 0, 1)[:, None]
    beside: NDArray[np.float32] = np.maximum(across[None, :], above).astype(np.float32)
    return beside


def shade_field(face: FaceMap, light: Light) -> Plane:
    """uint8 [SIDE, SIDE] on the map: shade is where it is 128 or more."""
    side = math.copysign(max(abs(light.side), _LEAST_SIDE), light.side)
    direction = np.array([side * 0.80, -0.34, -0.60], np.float32)
    direction /= np.linalg.norm(direction)
    facing = face.normals @ direction
    dark = 0.5 + (_REACH + 0.14 * light.strength - facing) * 0.85
    dark = np.where(face.normals[..., 2] > -0.02, 0.0, dark)
    soft: NDArray[np.float32] = cv2.GaussianBlur(dark.astype(np.float32), (0, 0), 2.6)
    soft *= face.around * _beside()
    return np.clip(soft * 255, 0, 255).astype(np.uint8)


def upper_face(field: Plane) -> Plane:
    """A field on the map above the brows, where hair may throw a shadow; 0 elsewhere."""
    kept: Plane = cv2.bitwise_and(field, _upper_face())
    return kept


def shade_outlines(field: Plane) -> list[Points]:
    """Outlines of the shaded parts of a face on its map. field: see `shade_field`."""
    return outlines(field, blur_px=0.8, smooth_px=2.0, least_px2=25)


@lru_cache(maxsize=1)
def _upper_face() -> Plane:
    """255 above the brows, where hair may throw a shadow."""
    rows = np.arange(SIDE)[:, None] < mean_cells()[BETWEEN_BROWS, 1]
    upper: Plane = np.broadcast_to(rows * np.uint8(255), (SIDE, SIDE)).astype(np.uint8)
    return upper
