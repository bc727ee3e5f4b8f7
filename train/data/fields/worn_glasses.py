"""Glasses that somebody wears on a picture: one mirrored outline for both lenses, found by dynamic programming."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import LEFT_EYE, RIGHT_EYE, TEMPLES
from toonfilter.train.data.fields.attributes import Attributes
from toonfilter.train.data.fields.face_frame import FaceFrame, Plane, fill_polygon

LENS_LEVEL = 0.5
"""Level of the inside of clear lenses in the label, of 1."""

_ANGLES = 48
_RADII = np.linspace(0.2, 0.62, 40)
"""In distances of the eyes."""
_FRAME_WIDTH = 0.045
_PRIOR_SPREAD = 0.085
_SEEN = 0.28
"""Level of a network's plane that counts as glasses: between nothing and a clear lens."""
_LEAST_SEEN = 0.6
"""Share of the fitted lenses that the network must see as glasses."""
_INSIDE_WEIGHT = 0.6


def glasses_mask(lab: NDArray[np.float32], frame: FaceFrame, attributes: Attributes) -> Plane:
    """float32 [S, S]: frames and sunglasses 1, clear lenses `LENS_LEVEL`, zeros where nobody saw glasses.

    lab: float32 [S, S, 3], CIE L*a*b*.
    """
    if attributes.glasses == "none":
        return np.zeros(lab.shape[:2], np.float32)
    unit = eye_distance_px(frame)
    lenses = fit_lenses(frame, _evidence(lab, frame, unit), is_outline=True)
    mask = _drawn(lenses, frame, unit, attributes)
    if attributes.glasses == "sun":
        area = np.maximum(*(fill_polygon(lens, frame.size) for lens in lenses))
        mask = np.maximum(mask, _dark_lenses(lab, area, frame, unit))
    return mask


def glasses_from_network(plane: Plane, frame: FaceFrame, attributes: Attributes) -> Plane | None:
    """The same from a network's glasses plane float32 [S, S]; None where it sees no lenses."""
    unit = eye_distance_px(frame)
    lenses = fit_lenses(frame, plane - np.float32(_SEEN), is_outline=False)
    area = np.maximum(*(fill_polygon(lens, frame.size) for lens in lenses))
    seen = plane > _SEEN
    inside = area > 0.5
    if not inside.any() or float(seen[inside].mean()) < _LEAST_SEEN:
        return None
    mask = _drawn(lenses, frame, unit, attributes)
    if attributes.glasses == "sun":
        near = cv2.dilate(area, np.ones((3, 3), np.uint8), iterations=max(1, round(0.15 * unit)))
        mask = np.maximum(mask, cv2.GaussianBlur((seen & (near > 0.5)).astype(np.float32), (0, 0), 1.0))
    return mask


def eye_distance_px(frame: FaceFrame) -> float:
    """Distance of the eyes; that of a turned head as if it were not turned so far."""
    eyes = [frame.landmarks[list(eye)].mean(0) for eye in (RIGHT_EYE.ring, LEFT_EYE.ring)]
    return max(float(np.linalg.norm(eyes[1] - eyes[0])), 0.32 * frame.height_px)


def _drawn(lenses: list[NDArray[np.float32]], frame: FaceFrame, unit: float, attributes: Attributes) -> Plane:
    area: Plane = np.maximum(*(fill_polygon(lens, frame.size) for lens in lenses))
    level = 1.0 if attributes.glasses == "sun" else LENS_LEVEL
    mask: Plane = np.maximum(area * np.float32(level), _rims(lenses, frame, unit))
    return mask


