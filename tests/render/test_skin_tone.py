"""The drawn skin: of the person's tone, whatever the light."""

import numpy as np
import pytest

from toonfilter.runtime.render.measures.appearance import appearance
from toonfilter.runtime.render.measures.photo import MeasuredPhoto
from toonfilter.runtime.render.measures.skin import clean_skin, raw_skin


def lab(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_deeper_tones_are_drawn_darker_in_the_same_light() -> None:
    drawn = [float(clean_skin(lab(58, 16, 20), tone)[0]) for tone in np.arange(1, 10.1, 0.5)]
    assert all(np.diff(drawn) < 0)
    assert drawn[0] - drawn[-1] > 40


@pytest.mark.parametrize("tone", [2.5, 4.0, 7.0])
def test_light_changes_the_drawn_skin_far_less_than_the_photo(tone: float) -> None:
    dim, bright = (float(clean_skin(lab(lightness, 14, 16), tone)[0]) for lightness in (30, 75))
    assert 0 < bright - dim < 7


@pytest.mark.parametrize("lightness", [25.0, 45.0, 60.0, 75.0])
@pytest.mark.parametrize("tone", [2.0, 5.0, 8.0])
def test_grey_light_does_not_make_grey_skin(lightness: float, tone: float) -> None:
    drawn = clean_skin(lab(lightness, 3, 2), tone)
    assert np.hypot(*drawn[1:]) > 12
    assert 40 < np.degrees(np.arctan2(drawn[2], drawn[1])) < 70


def test_strongly_coloured_light_does_not_colour_the_skin() -> None:
    drawn = clean_skin(lab(70, 20, 56), 2.5)
    assert np.hypot(*drawn[1:]) < 28
    assert drawn[0] > 75


def test_ink_can_be_seen_on_the_darkest_skin() -> None:
    assert clean_skin(lab(8, 5, 4), 10.0)[0] >= 25


def test_skin_is_read_where_hair_and_glasses_do_not_lie(face) -> None:
    picture = np.full((640, 640, 3), (200, 150, 125), np.uint8)
    landmarks = face[1].landmarks
    covered = np.zeros((640, 640), np.uint8)
    middle = int(landmarks[:, 0].mean())
    picture[:, :middle] = (20, 20, 20)
    covered[:, :middle] = 255
    bare = raw_skin(MeasuredPhoto(picture, landmarks, {"hair": covered}))
    assert bare[0] > 60


def test_what_cannot_be_measured_is_taken_for_usual(face) -> None:
    """A face all of one colour, without hair: an answer within the scale, and no error."""
    found = appearance(MeasuredPhoto(np.full((640, 640, 3), 128, np.uint8), face[1].landmarks, {}))
    assert 1 <= found.skin_tone <= 10
    assert 0 <= found.makeup <= 2
    assert 0 <= found.age <= 95
