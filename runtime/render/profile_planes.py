"""What the planes of a profile get wrong: far lashes are no bump of its outline, and beards reach to that."""

from collections.abc import Mapping

import cv2
import numpy as np

from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import BELOW_NOSE, CHIN, MOUTH_CORNERS, NOSE_RIDGE
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.head_planes import axes_of, disc

_BUMP_U = 0.11
"""Half the width of what is taken off, in distances of the pupils. Raising it blunts the brow and the bridge."""
_LEVEL, _EDGE_PX = 64, 2.0
"""By how much a bump stands out of the smoothed plane, and how far beyond it its soft edge reaches."""
_LEAST_WITHIN = 0.6
"""Share of a bump that must lie in the place that is searched. Raising it leaves more lashes."""
_PROFILE, _LEAST_PX = 0.5, 1.0
"""How much of a profile a head must be for all of that, and the least that is looked for. Raising the first leaves
lashes on more profiles."""
_ABOVE_U, _BELOW_U, _BEHIND_U, _AHEAD_U = 0.15, 0.50, 0.30, 0.80
"""Where they are looked for, in pupil distances from the bridge's upper end: above, below, behind, before it."""

_GAP_U = 0.36
"""Width of gaps between a beard and the outline that are filled, in distances of the pupils. Raising it gives small
moustaches on lips' fronts."""
_CLOSED_PX = 6.0
"""Half the width of a gap in pixels with which it is filled. Raising it takes longer."""
_BEARD_ABOVE_U, _BEARD_BELOW_U, _BEARD_AHEAD_U = 0.05, 0.25, 1.0
"""Where they are filled, in distances of the pupils: above the nose's foot, below the chin, before the mouth."""


def with_beard_to_outline(
    planes: Mapping[str, Plane], landmarks: Landmarks, head: FaceGeometry, unit_px: float
) -> dict[str, Plane]:
    """The planes of a profile with a beard that no rim of skin parts from the room. landmarks: in px of the planes."""
    radius = 0.5 * _GAP_U * unit_px * min(head.profile / _PROFILE, 1.0)
    beard, person = planes["beard"], planes["person"]
    if radius < _LEAST_PX or not beard.any():
        return dict(planes)
    across, down = axes_of(landmarks)
    ahead = across * np.float32(np.sign(head.turn))
    start = landmarks[MOUTH_CORNERS[1 - head.far_side], :2]
    top, bottom = (float((landmarks[point, :2] - start) @ down) for point in (BELOW_NOSE, CHIN))
    top, bottom = top - _BEARD_ABOVE_U * unit_px, bottom + _BEARD_BELOW_U * unit_px
    reach = _BEARD_AHEAD_U * unit_px
    places = ((0.0, top), (reach, top), (reach, bottom), (0.0, bottom))
    corners = np.stack([start + ahead * np.float32(x) + down * np.float32(y) for x, y in places])
    window = _window(corners, round(2 * radius) + 2, person.shape)
    if window is None:
        return dict(planes)
    part, place = window
    room = cv2.bitwise_not(person[part])
    gaps = cv2.subtract(_closed(cv2.max(beard[part], room), radius), _closed(room, radius))
    filled = cv2.min(cv2.min(gaps, person[part]), place)
    grown = beard.copy()
    grown[part] = cv2.max(grown[part], filled)
    return {**planes, "beard": grown}


def _closed(plane: Plane, radius: float) -> Plane:
    """Without gaps up to this half width, px; worked out on as few pixels as that needs."""
    coarser = max(1, round(radius / _CLOSED_PX))
    size = (plane.shape[1] // coarser, plane.shape[0] // coarser)
    small = cv2.resize(plane, size, interpolation=cv2.INTER_AREA) if coarser > 1 else plane
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, disc(radius / coarser))
    large: Plane = cv2.resize(closed, plane.shape[::-1], interpolation=cv2.INTER_LINEAR) if coarser > 1 else closed
    return large


def without_far_lashes(
    planes: Mapping[str, Plane], landmarks: Landmarks, head: FaceGeometry, unit_px: float
) -> dict[str, Plane]:
    """The planes of a profile with a smooth outline beside the eyes. landmarks: in px of the planes."""
    radius = _BUMP_U * unit_px * min(head.profile / _PROFILE, 1.0)
    if radius < _LEAST_PX:
        return dict(planes)
    corners = _place(landmarks, head, unit_px)
    person = planes["person"]
    window = _window(corners, 2 * int(radius + _EDGE_PX + 1), person.shape)
    if window is None:
        return dict(planes)
    part, place = window
    smooth = cv2.morphologyEx(person[part], cv2.MORPH_OPEN, disc(radius))
    bumps = _whole_bumps(cv2.compare(cv2.subtract(person[part], smooth), _LEVEL, cv2.CMP_GT), place)
    kept = cv2.bitwise_or(smooth, cv2.bitwise_not(cv2.dilate(bumps, disc(_EDGE_PX))))
    result = dict(planes)
    for name in ("person", "skin", "hair"):
        result[name] = planes[name].copy()
        result[name][part] = cv2.min(result[name][part], kept)
    return result


def _window(corners: Points, margin: int, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], Plane] | None:
    """The part of a plane around a place, and the place in it, 255 there; None where hardly any of it is shown."""
    low, high = np.floor(corners.min(0)).astype(int) - margin, np.ceil(corners.max(0)).astype(int) + margin
    (left, top), (right, bottom) = np.clip(low, 0, shape[::-1]), np.clip(high, 0, shape[::-1])
    if right - left < margin or bottom - top < margin:
        return None
    place: Plane = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(place, [np.rint(corners - (left, top)).astype(np.int32)], 255)
    return np.s_[top:bottom, left:right], place


def _place(landmarks: Landmarks, head: FaceGeometry, unit_px: float) -> Points:
    """Where lashes may stand out: float32 [4, 2] px."""
    across, down = axes_of(landmarks)
    ahead = across * np.float32(np.sign(head.turn))
    bridge = landmarks[NOSE_RIDGE[0], :2]
    reaches = ((-_BEHIND_U, -_ABOVE_U), (_AHEAD_U, -_ABOVE_U), (_AHEAD_U, _BELOW_U), (-_BEHIND_U, _BELOW_U))
    return np.stack([bridge + (ahead * np.float32(x) + down * np.float32(y)) * np.float32(unit_px) for x, y in reaches])


def _whole_bumps(bumps: Plane, place: Plane) -> Plane:
    """Those that lie in a place nearly as a whole: half of a larger one would leave a step."""
    _, labels = cv2.connectedComponents(bumps)
    sizes = np.bincount(labels.ravel())
    within = np.bincount(labels[place > 0], minlength=len(sizes))
    chosen = within >= _LEAST_WITHIN * sizes
    chosen[0] = False
    found: Plane = chosen[labels].astype(np.uint8) * np.uint8(255)
    return found
