"""What lies behind the people: the room as a calm painting, or something else instead of it."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.render.brushwork import brushed
from toonfilter.runtime.render.colour import lightened
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.pencil import paper

GroundKind = Literal["keep", "drawn", "blur", "colour", "picture", "paper"]
_SMALL_PX = 96
"""Long side of the painted room. A face that nobody found is no longer a person's in it: raising it shows more."""
_FILL = ((16, 5), (8, 3), (4, 3))
"""How colours of the room are spread behind people, far before near: how often shrunk, and over how many px."""
_PALER = 0.16
"""How far the room is mixed with white, so that people stand before it."""
_STRONG, _STRONGEST = 50.0, 100.0
"""Chroma (CIELAB) from which on the room's colours are mixed with less white, and with none. Raising them: paler."""
_LARGER, _BRUSH_PX = 2, 3.0
"""How much larger the room is painted than it is seen, and the brush's reach there. Raising the latter gives larger
patches."""
_STILL_LEVELS = 6.0
_KEPT_FRAMES = 4
"""Frames for which a painted room is used again. Raising it costs less and lets the room lag behind a pan."""
_LEAST_DOT_PX, _DOTS_STEP = 4.0, 0.013
"""Distance of printed dots at least, and in shorter sides of the frame. Raising the latter coarsens them."""
_DOTS_FROM, _DOTS_WHOLE, _DOTS_COVER = 0.25, 1.25, 0.5
"""How far from the frame's middle, in half frames, dots begin and are largest, and what they cover there."""
_DOTS_DEPTH, _DOTS_LEAST = 0.4, 0.06
_MEMORY = 0.75
"""Share of the last painting that stays where nothing moved. Raising it calms a noisy camera and trails more."""


@dataclass(frozen=True, slots=True)
class Ground:
    """kind: what is behind the people. colour: sRGB 0 to 255 for `colour`. picture: uint8 [H, W, 3] for `picture`."""

    kind: GroundKind = "drawn"
    colour: tuple[int, int, int] = (214, 222, 226)
    picture: Image | None = None


