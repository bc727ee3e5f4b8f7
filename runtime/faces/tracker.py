"""Following faces through a video: identities, re-acquisition, and the passes that keep newcomers covered.

A face is followed by its mesh, and believed only while detections confirm it. Where a face was lost, or is seen but
gets no mesh, its place is kept and reported until close looks find it empty. The detector works while the followed
faces are already being drawn; what it finds meanwhile is covered in the same frame.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

import numpy as np

from toonfilter.runtime.faces.believed import believed_faces
from toonfilter.runtime.faces.config import TrackingConfig
from toonfilter.runtime.faces.detection import Face, FaceMesher, face_from
from toonfilter.runtime.faces.detector import TURNS, Detection, DetectionPass, FaceDetector, is_same_face
from toonfilter.runtime.faces.memory import TrackMemory
from toonfilter.runtime.faces.tracks import Track, TrackState
from toonfilter.runtime.faces.verification import DetectionVerifier, is_alike_in_size
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.box import Box


@dataclass(frozen=True, slots=True)
class TrackingResult:
    """What the tracker knows of one frame.

    faces: those with a mesh. unmeshed: places where the detector sees a face that has no mesh, or one that is doubted.
    lost: last places of faces that were seen and are not seen now, growing with time; and what just comes in at a side.
    is_cut: nearly all of the picture is another one.
    pending_detections: waits for detection passes that are not over yet, and gives where they found something that
    is neither in faces nor in the other lists. Raises what went wrong in them.
    """

    faces: list[Face] = field(default_factory=list)
    unmeshed: list[Box] = field(default_factory=list)
    lost: list[Box] = field(default_factory=list)
    pending_detections: Callable[[], list[Box]] = list
    is_cut: bool = False


class FaceTracker:
    """Finds and follows up to `max_faces` faces. Not thread safe; frames must come in order."""

    def __init__(
        self, config: TrackingConfig | None = None, detection_thread: ThreadPoolExecutor | None = None
    ) -> None:
        """detection_thread: one thread for the detector, which stays the caller's; None starts one."""
        self._config = config or TrackingConfig()
        self._detect_every = self._config.search.detect_every
        self._next_id = 0
        self._detector = FaceDetector(self._config)
        self._mesher = FaceMesher(self._detector, self._config)
        self._verifier = DetectionVerifier(self._detector, self._config)
        self._detection_thread = detection_thread or ThreadPoolExecutor(1, "face-detector")
        self._has_own_thread = detection_thread is None
        self._pending: Future[list[Box]] | None = None
        self._seen: Image = np.empty((0, 0, 3), np.uint8)
        self._memory = TrackMemory(self._config)
        self._believed: set[int] = set()

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
        wait([self._detection_thread.submit(bool)])
        self._pending = None
        self._memory = TrackMemory(self._config)
        self.set_interval(self._detect_every)

    def set_interval(self, detect_every: int) -> None:
        """Look for newcomers at least every so many beats, from the next one on."""
        self._detect_every = self._memory.schedule.detect_every = detect_every

    def close(self) -> None:
        """Free the networks."""
        if self._has_own_thread:
            self._detection_thread.shutdown()
        self._mesher.close()
        self._detector.close()

    def _track(self, image: Image, time_s: float | None) -> TrackingResult:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()
        memory, config = self._memory, self._config
        is_beat = memory.beats.is_due(time_s) or memory.is_new
        # The detector looks while the meshes follow; it has a core of its own, and its networks only this thread.
        # It is told what is known now: a track that is lost meanwhile must not count in one run and not in another.
        known, places, beat = [track.box for track in memory.followed], list(memory.places), memory.schedule.beat
        noticed = self._detection_thread.submit(self._notice, image, known, places, is_beat)
        found = self._detection_thread.submit(self._detect_noticed, noticed)
        followed = memory.followed
        for track in followed:
            if not track.follow(image, self._mesher, config):
                track.lose(beat)
        memory.drop_doubles()
        passes, seen = noticed.result()
        is_beat = is_beat or bool(passes)
        left = memory.followed
        is_urgent = memory.is_new or len(left) < len(followed) or (is_beat and not left)
        if is_urgent:
            self._detection_thread.submit(self._settle, seen, passes, found).result()
        # What follows from other looks changes tracks in the detection thread: they are told before.
        places = memory.places
        meshed = [track.face for track in memory.tracks if track.face is not None]
        faces, doubted = believed_faces(meshed, config.neighbours.belief, self._believed)
        self._believed = {face.id for face in faces}
        tracking = TrackingResult(
            faces,
            [track.cover(config) for track in places if not track.unseen] + doubted,
            [track.cover(config) for track in places if track.unseen] + memory.motion.newcomers.boxes,
            is_cut=memory.motion.is_cut,
        )
        if is_urgent or not is_beat:
            return tracking
        self._pending = self._detection_thread.submit(self._settle, seen, passes, found)
        return replace(tracking, pending_detections=self._pending.result)

    def _notice(
        self, image: Image, known: list[Box], places: list[Track], is_beat: bool
    ) -> tuple[list[DetectionPass], Image]:
        """The passes that this frame calls for, and the image for them: a copy where others will draw into it."""
        memory, (height, width) = self._memory, image.shape[:2]
        change = memory.motion.change(image, known)
        if not (is_beat or change.is_sudden):
            return [], image
        for track in places:
            track.unseen += 1
        is_searching = not known or any(track.state is TrackState.LOST for track in places)
        passes = memory.schedule.passes(width, height, change, is_new=memory.is_new, is_searching=is_searching)
        if not known:
            return passes, image
        if self._seen.shape != image.shape:
            self._seen = np.empty_like(image)
        np.copyto(self._seen, image)
        return passes, self._seen

    def _detect_noticed(self, noticed: "Future[tuple[list[DetectionPass], Image]]") -> list[Detection]:
        passes, image = noticed.result()
        return self._detector.search(image, passes)

    def _settle(self, image: Image, passes: list[DetectionPass], found: "Future[list[Detection]]") -> list[Box]:
        """What follows from the passes at a frame; in the detection thread. Returns places not known before."""
        memory = self._memory
        followed, covered = memory.followed, [track.cover(self._config) for track in memory.places]
        detections = found.result()
        whole = DetectionPass("full")
        if whole not in passes and any(track.state is TrackState.LOST for track in memory.places):
            detections += self._detector.search(image, [whole])
            passes = [*passes, whole]
        if self._config.is_patient and memory.schedule.is_thorough:
            memory.drop_places()
        if passes:
            self._take_up(image, detections)
            memory.motion.remember()
            memory.is_new = False
        self._confirm(image)
        self._look_at_places(image)
        memory.forget(image)
        fresh = [track.box for track in memory.followed if track not in followed]
        fresh += [track.cover(self._config) for track in memory.places]
        return [box for box in fresh if not any(old.contains(box) for old in covered)]

    def _take_up(self, image: Image, detections: list[Detection]) -> None:
        """Follow new faces, and remember the places of those that get no mesh."""
        memory, config = self._memory, self._config
        memory.age_dismissed()
        for one in detections:
            known = [track for track in memory.followed if is_same_face(one.box, track.box, config.neighbours)]
            for track in known:
                track.see(image, memory.schedule.beat, config)
                track.looks.doubts = 0
                track.is_person |= len(known) == 1
            heads = [track.box for track in memory.followed]
            if known or self._verifier.is_speck(image, one, heads) or self._start(image, one):
                continue
            if self._verifier.is_surely_a_face(image, one, memory) and self._detector.is_another(image, one, heads):
                self._suspect(image, one)
        memory.drop_doubles()

    def _confirm(self, image: Image) -> None:
        """Stop believing a mesh that no look confirms: it may have settled on something else."""
        memory, config = self._memory, self._config
        beat = memory.schedule.beat
        unseen = [
            track
            for track in memory.followed
            if beat - track.seen_at > max(config.mesh.confirm_beats, self._detect_every)
        ]
        if not unseen:
            return
        track = unseen[beat % len(unseen)]
        assert track.face is not None
        found = self._detector.look_closely(image, track.box, track.face.fit.roll_rad)
        # From near, a neighbour shows as well as this face does.
        if found is not None and not self._is_neighbour(found.box, track):
            track.see(image, beat, config)
            track.looks.doubts = 0
            return
        track.looks.doubts += 1
        if track.looks.doubts >= config.mesh.most_doubts:
            track.lose(beat)

    def _is_neighbour(self, box: Box, track: Track) -> bool:
        """Whether this is another followed face rather than that of the track."""
        others = [one.box for one in self._memory.followed if one is not track]
        return any(box.overlap(other) > box.overlap(track.box) for other in others)

    def _start(self, image: Image, one: Detection) -> bool:
        """Follow this face; False when it gets no mesh, or enough are followed."""
        memory, config = self._memory, self._config
        if len(memory.followed) >= config.search.max_faces:
            return False
        place = memory.place_at(one.box)
        face_id = self._next_id if place is None or place.face_id is None else place.face_id
        turns = list(dict.fromkeys((one.quarter_turns, *(TURNS if one.is_certain else ()))))
        face = face_from(self._mesher.find(image, one.box, turns), face_id, config.mesh.confidence)
        if face is None or not one.box.grown(config.mesh.reach).holds(face.box.centre):
            return False
        if not one.is_certain and any(_share_a_middle(face.box, track.box) for track in memory.followed):
            # What a doubt finds where a face is followed, a body upside down for one, is that face once more.
            return False
        self._next_id = max(self._next_id, face_id + 1)
        if place is None:
            place = Track(TrackState.TENTATIVE, face.box, face.box, memory.schedule.beat)
            memory.tracks.append(place)
        else:
            # Last in the list, as a new one: the order is that of the drawings.
            memory.tracks.append(memory.tracks.pop(memory.tracks.index(place)))
        place.take(face, memory.schedule.beat)
        place.see(image, memory.schedule.beat, config)
        return True

    def _suspect(self, image: Image, one: Detection) -> None:
        """A face without a mesh: a new place, or the one known there seen again."""
        memory, config = self._memory, self._config
        place = memory.place_at(one.box)
        if place is None:
            place = Track(TrackState.TENTATIVE, one.box, one.box, memory.schedule.beat)
            memory.tracks.append(place)
        place.quarter_turns = one.quarter_turns
        # A part of a face that is half hidden must not become all that is covered.
        is_whole = is_alike_in_size(one.box, place.box, config.neighbours)
        place.see(image, memory.schedule.beat, config, one.box if is_whole else None)

    def _look_at_places(self, image: Image) -> None:
        """Close looks at some of the places that no pass has confirmed in this beat, the longest unseen first."""
        memory, config, beat = self._memory, self._config, self._memory.schedule.beat
        places = memory.places
        count = -(-len(places) // config.search.places_per_look) * config.search.places_looked_at
        due = [track for track in places if track.unseen and beat - track.looks.at >= config.search.place_beats]
        for track in sorted(due, key=lambda one: one.looks.at)[:count]:
            track.looks.at = beat
            is_new = track.face_id is None
            turns: tuple[int, ...] = (track.quarter_turns if is_new else TURNS[track.looks.missed % len(TURNS)],)
            if config.is_patient:
                turns = TURNS
            found = self._detector.look_closely(image, track.box, 0.0, turns, is_certain=is_new)
            if config.is_patient and found is not None and not self._verifier.is_there(found, track.box):
                found = None
            if found is None or memory.is_followed(track.box.centre, config.places.followed_margin):
                track.looks.missed += len(turns)
            elif not self._start(image, found):
                is_whole = is_alike_in_size(found.box, track.box, config.neighbours)
                track.see(image, beat, config, found.box if is_whole else None)


def _share_a_middle(one: Box, other: Box) -> bool:
    return one.holds(other.centre) or other.holds(one.centre)
