"""Iris colours as photos of known eyes give them: with the skin beside, for the light differs."""

import numpy as np
import pytest

from toonfilter.runtime.render.measures.irises import coolness, drawn_iris


def _lab(*values: float) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("iris", "skin"),
    [
        ((22, 6, 5), (57, 14, 14)),
        ((21, 14, 17), (74, 23, 31)),
        ((15, 11, 4), (73, 17, 13)),
        ((33, 9, 14), (68, 17, 24)),
        # Sky in eyes nearly black.
        ((14, 2, -4), (58, 9, 16)),
        ((17, 2, 2), (40, 12, 15)),
        ((21, 6, -3), (48, 15, 14)),
        # No colour to judge by.
        ((20, 0, 0), (80, 0, 0)),
    ],
)
def test_brown_eyes_stay_brown(iris: tuple[float, ...], skin: tuple[float, ...]) -> None:
    assert coolness(_lab(*iris), _lab(*skin)) < 0.3
    drawn = drawn_iris(_lab(*iris), _lab(*skin), behind_glasses=False, eye_light=0.3)
    assert drawn[1] > 5
    assert drawn[2] > 5


@pytest.mark.parametrize(
    ("iris", "skin"),
    [
        ((30, 3, -1), (63, 11, 12)),
        ((37, 4, 1), (57, 17, 12)),
        ((49, -1, -3), (77, 14, 13)),
        ((32, 7, -7), (60, 27, 13)),
    ],
)
def test_blue_eyes_are_blue(iris: tuple[float, ...], skin: tuple[float, ...]) -> None:
    assert drawn_iris(_lab(*iris), _lab(*skin), behind_glasses=False, eye_light=0.7)[2] < -6


def test_green_eyes_are_green() -> None:
    drawn = drawn_iris(_lab(36, -12, 8), _lab(56, 8, 13), behind_glasses=False, eye_light=0.6)
    assert drawn[1] < -5
    assert drawn[2] > 5


def test_the_same_iris_is_judged_by_the_light_on_the_skin() -> None:
    iris = _lab(30, 5, 4)
    assert coolness(iris, _lab(60, 20, 24)) > coolness(iris, _lab(60, 8, 9)) + 0.5


def test_the_face_overrules_a_doubtful_iris() -> None:
    grey_in_warm_light, skin = _lab(30, 9, 12), _lab(58, 18, 24)
    light, dark = (drawn_iris(grey_in_warm_light, skin, behind_glasses=False, eye_light=seen) for seen in (0.95, 0.2))
    assert light[2] < dark[2] - 8
