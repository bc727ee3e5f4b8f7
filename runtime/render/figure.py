"""One person as the layers draw it: soft fields, the crop they were made of, and the way onto the canvas."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.render.contours import CORNER_PX, Plane, Points, outlines
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.head_carry import HeadCarry, applied
from toonfilter.runtime.render.tones import Patch, Swatch, Swatches
from toonfilter.runtime.render.unchanged import Rules

_T = TypeVar("_T")
_GRID = 17
"""Places across and down for which the style's proportions are worked out; between them they are interpolated."""


@dataclass(frozen=True, slots=True)
class Figure:
    """photo: uint8 [S, S, 3] RGB, the crop. fields: planes uint8 [S, S] by name, see `fields.FieldName`.

    to_canvas: float64 [2, 3], crop px to canvas px. unit_px: distance of the pupils on the canvas, in 3-D; about a
    fifth of a head's height where no face is known. head: its mesh on the canvas, in the style's proportions; None
    without a face. move: canvas points to the style's proportions; None leaves them. swatches: of the same
    person in the frames before; None paints everything anew. carry: see `Person`.
    """

    photo: Image
    fields: Mapping[str, Plane]
    to_canvas: NDArray[np.float64]
    unit_px: float
    head: FaceGeometry | None = None
    move: Callable[[Points], Points] | None = None
    swatches: Swatches | None = None
    carry: HeadCarry | None = None

    def swatch(self, part: str, make: Callable[[], Swatch | None], *, follows: bool = True) -> Swatch | None:
        """See `Swatches.take`."""
        return make() if self.swatches is None else self.swatches.take(part, make, follows=follows)

    def kept(self, part: str, make: Callable[[], _T]) -> _T:
        """See `Swatches.keep`."""
        return make() if self.swatches is None else self.swatches.keep(part, make)

    def found_in(self, plane: Plane, rules: Rules, find: Callable[[], _T]) -> _T:
        """What `find` gives of a plane, in crop px; once for as long as that is the same. See `Unchanged.of`."""
        return find() if self.swatches is None else self.swatches.unchanged.of(plane, rules, self.unit_crop_px, find)

    def held(self, part: str, value: NDArray[np.float32], most: float) -> NDArray[np.float32]:
        """See `Swatches.hold`."""
        return value if self.swatches is None else self.swatches.hold(part, value, most)

    def calm(self, part: str, value: NDArray[np.float32], place: Points) -> NDArray[np.float32]:
        """See `Swatches.calm`."""
        return value if self.swatches is None else self.swatches.calm(part, value, place)

    def with_fields(self, make: Callable[[Mapping[str, Plane]], dict[str, Plane]]) -> "Figure":
        """The figure with what `make` gives of its fields."""
        fields = make(self.fields) if self.swatches is None else self.swatches.unchanged.fields(self.fields, make)
        return replace(self, fields=fields)

    @property
    def shows_light(self) -> bool:
        """Whether the photo's light and shade may be drawn: not of people without a known face, whose cloth or hair
        may be a face that the network took for it."""
        return self.head is not None

    @property
    def unit_crop_px(self) -> float:
        """`unit_px` in crop px."""
        (a, b, _), (c, d, _) = self.to_canvas.tolist()
        size: float = self.unit_px / math.sqrt(abs(a * d - b * c))
        return size

    def place(self, points: Points) -> Points:
        """Crop px to canvas px, in the style's proportions."""
        if self.carry is not None:
            points = self.carry.move(points)
        plain = (points @ self.to_canvas[:, :2].T + self.to_canvas[:, 2]).astype(np.float32)
        return plain if self.move is None else self.move(plain)

    def to_crop(self, points: Points) -> Points:
        """Canvas px to crop px, for points that the style's proportions hardly move."""
        there: Points = applied(cv2.invertAffineTransform(self.to_canvas), points).astype(np.float32)
        return there if self.carry is None else self.carry.back(there)

    def patch(self, shapes: Sequence[Points], plane: Plane, *, follows: bool = True) -> Patch | None:
        """The part of a plane under these shapes, see `Patch.under`. follows: they move with the head."""
        drift = self._drift if follows else None
        if drift is None:
            return Patch.under(shapes, self.to_canvas, plane)
        patch = Patch.under([shape - drift for shape in shapes], self.to_canvas, plane)
        return None if patch is None else patch.moved(drift)

    @property
    def _drift(self) -> Points | None:
        """How far the head has moved on the canvas since its fields were read, float32 [2]; None: not at all."""
        if self.carry is None or self.head is None:
            return None
        middle = self.head.middle[None]
        drift: Points = (middle - applied(self.to_canvas, self.to_crop(middle)))[0].astype(np.float32)
        return drift

    def as_drawn(self, plane: Plane, patch: Patch) -> Plane:
        """A patch's part of a plane with its places in the style's proportions."""
        if self.head is None:
            return patch.of(plane)
        across = np.linspace(patch.left - 0.5, patch.left + patch.width - 0.5, _GRID).astype(np.float32)
        down = np.linspace(patch.top - 0.5, patch.top + patch.height - 0.5, _GRID).astype(np.float32)
        grid = np.stack(np.meshgrid(across, down), -1).reshape(-1, 2)
        canvas, drift = applied(self.to_canvas, grid), self._drift
        if drift is not None:
            canvas += drift
        photo = self.to_crop(self.head.warp.source(canvas)).reshape(_GRID, _GRID, 2)
        size = (patch.width, patch.height)
        places = cv2.resize(photo, size, interpolation=cv2.INTER_LINEAR)
        drawn: Plane = cv2.remap(plane, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return drawn

    def outlines(
        self,
        plane: Plane,
        *,
        level: int = 128,
        blur_u: float = 0.02,
        smooth_u: float = 0.03,
        least_u2: float = 0.02,
        corner_px: float = CORNER_PX,
    ) -> list[Points]:
        """Outlines of a plane on the canvas; lengths in units of `unit_px`, see `contours.outlines`."""
        unit = self.unit_crop_px

        def found() -> list[Points]:
            return outlines(
                plane,
                level=level,
                blur_px=blur_u * unit,
                smooth_px=smooth_u * unit,
                least_px2=least_u2 * unit * unit,
                corner_px=corner_px,
            )

        shapes = self.found_in(plane, (level, blur_u, smooth_u, least_u2, corner_px), found)
        if not shapes:
            return []
        ends = np.cumsum([len(shape) for shape in shapes])[:-1]
        return np.split(self.place(np.concatenate(shapes)), ends)
