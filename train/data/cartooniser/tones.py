"""Flat tones: smoothing that keeps shapes, and a few levels of light with soft, steady steps between them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.train.data.cartooniser.regions import Regions, smoothstep
from toonfilter.train.data.flow import Flow, Plane

Lab = NDArray[np.float32]
"""float32 [H, W, 3], CIE L*a*b*, L 0 to 100."""

_UNSURE = 0.12
"""What the face's other colours (make-up, a fringe, coloured light) weigh against skin under the features."""


def to_lab(image: NDArray[np.uint8]) -> Lab:
    """uint8 RGB to CIE L*a*b*."""
    lab: Lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return lab


def to_rgb(lab: Lab) -> NDArray[np.float32]:
    """CIE L*a*b* to float32 RGB, 0 to 1."""
    rgb: NDArray[np.float32] = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1)
    return rgb


def spread_from(values: NDArray[np.float32], weight: Plane, sigmas_px: tuple[float, ...]) -> NDArray[np.float32]:
    """Blur only what has weight, filling holes from ever wider surroundings (normalised convolution, Knutsson 1993)."""
    colour = values.ndim == 3
    result: NDArray[np.float32] | None = None
    for sigma in reversed(sigmas_px):
        shrink = max(1, int(sigma / 4))
        small = (max(8, values.shape[1] // shrink), max(8, values.shape[0] // shrink))
        scale = small[0] / values.shape[1]
        weighted = values * (weight[..., None] if colour else weight)
        top = cv2.GaussianBlur(cv2.resize(weighted, small, interpolation=cv2.INTER_AREA), (0, 0), sigma * scale)
        below = cv2.GaussianBlur(cv2.resize(weight, small, interpolation=cv2.INTER_AREA), (0, 0), sigma * scale)
        size = (values.shape[1], values.shape[0])
        top = cv2.resize(top, size, interpolation=cv2.INTER_CUBIC)
        below = np.maximum(cv2.resize(below, size, interpolation=cv2.INTER_CUBIC), 0)
        divisor = below[..., None] if colour else below
        filled = top / (divisor + 1e-4)
        if result is None:
            result = filled
        else:
            trust = smoothstep(below, 0.08, 0.4)
            trust = trust[..., None] if colour else trust
            result = result + (filled - result) * trust
    assert result is not None
    return np.asarray(result, np.float32)


def steps(values: Plane, edges: tuple[float, ...], levels: tuple[float, ...], softness: float) -> Plane:
    """A staircase: `levels[i]` between `edges[i-1]` and `edges[i]`, each step `softness` wide."""
    result = np.full_like(values, levels[0])
    for edge, below, above in zip(edges, levels[:-1], levels[1:], strict=True):
        result += smoothstep(values, edge - softness / 2, edge + softness / 2) * np.float32(above - below)
    return result


def skin_base(lab: Lab, regions: Regions, unit_px: float) -> Lab:
    """The skin's own colour around each pixel: the light's slow change is kept, features and shadows are not seen."""
    weight = np.maximum(regions.skin, _UNSURE * regions.face * (1 - regions.features))
    weight = weight * (0.15 + 0.85 * regions.face)
    return spread_from(lab, weight, (0.26 * unit_px, 0.9 * unit_px))


def paint_skin(lab: Lab, base: Lab, regions: Regions, unit_px: float) -> Lab:
    """Skin in four flat tones about its own colour."""
    weight = np.maximum(regions.skin, _UNSURE * regions.face * (1 - regions.features))
    smooth = spread_from(lab, weight, (0.028 * unit_px, 0.06 * unit_px, 0.15 * unit_px))
    # Contrast in proportion to lightness: the same light on any skin gives the same drawing.
    contrast = (base[..., 0] + 10) / 75
    relief = (smooth[..., 0] - base[..., 0]) / contrast
    drawn = steps(relief, (-25.0, -10.5, 6.5), (-25.0, -11.0, 3.0, 10.0), 3.0)
    painted = base.copy()
    painted[..., 0] = base[..., 0] + drawn * contrast
    colour = base[..., 1:] * 0.25 + smooth[..., 1:] * 0.75
    shade = np.clip(-drawn / 26, 0, 1)[..., None]
    painted[..., 1:] = colour * (np.array([1.13, 1.06], np.float32) + 0.12 * shade) + shade * np.array(
        [3.0, -1.5], np.float32
    )
    return painted


def paint_shapes(lab: Lab, flow: Flow, unit_px: float) -> Lab:
    """Hair, clothes and everything else: smoothed along its lines, then three tones about its surroundings."""
    smooth = flow.smooth(lab)
    weight = np.ones_like(lab[..., 0])
    base = spread_from(smooth, weight, (0.11 * unit_px,))
    contrast = (base[..., 0] + 14) / 60
    relief = (smooth[..., 0] - base[..., 0]) / contrast
    drawn = steps(relief, (-14.0, -4.5, 5.5, 15.0), (-19.0, -9.0, 0.0, 9.5, 21.0), 2.4)
    painted = smooth.copy()
    painted[..., 0] = base[..., 0] + drawn * contrast
    painted[..., 1:] = (0.5 * base[..., 1:] + 0.5 * smooth[..., 1:]) * 1.2
    return painted


def paint_background(lab: Lab, person: Plane, unit_px: float) -> Lab:
    """Broad, quiet washes without lines, continued behind the person."""
    size = lab.shape[0]
    quarter = (size // 4, size // 4)
    small = cv2.resize(lab, quarter, interpolation=cv2.INTER_AREA)
    covered = cv2.resize(cv2.GaussianBlur(person, (0, 0), 0.02 * unit_px), quarter, interpolation=cv2.INTER_AREA)
    behind = 1 - smoothstep(covered, 0.0, 0.15)
    unit = unit_px / 4
    small = spread_from(small, behind, (0.02 * unit, 0.08 * unit, 0.3 * unit, 0.9 * unit))
    for _ in range(3):
        small = cv2.bilateralFilter(small, 9, 14, 5)
    small = cv2.GaussianBlur(small, (0, 0), 1.2)
    wash: Lab = cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)
    levels = wash[..., 0] / 9
    whole = np.floor(levels)
    wash[..., 0] = 9 * (whole + smoothstep(levels - whole, 0.38, 0.62)) * 0.6 + wash[..., 0] * 0.4
    return wash
