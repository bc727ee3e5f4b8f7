"""Parts of a person told apart: edges by colour, islands, the face's middle."""

import cv2
import numpy as np
import pytest

from toonfilter.runtime.geometry.alignment import mean_face
from toonfilter.runtime.render.colour_sense import with_colour_edges
from toonfilter.runtime.render.fields import FIELDS
from toonfilter.runtime.render.sure_regions import middle_of_face, with_sure_middle, without_islands

SIZE, UNIT = 200, 60.0
NOBODY = np.zeros((SIZE, SIZE), np.uint8)


def planes(**drawn: np.ndarray) -> dict[str, np.ndarray]:
    return {name: drawn.get(name, NOBODY).copy() for name in FIELDS}


def box(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    plane = NOBODY.copy()
    plane[top:bottom, left:right] = 255
    return plane


@pytest.fixture
def spiky() -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """A photo of dark hair with spikes over fair skin before a green room; the network saw it without the spikes."""
    truth = box(60, 60, 140, 110)
    for left in range(60, 140, 20):
        cv2.fillConvexPoly(truth, np.array([[left, 60], [left + 20, 60], [left + 10, 46]], np.int32), 255)
    photo = np.full((SIZE, SIZE, 3), (90, 160, 100), np.uint8)
    photo[truth > 0] = (40, 30, 30)
    photo[110:170, 60:140] = (230, 190, 170)
    hair = cv2.GaussianBlur(box(60, 54, 140, 110), (0, 0), 4)
    skin = box(60, 110, 140, 170)
    return photo, planes(hair=hair, skin=skin, person=cv2.max(hair, skin)), truth


def wrong(plane: np.ndarray, truth: np.ndarray) -> int:
    return int(((plane > 128) != (truth > 128)).sum())


def test_edges_move_to_where_the_colours_change(spiky) -> None:
    photo, before, truth = spiky
    after = with_colour_edges(before, photo, UNIT, NOBODY)
    assert wrong(after["hair"], truth) < 0.4 * wrong(before["hair"], truth)
    body = cv2.max(truth, before["skin"])
    assert wrong(after["person"], body) < 0.4 * wrong(before["person"], body)


def test_a_colour_from_far_away_does_not_make_hair(spiky) -> None:
    photo, before, _ = spiky
    photo[185:195, 5:15] = (40, 30, 30)
    after = with_colour_edges(before, photo, UNIT, NOBODY)
    assert after["hair"][180:, :30].max() < 40


def test_one_colour_leaves_the_networks_edges() -> None:
    person = cv2.GaussianBlur(box(50, 50, 150, 200), (0, 0), 3)
    before = planes(person=person)
    after = with_colour_edges(before, np.full((SIZE, SIZE, 3), 120, np.uint8), UNIT, NOBODY)
    assert wrong(after["person"], person) < 0.02 * int((person > 128).sum())


def test_a_beard_grows_on_skin_only(spiky) -> None:
    photo, before, _ = spiky
    photo[140:165, 70:130] = (60, 45, 40)
    before["beard"] = cv2.GaussianBlur(box(75, 142, 125, 165), (0, 0), 5)
    after = with_colour_edges(before, photo, UNIT, NOBODY)
    beard = box(70, 140, 130, 165)
    assert wrong(after["beard"], beard) < 0.6 * wrong(before["beard"], beard)
    assert (after["skin"][beard > 0] > 128).mean() > 0.98


def test_patches_that_hang_together_with_nobody_are_left_out() -> None:
    body = box(60, 40, 140, 200)
    stray = box(5, 5, 18, 18)
    before = planes(person=cv2.max(body, stray), hair=cv2.max(box(60, 40, 140, 70), stray), skin=box(60, 70, 140, 120))
    after = without_islands(before, (100.0, 100.0), UNIT)
    assert after["person"][stray > 0].max() == 0
    assert after["hair"][stray > 0].max() == 0
    assert (after["person"][body > 0] == 255).all()
    kept = without_islands(before, (100.0, 100.0), UNIT, keep_person=True)
    assert (kept["person"][stray > 0] == 255).all()


def test_the_middle_of_a_face_is_skin() -> None:
    points = (mean_face() * 120 + [100, 80, 0]).astype(np.float32)
    middle = middle_of_face(points, (SIZE, SIZE), UNIT)
    sure = with_sure_middle(planes(hair=np.full_like(NOBODY, 255), headwear=np.full_like(NOBODY, 255)), points, UNIT)
    inside = middle == 255
    assert inside.sum() > 500
    assert (sure["skin"][inside] == 255).all()
    assert (sure["hair"][inside] == 0).all()
    chin = int(points[152, 1])
    assert (sure["headwear"][chin + 30 :] == 0).all()
    assert (sure["headwear"][: chin - 60] == 255).all()
