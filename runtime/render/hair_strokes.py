"""Hair as strokes of a pencil along its strands, many where it is dark and none where it shines."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.canvas import Pixels
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.strands import Relief

_STEP_U, _STEPS = 0.05, 7
"""Length of a piece of a stroke, in distances of the pupils, and how many there are to either side of its middle."""
_APART_U, _LEAST_APART_PX = 0.045, 5.0
"""Distance of neighbouring strokes, and the least on the canvas. Raising them draws fewer."""
_GRAIN_U = 0.10
"""Width of the neighbourhood in which strokes have one direction. Raising it straightens curls."""
_EDGE = 0.2
"""How much the outline of hair says for their direction: in flat dark hair it is all there is."""
_LATTICE = 256
_INSIDE = 120
_OFTEN, _PER_L = 0.40, 0.06
"""Share of the strokes that is drawn in hair's middle tone, and how many more for each L* that it is darker."""
_BLACK, _FAIR = 62.0, 92.0
"""L* of black and of fair hair as pencil styles paint them."""
_BLACK_LEVEL, _FAIR_LEVEL = 18.0, 120.0
"""Grey of their strokes, 0 to 255. Raising it gives paler strokes."""
_SHIFT = 3


@dataclass(frozen=True, slots=True)
class StrokeField:
    """What strokes follow, all in px of a part of the planes. light, hair: uint8 [h, w]. relief: see `hair_relief`.

    origin: float32 [2], a point of the head, to which strokes keep. unit_px: distance of the pupils.
    """

    light: Plane
    hair: Plane
    relief: Relief
    origin: Points
    unit_px: float


def draw_strokes(picture: Pixels, field: StrokeField, lightness: float) -> None:
    """Strokes into a picture uint8 [H, W, 4] RGBA of the same part, at any size, in place.

    lightness: L* of the hair as it is painted: the darker, the more strokes, and darker ones.
    """
    depth = float(np.clip((_FAIR - lightness) / (_FAIR - _BLACK), 0, 1))
    dark = _FAIR_LEVEL + (_BLACK_LEVEL - _FAIR_LEVEL) * depth
    height, width = field.hair.shape
    seeds, chance = _seeds(field, picture.shape[1] / width)
    columns, rows = seeds.astype(np.int32).T
    often = _OFTEN * (0.55 + 0.75 * depth) - _PER_L * field.relief[rows, columns]
    kept = chance[:, 0] < often
    seeds, chance = seeds[kept], chance[kept]
    if not len(seeds):
        return
    flow = _flow(field)
    reach = field.unit_px * _STEP_U * (0.5 + chance[:, 1:2])
    back, forth = (_traced(seeds, flow, field.hair, sense * reach) for sense in (-1.0, 1.0))
    lines = np.concatenate([back[::-1], seeds[None], forth]).transpose(1, 0, 2)
    scale = np.array([picture.shape[1] / width, picture.shape[0] / height], np.float32)
    lines = np.round((lines + np.float32(0.5)) * scale * (1 << _SHIFT)).astype(np.int32)
    weight = max(1.0, 0.008 * field.unit_px * float(scale[0]))
    middle = slice(_STEPS // 2, -(_STEPS // 2))
    for number, share in enumerate((1.01, 0.45)):
        # The middle of some strokes is drawn once more, wider: they taper.
        some = lines[chance[:, 2] < share][:, middle if number else slice(None)]
        level = dark + 34 * (1 - number)
        cv2.polylines(
            picture,
            list(np.ascontiguousarray(some)),
            False,
            (level, level, level, 255),
            max(1, round(weight * (0.7 + 0.6 * number))),
            cv2.LINE_AA,
            _SHIFT,
        )


def _seeds(field: StrokeField, scale: float) -> tuple[Points, NDArray[np.float32]]:
    """Places inside the hair that keep to the head, float32 [N, 2], and three chances of each, float32 [N, 3].

    scale: canvas px for each px of the field.
    """
    height, width = field.hair.shape
    step = max(_APART_U * field.unit_px, _LEAST_APART_PX / scale)
    first = np.floor(-field.origin / step).astype(int)
    last = np.ceil((np.array([width, height]) - field.origin) / step).astype(int)
    columns, rows = np.meshgrid(np.arange(first[0], last[0]), np.arange(first[1], last[1]))
    chance = _chances()[rows.ravel() % _LATTICE, columns.ravel() % _LATTICE]
    places = np.stack([columns.ravel(), rows.ravel()], 1) + chance[:, 3:5]
    seeds = (places * step + field.origin).astype(np.float32)
    seen = (seeds >= 0).all(1) & (seeds < (width, height)).all(1)
    seeds, chance = seeds[seen], chance[seen]
    inside = field.hair[seeds[:, 1].astype(int), seeds[:, 0].astype(int)] >= _INSIDE
    return seeds[inside], chance[inside, :3]


@lru_cache(maxsize=1)
def _chances() -> NDArray[np.float32]:
    return np.random.default_rng(11).random((_LATTICE, _LATTICE, 5)).astype(np.float32)


def _flow(field: StrokeField) -> NDArray[np.float32]:
    """Unit vectors along strands, float32 [h, w, 2]: the minor direction of the structure tensor."""
    grain = max(1.0, _GRAIN_U * field.unit_px)
    inside = cv2.erode(field.hair, np.ones((3, 3), np.uint8))
    mean = cv2.mean(field.light, cv2.compare(inside, _INSIDE, cv2.CMP_GE))[0]
    share = inside.astype(np.float32) / 255
    light = (field.light.astype(np.float32) - np.float32(mean)) * share
    body = cv2.GaussianBlur(field.hair.astype(np.float32), (0, 0), 2.2 * grain)
    size = 2 * round(2 * grain) + 1
    total = np.zeros((*field.hair.shape, 3), np.float32)
    for one, weight in ((light, 1.0), (body, _EDGE * grain)):
        across, down = (cv2.Sobel(one, cv2.CV_32F, *order, scale=weight) for order in ((1, 0), (0, 1)))
        total += cv2.blur(cv2.merge([across * across, down * down, across * down]), (size, size))
    angle = cv2.phase(total[..., 0] - total[..., 1], 2 * total[..., 2])
    flow: NDArray[np.float32] = cv2.merge(cv2.polarToCart(None, 0.5 * angle + np.float32(np.pi / 2)))
    return flow


def _traced(seeds: Points, flow: NDArray[np.float32], hair: Plane, step: NDArray[np.float32]) -> NDArray[np.float32]:
    """Places along strands from these: float32 [_STEPS, N, 2]; a stroke ends where the hair does."""
    height, width = hair.shape
    place, heading = seeds, np.zeros_like(seeds)
    found = []
    for _ in range(_STEPS):
        columns, rows = np.clip(place, 0, (width - 1, height - 1)).astype(np.int32).T
        there = flow[rows, columns]
        turned = np.where((there * heading).sum(1, keepdims=True) < 0, -there, there)
        heading = turned * (hair[rows, columns] >= _INSIDE)[:, None]
        place = place + heading * step
        found.append(place)
    traced: NDArray[np.float32] = np.stack(found).astype(np.float32)
    return traced
