"""Finding and following faces with MediaPipe's networks.

A full-range detector finds faces down to a twelfth of the frame's height; each face is then followed by a mesh that
sees only the square around it, so that small and large faces get the same mesh, identities stay apart and a followed
face costs no detection. Detection runs again when a face is lost, when something moves where no face is known, and at
an interval.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.faces.blazeface import FULL_RANGE, SHORT_RANGE, BlazeFace
from toonfilter.runtime.faces.mesh import FaceMesh, square_after, square_around
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import CropTransform, HeadFit, Landmarks, fit_head, mean_face
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.geometry.sampling import take_view

Reach = Literal["full", "short", "both"]
_MIN_FULL_RANGE_SCORE = 0.6
# The short-range model sees faces in texture at scores up to 0.7.
_MIN_SHORT_RANGE_SCORE = 0.75
# Where a leak would be worse than a false alarm. On clips of one person each, 0.35 gave no false alarm in 255 frames.
_SUSPECT_FULL_RANGE_SCORE = 0.35
_SUSPECT_SHORT_RANGE_SCORE = 0.5
_MIN_SIDE_SCORE = 0.55
_SIDE_SHARE = 0.2
_CLOSE_LOOK_PX = 192
_CLOSE_LOOK_FACES = 2.6
_CLOSE_PX = 256
_MESH_SQUARE_FACES = 1.9
_MESH_SCORE = 0.5
_SETTLING = 2


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


class Detection(NamedTuple):
    """A place that may be a face. is_certain: with the scores of `FaceDetector.find`."""

    box: Box
    is_certain: bool


class FaceDetector:
    """Faces anywhere in a picture, by MediaPipe's full-range and short-range models. Not thread safe."""

    def __init__(self) -> None:
        self._full_range = BlazeFace(FULL_RANGE)
        self._short_range = BlazeFace(SHORT_RANGE)

    def find(self, image: Image) -> list[Box]:
        """Boxes from brow to chin in image pixels, the most certain first. image: uint8 [H, W, 3] RGB."""
        found = _boxes(self._full_range, image, _MIN_FULL_RANGE_SCORE)
        return found or _boxes(self._short_range, image, _MIN_SHORT_RANGE_SCORE)

    def suspects(
        self, image: Image, reach: Reach = "both", certain_short: float = _MIN_SHORT_RANGE_SCORE
    ) -> list[Detection]:
        """As `find`, with doubtful ones: lower scores. reach: the model, or both."""
        found: list[Detection] = []
        if reach != "short":
            scored = _scored_boxes(self._full_range, image, _SUSPECT_FULL_RANGE_SCORE)
            found += [Detection(box, score >= _MIN_FULL_RANGE_SCORE) for box, score in scored]
        if reach != "full":
            scored = _scored_boxes(self._short_range, image, _SUSPECT_SHORT_RANGE_SCORE)
            found += [Detection(box, score >= certain_short) for box, score in scored]
        return found

    def suspects_at_sides(self, image: Image, reach: Reach = "both") -> list[Detection]:
        """Faces that are only half in the picture, at its left and right side.

        The two sides are laid beside their mirror images: half a face and its reflection are a face to the detector.
        """
        width = image.shape[1]
        share_px = max(1, int(width * _SIDE_SHARE))
        left, right = image[:, :share_px], image[:, width - share_px :]
        mirrored = cv2.hconcat([cv2.flip(left, 1), left, right, cv2.flip(right, 1)])
        found = []
        for box, is_certain in self.suspects(mirrored, reach, _MIN_SIDE_SCORE):
            is_left = box.centre[0] < 2 * share_px
            axis = share_px if is_left else 3 * share_px
            # How far into the picture it reaches, from whichever half of the mirrored pair.
            depth = max(abs(box.left - axis), abs(box.right - axis))
            if is_left:
                box = Box(depth - box.width, box.top, depth, box.bottom)
            else:
                box = Box(width - depth, box.top, width - depth + box.width, box.bottom)
            found.append(Detection(box, is_certain))
        return found

    def sees(self, image: Image, box: Box, roll_rad: float, *, is_certain: bool = False) -> bool:
        """A close look: whether there may be a face here, turned in the picture's plane by this much clockwise.

        is_certain: or rather whether there surely is one.
        """
        side_px = _CLOSE_LOOK_FACES * max(box.width, box.height)
        matrix = CropTransform(*box.centre, side_px, roll_rad, _CLOSE_LOOK_PX).frame_to_crop
        view = cv2.warpAffine(image, matrix, (_CLOSE_LOOK_PX, _CLOSE_LOOK_PX), borderMode=cv2.BORDER_REFLECT_101)
        middle = Box(0, 0, _CLOSE_LOOK_PX - 1, _CLOSE_LOOK_PX - 1).grown(-0.25)
        for reach in ("short", "full"):
            for found in self.suspects(view, reach):
                if middle.holds(found.box.centre) and (found.is_certain or not is_certain):
                    return True
        return False

    def closest(self, image: Image) -> NDArray[np.float32] | None:
        """The most certain face of a close-up, with its eyes, as `BlazeFace.find` tells it. image: see `find`."""
        found = self._short_range.find(image, _MESH_SCORE)
        return found[0] if len(found) else None

    def find_in(self, image: Image, view: Box) -> list[Box]:
        """As `find`, looking only at this part of the picture; boxes are in pixels of the whole."""
        left, top = max(0, int(view.left)), max(0, int(view.top))
        part = np.ascontiguousarray(image[top : int(view.bottom), left : int(view.right)])
        if part.size == 0:
            return []
        return [Box(box.left + left, box.top + top, box.right + left, box.bottom + top) for box in self.find(part)]

    def find_thoroughly(self, image: Image) -> list[Box]:
        """The whole picture and overlapping parts of it: small faces between large ones are found too."""
        height, width = image.shape[:2]
        found = self.find(image)
        for share in (1.0, 0.5):
            for view in tiles(width, height, share * min(width, height)):
                found += self.find_in(image, view)
        return without_doubles(found)

    def close(self) -> None:
        """Free the networks."""
        self._full_range.close()
        self._short_range.close()


