"""The frame of the glasses: one outline for both eyes, the superellipse that lies best on the photo's edges."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.colour import Lab, median_lab
from toonfilter.runtime.render.features.lens import lens_points
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import LENS_POINTS, GlassesLook
from toonfilter.runtime.render.measures.photo import MeasuredPhoto

_ANGLES = 72
_RADII = np.linspace(0.20, 0.66, 47).astype(np.float32)
_TURN = np.linspace(0, 2 * np.pi, _ANGLES, endpoint=False).astype(np.float32)
"""From outwards over downwards."""
_DOWNWARDS = np.sin(_TURN)
_OUTER, _INNER = np.linspace(0.34, 0.60, 14), np.linspace(0.27, 0.46, 11)
_ABOVE, _BELOW = np.linspace(0.12, 0.42, 16), np.linspace(0.20, 0.50, 16)
"""How far a lens reaches from the pupil: to the temple, to the nose, up and down, in distances of the pupils."""
_POWERS = np.array([2.1, 2.8, 3.8])
"""Of superellipses: lenses are cut, from round to square."""
_USUAL_WIDTH, _USUAL_HEIGHT, _PULL = 0.84, 0.62, 0.12
"""Size of a usual lens, and how much evidence it takes to differ from it by e times. Raising the latter gives
everybody the same glasses."""
_TOLERANCE = 3
"""Steps of the radius over which edges count for a shape: no lens is a superellipse."""
_BROWS_COUNT = 0.7
"""What an edge above the eyes counts: brows are dark, too."""
_STRONGEST = 0.35
_BLUR_WIDTH, _WIDTH_SHARE = 0.032, 0.75
"""Width that blur alone gives to a rim, in pupil distances, and the true width over the rest."""
_WIRE, _BOLD, _BOLD_WIDTH = (0.12, 0.28), (0.24, 0.32), 0.045
"""Clearness of a rim up to which it is wire, and from which it is as wide as it looks; from which it is bold, and how
wide it is then at least."""
_OUTSIDE = 5
"""Steps of the radius from the middle of a rim to where the plane of glasses has ended."""
_PLANE_COUNTS = 0.5
"""What the edge of the network's plane of glasses counts, beside lines in the photo. Raising it follows brows less, and
the plane's blur more."""
_LIGHT_COUNTS = 0.35
_LIGHT_RIM = 1.6
"""How much clearer than dark lines light ones must be for a light rim: glare is light, too."""
_WORN = 0.30
"""Share of the lenses' place that the plane of glasses must cover."""
_SUN_FROM, _SUN_FULL = 0.75, 0.92
_TINTED = (16.0, 26.0)
"""How far the colour of a lens (a*, b*) lies from that of skin: clear up to the first, tinted from the second."""
_DARKER = (0.28, 0.45)
"""Share of the skin's lightness that a lens lacks where brightest: clear up to the first, dark from the second."""


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
    views = _RimViews(photo)
    smooth = _lens_radii(views.guided)
    rim = np.abs(_RADII[None] - smooth[:, None]).argmin(1)
    full = np.stack([smooth * np.cos(_TURN), smooth * np.sin(_TURN)], 1).astype(np.float32)
    ridge = np.maximum(views.dark, views.light)
    # The rim itself lies beside the line that the plane suggests.
    near = np.clip(rim[:, None] + np.arange(-_OUTSIDE, _OUTSIDE)[None], 0, len(_RADII) - 1)
    place = np.take_along_axis(near, np.take_along_axis(ridge, near, 1).argmax(1)[:, None], 1)[:, 0]
    on_rim = ridge[np.arange(_ANGLES), place]
    lower, upper = float(on_rim[_DOWNWARDS > 0.3].mean()), float(on_rim[_DOWNWARDS < -0.3].mean())
    width = _width(ridge, place)
    lens, darkness = _glass(photo, raw, full, 1 - photo.face.far_side)
    return GlassesLook(
        outline=full[:: _ANGLES // LENS_POINTS],
        width=width,
        lower=float(np.clip(lower / max(upper, 0.05) * 1.3, 0.35, 1.0)),
        colour=_rim_colour(photo, raw, views, place, width),
        lens=lens,
        darkness=darkness,
    )


class _RimViews:
    """How much like a rim the photo is, float32 [angle, radius]: mean of both eyes, mirrored onto each other.

    dark, light: lines darker and lighter than what is around them. guided: both, where the plane of glasses allows
    them, and the edge of that plane.
    """

    def __init__(self, photo: MeasuredPhoto) -> None:
        dark, light = _ridges(photo)
        grid = (_RADII[None, :, None] * np.stack([np.cos(_TURN), np.sin(_TURN)], 1)[:, None]).astype(np.float32)
        sides: list[tuple[NDArray[np.float32], ...]] = []
        weights = []
        for side in (0, 1):
            place = lens_points(photo.face, grid.reshape(-1, 2), side).reshape(_ANGLES, len(_RADII), 2)
            seen_dark, seen_light = (
                np.minimum(cv2.remap(ridge, place[..., 0], place[..., 1], cv2.INTER_LINEAR), _STRONGEST)
                for ridge in (dark, light)
            )
            guided = np.maximum(seen_dark, _LIGHT_COUNTS * seen_light)
            glasses = photo.plane_at("glasses", place)
            if glasses is not None:
                # The plane ends just outside the rim.
                beyond = np.concatenate([glasses[:, _OUTSIDE:], np.repeat(glasses[:, -1:], _OUTSIDE, 1)], 1)
                ends = np.clip(glasses - beyond, 0, 1)
                guided = guided * (0.4 + 0.6 * np.minimum(1, glasses * 1.6)) + _PLANE_COUNTS * ends
            sides.append((seen_dark, seen_light, guided))
            weights.append(max(photo.face.eye_foreshortening[side], 0.05) ** 4)
        self.dark, self.light, self.guided = (
            _of_both(first, second, weights) for first, second in zip(*sides, strict=True)
        )


def _ridges(photo: MeasuredPhoto) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Thin lines of the photo, float32 [H, W] each: darker, and lighter than their surroundings."""
    plane = photo.lightness
    dark, light = np.zeros_like(plane), np.zeros_like(plane)
    for reach in (0.05, 0.09):
        size = 2 * max(1, round(reach * photo.unit_px)) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        closed = cv2.morphologyEx(plane, cv2.MORPH_CLOSE, kernel)
        opened = cv2.morphologyEx(plane, cv2.MORPH_OPEN, kernel)
        dark = np.maximum(dark, (closed - plane) / (closed + 12))
        light = np.maximum(light, (plane - opened) / (plane + 12))
    return dark, light


def _of_both(first: NDArray[np.float32], second: NDArray[np.float32], weights: list[float]) -> NDArray[np.float32]:
    mean = (first * weights[0] + second * weights[1]) / sum(weights)
    if min(weights) > 0.4 * max(weights):
        # What both eyes have is a frame; what one has may be a fold.
        mean = 0.6 * mean + 0.4 * np.minimum(first + 0.06, second + 0.06)
    both: NDArray[np.float32] = mean.astype(np.float32)
    return both


def _lens_radii(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """Radius of the lens at each angle: the superellipse, of four half axes, with the most evidence along it.

    evidence: float32 [angle, radius].
    """
    near = cv2.blur(evidence, (_TOLERANCE, 1), borderType=cv2.BORDER_REPLICATE)
    near = near * np.where(_DOWNWARDS < 0, _BROWS_COUNT, 1.0)[:, None]
    outwards, down = np.cos(_TURN) >= 0, _DOWNWARDS >= 0
    corners = {}
    for across, is_out in ((_OUTER, True), (_INNER, False)):
        for height, is_down in ((_BELOW, True), (_ABOVE, False)):
            chosen = (outwards == is_out) & (down == is_down)
            corners[is_out, is_down] = _evidence_of(near[chosen], _TURN[chosen], across, height)
    # [outer, inner, above, below, power]
    total = (
        corners[True, True][:, None, None, :]
        + corners[False, True][None, :, None, :]
        + corners[True, False][:, None, :, None]
        + corners[False, False][None, :, :, None]
    ) / _ANGLES
    width = _OUTER[:, None, None, None, None] + _INNER[None, :, None, None, None]
    tall = _ABOVE[None, None, :, None, None] + _BELOW[None, None, None, :, None]
    odd = np.log(width / _USUAL_WIDTH) ** 2 + np.log(tall / _USUAL_HEIGHT) ** 2
    outer, inner, above, below, power = np.unravel_index(int((total - _PULL * odd).argmax()), total.shape)
    across = np.where(outwards, _OUTER[outer], _INNER[inner])
    height = np.where(down, _BELOW[below], _ABOVE[above])
    return _superellipse(_TURN, across, height, _POWERS[power])


def _evidence_of(
    evidence: NDArray[np.float32], turn: NDArray[np.float32], across: NDArray[np.float64], height: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Sum of the evidence along a quarter of each shape: float32 [across, height, power]. evidence: [angle, radius]."""
    radii = _superellipse(turn, across[:, None, None, None], height[:, None, None], _POWERS[:, None])
    places = np.clip(np.rint((radii - _RADII[0]) / (_RADII[1] - _RADII[0])).astype(int), 0, len(_RADII) - 1)
    total: NDArray[np.float32] = evidence[np.arange(len(turn)), places].sum(-1)
    return total


def _superellipse(
    turn: NDArray[np.float32],
    across: NDArray[np.float64],
    height: NDArray[np.float64],
    power: NDArray[np.float64] | np.float64,
) -> NDArray[np.float32]:
    """Radius at each angle."""
    radii = ((np.abs(np.cos(turn)) / across) ** power + (np.abs(np.sin(turn)) / height) ** power) ** (-1 / power)
    return np.asarray(radii, np.float32)


def _width(evidence: NDArray[np.float32], rim: NDArray[np.intp]) -> float:
    """Width of the rim where it is clearest, in pupil distances."""
    peak = evidence[np.arange(_ANGLES), rim]
    near = np.abs(np.arange(len(_RADII))[None] - rim[:, None]) <= 6
    wide = ((evidence > 0.5 * peak[:, None]) & near).sum(1)
    clear = peak >= np.median(peak)
    step = float(_RADII[1] - _RADII[0])
    seen = float(np.percentile(wide[clear], 40)) * step
    # Both rims hardly lie on each other, which widens all; but no wire is as clear as a thick rim.
    clearness = float(peak.mean())
    wide_enough = np.clip((seen - _BLUR_WIDTH) * _WIDTH_SHARE, 0.014, 0.070)
    bold = _BOLD_WIDTH * smoothstep(clearness, *_BOLD)
    return float(max(wide_enough * (0.35 + 0.65 * smoothstep(clearness, *_WIRE)), bold))


def _rim_colour(photo: MeasuredPhoto, raw: Lab, views: _RimViews, place: NDArray[np.intp], width: float) -> Lab:
    """From the darkest pixels beside the line, or the lightest where the rim is a light one."""
    rows = np.arange(_ANGLES)
    dark, light = views.dark[rows, place], views.light[rows, place]
    is_light = float(light.mean()) > _LIGHT_RIM * float(dark.mean())
    strength = light if is_light else dark
    clear = rows[strength >= np.median(strength)]
    radii = _RADII[place[clear]][:, None] + np.linspace(-0.03, 0.03, 7, dtype=np.float32)[None]
    ways = np.stack([np.cos(_TURN[clear]), np.sin(_TURN[clear])], 1)
    outline = (radii[..., None] * ways[:, None]).reshape(-1, 2).astype(np.float32)
    seen = photo.colours_at(lens_points(photo.face, outline, 1 - photo.face.far_side)).reshape(len(clear), -1, 3)
    pick = seen[..., 0].argmax(1) if is_light else seen[..., 0].argmin(1)
    colour = median_lab(seen[np.arange(len(clear)), pick])
    # The pixels of a thin rim are half skin.
    thin = 1 - smoothstep(width, 0.015, 0.045)
    colour = raw + (colour - raw) * np.float32(1 + 0.4 * thin)
    return np.array([np.clip(colour[0] * 0.95, 7, 84), colour[1], colour[2]], np.float32)


def _glass(photo: MeasuredPhoto, raw: Lab, outline: NDArray[np.float32], side: int) -> tuple[Lab, float]:
    inside = np.concatenate([lens_points(photo.face, outline * np.float32(share), side) for share in (0.3, 0.5, 0.7)])
    colours = photo.colours_at(inside)
    lens = median_lab(colours)
    plane = photo.plane_at("glasses", inside)
    missing = 1 - float(np.percentile(colours[:, 0], 80)) / max(float(raw[0]), 10)
    if plane is None:
        return lens, smoothstep(missing, 0.42, 0.62)
    # Both must say so: eyes are worth more than a tint.
    # Mirrored and coloured glass may be as light as skin, but it has another colour.
    tinted = smoothstep(float(np.hypot(*(lens[1:] - raw[1:]))), *_TINTED)
    sure = max(smoothstep(missing, *_DARKER), tinted)
    return lens, smoothstep(float(np.median(plane)), _SUN_FROM, _SUN_FULL) * sure
