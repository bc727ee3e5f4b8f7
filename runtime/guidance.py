"""The guidance picture: what the landmarks say exactly and a small network could only guess, drawn into three channels.

Channel 0, eyes: opening 96, iris 176, pupil 255, highlight 32. Channel 1, lines: upper lids, nose and brows 255 to 160,
creases and jaw fainter. Channel 2, regions: face 40, nose shadow 72, lips 128, mouth opening 255.
The curves are shared with the training pictures, which are inked along the same ones.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.alignment import CROP_SIDE_FACE_HEIGHTS
from toonfilter.runtime.errors import ConfigError

Curve = NDArray[np.float32]
"""float32 [N, 2]: points (x, y) in crop pixels along a smooth line."""

_SHIFT = 4
# OpenCV's anti-aliased polygons are only true to about half a pixel of their canvas, so that thin lines would flicker.
_FINENESS = 2
_SAMPLES = 3
_IRIS_GROWTH = 1.1
# A mesh reads drawn eyes as looking less far aside, and a little outwards, by these parts of the eye's width.
_GAZE_GAIN, _GAZE_INWARD = 0.15, 0.015

_EYE_RIGHT_UPPER = (33, 246, 161, 160, 159, 158, 157, 173, 133)
_EYE_RIGHT_LOWER = (33, 7, 163, 144, 145, 153, 154, 155, 133)
_EYE_LEFT_UPPER = (263, 466, 388, 387, 386, 385, 384, 398, 362)
_EYE_LEFT_LOWER = (263, 249, 390, 373, 374, 380, 381, 382, 362)
_CREASE_RIGHT = (226, 247, 30, 29, 27, 28, 56, 190)
_CREASE_LEFT = (446, 467, 260, 259, 257, 258, 286, 414)
_IRIS_RIGHT, _IRIS_LEFT = (468, 469, 470, 471, 472), (473, 474, 475, 476, 477)
_BROW_RIGHT_UPPER, _BROW_RIGHT_LOWER = (70, 63, 105, 66, 107), (46, 53, 52, 65, 55)
_BROW_LEFT_UPPER, _BROW_LEFT_LOWER = (300, 293, 334, 296, 336), (276, 283, 282, 295, 285)
_LIP_TOP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
_LIP_BOTTOM = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
_MOUTH_TOP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
_MOUTH_BOTTOM = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
_NOSE_WING_RIGHT, _NOSE_WING_LEFT = (49, 48, 64, 98), (279, 278, 294, 327)
_NOSE_BASE = (98, 97, 2, 326, 327)
_JAW = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454)
_BROW_TO_TEMPLE = (454, 356, 389, 251, 284, 332, 297, 338, 10, 109, 67, 103, 54, 21, 162, 127, 234)


@dataclass(frozen=True, slots=True)
class EyeShape:
    """One eye. upper, lower: lids from the outer to the inner corner; crease: the fold above.

    iris, iris_radius_px: centre float32 [2] and radius. highlight: centre of the light's reflection, float32 [2].
    fold: how visible the crease is, 0 (closed eye) to 1.
    """

    upper: Curve
    lower: Curve
    crease: Curve
    iris: NDArray[np.float32]
    iris_radius_px: float
    highlight: NDArray[np.float32]
    fold: float

    @property
    def opening(self) -> Curve:
        """The outline of the eye's opening, closed."""
        return np.concatenate([self.upper, self.lower[-2:0:-1]])


@dataclass(frozen=True, slots=True)
class FaceShape:
    """Every curve of a face that is drawn; sides are those of the picture: `eyes[0]` is the left one on the screen."""

    eyes: tuple[EyeShape, EyeShape]
    brows: tuple[Curve, Curve]
    nose_wings: tuple[Curve, Curve]
    nose_base: Curve
    lips: Curve
    mouth: Curve
    mouth_top: Curve
    mouth_bottom: Curve
    lip_top: Curve
    lip_bottom: Curve
    jaw: Curve
    face: Curve
    unit_px: float


