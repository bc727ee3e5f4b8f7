"""What tells fair skin in shade from deep skin."""

import cv2
import numpy as np
import pytest

from toonfilter.runtime.render.colour import to_rgb
from toonfilter.runtime.render.measures.photo import MeasuredPhoto
from toonfilter.runtime.render.measures.skin import clean_skin, fairness, raw_skin

LIPS = [61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91]


def portrait(face, skin, lips, hair) -> MeasuredPhoto:
    """A face in three flat colours, L*a*b*."""
    landmarks = face[1].landmarks
    lab = np.zeros((640, 640, 3), np.float32)
    lab[:] = hair
    for points, colour in ((landmarks, skin), (landmarks[LIPS], lips)):
        hull = cv2.convexHull(np.rint(points[:, :2]).astype(np.int32))
        cv2.fillConvexPoly(lab, hull, tuple(float(value) for value in colour))
    hairy = np.full((640, 640), 255, np.uint8)
    cv2.fillConvexPoly(hairy, cv2.convexHull(np.rint(landmarks[:, :2]).astype(np.int32)), 0)
    return MeasuredPhoto(np.rint(to_rgb(lab) * 255).astype(np.uint8), landmarks, {"hair": hairy})


@pytest.mark.parametrize(
    ("lips", "hair", "is_fair"),
    [((34, 24, 12), (15, 2, 3), True), ((32, 10, 8), (42, 4, 22), True), ((32, 10, 8), (15, 2, 3), False)],
    ids=["red lips", "yellow hair", "neither"],
)
def test_dim_fair_skin_is_lifted_more_than_deep_skin(face, lips, hair, is_fair) -> None:
    photo = portrait(face, (38, 12, 15), lips, hair)
    raw = raw_skin(photo)
    drawn = clean_skin(raw, fairness(photo, raw))
    assert (drawn[0] - raw[0] > 6) == is_fair
    assert abs(raw[0] - 38) < 2


@pytest.mark.parametrize("lightness", [25.0, 45.0, 60.0, 75.0])
def test_grey_light_does_not_make_grey_skin(lightness: float) -> None:
    drawn = clean_skin(np.array([lightness, 3, 2], np.float32))
    assert np.hypot(*drawn[1:]) > 12
    assert 40 < np.degrees(np.arctan2(drawn[2], drawn[1])) < 70


def test_yellow_skin_that_is_too_strongly_coloured_for_its_light_is_deep_skin_in_strong_light() -> None:
    drawn = clean_skin(np.array([77, 18, 40], np.float32), fair=0.5)
    assert 50 < drawn[0] < 68
    flushed = clean_skin(np.array([72, 29, 32], np.float32), fair=1.0)
    assert flushed[0] >= 72, "red skin is a flush"


def test_ink_can_be_seen_on_the_darkest_skin() -> None:
    assert clean_skin(np.array([12, 5, 4], np.float32))[0] >= 25


def test_fair_skin_in_yellow_light_stays_fair(face) -> None:
    photo = portrait(face, (70, 20, 56), (55, 36, 50), (25, 5, 20))
    raw = raw_skin(photo)
    fair = fairness(photo, raw)
    assert fair > 0.9
    drawn = clean_skin(raw, fair)
    assert drawn[0] > 68
    assert np.hypot(*drawn[1:]) < 40


def test_brown_skin_with_red_lips_is_not_drawn_lighter(face) -> None:
    photo = portrait(face, (49, 16, 21), (40, 19, 19), (15, 2, 3))
    raw = raw_skin(photo)
    assert clean_skin(raw, fairness(photo, raw))[0] - raw[0] < 3
