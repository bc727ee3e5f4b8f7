"""Ears as the plane of skin shows them beside a face: how far it reaches at each height, and a designed shape there."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import EAR_LIMITS, EAR_ROOTS, FACE_OVAL
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.head_planes import axes_of

STEP_U = 0.02
"""Distance of the places at which skin is looked at, in distances of the pupils."""
_TOP_U, _BOTTOM_U, _WITHIN_U, _BEYOND_U = -0.75, 0.95, -0.35, 1.05
"""From where to where ears are looked for, from the root downwards and outwards, in distances of the pupils."""
_ROWS, _COLUMNS = round((_BOTTOM_U - _TOP_U) / STEP_U), round((_BEYOND_U - _WITHIN_U) / STEP_U)
_SKIN_LEVEL = 128
_PEAK_U, _USUAL_PEAK_U, _LOBE_U = 0.40, 0.10, 0.80
"""How far below its root an ear may be widest, is widest where there are several such places, and may end. Raising them
takes corners of jaws and shoulders for ears."""
_DIP_U = 0.05
"""Depth of a dip in the outline below which another thing than an ear begins, in distances of the pupils."""
_USUAL_HEIGHT_U = 0.90
"""Height of an ear at most whose lobe does not show. Raising it makes ears as long as the jaw."""
_NEAR_U = 0.45
"""How near the root the ear's skin is chosen. Raising it takes shoulders and hands for ears."""
_CALM_ROWS = 5
"""Rows over which the reach of skin is averaged. Raising it rounds ears and loses small lobes."""
_NOTCH_ROWS, _CLEAR_U, _OF_DEEPEST = 7, 0.03, 0.5
"""Rows above and below from which a notch is measured; depth in distances of the pupils, and share of the deepest,
from which it ends an ear. Raising the last two makes ears longer, down to the jaw."""
_CLEAR_NOTCH_U = (0.020, 0.040)
"""Depth of the notch in distances of the pupils from which it begins to be clear, and is."""
_NOTCH_TELLS, _EAR_U = 2.0, (0.135, 0.175)
"""How much the depth of the notch below the lobe tells beside how far an ear stands out; and their sum, in distances of
the pupils, from which an ear is drawn and drawn whole. Raising the second draws fewer ears; lowering it makes ears of
cheeks that are wider than the mesh."""
_BEYOND_FACE_U = (0.05, 0.09)
"""How far an ear stands out from the mesh to be drawn, and drawn whole. Raising it loses ears that lie close."""
_HEIGHT_U, _MOST_HEIGHT_U = (0.24, 0.36), (1.2, 1.36)
"""Height of what is seen of an ear from which it is drawn and drawn whole, and from which it is less and none."""
_AREA_U2 = (0.006, 0.020)
"""Area of what stands out from which an ear is drawn and drawn whole, in squared distances of the pupils."""
_LEAST_WIDE, _WIDE_U = 0.36, 0.27
"""Width of an ear over its height at least, and up to which in distances of the pupils: a flat one lies on the cheek.
Raising them widens ears seen from ahead."""
_OUTER, _MOST_SHIFT = (0.35, 0.75), 0.3
"""Share of an ear's width from which and from where on its outline follows the skin's, and how far at most."""
EAR = np.array(
    [
        (0.10, 0.27), (0.14, 0.15), (0.28, 0.04), (0.50, 0.0), (0.75, 0.06), (0.93, 0.20), (1.0, 0.37), (0.96, 0.53),
        (0.83, 0.68), (0.69, 0.81), (0.56, 0.92), (0.39, 1.0), (0.20, 0.98), (0.08, 0.89), (0.03, 0.77), (0.03, 0.65),
        (0.08, 0.54), (0.14, 0.47),
    ],
    np.float32,
)  # fmt: skip
"""The outline of an ear from its front edge over the top and the lobe to the front, a C, outwards and down, in shares
of its width and height."""
FOLD = np.array(
    [
        (0.36, 0.46), (0.31, 0.35), (0.36, 0.24), (0.49, 0.19), (0.61, 0.25), (0.66, 0.37), (0.61, 0.50), (0.51, 0.60),
        (0.40, 0.65), (0.30, 0.62),
    ],
    np.float32,
)  # fmt: skip
"""The fold within it, likewise."""