def face_shape(landmarks: NDArray[np.floating[Any]], size: int) -> FaceShape:
    """The smooth curves of a face in a crop.

    landmarks: [478, 2 or 3] px of the exaggerated crop. size: side of the crop in px; `unit_px` is one face height.

    Raises:
        ConfigError: the landmarks have another shape.
    """
    if landmarks.ndim != 2 or landmarks.shape[0] != 478 or landmarks.shape[1] not in (2, 3):
        raise ConfigError(f"landmarks are {list(landmarks.shape)}; must be [478, 2] or [478, 3].")
    points = np.ascontiguousarray(landmarks[:, :2], np.float32)
    unit_px = size / CROP_SIDE_FACE_HEIGHTS
    eyes = (
        _eye(points, _EYE_RIGHT_UPPER, _EYE_RIGHT_LOWER, _CREASE_RIGHT, _IRIS_RIGHT, unit_px),
        _eye(points, _EYE_LEFT_UPPER, _EYE_LEFT_LOWER, _CREASE_LEFT, _IRIS_LEFT, unit_px),
    )
    brows = (
        _brow(points, _BROW_RIGHT_UPPER, _BROW_RIGHT_LOWER, unit_px),
        _brow(points, _BROW_LEFT_UPPER, _BROW_LEFT_LOWER, unit_px),
    )
    lip_top, lip_bottom = _smooth(points[list(_LIP_TOP)]), _smooth(points[list(_LIP_BOTTOM)])
    mouth_top, mouth_bottom = _smooth(points[list(_MOUTH_TOP)]), _smooth(points[list(_MOUTH_BOTTOM)])
    jaw = _smooth(points[list(_JAW)])
    forehead = _smooth(points[list(_BROW_TO_TEMPLE)])
    return FaceShape(
        eyes=eyes,
        brows=brows,
        nose_wings=(_smooth(points[list(_NOSE_WING_RIGHT)]), _smooth(points[list(_NOSE_WING_LEFT)])),
        nose_base=_smooth(points[list(_NOSE_BASE)]),
        lips=np.concatenate([lip_top, lip_bottom[-2:0:-1]]),
        mouth=np.concatenate([mouth_top, mouth_bottom[-2:0:-1]]),
        mouth_top=mouth_top,
        mouth_bottom=mouth_bottom,
        lip_top=lip_top,
        lip_bottom=lip_bottom,
        jaw=jaw,
        face=np.concatenate([jaw, forehead[1:-1]]),
        unit_px=unit_px,
    )


def stroke(line: Curve, widths_px: NDArray[np.float32]) -> Curve:
    """The outline of a line with a varying width, closed: float32 [2N, 2].

    line: float32 [N, 2]. widths_px: float32 [N], full width at every point.
    """
    along = np.empty_like(line)
    along[1:-1] = line[2:] - line[:-2]
    along[0], along[-1] = line[1] - line[0], line[-1] - line[-2]
    length = np.sqrt((along * along).sum(1)) + np.float32(1e-6)
    half = (widths_px * np.float32(0.5) / length)[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], 1) * half
    return np.concatenate([line + across, (line - across)[::-1]])


@lru_cache(maxsize=128)
def taper(count: int, start: float = 0.2, end: float = 0.2, peak: float = 0.5) -> NDArray[np.float32]:
    """Relative widths of a pen stroke, float32 [count]: from `start` up to 1 at `peak` and down to `end`. Read only."""
    place = np.linspace(0, 1, count)
    rising = start + (1 - start) * np.sin(np.clip(place / max(peak, 1e-3), 0, 1) * np.pi / 2)
    falling = end + (1 - end) * np.sin(np.clip((1 - place) / max(1 - peak, 1e-3), 0, 1) * np.pi / 2)
    widths: NDArray[np.float32] = np.minimum(rising, falling).astype(np.float32)
    widths.flags.writeable = False
    return widths


