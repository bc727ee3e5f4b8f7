"""Smiles whose mesh has the lower lip too low."""

import cv2
import numpy as np
import pytest

from toonfilter.runtime.geometry.landmarks import MOUTH_BOTTOM, MOUTH_TOP
from toonfilter.runtime.render.measures.teeth import measure_teeth

SKIN, LIP, TOOTH, DEPTH = (214, 165, 140), (190, 105, 100), (240, 234, 222), (60, 25, 25)
SKIN_LAB = np.array([71, 15, 20], np.float32)
GAP_PX = 16.0
RIM = np.array([0, 14], np.float32)


@pytest.fixture
def smile(face):
    """Landmarks of an open mouth, and a picture of it with so much of the opening lip, and so much depth above it."""
    landmarks = face[1].landmarks.copy()
    top, bottom = landmarks[list(MOUTH_TOP), :2], landmarks[list(MOUTH_BOTTOM), :2]
    middle = (top + bottom) / 2
    shape = np.sin(np.linspace(0, np.pi, len(top)))[:, None] ** 0.4 * np.array([[0, GAP_PX / 2]])
    top, bottom = middle - shape, middle + shape
    landmarks[list(MOUTH_TOP), :2], landmarks[list(MOUTH_BOTTOM), :2] = top, bottom

    def picture(lip: float, depth: float) -> np.ndarray:
        image = np.full((*face[0].shape[:2], 3), SKIN, np.uint8)
        around = np.concatenate([top - RIM, (bottom + RIM)[::-1]])
        cv2.fillPoly(image, [np.rint(around).astype(np.int32)], LIP)
        for end, colour in ((1 - lip, DEPTH), (1 - lip - depth, TOOTH)):
            area = np.concatenate([top, (top + (bottom - top) * end)[::-1]])
            cv2.fillPoly(image, [np.rint(area).astype(np.int32)], colour)
        return image

    return landmarks, picture


def test_lip_below_teeth_is_no_opening(smile) -> None:
    landmarks, picture = smile
    teeth = measure_teeth(picture(0.4, 0.0), landmarks, SKIN_LAB)
    assert teeth.lip == pytest.approx(0.4, abs=0.12)
    assert teeth.top > 0.85
    assert measure_teeth(picture(0.0, 0.0), landmarks, SKIN_LAB).lip == 0


def test_what_lies_below_the_depth_of_a_mouth_is_a_tongue(smile) -> None:
    landmarks, picture = smile
    teeth = measure_teeth(picture(0.3, 0.35), landmarks, SKIN_LAB)
    assert teeth.lip == 0
    assert teeth.top == pytest.approx(0.35, abs=0.12)
