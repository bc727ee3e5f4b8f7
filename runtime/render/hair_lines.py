"""Single strands over the tones of hair, and the locks that leave its outline."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.canvas import Pixels
from toonfilter.runtime.render.colour import Lab, to_rgb
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.hair_flow import (
    INSIDE,
    HairFlow,
    at,
    seeds,
    tapered_outlines,
    traced,
    turned,
    unit_vectors,
)
from toonfilter.runtime.render.strands import Relief

_APART_U, _LEAST_APART_PX = 0.045, 2.5
"""Distance of places where strands may be drawn, and the least on the canvas. Raising them draws fewer."""
_STEPS, _STEP_U = 7, 0.075
"""Pieces of a strand to either side of its middle, and the length of one in long straight hair."""
_CROPPED = 0.28
"""Length of strands of cropped hair, over long hair."""
_OFTEN, _OFTEN_CROPPED = 0.04, 1.8
"""Share of the places that have a strand, and how many more they are where hair is cropped."""
_FULL_L, _FEW = 5.0, 0.25
"""Relief from which strands are as many as can be, and their share where hair has none."""
_DARK_L, _LIGHT_L = 6.0, 7.0
"""How much darker than shade and lighter than light a strand is. Raising them shows single strands more."""
_WIDTH_U, _LEAST_WIDTH_PX = 0.030, 1.0
_LIGHT_FROM, _TURNS = 1.0, 1.5
"""Relief from which a strand is a light one, and how far beside it a strand is as dark or light as can be."""
_LEAST_LENGTH_U = 0.25
_SHIFT = 4

_LOOSE, _FLYING = 0.085, 0.35
"""Share of the places at hair's edge that have a lock where strands end, and of those where long hair runs along it."""
_EDGE_LEVEL, _EDGE_LEVELS, _EDGE_U = 130, 70, 0.035
"""Level of the blurred plane at its edge, over how many levels to either side that is, and how far it is blurred."""
_ENDS, _SURELY_ENDS = 0.45, 0.2
"""How far a strand must point outwards, as a cosine, to end at the edge; others run along it and fly away. What is less
far from that is drawn smaller."""
_TIP_U, _FLY_U = (0.09, 0.13), (0.16, 0.22)
"""Least length beyond the edge, and how much longer some are: of tips, and of what flies away."""
_TIP_WIDTH_U, _FLY_WIDTH_U = (0.05, 0.05), (0.016, 0.014)
_LEAVES = (0.10, 0.16)
"""How steeply single hairs leave the outline, least and how much more."""
_HANGS, _CROPPED_BELOW = 0.45, 0.5
"""How steeply hair must hang, as a sine, for single hairs to leave it, and how long it is at most to stand up."""
_BENT = 0.10
"""Radians by which loose locks bend in each piece, beside their curl."""
_BEHIND, _BEYOND = 4, 5
_BEHIND_U = 0.05
"""Length of a piece of a lock before it reaches the edge."""
_ON_SKIN_U, _ON_SKIN, _FRINGE = 0.10, 110, 0.6
"""How far beyond the edge to look for skin, the level of its plane, and how steeply, as a sine, a tip must hang to lie
on it, as a fringe does: others would be scratches on a face."""
_FRINGE_U = 1.05
"""How far above the nose's tip hair hangs as a fringe does."""
_COVERED = 60
"""Level of what lies over hair from which no lock leaves it."""


