"""People carried along: in frames between two readings their fields stay, or move with their heads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import CropTransform
from toonfilter.runtime.render.people import People
from toonfilter.runtime.render.renderer import AlignedFace
from toonfilter.runtime.render.scene import SceneFields, crop_to_planes, grouped, lay_in

_STILL_PX = 2.0
"""Up to how many px of the planes a head may have moved since it was read for its fields to stay: outlines move less
than heads turn. Raising it calms outlines, and lets them lag a frame behind."""
_MOST_PX = 5.0
"""How far a head may have moved since it was read, in px of the planes; less than a person's window reaches beyond
them. Raising it saves time in quick moves, and lets hair and hands lag behind."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A person as they were read, and where the crop lay then."""

    scene: SceneFields
    transform: CropTransform


class CarriedPeople:
    """What was read of each person last. Not thread safe."""

    def __init__(self) -> None:
        self._read: dict[int, _Read] = {}

    def ids(self, faces: Sequence[AlignedFace], scale: float) -> list[int]:
        """Those that can be carried to where these faces are. scale: frame px per plane px."""
        return [face.id for face, transform in faces if self._is_near(face.id, transform, scale)]

    def fields(self, photo: Image, faces: Sequence[AlignedFace], ids: Sequence[int]) -> dict[int, SceneFields]:
        """The parts of a scene that belong to these people, where they are now. photo: the whole scene's."""
        return {face.id: _carried(self._read[face.id], photo, transform) for face, transform in faces if face.id in ids}

    def remember(self, people: People, faces: Sequence[AlignedFace], ids: Sequence[int]) -> None:
        """These people were drawn. ids: those of them who were carried, and who must be read before they are again."""
        transforms = {face.id: transform for face, transform in faces}
        self._read = {
            one.face.id: _Read(one.scene, transforms[one.face.id]) for one in people.known if one.face.id not in ids
        }

    def forget(self) -> None:
        """The next frame has nothing to do with the last."""
        self._read = {}

    def _is_near(self, key: int, transform: CropTransform, scale: float) -> bool:
        last = self._read.get(key)
        if last is None or last.transform.size != transform.size or last.scene.scale != scale:
            return False
        return _moved_px(last, transform) <= _MOST_PX


def _moved_px(read: _Read, transform: CropTransform) -> float:
    """How far the crop's corners moved at most, in px of the planes."""
    side = transform.size - 1
    corners = np.array([[0, 0, 1], [side, 0, 1], [side, side, 1], [0, side, 1]], np.float64)
    apart = corners @ (transform.crop_to_frame - read.transform.crop_to_frame).T
    return float(np.abs(apart).max()) / read.scene.scale


def _carried(read: _Read, photo: Image, transform: CropTransform) -> SceneFields:
    scene = read.scene
    height, width = scene.photo.shape[:2]
    left, top = scene.origin
    part = photo[top : top + height, left : left + width]
    if _moved_px(read, transform) <= _STILL_PX:
        return replace(scene, photo=part)
    before = crop_to_planes(read.transform, scene.scale, scene.origin)
    now = crop_to_planes(transform, scene.scale, scene.origin)
    motion = (_square(now) @ np.linalg.inv(_square(before)))[:2]
    over = grouped(list(scene.planes.values()))
    under = [group.copy() for group in over]
    lay_in(under, over, motion, now, transform.size)
    planes = [plane for group in under for plane in cv2.split(group)]
    return replace(scene, photo=part, planes=dict(zip(scene.planes, planes, strict=True)))


def _square(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([matrix, [[0, 0, 1]]])
