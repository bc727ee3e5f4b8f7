"""Finding the faces of still pictures."""

from collections.abc import Sequence

from toonfilter.runtime.faces.believed import believed_faces
from toonfilter.runtime.faces.config import TrackingConfig
from toonfilter.runtime.faces.detection import Face, FaceMesher, face_from
from toonfilter.runtime.faces.detector import TURNS, Detection, FaceDetector, thorough_passes
from toonfilter.runtime.faces.verification import DetectionVerifier
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.box import Box

UPRIGHT = (0,)
"""Turns of pictures whose people are known to stand or sit."""


class StillFaceFinder:
    """Faces of still pictures, each picture on its own. Not thread safe."""

    def __init__(
        self, max_faces: int = 64, *, config: TrackingConfig | None = None, turns: Sequence[int] = TURNS
    ) -> None:
        """turns: quarters clockwise by which faces may be turned; fewer are faster."""
        self._max_faces, self._turns = max_faces, turns
        self._config = config or TrackingConfig()
        self._detector = FaceDetector(self._config)
        self._mesher = FaceMesher(self._detector, self._config)
        self._verifier = DetectionVerifier(self._detector, self._config)

    def find(self, image: Image) -> tuple[list[Face], list[Box]]:
        """Faces with a mesh, the most certain first, and the places of those without. image: uint8 [H, W, 3] RGB."""
        height, width = image.shape[:2]
        faces: list[Face] = []
        unmeshed: list[Detection] = []
        doubted_alone: list[Face] = []
        for one in self._detector.search(image, thorough_passes(width, height, self._config, self._turns)):
            heads = [face.box for face in faces]
            if any(box.holds(one.box.centre) for box in heads) or self._verifier.is_speck(image, one, heads):
                continue
            face = self._meshed(image, one, faces) if len(faces) < self._max_faces else None
            is_its = face is not None and self._is_its(face, one, faces)
            if not self._is_face(image, one, has_mesh=face is not None):
                if face is not None and is_its and one.evidence >= self._config.detection.alone_evidence:
                    doubted_alone.append(face)
            elif face is not None and is_its:
                faces.append(face)
            else:
                unmeshed.append(one)
        faces = faces or doubted_alone[:1]
        known = [face.box for face in faces]
        others = [one for one in unmeshed if self._detector.is_another(image, one, known, self._turns)]
        places = [one.box for one in others if not known or self._may_be_face(image, one, known)]
        belief = self._config.neighbours.belief
        believed, doubted = believed_faces(faces, belief, unmeshed=[one.box for one in unmeshed])
        return believed, places + doubted

    def _meshed(self, image: Image, one: Detection, faces: Sequence[Face]) -> Face | None:
        """The face of a mesh that fits, if any is that of the detection."""
        turns = list(dict.fromkeys(turn for turn in (one.quarter_turns, *self._turns) if turn in self._turns))
        least, face_id = self._config.mesh.confidence, len(faces)
        face = face_from(self._mesher.find(image, one.box, turns), face_id, least)
        if face is None:
            closer = self._detector.look_closely(image, one.box, 0.0, turns)
            return None if closer is None else face_from(self._mesher.find(image, closer.box, turns), face_id, least)
        if not self._is_its(face, one, faces):
            # The likeliest turn is not always the right one.
            each = (face_from(self._mesher.find(image, one.box, (turn,)), face_id, least) for turn in turns)
            face = next((other for other in each if other is not None and self._is_its(other, one, faces)), face)
        return face

    def _is_its(self, face: Face, one: Detection, faces: Sequence[Face]) -> bool:
        """Whether a mesh is that of the detected face: in textures it is another; it may slip onto a neighbour's."""
        config = self._config.mesh
        is_near = face.box.overlap(one.box) >= config.still_overlap
        return is_near and not any(face.box.overlap(other.box) >= config.double_overlap for other in faces)

    def _is_face(self, image: Image, one: Detection, *, has_mesh: bool) -> bool:
        """Whether enough passes agree, or a close look is sure."""
        config = self._config
        if one.evidence >= (config.detection.meshed_evidence if has_mesh else config.detection.least_evidence):
            return True
        # A single doubt in so many passes means little; it must at least look the same from near.
        is_lone = one.evidence < config.detection.meshed_evidence
        turns = (one.quarter_turns,) if is_lone else self._turns
        seen = self._detector.look_closely(image, one.box, 0.0, turns, is_certain=True)
        return seen is not None and (has_mesh or not is_lone or seen.score >= config.detection.lone_score)

    def _may_be_face(self, image: Image, one: Detection, known: Sequence[Box]) -> bool:
        """Whether a close look at least doubts that there is none: collars, ears and rooms look like faces from far."""
        seen = self._detector.look_closely(image, one.box, 0.0, self._turns, known=known)
        return seen is not None and seen.score >= self._config.detection.near_score

    def close(self) -> None:
        """Free the networks."""
        self._detector.close()
        self._mesher.close()
