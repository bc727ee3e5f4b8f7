"""A second opinion of where a person is: MediaPipe's selfie segmentation, which has seen far more rooms.

The fields network tells hair from skin from cloth and draws fine edges, but takes walls, lamps and backs of chairs for
people. On 100 held-out pictures corrected by eye, 5.1 % of the pixels were in wrong regions after all rules, with a
second opinion 4.4 %.
"""

from collections.abc import Mapping

import cv2
import numpy as np

from toonfilter.runtime.faces.network_files import NetworkFile, open_network
from toonfilter.runtime.fields import PARTS_OF_PEOPLE
from toonfilter.runtime.frames import Image
from toonfilter.runtime.render.contours import Plane, made_small

PERSON = NetworkFile("person.onnx", "7ee25f5890b2322667561123c9b857df68d6ce81e5b2bc6b9ca6a2dca2786496")
SIDE_PX, LIVE_SIDE_PX = 256, 192
"""Of the square to which pictures are stretched. Raising the second costs time in proportion to its square; the network
was made for the first."""
_SHARE = 0.95
"""How much the second opinion counts where the two differ. Raising it trusts it more; over 0.5 it wins."""
_LEAST_CELLS = 3
"""Side of what must differ, in cells of the second opinion, for it to count. Raising it keeps more of our fine edges,
and more false patches."""
_CLEAR: Mapping[str, int] = {"hair": 225, "headwear": 247}
"""Levels from which parts are clear to the fields network and stay, whatever the other sees. Raising them loses long
hair and the crowns of hats; lowering them keeps more of the room as these."""
_CLEARLY_EITHER, _MAY_BE_HAIR = 235, 60
"""Sum of both from which a place is clearly one of them, and least level of hair there: curls in odd light. Raising
them does as raising the levels of `_CLEAR`."""
_SOLID_CELLS = 7
"""Least side of an area of them, in cells of the second opinion, for that. Raising it does as raising the levels."""
_BARE_LEVEL, _MOST_BARE = 100, 0.08
"""Level of skin and hair that somebody shows, and the share of a thing that has it at most. Raising the latter takes
away more flags and chairs, and strangers of whom hardly anything but clothes is seen."""
_AROUND_CELLS, _HINT_GAIN = 9, 4.0
"""Width in cells over which the fields network's own levels are averaged, and how much they are raised, to tell where
it saw a hint of a person: only there is something added. Raising them adds more of the room, and of bystanders."""
_EVEN = 128
_COMPARED = ("person", "skin", "hair", "headwear")


class PersonNetwork:
    """Where a person is in a whole picture. Not thread safe."""

    def __init__(self, side_px: int = SIDE_PX) -> None:
        """Open the network.

        Raises:
            BackendError: see `open_network`.
        """
        self._session = open_network(PERSON)
        self._side_px = side_px

    def read(self, image: Image, quarter_turns: int = 0) -> Plane:
        """uint8 [S, S], 255 where a person is seen for certain. image: uint8 [H, W, 3] RGB.

        quarter_turns: clockwise, by which people in it are turned: of those who lie the network sees too little.
        """
        is_larger = min(image.shape[:2]) > self._side_px
        way = cv2.INTER_AREA if is_larger else cv2.INTER_LINEAR
        square = cv2.resize(image, (self._side_px, self._side_px), interpolation=way)
        upright = np.ascontiguousarray(np.rot90(square, quarter_turns))
        seen = self._session.run(None, {"picture": upright[None]})[0][0, 0]
        mask: Plane = np.ascontiguousarray(np.rot90(seen, -quarter_turns))
        return mask


def compared(planes: Mapping[str, Plane], told: Plane) -> dict[str, Plane]:
    """The planes that are compared with what another network told, at its size.

    planes: uint8 [h, w]. told: uint8 [S, S].
    """
    return made_small(planes, _COMPARED, (told.shape[1], told.shape[0]))


