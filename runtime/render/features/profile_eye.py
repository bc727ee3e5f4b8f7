"""The near eye of a profile: a wedge that is open to the front, where the eyeball ends it, instead of an almond."""

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.proportions import Points
from toonfilter.runtime.render.face_geometry import Axis

_CUT = 0.24
"""Share of the lids beside the nose that a profile hides. Raising it makes the wedge shorter."""
_ABOVE = 0.60
"""Share of the gap at the front that lies above the middle line between the lids."""
_FRONT_GAP = 0.94
"""Gap at the front over the widest of the almond. Raising it opens profiles' eyes more."""
_RISE = 1.7
"""How soon, from the temple on, the lids part. Raising it makes the wedge blunter."""
_BULGE = 0.16
"""How far the eyeball stands before the lids' ends, over the gap there."""
_IRIS_BEHIND = 0.80
"""How far behind the front the iris' middle lies, in its own half widths: below 1 the front cuts it."""
_GAZE = 0.55
"""Share of a gaze away from the front that moves the iris of a wedge."""
_ARC = np.sin(np.linspace(0, np.pi, 7)).astype(np.float32)[:, None]


def as_wedge(upper: Points, lower: Points, crease: Points, down: Axis, share: float) -> tuple[Points, Points, Points]:
    """Lids and fold on their way from an almond to a wedge. share: 0 almond to 1 wedge. Curves from temple to nose."""
    height = np.float32(max(float(((lower - upper) @ down).max()), 0.0) * _FRONT_GAP)
    cut = 1 - _CUT * share
    above, below, fold = (_until(curve, cut) for curve in (upper, lower, crease))
    along = np.linspace(0, 1, len(above), dtype=np.float32)
    gap = (1 - (1 - along) ** np.float32(_RISE)) * height
    middle = (above + below) / 2
    moved = np.float32(share) * (middle - down * (gap * np.float32(_ABOVE))[:, None] - above)
    below = below + np.float32(share) * (middle + down * (gap * np.float32(1 - _ABOVE))[:, None] - below)
    return above + moved, below, fold + _until(moved, 1.0, len(fold))


def front_of(upper: Points, lower: Points) -> Points:
    """The eyeball's edge between the lids' ends, float32 [7, 2] px, from the upper to the lower one."""
    start, end = upper[-1], lower[-1]
    ahead = (start + end - upper[0] - lower[0]) / 2
    ahead = ahead / max(float(np.hypot(*ahead)), 1e-6)
    out = ahead * np.float32(_BULGE * float(np.hypot(*(end - start))))
    edge: Points = (start + (end - start) * np.linspace(0, 1, 7)[:, None] + out * _ARC).astype(np.float32)
    return edge


def wedge_iris(
    iris: Points, almond: tuple[Points, Points], wedge: tuple[Points, Points], across_px: float, share: float
) -> Points:
    """The iris' centre on its way from where the almond has it to behind the front. across_px: its half width."""
    (upper, lower), (above, below) = almond, wedge
    front = (above[-1] + below[-1]) / 2
    back = (above[0] + below[0]) / 2 - front
    axis = back / max(float(np.hypot(*back)), 1e-6)
    half = len(upper) // 2
    away = max(float((iris - (upper[half] + lower[half]) / 2) @ axis), 0.0)
    behind = _IRIS_BEHIND * across_px + _GAZE * away
    step = behind - float((iris - front) @ axis)
    moved: Points = (iris + axis * np.float32(share * step)).astype(np.float32)
    return moved


def _until(curve: NDArray[np.float32], end: float, count: int | None = None) -> Points:
    """A curve up to a share of its length in points, in as many points or in `count`."""
    places = np.linspace(0, end * (len(curve) - 1), count or len(curve))
    numbers = np.arange(len(curve))
    return np.stack([np.interp(places, numbers, values) for values in curve.T], 1).astype(np.float32)
