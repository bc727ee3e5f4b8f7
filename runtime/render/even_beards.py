"""Beards are even: light from one side hides half of a moustache, and nobody wears half a beard."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.alignment import Landmarks
from toonfilter.runtime.geometry.landmarks import BELOW_NOSE, CHIN, FACE_SIDES, MOUTH_CORNERS, NOSE_TIP
from toonfilter.runtime.render.contours import Plane
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.head_planes import axes_of, disc, hull_region

_REACH_U, _BELOW_U = 0.55, 0.08
"""How far to either side of the nose a moustache reaches, and below the mouth's corners, in distances of the pupils."""
_SHARE = 0.95
"""How much of one side the other gets. Raising it makes moustaches of shade on one side."""
_LEAST_LEVEL = 70
"""Level that the plane must reach for there to be a beard."""
_MOST_UNEVEN, _TURNED = 2.0, (1.3, 1.7)
"""Width of the face's halves, one over the other, beyond which it is turned too far; and from which on halves that
are laid over each other no longer meet, so that their mean is less of a beard, and where it no longer counts."""
_CHIN_REACH_U, _BELOW_CHIN_U = 1.1, 0.35
"""How far to either side of the chin and below it beards are compared, in distances of the pupils."""
_LEAST_EVEN = 0.4
"""Share of a chin's beard that must be on both sides. Raising it takes more beards in light from one side for shade."""
_ABOVE_NOSE_U, _BEARD_BELOW_U, _BEARD_REACH_U = 0.6, 0.9, 1.35
"""From how far above the nose's tip to how far below the chin, and how far to either side, a beard's shape is even."""
_GAPS_U, _ROUND_U, _SEAM_U = 0.17, 0.035, 0.10
"""Width of gaps that are closed, how far outlines are rounded, and over how much that begins and ends. Raising the
first two makes plainer beards."""
_BEARD, _RIM_U, _LEAST_ON_FACE_U2, _LEAST_SHARE_ON_FACE = 100, 0.10, 0.12, 0.5
"""Level of a beard; width of the face's rim, where it may be a collar's; and the least of it that lies further in, in
squares of the pupils' distance or as a share, where one is believed. Raising these takes more chin beards for collars.
"""


def with_even_moustache(planes: Mapping[str, Plane], landmarks: Landmarks, unit_px: float) -> dict[str, Plane]:
    """The planes with a moustache that is on both sides what it is on the clearer one.

    planes: uint8 [h, w]. landmarks: float32 [478, 3] in their px. unit_px: distance of the pupils.
    """
    bottom = _below_nose(landmarks, MOUTH_CORNERS) + _BELOW_U * unit_px
    halves = _halves(planes["beard"], landmarks, (_below_nose(landmarks, (NOSE_TIP,)), bottom), _REACH_U * unit_px)
    if halves is None:
        return dict(planes)
    evened = cv2.max(halves.own, cv2.convertScaleAbs(halves.mirrored, alpha=_SHARE))
    return {**planes, "beard": cv2.max(planes["beard"], halves.back(evened, planes["beard"].shape))}


def without_half_beard(planes: Mapping[str, Plane], landmarks: Landmarks, unit_px: float) -> dict[str, Plane]:
    """The planes without a chin's beard that is mostly on one side: that is the shade of a cheek.

    planes, landmarks, unit_px: see `with_even_moustache`.
    """
    top = _below_nose(landmarks, MOUTH_CORNERS) + _BELOW_U * unit_px
    bottom = _below_nose(landmarks, (CHIN,)) + _BELOW_CHIN_U * unit_px
    halves = _halves(planes["beard"], landmarks, (top, bottom), _CHIN_REACH_U * unit_px)
    if halves is None:
        return dict(planes)
    both = cv2.min(halves.own, halves.mirrored)
    if float(both.sum()) >= _LEAST_EVEN * float(halves.own.sum()):
        return dict(planes)
    gone = halves.back(cv2.subtract(halves.own, both), planes["beard"].shape)
    return {**planes, "beard": cv2.subtract(planes["beard"], gone)}


def without_neck_beard(planes: Mapping[str, Plane], landmarks: Landmarks, unit_px: float) -> dict[str, Plane]:
    """The planes without a beard that hardly begins on the face: that is a collar, or the shade below a chin.

    planes, landmarks, unit_px: see `with_even_moustache`.
    """
    beard = planes["beard"]
    dense = cv2.compare(beard, _BEARD, cv2.CMP_GE)
    whole = cv2.countNonZero(dense)
    rim = 2 * round(_RIM_U * unit_px) + 1
    face = cv2.erode(hull_region(landmarks, beard.shape), np.ones((rim, rim), np.uint8))
    on_face = cv2.countNonZero(cv2.bitwise_and(dense, face))
    if on_face >= _LEAST_ON_FACE_U2 * unit_px**2 or on_face >= _LEAST_SHARE_ON_FACE * whole:
        return dict(planes)
    return {**planes, "beard": np.zeros_like(beard)}