def with_second_opinion(
    planes: Mapping[str, Plane],
    told: Plane,
    near: Plane,
    below: Plane,
    things: Plane | None = None,
    small: Mapping[str, Plane] | None = None,
) -> dict[str, Plane]:
    """The planes with a person nearer to what another network told, where the two differ by more than edges.

    planes, near, below: uint8 [h, w]. told: see `PersonNetwork`. near: 255 where less of a person may be left:
    elsewhere stay whole others whom nobody knows. below: 255 where more may be added: above a chin that is the room
    between locks. things: where less may be left, too, see `things_unseen`. small: see `compared`; None makes them.
    """
    person, small = planes["person"], small or compared(planes, told)
    differs = cv2.bitwise_xor(cv2.compare(small["person"], _EVEN, cv2.CMP_GE), cv2.compare(told, _EVEN, cv2.CMP_GE))
    kernel = np.ones((_LEAST_CELLS, _LEAST_CELLS), np.uint8)
    differs = cv2.dilate(cv2.morphologyEx(differs, cv2.MORPH_OPEN, kernel), kernel)
    if not differs.any():
        return dict(planes)

    def enlarged(part: Plane) -> Plane:
        large: Plane = cv2.resize(part, (person.shape[1], person.shape[0]), interpolation=cv2.INTER_LINEAR)
        return large

    share, large = enlarged(cv2.blur(differs, (3, 3))), enlarged(told)
    hint = cv2.convertScaleAbs(cv2.blur(small["person"], (_AROUND_CELLS, _AROUND_CELLS)), alpha=_HINT_GAIN)
    may_add = cv2.min(cv2.min(share, below), enlarged(hint))
    if things is not None:
        near = cv2.max(near, enlarged(things))
    may_take = cv2.min(cv2.min(share, near), cv2.bitwise_not(enlarged(_seen_clearly(small))))
    more = cv2.multiply(cv2.subtract(large, person), may_add, scale=_SHARE / 255)
    less = cv2.multiply(cv2.subtract(person, large), may_take, scale=_SHARE / 255)
    person = cv2.subtract(cv2.add(person, more), less)
    # What is no person has no parts.
    return {**planes, **{name: cv2.min(planes[name], person) for name in PARTS_OF_PEOPLE}, "person": person}


def things_unseen(planes: Mapping[str, Plane], told: Plane, small: Mapping[str, Plane] | None = None) -> Plane:
    """255 in what hangs together of a person that the other does not see, where hardly anything is skin or hair.

    Flags, chairs. planes: uint8 [h, w]. told: see `PersonNetwork`. small: see `compared`; None makes them. Returns
    uint8 [S, S].
    """
    small = small or compared(planes, told)
    unseen = cv2.subtract(small["person"], told)
    kernel = np.ones((_LEAST_CELLS, _LEAST_CELLS), np.uint8)
    # Opened, for the rim of hair and shoulders hangs together with what is beside them.
    solid = cv2.morphologyEx(cv2.compare(unseen, _EVEN, cv2.CMP_GE), cv2.MORPH_OPEN, kernel)
    count, parts = cv2.connectedComponents(solid)
    bare = np.zeros(count, np.int64)
    for name in ("skin", "hair"):
        seen = small[name] >= _BARE_LEVEL
        bare += np.bincount(parts.ravel(), seen.ravel(), count).astype(np.int64)
    alone = bare <= _MOST_BARE * np.bincount(parts.ravel(), minlength=count)
    alone[0] = False
    things: Plane = cv2.dilate(alone[parts].astype(np.uint8) * 255, kernel)
    return things


def _seen_clearly(small: Mapping[str, Plane]) -> Plane:
    """255 in large areas of sure hair and hats: uint8 [S, S]. small: see `compared`."""
    clear: Plane = np.zeros_like(small["person"])
    for name, level in _CLEAR.items():
        clear = cv2.max(clear, cv2.compare(small[name], level, cv2.CMP_GE))
    either = cv2.compare(cv2.add(small["hair"], small["headwear"]), _CLEARLY_EITHER, cv2.CMP_GE)
    clear = cv2.max(clear, cv2.min(either, cv2.compare(small["hair"], _MAY_BE_HAIR, cv2.CMP_GE)))
    solid = cv2.morphologyEx(clear, cv2.MORPH_OPEN, np.ones((_SOLID_CELLS, _SOLID_CELLS), np.uint8))
    seen: Plane = cv2.blur(solid, (3, 3))
    return seen
