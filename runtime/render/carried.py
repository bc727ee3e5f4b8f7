"""People carried along: between two readings fields stay, and what is drawn of heads moves with them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import CropTransform
from toonfilter.runtime.render.head_carry import HeadCarry
from toonfilter.runtime.render.people import People, Person
from toonfilter.runtime.render.renderer import AlignedFace
from toonfilter.runtime.render.scene import crop_to_planes

_STILL_PX = 2.0
"""How far behind its head what is drawn of it stays, in px of the planes: outlines move less than heads turn. Raising
it calms outlines, and lets them lag."""
_MOST_SIDES = 0.25
"""How far a head may have moved since it was read, in sides of its crop. Raising it lets more frames go without a
reading in quick moves, and bodies and hands lag further behind."""
_VIEW_PX, _SAMPLED = 32, 2
"""Side of the views by which heads are compared, and how many places across a pixel of these are looked at."""
_SAME_LEVELS = 14.0
"""Mean difference of two views, levels, up to which they show one head. In clips heads differ by 13 at most from
themselves a fifth of a second before, and by 16 from all but two others. Raising it lets people wear others' hair after
a cut; lowering it lets frames wait in which a head turns quickly."""


@dataclass(frozen=True, slots=True)
class CarriedPeople:
    """Known people as they were read, by the ids of their faces; where their crops lay then, and what these showed.

    scale: frame px per px of the planes. views: uint8 [S, S, 3].
    """

    people: Mapping[int, Person]
    scale: float
    transforms: Mapping[int, CropTransform]
    views: Mapping[int, Image]

    @classmethod
    def of(cls, people: People, faces: Sequence[AlignedFace], photo: Image, scale: float) -> "CarriedPeople":
        """faces, photo: of the frame in which the people were read; see `SceneFields`."""
        return cls(
            {one.face.id: one for one in people.known},
            scale,
            {face.id: transform for face, transform in faces},
            {face.id: _view(photo, transform, scale) for face, transform in faces},
        )

    def reaches(self, face: AlignedFace, scale: float) -> bool:
        """Whether this person can be carried to where the face is. scale: frame px per px of the planes."""
        key, now = face[0].id, face[1]
        if key not in self.people or self.scale != scale:
            return False
        before = self.transforms[key]
        return before.size == now.size and _moved_px(before, now) <= _MOST_SIDES * before.side_px

    def is_another(self, face: AlignedFace, photo: Image, scale: float) -> bool:
        """Whether a face with a known id shows somebody else: after a cut. photo: uint8 [h, w, 3], of the frame."""
        key, now = face[0].id, face[1]
        if key not in self.people:
            return False
        view = _view(photo, now, scale)
        return cv2.norm(view, self.views[key], cv2.NORM_L1) > _SAME_LEVELS * view.size

    def to(self, faces: Sequence[AlignedFace]) -> dict[int, tuple[Person, HeadCarry]]:
        """These people as they were read, and how what is drawn of them moves to where their faces are."""
        return {face.id: (self.people[face.id], self._carry(face.id, now)) for face, now in faces}

    def _carry(self, key: int, now: CropTransform) -> HeadCarry:
        before, scene = self.transforms[key], self.people[key].scene
        moved_px = _moved_px(before, now) / scene.scale
        share = max(0.0, 1 - _STILL_PX / max(moved_px, 1e-6))
        return HeadCarry.between(before, _between(before, now, share), scene.to_frame)


def _view(photo: Image, transform: CropTransform, scale: float) -> Image:
    """A head small, as its crop shows it."""
    side = _VIEW_PX * _SAMPLED
    matrix = crop_to_planes(replace(transform, size=side), scale)
    large = cv2.warpAffine(photo, matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    view: Image = cv2.resize(large, (_VIEW_PX, _VIEW_PX), interpolation=cv2.INTER_AREA)
    return view


def _between(first: CropTransform, last: CropTransform, share: float) -> CropTransform:
    """A crop on the way from the first to the last. share: 0 at the first to 1."""

    def mixed(begin: float, end: float) -> float:
        return begin + (end - begin) * share

    turn = math.remainder(last.roll_rad - first.roll_rad, math.tau)
    return CropTransform(
        mixed(first.centre_x_px, last.centre_x_px),
        mixed(first.centre_y_px, last.centre_y_px),
        mixed(first.side_px, last.side_px),
        first.roll_rad + turn * share,
        first.size,
    )


def _moved_px(before: CropTransform, now: CropTransform) -> float:
    """How far the crop's corners moved at most, in px of the frame."""
    side = now.size - 1
    corners = np.array([[0, 0, 1], [side, 0, 1], [side, side, 1], [0, side, 1]], np.float64)
    return float(np.abs(corners @ (now.crop_to_frame - before.crop_to_frame).T).max())
