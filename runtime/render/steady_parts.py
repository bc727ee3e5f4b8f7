"""Hair, beards and headwear from reading to reading: what shows in one alone is not drawn."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.people import People, Person

_NEW = 0.45
"""Share of the new planes beside the last ones. Below a half a patch must show twice; lowering it trails more."""
_FAINT_LEVEL = 8
"""Fainter places of a part stay as they are read: they are nowhere drawn. Raising it costs less."""
_PARTS = ("hair", "beard", "headwear")


@dataclass(frozen=True, slots=True)
class _Seen:
    """planes: of one person. left, top: where the head's middle lies in them, px."""

    planes: dict[str, Plane]
    left: float
    top: float


class SteadyParts:
    """Averages parts that move with the head with those of the reading before. Not thread safe."""

    def __init__(self) -> None:
        self._last: dict[int, _Seen] = {}

    def steady(self, people: People, *, follows: bool) -> People:
        """The people with calmer parts. follows: whether they were read soon after the last ones."""
        known = [self._steadied(person) if follows else person for person in people.known]
        self._last = {one.face.id: _seen(one) for one in known}
        return replace(people, known=known)

    def forget(self) -> None:
        """The next frame has nothing to do with the last."""
        self._last = {}

    def _steadied(self, person: Person) -> Person:
        last, now = self._last.get(person.face.id), _seen(person)
        if last is None:
            return person
        moved_px = np.array([now.left - last.left, now.top - last.top])
        mixed = {}
        for name, plane in now.planes.items():
            before = last.planes[name]
            left, top, right, bottom = _where_either(plane, before, moved_px)
            if right <= left or bottom <= top:
                continue
            part = np.s_[top:bottom, left:right]
            shift = np.column_stack([np.eye(2), moved_px - np.array([left, top])])
            # Where the last window did not reach, what is new is all there is.
            moved = cv2.warpAffine(
                before,
                shift,
                (right - left, bottom - top),
                dst=plane[part].copy(),
                borderMode=cv2.BORDER_TRANSPARENT,
            )
            mixed[name] = plane.copy()
            cv2.addWeighted(plane[part], _NEW, moved, 1 - _NEW, 0, dst=mixed[name][part])
        return replace(person, scene=replace(person.scene, planes={**person.scene.planes, **mixed}))


def _seen(person: Person) -> _Seen:
    # A turning nose goes further than hair does.
    middle = np.array([[*person.face.fit.crop_centre, 0]], np.float32)
    x, y, _ = person.scene.from_frame(middle)[0].tolist()
    return _Seen({name: person.scene.planes[name] for name in _PARTS}, x, y)


def _where_either(plane: Plane, before: Plane, moved_px: NDArray[np.float64]) -> tuple[int, int, int, int]:
    """First column and row, end column and row of what is more than faint in a plane, or in another moved so far."""
    (x, y, width, height), (was_x, was_y, was_width, was_height) = (
        cv2.boundingRect(cv2.compare(one, _FAINT_LEVEL, cv2.CMP_GE)) for one in (plane, before)
    )
    if was_width == 0:
        return x, y, x + width, y + height
    low = np.floor(moved_px + np.array([was_x, was_y])).astype(int) - 1
    high = np.ceil(moved_px + np.array([was_x + was_width, was_y + was_height])).astype(int) + 1
    if width > 0:
        low, high = np.minimum(low, (x, y)), np.maximum(high, (x + width, y + height))
    left, top = np.maximum(low, 0).tolist()
    right, bottom = np.minimum(high, plane.shape[::-1]).tolist()
    return left, top, right, bottom
