"""Cloth in few flat colours with clear edges, each with its own soft light and shade."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.canvas import Pixels
from toonfilter.runtime.render.colour import Lab, to_rgb
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.palette import CLOTH_COLOURS, CLOTH_SCALE, paintable, painted_colour
from toonfilter.runtime.render.tones import Patch, coloured, to_levels
from toonfilter.runtime.styles.style import BaseRules

_CALM_U = 0.11
"""How far cloth's colours are averaged before they are told apart. Raising it gives larger, fewer patches."""
_BINS = 256 // CLOTH_COLOURS
"""Steps of light of each colour, one L* each; the middle one is the colour itself."""
_SHADE_U = 0.10
"""How far light and shade of one colour are averaged. Raising it rounds folds, and shows less of a face on a shirt."""
_NEAR_CALM_U, _NEAR_SHADE_U = 0.04, 0.02
"""The same two around the collar."""
_ALIKE_L, _EDGE_PX = 7.0, 2.5
"""Light that differs by less becomes one shape. Raising it gives fewer shapes."""
_FOLDS = ((-11.0, -8.0), (-4.0, -7.0), (4.5, 6.0), (12.0, 7.0))
"""Light of folds, L*, from which on, away from 0, they are drawn in another tone, and how much lighter that is than the
tone before. Raising the distances: fewer tones."""
_FOLD_EDGE_L = 0.5
"""Light over which one tone becomes the next. Raising it softens their edges."""
_EDGES_PX = 3
"""Width of the edges between tones on the canvas. Raising it blurs them."""
_LIGHTNESS = (3.0, 98.0)
_SUM = np.ones((1, 3), np.float32)


def flat_cloth(
    lab: NDArray[np.float32],
    inside: Plane,
    near: NDArray[np.float32] | None,
    patch: Patch,
    colours: Sequence[Lab],
    unit_px: float,
    rules: BaseRules,
) -> Pixels:
    """Cloth under a patch in few colours: uint8 [h, w, 4] RGBA of the canvas' size.

    lab: float32 [h, w, 3], the patch's part of the photo, at any size. inside: uint8 [h, w], 255 where the cloth is.
    near: float32 [h, w], 1 where it is painted more finely. colours: at most CLOTH_COLOURS. unit_px: distance of the
    pupils in px of lab.
    """
    apart = _distances(lab, inside, colours, _CALM_U * unit_px)
    if near is not None:
        fine = _distances(lab, inside, colours, _NEAR_CALM_U * unit_px)
        apart += (fine - apart) * near
    shade = _shade(lab[..., 0], apart.argmin(0), inside, near, unit_px)
    level = to_levels(shade, 1.0, _BINS / 2)
    index = cv2.min(patch.enlarged(level, smoothly=True), _BINS - 1)
    if len(colours) > 1:
        index = cv2.add(index, _nearest(patch, apart))
    painted: Pixels = cv2.blur(coloured(index, _table(colours, rules)), (_EDGES_PX, _EDGES_PX))
    return painted


def _distances(lab: NDArray[np.float32], inside: Plane, colours: Sequence[Lab], reach_px: float) -> NDArray[np.float32]:
    """How far pixels are from each colour, averaged over their surroundings inside: float32 [N, h, w]."""
    weight = inside.astype(np.float32) / 255 + np.float32(1e-3)
    lab, centres = lab * CLOTH_SCALE, np.stack(colours) * CLOTH_SCALE
    squares = -2 * (lab.reshape(-1, 3) @ centres.T) + (centres**2).sum(1)
    squares = squares.reshape(*lab.shape[:2], len(colours)) + cv2.transform(lab * lab, _SUM)[..., None]
    side = max(1, round(reach_px)) * 2 + 1
    total = cv2.blur(weight, (side, side))
    return np.stack([cv2.blur(one * weight, (side, side)) / total for one in cv2.split(squares)])


def _shade(
    light: NDArray[np.float32],
    nearest: NDArray[np.int64],
    inside: Plane,
    near: NDArray[np.float32] | None,
    unit_px: float,
) -> NDArray[np.float32]:
    """How much lighter than its colour's mean cloth is, L*, float32 [h, w]. near: see `flat_cloth`."""
    sure = inside > 0
    counts = np.bincount(nearest[sure], minlength=int(nearest.max()) + 1)
    sums = np.bincount(nearest[sure], light[sure], len(counts))
    means = (sums / np.maximum(counts, 1)).astype(np.float32)
    weight = sure.astype(np.float32) + np.float32(1e-3)
    shade = cv2.bilateralFilter((light - means[nearest]) * sure, 5, _ALIKE_L, _EDGE_PX)

    def averaged(sigma_px: float) -> NDArray[np.float32]:
        sums, weights = (cv2.GaussianBlur(one, (0, 0), max(sigma_px, 0.6)) for one in (shade * weight, weight))
        mean: NDArray[np.float32] = sums / weights
        return mean

    coarse = averaged(_SHADE_U * unit_px)
    return coarse if near is None else coarse + (averaged(_NEAR_SHADE_U * unit_px) - coarse) * near


def _nearest(patch: Patch, apart: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The number of the nearest colour times `_BINS`, at the canvas' size, with smooth edges."""
    best, index = None, np.zeros(patch.canvas_size[::-1], np.uint8)
    order = np.sort(apart, 0)
    for number, mine in enumerate(apart):
        others = np.where(mine <= order[0], order[1], order[0])
        soft = patch.enlarged(
            cv2.convertScaleAbs((others - mine) / (others + mine + 1), alpha=127, beta=128), smoothly=True
        )
        if best is None:
            best = soft
            continue
        higher = cv2.compare(soft, best, cv2.CMP_GT)
        best = cv2.max(best, soft)
        index = cv2.max(cv2.bitwise_and(index, cv2.bitwise_not(higher)), cv2.bitwise_and(higher, number * _BINS))
    return index


def _table(colours: Sequence[Lab], rules: BaseRules) -> NDArray[np.float32]:
    """float32 [256, 3], sRGB: each colour in each light, in few tones of which one is the colour itself.

    Soft quantisation of light: Winnemoeller, Olsen, Gooch, Real-Time Video Abstraction (2006), section 3.3.
    """
    light = np.arange(_BINS, dtype=np.float32) - _BINS // 2
    steps = np.zeros(_BINS, np.float32)
    for start, step in _FOLDS:
        away = (light - start) * np.float32(math.copysign(1 / _FOLD_EDGE_L, step))
        steps += np.float32(step / 2) * (1 + np.tanh(away))
    lit = np.repeat(np.stack(colours), _BINS, 0)
    lit[:, 0] = np.clip(lit[:, 0] + np.tile(steps * np.float32(rules.folds), len(colours)), *_LIGHTNESS)
    table = np.zeros((256, 3), np.float32)
    table[: len(lit)] = to_rgb(painted_colour(paintable(lit), rules))
    return table
