"""The frame of the glasses: one outline for both eyes, found on the photo's edges by dynamic programming."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.colour import Lab
from toonfilter.runtime.render.features.lens import lens_points
from toonfilter.runtime.render.features.smooth import smoothstep
from toonfilter.runtime.render.look import LENS_POINTS, GlassesLook
from toonfilter.runtime.render.measures.photo import MeasuredPhoto, median_lab

_ANGLES = 72
_RADII = np.linspace(0.20, 0.66, 47).astype(np.float32)
_TURN = np.linspace(0, 2 * np.pi, _ANGLES, endpoint=False).astype(np.float32)
"""From outwards over downwards."""
_DOWNWARDS = np.sin(_TURN)
_TYPICAL = (((np.abs(np.cos(_TURN)) / 0.44) ** 2.6 + (np.abs(np.sin(_TURN)) / 0.31) ** 2.6) ** (-1 / 2.6)).astype(
    np.float32
)
"""A lens of which nothing is known: wider than tall, with round corners."""
_STEPS = np.abs(np.arange(len(_RADII))[:, None] - np.arange(len(_RADII))[None])
_BEND = np.where(_STEPS <= 3, 0.006 * _STEPS**2, 9.0).astype(np.float32)
_STRONGEST = 0.35
_HARMONICS = np.array([1, 1, 1, 1, 1, 0.6, 0.5, 0.25, 0.25])
"""What is kept of each harmonic of the outline: round and square lenses, no wobble."""
_SQUARENESS, _REGULAR = (2.0, 2.4, 2.9, 3.6, 4.6), 0.7
"""Powers of superellipses from round to square, and how far an outline goes to the nearest of them."""
_BLUR_WIDTH, _WIDTH_SHARE = 0.032, 0.75
"""Width that blur alone gives to a rim, in pupil distances, and the true width over the rest."""
_WIRE, _BOLD, _BOLD_WIDTH = (0.12, 0.28), (0.24, 0.32), 0.045
"""Clearness of a rim up to which it is wire, and from which it is as wide as it looks; from which it is bold, and how
wide it is then at least."""
_OUTSIDE = 5
"""Steps of the radius from the middle of a rim to where the plane of glasses has ended."""
_PLANE_COUNTS = 0.22
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
    rim = _rim(views.guided)
    radius = _RADII[rim]
    spectrum = np.fft.rfft(radius)
    spectrum[: len(_HARMONICS)] *= _HARMONICS
    spectrum[len(_HARMONICS) :] = 0
    smooth = np.fft.irfft(spectrum, _ANGLES).astype(np.float32)
    full = _regular(np.stack([smooth * np.cos(_TURN), smooth * np.sin(_TURN)], 1).astype(np.float32))
    smooth = np.hypot(*full.T)
    hull = cv2.convexHull(full)
    inward = np.array([cv2.pointPolygonTest(hull, (float(x), float(y)), True) for x, y in full])
    full *= (1 + 0.8 * np.maximum(inward, 0) / smooth)[:, None].astype(np.float32)
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


def _regular(outline: NDArray[np.float32]) -> NDArray[np.float32]:
    """Drawn nearer to the superellipse that is most like it: lenses are cut, from round to square."""
    low, high = outline.min(0), outline.max(0)
    centre, half = (low + high) / 2, (high - low) / 2
    own = (outline - centre) / half
    angles = np.arctan2(own[:, 1], own[:, 0])
    length = np.hypot(*own.T)
    shapes = [
        (np.abs(np.cos(angles)) ** power + np.abs(np.sin(angles)) ** power) ** (-1 / power) for power in _SQUARENESS
    ]
    best = min(shapes, key=lambda shape: float(np.abs(shape - length).mean()))
    regular: NDArray[np.float32] = (centre + own * (1 + _REGULAR * (best / length - 1))[:, None] * half).astype(
        np.float32
    )
    return regular


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


def _rim(evidence: NDArray[np.float32]) -> NDArray[np.intp]:
    """Index of the radius at each angle: first freely, then with the upper half bound to the mirrored lower one."""
    first = _closed_path(evidence, _TYPICAL, np.ones(_ANGLES, np.float32))
    found = _RADII[first]
    mirrored = found[(-np.arange(_ANGLES)) % _ANGLES]
    upper = _DOWNWARDS < -0.05
    prior = np.where(upper, 0.42 * _TYPICAL + 0.54 * mirrored, found).astype(np.float32)
    return _closed_path(evidence, prior, np.where(upper, 0.5, 1.0).astype(np.float32))


def _closed_path(
    evidence: NDArray[np.float32], prior: NDArray[np.float32], tolerance: NDArray[np.float32]
) -> NDArray[np.intp]:
    """The cheapest closed line r(angle): along edges, near the prior, without jumps."""
    pull = 0.033 * (_RADII[None] - prior[:, None]) ** 2 / (0.12 * tolerance[:, None]) ** 2
    # Brows are dark, too: above the eyes an edge says less.
    cost = np.where(_DOWNWARDS < -0.25, 0.6, 1.0)[:, None] * (pull - evidence)
    # Half a round before and after the one that counts: so the line closes.
    half = _ANGLES // 2
    rounds = np.concatenate([cost[half:], cost, cost[:half]]).astype(np.float32)
    back = np.zeros(rounds.shape, np.intp)
    total = rounds[0]
    for row in range(1, len(rounds)):
        ways = total[None] + _BEND
        back[row] = ways.argmin(1)
        total = rounds[row] + ways.min(1)
    place = int(total.argmin())
    path = np.zeros(len(rounds), np.intp)
    for row in range(len(rounds) - 1, -1, -1):
        path[row] = place
        place = int(back[row, place])
    return path[half : half + _ANGLES]


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
