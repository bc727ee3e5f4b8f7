"""Hair, beards and headwear from frame to frame: what shows in one frame alone is not drawn."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import cv2
import numpy as np

from toonfilter.runtime.geometry.landmarks import NOSE_TIP
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.people import People, Person

_NEW = 0.45
"""Share of the new planes beside the last ones. Below a half a patch must show twice; lowering it trails more."""
_PARTS = ("hair", "beard", "headwear")


@dataclass(frozen=True, slots=True)
class _Seen:
    """planes: of one person. left, top: where the nose's tip lies in them, px."""

    planes: dict[str, Plane]
    left: float
    top: float


class SteadyParts:
    """Averages parts that move with the head with those of the frame before. Not thread safe."""

    def __init__(self) -> None:
        self._last: dict[int, _Seen] = {}

    def steady(self, people: People, *, follows: bool, carried: Collection[int] = ()) -> People:
        """The people with calmer parts. follows: whether this frame follows the last one.

        carried: ids of those who were not read anew; they stay as they are.
        """
        known = [
            self._steadied(person) if follows and person.face.id not in carried else person for person in people.known
        ]
        last = self._last
        self._last = {one.face.id: last[one.face.id] if one.face.id in carried else _seen(one) for one in known}
        return replace(people, known=known)

    def forget(self) -> None:
        """The next frame has nothing to do with the last."""
        self._last = {}

    def _steadied(self, person: Person) -> Person:
        last, now = self._last.get(person.face.id), _seen(person)
        if last is None:
            return person
        height, width = person.scene.photo.shape[:2]
        shift = np.array([[1, 0, now.left - last.left], [0, 1, now.top - last.top]], np.float64)
        mixed = {}
        for name, plane in now.planes.items():
            if int(plane.max()) == 0 and int(last.planes[name].max()) == 0:
                continue
            # Where the last window did not reach, what is new is all there is.
            moved = cv2.warpAffine(
                last.planes[name], shift, (width, height), dst=plane.copy(), borderMode=cv2.BORDER_TRANSPARENT
            )
            mixed[name] = cv2.addWeighted(plane, _NEW, moved, 1 - _NEW, 0)
        return replace(person, scene=replace(person.scene, planes={**person.scene.planes, **mixed}))


def _seen(person: Person) -> _Seen:
    nose = person.scene.from_frame(person.face.landmarks)[NOSE_TIP]
    return _Seen({name: person.scene.planes[name] for name in _PARTS}, float(nose[0]), float(nose[1]))
