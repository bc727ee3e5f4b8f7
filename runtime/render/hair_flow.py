"""Which way strands of hair run, and lines that follow them from places that keep to the head."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.contours import Points
from toonfilter.runtime.render.features.smooth import smoothstep

_GRAIN_U = 0.10
"""Width of the neighbourhood in which strands have one direction. Raising it straightens curls."""
_EDGE = 0.08
"""How much the outline of hair says for their direction: in flat dark hair it is all there is."""
_RIM_PX = 5
"""How far from its edge the light of hair tells whether it is curly."""
_CURLY, _STRAIGHT, _FLAT_LEVELS2 = 0.34, 0.58, 0.3
"""Coherence of the light's direction up to which hair is all curls, and from which it is straight; and the energy of
the light below which nothing can be seen of either."""
_LATTICE = 256
INSIDE = 120
"""Level of the plane `hair` from which a place has hair."""

Field = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HairFlow:
    """Strands of a part of the planes, in its px.

    hair: float32 [h, w], 0 to 255. flow: float32 [h, w, 2], unit vectors, either way along a strand. curl: 0 straight
    to 1 tight. origin: float32 [2], a point of the head, to which lines keep. unit_px: distance of the pupils.
    """

    hair: Field
    flow: Field
    curl: float
    origin: Points
    unit_px: float


def hair_flow(light: NDArray[Any], hair: NDArray[Any], origin: Points, unit_px: float) -> HairFlow:
    """light, hair: [h, w], 0 to 255; see `strands.hair_light`. The rest: see `HairFlow`."""
    light, hair = light.astype(np.float32), hair.astype(np.float32)
    grain = max(1.0, _GRAIN_U * unit_px)
    inside = cv2.erode(hair, np.ones((3, 3), np.uint8))
    mean = cv2.mean(light, cv2.compare(inside, INSIDE, cv2.CMP_GE))[0]
    share = inside / np.float32(255)
    side = 2 * round(2.2 * grain) + 1
    body = cv2.blur(cv2.blur(hair, (side, side)), (side, side))
    total = _tensor((light - np.float32(mean)) * share, grain)
    total += _tensor(body, grain, _EDGE * grain)
    angle = cv2.phase(total[..., 0] - total[..., 1], 2 * total[..., 2])
    flow: Field = cv2.merge(cv2.polarToCart(None, 0.5 * angle + np.float32(np.pi / 2)))
    return HairFlow(hair, flow, _curl(light, hair, grain), origin, unit_px)


def _tensor(tone: NDArray[Any], grain: float, weight: float = 1.0, within: NDArray[np.bool_] | None = None) -> Field:
    """The structure tensor: float32 [h, w, 3], across, down, and their product."""
    across, down = (cv2.Sobel(tone, cv2.CV_32F, *order, scale=weight) for order in ((1, 0), (0, 1)))
    products = cv2.merge([across * across, down * down, across * down])
    if within is not None:
        products *= within[..., None]
    size = 2 * round(2 * grain) + 1
    tensor: Field = cv2.blur(products, (size, size))
    return tensor


def _curl(light: Field, hair: Field, grain: float) -> float:
    """How little the light's direction agrees within small neighbourhoods, 0 to 1."""
    within = cv2.erode(hair, np.ones((_RIM_PX, _RIM_PX), np.uint8)) >= INSIDE
    if not within.any():
        return 0.0
    xx, yy, xy = _tensor(light, grain, within=within)[within].T
    total = float((xx + yy).sum())
    energy = total / (64 * len(xx))
    coherence = float(np.hypot(xx - yy, 2 * xy).sum() / max(total, 1e-6))
    return (1 - smoothstep(coherence, _CURLY, _STRAIGHT)) * smoothstep(energy, 0.0, _FLAT_LEVELS2)


def seeds(hair: Field, origin: Points, apart_px: float, level: int = INSIDE) -> tuple[Points, Field]:
    """Places in the hair that keep to the head, float32 [N, 2], and three chances of each, float32 [N, 3].

    hair, origin: see `HairFlow`. apart_px: distance of neighbours. level: of the plane that a place must have.
    """
    height, width = hair.shape
    first = np.floor(-origin / apart_px).astype(int)
    last = np.ceil((np.array([width, height]) - origin) / apart_px).astype(int)
    columns, rows = np.meshgrid(np.arange(first[0], last[0]), np.arange(first[1], last[1]))
    chance = _chances()[rows.ravel() % _LATTICE, columns.ravel() % _LATTICE]
    places = np.stack([columns.ravel(), rows.ravel()], 1) + chance[:, 3:5]
    found = (places * apart_px + origin).astype(np.float32)
    seen = (found >= 0).all(1) & (found < (width, height)).all(1)
    found, chance = found[seen], chance[seen]
    inside = at(hair, found) >= level
    return found[inside], chance[inside, :3]


@lru_cache(maxsize=1)
def _chances() -> Field:
    return np.random.default_rng(11).random((_LATTICE, _LATTICE, 5)).astype(np.float32)


def at(field: NDArray[Any], places: Points) -> NDArray[Any]:
    """What a field [h, w, ...] says at places float32 [N, 2]; beyond its edge, what it says there."""
    columns, rows = np.clip(places, 0, (field.shape[1] - 1, field.shape[0] - 1)).astype(np.int32).T
    found: NDArray[Any] = field[rows, columns]
    return found


def traced(flow: HairFlow, places: Points, steps: int, step_px: Field) -> list[Points]:
    """Places along strands from these, `steps` times float32 [N, 2]; a line ends where the hair does.

    step_px: float32 [N, 1], below 0 goes the other way.
    """
    place, heading = places, np.zeros_like(places)
    found = []
    for _ in range(steps):
        there = at(flow.flow, place)
        there = np.where((there * heading).sum(1, keepdims=True) < 0, -there, there)
        ahead = (place + there * step_px).astype(np.float32)
        heading = there * (at(flow.hair, ahead) >= INSIDE)[:, None]
        place = (place + heading * step_px).astype(np.float32)
        found.append(place)
    return found


def turned(vectors: Points, angle: Field) -> Points:
    """Vectors float32 [N, 2] turned by angles float32 [N], radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = vectors[:, 0], vectors[:, 1]
    rotated: Points = np.stack([cos * x - sin * y, sin * x + cos * y], 1)
    return rotated


def unit_vectors(vectors: Field) -> Field:
    """float32 [..., 2], each of length 1, or 0 where it is none."""
    lengths = np.sqrt((vectors * vectors).sum(-1, keepdims=True))
    units: Field = vectors / np.maximum(lengths, np.float32(1e-6))
    return units


def tapered_outlines(lines: Field, widths: Field) -> Field:
    """Lines float32 [N, M, 2] as the outlines of brush strokes float32 [N, 2 M, 2]. widths: float32 [N, M], px."""
    along = np.gradient(lines, axis=1)
    normal = unit_vectors(np.stack([along[..., 1], -along[..., 0]], -1))
    reach = normal * (widths * np.float32(0.5))[..., None]
    outlines: Field = np.concatenate([lines + reach, (lines - reach)[:, ::-1]], 1).astype(np.float32)
    return outlines