def _boxes(detector: BlazeFace, image: Image, min_score: float) -> list[Box]:
    return [box for box, _ in _scored_boxes(detector, image, min_score)]


def _scored_boxes(detector: BlazeFace, image: Image, min_score: float) -> list[tuple[Box, float]]:
    return [(Box(*values[:4]), values[4]) for values in detector.find(image, min_score).tolist()]


def tiles(width: int, height: int, side_px: float) -> list[Box]:
    """Squares of this side that cover a picture, each half over its neighbour; none where one is the whole picture."""
    side_px = min(side_px, width, height)
    columns = 1 + math.ceil((width - side_px) / (side_px / 2))
    rows = 1 + math.ceil((height - side_px) / (side_px / 2))
    if columns * rows == 1:
        return []
    lefts = np.linspace(0, width - side_px, columns).tolist()
    tops = np.linspace(0, height - side_px, rows).tolist()
    return [Box(left, top, left + side_px, top + side_px) for top in tops for left in lefts]


def without_doubles(boxes: list[Box]) -> list[Box]:
    """The boxes without those that overlap an earlier one by a third, or lie in its middle."""
    kept: list[Box] = []
    for box in boxes:
        if all(box.overlap(other) < 0.33 and not other.holds(box.centre) for other in kept):
            kept.append(box)
    return kept


