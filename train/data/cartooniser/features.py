"""Eyes, brows, nose and mouth, drawn along the curves of the guidance picture in colours taken from the photo."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.guidance import (
    Curve,
    EyeShape,
    FaceShape,
    disc,
    fill,
    lash_outline,
    nose_shadow,
    stroke,
    taper,
)
from toonfilter.train.data.cartooniser.regions import Regions, filled, smoothstep
from toonfilter.train.data.cartooniser.tones import Lab
from toonfilter.train.data.flow import Plane

_LEAST_SKIN_REDNESS = 0.1
_INK = np.array([9.0, 5.0, 3.0], np.float32)


class FeaturePainter:
    """Draws features into a Lab picture, in place.

    canvas: the drawing so far. photo: the crop's Lab. base: the skin's colour around each pixel.
    """

    def __init__(self, canvas: Lab, photo: Lab, base: Lab, regions: Regions, shape: FaceShape) -> None:
        self._canvas, self._photo, self._base = canvas, photo, base
        self._regions, self._shape = regions, shape
        self._size = canvas.shape[0]
        self._unit = shape.unit_px
        self._iris = np.zeros(3, np.float32)

    def draw(self) -> None:
        """Jaw, nose, mouth, brows, eyes: from back to front."""
        self._draw_jaw()
        self._draw_nose()
        self._draw_mouth()
        for brow in self._shape.brows:
            self._draw_brow(brow)
        self._iris = self._iris_colour()
        for eye in self._shape.eyes:
            self._draw_eye(eye)

    def _blend(self, mask: Plane, colour: NDArray[np.float32], opacity: float = 1.0) -> None:
        alpha = (mask * np.float32(opacity))[..., None]
        self._canvas += alpha * (colour - self._canvas)

    def _paint(self, outline: Curve, colour: NDArray[np.float32], opacity: float = 1.0) -> None:
        low = np.clip(np.floor(outline.min(0)).astype(int) - 2, 0, self._size - 1)
        high = np.clip(np.ceil(outline.max(0)).astype(int) + 3, 1, self._size)
        if (high <= low).any():
            return
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        fill(mask, outline - low.astype(np.float32), 255)
        window = self._canvas[low[1] : high[1], low[0] : high[0]]
        alpha = mask.astype(np.float32)[..., None] * np.float32(opacity / 255)
        window += alpha * (colour - window)

    def _line(
        self, line: Curve, width: float, colour: NDArray[np.float32], opacity: float = 1.0, **ends: float
    ) -> None:
        widths = taper(len(line), **ends) * np.float32(width * self._unit)
        self._paint(stroke(line, widths), colour, opacity)

    def _base_at(self, points: Curve) -> NDArray[np.float32]:
        middle = np.clip(np.round(points.mean(0)).astype(int), 0, self._size - 1)
        colour: NDArray[np.float32] = self._base[middle[1], middle[0]]
        return colour

    def _ink(self, points: Curve) -> NDArray[np.float32]:
        """Ink is not black: a very dark relative of the skin around it."""
        base = self._base_at(points)
        return np.array([4 + 0.16 * base[0], 0.55 * base[1] + 3, 0.5 * base[2]], np.float32)

    def _draw_jaw(self) -> None:
        jaw = self._shape.jaw
        line = stroke(jaw, taper(len(jaw)) * np.float32(0.017 * self._unit))
        mask = filled(line, self._size)
        inside = cv2.GaussianBlur(self._regions.skin, (0, 0), 0.02 * self._unit)
        mask = mask * smoothstep(inside, 0.25, 0.65)
        self._blend(mask, self._ink(jaw) + np.array([6, 0, 0], np.float32), 0.9)

    def _draw_nose(self) -> None:
        base = self._base_at(self._shape.nose_base)
        shadow = base + np.array([-15 * (base[0] + 10) / 75, 3, 0], np.float32)
        self._paint(nose_shadow(self._shape), shadow, 0.8)
        ink = self._ink(self._shape.nose_base) + np.array([4, 2, 1], np.float32)
        for wing in self._shape.nose_wings:
            self._line(wing[len(wing) // 4 :], 0.017, ink, 0.9, start=0.1, end=0.4, peak=0.6)
        third = len(self._shape.nose_base) // 4
        for part in (self._shape.nose_base[: third + 1], self._shape.nose_base[-third - 1 :][::-1]):
            self._line(part, 0.024, ink, 1.0, start=0.5, end=0.1)
        self._line(self._shape.nose_base, 0.008, ink, 0.45)

    def _draw_brow(self, brow: Curve) -> None:
        mask = filled(brow, self._size)
        samples = self._photo[mask > 0.5]
        base = self._base_at(brow)
        if len(samples) < 5:
            return
        dark = samples[samples[:, 0] <= np.percentile(samples[:, 0], 40)].mean(0)
        lightness = min(dark[0] * 0.9, base[0] * 0.66)
        colour = np.array([lightness, dark[1] * 0.9, dark[2] * 0.9], np.float32)
        self._paint(brow, colour)

    def _draw_eye(self, eye: EyeShape) -> None:
        base = self._base_at(eye.opening)
        ink = self._ink(eye.upper)
        light = float(np.clip((base[0] + 22) / 80, 0.35, 1.0))
        self._line(eye.crease, 0.010, ink + np.array([12, 3, 2], np.float32), 0.4 * eye.fold)
        self._fill_eye(eye, base, light)
        # A lower lid that ends in the middle makes a mesh misread how far the eye is open, and where it looks.
        lid = eye.lower + np.array([0, 0.005 * self._unit], np.float32)
        self._line(
            lid, 0.012, ink + np.array([10, 3, 2], np.float32), 0.36 + 0.54 * eye.fold, start=0.45, end=0.25, peak=0.35
        )
        self._paint(lash_outline(eye, self._unit), ink)

    def _fill_eye(self, eye: EyeShape, base: NDArray[np.float32], light: float) -> None:
        """White, iris, pupil, lights and the lid's shadow, clipped to the opening."""
        low = np.clip(np.floor(eye.opening.min(0)).astype(int) - 2, 0, self._size - 1)
        high = np.clip(np.ceil(eye.opening.max(0)).astype(int) + 3, 1, self._size)
        if (high <= low).any():
            return
        corner = low.astype(np.float32)
        window = self._canvas[low[1] : high[1], low[0] : high[0]]
        inside, shade = np.zeros(window.shape[:2], np.uint8), np.zeros(window.shape[:2], np.uint8)
        fill(inside, eye.opening - corner, 255)
        content = np.empty_like(window)
        content[:] = np.array([95 * light, base[1] * 0.06, base[2] * 0.08 - 1], np.float32)
        for centre, radius_px, colour, opacity in _iris_parts(eye, self._iris, light):
            mask = np.zeros(window.shape[:2], np.uint8)
            disc(mask, centre - corner, radius_px, 255)
            alpha = mask.astype(np.float32)[..., None] * np.float32(opacity / 255)
            content += alpha * (np.array(colour, np.float32) - content)
        drop = np.array([0, 0.016 * self._unit], np.float32)
        fill(shade, np.concatenate([eye.upper - drop, (eye.upper + drop)[::-1]]) - corner, 255)
        content[..., 0] *= 1 - shade.astype(np.float32) * np.float32(0.30 / 255)
        window += inside.astype(np.float32)[..., None] / 255 * (content - window)

    def _iris_colour(self) -> NDArray[np.float32]:
        """Both irises' own hue, of a lightness that reads; dark or hidden ones become brown."""
        found = []
        for eye in self._shape.eyes:
            ring = np.zeros((self._size, self._size), np.uint8)
            disc(ring, eye.iris, eye.iris_radius_px * 0.80, 255)
            disc(ring, eye.iris, eye.iris_radius_px * 0.45, 0)
            found.append(self._photo[(ring > 127) & (filled(eye.opening, self._size) > 0.6)])
        samples = np.concatenate(found)
        brown = np.array([26.0, 12.0, 17.0], np.float32)
        if len(samples) < 12:
            return brown
        middle = np.median(samples, axis=0)
        is_light = float(np.clip((middle[0] - 12) / 14, 0, 1))
        is_coloured = float(np.clip((4 - middle[2]) / 8, 0, 1))
        own = np.array([np.clip(middle[0] * 1.1 + 6, 26, 56), middle[1] * 1.5, middle[2] * 1.5], np.float32)
        return brown + (own - brown) * np.float32(max(is_light, is_coloured))

    def _draw_mouth(self) -> None:
        shape = self._shape
        size = self._size
        lips, opening = filled(shape.lips.outline, size), filled(shape.mouth.outline, size)
        ring = (lips > 0.6) & (opening < 0.3)
        base = self._base_at(shape.lips.outline)
        contrast = (base[0] + 10) / 75
        own = np.median(self._photo[ring], axis=0) if ring.sum() > 10 else base + np.array([-10, 8, 0], np.float32)
        away = np.clip(own - base, [-22, 3, -6], [-5, 22, 8])
        colour = (base + away).astype(np.float32)
        lower = colour + np.array([2.5 * contrast, 1, 0], np.float32)
        upper = colour + np.array([-6.5 * contrast, 1, 0], np.float32)
        self._paint(shape.lips.outline, lower)
        self._paint(np.concatenate([shape.lips.top, shape.mouth.top[::-1]]), upper)
        self._paint_opening(opening, base)
        shine = 0.55 * shape.lips.bottom + 0.45 * shape.mouth.bottom
        middle = shine[2 * len(shine) // 5 : -(2 * len(shine) // 5)]
        self._line(middle, 0.014, lower + np.array([9 * contrast, -2, 0], np.float32), 0.8, start=0.1, end=0.1)
        ink = self._ink(shape.lips.outline)
        self._line(shape.mouth.top, 0.013, ink, start=0.5, end=0.5)
        gap = float((shape.mouth.bottom[:, 1] - shape.mouth.top[:, 1]).max())
        if gap > 0.012 * self._unit:
            self._line(shape.mouth.bottom, 0.010, ink, 0.9, start=0.5, end=0.5)
        count = len(shape.lips.bottom)
        under = shape.lips.bottom[count // 3 : -(count // 3)]
        self._line(under, 0.013, ink + np.array([8, 3, 2], np.float32), 0.8, start=0.1, end=0.1)

    def _paint_opening(self, opening: Plane, base: NDArray[np.float32]) -> None:
        """The inside of the mouth: dark, teeth where the photo is paler than the skin, tongue where it is redder."""
        photo = cv2.GaussianBlur(self._photo, (0, 0), 0.008 * self._unit)
        # Compared with the skin's own, so that warm light does not redden teeth.
        skin_redness = max(float(base[1]) / (float(base[0]) + 12), _LEAST_SKIN_REDNESS)
        redness = photo[..., 1] / (photo[..., 0] + 12) / skin_redness
        darkest = 0.36 * float(base[0]) + 6
        teeth = smoothstep(photo[..., 0], darkest - 4, darkest + 4) * (1 - smoothstep(redness, 0.68, 1.0))
        teeth = self._in_one_piece(teeth, opening, 0.40, 0.56)
        tongue = smoothstep(redness, 0.95, 1.3) * (1 - teeth) * smoothstep(photo[..., 0], 18, 28)
        tongue = self._in_one_piece(tongue, opening, 0.40, 0.60) * (1 - teeth)
        light = float(np.clip((base[0] + 36) / 85, 0.55, 1.0))
        inside = np.empty_like(self._canvas)
        inside[:] = np.array([13.0, 17.0, 8.0], np.float32)
        inside += tongue[..., None] * (np.array([44 * light, 34.0, 18.0], np.float32) - inside)
        inside += teeth[..., None] * (np.array([96 * light, 0.0, 3.0], np.float32) - inside)
        self._canvas += opening[..., None] * (inside - self._canvas)

    def _in_one_piece(self, found: Plane, opening: Plane, low: float, high: float) -> Plane:
        """A row of teeth, not single ones: what the opening shows around each place."""
        reach_px = 0.016 * self._unit
        around = cv2.GaussianBlur(opening, (0, 0), reach_px) + np.float32(1e-3)
        return smoothstep(cv2.GaussianBlur(found * opening, (0, 0), reach_px) / around, low, high)


def _iris_parts(
    eye: EyeShape, tint: NDArray[np.float32], light: float
) -> list[tuple[NDArray[np.float32], float, tuple[float, float, float], float]]:
    """Discs from back to front: centre, radius, Lab colour, opacity."""
    iris, radius = eye.iris, eye.iris_radius_px
    tone, red, yellow = (float(value) for value in tint)
    glow = iris + np.array([0, 0.36 * radius], np.float32)
    return [
        (iris, radius * 1.02, (tone * 0.35, red * 0.7, yellow * 0.7), 1.0),
        (iris, radius * 0.86, (tone, red, yellow), 1.0),
        (glow, radius * 0.44, (tone + 16, red * 1.1, yellow * 1.1), 0.85),
        (iris, radius * 0.48, (5.0, 1.0, 0.0), 1.0),
        (eye.highlight, radius * 0.27, (99 * max(light, 0.8), 0.0, 0.0), 1.0),
        (2 * iris - eye.highlight, radius * 0.13, (90 * max(light, 0.7), 0.0, 0.0), 0.8),
    ]
