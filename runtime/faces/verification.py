"""Which detections are faces: by themselves, with a close look, or not."""

from collections.abc import Sequence

from toonfilter.runtime.faces.config import NeighbourConfig, TrackingConfig
from toonfilter.runtime.faces.detector import TURNS, Detection, FaceDetector
from toonfilter.runtime.faces.memory import TrackMemory
from toonfilter.runtime.faces.tracks import Track
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.box import Box


class DetectionVerifier:
    """Doubts detections, and looks closely where it does. Not thread safe.

    detector: the caller's.
    """

    def __init__(self, detector: FaceDetector, config: TrackingConfig) -> None:
        self._detector, self._config = detector, config

    def is_surely_a_face(self, image: Image, one: Detection, memory: TrackMemory) -> bool:
        """By itself, or with a close look at a doubtful place; not soon again where that showed none.

        image: uint8 [H, W, 3] RGB. memory: what is known, and where doubts are dismissed.
        """
        config = self._config
        upright = one.is_certain and not one.quarter_turns
        if upright and config.is_patient and one.evidence < config.detection.meshed_evidence:
            # Textures are certain faces to one network at one size; a face is at least a doubt from near.
            upright = self._detector.look_closely(image, one.box, 0.0, TURNS) is not None
        place = memory.place_at(one.box)
        is_known = place is not None and (not config.is_patient or self._is_at(one.box, place))
        if upright or one.evidence >= config.detection.least_evidence or is_known:
            return True
        if memory.was_dismissed(one.box):
            return False
        turns = list(dict.fromkeys((one.quarter_turns, *(TURNS if config.is_patient else (0,)))))
        heads = [track.box for track in memory.followed]
        if self._detector.look_closely(image, one.box, 0.0, turns, is_certain=True, known=heads) is not None:
            return True
        memory.dismiss(one.box)
        return False

    def is_speck(self, image: Image, one: Detection, heads: Sequence[Box]) -> bool:
        """Whether this is a detail of somebody's hair or hat, which at times even a mesh fits."""
        config, size_px = self._config.neighbours, max(one.box.width, one.box.height)
        near = (head for head in heads if head.grown(config.speck_margin).holds(one.box.centre))
        if not any(size_px < config.speck_size * head.width for head in near):
            return False
        return self._detector.look_closely(image, one.box, 0.0, (one.quarter_turns,), is_certain=True) is None

    def is_there(self, found: Detection, box: Box) -> bool:
        """Whether a close look in all turns, which sees doubtful faces beside the place easily, found this one."""
        return found.is_certain or box.grown(self._config.neighbours.place_margin).holds(found.box.centre)

    def _is_at(self, box: Box, place: Track) -> bool:
        """Whether this is the face of the place rather than something that touches it, or a part of it."""
        is_on_it = place.cover(self._config).holds(box.centre)
        return is_on_it and is_alike_in_size(box, place.box, self._config.neighbours)


def is_alike_in_size(one: Box, other: Box, config: NeighbourConfig) -> bool:
    """Whether two boxes may be of one face, rather than of a face and a part of it."""
    growth = max(one.width, one.height) / max(other.width, other.height, 1.0)
    return 1 / config.most_growth < growth < config.most_growth