def even_beard(beard: Plane, landmarks: Landmarks, unit_px: float) -> Plane:
    """A beard that is on both sides the mean of both, without gaps, its outline rounded: uint8 [h, w].

    beard: uint8 [h, w]. landmarks, unit_px: see `with_even_moustache`.
    """
    top = _below_nose(landmarks, (NOSE_TIP,)) - _ABOVE_NOSE_U * unit_px
    bottom = _below_nose(landmarks, (CHIN,)) + _BEARD_BELOW_U * unit_px
    halves = _halves(beard, landmarks, (top, bottom), _BEARD_REACH_U * unit_px)
    if halves is None:
        return _rounded(beard, unit_px)
    even = _rounded(cv2.addWeighted(halves.own, 0.5, halves.mirrored, 0.5, 0), unit_px)
    seam = 2 * max(1, round(_SEAM_U * unit_px)) + 1
    whole = halves.back(np.full_like(halves.own, 255), beard.shape)
    share = cv2.blur(cv2.erode(whole, np.ones((seam, seam), np.uint8)), (seam, seam)).astype(np.float32) / 255
    turned = smoothstep(halves.uneven, *_TURNED)
    wanted = cv2.addWeighted(halves.back(even, beard.shape), 1 - turned, _rounded(beard, unit_px), turned, 0)
    mixed: Plane = cv2.convertScaleAbs(beard + (wanted - beard.astype(np.float32)) * share)
    return mixed


def _rounded(beard: Plane, unit_px: float) -> Plane:
    """Without gaps, its outline rounded."""
    whole = cv2.morphologyEx(beard, cv2.MORPH_CLOSE, disc(_GAPS_U * unit_px))
    rounded: Plane = cv2.GaussianBlur(whole, (0, 0), _ROUND_U * unit_px)
    return rounded


@dataclass(frozen=True, slots=True, eq=False)
class _Halves:
    """A part of the plane along the face's axes, and its mirror image. placed: float64 [2, 3], to the plane.

    uneven: the width of the face's wider half over that of the other.
    """

    own: Plane
    mirrored: Plane
    placed: NDArray[np.float64]
    uneven: float

    def back(self, part: Plane, shape: tuple[int, ...]) -> Plane:
        """Such a part in its place in the plane, which has this shape."""
        plane: Plane = cv2.warpAffine(part, self.placed, shape[1::-1], flags=cv2.INTER_LINEAR)
        return plane


def _below_nose(landmarks: Landmarks, points: tuple[int, ...]) -> float:
    _, down = axes_of(landmarks)
    return float((landmarks[list(points), :2].mean(0) - landmarks[BELOW_NOSE, :2]) @ down)


def _halves(beard: Plane, landmarks: Landmarks, rows: tuple[float, float], reach_px: float) -> _Halves | None:
    """The part between two distances below the nose, px; None without a beard, or for a face that is turned."""
    across, down = axes_of(landmarks)
    middle = landmarks[BELOW_NOSE, :2]
    top, bottom = rows
    widths = [abs(float((landmarks[side, :2] - middle) @ across)) for side in FACE_SIDES]
    if bottom <= top or min(widths) < 1 or max(widths) > _MOST_UNEVEN * min(widths):
        return None
    down_px = np.arange(top, bottom, dtype=np.float32)
    across_px = np.arange(-reach_px, reach_px + 1, dtype=np.float32)
    x, y = np.meshgrid(across_px, down_px)
    to_frame = np.stack([across, down, middle], 1).astype(np.float64)
    placed = to_frame @ np.array([[1, 0, across_px[0]], [0, 1, down_px[0]], [0, 0, 1]])
    size = (len(across_px), len(down_px))
    own: Plane = cv2.warpAffine(beard, placed, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    if int(own.max(initial=0)) < _LEAST_LEVEL:
        return None
    # A turned head shows less of one half.
    wider = np.where(x < 0, widths[1] / widths[0], widths[0] / widths[1]).astype(np.float32)
    mirrored: Plane = cv2.remap(own, -x * wider - across_px[0], y - down_px[0], cv2.INTER_LINEAR)
    return _Halves(own, mirrored, placed, max(widths) / min(widths))
