"""Lines of age."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.proportions import Points
from toonfilter.runtime.render.colour import Lab
from toonfilter.runtime.render.features.brush import normals, part
from toonfilter.runtime.render.features.curves import resampled
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import FOREHEAD_LINES, AgeLines
from toonfilter.runtime.render.measures.age import believed
from toonfilter.runtime.render.measures.photo import MeasuredPhoto, across

_OFFSETS = np.linspace(-0.085, 0.085, 35).astype(np.float32)
_STEP = float(_OFFSETS[1] - _OFFSETS[0])
_FLANK = round(0.040 / _STEP)
_SAMPLES = 17
_HIDING = ("hair", "beard", "over", "headwear", "glasses")
# Relative depth of the valley at which a line begins to be drawn, and at which it is full.
_DEPTHS = {
    "fold": (0.050, 0.24),
    "marionette": (0.035, 0.12),
    "bag": (0.040, 0.13),
    "crow": (0.025, 0.11),
    "forehead": (0.004, 0.040),
}


def valley_depth(photo: MeasuredPhoto, curve: Points) -> float:
    """How much darker than both sides the photo is along a curve or close beside it, relative to its lightness."""
    points = across(curve, normals(curve), _OFFSETS * photo.unit_px)
    profile = photo.lightness_at(points)
    centre = profile[:, _FLANK:-_FLANK]
    first, second = profile[:, : -2 * _FLANK], profile[:, 2 * _FLANK :]
    # Most folds lie between a lit and a shaded side; a step alone is half believed.
    sides = 0.7 * np.minimum(first, second) + 0.15 * (first + second)
    depth = (sides - centre) / (centre + 12)
    depth = depth * (1 - photo.hidden(points[:, _FLANK:-_FLANK], *_HIDING))
    # The line may lie beside the mesh, but it runs along: neighbours agree.
    smooth = cv2.blur(depth, (1, 5))
    return float(np.percentile(smooth.max(1), 50))


def age_lines(photo: MeasuredPhoto, raw: Lab) -> AgeLines:
    """Depth of every line that is drawn. raw: the skin as the photo shows it."""

    def pair(kind: str, start: float, end: float) -> NDArray[np.float32]:
        found = np.zeros(2, np.float32)
        for side, name in enumerate(("right", "left")):
            if photo.face.eye_visibility[side] >= 0.6:
                curve = part(resampled(photo.curves[f"{name}_{kind}"], _SAMPLES), start, end)
                found[side] = smoothstep(valley_depth(photo, curve), *_DEPTHS[kind])
        return found

    def even(kind: str, start: float, end: float) -> NDArray[np.float32]:
        """Light from one side hides a fold of the other: both come near their mean."""
        found = pair(kind, start, end)
        evened: NDArray[np.float32] = 0.5 * found + 0.5 * np.float32(found.max())
        return evened

    lines = AgeLines(
        forehead=_forehead(photo),
        frown=_furrows(photo),
        crow=even("crow", 0.3, 1.0),
        bag=even("bag", 0.18, 0.9),
        fold=even("fold", 0.18, 0.8),
        marionette=even("marionette", 0.2, 0.9),
        old=0.0,
    )
    return believed(photo, lines, raw)


_BETWEEN_BROWS = (9, 8)
_ACROSS_U, _DOWN_U = np.linspace(-0.24, 0.24, 49), np.linspace(-0.22, 0.16, 39)
"""Columns and rows of the place between the brows, in pupil distances."""
_FURROW_COLUMNS, _BROW_COLUMNS = 11, 5
"""Columns that a furrow is narrower than, and those at either end that may show a brow."""
_FURROW_DEPTHS = (0.040, 0.110)
"""Relative depth of the deepest upright line there from which it begins to be drawn, and at which it is full. Of 22
faces eight that frown had 0.030 to 0.209, the others at most 0.040. Raising them makes more people look at ease."""


def _furrows(photo: MeasuredPhoto) -> NDArray[np.float32]:
    """How deep the upright lines between the brows are, of the person's right and left: float32 [2]."""
    face, unit = photo.face, photo.unit_px
    middle = face.flat[list(_BETWEEN_BROWS)].mean(0)
    across, down = (_ACROSS_U[None, :, None] * unit * face.right), (_DOWN_U[:, None, None] * unit * face.down)
    points = (middle + across + down).astype(np.float32)
    light = photo.lightness_at(points).reshape(points.shape[:2]).astype(np.float32)
    light = cv2.GaussianBlur(light, (0, 0), 1.0)
    closed = cv2.morphologyEx(light, cv2.MORPH_CLOSE, np.ones((1, _FURROW_COLUMNS), np.uint8))
    depth = (closed - light) / (closed + 12)
    depth *= 1 - photo.hidden(points.reshape(-1, 2), "hair", "over", "headwear").reshape(depth.shape)
    columns = depth.mean(0)[_BROW_COLUMNS:-_BROW_COLUMNS]
    halves = np.array([half.max() for half in np.array_split(columns, 2)])
    # Light from one side hides a furrow of the other.
    halves = np.maximum(halves, 0.6 * halves.max())
    return np.array([smoothstep(float(half), *_FURROW_DEPTHS) for half in halves], np.float32)


_HEIGHTS = np.linspace(0.30, 1.55, 51).astype(np.float32)


def _forehead(photo: MeasuredPhoto) -> NDArray[np.float32]:
    """The deepest horizontal line in each third of the forehead."""
    low, middle, high = (
        resampled(photo.curves[f"forehead_{row}"], _SAMPLES)[3:-3] for row in ("low", "middle", "high")
    )
    lower = low[None] + (middle - low)[None] * np.minimum(_HEIGHTS, 1)[:, None, None]
    points = lower + (high - middle)[None] * np.maximum(_HEIGHTS - 1, 0)[:, None, None]
    profile = photo.lightness_at(points)
    step = float(np.median(np.hypot(*(points[1:] - points[:-1]).reshape(-1, 2).T))) / photo.unit_px
    flank = max(1, round(0.035 / max(step, 1e-3)))
    centre = profile[flank:-flank]
    first, second = profile[: -2 * flank], profile[2 * flank :]
    valley = (0.7 * np.minimum(first, second) + 0.15 * (first + second) - centre) / (centre + 12)
    valley = valley * (1 - photo.hidden(points[flank:-flank], "hair", "over", "headwear"))
    along = np.percentile(cv2.dilate(valley, np.ones((7, 1), np.uint8)), 40, axis=1)
    thirds = np.array_split(along, FOREHEAD_LINES)
    return np.array([smoothstep(float(part.max()), *_DEPTHS["forehead"]) for part in thirds], np.float32)
