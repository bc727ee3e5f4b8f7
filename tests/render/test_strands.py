"""Lines along strands of hair."""

import numpy as np
import pytest

from toonfilter.runtime.render.strands import hair_relief, strand_lines

SIZE, UNIT = 200, 60.0


def striped(angle: float) -> np.ndarray:
    """Strands in one direction: uint8 [SIZE, SIZE]."""
    y, x = np.mgrid[:SIZE, :SIZE]
    return (128 + 40 * np.sin((x * np.sin(angle) - y * np.cos(angle)) / 2)).astype(np.uint8)


@pytest.fixture
def hair() -> np.ndarray:
    plane = np.zeros((SIZE, SIZE), np.uint8)
    plane[20:180, 20:180] = 255
    return plane


@pytest.mark.parametrize("angle", [0.3, 0.8, 1.5, 2.2])
def test_lines_run_along_the_strands_and_stay_in_the_hair(hair, angle) -> None:
    lines = strand_lines(striped(angle), hair, UNIT, (100.0, 100.0))
    middle = [line for line in lines if 60 < line[4, 0] < 140 and 60 < line[4, 1] < 140]
    assert len(middle) > 5
    for line in middle:
        along = line[-1] - line[0]
        turn = abs(np.arctan2(along[1], along[0]) - angle) % np.pi
        assert min(turn, np.pi - turn) < 0.15
    places = np.concatenate(lines)
    assert places.min() > 20
    assert places.max() < 180


def test_lines_move_with_the_head(hair) -> None:
    tone = striped(1.2)
    before = strand_lines(tone, hair, UNIT, (100.0, 100.0))
    moved = strand_lines(np.roll(tone, (4, 6), (0, 1)), np.roll(hair, (4, 6), (0, 1)), UNIT, (106.0, 104.0))
    assert len(moved) == len(before)
    apart = [min(float(np.abs(line - other - [6, 4]).max()) for other in before) for line in moved]
    assert np.median(apart) < 0.5


def test_no_hair_has_no_lines(hair) -> None:
    assert strand_lines(striped(1.0), np.zeros_like(hair), UNIT, (0.0, 0.0)) == []


def test_a_round_head_of_hair_is_lit_from_above_on_its_light_side(hair) -> None:
    flat = np.full_like(hair, 120)
    relief = hair_relief(flat, hair, UNIT, light_side=-0.8)
    assert relief[40, 40:160].mean() > 2
    assert relief[160, 40:160].mean() < -2
    assert relief[100, 40] > relief[100, 160]
