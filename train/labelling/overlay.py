"""Labels as people see them over a photo: one translucent colour for each kind, white edges between."""

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.fields import FieldName
from toonfilter.train.data.fields.corrections import CORRECTED, KINDS, Kind
from toonfilter.train.data.fields.face_frame import Plane

COLOURS: Final[Mapping[Kind, tuple[int, int, int]]] = {
    "ground": (70, 110, 255),
    "hair": (150, 60, 220),
    "skin": (255, 170, 60),
    "cloth": (40, 190, 90),
    "headwear": (240, 60, 60),
    "beard": (0, 200, 220),
    "stubble": (150, 235, 200),
    "over": (255, 240, 60),
}
"""RGB."""

_SCALE = 3
"""Pixels of the overlay in one of the labels, so that its edges are thin. Raising it makes larger pictures."""
_ALPHA = 90
_EDGE_ALPHA = 230
_HALF_BEARD = (0.25, 0.75)
_LEAST_STUBBLE_PX = 15
"""Across, of the overlay; what is thinner is the soft edge of a beard. Raising it hides thin stubble."""


def kinds_of(planes: Mapping[FieldName, Plane]) -> NDArray[np.uint8]:
    """What is seen where, [S, S], as numbers of KINDS. planes: float32 [S, S], 0 to 1: person and what lies on it."""
    beard, over = planes["beard"], planes["over"]
    half = ((beard > _HALF_BEARD[0]) & (beard < _HALF_BEARD[1])).astype(np.uint8)
    stubble = cv2.morphologyEx(half, cv2.MORPH_OPEN, np.ones((_LEAST_STUBBLE_PX, _LEAST_STUBBLE_PX), np.uint8))
    # Skin goes on under what lies before it.
    bare = np.minimum(planes["skin"], 1 - np.maximum(beard, over))
    others = planes["hair"] + bare + planes["headwear"] + beard + over
    levels: dict[Kind, Plane] = {
        "hair": planes["hair"],
        "skin": bare,
        "cloth": planes["person"] - others,
        "headwear": planes["headwear"],
        "beard": beard,
        "stubble": stubble * np.float32(2),
        "over": over,
    }
    on_person = [kind for kind in KINDS if kind != "ground"]
    chosen = np.argmax(np.stack([levels[kind] for kind in on_person]), 0)
    numbers: NDArray[np.uint8] = np.array([KINDS.index(kind) for kind in on_person], np.uint8)[chosen]
    numbers[planes["person"] < 0.5] = KINDS.index("ground")
    return numbers


def overlay(planes: Mapping[FieldName, Plane]) -> NDArray[np.uint8]:
    """The labels' picture to lay over the photo, uint8 [3 S, 3 S, 4] RGBA. planes: as `kinds_of` takes them."""
    side = next(iter(planes.values())).shape[0] * _SCALE
    numbers = kinds_of({name: _enlarged(planes[name], side) for name in CORRECTED})
    colours = np.array([(*COLOURS[kind], _ALPHA) for kind in KINDS], np.uint8)
    picture: NDArray[np.uint8] = colours[numbers]
    edge = cv2.dilate(numbers, np.ones((2, 2), np.uint8)) != cv2.erode(numbers, np.ones((2, 2), np.uint8))
    picture[edge] = (255, 255, 255, _EDGE_ALPHA)
    return picture


def png(picture: NDArray[np.uint8]) -> bytes:
    """A picture as PNG. picture: uint8 [H, W, 3] RGB or [H, W, 4] RGBA."""
    order = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
    _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, order), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return encoded.tobytes()


def _enlarged(plane: Plane, side: int) -> Plane:
    large: Plane = cv2.resize(plane, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    return large
