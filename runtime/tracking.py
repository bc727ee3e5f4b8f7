"""Following faces through a video: identities, re-acquisition, and the second opinion that keeps newcomers covered."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.faces import Box, Face, FaceDetector, FaceMesher, face_from
from toonfilter.runtime.frames import Image

_MOTION_SIZE = (96, 54)
_MOTION_LEVELS = 14
_MOTION_PIXELS = 10


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """max_faces: faces followed with a mesh; further ones are reported without.

    detect_every: frames between looks at the whole frame when nothing else calls for one.
    lost_frames: how long the place of a lost face is still reported.
    """

    max_faces: int = 4
    detect_every: int = 6
    lost_frames: int = 15


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the tracker knows of one frame.

    faces: those with a mesh. unmeshed: places where the detector sees a face that has no mesh.
    lost: last places of faces that were followed and are not seen now, growing with time.
    detected: whether the detector looked at this very frame.
    """

    faces: list[Face] = field(default_factory=list)
    unmeshed: list[Box] = field(default_factory=list)
    lost: list[Box] = field(default_factory=list)
    detected: bool = False


class _Track:
    """One followed face."""

    def __init__(self, face_id: int, mesher: FaceMesher) -> None:
        self.id = face_id
        self.mesher = mesher
        self.face: Face | None = None
        self.last_box = Box(0, 0, 0, 0)
        self.missed = 0

    def follow(self, image: Image, around: Box) -> Face | None:
        """Look for the face in the square around the box."""
        self.face = face_from(self.mesher.find(image, around), self.id)
        if self.face is None:
            self.missed += 1
        else:
            self.missed = 0
            self.last_box = self.face.box
        return self.face


class FaceTracker:
    """Finds and follows up to `max_faces` faces. Not thread safe; frames must come in order."""

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        self._settings = settings or TrackerSettings()
        self._detector = FaceDetector()
        self._idle_meshers = [FaceMesher(is_video=True)]
        self._tracks: list[_Track] = []
        self._next_id = 0
        self._since_detection = self._settings.detect_every
        self._last_small: NDArray[np.uint8] | None = None
        self._unmeshed: list[Box] = []

    def track(self, image: Image) -> Sighting:
        """Faces of the next frame. image: uint8 [H, W, 3] RGB."""
        for track in self._tracks:
            track.follow(image, track.last_box)
        self._drop_doubles()
        is_lost = any(track.face is None for track in self._tracks)
        self._since_detection += 1
        is_due = self._since_detection >= self._settings.detect_every
        # Motion is asked in every frame: it keeps the picture that the next one is compared with.
        moves = self._moves_elsewhere(image)
        detected = is_due or is_lost or moves or not self._tracks or bool(self._unmeshed)
        if detected:
            self._since_detection = 0
            self._unmeshed = self._match(image, self._detector.find(image))
        self._forget()
        faces = [track.face for track in self._tracks if track.face is not None]
        lost = [track.last_box.grown(0.15 + 0.05 * track.missed) for track in self._tracks if track.face is None]
        return Sighting(faces, self._unmeshed, lost, detected)

    def reset(self) -> None:
        """Forget all faces: the next frame has nothing to do with the last."""
        self._idle_meshers += [track.mesher for track in self._tracks]
        self._tracks = []
        self._last_small = None
        self._unmeshed = []

    def close(self) -> None:
        """Free the graphs."""
        self.reset()
        self._detector.close()
        for mesher in self._idle_meshers:
            mesher.close()
        self._idle_meshers = []

    def _match(self, image: Image, boxes: list[Box]) -> list[Box]:
        """Give detections to tracks, start tracks for new faces; returns the boxes that stay without a mesh."""
        unmeshed = []
        for box in boxes:
            if any(_same_face(box, track.face.box) for track in self._tracks if track.face is not None):
                continue
            track = self._track_for(box)
            if track is None or track.follow(image, box) is None:
                unmeshed.append(box)
        self._drop_doubles()
        return unmeshed

    def _track_for(self, box: Box) -> _Track | None:
        """The lost track that was here, a new one, or None when all are taken."""
        lost = [track for track in self._tracks if track.face is None]
        for track in sorted(lost, key=lambda one: -one.last_box.grown(0.5).overlap(box)):
            if track.last_box.grown(0.5).overlap(box) > 0:
                return track
        if len(self._tracks) >= self._settings.max_faces:
            return None
        mesher = self._idle_meshers.pop() if self._idle_meshers else FaceMesher(is_video=True)
        track = _Track(self._next_id, mesher)
        track.last_box = box
        # A track that never had a mesh goes at once if it does not get one.
        track.missed = self._settings.lost_frames
        self._next_id += 1
        self._tracks.append(track)
        return track

    def _drop_doubles(self) -> None:
        """Two tracks on one face: the younger one loses it."""
        kept: list[Face] = []
        for track in self._tracks:
            if track.face is None:
                continue
            if any(track.face.box.overlap(other.box) > 0.5 for other in kept):
                track.face = None
                track.missed = self._settings.lost_frames + 1
            else:
                kept.append(track.face)

    def _forget(self) -> None:
        gone = [track for track in self._tracks if track.face is None and track.missed > self._settings.lost_frames]
        for track in gone:
            self._tracks.remove(track)
            self._idle_meshers.append(track.mesher)

    def _moves_elsewhere(self, image: Image) -> bool:
        """Whether something changed where no followed face is."""
        small = cv2.cvtColor(_shrunk(image), cv2.COLOR_RGB2GRAY)
        last, self._last_small = self._last_small, small
        if last is None or last.shape != small.shape:
            return True
        changed = cv2.absdiff(small, last) > _MOTION_LEVELS
        height, width = image.shape[:2]
        scale_x, scale_y = small.shape[1] / width, small.shape[0] / height
        for track in self._tracks:
            box = track.last_box.grown(0.45)
            rows = slice(max(0, int(box.top * scale_y)), max(0, int(box.bottom * scale_y) + 1))
            columns = slice(max(0, int(box.left * scale_x)), max(0, int(box.right * scale_x) + 1))
            changed[rows, columns] = False
        return int(np.count_nonzero(changed)) >= _MOTION_PIXELS


def _shrunk(image: Image) -> Image:
    """The picture in about _MOTION_SIZE pixels: means over whole blocks of some of its rows, which is quick."""
    rows = image[:: 1 + min(3, image.shape[0] // (4 * _MOTION_SIZE[1]))]
    height, width = rows.shape[:2]
    across, down = max(1, width // _MOTION_SIZE[0]), max(1, height // _MOTION_SIZE[1])
    columns, lines = width // across, height // down
    small: Image = cv2.resize(rows[: lines * down, : columns * across], (columns, lines), interpolation=cv2.INTER_AREA)
    return small


def _same_face(detection: Box, mesh: Box) -> bool:
    return mesh.grown(0.1).holds(detection.centre) and detection.grown(0.3).holds(mesh.centre)
