"""What a face says: mouth opening, eye opening and gaze, read from the mesh, free of size and position.

Distances are taken in three dimensions, so that turning the head does not open the mouth.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import BELOW_NOSE, FOREHEAD, IRISES, LID_POINTS, LIP_GAPS

Landmarks = NDArray[np.floating[Any]]


def mouth_opening(landmarks: Landmarks) -> float:
    """Mean gap of the inner lips over the length from the top of the forehead to below the nose, which speech keeps.

    landmarks: [478, 3] in any unit, z in the same.
    """
    gap = float(np.mean([_distance(landmarks, upper, lower) for upper, lower in LIP_GAPS]))
    return gap / _distance(landmarks, FOREHEAD, BELOW_NOSE)


def eye_opening(landmarks: Landmarks) -> float:
    """Eye aspect ratio, mean of both eyes: about 0.3 open, near 0.1 closed.

    Soukupova and Cech 2016, "Real-time eye blink detection using facial landmarks", eq. 1.
    """
    return float(np.mean([_aspect_ratio(landmarks, eye) for eye in LID_POINTS]))


def gaze(landmarks: Landmarks) -> tuple[float, float]:
    """Where the iris lies between the eye corners, for the eye at the left and at the right of the picture.

    0 is the corner at the left of the picture, 1 the other; the iris centre is projected onto the line between them.
    """
    right, left = (
        _iris_position(landmarks, eye[0], eye[3], iris) for eye, iris in zip(LID_POINTS, IRISES, strict=True)
    )
    return right, left


def gaze_difference(before: tuple[float, float], after: tuple[float, float]) -> float:
    """Mean absolute difference of two gazes over both eyes."""
    return float(np.mean(np.abs(np.subtract(before, after))))


def correlation(pairs: NDArray[np.floating[Any]]) -> float:
    """Pearson correlation of the two columns of [N, 2]; NaN where one of them is constant."""
    centred = pairs - pairs.mean(0)
    norms = np.sqrt((centred**2).sum(0)).prod()
    return float((centred[:, 0] * centred[:, 1]).sum() / norms) if norms > 0 else float("nan")


def _distance(landmarks: Landmarks, first: int, second: int) -> float:
    return float(np.linalg.norm(landmarks[first] - landmarks[second]))


def _aspect_ratio(landmarks: Landmarks, eye: tuple[int, int, int, int, int, int]) -> float:
    p1, p2, p3, p4, p5, p6 = eye
    heights = _distance(landmarks, p2, p6) + _distance(landmarks, p3, p5)
    return heights / (2 * _distance(landmarks, p1, p4))


def _iris_position(landmarks: Landmarks, left_corner: int, right_corner: int, iris: int) -> float:
    axis = landmarks[right_corner, :2] - landmarks[left_corner, :2]
    offset = landmarks[iris, :2] - landmarks[left_corner, :2]
    return float(offset @ axis / (axis @ axis))
