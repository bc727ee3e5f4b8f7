"""Cloth in its few colours with clear edges, each with its own soft light and shade."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.render.canvas import Pixels
from toonfilter.runtime.render.colour import Lab, picture_lab, to_rgb
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.palette import CLOTH_COLOURS, CLOTH_SCALE, painted_colour
from toonfilter.runtime.render.strands import along_lines
from toonfilter.runtime.render.tones import Patch, coloured, to_levels
from toonfilter.runtime.styles.style import BaseRules

_SMALLER = 2
"""Cloth's colours are told apart in a picture so many times smaller than the planes."""
_CALM_U = 0.11
"""How far cloth's colours are averaged before they are told apart. Raising it gives larger, fewer patches."""
_BINS = 256 // CLOTH_COLOURS
"""Steps of light of each colour, one L* each; the middle one is the colour itself."""
_SHADE_U = 0.10
"""How far light and shade of one colour are averaged. Raising it rounds folds, and shows less of a face on a shirt."""
_COLLAR_U, _COLLAR_EDGE_U, _COLLAR_CALM_U, _COLLAR_SHADE_U = 1.0, 0.15, 0.04, 0.02
"""Around the chin so far, with so wide an edge, cloth is averaged less, see _CALM_U and _SHADE_U: collars and ties are
small, and nobody else's face is there."""
_ALIKE_L, _EDGE_PX = 7.0, 2.5
"""Light that differs by less becomes one shape. Raising it gives fewer shapes."""
_FOLDS = ((-11.0, -8.0), (-4.0, -7.0), (4.5, 6.0), (12.0, 7.0))
"""Light of folds, L*, from which on, away from 0, they are drawn in another tone, and how much lighter that is than the
tone before. Raising the distances: fewer tones."""
_FOLD_EDGE_L = 0.5
"""Light over which one tone becomes the next. Raising it softens their edges."""
_EDGES_PX = 3
"""Width of the edges between tones on the canvas. Raising it blurs them."""
_UNDER_UNIT_PX = 7.0
"""Distance of the pupils at which colours below the parts are mixed. Raising it shows more of what parts leave out."""
_SURE = 150
"""Level from which a pixel is surely cloth, or the person's."""
_LINE_U, _LINE_WIDER = 0.020, 1.6
"""Scale of lines of cloth (folds, collars, seams), and of the surroundings that they are darker than, over it. Raising
the first gives fewer, bolder lines."""
_LINE_FROM, _LINE_FULL, _LINE_DARK = 0.024, 0.054, 40.0
"""How much darker than their surroundings lines are, in shares of these and _LINE_DARK levels, from which they are
drawn, and whole."""
_VALLEY, _LEAST_VALLEY = 2.2, 0.03
"""Width of a line at most, in its scale, and how much darker than both its sides it is at least, see _LINE_FROM.
Raising the first gives suits a black band beside the shirt."""
_FINE_UNIT_PX = 80.0
"""Distance of the pupils below which lines are looked for in the planes' own resolution. Raising it costs time."""
_LEAST_LINE_U = 0.9
"""Shorter lines are left out: they are patterns, noise, or something that is no cloth. Raising it leaves out more."""
_LINE_LEVEL, _INK_FROM, _INK_RANGE = 64, 104, 48
"""Level of lines from which they hang together; from which they have ink; and over which the ink grows to its whole."""
_INKED = 0.42
"""What is left of a cloth's light under a line."""
_LIVELIER, _LIGHTER = np.array([0.91, 1.12, 1.12], np.float32), np.array([9, 0, 0], np.float32)
_LIGHTNESS = (3.0, 98.0)
_SUM = np.ones((1, 3), np.float32)