def fill(canvas: NDArray[np.uint8], outline: Curve, value: float) -> None:
    """Fill a closed outline, anti-aliased and to a sixteenth of a pixel, in place. canvas: uint8 [H, W]."""
    points = np.round(outline * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(canvas, [points], value, cv2.LINE_AA, _SHIFT)


def disc(canvas: NDArray[np.uint8], centre: NDArray[np.float32], radius_px: float, value: float) -> None:
    """Fill a circle, anti-aliased and to a sixteenth of a pixel, in place."""
    place = (round(float(centre[0]) * 16), round(float(centre[1]) * 16))
    cv2.circle(canvas, place, max(1, round(radius_px * 16)), value, cv2.FILLED, cv2.LINE_AA, _SHIFT)


class _Sheet:
    """A finer canvas over a part of the crop, averaged down when done."""

    def __init__(self, around: Curve, size: int, ground: int = 0) -> None:
        self._low = np.clip(np.floor(around.min(0)).astype(int) - 3, 0, size - 1)
        high = np.clip(np.ceil(around.max(0)).astype(int) + 4, 1, size)
        self._width, self._height = (max(0, int(side)) for side in high - self._low)
        self._offset = (_FINENESS - 1) / 2 - self._low.astype(np.float32) * _FINENESS
        self.is_empty = self._width == 0 or self._height == 0
        self.canvas = np.full((self._height * _FINENESS, self._width * _FINENESS), ground, np.uint8)

    def fill(self, outline: Curve, value: float) -> None:
        fill(self.canvas, outline * np.float32(_FINENESS) + self._offset, value)

    def disc(self, centre: NDArray[np.float32], radius_px: float, value: float) -> None:
        disc(self.canvas, centre * np.float32(_FINENESS) + self._offset, radius_px * _FINENESS, value)

    def put_into(self, plane: NDArray[np.uint8]) -> None:
        """Where both have drawn something, the brighter counts."""
        small = cv2.resize(self.canvas, (self._width, self._height), interpolation=cv2.INTER_AREA)
        left, top = self._low
        window = plane[top : top + self._height, left : left + self._width]
        np.maximum(window, small, out=window)


def draw_guidance(landmarks: NDArray[np.floating[Any]], size: int) -> NDArray[np.uint8]:
    """Draw the guidance picture of a crop.

    landmarks: [478, 2 or 3] px of the exaggerated crop. size: side of the crop in px.
    Returns uint8 [size, size, 3], new memory.

    Raises:
        ConfigError: the landmarks have another shape.
    """
    shape = face_shape(landmarks, size)
    planes = [np.zeros((size, size), np.uint8) for _ in range(3)]
    for eye in shape.eyes:
        _draw_eye(eye, planes[0])
    _draw_lines(shape, planes[1])
    _draw_regions(shape, planes[2])
    picture: NDArray[np.uint8] = cv2.merge(planes)
    return picture


def _draw_eye(eye: EyeShape, plane: NDArray[np.uint8]) -> None:
    opening = eye.opening
    inside, content = _Sheet(opening, len(plane)), _Sheet(opening, len(plane), 96)
    if inside.is_empty:
        return
    inside.fill(opening, 255)
    content.disc(eye.iris, eye.iris_radius_px, 176)
    content.disc(eye.iris, eye.iris_radius_px * 0.5, 255)
    content.disc(eye.highlight, eye.iris_radius_px * 0.3, 32)
    cv2.multiply(content.canvas, inside.canvas, dst=inside.canvas, scale=1 / 255)
    inside.put_into(plane)


def _draw_lines(shape: FaceShape, plane: NDArray[np.uint8]) -> None:
    sheet = _Sheet(np.concatenate([shape.face, *shape.brows]), len(plane))
    if sheet.is_empty:
        return
    unit = shape.unit_px

    def line(curve: Curve, width: float, value: float) -> None:
        sheet.fill(stroke(curve, taper(len(curve)) * np.float32(width * unit)), value)

    line(shape.jaw, 0.016, 110)
    for brow in shape.brows:
        sheet.fill(brow, 190)
    for eye in shape.eyes:
        line(eye.crease, 0.009, round(130 * eye.fold))
        line(eye.lower, 0.009, 150)
        sheet.fill(lash_outline(eye, unit), 255)
    for curve in (*shape.nose_wings, shape.nose_base):
        line(curve, 0.014, 220)
    third = len(shape.lip_bottom) // 3
    line(shape.lip_bottom[third:-third], 0.012, 140)
    sheet.put_into(plane)


def _draw_regions(shape: FaceShape, plane: NDArray[np.uint8]) -> None:
    sheet = _Sheet(shape.face, len(plane))
    if sheet.is_empty:
        return
    sheet.fill(shape.face, 40)
    sheet.fill(nose_shadow(shape), 72)
    sheet.fill(shape.lips, 128)
    widths = taper(len(shape.mouth_top)) * np.float32(0.012 * shape.unit_px)
    sheet.fill(stroke(shape.mouth_top, widths), 255)
    sheet.fill(shape.mouth, 255)
    sheet.put_into(plane)


def lash_outline(eye: EyeShape, unit_px: float) -> Curve:
    """The upper lash line of an eye as an outline: thick in the outer half, with a short wing at the outer corner."""
    upper = eye.upper
    outwards = upper[0] - upper[len(upper) // 3]
    outwards = outwards / np.float32(np.hypot(*outwards) + 1e-6)
    wing = upper[0] + outwards * np.float32(0.018 * unit_px)
    line = np.concatenate([wing[None], upper])
    widths = taper(len(line), 0.1, 0.3, 0.35) * np.float32(0.026 * unit_px)
    # The line lies on the lid, not over the opening: thickness must not close the eye.
    line[:, 1] -= widths * np.float32(0.35)
    return stroke(line, widths)


def nose_shadow(shape: FaceShape) -> Curve:
    """The flat shadow below the nose, an outline."""
    base = shape.nose_base
    below = base[1:-1] + np.array([0.0, 0.022 * shape.unit_px], np.float32)
    return np.concatenate([base, below[::-1]])


def _eye(
    points: NDArray[np.float32],
    upper: tuple[int, ...],
    lower: tuple[int, ...],
    crease: tuple[int, ...],
    iris: tuple[int, ...],
    unit_px: float,
) -> EyeShape:
    ring = points[list(iris[1:])]
    radius = _IRIS_GROWTH * float(np.sqrt(((ring - points[iris[0]]) ** 2).sum(1)).mean())
    outer, inner = points[upper[0]], points[upper[-1]]
    middle, across = (outer + inner) / 2, inner - outer
    along = float((points[iris[0]] - middle) @ across / (across @ across + 1e-3))
    centre = points[iris[0]] + across * np.float32(_GAZE_GAIN * along + _GAZE_INWARD)
    highlight = centre + np.array([0.16, -0.38], np.float32) * np.float32(radius)
    return EyeShape(
        upper=_smooth(points[list(upper)]),
        lower=_smooth(points[list(lower)]),
        crease=_smooth(points[list(crease)]) - np.array([0.0, 0.008 * unit_px], np.float32),
        iris=centre,
        iris_radius_px=radius,
        highlight=highlight,
        fold=_fold(points[list(upper)], points[list(lower)]),
    )


def _fold(upper: Curve, lower: Curve) -> float:
    width = float(np.hypot(*(upper[-1] - upper[0]))) + 1e-3
    gap = float(np.abs(upper[3:6, 1] - lower[3:6, 1]).mean()) / width
    return min(max((gap - 0.12) / 0.2, 0.0), 1.0)


def _brow(points: NDArray[np.float32], upper: tuple[int, ...], lower: tuple[int, ...], unit_px: float) -> Curve:
    """A brow as an outline: along the middle of the mesh's brow, full near the nose, pointed at the temple."""
    middle = _smooth((points[list(upper)] + points[list(lower)]) / 2)
    return stroke(middle, taper(len(middle), 0.12, 0.5, 0.6) * np.float32(0.040 * unit_px))


def _smooth(points: NDArray[np.float32]) -> Curve:
    curve: Curve = _spline(len(points)) @ points
    return curve


@lru_cache(maxsize=32)
def _spline(count: int) -> NDArray[np.float32]:
    """Weights [samples, count] of a Catmull-Rom spline through `count` points."""
    rows = []
    for segment in range(count - 1):
        for t in np.arange(_SAMPLES) / _SAMPLES:
            row = np.zeros(count, np.float32)
            weights = (
                (-t + 2 * t**2 - t**3) / 2,
                (2 - 5 * t**2 + 3 * t**3) / 2,
                (t + 4 * t**2 - 3 * t**3) / 2,
                (t**3 - t**2) / 2,
            )
            for offset, weight in zip(range(-1, 3), weights, strict=True):
                row[min(max(segment + offset, 0), count - 1)] += weight
            rows.append(row)
    last = np.zeros(count, np.float32)
    last[-1] = 1
    return np.stack([*rows, last])
