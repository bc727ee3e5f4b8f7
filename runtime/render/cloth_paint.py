"""Cloth in the photo's colours as a brush paints them, or in few flat ones; and what lies under all parts."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.frames import Image
from toonfilter.runtime.render.brushwork import brushed, extended
from toonfilter.runtime.render.canvas import Pixels
from toonfilter.runtime.render.cloth_lines import cloth_lines, draw_lines
from toonfilter.runtime.render.colour import Lab, picture_lab, scaled
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.flat_cloth import flat_cloth
from toonfilter.runtime.render.palette import paintable, painted_colour
from toonfilter.runtime.render.tones import Patch
from toonfilter.runtime.styles.style import BaseRules

_SMALLER = 2
"""Cloth's colours are told apart in a picture so many times smaller than the planes."""
_BRUSH_U = 0.05
"""Reach of the brush, in distances of the pupils, and _SMALLER times as much far from the focus. Raising it paints
larger patches, and shows less of a face on a shirt."""
_FAR_SHARE = 0.62
"""How much patches far from the focus differ from the colours around them, over those near it. Raising it makes
camouflage of folds."""
_AT_LARGE_U = 0.14
"""How far colours are averaged that `folds` mixes patches with, and that the brush sees beyond the cloth's edge."""
_FOCUS_U, _FOCUS_EDGE_U = 1.3, 0.15
"""So far around the collar or the forehead, with so wide an edge, cloth is painted more finely: collars, ties and
ornaments are small, and nobody else's face is there."""
_TONE_L, _TONE_EDGE = 7, 3.0
"""Distance of the tones that light is gathered to, L*, and how crisply one becomes the next. Raising the first: fewer
tones; the second: harder edges."""
_UNDER_UNIT_PX = 7.0
"""Distance of the pupils at which colours below the parts are mixed. Raising it shows more of what parts leave out."""
_SURE = 150
"""Level from which a pixel is surely cloth, or the person's."""
_FINE_UNIT_PX = 80.0
"""Distance of the pupils below which lines are looked for in the planes' own resolution. Raising it costs time."""
_TO_BYTES, _BYTES_ORIGIN = np.array([2.55, 1, 1], np.float32), np.array([0.5, 128.5, 128.5], np.float32)


