"""Which meshes are drawn as faces: a head has one, and what lies turned beside an upright face mostly is none."""

from collections.abc import Sequence

import cv2
import numpy as np

from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.render.contours import COARSE_PX, coarsened
from toonfilter.runtime.render.renderer import AlignedFace
from toonfilter.runtime.render.scene import SceneFields

_FOREHEAD, _BESIDE = 0.45, 0.15
"""How far above and beside a mesh, in its height and width, its head reaches. Raising them: fewer faces are drawn of
people who stand close together."""
_SPECK, _UPSIDE_DOWN_DEG = 0.4, 100.0
"""Size of a mesh on somebody's head, over that person's, up to which it is a detail of it; and how far it is turned
against them when it is their forehead or chin. Raising the first, or lowering the second, draws fewer faces."""
_TURNED_DEG = 60.0
"""How far a mesh is turned against the largest face from which on it gets no features. Raising it draws more people
who lie, and more faces into things of the room."""
_SKIN_LEVEL, _MOST_SKIN = 128, 14.0
"""Level of skin, and how much of it may hang together with a face, in areas of its box. Lowering the latter draws fewer
faces of people with few clothes on."""


def believed_faces(faces: Sequence[AlignedFace]) -> tuple[list[AlignedFace], list[Box]]:
    """Those of the faces that are drawn, in their order, and places of heads that get no features.

    A mesh on the head of a larger face is in neither: that head hides it.
    """
    kept: list[AlignedFace] = []
    doubted: list[Box] = []
    for one in sorted(faces, key=lambda aligned: -_size(aligned[0])):
        face = one[0]
        if any(_is_part_of(face, larger) for larger, _ in kept):
            continue
        if kept and _turned_deg(face, kept[0][0]) > _TURNED_DEG:
            doubted.append(face.box)
        else:
            kept.append(one)
    ids = {face.id for face, _ in kept}
    return [one for one in faces if one[0].id in ids], doubted


def with_fitting_skin(scene: SceneFields, faces: Sequence[AlignedFace]) -> list[AlignedFace]:
    """Those of the faces that are not specks in the skin of somebody larger: an ear, a hand."""
    count, blobs = cv2.connectedComponents(cv2.compare(coarsened(scene.planes["skin"]), _SKIN_LEVEL, cv2.CMP_GE))
    area_px = np.bincount(blobs.ravel(), minlength=count) * float(COARSE_PX * scene.scale) ** 2
    area_px[0] = 0
    kept = []
    for one in faces:
        box = one[0].box
        column, row = (
            min(max(int(v / scene.scale / COARSE_PX), 0), side - 1)
            for v, side in zip(box.centre, blobs.shape[::-1], strict=True)
        )
        if area_px[blobs[row, column]] <= _MOST_SKIN * box.width * box.height:
            kept.append(one)
    return kept


def head_around(face: Box) -> Box:
    """The head of an upright face, with hair and ears."""
    beside = _BESIDE * face.width
    return Box(face.left - beside, face.top - _FOREHEAD * face.height, face.right + beside, face.bottom)


def _size(face: Face) -> float:
    return max(face.box.width, face.box.height)


def _turned_deg(face: Face, other: Face) -> float:
    return abs((face.pose[2] - other.pose[2] + 180) % 360 - 180)


def _is_part_of(face: Face, larger: Face) -> bool:
    if not head_around(larger.box).holds(face.box.centre):
        return False
    return _size(face) < _SPECK * _size(larger) or _turned_deg(face, larger) > _UPSIDE_DOWN_DEG
