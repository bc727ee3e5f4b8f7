"""Faces with their meshes.

Each face gets a mesh that sees only the square around it, so that small and large faces get the same mesh, identities
stay apart and a followed face costs no detection.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.faces.config import TrackingConfig
from toonfilter.runtime.faces.detector import FaceDetector
from toonfilter.runtime.faces.mesh import FaceMesh, square_after, square_around
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import CropTransform, HeadFit, Landmarks, fit_head, mean_face
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.geometry.landmarks import IRISES
from toonfilter.runtime.geometry.sampling import take_view

_MESH_CONFIDENCE = TrackingConfig().mesh.confidence
_MEAN_CONFIDENCE, _LOST_BY_DEVIATION = 1.25, 5.0
"""Confidence of the mean face before it is cut off at 1, and how much is lost with each head's scale of mean deviation
from it. Raising the first, or lowering the second, believes meshes that look less like faces."""


@dataclass(frozen=True, slots=True)
class Face:
    """One face of one frame.

    landmarks: float32 [478, 3] frame px, irises included. box: around the mesh. fit: where the head is.
    id: the same from frame to frame. confidence: 0 to 1, how far the mesh is a face.
    """

    landmarks: Landmarks
    box: Box
    fit: HeadFit
    id: int
    confidence: float

    @property
    def pose(self) -> tuple[float, float, float]:
        return self.fit.pose_degrees


class FaceMesher:
    """Meshes of faces. Not thread safe.

    detector: the caller's; `find` looks with it.
    """

    def __init__(self, detector: FaceDetector, config: TrackingConfig | None = None) -> None:
        self._detector = detector
        self._config = config or TrackingConfig()
        self._mesh = FaceMesh()
        self._view = np.empty((self._config.mesh.view.view_px,) * 2 + (3,), np.uint8)

    def find(self, image: Image, around: Box, turns: Sequence[int] = (0,)) -> Landmarks | None:
        """float32 [478, 3] image px of a face in a square around this place, or None.

        image: uint8 [H, W, 3] RGB. turns: quarters clockwise by which the face may be turned, the likeliest first.
        """
        config = self._config.mesh.view
        side_px = config.view_size * max(around.width, around.height)
        close = CropTransform(*around.centre, side_px, roll_rad=0.0, size=config.view_px)
        view = take_view(image, close, self._view)
        found = [(turn, face) for turn in turns if (face := self._detector.closest(view, turn)) is not None]
        # A masked face looks like one upside down; where scores are near, the detection knows better.
        for _, face in sorted(found, key=lambda one: -float(one[1][4]) - config.likeliest_bonus * (one[0] == turns[0])):
            square = square_around(face[:4], *face[5:].reshape(-1, 2))
            landmarks = self._read(image, _of_frame(square, close))
            # As in video, where each square comes of the last landmarks: what the detector guessed no longer tells.
            for _ in range(config.settling):
                if landmarks is not None:
                    landmarks = self.follow(image, landmarks)
            if landmarks is not None and self._fits(close.to_crop(landmarks), face):
                return landmarks
        return None

    def _fits(self, landmarks: Landmarks, face: NDArray[np.float32]) -> bool:
        """Whether a mesh lies on the face that was detected. Both in the same picture; face: see `closest`."""
        box, eyes = Box(*face[:4].tolist()), face[5:].reshape(-1, 2)
        beside_px = float(np.linalg.norm(landmarks[[*IRISES], :2] - eyes, axis=1).mean())
        if beside_px > self._config.mesh.eyes * max(box.width, box.height):
            return False
        return box.overlap(box_around(landmarks)) >= self._config.mesh.overlap

    def follow(self, image: Image, before: Landmarks) -> Landmarks | None:
        """As `find`, of the face that had these landmarks in the frame before."""
        return self._read(image, square_after(before))

    def _read(self, image: Image, square: CropTransform) -> Landmarks | None:
        landmarks, certainty = self._mesh.read(image, square)
        return landmarks if certainty >= self._config.mesh.score else None

    def close(self) -> None:
        """Free the mesh; the detector is the caller's."""
        self._mesh.close()


def _of_frame(square: CropTransform, close: CropTransform) -> CropTransform:
    """A square of a close-up, which is not turned, in the frame."""
    centre = close.to_frame(np.array([[square.centre_x_px, square.centre_y_px]]))[0]
    side_px = square.side_px * close.side_px / close.size
    return replace(square, centre_x_px=float(centre[0]), centre_y_px=float(centre[1]), side_px=side_px)


def mesh_confidence(landmarks: Landmarks, fit: HeadFit) -> float:
    """1 for the mean face, falling to 0 as the mesh departs from anything face-like.

    landmarks: float32 [478, 3] px. fit: its rigid fit.
    """
    expected = fit.scale * mean_face() @ fit.rotation.T + fit.translation
    deviation = float(np.sqrt(((landmarks - expected) ** 2).sum(1).mean())) / max(fit.scale, 1e-6)
    return float(np.clip(_MEAN_CONFIDENCE - _LOST_BY_DEVIATION * deviation, 0.0, 1.0))


def box_around(landmarks: Landmarks) -> Box:
    """The rectangle around a mesh."""
    left, top = landmarks[:, :2].min(0).tolist()
    right, bottom = landmarks[:, :2].max(0).tolist()
    return Box(left, top, right, bottom)


def face_from(landmarks: Landmarks | None, face_id: int, least_confidence: float = _MESH_CONFIDENCE) -> Face | None:
    """The face of a mesh, or None where there is no mesh or it is not believable."""
    if landmarks is None or not np.isfinite(landmarks).all():
        return None
    fit = fit_head(landmarks)
    confidence = mesh_confidence(landmarks, fit)
    if confidence < least_confidence:
        return None
    return Face(landmarks, box_around(landmarks), fit, face_id, confidence)
