"""Single strands over the tones of hair, and the locks that leave its outline."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.canvas import Pixels
from toonfilter.runtime.render.colour import Lab, to_rgb
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.features.smooth import smoothstep
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
_STEPS, _STEP_U = 7, 0.10
"""Pieces of a strand to either side of its middle, and the length of one in long straight hair."""
_CROPPED = 0.5
"""Length of strands of cropped hair, over long hair."""
_OFTEN, _OFTEN_CROPPED = 0.08, 2.6
"""Share of the places that have a strand, and how many more they are where hair is cropped."""
_FULL_L, _FEW = 5.0, 0.2
"""Relief from which strands are as many as can be, and their share where hair has none."""
_DARK_L, _LIGHT_L = 6.0, 7.0
"""How much darker than shade and lighter than light a strand is. Raising them shows single strands more."""
_WIDTH_U, _LEAST_WIDTH_PX = 0.022, 1.0
_LIGHT_FROM, _TURNS = 1.0, 1.5
"""Relief from which a strand is a light one, and how far beside it a strand is as dark or light as can be."""
_LEAST_LENGTH_U = 0.25
_CURL_APART_U, _OFTEN_CURLS, _CURL_WIDTH_U = 0.085, 0.7, 0.026
"""Distance of places that may have a curl, share that has one, and width of its line. Raising the first draws fewer."""
_CURL_LENGTH_U, _CURL_HEIGHT_U = (0.08, 0.08), (0.026, 0.02)
"""Half the length of a curl and how far it bends aside, least and how much more. Raising the latter makes rings."""
_WAVE = np.linspace(-1, 1, 11, dtype=np.float32)
_CURL_CONTRAST = 0.55
"""How far curls stand out, over strands of straight hair. Raising it draws noodles."""
_DARK_HAIR, _LEAST_CONTRAST = (15.0, 45.0), 0.45
"""Lightness of hair up to which strands stand out least, and from which in full; and how much the least is. Raising
it draws wires on black hair."""
_SMOOTHED = 3
"""How often lines are smoothed: strands bend, and never kink."""
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
    if flow.curl > 0:
        _draw_curls(picture, flow, relief, base, often)
    places, chance = seeds(flow.hair, flow.origin, max(_APART_U * unit, _LEAST_APART_PX / scale))
    here = at(relief, places)
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
    lines = (_unkinked(np.stack([*back[::-1], places, *forth], 1)) + np.float32(0.5)) * np.float32(scale)
    width = np.maximum(_WIDTH_U * unit * scale * (0.35 + 0.65 * chance[:, 2]) * (0.7 + 0.3 * long), _LEAST_WIDTH_PX)
    bow = _bow(lines, _LEAST_LENGTH_U * short * unit * scale)
    _fill(picture, tapered_outlines(lines, bow * width[:, None]), _strand_colours(base, here), here)


def _draw_curls(picture: Pixels, flow: HairFlow, relief: Relief, base: Lab, often: float) -> None:
    """Curls, each its own way, in place: see `draw_lines`."""
    scale, unit = picture.shape[1] / flow.hair.shape[1], flow.unit_px
    places, chance = seeds(flow.hair, flow.origin, max(_CURL_APART_U * unit, _LEAST_APART_PX / scale))
    kept = chance[:, 0] < often * flow.curl * _OFTEN_CURLS
    places, chance = places[kept], chance[kept]
    if not len(places):
        return
    here = at(relief, places)
    # Waves along the strand, some of which are bows and others an S.
    length, height = (unit * (least + more * chance[:, 1:2, None]) for least, more in (_CURL_LENGTH_U, _CURL_HEIGHT_U))
    along = at(flow.flow, places)[:, None]
    across = np.stack([-along[..., 1], along[..., 0]], -1)
    bent = np.sin(np.float32(np.pi) * (_WAVE + 2 * chance[:, 2:]))[..., None]
    lines = places[:, None] + along * length * _WAVE[:, None] + across * height * bent
    inside = (at(flow.hair, lines.reshape(-1, 2)) >= INSIDE).reshape(len(lines), -1).all(1)
    lines, here, chance = lines[inside], here[inside], chance[inside]
    if not len(lines):
        return
    lines = ((lines + 0.5) * scale).astype(np.float32)
    width = np.maximum(_CURL_WIDTH_U * unit * scale * (0.5 + 0.5 * chance[:, 1]), _LEAST_WIDTH_PX)
    bow = np.cos(np.pi / 2 * _WAVE).clip(0) ** np.float32(0.7)
    colours = _strand_colours(base, here, _CURL_CONTRAST)
    _fill(picture, tapered_outlines(lines, width[:, None] * bow), colours, here)


def _fill(picture: Pixels, outlines: NDArray[np.float32], colours: list[list[float]], relief: Relief) -> None:
    """Outlines float32 [N, M, 2] in their colours, dark ones first, in place."""
    shapes = np.round(outlines * (1 << _SHIFT)).astype(np.int32)
    for one in np.argsort(relief >= _LIGHT_FROM, kind="stable").tolist():
        cv2.fillPoly(picture, [shapes[one]], (*colours[one], 255), cv2.LINE_AA, _SHIFT)


def _unkinked(lines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lines float32 [N, M, 2], smoothed along themselves."""
    for _ in range(_SMOOTHED):
        middle = (lines[:, :-2] + 2 * lines[:, 1:-1] + lines[:, 2:]) / 4
        lines = np.concatenate([lines[:, :1], middle, lines[:, -1:]], 1)
    return lines


def _bow(lines: NDArray[np.float32], least_px: float) -> NDArray[np.float32]:
    """Width along lines that may have ended early: float32 [N, M], 0 to 1; 0 for all of a line that is too short."""
    steps = np.hypot(*np.moveaxis(np.diff(lines, axis=1), -1, 0))
    gone = np.concatenate([np.zeros((len(lines), 1), np.float32), steps.cumsum(1)], 1)
    length = gone[:, -1:]
    bow = np.sin(np.pi * gone / np.maximum(length, 1e-3)).clip(0) ** np.float32(0.8)
    widths: NDArray[np.float32] = (bow * (length > least_px)).astype(np.float32)
    return widths


def _strand_colours(base: Lab, relief: Relief, contrast: float = 1.0) -> list[list[float]]:
    """sRGB 0 to 255 of strands where hair has this relief. contrast: how far they stand out, 1 in full."""
    apart = np.clip((relief - _LIGHT_FROM) / _TURNS, -1, 1)
    step = 1.2 * np.clip(relief, -9, 11) + contrast * apart * np.where(apart < 0, _DARK_L, _LIGHT_L)
    step *= _LEAST_CONTRAST + (1 - _LEAST_CONTRAST) * smoothstep(float(base[0]), *_DARK_HAIR)
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
