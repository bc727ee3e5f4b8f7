"""Tones inside a region: small fields enlarged to the canvas and thresholded there, so that flat colours meet."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import cv2
import numpy as np
import skia
from numpy.typing import NDArray

from toonfilter.runtime.render.canvas import Pixels, canvas_for_pictures
from toonfilter.runtime.render.colour import Colour
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.unchanged import Unchanged

_RAMP_LEVELS = 4
"""Half the width of the ramp between two tones, in levels of the field. Raising it softens their edges."""
_MARGIN_PX = 3
_FRESH, _FAR_PX = 0.4, 6.0
"""Share of what is new in a field that is averaged, and how far a head moves, in px, for nothing old to stay. Raising
the first follows sooner and flickers more."""
_T = TypeVar("_T")
_EVERY_FRAMES, _SLOW_FRAMES = 2, 6
"""In which of so many frames a part is painted at most, and one of `_SLOW_PARTS`. Raising them costs less, and tones
lag behind."""
_LATER: Mapping[str, int] = {"cloth": 1, "headwear": 1, "cast": 2, "hair": 2, "beard": 3}
"""Parts that are painted so many frames after the others, so that no frame has to wait for all. Raising them lets tones
lag behind outlines."""
_SLOW_PARTS = ("hair", "beard")
"""They cost most and change least."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A part of the planes and where it lies on the canvas. left, top, width, height: plane px; the rest: canvas px."""

    left: int
    top: int
    width: int
    height: int
    canvas_left: float
    canvas_top: float
    canvas_size: tuple[int, int]

    @classmethod
    def under(cls, shapes: Sequence[Points], to_canvas: NDArray[np.float64], plane: Plane) -> "Patch | None":
        """The part of the planes that lies under these shapes on the canvas; None where none does."""
        if not shapes:
            return None
        scale = float(to_canvas[0, 0])
        low, high = (
            (limit([limit(one, 0) for one in shapes], 0) - to_canvas[:, 2]) / scale for limit in (np.min, np.max)
        )
        rows, columns = plane.shape
        left, top = np.maximum(np.floor(low).astype(int) - _MARGIN_PX, 0).tolist()
        right, bottom = np.minimum(np.ceil(high).astype(int) + _MARGIN_PX + 1, (columns, rows)).tolist()
        if right - left < 2 or bottom - top < 2:
            return None
        corner = to_canvas[:, :2] @ np.array([left - 0.5, top - 0.5]) + to_canvas[:, 2] + 0.5
        size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
        return cls(left, top, right - left, bottom - top, float(corner[0]), float(corner[1]), size)

    def moved(self, by_px: Points) -> "Patch":
        """The same part elsewhere. by_px: float32 [2], canvas px."""
        left, top = (self.canvas_left + float(by_px[0]), self.canvas_top + float(by_px[1]))
        return replace(self, canvas_left=left, canvas_top=top)

    def of(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This part of a plane or picture; a view, not a copy."""
        return plane[self.top : self.top + self.height, self.left : self.left + self.width]

    def enlarged(self, part: NDArray[np.uint8], *, smoothly: bool = False) -> NDArray[np.uint8]:
        """This part of a plane, of whatever size it was measured at, at the canvas' size. smoothly: without creases."""
        way = cv2.INTER_CUBIC if smoothly else cv2.INTER_LINEAR
        large: NDArray[np.uint8] = cv2.resize(part, self.canvas_size, interpolation=way)
        return large


def stepped(field: NDArray[np.uint8], steps: Sequence[tuple[float, Colour]], base: Colour) -> Pixels:
    """Flat colours by the level of a field: uint8 [h, w, 4] RGBA.

    steps: levels from which a colour holds (below 128: up to which), the nearest to 128 first on each side. base: the
    colour between them.
    """
    return coloured(field, step_table(steps, base))


def tint(picture: Pixels, tints: NDArray[np.float32]) -> None:
    """Add colours to a picture uint8 [H, W, 4] in place. tints: float32 [h, w, 3] sRGB, -1 to 1, smaller."""
    height, width = picture.shape[:2]
    for sign, change in ((1, cv2.add), (-1, cv2.subtract)):
        part = np.zeros((*tints.shape[:2], 4), np.uint8)
        part[..., :3] = np.clip(tints * np.float32(sign * 255), 0, 255)
        change(picture, cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR), dst=picture)


def to_levels(values: NDArray[np.float32], per_unit: float, middle: float = 128.0) -> NDArray[np.uint8]:
    """A field as 8-bit levels around a middle one; what lies beyond them is at the end."""
    levels: NDArray[np.uint8] = np.clip(values * np.float32(per_unit) + np.float32(middle + 0.5), 0, 255).astype(
        np.uint8
    )
    return levels


