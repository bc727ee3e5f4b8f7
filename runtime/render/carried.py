"""People carried along: between two readings fields stay, and what is drawn of heads moves with them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toonfilter.runtime.geometry.alignment import CropTransform
from toonfilter.runtime.render.head_carry import HeadCarry
from toonfilter.runtime.render.people import People, Person
from toonfilter.runtime.render.renderer import AlignedFace

_STILL_PX = 2.0
"""How far behind its head what is drawn of it stays, in px of the planes: outlines move less than heads turn. Raising
it calms outlines, and lets them lag."""
_MOST_SIDES = 0.25
"""How far a head may have moved since it was read, in sides of its crop. Raising it lets more frames go without a
reading in quick moves, and bodies and hands lag further behind."""


@dataclass(frozen=True, slots=True)
class CarriedPeople:
    """Known people as they were read, by the ids of their faces, and where their crops lay then."""

    people: Mapping[int, Person]
    transforms: Mapping[int, CropTransform]

    @classmethod
    def of(cls, people: People, faces: Sequence[AlignedFace]) -> "CarriedPeople":
        """faces: of the frame in which the people were read."""
        return cls({one.face.id: one for one in people.known}, {face.id: transform for face, transform in faces})

    def reaches(self, face: AlignedFace, scale: float) -> bool:
        """Whether this person can be carried to where the face is. scale: frame px per plane px."""
        key, now = face[0].id, face[1]
        if key not in self.people or self.people[key].scene.scale != scale:
            return False
        before = self.transforms[key]
        return before.size == now.size and _moved_px(before, now) <= _MOST_SIDES * before.side_px

    def to(self, faces: Sequence[AlignedFace]) -> dict[int, tuple[Person, HeadCarry]]:
        """These people as they were read, and how what is drawn of them moves to where their faces are."""
        return {face.id: (self.people[face.id], self._carry(face.id, now)) for face, now in faces}

    def _carry(self, key: int, now: CropTransform) -> HeadCarry:
        before, scene = self.transforms[key], self.people[key].scene
        moved_px = _moved_px(before, now) / scene.scale
        share = max(0.0, 1 - _STILL_PX / max(moved_px, 1e-6))
        return HeadCarry.between(before, _between(before, now, share), scene.to_frame)


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