def draw_lines(picture: Pixels, flow: HairFlow, relief: Relief, base: Lab, long: float, often: float) -> None:
    """Strands into a picture uint8 [H, W, 4] RGBA of the same part, at any size, in place.

    relief: see `strands.hair_relief`. base: the hair's colour. long: 0 cropped to 1 hanging. often: how
    many, 0 none to 1.
    """
    scale = picture.shape[1] / flow.hair.shape[1]
    unit = flow.unit_px
    places, chance = seeds(flow.hair, flow.origin, max(_APART_U * unit, _LEAST_APART_PX / scale))
    here = at(relief, places)
    # Curls are shapes of light: single strands over them are noise.
    share = (
        often
        * (1 - flow.curl)
        * _OFTEN
        * (long + (1 - long) * _OFTEN_CROPPED)
        * np.clip(np.abs(here) / _FULL_L, _FEW, 1)
    )
    kept = chance[:, 0] < share
    places, chance, here = places[kept], chance[kept], here[kept]
    if not len(places):
        return
    short = _CROPPED + (1 - _CROPPED) * long
    step = np.float32(unit * _STEP_U * short) * (np.float32(0.5) + chance[:, 1:2])
    back, forth = (traced(flow, places, _STEPS, sense * step) for sense in (-1, 1))
    lines = (np.stack([*back[::-1], places, *forth], 1) + np.float32(0.5)) * np.float32(scale)
    width = np.maximum(_WIDTH_U * unit * scale * (0.35 + 0.65 * chance[:, 2]) * (0.7 + 0.3 * long), _LEAST_WIDTH_PX)
    bow = _bow(lines, _LEAST_LENGTH_U * short * unit * scale)
    shapes = np.round(tapered_outlines(lines, bow * width[:, None]) * (1 << _SHIFT)).astype(np.int32)
    order = np.argsort(here >= _LIGHT_FROM, kind="stable")
    for shape, colour in zip(shapes[order], _strand_colours(base, here[order]), strict=True):
        cv2.fillPoly(picture, [shape], (*colour, 255), cv2.LINE_AA, _SHIFT)


def _bow(lines: NDArray[np.float32], least_px: float) -> NDArray[np.float32]:
    """Width along lines that may have ended early: float32 [N, M], 0 to 1; 0 for all of a line that is too short."""
    steps = np.hypot(*np.moveaxis(np.diff(lines, axis=1), -1, 0))
    gone = np.concatenate([np.zeros((len(lines), 1), np.float32), steps.cumsum(1)], 1)
    length = gone[:, -1:]
    bow = np.sin(np.pi * gone / np.maximum(length, 1e-3)).clip(0) ** np.float32(0.8)
    widths: NDArray[np.float32] = (bow * (length > least_px)).astype(np.float32)
    return widths


def _strand_colours(base: Lab, relief: Relief) -> list[list[float]]:
    """sRGB 0 to 255 of strands where hair has this relief."""
    apart = np.clip((relief - _LIGHT_FROM) / _TURNS, -1, 1)
    step = 1.2 * np.clip(relief, -9, 11) + apart * np.where(apart < 0, _DARK_L, _LIGHT_L)
    lab = np.tile(base, (len(step), 1)).astype(np.float32)
    lab[:, 0] = np.maximum(lab[:, 0] + step, 4.0)
    lab[:, 1:] *= (1 - 0.006 * step)[:, None]
    colours: list[list[float]] = (to_rgb(lab) * 255).tolist()
    return colours


