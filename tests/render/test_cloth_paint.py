"""Cloth as it is painted."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from toonfilter.runtime.render.cloth_paint import painted_cloth, underpainting
from toonfilter.runtime.render.colour import to_lab
from toonfilter.runtime.render.tones import Patch
from toonfilter.runtime.styles.style import BaseRules

SIZE, UNIT = 160, 50.0
PATCH = Patch(0, 0, SIZE, SIZE, 0.0, 0.0, (SIZE, SIZE))
COAT, SHIRT = np.array([25.0, 2.0, 4.0], np.float32), np.array([85.0, 0.0, 2.0], np.float32)
EVERYWHERE = np.full((SIZE, SIZE), 255, np.uint8)


def photo(lightness: np.ndarray) -> np.ndarray:
    """Grey of this L*, uint8 [SIZE, SIZE, 3]."""
    lab = np.zeros((SIZE, SIZE, 3), np.float32)
    lab[..., 0] = lightness
    return np.rint(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255).astype(np.uint8)


def lightness_of(picture: np.ndarray) -> np.ndarray:
    return to_lab(picture[..., :3].astype(np.float32) / 255)[..., 0]


def painted(light: np.ndarray, folds: float = 1.0, focus: np.ndarray | None = None, cloth="flat") -> np.ndarray:
    rules = replace(BaseRules(), folds=folds, cloth=cloth)
    return lightness_of(painted_cloth(photo(light), EVERYWHERE, PATCH, (COAT, SHIRT), UNIT, rules, focus))


def test_two_colours_meet_at_a_clear_edge() -> None:
    light = np.where(np.arange(SIZE)[None] < 80, 25.0, 85.0) + np.zeros((SIZE, 1))
    row = painted(light)[80]
    assert row[72] < 38
    assert row[88] > 78


@pytest.mark.parametrize("folds", [0.0, 1.0])
def test_a_fold_is_shaded_as_far_as_the_style_says(folds) -> None:
    light = np.full((SIZE, SIZE), 84.0)
    light[:, 60:100] = 70.0
    row = painted(light, folds)[80]
    assert (row[20] - row[80] > 5) == (folds == 1.0)


def test_texture_is_lost() -> None:
    weave = 84.0 + 8.0 * ((np.indices((SIZE, SIZE)).sum(0) // 2) % 2)
    assert painted(weave)[20:140, 20:140].std() < 1.0


def test_what_no_part_covers_has_the_colours_around_it_without_detail() -> None:
    light = np.where(np.arange(SIZE)[None] < 80, 30.0, 70.0) + np.zeros((SIZE, 1))
    light[75:85, 30:40] = 95.0
    person = EVERYWHERE.copy()
    person[:, 140:] = 0
    light[:, 140:] = 5.0
    below = lightness_of(underpainting(photo(light), person, PATCH, UNIT))
    assert abs(below[20, 20] - 30) < 2
    assert abs(below[20, 130] - 70) < 2, "nothing of the room gets in"
    assert below[80, 35] < 50


def test_a_long_fold_is_a_line_and_a_short_one_is_not() -> None:
    light = np.full((SIZE, SIZE), 84.0)
    light[10:150, 78:82] = 50.0
    light[76:84, 30:34] = 50.0
    drawn = painted(light, folds=0.0)
    assert drawn[80, 80] < drawn[80, 110] - 8
    assert abs(drawn[80, 32] - drawn[80, 110]) < 2


def test_a_tie_below_the_chin_keeps_its_edges_and_a_print_further_down_does_not() -> None:
    light = np.full((SIZE, SIZE), 84.0)
    light[20:60, 75:85] = light[125:155, 75:85] = 66.0
    drawn = painted(light, focus=np.array([80.0, 35.0], np.float32))
    tie, print_ = (drawn[row, 68] - drawn[row, 80] for row in (40, 145))
    assert tie > 8
    assert print_ < 0.8 * tie


FOCUS = np.array([80.0, 35.0], np.float32)


def test_painted_cloth_keeps_a_pattern_near_the_collar_more_than_far_from_it() -> None:
    light = np.full((SIZE, SIZE), 84.0)
    light[:, 76:84] = 50.0
    drawn = painted(light, focus=FOCUS, cloth="painted")
    collar, far = (drawn[row, 60] - drawn[row, 80] for row in (40, 155))
    assert collar > 15
    assert far < collar


def test_painted_cloth_loses_fine_texture() -> None:
    weave = 60.0 + 8.0 * ((np.indices((SIZE, SIZE)).sum(0) // 2) % 2)
    assert painted(weave, focus=FOCUS, cloth="painted")[20:140, 20:140].std() < 1.0


def test_painted_cloth_without_folds_has_its_colours_at_large_alone() -> None:
    light = np.full((SIZE, SIZE), 84.0)
    light[30:40, 76:84] = 50.0
    drawn = painted(light, folds=0.0, focus=FOCUS, cloth="painted")
    assert abs(drawn[35, 60] - drawn[35, 80]) < 12


def test_cloth_of_somebody_without_a_known_face_is_flat() -> None:
    light = 60.0 + 20.0 * np.sin(np.arange(SIZE) / 5)[None] + np.zeros((SIZE, 1))
    assert np.array_equal(painted(light, cloth="painted"), painted(light, cloth="flat"))


def test_nothing_beyond_the_cloth_gets_into_it() -> None:
    light = np.where(np.arange(SIZE)[None] < 80, 60.0, 5.0) + np.zeros((SIZE, 1))
    plane = EVERYWHERE.copy()
    plane[:, 80:] = 0
    rules = replace(BaseRules(), inner_ink=0.0)
    drawn = lightness_of(painted_cloth(photo(light), plane, PATCH, (COAT,), UNIT, rules, FOCUS))
    assert abs(drawn[80, 77] - drawn[80, 40]) < 2