def painted_cloth(
    photo: Image,
    plane: Plane,
    patch: Patch,
    colours: Sequence[Lab],
    unit_px: float,
    rules: BaseRules,
    chin: Points | None = None,
) -> Pixels:
    """Painted cloth under a patch: uint8 [h, w, 4] RGBA of the canvas' size.

    photo: uint8 [H, W, 3] RGB, all of the planes' picture. plane: where the cloth is. colours: of the cloth, at most
    CLOTH_COLOURS. unit_px: distance of the pupils in px of the planes. chin: [2] px of the planes: around it collars
    and ties are painted more finely; None where no face is known.
    """
    size = (max(2, patch.width // _SMALLER), max(2, patch.height // _SMALLER))
    lab = picture_lab(cv2.resize(patch.of(photo), size, interpolation=cv2.INTER_AREA))
    inside = cv2.compare(cv2.resize(patch.of(plane), size, interpolation=cv2.INTER_AREA), _SURE, cv2.CMP_GE)
    small_unit_px = unit_px / _SMALLER
    apart = _distances(lab, inside, colours, _CALM_U * small_unit_px)
    near = None
    if chin is not None:
        near = _near((chin - (patch.left, patch.top)) / _SMALLER, inside.shape, small_unit_px)
        fine = _distances(lab, inside, colours, _COLLAR_CALM_U * small_unit_px)
        apart += (fine - apart) * near
    shade = _shade(lab[..., 0], apart.argmin(0), inside, near, small_unit_px)
    level = to_levels(shade, 1.0, _BINS / 2)
    index = cv2.min(patch.enlarged(level, smoothly=True), _BINS - 1)
    if len(colours) > 1:
        index = cv2.add(index, _nearest(patch, apart))
    painted: Pixels = cv2.blur(coloured(index, _table(colours, rules)), (_EDGES_PX, _EDGES_PX))
    if rules.inner_ink > 0:
        if unit_px < _FINE_UNIT_PX:
            # On small people lines are finer than these smaller pictures show.
            lab = picture_lab(np.ascontiguousarray(patch.of(photo)))
            lines = cloth_lines(lab[..., 0], cv2.compare(patch.of(plane), _SURE, cv2.CMP_GE), unit_px)
        else:
            lines = cloth_lines(lab[..., 0], inside, small_unit_px)
        if lines.any():
            _draw_lines(painted, patch.enlarged(lines, smoothly=True), rules.inner_ink)
    return painted


def _near(chin: Points, shape: tuple[int, ...], unit_px: float) -> NDArray[np.float32]:
    """1 around the collar, 0 far from it, float32 [h, w]."""
    near = np.zeros(shape, np.uint8)
    centre = (round(float(chin[0])), round(float(chin[1]) + _COLLAR_U * unit_px / 2))
    cv2.circle(near, centre, max(1, round(_COLLAR_U * unit_px)), 255, -1)
    edge = 2 * max(1, round(_COLLAR_EDGE_U * unit_px)) + 1
    soft: NDArray[np.float32] = cv2.blur(near, (edge, edge)).astype(np.float32) / 255
    return soft


def cloth_lines(light: NDArray[np.float32], inside: Plane, unit_px: float) -> Plane:
    """Folds, collars and seams: uint8 [h, w], from 0 for none to 255 for the clearest.

    light: float32 [h, w], L*. inside: 255 where the cloth is. unit_px: distance of the pupils. A difference of
    Gaussians, thresholded with hysteresis: Winnemoeller, XDoG (2012), section 2.
    """
    sigma = max(0.8, _LINE_U * unit_px)
    level = light * np.float32(2.55)
    near, far = (cv2.GaussianBlur(level, (0, 0), one) for one in (sigma, sigma * _LINE_WIDER))
    darker = (far - near) / (far + np.float32(_LINE_DARK))
    # Beside something lighter the whole rim of dark cloth is darker than its surroundings: that is no line.
    side = 2 * max(1, round(_VALLEY * sigma)) + 1
    valley = cv2.morphologyEx(near, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)) - near
    is_line = valley > _LEAST_VALLEY * (far + np.float32(_LINE_DARK))
    darker = np.where(is_line, darker, np.float32(0))
    darker = along_lines(darker, unit_px)
    lines = to_levels(darker - np.float32(_LINE_FROM), 255 / (_LINE_FULL - _LINE_FROM), 0.0)
    inner = cv2.erode(inside, np.ones((3, 3), np.uint8))
    lines = cv2.bitwise_and(lines, inner)
    _, marks, stats, _ = cv2.connectedComponentsWithStats(cv2.compare(lines, _LINE_LEVEL, cv2.CMP_GE), connectivity=8)
    length = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    kept = (length >= _LEAST_LINE_U * unit_px).astype(np.uint8) * 255
    kept[0] = 0
    near_kept = cv2.dilate(kept[marks], np.ones((3, 3), np.uint8))
    drawn: Plane = cv2.bitwise_and(lines, near_kept)
    return drawn


def _draw_lines(picture: Pixels, lines: Plane, ink: float) -> None:
    """Darken a picture uint8 [h, w, 4] along lines, in place. ink: opacity."""
    table = np.full((256, 4), 255, np.uint8)
    share = np.clip((np.arange(256, dtype=np.float32) - _INK_FROM) / _INK_RANGE, 0, 1) * np.float32(ink * (1 - _INKED))
    table[:, :3] = np.round(255 * (1 - share))[:, None]
    kept = cv2.LUT(lines, table.view(np.int32)).view(np.uint8).reshape(picture.shape)
    cv2.multiply(picture, kept, dst=picture, scale=1 / 255)


def underpainting(photo: Image, person: Plane, patch: Patch, unit_px: float) -> Pixels:
    """The photo's colours around each place, for what no part covers: uint8 [h, w, 4] RGBA of the canvas' size.

    photo, person: uint8 [H, W, 3] and [H, W], all of the planes' picture; only what is the person's is mixed.
    """
    factor = min(1.0, _UNDER_UNIT_PX / max(unit_px, 1.0))
    size = (max(2, round(patch.width * factor)), max(2, round(patch.height * factor)))
    inside = cv2.compare(patch.of(person), _SURE, cv2.CMP_GE)
    known = cv2.bitwise_and(patch.of(photo), patch.of(photo), mask=inside)
    sums, weight = (cv2.blur(cv2.resize(one, size, interpolation=cv2.INTER_AREA), (3, 3)) for one in (known, inside))
    mean = sums.astype(np.float32) * 255 / np.maximum(weight, 1)[..., None]
    small = cv2.cvtColor(np.clip(mean, 0, 255).astype(np.uint8), cv2.COLOR_RGB2RGBA)
    picture: Pixels = cv2.resize(small, patch.canvas_size, interpolation=cv2.INTER_LINEAR)
    return picture


def paintable(colour: Lab) -> Lab:
    """A cloth's colours [..., 3], a little lighter and livelier."""
    lively: Lab = colour * _LIVELIER + _LIGHTER
    return lively


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
    """How much lighter than its colour's mean cloth is, L*, float32 [h, w]. near: see `_near`."""
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
    return coarse if near is None else coarse + (averaged(_COLLAR_SHADE_U * unit_px) - coarse) * near


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