@dataclass(frozen=True, slots=True)
class EarPlace:
    """Where an ear grows: root float32 [2] px, unit vectors out of the head and down, and the unit of lengths in px."""

    root: Points
    outwards: Points
    down: Points
    unit_px: float

    @classmethod
    def of(cls, landmarks: Points, unit_px: float, side: int) -> "EarPlace":
        """landmarks: float32 [478, 2] px. unit_px: distance of the pupils. side: see `ear_outline`."""
        across, down = axes_of(landmarks)
        return cls(landmarks[list(EAR_ROOTS[side])].mean(0), across * np.float32(2 * side - 1), down, unit_px)

    def local(self, points: Points) -> Points:
        """px to distances of the pupils, outwards and down from the root."""
        away = (points - self.root) / np.float32(self.unit_px)
        return np.stack([away @ self.outwards, away @ self.down], 1)

    def placed(self, points: Points) -> Points:
        """The way back."""
        axes = np.stack([self.outwards, self.down]) * np.float32(self.unit_px)
        px: Points = (self.root + points @ axes).astype(np.float32)
        return px


@dataclass(frozen=True, slots=True)
class EarShape:
    """An ear's outline, open where it grows on the cheek, and its inner fold: float32 [N, 2].

    seen: 0 none to 1. area: of what lies beyond the face, in squared distances of the pupils. clear: 0 to 1, whether it
    ends in a clear notch.
    """

    outline: Points
    fold: Points
    seen: float
    area: float
    clear: float = 1.0


