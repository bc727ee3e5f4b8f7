"""Glasses drawn onto faces that wear none: their labels are exact."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import CHIN, FOREHEAD, LEFT_EYE, RIGHT_EYE, TEMPLES
from toonfilter.train.data.fields.layers import Layer
from toonfilter.train.data.fields.worn_glasses import LENS_LEVEL

_ANGLES = np.arange(40) * (2 * np.pi / 40)
_FRAME_COLOURS = np.array(
    [[12, 12, 14], [35, 28, 25], [70, 42, 25], [120, 80, 45], [150, 150, 155], [190, 165, 100], [200, 200, 205],
     [110, 25, 30], [30, 50, 100], [225, 225, 225], [160, 120, 90], [60, 70, 60]], np.float32,
) / 255  # fmt: skip
_LENS_COLOURS = np.array([[12, 12, 14], [30, 25, 20], [50, 30, 18], [20, 30, 28], [25, 30, 45], [70, 40, 20]]) / 255
_SUNGLASSES_SHARE, _RIMLESS_SHARE, _HALF_RIM_SHARE = 0.35, 0.12, 0.15


def put_on_glasses(layer: Layer, rng: np.random.Generator) -> None:
    """Draw one pair, by chance, on the layer's face; its landmarks must be there."""
    if layer.landmarks is None:
        return
    points = layer.landmarks[:, :2].astype(np.float64)
    eyes = [points[list(eye)].mean(0) for eye in (RIGHT_EYE.ring, LEFT_EYE.ring)]
    across = eyes[1] - eyes[0]
    unit = float(np.linalg.norm(across))
    height = float(np.linalg.norm(points[FOREHEAD] - points[CHIN]))
    if unit < 3 or unit < 0.2 * height:
        return
    across /= unit
    down = np.array([-across[1], across[0]])
    lenses, centre_shift = _lenses(points, eyes, across, down, unit, rng)
    sun = rng.random() < _SUNGLASSES_SHARE
    lens_mask = np.maximum(*(_filled(lens, layer) for lens in lenses))
    hidden = 1 - 0.85 * layer.plane("hair")
    lens_mask = lens_mask * (1 - 0.5 * layer.plane("hair"))
    rims, width_px = _rims(lenses, points, unit, layer, rng)
    rims = rims * hidden
    if rng.random() < 0.5:
        _shadow(layer, rims, down * unit * rng.uniform(0.02, 0.08), rng)
    colour = _LENS_COLOURS[rng.integers(len(_LENS_COLOURS))] if sun else rng.uniform(0.6, 1.0, 3)
    strength = rng.uniform(0.72, 1.0) if sun else rng.uniform(0.0, 0.12)
    _tint(layer, lens_mask, colour.astype(np.float32), strength, centre_shift, rng)
    _reflect(layer, lens_mask, unit, rng, strong=sun)
    frame = _FRAME_COLOURS[rng.integers(len(_FRAME_COLOURS))] * rng.uniform(0.6, 1.1)
    gloss = cv2.GaussianBlur(rng.normal(0, 0.12, layer.picture.shape[:2]).astype(np.float32), (0, 0), max(width_px, 1))
    layer.picture += (np.clip(frame + gloss[..., None], 0, 1) - layer.picture) * rims[..., None]
    level = lens_mask if sun else lens_mask * LENS_LEVEL
    plane = layer.plane("glasses")
    np.maximum(plane, np.maximum(level, rims), out=plane)
    covered = np.maximum(rims, lens_mask * strength)
    smooth = cv2.GaussianBlur(layer.picture.mean(-1), (0, 0), 1.0)
    layer.plane("tone")[:] += (smooth - layer.plane("tone")) * covered