def painted_cloth(
    photo: Image,
    plane: Plane,
    patch: Patch,
    colours: Sequence[Lab],
    unit_px: float,
    rules: BaseRules,
    focus: Points | None = None,
) -> Pixels:
    """Painted cloth under a patch: uint8 [h, w, 4] RGBA of the canvas' size.

    photo: uint8 [H, W, 3] RGB, all of the planes' picture. plane: where the cloth is. colours: of the cloth, at most
    CLOTH_COLOURS. unit_px: distance of the pupils in px of the planes. focus: [2] px of the planes: around it cloth
    is painted more finely; None where no face is known, and cloth is flat.
    """
    size = (max(2, patch.width // _SMALLER), max(2, patch.height // _SMALLER))
    part, whole = np.ascontiguousarray(patch.of(photo)), cv2.compare(patch.of(plane), _SURE, cv2.CMP_GE)
    lab = picture_lab(cv2.resize(part, size, interpolation=cv2.INTER_AREA))
    inside = cv2.compare(cv2.resize(patch.of(plane), size, interpolation=cv2.INTER_AREA), _SURE, cv2.CMP_GE)
    near = (
        None if focus is None else _near((focus - (patch.left, patch.top)) / _SMALLER, inside.shape, unit_px / _SMALLER)
    )
    has_fine_lines = unit_px < _FINE_UNIT_PX
    if near is None or rules.cloth == "flat":
        painted = flat_cloth(lab, inside, near, patch, colours, unit_px / _SMALLER, rules)
        full = picture_lab(part) if has_fine_lines else lab
    else:
        full = picture_lab(part)
        painted = _brushwork((full, lab), (whole, inside), near, patch, unit_px, rules)
    if rules.inner_ink > 0:
        if has_fine_lines:
            # On small people lines are finer than these smaller pictures show.
            lines = cloth_lines(full[..., 0], whole, unit_px)
        else:
            lines = cloth_lines(lab[..., 0], inside, unit_px / _SMALLER)
        if lines.any():
            draw_lines(painted, patch.enlarged(lines, smoothly=True), rules.inner_ink)
    return painted


def _near(focus: Points, shape: tuple[int, ...], unit_px: float) -> NDArray[np.float32]:
    """1 around the focus, 0 far from it, float32 [h, w]."""
    near = np.zeros(shape, np.uint8)
    cv2.circle(near, (round(float(focus[0])), round(float(focus[1]))), max(1, round(_FOCUS_U * unit_px)), 255, -1)
    edge = 2 * max(1, round(_FOCUS_EDGE_U * unit_px)) + 1
    soft: NDArray[np.float32] = cv2.blur(near, (edge, edge)).astype(np.float32) / 255
    return soft


def _brushwork(
    pictures: Sequence[NDArray[np.float32]],
    inside: Sequence[Plane],
    near: NDArray[np.float32],
    patch: Patch,
    unit_px: float,
    rules: BaseRules,
) -> Pixels:
    """Cloth in its own colours. pictures, inside: at the planes' size, and _SMALLER times smaller, as near is.

    The same brush, in pixels, paints larger patches on the smaller picture.
    """
    reach_px, at_large_px = _BRUSH_U * unit_px, _AT_LARGE_U * unit_px
    whole, region = pictures[0], inside[0]
    size = whole.shape[1::-1]
    coarse = _patches(pictures[1], inside[1], reach_px, at_large_px, _FAR_SHARE * rules.folds)
    lab = cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR)
    share = cv2.resize(near, size, interpolation=cv2.INTER_LINEAR)[..., None]
    left, top, width, height = cv2.boundingRect((share > 0).astype(np.uint8))
    if width > 0:
        part = np.s_[top : top + height, left : left + width]
        fine = _patches(np.ascontiguousarray(whole[part]), region[part], reach_px, at_large_px, rules.folds)
        lab[part] += (fine - lab[part]) * share[part]
    lab = scaled(painted_colour(paintable(lab), rules), _TO_BYTES, _BYTES_ORIGIN)
    return _in_tones(np.clip(lab, 0, 255).astype(np.uint8), patch)


def _in_tones(lab: NDArray[np.uint8], patch: Patch) -> Pixels:
    """Colours in bytes of L*a*b*, smaller, as a picture of the canvas' size with light in soft steps.

    Colours of the canvas' size would take three times as long to convert; a step of light is about the same in RGB.
    """
    opaque = cv2.cvtColor(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), cv2.COLOR_RGB2RGBA)
    picture: Pixels = patch.enlarged(opaque, smoothly=True)
    light = patch.enlarged(cv2.extractChannel(lab, 0), smoothly=True)
    for table, change in zip(_tones(), (cv2.add, cv2.subtract), strict=True):
        change(picture, cv2.LUT(light, table).view(np.uint8).reshape(picture.shape), dst=picture)
    return picture


def _patches(
    lab: NDArray[np.float32], inside: Plane, reach_px: float, at_large_px: float, share: float
) -> NDArray[np.float32]:
    """Patches of cloth, with a share of how far they are from its colours at large."""
    whole, at_large = extended(lab, inside, at_large_px)
    patches: NDArray[np.float32] = at_large + (brushed(whole, reach_px) - at_large) * np.float32(share)
    return patches


@lru_cache(maxsize=1)
def _tones() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """By bytes of L*, int32 [256]: four bytes to add to RGBA and to take from it, for light in soft steps. Read only.

    Soft quantisation of light: Winnemoeller, Olsen, Gooch, Real-Time Video Abstraction (2006), section 3.3.
    """
    light = np.arange(256, dtype=np.float32) / _TO_BYTES[0]
    tone = np.round(light / _TONE_L) * _TONE_L
    tone += _TONE_L / 2 * np.tanh((light - tone) / _TONE_L * _TONE_EDGE) / np.tanh(_TONE_EDGE / 2)
    change = np.floor(tone * _TO_BYTES[0] + 0.5) - np.arange(256)
    return _for_colours(np.maximum(change, 0)), _for_colours(np.maximum(-change, 0))


def _for_colours(levels: NDArray[np.float32]) -> NDArray[np.int32]:
    """Four bytes in one number: a level for red, green and blue, and 0: int32 [256]. levels: float32 [256]."""
    table = np.zeros((len(levels), 4), np.uint8)
    table[:, :3] = levels[:, None]
    return table.view(np.int32)[:, 0]


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
