"""The planes that the fields network reads and gives: their names, order, meaning, and the mesh plane it is told."""

from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import FACE_OVAL, LEFT_EYE, LIPS, RIGHT_EYE

FieldName = Literal["person", "hair", "skin", "beard", "headwear", "glasses", "over", "tone", "ink"]
"""Planes uint8 [S, S], 0 to 255, in the order in which the network gives them. Masks are soft; 128 is their edge.

person: the whole person with clothes, hair and headwear.
hair: hair of the head, its true shape; not brows, not the beard.
skin: bare skin: face with eyes and lips, ears, neck, shoulders, hands. Under a beard, lenses or a hand it goes on.
beard: beard and moustache; stubble half as strong.
headwear: hats, scarves, turbans, bands, helmets, hoods, headphones.
glasses: frames and sunglasses 255, the inside of clear lenses 128.
over: what lies before the face: hands, microphones, masks.
tone: lightness L* times 2.55, smoothed along strands of hair and folds of cloth.
ink: dark lines of hair and cloth, smoothed along their flow: 128 at a line's edge, more where a line is darker.

Cloth is the person without hair, skin, beard, headwear and over.
"""

FIELDS: Final[tuple[FieldName, ...]] = get_args(FieldName)
MASKS: Final[tuple[FieldName, ...]] = FIELDS[:7]
"""The planes that say what is where; the others say how it looks."""
PARTS_OF_PEOPLE: Final[tuple[FieldName, ...]] = ("hair", "skin", "beard", "headwear", "over")
"""The planes of what a person is made of and holds; what is left of `person` is cloth."""

MESH_FACE_LEVEL: Final = 160
"""Level of the mesh plane inside the face's outline."""
MESH_FEATURE_LEVEL: Final = 255
"""Level of the mesh plane inside eyes and lips."""

_PARTS: Final = (
    (FACE_OVAL, MESH_FACE_LEVEL),
    (RIGHT_EYE.ring, MESH_FEATURE_LEVEL),
    (LEFT_EYE.ring, MESH_FEATURE_LEVEL),
    (LIPS, MESH_FEATURE_LEVEL),
)
_SHIFT = 3
"""Binary places of the points of an outline, as OpenCV counts them: eighths of a pixel."""


def field_index(name: FieldName) -> int:
    """The number of the plane."""
    return FIELDS.index(name)


def draw_mesh_plane(plane: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]]) -> None:
    """Draw one face into the mesh plane, in place.

    plane: uint8 [H, W], zeros where no face is known. landmarks: [478 or 468, 2 or 3] in pixels of the plane, pixel
    centres at whole numbers.
    """
    points = np.rint(landmarks[:, :2] * (1 << _SHIFT)).astype(np.int32)
    for part, level in _PARTS:
        cv2.fillPoly(plane, [points[list(part)]], level, lineType=cv2.LINE_8, shift=_SHIFT)


def mesh_plane(faces: Sequence[NDArray[np.floating[Any]]], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The mesh plane uint8 [H, W] of these faces' landmarks. size: (width, height) px. See `draw_mesh_plane`."""
    plane = np.zeros((size[1], size[0]), np.uint8)
    for landmarks in faces:
        draw_mesh_plane(plane, landmarks)
    return plane
