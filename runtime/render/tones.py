"""Tones inside a region: small fields enlarged to the canvas and thresholded there, so that flat colours meet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import cv2
import numpy as np
import skia
from numpy.typing import NDArray

from toonfilter.runtime.render.canvas import Pixels
from toonfilter.runtime.render.colour import Colour
from toonfilter.runtime.render.contours import Plane, Points

_RAMP_LEVELS = 4
"""Half the width of the ramp between two tones, in levels of the field. Raising it softens their edges."""
_MARGIN_PX = 3
_SHORT_U = 0.22
"""Lines shorter than this, in distances of the pupils, are specks. Raising it draws fewer lines."""
_LINE = 255
_T = TypeVar("_T")
_ODD_PARTS = ("hair", "beard", "headwear", "cast")


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

    def lines(self, part: NDArray[np.uint8], level: int) -> NDArray[np.uint8]:
        """Mask at the canvas' size of where this part of a plane is above the level."""
        mask: NDArray[np.uint8] = cv2.compare(self.enlarged(part), level, cv2.CMP_GT)
        return mask

    def of(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This part of a plane or picture; a view, not a copy."""
        return plane[self.top : self.top + self.height, self.left : self.left + self.width]

    def drawn(self, lines: Sequence[Points], width_px: float) -> NDArray[np.uint8]:
        """Mask at the canvas' size of tapered lines: px of this part. width_px: in their middles, on the canvas."""
        mask = np.zeros(self.canvas_size[::-1], np.uint8)
        scale = np.array(self.canvas_size, np.float32) / np.array([self.width, self.height], np.float32)
        for share, first, last in ((0.0, 0.0, 1.0), (0.6, 0.12, 0.8), (1.0, 0.25, 0.6)):
            thickness = max(1, round(share * width_px))
            parts = [line[round(first * len(line)) : max(2, round(last * len(line)))] for line in lines]
            places = [np.rint((part + 0.5) * scale * 8).astype(np.int32) for part in parts]
            cv2.polylines(mask, places, False, 255, thickness, cv2.LINE_8, 3)
        return mask

    def enlarged(self, part: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This part of a plane, of whatever size it was measured at, at the canvas' size."""
        large: NDArray[np.uint8] = cv2.resize(part, self.canvas_size, interpolation=cv2.INTER_LINEAR)
        return large


def long_lines(ink: Plane, level: int, unit_px: float) -> Plane:
    """The field of ink without specks: lines shorter than `_SHORT_U` are left out. unit_px: distance of the pupils."""
    count, parts, found, _ = cv2.connectedComponentsWithStats(cv2.compare(ink, level, cv2.CMP_GT), ltype=cv2.CV_16U)
    length = np.hypot(found[:, cv2.CC_STAT_WIDTH], found[:, cv2.CC_STAT_HEIGHT])
    is_speck = length < _SHORT_U * unit_px
    is_speck[0] = False
    if count < 2 or not is_speck.any():
        return ink
    kept: Plane = np.where(is_speck[parts], np.uint8(0), ink)
    return kept


def stepped(
    field: NDArray[np.uint8],
    steps: Sequence[tuple[float, Colour]],
    base: Colour,
    lines: NDArray[np.uint8] | None = None,
    dark: Colour | None = None,
) -> Pixels:
    """Flat colours by the level of a field: uint8 [h, w, 4] RGBA.

    steps: levels from which a colour holds (below 128: up to which), the nearest to 128 first on each side. base: the
    colour between them. lines: mask of what is drawn in the colour `dark`.
    """
    levels = np.arange(256, dtype=np.float32)
    table = np.repeat(np.asarray(base, np.float32)[None], 256, 0)
    for level, colour in steps:
        beyond = (levels - level) if level > 128 else (level - levels)
        share = np.clip(beyond / (2 * _RAMP_LEVELS) + 0.5, 0, 1)[:, None]
        table += (np.asarray(colour, np.float32) - table) * share
    if lines is not None and dark is not None:
        table[_LINE] = dark
        field = cv2.max(cv2.min(field, _LINE - 1), cv2.bitwise_and(lines, _LINE))
    return _coloured(field, table)


def chosen(
    memberships: Sequence[NDArray[np.uint8]], colours: Sequence[Colour], lines: NDArray[np.uint8], dark: Colour
) -> Pixels:
    """The colour with the highest membership everywhere, and over it lines: uint8 [h, w, 4] RGBA. lines: their mask."""
    best = memberships[0]
    index = np.zeros_like(best)
    for number, soft in enumerate(memberships[1:], 1):
        higher = cv2.compare(soft, best, cv2.CMP_GT)
        best = cv2.max(best, soft)
        index = cv2.max(cv2.bitwise_and(index, cv2.bitwise_not(higher)), cv2.bitwise_and(higher, number))
    index = cv2.max(index, cv2.bitwise_and(lines, _LINE))
    table = np.zeros((256, 3), np.float32)
    table[: len(colours)] = colours
    table[_LINE] = dark
    return _coloured(index, table)


def _coloured(index: NDArray[np.uint8], table: NDArray[np.float32]) -> Pixels:
    """table: float32 [256, 3], sRGB 0 to 1. Edges are softened by a pixel, as a brush's are."""
    opaque = np.full((256, 4), 255, np.uint8)
    opaque[:, :3] = np.round(np.clip(table, 0, 1) * 255)
    packed = cv2.LUT(index, opaque.view(np.int32))
    picture: Pixels = cv2.blur(packed.view(np.uint8).reshape(*index.shape, 4), (3, 3))
    return picture


def lay(canvas: skia.Canvas, picture: Pixels, patch: Patch, region: skia.Path, *, is_opaque: bool = True) -> None:
    """Fill the region with a patch's picture. is_opaque: False where it is premultiplied by its alpha."""
    alpha = skia.kOpaque_AlphaType if is_opaque else skia.kPremul_AlphaType
    pixels = (skia.kRGBA_8888_ColorType, alpha)
    image = skia.Image.fromarray(picture, *pixels, copy=False)
    place = skia.Matrix.Translate(patch.canvas_left, patch.canvas_top)
    shader = image.makeShader(skia.TileMode.kClamp, skia.TileMode.kClamp, skia.SamplingOptions(), place)
    canvas.drawPath(region, skia.Paint(Shader=shader, AntiAlias=True))


Swatch = tuple[Pixels, Patch]
"""A painted patch and where it lies."""


class Swatches:
    """Painted patches of one person in a video, each used for two frames: the tones of one part are painted while
    those of another are used again, moved along with the head. Outlines are drawn anew in every frame."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Swatch, Points]] = {}
        self._on_map: dict[str, Any] = {}
        self._frame = 0
        self._anchor: Points = np.zeros(2, np.float32)

    def next_frame(self, anchor: Points) -> None:
        """anchor: float32 [2], canvas px, a point of the head."""
        self._frame += 1
        self._anchor = anchor

    def _is_due(self, part: str) -> bool:
        return (self._frame + (part in _ODD_PARTS)) % 2 == 0

    def keep(self, part: str, make: Callable[[], _T]) -> _T:
        """As `take`, for what lies on the map of the face, which moves with it by itself."""
        if part not in self._on_map or self._is_due(part):
            self._on_map[part] = make()
        kept: _T = self._on_map[part]
        return kept

    def take(self, part: str, make: Callable[[], Swatch | None], *, follows: bool) -> Swatch | None:
        """The patch of this part, painted now or moved. follows: it moves with the head."""
        known = self._kept.get(part)
        if known is None or self._is_due(part):
            fresh = make()
            if fresh is not None:
                self._kept[part] = (fresh, self._anchor)
            return fresh
        (picture, patch), anchor = known
        if follows:
            left, top = (patch.canvas_left, patch.canvas_top) + (self._anchor - anchor)
            patch = replace(patch, canvas_left=float(left), canvas_top=float(top))
        return picture, patch
