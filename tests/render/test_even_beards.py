"""Moustaches are on both sides what they are on one, and beards begin on faces."""

import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.geometry.alignment import mean_face
from toonfilter.runtime.render.even_beards import (
    even_beard,
    with_even_moustache,
    without_half_beard,
    without_neck_beard,
)

UNIT = 60.0


def landmarks(turn: float = 0.0) -> NDArray[np.float32]:
    """A frontal face in a picture of 300 px; turn: how much narrower its right half is."""
    points = (mean_face() * 60 + [150, 130, 0]).astype(np.float32)
    right = points[:, 0] > 150
    points[right, 0] = 150 + (points[right, 0] - 150) * np.float32(1 - turn)
    return points


def half_a_moustache(points: NDArray[np.float32], level: int = 220) -> NDArray[np.uint8]:
    beard = np.zeros((300, 300), np.uint8)
    below = points[2, :2].round().astype(int)
    beard[below[1] + 2 : below[1] + 10, below[0] - 26 : below[0]] = level
    return beard


def sides(beard: NDArray[np.uint8]) -> tuple[float, float]:
    return float(beard[:, :150].sum()), float(beard[:, 150:].sum())


def test_the_other_half_is_added() -> None:
    points = landmarks()
    half = half_a_moustache(points)
    left, right = sides(with_even_moustache({"beard": half}, points, UNIT)["beard"])
    assert left == pytest.approx(sides(half)[0], rel=0.1)
    assert right == pytest.approx(left, rel=0.15)


def test_a_turned_face_gets_a_narrower_half_and_a_profile_none() -> None:
    turned = landmarks(0.35)
    left, right = sides(with_even_moustache({"beard": half_a_moustache(turned)}, turned, UNIT)["beard"])
    assert right == pytest.approx(0.65 * left, rel=0.2)
    profile = landmarks(0.7)
    assert sides(with_even_moustache({"beard": half_a_moustache(profile)}, profile, UNIT)["beard"])[1] == 0


def test_faint_shade_and_chins_are_left_alone() -> None:
    points = landmarks()
    faint = half_a_moustache(points, level=40)
    assert np.array_equal(with_even_moustache({"beard": faint}, points, UNIT)["beard"], faint)
    chin = np.zeros((300, 300), np.uint8)
    row = int(points[152, 1]) - 6
    chin[row : row + 6, 120:148] = 220
    assert np.array_equal(with_even_moustache({"beard": chin}, points, UNIT)["beard"], chin)


@pytest.mark.parametrize(("columns", "stays"), [(slice(104, 148), False), (slice(104, 196), True)])
def test_shade_on_one_side_of_a_chin_is_no_beard(columns: slice, stays: bool) -> None:
    points = landmarks()
    chin = np.zeros((300, 300), np.uint8)
    row = int(points[152, 1]) - 8
    chin[row : row + 8, columns] = 220
    left = without_half_beard({"beard": chin}, points, UNIT)["beard"]
    assert (left.sum() > 0.9 * chin.sum()) == stays
    assert (left.sum() < 0.1 * chin.sum()) == (not stays)


@pytest.mark.parametrize(("above_chin_px", "stays"), [(40, True), (0, False)])
def test_a_beard_that_hardly_begins_on_the_face_is_a_collar(above_chin_px: int, stays: bool) -> None:
    points = landmarks()
    beard = np.zeros((300, 300), np.uint8)
    chin = int(points[152, 1])
    beard[chin - above_chin_px : chin + 30, 110:190] = 220
    assert bool(without_neck_beard({"beard": beard}, points, UNIT)["beard"].any()) == stays


def uneven_beard(points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Along the jaw on one side further up, with a gap below the lip."""
    beard = np.zeros((300, 300), np.uint8)
    row = int(points[152, 1])
    beard[row - 24 : row, 110:190] = 255
    beard[row - 40 : row - 24, 110:130] = 255
    beard[row - 24 : row - 18, 148:152] = 0
    return beard


def test_a_beard_is_as_long_on_both_sides_and_has_no_gaps() -> None:
    points = landmarks()
    beard = uneven_beard(points)
    even = even_beard(beard, points, UNIT)
    assert (
        abs(float(np.subtract(*sides(even)))) < 0.03 * float(even.sum()) < abs(float(np.subtract(*sides(beard)))) * 0.3
    )
    assert even[int(points[152, 1]) - 20, 150] > 200


def test_what_lies_far_below_the_chin_stays() -> None:
    points = landmarks()
    long = uneven_beard(points)
    long[-20:, 120:150] = 255
    assert np.array_equal(even_beard(long, points, UNIT)[-10:], long[-10:])


def test_a_profile_s_beard_is_not_mirrored() -> None:
    profile = landmarks(0.7)
    even = even_beard(half_a_moustache(profile), profile, UNIT)
    assert sides(even)[0] > 5 * sides(even)[1]


def test_of_a_turned_head_both_halves_stay_what_they_are() -> None:
    """Laid over each other they miss, and their mean is less of a beard."""
    beard = np.zeros((300, 300), np.uint8)
    kept = []
    for turn in (0.0, 0.45):
        points = landmarks(turn)
        chin = points[152, :2].round().astype(int)
        beard[:] = 0
        beard[chin[1] - 12 : chin[1] - 2, 120:150] = 220
        even = even_beard(beard, points, UNIT)
        kept.append(int(even[chin[1] - 7, 126]))
    assert kept[0] < 130
    assert kept[1] > 190
