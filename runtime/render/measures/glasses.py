"""The frame of the glasses: one outline for both eyes, by a model fitted to what people said of frames.

`train/data/fields/glasses.py` fits it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.colour import Lab, median_lab
from toonfilter.runtime.render.features.lens import lens_points
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.head_planes import disc
from toonfilter.runtime.render.look import LENS_POINTS, GlassesLook
from toonfilter.runtime.render.measures.photo import MeasuredPhoto

Features = NDArray[np.float32]

_FILE = Path(__file__).with_name("glasses.npz")
_ANGLES = 72
_RADII = np.linspace(0.20, 0.66, 47).astype(np.float32)
_TURN = np.linspace(0, 2 * np.pi, _ANGLES, endpoint=False).astype(np.float32)
"""From outwards over downwards."""
_WAYS, _AROUND = 16, 3
"""Directions from the pupil in which rims are looked for, and how many angles to either side count for one."""
_STRONGEST = 0.35
_NEAR_RIM = 8
"""Steps of the radius to either side of a rim that tell its width and colour."""
_SIZES = (0.12, 0.64)
_POWERS = (2.0, 4.0)
"""Of superellipses: lenses are cut, from round to square."""
_WIDTHS = (0.010, 0.066)
_DARK_RIM, _METAL_RIM, _LIGHTEST_RIM = 13.0, 60.0, 84.0
"""L* of dark rims, of those of metal, and the lightest."""
_DOUBT = (24.0, 56.0)
"""L* that the model gives to both in doubt, dark and metal ones beyond. Raising them gives more people dark frames."""
_LESS_CHROMA, _MOST_CHROMA = 0.8, 60.0
"""Share of the model's chroma that is drawn, and the most of it."""
_COLD = (12.0, 30.0)
"""Chroma of blue and green rims up to which they are grey, and from which they are such: steel mirrors the room."""
_UPPER_RIM = 0.65
"""How much thinner the lower rim is of glasses that have only an upper one."""
_WORN = 0.30
"""Share of the lenses' place that the plane of glasses must cover."""
_SUN, _SEEN_SHARE, _LEAST_SEEN = (0.79, 0.86), 0.06, 0.3
"""Level of the plane of glasses inside lenses up to which they are clear, and from which they are sunglasses; by how
much a lens that looks dark or tinted, 0 to 1, moves both; and how dark or tinted it must look. Of 66 faces in
sunglasses this finds 55, of 286 in clear ones it takes 3 for such. Lowering the first takes the eyes of more people in
the dark."""
_TINTED = (16.0, 26.0)
"""How far the colour of a lens (a*, b*) lies from that of skin: clear up to the first, tinted from the second."""
_DARKER = (0.28, 0.45)
"""Share of the skin's lightness that a lens lacks where brightest: clear up to the first, dark from the second."""

SIZE_TARGETS = ("outer", "inner", "top", "bottom", "power")
"""How far the rim reaches from the pupil, to the temple, the nose, up, down, in distances of the pupils; and the power
of the superellipse that it is."""
RIM_TARGETS = ("log_width", "upper_only", "lightness", "red", "yellow")
"""Logarithm of the rim's width in distances of the pupils; 1 where only the upper half has one; its L*a*b* colour."""


@dataclass(frozen=True)
class FrameModel:
    """Two linear models, of `SIZE_TARGETS` by `size_features`, and of `RIM_TARGETS` by these and `rim_features`.

    sizes, rim: float32 [5, N]. sizes_bias, rim_bias: float32 [5].
    """

    sizes: NDArray[np.float32]
    sizes_bias: NDArray[np.float32]
    rim: NDArray[np.float32]
    rim_bias: NDArray[np.float32]

    def radii(self, features: Features) -> NDArray[np.float32]:
        """The lens' radius at each angle, in distances of the pupils, float32 [72]. features: see `size_features`."""
        return lens_radii(self.sizes @ features + self.sizes_bias)


