"""Outlines of soft fields: closed polygons with sub-pixel, smoothed points, ready to be filled and inked."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.sampling import halved

Plane = NDArray[np.uint8]
"""uint8 [H, W]: 0 outside, 255 inside, soft between."""
Points = NDArray[np.float32]
"""float32 [N, 2]: x, y."""

CORNER_PX = 0.2
"""How far a simplified outline may lie from the smooth one, in field px. Raising it saves points and shows corners."""
_BORDER_PX, _TOP_BORDER_PX = 10, 48
"""How far beyond the picture shapes at its edge are closed, so that their ink is not seen there; and beyond its top,
from where styles move heads down."""
_ARCH: Points = np.linspace(0, 1, 9, dtype=np.float32)[:, None]
_TOP_PX, _TANGENT_POINTS = 7, 9
"""How far below the picture's top an outline is not believed, and how many points before tell where it goes."""
_MOST_SLOPE = 1.5
"""How far aside outlines that do not meet go on beyond the top for each step up. Raising it opens cut heads wider."""
_FLAT_RISE = 0.25
"""Height of the arch over heads that only just touch the top, over its width. Raising it makes them pointed."""
_LEAST_CUT_POINTS = 40
"""Shorter outlines are left as they are. Raising it leaves the stubs of small heads."""
_LEAST_POINTS = 6
_SIGMAS = 3
"""How far a Gaussian reaches, in standard deviations, of 8-bit pictures in OpenCV."""
_STEP_PX = 1.0
"""How far a point may be moved onto the exact level."""
COARSE_PX = 4
"""Cells in which the patches of a plane are told apart. A power of two."""
_AT_ONCE = 4
"""Planes that are made small together, as channels of one picture: more than four take longer again."""