def _lenses(
    points: NDArray[np.float64],
    eyes: list[NDArray[np.float64]],
    across: NDArray[np.float64],
    down: NDArray[np.float64],
    unit: float,
    rng: np.random.Generator,
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    widths = np.array(
        [np.linalg.norm(points[outer] - points[inner]) for outer, inner in (RIGHT_EYE.corners, LEFT_EYE.corners)]
    )
    scales = np.clip(widths / max(float(widths.max()), 1e-3), 0.35, 1)
    power = rng.uniform(2.0, 5.0)
    half_width = rng.uniform(0.34, 0.47)
    half_height = half_width * rng.uniform(0.5, 1.0)
    drop = rng.uniform(-0.02, 0.10)
    horizontal, vertical = np.cos(_ANGLES), np.sin(_ANGLES)
    radius = (np.abs(horizontal) ** power + np.abs(vertical) ** power) ** (-1 / power)
    x, y = radius * horizontal * half_width, radius * vertical * half_height
    # Aviators are deeper towards the nose and below, cat eyes rise towards the ears.
    y = y * (1 + rng.uniform(-0.25, 0.25) * np.sign(y) - rng.uniform(-0.15, 0.35) * x / half_width * (y > 0))
    y = y - rng.choice([0.0, 0.0, rng.uniform(0, 0.12)]) * np.maximum(x / half_width, 0) * (y < 0)
    lenses = []
    shift = rng.normal(0, 0.015, 2)
    for eye, sign, scale in zip(eyes, (-1.0, 1.0), scales, strict=True):
        centre = eye + across * unit * (sign * 0.03 * scale + shift[0]) + down * unit * (drop + shift[1])
        lenses.append(centre + unit * ((x * sign * scale)[:, None] * across + y[:, None] * down))
    return lenses, down


def _filled(outline: NDArray[np.float64], layer: Layer) -> NDArray[np.float32]:
    canvas = np.zeros(layer.picture.shape[:2], np.uint8)
    cv2.fillPoly(canvas, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return canvas.astype(np.float32) / 255


def _rims(
    lenses: list[NDArray[np.float64]],
    points: NDArray[np.float64],
    unit: float,
    layer: Layer,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], float]:
    """Rims, bridge and temples; lines are drawn at four times the size, so that they may be thinner than a pixel."""
    side = layer.picture.shape[0]
    canvas = np.zeros((4 * side, 4 * side), np.uint8)
    kind = rng.random()
    thick = unit * float(rng.choice([rng.uniform(0.018, 0.035), rng.uniform(0.035, 0.1)]))
    upper = np.arange(len(_ANGLES) // 2, len(_ANGLES) + 1) % len(_ANGLES)
    lines: list[tuple[NDArray[np.float64], bool, float]] = []
    for lens in lenses:
        if kind < _RIMLESS_SHARE:
            lines.append((lens, True, 0.012 * unit))
        elif kind < _RIMLESS_SHARE + _HALF_RIM_SHARE:
            lines.append((lens[upper], False, thick))
        else:
            lines.append((lens, True, thick))
    inner = len(_ANGLES) // 2 + int(rng.integers(1, 5))
    middle = (lenses[0][inner] + lenses[1][inner]) / 2 + (points[FOREHEAD] - points[CHIN]) * 0.01
    lines.append((np.array([lenses[0][inner], middle, lenses[1][inner]]), False, max(thick * 0.8, 0.02 * unit)))
    for lens, ear in zip(lenses, TEMPLES, strict=True):
        hinge = lens[-int(rng.integers(1, 5))]
        if float(np.dot(points[ear] - hinge, lens[0] - lens[len(_ANGLES) // 2])) > 0:
            lines.append((np.array([hinge, points[ear]]), False, max(thick * 0.7, 0.02 * unit)))
    for line, closed, width in lines:
        places = np.rint((line * 4 + 1.5) * 8).astype(np.int32)
        cv2.polylines(canvas, [places], closed, 255, max(1, round(width * 4)), cv2.LINE_AA, 3)
    small: NDArray[np.uint8] = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255, thick


def _shadow(layer: Layer, rims: NDArray[np.float32], offset: NDArray[np.float64], rng: np.random.Generator) -> None:
    matrix = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float64)
    moved = cv2.warpAffine(rims, matrix, rims.shape[::-1])
    soft = cv2.GaussianBlur(moved, (0, 0), max(float(np.hypot(*offset)) * 0.5, 0.6)) * layer.plane("skin")
    layer.picture *= 1 - soft[..., None] * np.float32(rng.uniform(0.15, 0.45))


def _tint(
    layer: Layer,
    mask: NDArray[np.float32],
    colour: NDArray[np.float32],
    strength: float,
    down: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    side = mask.shape[0]
    if rng.random() < 0.5:
        # Lighter towards the cheeks, as many sunglasses are.
        rows, columns = np.nonzero(mask > 0.5)
        if len(rows):
            place = rows * down[1] + columns * down[0]
            low, high = float(place.min()), float(place.max())
            y, x = np.mgrid[:side, :side]
            ramp = np.clip(((y * down[1] + x * down[0]) - low) / max(high - low, 1), 0, 1).astype(np.float32)
            mask = mask * (1 - ramp * np.float32(rng.uniform(0.1, 0.35)))
    layer.picture += (colour - layer.picture) * (mask * np.float32(strength))[..., None]


def _reflect(layer: Layer, mask: NDArray[np.float32], unit: float, rng: np.random.Generator, *, strong: bool) -> None:
    if rng.random() > (0.75 if strong else 0.6):
        return
    side = mask.shape[0]
    angle = rng.uniform(0, np.pi)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    along = x * np.cos(angle) + y * np.sin(angle)
    stripes = np.sin(along / max(unit * rng.uniform(0.12, 0.5), 1) + rng.uniform(0, 6.3)) > rng.uniform(0.2, 0.8)
    soft = cv2.GaussianBlur(stripes.astype(np.float32), (0, 0), max(unit * rng.uniform(0.01, 0.08), 0.5))
    colour = np.array(rng.uniform(0.6, 1.0, 3), np.float32)
    layer.picture += (colour - layer.picture) * (soft * mask * np.float32(rng.uniform(0.1, 0.55)))[..., None]