def fit_lenses(frame: FaceFrame, evidence: Plane, *, is_outline: bool) -> list[NDArray[np.float32]]:
    """Outlines of right and left lens, float32 [48, 2] px, first point towards the ear.

    evidence: float32 [S, S], how much each pixel looks like an outline or, without is_outline, like the inside
    (above zero) or the outside (below zero) of lenses.
    """
    points = frame.landmarks
    eyes = [points[list(eye)].mean(0) for eye in (RIGHT_EYE.ring, LEFT_EYE.ring)]
    unit = eye_distance_px(frame)
    across = eyes[1] - eyes[0]
    across = across / max(float(np.linalg.norm(across)), 1e-3)
    down = np.array([-across[1], across[0]], np.float32)
    # A turned head: the far lens is narrower. Its eye tells by how much.
    widths = np.array(
        [np.linalg.norm(points[outer] - points[inner]) for outer, inner in (RIGHT_EYE.corners, LEFT_EYE.corners)]
    )
    scales = np.clip(widths / max(float(widths.max()), 1e-3), 0.35, 1)
    angles = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    horizontal, vertical = np.cos(angles), np.sin(angles)
    total = np.zeros((_ANGLES, len(_RADII)), np.float32)
    rays = []
    for eye, sign, scale in zip(eyes, (-1.0, 1.0), scales, strict=True):
        centre = eye + across * sign * (0.02 * unit * scale) + down * (0.05 * unit)
        offsets = (horizontal[:, None] * sign * scale) * across + vertical[:, None] * down
        rays.append((centre, offsets))
        places = (centre + _RADII[None, :, None] * unit * offsets[:, None]).astype(np.float32)
        sampled = cv2.remap(evidence, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        total += (sampled if is_outline else np.cumsum(sampled, 1) * _INSIDE_WEIGHT) * np.float32(scale)
    spread = _PRIOR_SPREAD if is_outline else 2.5 * _PRIOR_SPREAD
    prior = _prior(horizontal, vertical)
    cost = -total / float(scales.sum()) + 0.5 * ((_RADII[None] - prior[:, None]) / spread) ** 2
    radii = _RADII[_cheapest_ring(cost)] * unit
    return [(centre + radii[:, None] * offsets).astype(np.float32) for centre, offsets in rays]


def _dark_lenses(lab: NDArray[np.float32], area: Plane, frame: FaceFrame, unit: float) -> Plane:
    """What is much darker than the cheeks and hangs together with the lenses found."""
    cheeks = (frame.up < -0.22) & (frame.up > -0.45) & (frame.face() > 0.9)
    if not cheeks.any():
        return area
    light = cv2.GaussianBlur(lab[..., 0], (0, 0), max(0.01 * unit, 0.6))
    reach = cv2.dilate(area, np.ones((3, 3), np.uint8), iterations=max(1, round(0.3 * unit)))
    band = (np.abs(frame.up) < 0.3) & (reach > 0.5)
    dark = ((light < 0.6 * float(np.median(light[cheeks]))) & band).astype(np.uint8)
    side = max(3, round(0.1 * unit)) | 1
    dark = cv2.morphologyEx(dark, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    count, numbers = cv2.connectedComponents(dark)
    kept = np.zeros_like(dark)
    for number in range(1, count):
        part = numbers == number
        if float(area[part].mean()) > 0.25:
            kept[part] = 1
    soft: Plane = cv2.GaussianBlur(kept.astype(np.float32), (0, 0), 0.8)
    return soft


def _prior(horizontal: NDArray[np.float64], vertical: NDArray[np.float64]) -> NDArray[np.float64]:
    """A rounded rectangle, wider than high, lower half deeper: radii in distances of the eyes."""
    half_width = 0.40
    half_height = np.where(vertical < 0, 0.24, 0.30)
    power = 3.0
    radius: NDArray[np.float64] = (
        np.abs(horizontal / half_width) ** power + np.abs(vertical / half_height) ** power
    ) ** (-1 / power)
    return radius


def _evidence(lab: NDArray[np.float32], frame: FaceFrame, unit: float) -> Plane:
    """How much each pixel looks like a thin frame, dark or bright, or like the edge of a dark lens."""
    light = lab[..., 0]
    narrow = cv2.GaussianBlur(light, (0, 0), max(0.012 * unit, 0.6))
    wide = cv2.GaussianBlur(light, (0, 0), max(0.05 * unit, 2.0))
    bar = np.abs(wide - narrow) / (wide + 12)
    eyes = np.maximum(*(frame.filled(eye, hull=True) for eye in (RIGHT_EYE.ring, LEFT_EYE.ring)))
    eyes = cv2.dilate(eyes, np.ones((3, 3), np.uint8), iterations=max(1, round(0.06 * unit / 2)))
    level = np.clip(bar / 0.10, 0, 1.5) * (1 - eyes)
    smooth: Plane = cv2.GaussianBlur(level.astype(np.float32), (0, 0), max(0.012 * unit, 0.6)) * 2.5
    return smooth


def _cheapest_ring(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """The cheapest closed path through cost [angles, radii] with steps of at most two radii: int64 [angles]."""
    rounds = np.concatenate([cost, cost, cost])
    count, radii = rounds.shape
    best = rounds[0].copy()
    came = np.zeros((count, radii), np.int64)
    steps = np.arange(-2, 3)
    penalty = 0.08 * steps.astype(float) ** 2
    for row in range(1, count):
        candidates = np.full((len(steps), radii), np.inf)
        for number, step in enumerate(steps):
            low, high = max(0, step), min(radii, radii + step)
            candidates[number, low - step : high - step] = best[low:high] + penalty[number]
        choice = candidates.argmin(0)
        came[row] = np.arange(radii) + steps[choice]
        best = candidates[choice, np.arange(radii)] + rounds[row]
    path = np.zeros(count, np.int64)
    path[-1] = int(best.argmin())
    for row in range(count - 1, 0, -1):
        path[row - 1] = came[row, path[row]]
    return path[len(cost) : 2 * len(cost)]


def _rims(lenses: list[NDArray[np.float32]], frame: FaceFrame, unit: float) -> Plane:
    """Rims, bridge and temples as a mask."""
    canvas = np.zeros((frame.size, frame.size), np.uint8)
    width = max(1, round(_FRAME_WIDTH * unit))
    inner = _ANGLES // 2 + 2
    bridge = np.array([lens[inner] for lens in lenses])
    lines = [(lens, True) for lens in lenses] + [(bridge, False)]
    for lens, temple in zip(lenses, TEMPLES, strict=True):
        hinge, ear = lens[-2], frame.landmarks[temple]
        outward = lens[0] - lens[_ANGLES // 2]
        # The far temple of a turned head is hidden behind the lens.
        if float(np.dot(ear - hinge, outward)) > 0.02 * unit * float(np.linalg.norm(outward)):
            lines.append((np.array([hinge, ear]), False))
    for line, closed in lines:
        cv2.polylines(canvas, [np.rint(line * 16).astype(np.int32)], closed, 255, width, cv2.LINE_AA, 4)
    return canvas.astype(np.float32) / 255
