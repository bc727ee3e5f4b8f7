"""Iris colours as photos of known eyes give them: with the skin beside, for the light differs."""

import numpy as np
import pytest

from toonfilter.runtime.render.colour import to_rgb
from toonfilter.runtime.render.measures.irises import coolness, drawn_iris, iris, own_colour
from toonfilter.runtime.render.measures.photo import MeasuredPhoto


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


_BLUE, _DEEP_SKIN = _lab(20.8, -2.6, -4.8), _lab(31.5, 20.9, 19.1)


def test_light_eyes_in_deep_skin_are_drawn_where_the_iris_itself_is_light() -> None:
    own, reflected = (
        drawn_iris(_BLUE, _DEEP_SKIN, behind_glasses=False, eye_light=0.76, rarely_light=1.0, own=own)
        for own in (1.0, 0.0)
    )
    assert own[2] < -6
    assert reflected[1] > 5
    assert reflected[2] > 5


def test_dark_blue_irises_are_the_skys_only_where_the_pupil_is_not_darker() -> None:
    iris, skin = _lab(13.7, -4.1, 2.5), _lab(53.7, 14.8, 28.1)
    own, reflected = (
        drawn_iris(iris, skin, behind_glasses=False, eye_light=0.55, rarely_light=0.33, own=own) for own in (1.0, 0.0)
    )
    assert own[2] < -2
    assert reflected[2] > 5


@pytest.mark.parametrize(
    ("iris", "pupil", "is_own"),
    [
        ((21, -3, -5), 3, True),
        ((21, -3, -5), 18, False),
        ((21, 4, -6), 3, False),
        ((14, -4.5, -1), 6, True),
        # So dark that this is noise.
        ((17, -2, -1), 4, False),
    ],
)
def test_a_colour_is_the_irises_own_where_it_is_not_red_and_the_pupil_is_darker(iris, pupil: float, is_own) -> None:
    places = np.full(40, pupil, np.float32)
    places[:16] = 80  # A glint.
    assert own_colour(_lab(*iris), places) == pytest.approx(float(is_own), abs=0.1)
    assert own_colour(_lab(*iris), places[:4]) == 0


@pytest.mark.parametrize("reflected", [False, True])
def test_blue_is_read_from_irises_and_not_from_what_lies_over_pupil_and_iris(face, reflected: bool) -> None:
    photo, found = face
    painted = photo.copy()
    for middle in (468, 473):
        centre = found.landmarks[middle, :2]
        edge = found.landmarks[middle + 1 : middle + 5, :2]
        radius = float(np.hypot(*(edge - centre).T).mean())
        height, width = np.mgrid[: photo.shape[0], : photo.shape[1]]
        away = np.hypot(width - centre[0], height - centre[1]) / radius
        blue, black = (to_rgb(lab) * 255 for lab in (_BLUE, _lab(5, 0, 0)))
        painted[away < 1] = blue
        if not reflected:
            painted[away < 0.35] = black
    measured = MeasuredPhoto(painted, found.landmarks, {})
    drawn = iris(measured, _DEEP_SKIN, behind_glasses=False, eye_light=0.8, rarely_light=1.0)
    assert (drawn[2] > 5) == reflected
    assert reflected or drawn[2] < -6
