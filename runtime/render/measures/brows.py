"""Brows and the folds above the eyes, where the photo shows them beside the mesh."""

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.colour import Lab, median_lab
from toonfilter.runtime.render.features.curves import resampled
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import BROW_STATIONS, Creases
from toonfilter.runtime.render.measures.photo import MeasuredPhoto, across

_REACH = np.linspace(-0.20, 0.20, 41).astype(np.float32)
_NEAR = np.abs(_REACH) < 0.05
_STEP = float(_REACH[1] - _REACH[0])
_TRUST = 0.12
"""How far from the mesh a brow is believed, in pupil distances."""
_OFF_LID = 0.075
"""How far above the lid brows end, in pupil distances: below it lashes and sockets are dark. Raising it loses
frowns."""
_MOST_OFFSET, _MOST_BENT = 0.10, 0.045
"""How far a brow as a whole, and a part of it beside the whole, lies from the mesh at most."""
_FAINT = 0.05
_PAIRED = 0.7
"""How far the thickness and strength of both brows go to their mean: light from one side makes one thinner than the
other. Raising it makes them more alike; what hair hides is as the other brow is.
"""
_KERNEL = np.array([1, 2, 3, 2, 1], np.float32) / 9


class BrowMeasure:
    """Offsets, thickness [2, BROW_STATIONS], strength [2] and colour."""

    def __init__(self, photo: MeasuredPhoto, raw: Lab, skin: Lab) -> None:
        self.offset = np.zeros((2, BROW_STATIONS), np.float32)
        self.thickness = np.full((2, BROW_STATIONS), 0.085, np.float32)
        self.strength = np.zeros(2, np.float32)
        self._bare = np.zeros(2, np.float32)
        colours = []
        for side, name in enumerate(("right", "left")):
            if photo.face.eye_visibility[side] < 0.5:
                continue
            colours.append(self._side(photo, side, name))
        seen = [side for side in (0, 1) if photo.face.eye_visibility[side] >= 0.5]
        if len(seen) == 1:
            for values in (self.offset, self.thickness, self.strength):
                values[1 - seen[0]] = values[seen[0]]
        elif len(seen) == 2:
            self.thickness, self.strength = (_paired(one, self._bare) for one in (self.thickness, self.strength))
        found = [colour for colour in colours if colour is not None]
        self.colour = drawn_brow(np.mean(found, 0) if found else raw * np.array([0.6, 0.8, 0.8], np.float32), raw, skin)

    def _side(self, photo: MeasuredPhoto, side: int, name: str) -> NDArray[np.float32] | None:
        middle = (photo.curves[f"{name}_brow_upper"] + photo.curves[f"{name}_brow_lower"]) / 2
        line = resampled(middle, BROW_STATIONS)
        points = across(line, photo.face.down, _REACH * photo.unit_px)
        profile = photo.lightness_at(points)
        around = np.percentile(profile, 72, axis=1, keepdims=True)
        dark = np.clip((around - profile) / (around + 8) - _FAINT, 0, 0.6) * np.exp(-((_REACH / _TRUST) ** 2))
        bare = 1 - photo.hidden(points, "hair", "over", "headwear")
        self._bare[side] = bare[:, _NEAR].mean()
        dark = dark * bare
        lid = (resampled(photo.curves[f"{name}_upper"], BROW_STATIONS) - line) @ photo.face.down / photo.unit_px
        dark[_REACH[None] > lid[:, None] - _OFF_LID] = 0
        total = dark.sum(1) + 1e-4
        peak = dark.max(1)
        sure = np.clip((peak - 0.03) / 0.12, 0.02, 1)
        centre = (dark * _REACH).sum(1) / total
        thick = total / np.maximum(peak, 0.02) * _STEP
        self.offset[side] = _bend(centre, sure)
        self.thickness[side] = _calm(np.clip(thick, 0.03, 0.16), sure)
        self.strength[side] = smoothstep(float(np.median(peak[2:8])), 0.03, 0.42)
        core = points[(dark > 0.75 * peak[:, None]) & (peak > 0.06)[:, None]]
        return median_lab(photo.colours_at(core)) if len(core) > 8 else None


def _paired(values: NDArray[np.float32], bare: NDArray[np.float32]) -> NDArray[np.float32]:
    """Both brows nearer to each other. values: float32 [2, ...]. bare: share of each that nothing hides, 0 to 1."""
    weights = (bare + np.float32(1e-3)).reshape(2, *[1] * (values.ndim - 1))
    mean = (values * weights).sum(0) / weights.sum()
    paired: NDArray[np.float32] = mean + (values - mean) * np.float32(1 - _PAIRED) * weights
    return paired


def _bend(values: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest parabola: a brow has one bend, and shadows beside it have others."""
    along = np.linspace(-1, 1, BROW_STATIONS)
    terms = np.stack([np.ones_like(along), along, along**2], 1)
    weighted = terms * weights[:, None]
    # Little is known of tilt and bend where the brow is faint.
    solved = np.linalg.solve(terms.T @ weighted + np.diag([0.3, 0.8, 1.2]), weighted.T @ values)
    bent = terms @ solved
    middle = np.clip(bent.mean(), -_MOST_OFFSET, _MOST_OFFSET)
    found: NDArray[np.float32] = (middle + np.clip(bent - bent.mean(), -_MOST_BENT, _MOST_BENT)).astype(np.float32)
    return found


def _calm(values: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smoothed along the brow, by how sure each station is."""
    weights = weights.astype(np.float32)
    top = np.convolve(np.pad(values * weights, 2, "edge"), _KERNEL, "valid")
    bottom = np.convolve(np.pad(weights, 2, "edge"), _KERNEL, "valid")
    calm: NDArray[np.float32] = (top / np.maximum(bottom, 1e-3)).astype(np.float32)
    return calm


def drawn_brow(measured: NDArray[np.float32], raw: Lab, skin: Lab) -> Lab:
    """A colour for the brow: the photo's, a little deeper, moved to the drawn skin."""
    share = float(np.clip(measured[0] / max(float(raw[0]), 10), 0.15, 0.9))
    lightness = float(np.clip(skin[0] * share * 0.74, 9, float(skin[0]) * 0.68))
    return np.array([lightness, np.clip(measured[1], -2, 24) * 0.95 + 1.5, np.clip(measured[2], -4, 34)], np.float32)


_LID_REACH = np.linspace(0, 0.22, 45).astype(np.float32)
_CREASE_FROM, _CREASE_TO = 0.040, 0.165


def creases(photo: MeasuredPhoto) -> Creases:
    """The fold above each eye as the photo shows it."""
    strength, height = np.full(2, 0.5, np.float32), np.full(2, 0.075, np.float32)
    for side, name in enumerate(("right", "left")):
        if photo.face.eye_visibility[side] < 0.5:
            continue
        lid = photo.curves[f"{name}_upper"][4:11]
        profile = photo.lightness_at(across(lid, -photo.face.down, _LID_REACH * photo.unit_px))
        mean = profile.mean(0)
        before = np.maximum.accumulate(np.where(_LID_REACH > 0.015, mean, 0))
        after = np.maximum.accumulate(mean[::-1])[::-1]
        valley = (np.minimum(before, after) - mean) / (mean + 10)
        valley[(_LID_REACH < _CREASE_FROM) | (_LID_REACH > _CREASE_TO)] = 0
        deepest = int(valley.argmax())
        strength[side] = smoothstep(float(valley[deepest]), 0.012, 0.16)
        if strength[side] > 0.1:
            height[side] = _LID_REACH[deepest]
    return Creases(strength, height)
