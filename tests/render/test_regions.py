"""Parts of a person told apart: edges by colour, islands, the face's middle."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from toonfilter.runtime.fields import FIELDS
from toonfilter.runtime.geometry.alignment import mean_face
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.render.colour_sense import with_colour_edges
from toonfilter.runtime.render.ears import ear_outline, with_both_ears
from toonfilter.runtime.render.head_planes import above_chin
from toonfilter.runtime.render.look import Look
from toonfilter.runtime.render.own_skin import with_own_skin, without_gleams
from toonfilter.runtime.render.palette import measure_palette
from toonfilter.runtime.render.scene import SceneFields
from toonfilter.runtime.render.scraps import with_calm_body, without_scraps, without_stray_skin, without_throat_hair
from toonfilter.runtime.render.sure_regions import (
    middle_of_face,
    with_heads_at,
    with_sure_face,
    with_sure_middle,
    without_islands,
)

SIZE, UNIT = 200, 60.0
NOBODY = np.zeros((SIZE, SIZE), np.uint8)


def somebody(young: float, skin: np.ndarray | None = None, old: float = 0.0) -> Look:
    plain = Look.plain()
    return replace(plain, lines=replace(plain.lines, young=young, old=old), skin=plain.skin if skin is None else skin)


def planes(**drawn: np.ndarray) -> dict[str, np.ndarray]:
    return {name: drawn.get(name, NOBODY).copy() for name in FIELDS}


def box(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    plane = NOBODY.copy()
    plane[top:bottom, left:right] = 255
    return plane


BELOW = box(0, 140, SIZE, SIZE)
"""Below the mouth of a face in the middle."""


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


def test_what_looks_like_a_hat_beside_the_head_is_cloth_where_another_network_sees_a_person(points) -> None:
    middle = middle_of_face(points, (SIZE, SIZE), UNIT)
    seen = planes(person=box(0, 0, SIZE, SIZE), headwear=box(0, 90, 30, 130))
    for told, level in ((NOBODY, 0), (box(0, 0, SIZE, SIZE), 255)):
        sure = with_sure_middle({**seen, "told": told}, middle, points, UNIT)
        assert (sure["person"][96:120, 4:24] == level).all()
        assert sure["headwear"][96:120, 4:24].max() == 0


def test_a_face_seen_amid_clothes_becomes_smooth_cloth_and_one_elsewhere_a_head() -> None:
    body, chance = box(20, 60, 180, 200), np.random.default_rng(0)
    photo = chance.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    scene = SceneFields(photo, planes(person=body, tone=photo[..., 0], ink=photo[..., 1]), 1.0)
    place = Box(80, 110, 120, 150)
    cloth = with_heads_at(scene, [place], bodies_drawn=True)
    inside = np.s_[115:145, 85:115]
    assert cloth.planes["skin"].max() == 0
    assert cloth.photo[inside].std() < 0.15 * photo[inside].std()
    assert cloth.planes["tone"][inside].std() == 0
    assert cloth.planes["ink"][inside].max() == 0
    assert (scene.photo == photo).all()
    heads_alone = with_heads_at(scene, [place])
    assert heads_alone.planes["skin"][inside].min() == 255
    beside = with_heads_at(scene, [Box(80, 5, 120, 45)], bodies_drawn=True)
    assert beside.planes["skin"][15:40, 90:110].min() == 255
    assert beside.planes["person"][15:40, 90:110].min() == 255
    painted = with_heads_at(scene, [Box(80, 5, 120, 45)], bodies_drawn=True, room_drawn=True)
    assert painted.planes["skin"].max() == 0
    assert painted.photo[15:40, 90:110].std() < 0.15 * photo[15:40, 90:110].std()


def test_a_find_in_the_hair_of_a_known_head_makes_no_head_of_it() -> None:
    mesh, place = Box(85, 90, 125, 130), Box(20, 70, 60, 110)
    afro, face = box(10, 60, 150, 120), box(85, 90, 125, 130)
    light = np.indices((SIZE, SIZE))[0].astype(np.uint8)
    seen = planes(person=cv2.max(afro, face), hair=cv2.subtract(afro, face), skin=face, tone=light)
    after = with_heads_at(SceneFields(np.zeros((SIZE, SIZE, 3), np.uint8), seen, 1.0), [place], [mesh], room_drawn=True)
    for name, plane in seen.items():
        assert (after.planes[name] == plane).all(), name


def test_a_place_where_skin_is_seen_is_a_head_and_one_on_a_known_face_is_that_face() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    scene = SceneFields(photo, planes(skin=box(100, 90, 130, 150)), 1.0)
    place = Box(80, 100, 120, 140)
    head = with_heads_at(scene, [place], bodies_drawn=True, room_drawn=True)
    assert head.planes["skin"][105:135, 85:115].min() == 255
    for drawn in ({}, {"bodies_drawn": True, "room_drawn": True}):
        known = with_heads_at(scene, [place], [Box(60, 60, 150, 170)], **drawn)
        assert (known.planes["skin"] == scene.planes["skin"]).all()


@pytest.mark.parametrize("room_drawn", [True, False])
def test_a_head_that_is_seen_well_keeps_its_shape_where_all_is_drawn(room_drawn: bool) -> None:
    scene = SceneFields(np.zeros((SIZE, SIZE, 3), np.uint8), planes(skin=box(86, 90, 130, 150)), 1.0)
    head = with_heads_at(scene, [Box(80, 100, 120, 140)], bodies_drawn=True, room_drawn=room_drawn)
    assert head.planes["skin"][105:135, 86:115].min() == 255
    assert (head.planes["skin"][120, 80] == 0) == room_drawn


@pytest.mark.parametrize("room_drawn", [True, False])
def test_a_head_without_features_keeps_its_hair_without_light_where_all_is_drawn(room_drawn: bool) -> None:
    planes = {name: np.zeros((200, 200), np.uint8) for name in FIELDS}
    planes["person"][40:, 40:160] = planes["skin"][40:, 40:160] = 255
    planes["hair"][40:75, 40:160], planes["skin"][40:75, 40:160] = 255, 0
    planes["tone"][:] = np.arange(200, dtype=np.uint8)
    scene = SceneFields(np.full((200, 200, 3), 120, np.uint8), planes, 1.0)
    head = with_heads_at(scene, [Box(70, 60, 130, 130)], bodies_drawn=True, room_drawn=room_drawn).planes
    assert (head["hair"][65, 100] == 255) == room_drawn
    assert (head["skin"][65, 100] == 0) == room_drawn
    assert head["skin"][100, 100] == 255
    if room_drawn:
        assert np.ptp(head["tone"][100, 85:115]) == 0


@pytest.mark.parametrize("room_drawn", [True, False])
def test_a_head_behind_a_known_one_is_whole_only_where_the_room_shows(room_drawn: bool) -> None:
    scene = SceneFields(np.zeros((SIZE, SIZE, 3), np.uint8), planes(skin=box(60, 40, 160, 160)), 1.0)
    scene.planes["skin"][:, 60:110] = 0
    place, mesh = Box(112, 70, 142, 110), Box(60, 60, 110, 130)
    drawn = with_heads_at(scene, [place], [mesh], bodies_drawn=True, room_drawn=room_drawn)
    assert drawn.planes["skin"][90, 120:140].min() == 255
    assert (drawn.planes["skin"][90, 109] == 255) == (not room_drawn)


def somebody_in_noise(body: np.ndarray) -> SceneFields:
    photo = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    return SceneFields(photo, planes(skin=body, person=body), 1.0)


@pytest.mark.parametrize("room_drawn", [True, False])
def test_somebody_far_behind_becomes_smooth_only_where_the_room_is_drawn(room_drawn: bool) -> None:
    scene = somebody_in_noise(box(140, 60, 190, SIZE))
    place, mesh = Box(150, 70, 180, 100), Box(20, 40, 120, 160)
    drawn = with_heads_at(scene, [place], [mesh], bodies_drawn=True, room_drawn=room_drawn)
    head = np.s_[75:95, 155:175]
    assert (drawn.planes["skin"][head].max() == 0) == room_drawn
    assert (drawn.planes["person"][head].max() == 0) == room_drawn
    assert (drawn.photo[head].std() < 0.15 * scene.photo[head].std()) == room_drawn
    near = with_heads_at(scene, [place], [Box(60, 40, 100, 90)], bodies_drawn=True, room_drawn=room_drawn)
    assert near.planes["skin"][head].min() == 255


def test_what_looks_like_a_face_on_a_chest_leaves_no_gap_in_the_body() -> None:
    scene = somebody_in_noise(box(60, 110, 120, SIZE))
    print_on_it, mesh, printed = Box(75, 125, 105, 155), Box(40, 20, 130, 110), np.s_[130:150, 80:100]
    drawn = with_heads_at(scene, [print_on_it], [mesh], bodies_drawn=True, room_drawn=True)
    assert np.array_equal(drawn.planes["person"], scene.planes["person"])
    assert drawn.photo[printed].std() < 0.15 * scene.photo[printed].std()


@pytest.mark.parametrize("is_hand", [True, False])
def test_a_small_place_on_a_body_makes_no_hole_in_it(is_hand: bool) -> None:
    body, place = box(0, 100, SIZE, SIZE), Box(90, 140, 115, 165)
    seen = box(90, 140, 115, 165) if is_hand else NOBODY
    scene = SceneFields(np.zeros((SIZE, SIZE, 3), np.uint8), planes(person=body, skin=seen), 1.0)
    drawn = with_heads_at(scene, [place], [Box(70, 20, 130, 90)], bodies_drawn=True, room_drawn=True)
    assert (drawn.planes["person"][100:] == 255).all()


def test_a_large_patch_above_the_mouth_is_no_skin() -> None:
    face, patch = box(40, 20, 120, 180), box(120, 0, SIZE, 130)
    before = planes(person=cv2.max(face, patch), skin=face)
    after = without_scraps(before, BELOW, UNIT, keep_person=False)
    assert after["skin"][40:120, 135:].max() == 0


@pytest.mark.parametrize(
    ("colour", "level", "stays"),
    [
        pytest.param((210, 150, 70), 150, False, id="doubtful"),
        pytest.param((210, 150, 70), 240, True, id="sure"),
        pytest.param((90, 130, 200), 240, False, id="sure, but far from skin"),
    ],
)
def test_skin_of_another_colour_than_the_faces_is_cloth(points, colour, level: int, stays: bool) -> None:
    middle = middle_of_face(points, (SIZE, SIZE), UNIT)
    below = cv2.bitwise_not(above_chin(points, (SIZE, SIZE), 0.0))
    photo = np.full((SIZE, SIZE, 3), (225, 180, 160), np.uint8)
    hands, shirt = box(0, 170, 60, 200), box(100, 170, 200, 200)
    photo[shirt > 0] = colour
    seen = cv2.max(cv2.max(middle, hands), cv2.min(shirt, level))
    after = with_own_skin(planes(skin=seen), photo, middle, below)
    assert after["skin"][180:, :55].min() == 255
    assert (after["skin"][180:, 110:] == (level if stays else 0)).all()


def upright_mesh() -> np.ndarray:
    """A face of about UNIT in the middle of the picture, px."""
    points = np.asarray(mean_face(), np.float32)
    points = points * np.float32(UNIT / np.linalg.norm(points[473, :2] - points[468, :2]))
    points[:, :2] += np.float32(SIZE / 2) - points[:468, :2].mean(0)
    return points


def test_a_mesh_that_reaches_into_the_room_draws_no_skin_there() -> None:
    mesh = upright_mesh()
    seen = box(0, 0, 138, SIZE)
    before = planes(person=seen, skin=seen)
    kept, shown = (with_sure_face(before, mesh, keep_person=keep)["person"] for keep in (False, True))
    beyond = int(mesh[:468, 0].max()) - 8
    assert beyond > 142
    assert kept[100, beyond] < 60 < 200 < shown[100, beyond]


def test_a_face_that_the_network_missed_is_a_person_all_the_same() -> None:
    mesh = upright_mesh()
    after = with_sure_face(planes(), mesh, keep_person=False)
    assert after["person"][100, 100] == after["skin"][100, 100] == 255


@pytest.mark.parametrize(("around", "taker"), [("skin", "skin"), ("hair", "hair")])
def test_a_scrap_goes_to_what_it_lies_in(around: str, taker: str) -> None:
    hole = box(90, 90, 110, 110)
    body = box(40, 40, 160, 160)
    before = planes(person=body, **{around: cv2.subtract(body, hole)})
    after = without_scraps(before, BELOW, UNIT, keep_person=False)
    assert before[taker][100, 100] == 0
    assert after[taker][100, 100] > 200


def test_cloth_that_the_edge_cuts_is_no_scrap() -> None:
    body = box(40, 40, 160, SIZE)
    cloth = box(90, 180, 110, SIZE)
    before = planes(person=body, skin=cv2.subtract(body, cloth))
    assert without_scraps(before, BELOW, UNIT, keep_person=False)["skin"][190, 100] == 0


@pytest.mark.parametrize(("top", "is_hair"), [(20, True), (150, False)])
def test_cloth_that_hangs_together_with_none_below_the_mouth_is_the_hair_it_lies_in(top: int, is_hair: bool) -> None:
    hair, patch = box(0, 0, 150, SIZE), box(90, top, SIZE, top + 40)
    before = planes(person=cv2.max(hair, patch), hair=cv2.subtract(hair, patch))
    after = without_scraps(before, BELOW, UNIT, keep_person=False)
    assert (after["hair"][top + 8 : top + 32, 100:140] == (255 if is_hair else 0)).all()


@pytest.mark.parametrize(("skin", "is_grey"), [((190, 150, 135), False), ((235, 170, 125), True)])
def test_hair_is_grey_or_blond_beside_its_skin(skin: tuple[int, int, int], is_grey: bool) -> None:
    """The same light hair is blond where the picture is pale, and grey where skin has much more colour."""
    photo = np.full((SIZE, SIZE, 3), (160, 147, 122), np.uint8)
    photo[100:] = skin
    palette = measure_palette(photo, planes(hair=box(0, 0, SIZE, 90), skin=box(0, 110, SIZE, SIZE)))
    chroma = float(np.hypot(*palette.hair[1:]))
    assert (chroma < 9) == is_grey


def test_an_ear_beside_the_face_is_found_and_a_bare_cheek_is_none() -> None:
    mesh = upright_mesh()
    edge, height = mesh[454, :2]
    face = NOBODY.copy()
    cv2.fillConvexPoly(face, cv2.convexHull(np.rint(mesh[:468, :2]).astype(np.int32)), 255)
    assert ear_outline(face, mesh[:, :2], UNIT, 1) is None
    with_ear = cv2.ellipse(face.copy(), (round(float(edge)) + 5, round(float(height))), (13, 26), 0, 0, 360, 255, -1)
    ear = ear_outline(with_ear, mesh[:, :2], UNIT, 1)
    assert ear is not None
    assert ear[:, 0].min() > edge - 6
    assert 20 < np.ptp(ear[:, 1]) < 60
    assert ear_outline(with_ear, mesh[:, :2], UNIT, 0) is None


def test_the_ear_that_is_not_told_from_the_cheek_is_as_the_other_unless_hair_or_a_turn_hides_it() -> None:
    mesh = upright_mesh()
    (left, height), right = mesh[234, :2], float(mesh[454, 0])
    face = NOBODY.copy()
    cv2.fillConvexPoly(face, cv2.convexHull(np.rint(mesh[:468, :2]).astype(np.int32)), 255)
    one_ear = cv2.ellipse(face.copy(), (round(right) + 5, round(float(height))), (13, 26), 0, 0, 360, 255, -1)
    seen = planes(skin=one_ear, person=one_ear)
    both = with_both_ears(seen, mesh, UNIT, 3.0)
    added = cv2.subtract(both["skin"], one_ear) > 128
    assert added.sum() > 200
    assert np.argwhere(added)[:, 1].max() < float(left) + 4
    assert np.array_equal(both["person"] > 128, both["skin"] > 128)
    assert ear_outline(both["skin"], mesh[:, :2], UNIT, 0) is not None
    hidden = {**seen, "hair": cv2.subtract(box(0, 0, round(float(left)), SIZE), one_ear)}
    assert np.array_equal(with_both_ears(hidden, mesh, UNIT, 3.0)["skin"], one_ear)
    assert np.array_equal(with_both_ears(seen, mesh, UNIT, 25.0)["skin"], one_ear)
    assert np.array_equal(with_both_ears(planes(skin=face), mesh, UNIT, 3.0)["skin"], face)


def test_hair_of_who_is_not_old_is_brown_or_black_not_grey() -> None:
    photo = np.full((SIZE, SIZE, 3), (205, 160, 135), np.uint8)
    drawn = planes(hair=box(0, 0, SIZE, 60), skin=box(0, 65, SIZE, SIZE))
    chroma = []
    for grey in ((88, 86, 84), (40, 39, 38)):
        photo[:60] = grey
        hair = [measure_palette(photo, drawn, look=somebody(0.0, old=old)).hair for old in (0.0, 0.5)]
        chroma.append([float(np.hypot(*one[1:])) for one in hair])
    assert chroma[0][0] > 7, "brown"
    assert chroma[0][1] < 3, "grey, of somebody old"
    assert chroma[1][0] < 3, "black"


def test_white_hair_over_deep_skin_in_warm_light_is_no_blond() -> None:
    photo = np.full((SIZE, SIZE, 3), (204, 184, 150), np.uint8)
    photo[100:] = (85, 56, 44)
    palette = measure_palette(photo, planes(hair=box(0, 0, SIZE, 90), skin=box(0, 110, SIZE, SIZE)))
    assert float(np.hypot(*palette.hair[1:])) < 12


@pytest.mark.parametrize(("hair_colour", "is_hair"), [((225, 190, 168), False), ((60, 45, 40), True)])
def test_light_on_a_bald_head_is_no_hair_and_dark_hair_stays(hair_colour, is_hair: bool) -> None:
    middle, below = box(70, 90, 130, 150), box(0, 160, SIZE, SIZE)
    doubt = box(70, 40, 130, 70) // 255 * 160
    photo = np.full((SIZE, SIZE, 3), (180, 130, 105), np.uint8)
    photo[doubt > 0] = hair_colour
    after = without_gleams(planes(hair=doubt, skin=middle), photo, middle, below)
    assert (after["hair"][55, 100] > 120) == is_hair
    assert (after["skin"][55, 100] > 120) != is_hair


def test_shoulders_lose_their_tatters_and_hands_do_not() -> None:
    body = box(40, 120, 160, SIZE)
    tattered, hand = body.copy(), box(160, 150, 180, 156)
    tattered[150:154, 100:160] = 0
    tattered[165:185, 60:90] = 0
    tattered = cv2.max(tattered, box(20, 170, 40, 174))
    before = planes(person=cv2.max(tattered, hand), skin=hand)
    after = with_calm_body(
        before, np.array([100, 100], np.float32), np.array([0, 1], np.float32), UNIT, keep_person=False
    )
    person = after["person"]
    assert person[152, 130] > 200, "a notch is closed"
    assert person[172, 28] < 60, "a tatter goes"
    assert person[175, 75] > 200, "a hole is filled"
    assert person[153, 175] == 255, "bare skin stays"
    assert (person[:110] == before["person"][:110]).all(), "the head is left alone"
    kept = with_calm_body(
        before, np.array([100, 100], np.float32), np.array([0, 1], np.float32), UNIT, keep_person=True
    )
    assert (kept["person"] >= before["person"]).all()


def test_the_knot_of_a_tie_is_no_skin_and_a_hand_is() -> None:
    face, knot, hand = box(60, 40, 140, 120), box(95, 150, 115, 166), box(30, 150, 80, 190)
    before = planes(person=np.full_like(face, 255), skin=cv2.max(cv2.max(face, knot), hand))
    after = without_islands(before, (100.0, 80.0), UNIT)
    assert after["skin"][158, 105] == 0
    assert after["skin"][170, 55] == after["skin"][80, 100] == 255


@pytest.mark.parametrize(("hair", "is_white"), [((235, 234, 230), True), ((255, 90, 160), False)])
def test_white_hair_goes_with_a_white_beard_and_pink_hair_does_not(hair, is_white: bool) -> None:
    photo = np.full((SIZE, SIZE, 3), (120, 85, 70), np.uint8)
    photo[:60] = hair
    photo[120:150] = (70, 60, 55)
    photo[125:132] = (200, 198, 195)
    drawn = planes(hair=box(0, 0, SIZE, 60), skin=box(0, 65, SIZE, SIZE), beard=box(0, 120, SIZE, 150))
    beard = measure_palette(photo, drawn).beard
    assert (beard[0] > 60) == is_white
    assert np.hypot(*beard[1:]) < 15


@pytest.mark.parametrize(
    ("hair", "is_dark"), [((200, 181, 96), True), ((235, 205, 120), False)], ids=["sheen", "blond"]
)
def test_light_on_a_cropped_head_is_no_blond_hair(hair, is_dark: bool) -> None:
    skin = (138, 98, 36) if is_dark else (222, 180, 150)
    photo = np.full((SIZE, SIZE, 3), skin, np.uint8)
    photo[:60] = hair
    palette = measure_palette(photo, planes(hair=box(0, 0, SIZE, 60), skin=box(0, 65, SIZE, SIZE)))
    assert (palette.hair[0] < 40) == is_dark


def test_light_hair_of_a_child_is_blond_and_that_of_a_grown_up_may_be_grey() -> None:
    photo = np.full((SIZE, SIZE, 3), (205, 160, 135), np.uint8)
    photo[:60] = (172, 168, 160)
    drawn = planes(hair=box(0, 0, SIZE, 60), skin=box(0, 65, SIZE, SIZE))
    child, grown = (measure_palette(photo, drawn, look=somebody(young)).hair for young in (1.0, 0.0))
    assert child[2] > 15
    assert grown[2] < 6


def test_a_child_s_green_hair_is_green() -> None:
    photo = np.full((SIZE, SIZE, 3), (150, 110, 92), np.uint8)
    photo[:60] = (140, 200, 178)
    palette = measure_palette(photo, planes(hair=box(0, 0, SIZE, 60), skin=box(0, 65, SIZE, SIZE)), look=somebody(1.0))
    assert palette.hair[1] < -10


def test_hair_in_dim_light_is_drawn_as_light_as_the_skin_is() -> None:
    dim = np.full((SIZE, SIZE, 3), (110, 102, 80), np.uint8)
    dim[100:] = (95, 70, 60)
    drawn = planes(hair=box(0, 0, SIZE, 90), skin=box(0, 110, SIZE, SIZE))
    skin = measure_palette(dim, drawn).skin
    darker, as_seen, as_lit = (
        measure_palette(dim, drawn, look=somebody(0.0, skin * np.float32(share))).hair for share in (0.5, 1.0, 1.4)
    )
    assert as_lit[0] > 1.15 * as_seen[0]
    assert darker == pytest.approx(as_seen)


@pytest.mark.parametrize(("hair", "is_grey"), [((208, 165, 140), True), ((150, 78, 40), False)])
def test_the_lights_colour_is_taken_from_hair_as_the_skin_shows_it(hair, is_grey: bool) -> None:
    photo = np.full((SIZE, SIZE, 3), hair, np.uint8)
    photo[100:] = (196, 104, 74)
    drawn = planes(hair=box(0, 0, SIZE, 90), skin=box(0, 110, SIZE, SIZE))
    fair = np.array([75, 16, 20], np.float32)
    chroma = float(np.hypot(*measure_palette(photo, drawn, look=somebody(0.0, fair)).hair[1:]))
    assert (chroma < 8) == is_grey
    assert (chroma > 20) == (not is_grey)


def test_gloss_on_black_hair_beside_deep_skin_is_no_grey_hair_but_of_the_old() -> None:
    photo = np.full((SIZE, SIZE, 3), (38, 33, 32), np.uint8)
    photo[30:90:2] = (135, 130, 130)
    photo[100:] = (95, 62, 48)
    drawn = planes(hair=box(0, 0, SIZE, 90), skin=box(0, 110, SIZE, SIZE))
    deep = np.array([40, 14, 18], np.float32)
    fair, young, old = (
        float(measure_palette(photo, drawn, look=look).hair[0])
        for look in (somebody(0.0), somebody(0.0, deep), somebody(0.0, deep, old=1.0))
    )
    assert young < old - 5
    assert young < fair - 5


def test_light_in_curls_is_hair_flowers_are_cloth_and_hands_are_skin() -> None:
    face, above, crown = box(80, 60, 120, 120), box(0, 0, SIZE, 130), box(0, 0, SIZE, 50)
    light, flower, hand = box(150, 20, 170, 36), box(5, 5, 25, 25), box(5, 60, 25, 110)
    hair = cv2.subtract(box(60, 4, 190, 50), face | light)
    found = without_stray_skin(planes(skin=face | light | flower | hand, hair=hair), face, above, crown, UNIT)
    assert found["hair"][light > 0].min() > 200
    assert found["skin"][(light | flower) > 0].max() < 50
    assert found["hair"][flower > 0].max() == 0
    assert (found["skin"][(hand | face) > 0] == 255).all()


@pytest.mark.parametrize(("hair", "most"), [((250, 205, 40), 56.0), ((190, 215, 30), 999.0)], ids=["gold", "dyed"])
def test_golden_hair_is_no_lemon(hair, most: float) -> None:
    photo = np.full((SIZE, SIZE, 3), (205, 160, 135), np.uint8)
    photo[:60] = hair
    drawn = planes(hair=box(0, 0, SIZE, 60), skin=box(0, 65, SIZE, SIZE))
    painted = measure_palette(photo, drawn, look=somebody(0.0)).hair
    assert painted[2] < most
    assert (painted[2] > 60) == (most > 60)
    assert painted[2] > 30


@pytest.mark.parametrize(("drawn_skin", "is_dark"), [(72.0, False), (40.0, True)], ids=["fair", "deep"])
def test_fair_hair_before_the_sun_is_no_cropped_hair(drawn_skin: float, is_dark: bool) -> None:
    photo = np.full((SIZE, SIZE, 3), (84, 56, 32), np.uint8)
    photo[:60] = (108, 82, 58)
    look = somebody(0.0)
    look = replace(look, skin=np.array([drawn_skin, 14, 17], np.float32))
    drawn = planes(hair=box(0, 0, SIZE, 60), skin=box(0, 65, SIZE, SIZE))
    hair = measure_palette(photo, drawn, look=look).hair
    assert (hair[0] < 28) == is_dark


def test_hair_amid_a_throat_is_skin_and_what_hangs_down_stays() -> None:
    below, neck = box(0, 100, SIZE, SIZE), box(60, 40, 140, 190)
    patch, braid, fur = box(92, 130, 104, 142), box(64, 60, 76, 170), box(140, 150, 160, 170)
    hair = patch | braid | fur
    found = without_throat_hair(planes(skin=neck & ~(patch | braid), hair=hair), below, UNIT)
    assert found["hair"][136, 98] == 0
    assert found["skin"][136, 98] == 255
    assert found["hair"][120, 70] == 255, "it begins above the chin"
    assert found["hair"][160, 150] == 255, "there is no skin around it"
