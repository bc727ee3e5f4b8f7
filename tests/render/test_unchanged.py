"""What was made of planes stays as long as they do."""

import numpy as np
import pytest

from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.unchanged import Unchanged

RULES = (128, 0.02)


def plane(level: int = 200) -> Plane:
    return np.full((8, 8), level, np.uint8)


def made(known: Unchanged, of: Plane, unit_px: float = 40.0, rules: tuple[float, ...] = RULES) -> bool:
    """Whether outlines were made anew."""
    calls: list[int] = []

    def make() -> list[Points]:
        calls.append(1)
        return []

    known.of(of, rules, unit_px, make)
    return len(calls) > 0


def test_outlines_of_an_equal_plane_stay() -> None:
    known = Unchanged()
    assert made(known, plane())
    for _ in range(3):
        known.next_frame()
        assert not made(known, plane())


@pytest.mark.parametrize(
    ("of", "unit_px", "rules"),
    [(plane(201), 40.0, RULES), (plane(), 42.0, RULES), (plane(), 40.0, (128, 0.03)), (plane()[:4], 40.0, RULES)],
)
def test_others_are_made_anew(of: Plane, unit_px: float, rules: tuple[float, ...]) -> None:
    known = Unchanged()
    made(known, plane())
    known.next_frame()
    assert made(known, of, unit_px, rules)


def test_slow_growth_adds_up() -> None:
    known = Unchanged()
    made(known, plane(), 40.0)
    anew = []
    for unit_px in (40.5, 41.0):
        known.next_frame()
        anew.append(made(known, plane(), unit_px))
    assert anew == [False, True]


def test_what_a_frame_does_not_ask_for_is_forgotten() -> None:
    known = Unchanged()
    made(known, plane())
    known.next_frame()
    known.next_frame()
    assert made(known, plane())


def test_fields_of_equal_planes_are_the_same_ones() -> None:
    known = Unchanged()
    first = known.fields({"skin": plane()}, lambda planes: {"skin": planes["skin"] // 2})
    again = known.fields({"skin": plane()}, lambda _: {})
    assert again["skin"] is first["skin"]
    other = known.fields({"skin": plane(100)}, lambda planes: {"skin": planes["skin"] // 2})
    assert int(other["skin"][0, 0]) == 50
    assert known.fields({"hair": plane(100)}, lambda _: {}) == {}
