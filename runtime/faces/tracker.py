"""Following faces through a video: identities, re-acquisition, and the looks that keep newcomers covered.

A face is followed by its mesh, and believed only while detections confirm it. Where a face was lost, or is suspected
but gets no mesh, a place is kept and reported until nothing has been seen there for a while. The detector looks at an
interval, and at once when something changed where no face is known. It looks while the followed faces are already
being drawn; what it finds meanwhile is covered in the same frame.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

import numpy as np

from toonfilter.runtime.faces.detection import (
    Detection,
    Face,
    FaceDetector,
    FaceMesher,
    face_from,
    tiles,
    without_doubles,
)
from toonfilter.runtime.faces.motion import Motion, RateLimiter
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.box import Box

_JUMP_OVERLAP = 0.1
_JUMP_SCALE = 1.6
_DOUBTS = 3
_DISMISSED_FRAMES = 12
_MOST_GROWTH = 0.5
_SMALL_CHANGE = 0.4
_LARGE_CHANGE = 0.6
_SIDES = 0.1
_CLOSE_LOOK_EVERY = 3
_QUARTER_TURN_RAD = np.pi / 2


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """max_faces: faces followed with a mesh; further ones are reported without.

    detect_every: beats between looks at the whole frame when nothing else calls for one. A beat is a frame, but there
    are no more than 30 in a second.
    lost_frames: how many beats the place of a lost face is still reported after the last sign of it.
    """

    max_faces: int = 4
    detect_every: int = 6
    lost_frames: int = 45


@dataclass(frozen=True, slots=True)
class TrackingResult:
    """What the tracker knows of one frame.

    faces: those with a mesh. unmeshed: places where the detector sees a face that has no mesh.
    lost: last places of faces that were seen and are not seen now, growing with time; and what just comes in at a side.
    detected: whether the detector looks at this very frame.
    pending_detections: waits for detection passes that are not over yet, and gives where they found something that
    is neither in faces nor in the other lists. Raises what went wrong in them.
    """

    faces: list[Face] = field(default_factory=list)
    unmeshed: list[Box] = field(default_factory=list)
    lost: list[Box] = field(default_factory=list)
    detected: bool = False
    pending_detections: Callable[[], list[Box]] = list


@dataclass(slots=True, eq=False)
class _LostTrack:
    """Where a face was or may be, without a mesh. unseen: beats since the last sign of it.

    is_person: a look saw this face by itself, so that it may be behind another one and come out again.
    """

    box: Box
    face_id: int | None
    unseen: int = 0
    is_person: bool = False

    def grown(self) -> Box:
        return self.box.grown(min(0.15 + 0.05 * self.unseen, _MOST_GROWTH)) if self.unseen else self.box


@dataclass(slots=True, eq=False)
class _Track:
    """One followed face. before: its box in the frame before. seen_at: the beat in which a look last confirmed it.

    doubts: close looks in a row that did not. is_person: a look saw it apart from other followed faces.
    """

    face: Face
    before: Box
    seen_at: int
    doubts: int = 0
    is_person: bool = False

    def follow(self, image: Image, mesher: FaceMesher) -> bool:
        """Whether the mesh still finds the face; a mesh that jumped is not believed."""
        self.before = self.face.box
        found = face_from(mesher.follow(image, self.face.landmarks), self.face.id)
        if found is None or found.box.overlap(self.before) < _JUMP_OVERLAP:
            return False
        if not 1 / _JUMP_SCALE < found.box.height / self.before.height < _JUMP_SCALE:
            return False
        self.face = found
        return True

    @property
    def stayed(self) -> float:
        """How far the face is where it was, 0 to 1."""
        return round(self.face.box.overlap(self.before), 1)


class FaceTracker:
    """Finds and follows up to `max_faces` faces. Not thread safe; frames must come in order."""

    def __init__(self, settings: TrackerSettings | None = None, looker: ThreadPoolExecutor | None = None) -> None:
        """looker: one thread for the looks, which stays the caller's; None starts one."""
        self._settings = settings or TrackerSettings()
        self._next_id = 0
        self._frames = 0
        self._beats = RateLimiter()
        self._pending: Future[list[Box]] | None = None
        self._seen: Image = np.empty((0, 0, 3), np.uint8)
        self._is_new = True
        self._tracks: list[_Track] = []
        self._places: list[_LostTrack] = []
        self._tile = 0
        self._dismissed: list[tuple[Box, int]] = []
        self._motion = Motion()
        self._detector = FaceDetector()
        self._looker = looker or ThreadPoolExecutor(1, "face-detector")
        self._has_own_looker = looker is None
        self._mesher = FaceMesher(self._detector)

    def track(self, image: Image, time_s: float | None = None) -> TrackingResult:
        """Faces of the next frame. After a failure the next call starts anew.

        image: uint8 [H, W, 3] RGB; may be drawn into as soon as this returns. time_s: of the frame; without it the
        detector looks as often as frames come.
        """
        try:
            return self._track(image, time_s)
        except Exception:
            self.reset()
            raise

    def reset(self) -> None:
        """Forget all faces: the next frame has nothing to do with the last. Numbers of faces are not given again."""
        # One thread works off all looks: when this is done so are those before it, of a frame that failed too.
        wait([self._looker.submit(bool)])
        self._pending = None
        self._tracks, self._places, self._dismissed = [], [], []
        self._motion = Motion()
        self._beats = RateLimiter()
        self._frames = self._tile = 0
        self._is_new = True

    def set_interval(self, detect_every: int) -> None:
        """Look for newcomers at least every so many frames, from the next one on."""
        self._settings = replace(self._settings, detect_every=detect_every)

    def close(self) -> None:
        """Free the networks."""
        if self._has_own_looker:
            self._looker.shutdown()
        self._mesher.close()
        self._detector.close()

    def _track(self, image: Image, time_s: float | None) -> TrackingResult:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()
        noticed = found = None
        is_beat = self._beats.is_due(time_s) or self._is_new
        if is_beat:
            self._frames += 1
            for place in self._places:
                place.unseen += 1
            # The detector looks while the meshes follow; it has a core of its own, and its networks only this thread.
            known = [track.face.box for track in self._tracks]
            noticed = self._looker.submit(self._notice, image, known, bool(self._places))
            found = self._looker.submit(self._detect_noticed, noticed)
        followed = len(self._tracks)
        for track in list(self._tracks):
            if not track.follow(image, self._mesher):
                self._lose(track)
        self._drop_doubles()
        looks, seen = ([], image) if noticed is None else noticed.result()
        is_urgent = self._is_new or len(self._tracks) < followed or (is_beat and not self._tracks)
        if is_urgent:
            self._looker.submit(self._settle, seen, looks, found).result()
        # What follows from other looks changes tracks and places in the looker's thread: they are told before.
        tracking = TrackingResult(
            [track.face for track in self._tracks],
            [place.box for place in self._places if not place.unseen],
            [place.grown() for place in self._places if place.unseen] + self._motion.newcomers.boxes,
            bool(looks),
        )
        if is_urgent or not is_beat:
            return tracking
        self._pending = self._looker.submit(self._settle, seen, looks, found)
        return replace(tracking, pending_detections=self._pending.result)

    def _notice(self, image: Image, known: list[Box], has_places: bool) -> tuple[list[str], Image]:
        """The looks that this frame calls for, and the image for them: a copy where others will draw into it."""
        looks = self._looks(image, self._motion.elsewhere(image, known), has_places or not known)
        if not known:
            return looks, image
        if self._seen.shape != image.shape:
            self._seen = np.empty_like(image)
        np.copyto(self._seen, image)
        return looks, self._seen

    def _detect_noticed(self, noticed: "Future[tuple[list[str], Image]]") -> list[Detection]:
        looks, image = noticed.result()
        return self._detect(image, looks)

    def _settle(self, image: Image, looks: list[str], found: "Future[list[Detection]] | None") -> list[Box]:
        """What follows from the looks at a frame; in the looker's thread. Returns places that were not known before."""
        followed, covered = list(self._tracks), [place.grown() for place in self._places]
        suspects = found.result() if found is not None else []
        if self._places and "full" not in looks:
            looks.append("full")
            suspects += self._detect(image, ["full"])
        if looks:
            self._take_up(image, suspects)
            self._motion.remember()
            self._is_new = False
        self._confirm(image)
        self._keep_places(image)
        fresh = [track.face.box for track in self._tracks if track not in followed]
        fresh += [place.grown() for place in self._places]
        return [box for box in fresh if not any(old.contains(box) for old in covered)]

    def _looks(self, image: Image, changed: Box | None, is_searching: bool) -> list[str]:
        """What the detector does in this frame: the next of the looks in turn, and a look at what changed.

        All looks in turn come once in `detect_every` frames, so that most frames have one or none; two are the most.
        """
        if self._is_new:
            return ["thorough"]
        height, width = image.shape[:2]
        views = len(tiles(width, height, min(width, height)))
        turns = ["full", "sides short", "short", "sides full", "tile"][: 5 if views else 4]
        first, end = (frame * len(turns) // self._settings.detect_every for frame in (self._frames - 1, self._frames))
        in_turn = [turns[turn % len(turns)] for turn in range(first, end)]
        urgent = []
        if changed is not None:
            at_side = changed.left < _SIDES * width or changed.right > (1 - _SIDES) * width
            is_everywhere = changed.width > _LARGE_CHANGE * width and changed.height > _LARGE_CHANGE * height
            # A small change may be a small face, which only a closer look finds.
            is_small = max(changed.width, changed.height) < _SMALL_CHANGE * height
            if at_side and not is_everywhere:
                urgent.append("sides full" if is_small else "sides short")
            urgent.append(f"tile {_nearest_tile(image, changed)}" if is_small and views else "full")
        elif is_searching:
            urgent.append("full")
        if len(urgent) > 1 and in_turn and self._frames % 2:
            urgent.pop()
        return list(dict.fromkeys(urgent + (in_turn if len(urgent) < 2 else [])))

    def _detect(self, image: Image, looks: list[str]) -> list[Detection]:
        """Faces, and what may be one; the certain ones first."""
        found: list[Detection] = []
        for look in looks:
            match look.split():
                case ["thorough"]:
                    found += [Detection(box, True) for box in self._detector.find_thoroughly(image)]
                    found += self._detector.suspects(image) + self._detector.suspects_at_sides(image)
                case ["full" | "short" as reach]:
                    found += self._detector.suspects(image, reach)
                case ["sides", "full" | "short" as reach]:
                    found += self._detector.suspects_at_sides(image, reach)
                case ["tile", *which]:
                    height, width = image.shape[:2]
                    views = tiles(width, height, min(width, height))
                    self._tile += not which
                    view = views[int(which[0]) if which else self._tile % len(views)]
                    found += [Detection(box, True) for box in self._detector.find_in(image, view)]
        found.sort(key=lambda suspect: not suspect.is_certain)
        kept = without_doubles([suspect.box for suspect in found])
        return [suspect for suspect in found if any(suspect.box is box for box in kept)]

    def _take_up(self, image: Image, suspects: list[Detection]) -> None:
        """Follow new faces, and remember the places of those that get no mesh."""
        self._dismissed = [(box, frame) for box, frame in self._dismissed if self._frames - frame < _DISMISSED_FRAMES]
        for box, is_certain in suspects:
            known = [track for track in self._tracks if _same_face(box, track.face.box)]
            for track in known:
                track.seen_at, track.doubts = self._frames, 0
                track.is_person |= len(known) == 1
            if known or self._start(image, box):
                continue
            # Collars and hair of a followed head look like faces too, but get no mesh.
            if not self._is_followed(box.centre, 0.5) and (is_certain or self._is_surely_a_face(image, box)):
                self._suspect(box)
        self._drop_doubles()

    def _is_surely_a_face(self, image: Image, box: Box) -> bool:
        """A close look at a doubtful place; not soon again where it showed none."""
        if any(box.overlap(old) > 0.3 for old, _ in self._dismissed):
            return False
        if self._detector.sees(image, box, 0.0, is_certain=True):
            return True
        self._dismissed.append((box, self._frames))
        return False

    def _confirm(self, image: Image) -> None:
        """Stop believing a mesh that no look confirms: it may have settled on something else."""
        unseen = [track for track in self._tracks if self._frames - track.seen_at > self._settings.detect_every]
        if not unseen:
            return
        track = unseen[self._frames % len(unseen)]
        if self._detector.sees(image, track.face.box, track.face.fit.roll_rad):
            track.seen_at, track.doubts = self._frames, 0
            return
        track.doubts += 1
        if track.doubts >= _DOUBTS:
            self._lose(track)

    def _start(self, image: Image, box: Box) -> bool:
        """Follow the face in this box; False when it gets no mesh, or enough are followed."""
        if len(self._tracks) >= self._settings.max_faces:
            return False
        place = max(self._places, key=lambda one: one.grown().overlap(box), default=None)
        if place is not None and place.grown().overlap(box) == 0:
            place = None
        known_id = None if place is None else place.face_id
        face = face_from(self._mesher.find(image, box), self._next_id if known_id is None else known_id)
        if face is None or not box.grown(0.5).holds(face.box.centre):
            return False
        self._next_id += known_id is None
        track = _Track(face, face.box, self._frames)
        if place is not None:
            # Lost again soon, behind another face perhaps, it is still somebody.
            track.is_person = place.is_person
            self._places.remove(place)
        self._tracks.append(track)
        return True

    def _suspect(self, box: Box) -> None:
        """A face without a mesh: a new place, or the one known there seen again."""
        for place in self._places:
            if place.grown().overlap(box) > 0.1:
                place.box, place.unseen = box, 0
                return
        self._places.append(_LostTrack(box, None))

    def _lose(self, track: _Track) -> None:
        """The mesh is gone; where the face was stays a place."""
        self._tracks.remove(track)
        self._places.append(_LostTrack(track.before, track.face.id, 1, track.is_person))

    def _drop_doubles(self) -> None:
        """Two meshes on one face: the one that stayed where it was keeps it; where the other was stays a place."""
        kept: list[_Track] = []
        for track in sorted(self._tracks, key=lambda one: (-one.stayed, one.face.id)):
            double = next((one for one in kept if one.face.box.overlap(track.face.box) > 0.5), None)
            if double is None:
                kept.append(track)
                continue
            self._lose(track)

    def _keep_places(self, image: Image) -> None:
        """Forget the places that a followed face covers, and those without a sign of a face for long."""
        self._places = [
            place for place in self._places if place.unseen <= self._settings.lost_frames and not self._is_drawn(place)
        ]
        unseen = [place for place in self._places if place.unseen]
        if unseen and self._frames % _CLOSE_LOOK_EVERY == 0:
            number = self._frames // _CLOSE_LOOK_EVERY
            place = unseen[number % len(unseen)]
            turn_rad = number // len(unseen) % 4 * _QUARTER_TURN_RAD
            if not self._is_followed(place.box.centre, 0.8) and self._detector.sees(
                image, place.box, turn_rad, is_certain=place.face_id is None
            ):
                place.unseen = 1

    def _is_drawn(self, place: _LostTrack) -> bool:
        """Whether followed faces hide this place; a face that was lost behind another one looks out beside it."""
        if place.face_id is None:
            return self._is_followed(place.box.centre, 0.2)
        return not place.is_person and any(track.face.box.grown(0.2).contains(place.box) for track in self._tracks)

    def _is_followed(self, point: tuple[float, float], margin: float) -> bool:
        return any(track.face.box.grown(margin).holds(point) for track in self._tracks)


def _same_face(detection: Box, mesh: Box) -> bool:
    return mesh.grown(0.1).holds(detection.centre) and detection.grown(0.3).holds(mesh.centre)


def _nearest_tile(image: Image, place: Box) -> int:
    """Number of the part of the picture that shows most of this place."""
    height, width = image.shape[:2]
    views = tiles(width, height, min(width, height))
    return max(range(len(views)), key=lambda number: views[number].overlap(place))
