"""What was made of planes in the last frame, for frames in which they are the same: of every two only one is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from toonfilter.runtime.render.contours import Plane

_ALIKE = 0.02
"""By what share of itself a distance of the pupils may change for what was made with it to stay. Raising it makes
less of it anew as heads come nearer."""


Rules = tuple[float | str, ...]
"""What a thing depends on beside its plane."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Known:
    plane: Plane
    rules: Rules
    unit_px: float
    value: Any


class Unchanged:
    """What was made of one person's planes in the last frame and in this one. Nobody may write into what it gives."""

    def __init__(self) -> None:
        self._fields: tuple[Mapping[str, Plane], dict[str, Plane]] | None = None
        self._before: list[_Known] = []
        self._now: list[_Known] = []

    def next_frame(self) -> None:
        """What was not asked for in the last frame is forgotten."""
        self._before, self._now = self._now, []

    def fields(
        self, planes: Mapping[str, Plane], make: Callable[[Mapping[str, Plane]], dict[str, Plane]]
    ) -> dict[str, Plane]:
        """What `make` gives of these planes, uint8 [H, W] by name."""
        if self._fields is None or not _are_same(self._fields[0], planes):
            self._fields = planes, make(planes)
        return self._fields[1]

    def of(self, plane: Plane, rules: Rules, unit_px: float, make: Callable[[], _T]) -> _T:
        """What `make` gives of this plane. unit_px: distance of the pupils, which counts where it is another one."""
        for known in self._before:
            is_alike = known.rules == rules and abs(unit_px - known.unit_px) <= _ALIKE * known.unit_px
            if is_alike and _is_same(known.plane, plane):
                break
        else:
            known = _Known(plane, rules, unit_px, make())
        self._now.append(known)
        value: _T = known.value
        return value


def _is_same(first: Plane, second: Plane) -> bool:
    return first is second or np.array_equal(first, second)


def _are_same(first: Mapping[str, Plane], second: Mapping[str, Plane]) -> bool:
    return first.keys() == second.keys() and all(_is_same(first[name], second[name]) for name in first)
