"""Parts of a person told apart: edges by colour, islands, the face's middle."""

import cv2
import numpy as np
import pytest

from toonfilter.runtime.fields import FIELDS
from toonfilter.runtime.geometry.alignment import mean_face
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.render.colour_sense import with_colour_edges
from toonfilter.runtime.render.own_colours import with_own_colours
from toonfilter.runtime.render.scene import SceneFields
from toonfilter.runtime.render.sure_regions import (
    above_chin,
    middle_of_face,
    with_even_beard,
    with_heads_at,
    with_sure_middle,
    without_islands,
    without_things_beside,
)

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


@pytest.fixture
def points() -> np.ndarray:
    return (mean_face() * 120 + [100, 80, 0]).astype(np.float32)


def test_the_middle_of_a_face_is_skin(points) -> None:
    middle = middle_of_face(points, (SIZE, SIZE), UNIT)
    sure = with_sure_middle(planes(hair=np.full_like(NOBODY, 255)), middle, points, UNIT)
    inside = middle == 255
    assert inside.sum() > 500
    assert (sure["skin"][inside] == 255).all()
    assert (sure["hair"][inside] == 0).all()


def test_a_hat_is_worn_and_a_shirt_is_not(points) -> None:
    middle = middle_of_face(points, (SIZE, SIZE), UNIT)
    hat, shirt = box(60, 5, 140, 40), box(40, 180, 160, 200)
    sure = with_sure_middle(planes(headwear=cv2.max(hat, shirt)), middle, points, UNIT)
    assert (sure["headwear"][hat > 0] == 255).all()
    assert sure["headwear"][shirt > 0].max() == 0
    scarf = box(60, 30, 140, 200)
    wound = with_sure_middle(planes(headwear=scarf), middle, points, UNIT)
    assert (wound["headwear"][scarf > 0] == 255).all()


def test_things_beside_a_head_are_doubted_and_clothes_are_not(points) -> None:
    things, shirt = box(150, 60, 190, 100) // 255 * 180, box(40, 180, 160, 200)
    doubted = without_things_beside(planes(person=cv2.max(things, shirt)), points, UNIT)
    assert doubted["person"][things > 0].max() < 128
    assert doubted["person"][shirt > 0].min() > 200
    sure = without_things_beside(planes(person=box(60, 5, 140, 40)), points, UNIT)
    assert sure["person"][5:40, 60:140].min() > 128


def test_half_a_moustache_becomes_a_whole_one_on_a_face_that_looks_ahead(points) -> None:
    lip = points[164, :2]
    half = box(int(lip[0]) - 20, int(lip[1]) - 4, int(lip[0]), int(lip[1]) + 4)
    whole = with_even_beard(planes(beard=half), points, 0.0)["beard"]
    right = whole[int(lip[1]), int(lip[0]) + 10]
    assert 128 < right < 200
    assert whole[int(lip[1]), int(lip[0]) - 10] == pytest.approx(right, abs=3)
    turned = with_even_beard(planes(beard=half), points, 40.0)["beard"]
    assert (turned == half).all()


def test_no_beard_below_a_bare_chin(points) -> None:
    shadow = box(70, int(points[152, 1]) + 6, 130, int(points[152, 1]) + 20)
    assert with_even_beard(planes(beard=shadow), points, 0.0)["beard"].max() == 0
    chin = box(70, int(points[17, 1]), 130, int(points[152, 1]) + 20)
    assert with_even_beard(planes(beard=chin), points, 0.0)["beard"][shadow > 0].min() == 255


def test_a_face_seen_amid_clothes_becomes_smooth_cloth_and_one_elsewhere_a_head() -> None:
    body, chance = box(20, 60, 180, 200), np.random.default_rng(0)
    photo = chance.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    scene = SceneFields(photo, planes(person=body, tone=photo[..., 0], ink=photo[..., 1]), 1.0)
    place = Box(80, 110, 120, 150)
    cloth = with_heads_at(scene, [place], on_clothes=False)
    inside = np.s_[115:145, 85:115]
    assert cloth.planes["skin"].max() == 0
    assert cloth.photo[inside].std() < 0.15 * photo[inside].std()
    assert cloth.planes["tone"][inside].std() == 0
    assert cloth.planes["ink"][inside].max() == 0
    assert (scene.photo == photo).all()
    heads_alone = with_heads_at(scene, [place])
    assert heads_alone.planes["skin"][inside].min() == 255
    beside = with_heads_at(scene, [Box(80, 5, 120, 45)], on_clothes=False)
    assert beside.planes["skin"][15:40, 90:110].min() == 255
    assert beside.planes["person"][15:40, 90:110].min() == 255


def test_skin_and_hair_of_other_colours_than_the_heads_are_cloth(points) -> None:
    middle = middle_of_face(points, (SIZE, SIZE), UNIT)
    below = cv2.bitwise_not(above_chin(points, (SIZE, SIZE), 0.0))
    photo = np.full((SIZE, SIZE, 3), (225, 180, 160), np.uint8)
    photo[:60] = (50, 35, 30)
    hands, shirt = box(0, 170, 60, 200), box(100, 170, 200, 200)
    photo[shirt > 0] = (235, 140, 20)
    hair = cv2.max(box(40, 0, 160, 60), box(150, 175, 200, 200))
    before = planes(skin=cv2.max(cv2.max(middle, hands), shirt), hair=hair)
    after = with_own_colours(before, photo, middle, below)
    assert after["skin"][180:, :55].min() == 255
    assert after["skin"][180:, 110:].max() == 0
    assert after["hair"][180:, 155:].max() == 0
    assert (after["hair"][:60] == hair[:60]).all()
