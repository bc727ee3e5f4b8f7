"""What the tracker knows from one frame to the next: tracks, places, and what it may forget of them."""

from toonfilter.runtime.faces.config import TrackingConfig
from toonfilter.runtime.faces.motion import Motion, RateLimiter
from toonfilter.runtime.faces.schedule import DetectionSchedule
from toonfilter.runtime.faces.tracks import Track, TrackState
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.box import Box


class TrackMemory:
    """What is known of the frames so far; a new one knows nothing."""

    def __init__(self, config: TrackingConfig) -> None:
        self.config = config
        self.schedule = DetectionSchedule(config)
        self.beats = RateLimiter(config.schedule)
        self.motion = Motion(config)
        self.is_new = True
        self.tracks: list[Track] = []
        self._dismissed: list[tuple[Box, int]] = []

    @property
    def followed(self) -> list[Track]:
        """Faces with a mesh."""
        return [track for track in self.tracks if track.state is TrackState.TRACKED]

    @property
    def places(self) -> list[Track]:
        """Where faces without a mesh are or were."""
        return [track for track in self.tracks if track.state is not TrackState.TRACKED]

    def place_at(self, box: Box) -> Track | None:
        """The place without a mesh that is most likely this one."""
        place = max(self.places, key=lambda one: one.cover(self.config).overlap(box), default=None)
        return None if place is None or place.cover(self.config).overlap(box) <= 0 else place

    def is_followed(self, point: tuple[float, float], margin: float) -> bool:
        """Whether the point lies on a followed face, or beside it by so many of its sides."""
        return any(track.box.grown(margin).holds(point) for track in self.followed)

    def drop_doubles(self) -> None:
        """Two meshes on one face: the one that stayed where it was keeps it; where the other was stays a place.

        A mesh within a larger one is half of the same face, as at an edge.
        """
        for track in self.followed:
            if any(one.box.width > track.box.width and one.box.contains(track.box) for one in self.followed):
                track.lose(self.schedule.beat)
                track.is_person = False
        kept: list[Track] = []
        for track in sorted(self.followed, key=lambda one: (-one.stayed, one.face_id)):
            if any(one.box.overlap(track.box) > self.config.mesh.double_overlap for one in kept):
                track.lose(self.schedule.beat)
            else:
                kept.append(track)

    def forget(self, image: Image) -> None:
        """Drop the places that a followed face covers, and those where nobody is any more."""
        gone = [track for track in self.places if self._is_drawn(track) or track.is_over(image, self.config)]
        self.tracks = [track for track in self.tracks if track not in gone]

    def drop_places(self) -> None:
        """At a cut, when everything is looked at: where somebody was before is another place now."""
        self.tracks = self.followed

    def _is_drawn(self, place: Track) -> bool:
        """Whether followed faces hide this place; a face that was lost behind another one looks out beside it."""
        margin = self.config.places.drawn_margin
        if place.face_id is None:
            return self.is_followed(place.box.centre, margin)
        return not place.is_person and any(track.box.grown(margin).contains(place.box) for track in self.followed)

    def age_dismissed(self) -> None:
        """Doubts that were dismissed long ago may come again."""
        most_beats = self.config.search.dismissed_beats
        self._dismissed = [one for one in self._dismissed if self.schedule.beat - one[1] < most_beats]

    def was_dismissed(self, box: Box) -> bool:
        """Whether a close look found nobody there lately."""
        return any(box.overlap(old) > self.config.neighbours.dismissed_overlap for old, _ in self._dismissed)

    def dismiss(self, box: Box) -> None:
        """A close look found nobody there."""
        self._dismissed.append((box, self.schedule.beat))
