"""People carried along: between two readings fields stay, and what is drawn of heads moves with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toonfilter.runtime.geometry.alignment import CropTransform
from toonfilter.runtime.render.head_carry import HeadCarry
from toonfilter.runtime.render.people import People, Person
from toonfilter.runtime.render.renderer import AlignedFace

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
        return {
            face.id: (
                self.people[face.id],
                HeadCarry.between(self.transforms[face.id], now, self.people[face.id].scene.to_frame),
            )
            for face, now in faces
        }


def _moved_px(before: CropTransform, now: CropTransform) -> float:
    """How far the crop's corners moved at most, in px of the frame."""
    side = now.size - 1
    corners = np.array([[0, 0, 1], [side, 0, 1], [side, side, 1], [0, side, 1]], np.float64)
    return float(np.abs(corners @ (now.crop_to_frame - before.crop_to_frame).T).max())
