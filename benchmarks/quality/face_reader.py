"""One reading of a face: everything the class measures compare, taken the same way before and after."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.quality import expression, skin_tone
from toonfilter.benchmarks.quality.identity import Embedding, Recogniser
from toonfilter.benchmarks.quality.pictures import Image
from toonfilter.runtime.faces.detection import FaceMesher
from toonfilter.runtime.faces.detector import FaceDetector
from toonfilter.runtime.geometry.alignment import fit_head
from toonfilter.runtime.geometry.box import Box


@dataclass(frozen=True, slots=True)
class FaceReading:
    """What the mesh and the picture of one face say.

    landmarks: float32 [478, 3] px. around: where the mesh was looked for. pose_degrees: yaw, pitch, roll.
    ita_degrees: NaN where no skin tone can be read. embedding: None without a recogniser.
    """

    landmarks: NDArray[np.floating[Any]]
    around: Box
    mouth_opening: float
    eye_opening: float
    gaze: tuple[float, float]
    pose_degrees: tuple[float, float, float]
    ita_degrees: float
    embedding: Embedding | None


class FaceReader:
    """Reads faces of still pictures with MediaPipe's detector and mesh. Not thread safe."""

    def __init__(self, recogniser: Recogniser | None = None) -> None:
        self._detector = FaceDetector()
        self._mesher = FaceMesher(self._detector)
        self._recogniser = recogniser

    def read(self, image: Image, around: Box | None = None) -> FaceReading | None:
        """The reading of the largest face, or of the one at `around`; None where no mesh is found.

        image: uint8 [H, W, 3] RGB. Giving the place of the input's face to the reading of the output makes both
        readings see the same square, however the output looks to a detector. Where there is no mesh, the whole picture
        is the last place tried: the detector misses some faces, in profile or cut off, that the mesh still fits.
        """
        height, width = image.shape[:2]
        if around is None:
            boxes = self._detector.find(image)
            around = max(boxes, key=lambda box: box.width * box.height) if boxes else None
        # The mesher looks at a square 1.9 times the box.
        side = max(height, width) / 1.9
        whole = Box((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
        for place in (around, whole):
            landmarks = self._mesher.find(image, place) if place is not None else None
            if landmarks is not None and np.isfinite(landmarks).all():
                return self._reading(image, landmarks, place or whole)
        return None

    def _reading(self, image: Image, landmarks: NDArray[np.float32], around: Box) -> FaceReading:
        return FaceReading(
            landmarks,
            around,
            expression.mouth_opening(landmarks),
            expression.eye_opening(landmarks),
            expression.gaze(landmarks),
            fit_head(landmarks).pose_degrees,
            skin_tone.skin_tone(image, landmarks),
            self._recogniser.embedding(image, landmarks) if self._recogniser else None,
        )

    def close(self) -> None:
        """Free the networks."""
        self._detector.close()
        self._mesher.close()


def compare_faces(before: FaceReading, after: FaceReading | None) -> dict[str, float]:
    """The figures of one picture, by column: see `measures.CLASS_MEASURES`. Columns that cannot be had are left out."""
    columns = {
        "found": float(after is not None),
        "ita_before": before.ita_degrees,
        "yaw_before": before.pose_degrees[0],
    }
    if after is None:
        return columns
    columns |= {
        "mouth_before": before.mouth_opening,
        "mouth_after": after.mouth_opening,
        "eyes_before": before.eye_opening,
        "eyes_after": after.eye_opening,
        "gaze_difference": expression.gaze_difference(before.gaze, after.gaze),
    }
    for name, first, second in zip(("yaw", "pitch", "roll"), before.pose_degrees, after.pose_degrees, strict=True):
        columns[f"{name}_difference"] = abs((second - first + 180) % 360 - 180)
    if before.embedding is not None and after.embedding is not None:
        columns["identity"] = float(before.embedding @ after.embedding)
    change = (after.ita_degrees - before.ita_degrees + 180) % 360 - 180
    if np.isfinite(change):
        columns["ita_after"] = after.ita_degrees
        columns[f"ita_change_{skin_tone.ita_group(before.ita_degrees)}"] = change
    return columns