def reach_of_skin(skin: Plane, landmarks: Points, place: EarPlace) -> NDArray[np.float32]:
    """How far the face and the skin beside it reach outwards at each height: float32 [rows, 2], distances of the
    pupils. landmarks: float32 [478, 2] px of the plane."""
    step = np.float32(STEP_U * place.unit_px)
    corner = place.placed(np.array([[_WITHIN_U, _TOP_U]], np.float32))[0]
    matrix = np.column_stack([place.outwards * step, place.down * step, corner]).astype(np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(skin, matrix, (_COLUMNS, _ROWS), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    cells = (place.local(landmarks) - np.array([_WITHIN_U, _TOP_U], np.float32)) / np.float32(STEP_U)
    face = np.zeros((_ROWS, _COLUMNS), np.uint8)
    cv2.fillConvexPoly(face, np.rint(cv2.convexHull(cells[list(FACE_OVAL)])).astype(np.int32), 255)
    edge = np.where(face.any(1), _COLUMNS - face[:, ::-1].argmax(1), 0).astype(np.float32)
    inside = np.arange(_COLUMNS) < edge[:, None]
    top = max(0, round(float(cells[EAR_LIMITS[0], 1])))
    beside = ((seen >= _SKIN_LEVEL) & ~inside).astype(np.uint8)
    beside[:top] = 0
    beside = cv2.morphologyEx(beside, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, parts = cv2.connectedComponents(beside)
    reach = edge
    if count > 1:
        near = parts[_row(-_NEAR_U) : _row(_NEAR_U), : round((_NEAR_U - _WITHIN_U) / STEP_U)]
        sizes = np.bincount(near.ravel(), minlength=count)
        ear = parts == 1 + int(sizes[1:].argmax())
        reach = np.where(ear.any(1), np.maximum(_ends(ear, seen), edge), edge).astype(np.float32)
    profile: NDArray[np.float32] = np.stack([edge, reach], 1) * np.float32(STEP_U) + np.float32(_WITHIN_U)
    return profile


def _ends(ear: NDArray[np.bool_], seen: Plane) -> NDArray[np.float32]:
    """Where each row's skin ends, in columns, between them where its level is passed."""
    last = _COLUMNS - 1 - ear[:, ::-1].argmax(1)
    rows = np.arange(_ROWS)
    inner = seen[rows, last].astype(np.float32)
    outer = seen[rows, np.minimum(last + 1, _COLUMNS - 1)].astype(np.float32)
    ends: NDArray[np.float32] = last + np.clip((inner - _SKIN_LEVEL) / np.maximum(inner - outer, 1), 0, 1)
    return ends


def ear_in(profile: NDArray[np.float32]) -> EarShape | None:
    """The ear that a reach of skin shows, in distances of the pupils from its root; None where there is none.

    profile: see `reach_of_skin`. An ear ends below in a notch; above, where hair or the skull begins.
    """
    edge = profile[:, 0]
    reach = cv2.max(cv2.blur(profile[:, 1:], (1, _CALM_ROWS), borderType=cv2.BORDER_REPLICATE), profile[:, :1])[:, 0]
    widest = _widest(reach, edge)
    notches = _notches(reach)
    lobe, top = _first(notches, widest, _row(_LOBE_U)), _first(notches, widest, 0)
    notch = float(notches[round(lobe)])
    if notch < _CLEAR_U:
        lobe = min(lobe, top + _USUAL_HEIGHT_U / STEP_U)
    height, beyond = (lobe - top) * STEP_U, float(reach[widest] - edge[widest])
    if height <= 0 or reach[widest] > _BEYOND_U - 2 * STEP_U:
        return None
    area = float((reach - edge)[round(top) : round(lobe)].sum()) * STEP_U
    seen = smoothstep(beyond + _NOTCH_TELLS * notch, *_EAR_U) * smoothstep(area, *_AREA_U2)
    seen *= (
        smoothstep(beyond, *_BEYOND_FACE_U) * smoothstep(height, *_HEIGHT_U) * (1 - smoothstep(height, *_MOST_HEIGHT_U))
    )
    if seen <= 0:
        return None
    outer = float(reach[widest])
    width = max(outer - float(edge[round((top + lobe) / 2)]), min(_LEAST_WIDE * height, _WIDE_U))

    def laid(points: Points) -> Points:
        """Shares of the ear's width and height to lengths; the outer part is where the skin ends."""
        down = _height_of(top) + points[:, 1] * height
        plain = outer - (1 - points[:, 0]) * width
        there = np.interp(down, _height_of(np.arange(_ROWS)), reach)
        share = np.clip((points[:, 0] - _OUTER[0]) / (_OUTER[1] - _OUTER[0]), 0, 1)
        shift = there - (outer - (1 - _reach_of_plan(points[:, 1])) * width)
        across = plain + share * np.clip(shift, -_MOST_SHIFT * width, _MOST_SHIFT * width)
        lengths: Points = np.stack([across, down], 1).astype(np.float32)
        return lengths

    return EarShape(laid(EAR), laid(FOLD), seen, area, smoothstep(notch, *_CLEAR_NOTCH_U))


def reach_at(reach: NDArray[np.float32], height_u: float) -> float:
    """How far skin reaches outwards so far below the root. reach: see `reach_of_skin`."""
    return float(np.interp(height_u, _height_of(np.arange(_ROWS)), reach[:, 1]))


def _reach_of_plan(down: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far the designed outline reaches at each share of its height, over its width."""
    outer = EAR[3:12]
    reach: NDArray[np.float32] = np.interp(down, outer[:, 1], outer[:, 0]).astype(np.float32)
    return reach


def _row(height_u: float) -> int:
    return round((height_u - _TOP_U) / STEP_U)


def _height_of(row: NDArray[np.intp] | float) -> NDArray[np.float64]:
    return np.asarray(row) * STEP_U + _TOP_U


def _widest(reach: NDArray[np.float32], edge: NDArray[np.float32]) -> int:
    """The row where an ear stands out most. Below a dip there are shoulders and hands."""
    out = (2 * reach - edge)[: _row(_PEAK_U)]
    widest, usual = int(out.argmax()), int(out[: _row(_USUAL_PEAK_U)].argmax())
    dip = float(reach[usual] - reach[usual : widest + 1].min()) if widest > usual else 0.0
    return usual if dip > _DIP_U else widest


def _notches(reach: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far the reach of skin lies, at each height, within the line from a little above to a little below."""
    wide = cv2.copyMakeBorder(reach[:, None], _NOTCH_ROWS, _NOTCH_ROWS, 0, 0, cv2.BORDER_REPLICATE)[:, 0]
    depth: NDArray[np.float32] = (wide[: -2 * _NOTCH_ROWS] + wide[2 * _NOTCH_ROWS :]) / 2 - reach
    return depth


def _first(notches: NDArray[np.float32], begin: int, end: int) -> float:
    """The row of the first clear notch from one row to another; of the deepest where none is clear. Between rows."""
    way = 1 if end >= begin else -1
    rows = np.arange(begin, end + way, way)
    depth = notches[rows]
    enough = max(min(_CLEAR_U, float(depth.max())), _OF_DEEPEST * float(depth.max()))
    start = int(np.argmax(depth >= enough))
    while start + 1 < len(depth) and depth[start + 1] > depth[start]:
        start += 1
    if not 0 < start < len(depth) - 1:
        return float(rows[start])
    before, here, after = (float(one) for one in depth[start - 1 : start + 2])
    beside = (before - after) / (2 * (before + after - 2 * here) - 1e-9)
    return float(rows[start]) + way * min(max(beside, -0.5), 0.5)