class GroundPainter:
    """Paints the ground of a video's frames; remembers the last, so that a still room stays still."""

    def __init__(self, ground: Ground, dots: float = 0.0, lightness: float = 0.0) -> None:
        """Of a drawn ground: dots: how dark printed dots are, 0 to 1. lightness: see `lightened`."""
        self._ground = ground
        self._lightness = lightness
        self._dots = dots
        self._last: NDArray[np.float32] | None = None
        self._scaled: Image | None = None
        self._enlarged: Image | None = None
        self._fresh = 0

    @property
    def is_opaque(self) -> bool:
        """Whether nothing of the room itself is shown."""
        return self._ground.kind != "keep"

    def paint(self, image: Image, small: Image, person: Plane) -> Image:
        """uint8 [H, W, 3] RGB of the frame's size, the painter's memory where it is a painted room.

        image: the frame. small: the frame made small. person: uint8 [h, w], where people are.
        """
        height, width = image.shape[:2]
        kind = self._ground.kind
        if kind == "keep":
            return image
        if kind == "colour":
            return np.full_like(image, self._ground.colour)
        if kind == "paper":
            return paper(height, width)
        if kind == "picture" and self._ground.picture is not None:
            if self._scaled is None or self._scaled.shape != image.shape:
                self._scaled = fill_size(self._ground.picture, width, height)
            return self._scaled
        if self._fresh > 0 and self._enlarged is not None and self._enlarged.shape == image.shape:
            self._fresh -= 1
            return self._enlarged
        self._fresh = _KEPT_FRAMES
        room = self._steady(room_behind(small, person))
        if kind == "drawn":
            room = painted(room, self._lightness)
        levels = np.clip(room, 0, 255).astype(np.uint8)
        self._enlarged = cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR)
        if kind == "drawn" and self._dots > 0:
            self._enlarged = printed(self._enlarged, self._dots)
        return self._enlarged

    def forget(self) -> None:
        """The next frame has nothing to do with the last."""
        self._last = None
        self._fresh = 0

    def _steady(self, room: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._last is not None and self._last.shape == room.shape:
            change = cv2.blur(np.abs(room - self._last).max(2), (7, 7))
            stay = _MEMORY * np.clip(1.5 - change / _STILL_LEVELS, 0, 1)[..., None]
            room = room + (self._last - room) * stay
        self._last = room
        return room


def room_behind(image: Image, person: Plane) -> NDArray[np.float32]:
    """The room without its people, small: float32 [h, w, 3], 0 to 255. Behind people colours of the room go on."""
    height, width = image.shape[:2]
    factor = _SMALL_PX / max(height, width)
    size = (max(8, round(width * factor)), max(8, round(height * factor)))
    room = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    people = cv2.dilate(cv2.resize(person, size, interpolation=cv2.INTER_AREA), np.ones((5, 5), np.uint8))
    seen = np.clip(1 - people.astype(np.float32) / 60, 0, 1)
    spread: NDArray[np.float32] | None = None
    for shrunk, reach in _FILL:
        small = (max(2, size[0] // shrunk), max(2, size[1] // shrunk))
        weight = cv2.blur(cv2.resize(seen, small, interpolation=cv2.INTER_AREA), (reach, reach))
        sums = cv2.resize(room * seen[..., None], small, interpolation=cv2.INTER_AREA)
        near = cv2.resize(cv2.blur(sums, (reach, reach)) / (weight[..., None] + 1e-3), size)
        trust = np.clip(cv2.resize(weight, size) * 4, 0, 1)[..., None]
        spread = near if spread is None else spread + (near - spread) * trust
    assert spread is not None
    filled: NDArray[np.float32] = spread + (room - spread) * seen[..., None]
    return filled


def painted(room: NDArray[np.float32], lightness: float = 0.0) -> NDArray[np.float32]:
    """Broad strokes, few tones, paler and a little warmer, _LARGER times larger: nothing in the room can be read.

    lightness: see `lightened`.
    """
    lab = cv2.cvtColor(np.clip(room, 0, 255) / np.float32(255), cv2.COLOR_RGB2LAB)
    lab = cv2.bilateralFilter(lab, 7, 14, 3)
    lab = cv2.bilateralFilter(lab, 7, 10, 4)
    # Paler, a strong colour would be none that a screen can show: it turned into another one.
    is_pale = np.clip((_STRONGEST - np.hypot(lab[..., 1], lab[..., 2])) / (_STRONGEST - _STRONG), 0, 1)
    lab[..., 0] += (96 - lab[..., 0]) * _PALER * is_pale
    lab[..., 1:] *= 1.08
    lab = lightened(cv2.GaussianBlur(lab, (0, 0), 0.7), lightness)
    # The brush gives edges back that so small a picture has lost, and nothing else.
    lab = brushed(cv2.resize(lab, None, fx=_LARGER, fy=_LARGER, interpolation=cv2.INTER_CUBIC), _BRUSH_PX)
    result: NDArray[np.float32] = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1) * 255
    return result


def printed(ground: Image, strength: float) -> Image:
    """Dots that grow towards the edges, in a darker shade of the ground: uint8 [H, W, 3]. strength: 0 to 1."""
    kept = cv2.cvtColor(_screen(*ground.shape[:2], round(strength, 2)), cv2.COLOR_GRAY2RGB)
    result: Image = cv2.multiply(ground, kept, scale=1 / 255)
    return result


@lru_cache(maxsize=2)
def _screen(height: int, width: int, strength: float) -> NDArray[np.uint8]:
    """What dots leave of the light: uint8 [height, width]."""
    step = max(_LEAST_DOT_PX, _DOTS_STEP * min(height, width)) * math.sqrt(2)
    across, down = (np.cos(2 * np.pi * np.arange(size, dtype=np.float32) / step) for size in (width, height))
    away = np.hypot(np.linspace(-1, 1, width)[None], 0.9 * np.linspace(-0.9, 1.1, height)[:, None])
    cover = np.clip((away - _DOTS_FROM) / (_DOTS_WHOLE - _DOTS_FROM), 0, 1) * _DOTS_COVER
    # Where a product of two waves is above this, it covers such a share of the paper.
    threshold = np.cos(np.pi * np.sqrt(cover / 2)) ** 2 * 1.02
    inside = np.clip((down[:, None] * across - threshold) * step / 5 + 0.5, 0, 1)
    # The smallest dots fade, so that the middle is clear.
    inside *= np.clip(cover / _DOTS_LEAST, 0, 1)
    kept: NDArray[np.uint8] = np.round(255 * (1 - inside * np.float32(strength * _DOTS_DEPTH))).astype(np.uint8)
    return kept


def fill_size(picture: Image, width: int, height: int) -> Image:
    """The picture scaled to fill width x height px, its middle kept."""
    factor = max(width / picture.shape[1], height / picture.shape[0])
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=way)
    top, left = (scaled.shape[0] - height) // 2, (scaled.shape[1] - width) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])
