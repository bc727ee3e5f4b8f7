"""A second opinion of where a person is: what it changes, and where it may not."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.fields import FIELDS
from toonfilter.runtime.geometry.alignment import CropTransform
from toonfilter.runtime.render.person_network import (
    SIDE_PX,
    PersonNetwork,
    compared,
    things_unseen,
    with_second_opinion,
)
from toonfilter.runtime.render.scene import FieldsReader

SIZE = 320
EVERYWHERE = np.full((SIZE, SIZE), 255, np.uint8)
NOBODY = np.zeros((SIZE, SIZE), np.uint8)
ASKED = EVERYWHERE, EVERYWHERE
"""Around and below a head."""


def box(left: int, top: int, right: int, bottom: int) -> NDArray[np.uint8]:
    plane = np.zeros((SIZE, SIZE), np.uint8)
    plane[top:bottom, left:right] = 255
    return plane


def planes(person: NDArray[np.uint8], **drawn: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    return {**dict.fromkeys(FIELDS, NOBODY), "person": person, **drawn}


def as_told(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows = np.arange(SIDE_PX) * SIZE // SIDE_PX
    return plane[rows][:, rows]


def test_the_network_sees_the_astronaut_and_not_her_flag(astronaut: NDArray[np.uint8]) -> None:
    told = PersonNetwork().read(astronaut)
    assert told.shape == (SIDE_PX, SIDE_PX)
    assert told.dtype == np.uint8
    assert told[40:75, 98:130].min() > 200, "her face"
    assert told[140:160, 60:160].min() > 200, "her suit"
    assert told[10:60, 5:30].max() < 50, "the flag"


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_people_who_lie_are_seen_as_if_they_stood(astronaut: NDArray[np.uint8], quarter_turns: int) -> None:
    network = PersonNetwork()
    lying = np.ascontiguousarray(np.rot90(astronaut, -quarter_turns))
    assert np.array_equal(network.read(lying, quarter_turns), np.rot90(network.read(astronaut), -quarter_turns))


@pytest.mark.parametrize("quarter_turns", [0, 1])
def test_the_reader_shows_the_nearest_head_upright(astronaut: NDArray[np.uint8], quarter_turns: int) -> None:
    asked = []

    class Listening(PersonNetwork):
        def read(self, image: NDArray[np.uint8], quarter_turns: int = 0) -> NDArray[np.uint8]:
            asked.append(quarter_turns)
            return super().read(image, quarter_turns)

    far, near = (CropTransform(224.0, 120.0, side, quarter_turns * np.pi / 2 + 0.2, 256) for side in (64.0, 320.0))
    heads = [(1, np.full((478, 3), 220, np.float32), far), (2, np.full((478, 3), 220, np.float32), near)]
    reader = FieldsReader(EveryoneIsHere(), SIZE, Listening())
    reader.read(reader.look_closely(astronaut, reader.look(astronaut, steady=False), heads), steady=False)
    assert asked == [quarter_turns]


def test_patches_of_the_room_go_and_missed_shoulders_come() -> None:
    body, lamp, shoulder = box(100, 60, 220, 320), box(20, 20, 70, 60), box(220, 200, 300, 320)
    told = as_told(body | shoulder)
    mixed = with_second_opinion(planes(body | lamp | shoulder // 3, skin=lamp), told, *ASKED)
    assert mixed["person"][25:55, 25:65].max() < 64
    assert mixed["skin"][25:55, 25:65].max() < 64, "what is no person has no parts"
    assert mixed["person"][210:310, 230:290].min() > 192
    assert mixed["person"][100:300, 110:210].min() == 255


def test_what_one_of_both_does_not_see_at_all_stays_the_room() -> None:
    body, lights = box(100, 60, 220, 320), box(20, 200, 80, 240)
    mixed = with_second_opinion(planes(body), as_told(body | lights), *ASKED)
    assert np.array_equal(mixed["person"], body)


def test_fine_edges_stay_ours() -> None:
    lock = box(100, 60, 102, 200)
    mixed = with_second_opinion(planes(box(110, 60, 220, 320) | lock), as_told(box(110, 60, 220, 320)), *ASKED)
    assert mixed["person"][lock > 0].min() == 255


@pytest.mark.parametrize("name", ["hair", "headwear"])
def test_nothing_is_added_above_a_chin_and_clear_hair_and_hats_stay(name: str) -> None:
    body, gap, lock = box(100, 60, 220, 320), box(220, 80, 260, 140), box(60, 80, 100, 260)
    told = as_told(body | gap)
    kept = with_second_opinion(planes(body | gap // 3 | lock, **{name: lock}), told, EVERYWHERE, NOBODY)["person"]
    assert kept[100:130, 230:255].max() == 85
    assert kept[90:250, 65:98].min() > 200
    for unclear in ({name: lock // 2}, {"skin": lock}, {name: box(60, 80, 64, 260)}):
        bare = with_second_opinion(planes(body | lock, **unclear), as_told(body), *ASKED)["person"]
        assert bare[100:240, 70:90].max() < 64


def test_people_whom_nobody_knows_are_not_lost() -> None:
    stranger = box(20, 20, 70, 120)
    unseen = with_second_opinion(planes(stranger), as_told(NOBODY), NOBODY, EVERYWHERE)
    assert np.array_equal(unseen["person"], stranger)
    seen = with_second_opinion(planes(stranger // 3), as_told(stranger), NOBODY, EVERYWHERE)["person"]
    assert seen[30:110, 30:60].min() > 192


class EveryoneIsHere:
    """A fields network that takes everything for a person."""

    def translate(self, crops: NDArray[np.uint8], _: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        planes = np.zeros((*crops.shape[:3], len(FIELDS)), np.uint8)
        planes[..., FIELDS.index("person")] = 255
        return planes


@pytest.mark.parametrize("keep_person", [False, True])
def test_the_room_around_a_known_head_is_no_person_unless_it_must_stay_one(
    astronaut: NDArray[np.uint8], keep_person: bool
) -> None:
    reader = FieldsReader(EveryoneIsHere(), SIZE, PersonNetwork(), keep_person=keep_person)
    landmarks = np.full((478, 3), 220, np.float32)
    head = (1, landmarks, CropTransform(224.0, 120.0, 320.0, 0.0, 256))
    sight = reader.look_closely(astronaut, reader.look(astronaut, steady=False), [head])
    person = reader.read(sight, steady=False).planes["person"]
    assert (person[20:40, 10:40].max() < 64) is not keep_person, "the flag"
    assert person[40:70, 130:150].min() == 255


def test_flags_beside_a_known_head_are_things_and_strangers_are_not() -> None:
    known, flag, stranger = box(120, 0, 200, SIZE), box(10, 100, 50, SIZE), box(260, 60, 310, SIZE)
    ours = planes(known | flag | stranger, skin=box(130, 20, 190, 100) | box(270, 65, 300, 110))
    told = as_told(known)
    things = things_unseen(ours, told)
    left = with_second_opinion(ours, told, NOBODY, EVERYWHERE, things)["person"]
    assert left[150:300, 20:40].max() < 30
    assert left[150:300, 275:295].min() == 255
    assert left[150:300, 130:190].min() == 255
    assert with_second_opinion(ours, told, NOBODY, EVERYWHERE)["person"][150:300, 20:40].min() == 255


def test_a_rim_around_a_body_is_no_bridge_to_a_flag() -> None:
    known, flag = box(118, 0, 202, SIZE), box(90, 100, 118, 140)
    ours = planes(known | flag, skin=box(110, 20, 210, 100))
    things = things_unseen(ours, as_told(box(120, 0, 200, SIZE)))
    assert things[85:107, 75:90].min() == 255


def test_planes_are_as_small_together_as_one_by_one() -> None:
    ours = planes(box(118, 0, 202, SIZE), skin=box(110, 20, 210, 100), hair=box(90, 100, 118, 141))
    small = compared(ours, as_told(NOBODY))
    for name in ("person", "skin", "hair"):
        alone = cv2.resize(ours[name], (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        assert (small[name] == alone).all(), name


@pytest.mark.parametrize(("hair", "headwear", "stays"), [(160, 90, True), (160, 20, False), (20, 230, False)])
def test_what_is_surely_hair_or_a_hat_stays_though_the_other_sees_none(hair: int, headwear: int, stays: bool) -> None:
    """Curls in odd light are a little of both."""
    curls, body = box(100, 20, 220, 120), box(80, 120, 240, 320)
    parts = {"hair": curls // 255 * hair, "headwear": curls // 255 * headwear}
    seen = with_second_opinion(planes(cv2.max(curls, body), **parts), as_told(body), *ASKED)
    assert (int(seen["person"][70, 160]) > 128) == stays
