"""Single hairs of a beard: where they grow, which way, and that they keep to the head."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.beard_hairs import beard_hairs

SIZE, UNIT = 240, 80.0
NOSE, MOUTH, DOWN = (np.array(one, np.float32) for one in ((120, 60), (120, 100), (0, 1)))


def beard(shift: int = 0) -> NDArray[np.uint8]:
    plane = np.zeros((SIZE, SIZE), np.uint8)
    cv2.ellipse(plane, (120 + shift, 120), (70, 80), 0, 0, 180, 255, -1)
    return cv2.blur(plane, (9, 9))


def test_hairs_grow_in_the_beard_and_fall() -> None:
    plane = beard()
    hairs = beard_hairs(plane, NOSE, MOUTH, DOWN, UNIT)
    assert len(hairs.fringe) > 20
    assert len(hairs.dark) > len(hairs.light) > 20
    for hair in (*hairs.fringe, *hairs.dark, *hairs.light):
        root, tip = (hair[0] + hair[4]) / 2, hair[2]
        assert plane[int(root[1]), int(root[0])] > 80
        assert 0.02 * UNIT < np.linalg.norm(tip - root) < 0.15 * UNIT
        assert (tip - root) @ (root - MOUTH + 1.5 * np.linalg.norm(root - MOUTH) * DOWN) > 0, (
            "away from the mouth, or down"
        )


def test_hairs_that_leave_the_beard_are_short() -> None:
    fringe = beard_hairs(beard(), NOSE, MOUTH, DOWN, UNIT).fringe
    tips = np.array([hair[2] for hair in fringe])
    assert np.hypot((tips[:, 0] - 120) / 70, (tips[:, 1] - 120) / 80).max() < 1.15


def test_hairs_keep_to_the_head() -> None:
    aside = np.array([1, 0], np.float32)
    still, moved = (beard_hairs(beard(by), NOSE + by * aside, MOUTH + by * aside, DOWN, UNIT) for by in (0, 10))
    assert len(still.dark) == len(moved.dark)
    assert np.allclose(np.array(moved.dark) - np.array(still.dark), (10, 0), atol=0.01)


def test_without_a_beard_there_are_none() -> None:
    hairs = beard_hairs(np.zeros((SIZE, SIZE), np.uint8), NOSE, MOUTH, DOWN, UNIT)
    assert not hairs.fringe
    assert not hairs.dark
    assert not hairs.light