def step_table(steps: Sequence[tuple[float, NDArray[np.float32]]], base: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 [256, N]: what holds at each level of a field. steps, base: as in `stepped`, of any N numbers each."""
    levels = np.arange(256, dtype=np.float32)
    table = np.repeat(base[None], 256, 0).astype(np.float32)
    for level, value in steps:
        beyond = (levels - level) if level > 128 else (level - levels)
        table += (value - table) * np.clip(beyond / (2 * _RAMP_LEVELS) + 0.5, 0, 1)[:, None]
    return table


def coloured(index: NDArray[np.uint8], table: NDArray[np.float32]) -> Pixels:
    """Colours by index: uint8 [h, w, 4] RGBA, edges softened by a pixel as a brush's are. table: [256, 3] sRGB."""
    opaque = np.full((256, 4), 255, np.uint8)
    opaque[:, :3] = np.round(np.clip(table, 0, 1) * 255)
    packed = cv2.LUT(index, opaque.view(np.int32))
    picture: Pixels = cv2.blur(packed.view(np.uint8).reshape(*index.shape, 4), (3, 3))
    return picture


def lay(
    canvas: skia.Canvas,
    picture: Pixels,
    patch: Patch,
    region: skia.Path,
    *,
    is_opaque: bool = True,
    soft_px: float = 0.0,
) -> None:
    """Fill the region with a patch's picture.

    is_opaque: False where it is premultiplied by its alpha. soft_px: over how much its edge fades to either side.
    """
    alpha = skia.kOpaque_AlphaType if is_opaque else skia.kPremul_AlphaType
    canvas, order = canvas_for_pictures(canvas)
    image = skia.Image.fromarray(picture, order, alpha, copy=False)
    place = skia.Matrix.Translate(patch.canvas_left, patch.canvas_top)
    shader = image.makeShader(skia.TileMode.kClamp, skia.TileMode.kClamp, skia.SamplingOptions(), place)
    brush = skia.Paint(Shader=shader, AntiAlias=True)
    if soft_px > 0:
        brush.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, soft_px, False))
    canvas.drawPath(region, brush)


Swatch = tuple[Pixels, Patch]
"""A painted patch and where it lies."""


@dataclass(slots=True)
class _Painted:
    """When a part was painted, and from which reading; since when there is a newer one."""

    frame: int
    reading: int
    stale_since: int | None = None


class Swatches:
    """Painted patches of one person in a video, each used for a few frames, until there are new fields: the tones of
    one part are painted while those of another are used again, moved along with the head. Outlines are drawn anew in
    every frame.

    unchanged: what else is known of the last frame.
    """

    def __init__(self) -> None:
        self.unchanged = Unchanged()
        self._painted: dict[str, _Painted] = {}
        self._kept: dict[str, tuple[Swatch, Points]] = {}
        self._on_map: dict[str, Any] = {}
        self._held: dict[str, NDArray[np.float32]] = {}
        self._calmed: dict[str, tuple[NDArray[np.float32], Points]] = {}
        self._frame = self._reading = 0
        self._anchor: Points = np.zeros(2, np.float32)

    def next_frame(self, anchor: Points, reading: int) -> None:
        """anchor: float32 [2], canvas px, a point of the head. reading: the number of that of its fields."""
        self._frame += 1
        self._reading = reading
        self._anchor = anchor
        self.unchanged.next_frame()

    def _is_due(self, part: str) -> bool:
        """Whether the part is to be painted now, which then is noted."""
        later, known = _LATER.get(part, 0), self._painted.get(part)
        if known is None:
            self._painted[part] = _Painted(self._frame + later, self._reading)
            return True
        if known.reading == self._reading:
            return False
        if known.stale_since is None:
            known.stale_since = self._frame
        every = _SLOW_FRAMES if part in _SLOW_PARTS else _EVERY_FRAMES
        if self._frame - known.frame < every or self._frame - known.stale_since < later:
            return False
        self._painted[part] = _Painted(self._frame, self._reading)
        return True

    def keep(self, part: str, make: Callable[[], _T]) -> _T:
        """As `take`, for what lies on the map of the face, which moves with it by itself."""
        if self._is_due(part):
            self._on_map[part] = make()
        kept: _T = self._on_map[part]
        return kept

    def hold(self, part: str, value: NDArray[np.float32], most: float) -> NDArray[np.float32]:
        """The value that was held, until one is further from it than `most` anywhere."""
        held = self._held.get(part)
        if held is None or float(np.abs(value - held).max()) > most:
            held = self._held[part] = value
        return held

    def calm(self, part: str, value: NDArray[np.float32], place: Points) -> NDArray[np.float32]:
        """A field float32 [h, w, C] averaged over a few frames, moved along with the head.

        place: float32 [2], px of the field, where a point of the head is.
        """
        known = self._calmed.get(part)
        if known is not None and known[0].shape[2] == value.shape[2]:
            before, was_at = known
            moved = (place - was_at).astype(np.float64)
            share = min(1.0, _FRESH + float(np.hypot(*moved)) / _FAR_PX)
            matrix = np.array([[1, 0, moved[0]], [0, 1, moved[1]]])
            size = value.shape[1::-1]
            there = cv2.warpAffine(before, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            value = cv2.addWeighted(value, share, there, 1 - share, 0)
        self._calmed[part] = (value, place)
        return value

    def take(self, part: str, make: Callable[[], Swatch | None], *, follows: bool) -> Swatch | None:
        """The patch of this part, painted now or moved. follows: it moves with the head."""
        is_due, known = self._is_due(part), self._kept.get(part)
        if is_due or known is None:
            fresh = make()
            if fresh is not None:
                self._kept[part] = (fresh, self._anchor)
            return fresh
        (picture, patch), anchor = known
        if follows:
            patch = patch.moved(self._anchor - anchor)
        return picture, patch