def lens_radii(sizes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Radius at each angle, float32 [72]: a superellipse of four half axes. sizes: `SIZE_TARGETS`."""
    outer, inner, above, below = np.clip(sizes[:4], *_SIZES)
    power = float(np.clip(sizes[4], *_POWERS))
    across = np.where(np.cos(_TURN) >= 0, outer, inner)
    height = np.where(np.sin(_TURN) >= 0, below, above)
    radii = ((np.abs(np.cos(_TURN)) / across) ** power + (np.abs(np.sin(_TURN)) / height) ** power) ** (-1 / power)
    return np.asarray(radii, np.float32)


def wears_glasses(photo: MeasuredPhoto) -> bool:
    """Whether the plane of glasses covers the eyes; False where the plane is not known."""
    return _coverage(photo) > _WORN


def _coverage(photo: MeasuredPhoto) -> float:
    outline = np.stack([np.cos(_TURN) * 0.36, np.sin(_TURN) * 0.28], 1).astype(np.float32)
    covered = []
    for side in (0, 1):
        if photo.face.eye_visibility[side] < 0.5:
            continue
        values = photo.plane_at("glasses", lens_points(photo.face, outline, side))
        if values is None:
            return 0.0
        covered.append(float((values > 0.3).mean()))
    return float(np.mean(covered)) if covered else 0.0


def fit_glasses(photo: MeasuredPhoto, raw: Lab) -> GlassesLook:
    """The glasses that are known to be there. raw: the skin as the photo shows it."""
    views, model = RimViews(photo, raw), _model()
    sizes = size_features(views)
    radii = model.radii(sizes)
    log_width, upper_only, *colour = model.rim @ np.concatenate([sizes, rim_features(views, radii)]) + model.rim_bias
    full = np.stack([radii * np.cos(_TURN), radii * np.sin(_TURN)], 1).astype(np.float32)
    lens, darkness = _glass(photo, raw, full, 1 - photo.face.far_side)
    return GlassesLook(
        outline=full[:: _ANGLES // LENS_POINTS],
        width=float(np.clip(math.exp(min(float(log_width), 0.0)), *_WIDTHS)),
        lower=1 - _UPPER_RIM * float(np.clip(upper_only, 0, 1)),
        colour=_decided(colour),
        lens=lens,
        darkness=darkness,
    )


def _decided(colour: Sequence[float]) -> Lab:
    """Rims are dark or metal, hardly between: what lies there is a doubt."""
    lightness, red, yellow = (float(value) for value in colour)
    if yellow < 0 or red < 0:
        red, yellow = (value * smoothstep(math.hypot(red, yellow), *_COLD) for value in (red, yellow))
    lightness = _DARK_RIM + (_METAL_RIM - _DARK_RIM) * smoothstep(lightness, *_DOUBT) + max(0.0, lightness - _METAL_RIM)
    chroma = _LESS_CHROMA * (0.5 + 0.5 * smoothstep(lightness, _DARK_RIM, _METAL_RIM))
    red, yellow = (min(max(value * chroma, -_MOST_CHROMA), _MOST_CHROMA) for value in (red, yellow))
    return np.array([min(lightness, _LIGHTEST_RIM), red, yellow], np.float32)


class RimViews:
    """What the photo shows around the pupils, by angle and radius, both eyes mirrored onto each other.

    dark, light: float32 [72, 47], lines darker and lighter than what is around them. plane: [72, 47], how much of it is
    glasses. colours: [72, 47, 3], L*a*b* of the nearer eye. raw: the skin. unit_px: distance of the pupils. turned: yaw
    in degrees, without its sign.
    """

    def __init__(self, photo: MeasuredPhoto, raw: Lab) -> None:
        ridges = _ridges(photo)
        grid = (_RADII[None, :, None] * np.stack([np.cos(_TURN), np.sin(_TURN)], 1)[:, None]).astype(np.float32)
        total = np.zeros((3, _ANGLES, len(_RADII)), np.float32)
        weights = [max(float(photo.face.eye_foreshortening[side]), 0.05) ** 4 for side in (0, 1)]
        for side in (0, 1):
            place = lens_points(photo.face, grid.reshape(-1, 2), side).reshape(_ANGLES, len(_RADII), 2)
            seen = [cv2.remap(ridge, place[..., 0], place[..., 1], cv2.INTER_LINEAR) for ridge in ridges]
            glasses = photo.plane_at("glasses", place)
            seen.append(np.zeros_like(seen[0]) if glasses is None else glasses)
            total += np.float32(weights[side] / sum(weights)) * np.stack(seen)
            if weights[side] == max(weights):
                self.colours = photo.colours_at(place.reshape(-1, 2)).reshape(_ANGLES, len(_RADII), 3)
        self.dark, self.light = np.minimum(total[:2], _STRONGEST)
        self.plane = total[2]
        self.raw, self.unit_px, self.turned = raw, photo.unit_px, abs(photo.face.yaw)


def size_features(views: RimViews) -> Features:
    """float32 [N]: where and how clear lines and the plane's end are, in each direction; skin, size and turn."""
    dark, light, plane = (_by_way(one) for one in (views.dark, views.light, views.plane))
    guided = dark * (0.4 + 0.6 * np.minimum(1, plane * 1.6))
    found = [_middle(dark), dark.max(1), _middle(light), light.max(1), plane.clip(0, 1).mean(1), _middle(guided)]
    rest = [views.raw, [math.log(views.unit_px), views.turned / 30]]
    return np.concatenate([np.asarray(part, np.float32) for part in (*found, *rest)])


def rim_features(views: RimViews, radii: NDArray[np.float32]) -> Features:
    """float32 [N]: lines and colours along an outline and beside it. radii: at each angle, see `lens_radii`."""
    rim = np.abs(_RADII[None] - radii[:, None]).argmin(1)
    near = np.clip(rim[:, None] + np.arange(-_NEAR_RIM, _NEAR_RIM + 1), 0, len(_RADII) - 1)
    upper, lower = np.sin(_TURN) < -0.3, np.sin(_TURN) > 0.3
    found: list[NDArray[np.float32] | list[float]] = []
    for ridge in (views.dark, views.light):
        across = np.take_along_axis(ridge, near, 1)
        best = across.max(1, keepdims=True)
        wide = (across > 0.5 * best).sum(1)
        found += [across[upper].mean(0)[::2], across[lower].mean(0)[::2]]
        found.append([float(np.median(best)), float(np.percentile(best, 20))])
        found.append([float(wide[upper].mean()), float(wide[lower].mean())])
    colours = np.take_along_axis(views.colours, near[..., None], 1)
    rows = np.arange(_ANGLES)
    darkest, lightest = colours[..., 0].argmin(1), colours[..., 0].argmax(1)
    for seen in (colours[rows, darkest], colours[rows, lightest], colours[:, _NEAR_RIM]):
        found += [np.median(seen, 0), np.median(seen, 0) - views.raw]
    found.append(np.median(colours[..., 0], 0)[::4])
    return np.concatenate([np.asarray(part, np.float32) for part in found])


def _by_way(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means around each direction: float32 [16, 47]."""
    places = np.arange(_WAYS)[:, None] * (_ANGLES // _WAYS) + np.arange(-_AROUND, _AROUND + 1)
    means: NDArray[np.float32] = field[places % _ANGLES].mean(1)
    return means


def _middle(lines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Radius at which a line lies, by direction: the clearest counts most."""
    weight = lines**4
    middle: NDArray[np.float32] = (weight * _RADII).sum(1) / np.maximum(weight.sum(1), 1e-9)
    return middle


def _ridges(photo: MeasuredPhoto) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Thin lines of the photo, float32 [H, W] each: darker, and lighter than their surroundings."""
    plane = photo.lightness
    dark, light = np.zeros_like(plane), np.zeros_like(plane)
    for reach in (0.05, 0.09):
        kernel = disc(reach * photo.unit_px)
        closed = cv2.morphologyEx(plane, cv2.MORPH_CLOSE, kernel)
        opened = cv2.morphologyEx(plane, cv2.MORPH_OPEN, kernel)
        dark = np.maximum(dark, (closed - plane) / (closed + 12))
        light = np.maximum(light, (plane - opened) / (plane + 12))
    return dark, light


def _glass(photo: MeasuredPhoto, raw: Lab, outline: NDArray[np.float32], side: int) -> tuple[Lab, float]:
    inside = np.concatenate([lens_points(photo.face, outline * np.float32(share), side) for share in (0.3, 0.5, 0.7)])
    colours = photo.colours_at(inside)
    lens = median_lab(colours)
    plane = photo.plane_at("glasses", inside)
    missing = 1 - float(np.percentile(colours[:, 0], 80)) / max(float(raw[0]), 10)
    if plane is None:
        return lens, smoothstep(missing, 0.42, 0.62)
    # Mirrored and coloured glass may be as light as skin, but it has another colour.
    tinted = smoothstep(float(np.hypot(*(lens[1:] - raw[1:]))), *_TINTED)
    seen = max(smoothstep(missing, *_DARKER), tinted)
    dark = smoothstep(float(np.median(plane)) + _SEEN_SHARE * (seen - 0.5), *_SUN)
    return lens, dark * smoothstep(seen, 0, _LEAST_SEEN)


@lru_cache(maxsize=1)
def _model() -> FrameModel:
    with np.load(_FILE) as archive:
        return FrameModel(**{field.name: archive[field.name].astype(np.float32) for field in fields(FrameModel)})
