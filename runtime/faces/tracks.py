"""One face through time, as a state machine.

    detection, no mesh -> TENTATIVE -- mesh --> TRACKED -- mesh gone or not confirmed --> LOST -- mesh --> TRACKED
                              |                                                             |
                              '-- close looks see nothing --> forgotten <-- empty, too long --'

TRACKED faces are drawn; the places of TENTATIVE and LOST ones are covered.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.faces.config import TrackingConfig
from toonfilter.runtime.faces.detection import Face, FaceMesher, face_from
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.box import Box

Thumbnail = NDArray[np.float32]
"""float32 [S * S]: a place in gray, mean 0, norm 1."""


class TrackState(StrEnum):
    """See the picture above."""

    TENTATIVE = "tentative"
    TRACKED = "tracked"
    LOST = "lost"


@dataclass(slots=True)
class CloseLooks:
    """What detections saw that looked at one place alone. at: the beat of the last one.

    missed: how many in a row saw no face. doubts: the same while TRACKED.
    """

    at: int = 0
    missed: int = 0
    doubts: int = 0


@dataclass(slots=True, eq=False)
class Track:
    """One face. box: where it was last seen. before: the same in the frame before.

    face: the mesh, while TRACKED. face_id: of its mesh, once it had one. quarter_turns: clockwise, as last seen.
    seen_at: the beat of the last detection there. unseen: beats without a mesh or any sign of a face.
    is_person: a detection saw this face apart from other tracked ones, so that it may be behind another one and come
    out again. picture: of its place when it was last seen.
    """

    state: TrackState
    box: Box
    before: Box
    seen_at: int
    face: Face | None = None
    face_id: int | None = None
    quarter_turns: int = 0
    unseen: int = 0
    looks: CloseLooks = field(default_factory=CloseLooks)
    is_person: bool = False
    picture: Thumbnail | None = None

    def follow(self, image: Image, mesher: FaceMesher, config: TrackingConfig) -> bool:
        """Whether the mesh still finds the face; a mesh that jumped is not believed."""
        assert self.face is not None
        self.before = self.box
        found = face_from(mesher.follow(image, self.face.landmarks), self.face.id, config.mesh.confidence)
        if found is None or found.box.overlap(self.before) < config.mesh.jump_overlap:
            return False
        if not 1 / config.mesh.jump_scale < found.box.height / self.before.height < config.mesh.jump_scale:
            return False
        self.face, self.box = found, found.box
        return True

    def take(self, face: Face, beat: int) -> None:
        """A mesh was found."""
        self.state, self.face, self.face_id = TrackState.TRACKED, face, face.id
        self.box = self.before = face.box
        self.seen_at, self.unseen, self.looks.missed = beat, 0, 0

    def lose(self, beat: int) -> None:
        """The mesh is gone; where the face was stays covered."""
        self.state, self.face, self.box = TrackState.LOST, None, self.before
        self.unseen, self.looks.missed, self.looks.at = 1, 0, beat

    def see(self, image: Image, beat: int, config: TrackingConfig, box: Box | None = None) -> None:
        """A detection, here or at `box`."""
        self.box = box or self.box
        self.seen_at, self.looks.missed = beat, 0
        self.unseen = 0 if self.state is not TrackState.LOST else min(self.unseen, 1)
        self.picture = thumbnail(image, self.box, config.places.picture_px)

    def cover(self, config: TrackingConfig) -> Box:
        """What is covered of a face without a mesh: more, the longer it was not seen."""
        if not self.unseen:
            return self.box
        growth = config.places.growth
        return self.box.grown(min(growth.at_once + growth.each_beat * self.unseen, growth.most))

    def is_over(self, image: Image, config: TrackingConfig) -> bool:
        """Whether a face without a mesh may be forgotten: not while what is to be seen there is still its picture."""
        alike = self._likeness_now(image, config.places.picture_px)
        if config.is_patient and self.looks.missed >= config.places.vacant_looks and alike < config.places.other_place:
            return True
        if self.state is TrackState.TENTATIVE:
            return self.looks.missed >= config.places.unmeshed_looks and self.unseen >= config.places.vacant_beats
        if self.unseen < config.places.vacant_beats:
            return False
        if self.unseen <= config.places.most_lost_beats and alike > config.places.same_place:
            return False
        return self.looks.missed >= config.places.vacant_looks or self.unseen > config.places.lost_beats

    @property
    def stayed(self) -> float:
        """How far the face is where it was, 0 to 1."""
        return round(self.box.overlap(self.before), 1)

    def _likeness_now(self, image: Image, picture_px: int) -> float:
        """Correlation of what is to be seen there with the face that was, -1 to 1; 0 where nothing is."""
        now = thumbnail(image, self.box, picture_px)
        return 0.0 if now is None or self.picture is None else float(now @ self.picture)


def thumbnail(image: Image, box: Box, picture_px: int) -> Thumbnail | None:
    """A place in the frame, however bright; None where it is flat or outside. image: uint8 [H, W, 3] RGB."""
    height, width = image.shape[:2]
    left, top = max(0, int(box.left)), max(0, int(box.top))
    right, bottom = min(width, int(box.right) + 1), min(height, int(box.bottom) + 1)
    if right - left < 2 or bottom - top < 2:
        return None
    green = np.ascontiguousarray(image[top:bottom, left:right, 1])
    small = cv2.resize(green, (picture_px, picture_px), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    norm = float(np.linalg.norm(small))
    return small / norm if norm > picture_px else None
