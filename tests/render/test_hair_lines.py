"""Single strands on hair, and the locks that leave its outline."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.render.colour import picture_lab, to_rgb
from toonfilter.runtime.render.hair_flow import HairFlow, hair_flow
from toonfilter.runtime.render.hair_lines import draw_lines, loose_locks
from toonfilter.runtime.render.tones import Swatches

SIDE, UNIT = 240, 60.0
BASE = np.array([50, 8, 10], np.float32)
ORIGIN = np.array([120, 120], np.float32)


def upright_waves() -> NDArray[np.uint8]:
    """Light of straight hair that hangs down."""
    wave = 128 + 60 * np.sin(np.arange(SIDE) * 0.9)
    return np.tile(wave.astype(np.uint8), (SIDE, 1))


def block() -> NDArray[np.uint8]:
    hair = np.zeros((SIDE, SIDE), np.uint8)
    hair[40:-40, 40:-40] = 255
    return cv2.GaussianBlur(hair, (0, 0), 2)


def flow_of(light: NDArray[np.uint8]) -> HairFlow:
    return hair_flow(light, block(), ORIGIN, UNIT)


def drawn(flow: HairFlow, relief: float = -6.0, long: float = 1.0, often: float = 1.0) -> NDArray[np.float32]:
    """Levels that strands change: float32 [2 SIDE, 2 SIDE]."""
    level = round(255 * float(to_rgb(BASE)[0]))
    picture = np.full((2 * SIDE, 2 * SIDE, 4), level, np.uint8)
    draw_lines(picture, flow, np.full((SIDE, SIDE), relief, np.float32), BASE, long, often)
    return picture[..., 0].astype(np.float32) - level


def lengths(changed: NDArray[np.float32]) -> NDArray[np.int32]:
    """Height of each connected piece of what was drawn."""
    found = cv2.connectedComponentsWithStats((np.abs(changed) > 8).astype(np.uint8))[2]
    return found[1:, cv2.CC_STAT_HEIGHT]


def test_strands_run_along_the_hair_and_stay_in_it() -> None:
    changed = drawn(flow_of(upright_waves()))
    across, down = (np.abs(np.diff(changed, axis=axis)).mean() for axis in (1, 0))
    assert across > 2 * down
    assert not changed[: 2 * 40 - 12].any()
    assert changed[100:-100, 100:-100].any()


def test_strands_are_dark_in_shade_and_light_in_light_and_none_where_none_are_wanted() -> None:
    flow = flow_of(upright_waves())
    assert drawn(flow, relief=-6.0).min() < -12
    light = drawn(flow, relief=8.0)
    assert light[light != 0].mean() > drawn(flow, relief=-6.0).min() + 25
    assert not drawn(flow, often=0.0).any()


def test_strands_stand_out_less_on_dark_hair() -> None:
    flow, pictures = flow_of(upright_waves()), []
    for base in ((20, 8, 10), (50, 8, 10)):
        picture = np.zeros((2 * SIDE, 2 * SIDE, 4), np.uint8)
        draw_lines(picture, flow, np.full((SIDE, SIDE), 6.0, np.float32), np.array(base, np.float32), 1.0, 1.0)
        pictures.append(float(picture_lab(picture[..., :3])[..., 0].max()) - base[0])
    dark, light = pictures
    assert 2 < dark < 0.8 * light


def test_strands_of_cropped_hair_are_short() -> None:
    flow = flow_of(upright_waves())
    cropped, long = (drawn(flow, long=one, often=0.15) for one in (0.0, 1.0))
    assert np.percentile(lengths(cropped), 90) < 0.7 * np.percentile(lengths(long), 90)


def test_hair_is_curly_where_its_light_has_no_direction() -> None:
    assert flow_of(curls()).curl > 0.8
    assert flow_of(upright_waves()).curl == 0
    assert flow_of(np.full((SIDE, SIDE), 40, np.uint8)).curl == 0, "nothing can be seen of it"


def curls() -> NDArray[np.uint8]:
    """Light of curly hair."""
    noise = np.random.default_rng(5).integers(0, 256, (SIDE, SIDE)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2.5)


def locks_of(flow: HairFlow, **changed: float) -> list[NDArray[np.float32]]:
    nothing = np.zeros((SIDE, SIDE), np.uint8)
    return loose_locks(flow, nothing, nothing, 2.0, changed.get("long", 1.0), changed.get("often", 1.0))


def test_tips_leave_the_outline_where_strands_end_and_single_hairs_where_they_run_along_it() -> None:
    locks = locks_of(flow_of(upright_waves()))
    lowest = max(lock[:, 1].max() for lock in locks)
    widest = max(lock[:, 0].max() for lock in locks)
    assert 205 < lowest < 225
    assert 201 < widest < 220
    assert not locks_of(flow_of(upright_waves()), often=0.0)


def test_single_hairs_leave_long_hair_and_not_cropped_hair() -> None:
    def beside(long: float) -> int:
        """How many leave its sides, for heads in several places."""
        count = 0
        for shift in range(0, 60, 6):
            flow = hair_flow(upright_waves(), block(), ORIGIN + np.float32([shift, shift]), UNIT)
            count += sum(60 < lock[:, 1].mean() < 180 for lock in locks_of(flow, long=long))
        return count

    assert beside(1.0) > 3
    assert beside(0.0) == 0


def test_no_lock_leaves_from_under_a_hat() -> None:
    flow, nothing = flow_of(upright_waves()), np.zeros((SIDE, SIDE), np.uint8)
    hat = nothing.copy()
    hat[:120] = 255
    locks = loose_locks(flow, nothing, hat, 2.0, 1.0, 1.0)
    assert locks
    assert min(lock[:, 1].min() for lock in locks) > 90


def test_curls_run_all_ways_and_stay_in_the_hair() -> None:
    changed = drawn(flow_of(curls()))
    across, down = (np.abs(np.diff(changed, axis=axis)).mean() for axis in (1, 0))
    assert 0.8 < across / down < 1.25
    assert (np.abs(changed) > 8).mean() > 0.02
    assert not changed[: 2 * 40 - 12].any()
    assert np.percentile(lengths(changed), 50) < 0.3 * 2 * UNIT
    assert not drawn(flow_of(curls()), often=0.0).any()


@pytest.mark.parametrize("light", [upright_waves(), curls()], ids=["straight", "curly"])
@pytest.mark.parametrize("shift", [1, 7])
def test_strands_move_with_the_head(light: NDArray[np.uint8], shift: int) -> None:
    there = drawn(flow_of(light))
    moved = hair_flow(np.roll(light, shift, 1), np.roll(block(), shift, 1), ORIGIN + np.float32([shift, 0]), UNIT)
    assert np.abs(np.roll(drawn(moved), -2 * shift, 1) - there).mean() < 1.0


def test_no_hair_draws_nothing() -> None:
    nothing = np.zeros((SIDE, SIDE), np.uint8)
    flow = hair_flow(upright_waves(), nothing, ORIGIN, UNIT)
    assert not drawn(flow).any()
    assert not locks_of(flow)


def test_a_field_that_trembles_is_calmed_and_goes_along_with_the_head() -> None:
    rng, swatches = np.random.default_rng(4), Swatches()
    still = np.zeros((40, 60, 3), np.float32)
    still[10:20, 20:30] = 100
    place = np.array([25, 15], np.float32)
    for _ in range(20):
        calm = swatches.calm("hair", still + rng.normal(0, 8, still.shape).astype(np.float32), place)
    assert np.std(calm - still) < 5
    moved = swatches.calm("hair", np.roll(still, 2, 1), place + np.float32([2, 0]))
    assert np.abs(moved - np.roll(still, 2, 1)).mean() < 5
    far = np.roll(still, 20, 1)
    assert np.array_equal(swatches.calm("hair", far, place + np.float32([20, 0])), far), "nothing old stays"