def coarsened(plane: Plane) -> Plane:
    """The plane COARSE_PX times smaller; at least 2 x 2."""
    height, width = plane.shape
    if height % COARSE_PX == 0 and width % COARSE_PX == 0 and min(height, width) >= 2 * COARSE_PX:
        return halved(plane, COARSE_PX.bit_length() - 1)
    size = (max(2, width // COARSE_PX), max(2, height // COARSE_PX))
    small: Plane = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    return small


def made_small(planes: Mapping[str, Plane], names: Sequence[str], size: tuple[int, int]) -> dict[str, Plane]:
    """These planes at another size, (w, h) px: several at once, which takes half as long."""
    small: dict[str, Plane] = {}
    for first in range(0, len(names), _AT_ONCE):
        some = names[first : first + _AT_ONCE]
        merged = cv2.merge([planes[name] for name in some])
        small.update(zip(some, cv2.split(cv2.resize(merged, size, interpolation=cv2.INTER_AREA)), strict=True))
    return small


def outlines(
    plane: Plane,
    *,
    level: int = 128,
    blur_px: float = 1.0,
    smooth_px: float = 1.5,
    least_px2: float = 20.0,
    corner_px: float = CORNER_PX,
) -> list[Points]:
    """Closed outlines where the plane crosses `level`, outer ones and holes alike, in field px.

    blur_px: the plane is smoothed so far first; more gives calmer shapes and loses thin ones. smooth_px: along the
    outline. least_px2: smaller shapes are left out. corner_px: see `CORNER_PX`. Fill them with the even-odd rule.
    Shapes at the picture's edge are closed beyond it, so that no ink runs along it.
    """
    soft = _blurred(plane, level, blur_px) if blur_px > 0.3 else plane
    soft = cv2.copyMakeBorder(soft, _TOP_BORDER_PX, _BORDER_PX, _BORDER_PX, _BORDER_PX, cv2.BORDER_REPLICATE)
    inside = cv2.compare(soft, level, cv2.CMP_GE)
    inside[[0, -1]] = 0
    inside[:, [0, -1]] = 0
    found, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    chosen = [one[:, 0] for one in found if len(one) >= _LEAST_POINTS and cv2.contourArea(one) >= least_px2]
    if not chosen:
        return []
    exact = _on_level(np.concatenate(chosen), soft, level)
    ends = np.cumsum([len(one) for one in chosen])[:-1]
    shapes, origin = [], np.array([_BORDER_PX, _TOP_BORDER_PX], np.float32)
    for points in np.split(exact, ends):
        smooth = _through_top(smoothed(points, min(smooth_px, len(points) / 10)))
        shapes.append(cv2.approxPolyDP(smooth[:, None], corner_px, True)[:, 0] - origin)
    return shapes


def _blurred(plane: Plane, level: int, blur_px: float) -> Plane:
    """The plane smoothed by a Gaussian wherever that may reach the level; 0 elsewhere."""
    left, top, width, height = cv2.boundingRect(cv2.compare(plane, level, cv2.CMP_GE))
    reach = 2 * math.ceil(_SIGMAS * blur_px) + 2
    part = np.s_[max(0, top - reach) : top + height + reach, max(0, left - reach) : left + width + reach]
    soft = np.zeros_like(plane)
    if width > 0:
        soft[part] = cv2.GaussianBlur(plane[part], (0, 0), blur_px)
    return soft


def _through_top(points: Points) -> Points:
    """An outline that goes on beyond the picture's top as it comes there: close to it networks see upright stripes.

    points: with the border's offset.
    """
    near = points[:, 1] < _TOP_BORDER_PX + _TOP_PX
    if not near.any() or near.all() or len(points) < _LEAST_CUT_POINTS:
        return points
    first = int(np.argmin(near))
    points, near = np.roll(points, -first, 0), np.roll(near, -first)
    begins = np.flatnonzero(near & ~np.roll(near, 1)).tolist()
    ends = np.flatnonzero(near & ~np.roll(near, -1)).tolist()
    pieces, last = [], 0
    for begin, end in zip(begins, ends, strict=True):
        pieces += [points[last:begin], _top_of(points, begin, end)]
        last = end + 1
    closed: Points = np.concatenate([*pieces, points[last:]]).astype(np.float32)
    return closed


def _top_of(points: Points, begin: int, end: int) -> Points:
    """What replaces points begin to end: an arch, or both sides go straight on until they are out of sight."""
    count = len(points)
    left, right = points[begin - 1], points[(end + 1) % count]
    ways = left - points[(begin - 1 - _TANGENT_POINTS) % count], right - points[(end + 1 + _TANGENT_POINTS) % count]
    if float(points[begin : end + 1, 1].min()) >= _TOP_BORDER_PX:
        return points[begin : end + 1]
    if min(-float(way[1]) for way in ways) < 1:
        up = np.array([0, -_FLAT_RISE * abs(float(right[0] - left[0]))], np.float32)
        return _arch(left, (left + right) / 2 + up, right)
    slopes = [float(way[0] / -way[1]) for way in ways]
    closing = slopes[0] - slopes[1] if left[0] < right[0] else slopes[1] - slopes[0]
    rises = left[1], right[1]
    meet = abs(float(right[0] - left[0])) / closing if closing > 0 else np.inf
    if meet < 2 * min(rises):
        return _arch(left, np.array([left[0] + slopes[0] * meet, left[1] - meet], np.float32), right)
    slopes = [min(max(slope, -_MOST_SLOPE), _MOST_SLOPE) for slope in slopes]
    tops = [[side[0] + slope * rise, 0.0] for side, slope, rise in zip((left, right), slopes, rises, strict=True)]
    return np.array(tops, np.float32)


def _arch(left: Points, peak: Points, right: Points) -> Points:
    """The arc, of a circle where both sides are as steep, that leaves both sides where they begin: a head is round."""
    rising, falling = peak - left, right - peak
    cosine = float(rising @ falling) / float(np.linalg.norm(rising) * np.linalg.norm(falling) + 1e-6)
    weight = np.float32(math.sqrt(max(0.0, (1 + cosine) / 2)))
    shares = (1 - _ARCH) ** 2, 2 * weight * _ARCH * (1 - _ARCH), _ARCH**2
    arc: Points = (shares[0] * left + shares[1] * peak + shares[2] * right) / sum(shares)
    return arc


def _on_level(pixels: NDArray[np.int32], soft: Plane, level: int) -> Points:
    """Border pixels moved along the slope to where the plane has the level exactly."""
    width, levels = soft.shape[1], soft.ravel()
    place = pixels[:, 0] + pixels[:, 1].astype(np.intp) * width
    here, left, right, above, below = (
        levels.take(place + step).astype(np.float32) for step in (0, -1, 1, -width, width)
    )
    across, down = (right - left) / 2, (below - above) / 2
    share = (level - here) / (across * across + down * down + 1.0)
    steps = np.stack([across * share, down * share], 1)
    moved: Points = pixels + np.clip(steps, -_STEP_PX, _STEP_PX)
    return moved


def smoothed(points: Points, sigma: float) -> Points:
    """A closed line smoothed along itself. sigma: in points."""
    if sigma < 0.4:
        return points.astype(np.float32)
    reach = min(int(2.5 * sigma) + 1, len(points))
    wrapped = np.concatenate([points[-reach:], points, points[:reach]]).astype(np.float32)
    kernel = _kernel(reach, round(sigma, 1))
    flat: Points = cv2.filter2D(wrapped, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return flat[reach : reach + len(points)]


@lru_cache(maxsize=256)
def _kernel(reach: int, sigma: float) -> NDArray[np.float32]:
    kernel: NDArray[np.float32] = cv2.getGaussianKernel(2 * reach + 1, sigma, cv2.CV_32F)
    return kernel
