"""How many local features of a result are found again in its ground truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from toonfilter.benchmarks.quality.pictures import Image

_RATIO = 0.75
_RANSAC_PX = 3.0
_MIN_FOR_HOMOGRAPHY = 4
_MOST_KEYPOINTS = 1000


@dataclass(frozen=True, slots=True)
class SiftMatches:
    """matches: that pass the ratio test. inliers: of those, that agree on one homography."""

    matches: int
    inliers: int


def sift_matches(result: Image, target: Image) -> SiftMatches:
    """Lowe 2004, "Distinctive image features from scale-invariant keypoints", section 7.1, then RANSAC within 3 px.

    Both: uint8 [H, W, 3] RGB.
    """
    (points, descriptors), (target_points, target_descriptors) = _features(result), _features(target)
    if min(len(points), len(target_points)) < 2:
        return SiftMatches(0, 0)
    candidates = cv2.BFMatcher(cv2.NORM_L2).knnMatch(descriptors, target_descriptors, k=2)
    good = [best for best, second in candidates if best.distance < _RATIO * second.distance]
    if len(good) < _MIN_FOR_HOMOGRAPHY:
        return SiftMatches(len(good), 0)
    from_points = np.array([points[match.queryIdx].pt for match in good], np.float32)
    to_points = np.array([target_points[match.trainIdx].pt for match in good], np.float32)
    cv2.setRNGSeed(0)
    _, mask = cv2.findHomography(from_points, to_points, cv2.RANSAC, _RANSAC_PX)
    return SiftMatches(len(good), 0 if mask is None else int(mask.sum()))


def _features(image: Image) -> tuple[Sequence[Any], Any]:
    """Key points and descriptors [N, 128]."""
    sift = cv2.SIFT_create(nfeatures=_MOST_KEYPOINTS)  # type: ignore[attr-defined]
    points, descriptors = sift.detectAndCompute(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), None)
    return points, descriptors