class FaceMesher:
    """Meshes of faces. Not thread safe.

    detector: the caller's; `find` looks with it.
    """

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self._mesh = FaceMesh()
        self._view = np.empty((_CLOSE_PX, _CLOSE_PX, 3), np.uint8)

    def find(self, image: Image, around: Box) -> Landmarks | None:
        """float32 [478, 3] image px of a face in a square around this place, or None. image: uint8 [H, W, 3] RGB."""
        close = CropTransform(
            *around.centre, _MESH_SQUARE_FACES * max(around.width, around.height), roll_rad=0.0, size=_CLOSE_PX
        )
        face = self._detector.closest(take_view(image, close, self._view))
        if face is None:
            return None
        corners, eyes = (close.to_frame(points.reshape(-1, 2)) for points in (face[:4], face[5:]))
        landmarks = self._read(image, square_around(corners.reshape(-1), *eyes))
        # As in video, where each square comes of the last landmarks: what the detector guessed no longer tells.
        for _ in range(_SETTLING):
            if landmarks is not None:
                landmarks = self.follow(image, landmarks)
        return landmarks

    def follow(self, image: Image, before: Landmarks) -> Landmarks | None:
        """As `find`, of the face that had these landmarks in the frame before."""
        return self._read(image, square_after(before))

    def _read(self, image: Image, square: CropTransform) -> Landmarks | None:
        landmarks, certainty = self._mesh.read(image, square)
        return landmarks if certainty >= _MESH_SCORE else None

    def close(self) -> None:
        """Free the mesh; the detector is the caller's."""
        self._mesh.close()


def mesh_confidence(landmarks: Landmarks, fit: HeadFit) -> float:
    """1 for the mean face, falling to 0 as the mesh departs from anything face-like.

    landmarks: float32 [478, 3] px. fit: its rigid fit.
    """
    expected = fit.scale * mean_face() @ fit.rotation.T + fit.translation
    deviation = float(np.sqrt(((landmarks - expected) ** 2).sum(1).mean())) / max(fit.scale, 1e-6)
    return float(np.clip(1.25 - 5 * deviation, 0.0, 1.0))


def box_around(landmarks: Landmarks) -> Box:
    """The rectangle around a mesh."""
    left, top = landmarks[:, :2].min(0).tolist()
    right, bottom = landmarks[:, :2].max(0).tolist()
    return Box(left, top, right, bottom)


MIN_CONFIDENCE = 0.5
"""Below it a mesh is not believed; a wrong drawing would leave the real face open beside it."""


def face_from(landmarks: Landmarks | None, face_id: int) -> Face | None:
    """The face of a mesh, or None where there is no mesh or it is not believable."""
    if landmarks is None or not np.isfinite(landmarks).all():
        return None
    fit = fit_head(landmarks)
    confidence = mesh_confidence(landmarks, fit)
    if confidence < MIN_CONFIDENCE:
        return None
    return Face(landmarks, box_around(landmarks), fit, face_id, confidence)


class StillFaceFinder:
    """Faces of still pictures, each picture on its own. Not thread safe."""

    def __init__(self, max_faces: int = 16) -> None:
        self._max_faces = max_faces
        self._detector = FaceDetector()
        self._mesher = FaceMesher(self._detector)

    def find(self, image: Image) -> tuple[list[Face], list[Box]]:
        """Faces with a mesh, the most certain first, and the places of those without. image: uint8 [H, W, 3] RGB."""
        faces: list[Face] = []
        unmeshed: list[Box] = []
        for box in self._detector.find_thoroughly(image):
            face = face_from(self._mesher.find(image, box), len(faces)) if len(faces) < self._max_faces else None
            if face is None:
                unmeshed.append(box)
            elif all(face.box.overlap(other.box) < 0.5 for other in faces):
                faces.append(face)
        for box, _ in self._detector.suspects(image):
            face = face_from(self._mesher.find(image, box), len(faces)) if len(faces) < self._max_faces else None
            # A mesh makes a face of a doubt.
            if face is not None and all(face.box.overlap(other) < 0.2 for other in _places(faces, unmeshed)):
                faces.append(face)
        return faces, unmeshed

    def close(self) -> None:
        """Free the networks."""
        self._detector.close()
        self._mesher.close()


def _places(faces: list[Face], unmeshed: list[Box]) -> list[Box]:
    return [*(face.box for face in faces), *unmeshed]