def loose_locks(flow: HairFlow, skin: Plane, covered: Plane, scale: float, long: float, often: float) -> list[Points]:
    """Tips where strands end at hair's edge, and single hairs that leave it: closed outlines in px of the part.

    skin, covered: uint8 [h, w], where bare skin is, and what lies over hair. scale: canvas px for each px. long: 0
    cropped to 1 hanging. often: how many, 0 none to 1.
    """
    unit, loose = flow.unit_px, often * _LOOSE
    places, chance = seeds(flow.hair, flow.origin, max(_APART_U * unit, _LEAST_APART_PX / scale), level=40)
    edge = cv2.GaussianBlur(flow.hair, (0, 0), max(1.0, _EDGE_U * unit))
    level = at(edge, places)
    # Locks grow and shrink, so that none comes and goes at once.
    size = np.clip(1 - np.abs(level - _EDGE_LEVEL) / _EDGE_LEVELS, 0, 1) * (at(covered, places) < _COVERED)
    kept = (size > 0) & (chance[:, 0] < loose)
    places, chance, size = places[kept], chance[kept], np.minimum(1, 2 * size[kept])
    if not len(places):
        return []
    out = _outwards(flow, places)
    heading = at(flow.flow, places)
    heading = np.where((heading * out).sum(1, keepdims=True) < 0, -heading, heading)
    outwards = (heading * out).sum(1)
    ends = outwards > _ENDS
    size = size * np.clip(np.abs(outwards - _ENDS) / _SURELY_ENDS, 0.2, 1)
    # What runs along the edge may leave it either way: downwards, as hair hangs, and not from the crown.
    heading = np.where((~ends & (heading[:, 1] < 0))[:, None], -heading, heading)
    on_skin = at(skin, places + out * np.float32(_ON_SKIN_U * unit)) > _ON_SKIN
    kept = _leaves(heading, out, ends, long) & (ends | (chance[:, 0] < loose * _FLYING * long))
    kept &= ~on_skin | (ends & (heading[:, 1] > _FRINGE))
    places, chance, out, heading, ends, size = (one[kept] for one in (places, chance, out, heading, ends, size))
    if not len(places):
        return []
    # What hangs down to the brows is a fringe, however short the rest is.
    length_share = np.where(places[:, 1] > flow.origin[1] - _FRINGE_U * unit, 1.0, long)
    length = unit * size * (0.35 + 0.65 * length_share) * _either(ends, _TIP_U, _FLY_U, chance[:, 1])
    steep = np.where(ends, 0, _either(ends, _LEAVES, _LEAVES, chance[:, 2]))
    lines = _leaving(flow, places, heading, out, (length, steep), 0.4 + 0.6 * long)
    share = np.concatenate([np.linspace(0, 1, _BEHIND, endpoint=False) ** 0.6, np.linspace(1, 0, _BEYOND + 1) ** 0.8])
    width = unit * size * (0.6 + 0.4 * length_share) * _either(ends, _TIP_WIDTH_U, _FLY_WIDTH_U, chance[:, 2])
    rooted = at(flow.hair, lines[:, 0]) >= INSIDE
    return list(tapered_outlines(lines, (width[:, None] * share).astype(np.float32))[rooted])


def _leaves(heading: Points, out: Points, ends: NDArray[np.bool_], long: float) -> NDArray[np.bool_]:
    """Whether a lock may leave hair here: of long hair none from the crown."""
    hangs = (np.abs(heading[:, 1]) > _HANGS) & (out[:, 1] > -_HANGS)
    may_leave: NDArray[np.bool_] = hangs | (ends & (long < _CROPPED_BELOW))
    return may_leave


def _either(
    which: NDArray[np.bool_], one: tuple[float, float], other: tuple[float, float], chance: NDArray[np.float32]
) -> NDArray[np.float64]:
    """A least length and how much more there may be, of one kind or the other."""
    return np.where(which, one[0] + one[1] * chance, other[0] + other[1] * chance)


def _outwards(flow: HairFlow, places: Points) -> Points:
    side = 2 * max(1, round(2 * _EDGE_U * flow.unit_px)) + 1
    wide = cv2.blur(cv2.blur(flow.hair, (side, side)), (side, side))
    slopes = [at(cv2.Sobel(wide, cv2.CV_32F, *order), places) for order in ((1, 0), (0, 1))]
    return -unit_vectors(np.stack(slopes, 1))


def _leaving(
    flow: HairFlow,
    places: Points,
    heading: Points,
    out: Points,
    reach: tuple[NDArray[np.float64], NDArray[np.float64]],
    behind: float,
) -> NDArray[np.float32]:
    """Lines float32 [N, M, 2] that come along the hair to these places at its edge and go on beyond it.

    reach: how far, px, and how steeply. behind: length of what lies in the hair, 0 to 1.
    """
    length, leaves = reach
    bend = np.float32(_BENT + 0.3 * flow.curl)
    turn = np.where(np.arange(len(places)) % 2 == 0, bend, -bend).astype(np.float32)
    beyond, course = [places], heading
    for number in range(_BEYOND):
        course = unit_vectors(turned(course, turn) + out * (leaves * (0.9 - 1.9 * number / _BEYOND))[:, None])
        beyond.append(beyond[-1] + course * (length / _BEYOND)[:, None])
    before, place = [], places
    for _ in range(_BEHIND):
        there = at(flow.flow, place)
        heading = np.where((there * heading).sum(1, keepdims=True) < 0, -there, there)
        place = place - (heading + 0.25 * out) * np.float32(_BEHIND_U * flow.unit_px * behind)
        before.append(place)
    lines: NDArray[np.float32] = np.stack([*before[::-1], *beyond], 1).astype(np.float32)
    return lines
