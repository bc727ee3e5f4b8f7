"""The guidance picture: what the landmarks say exactly and a small network could only guess, drawn into three channels.

Channel 0, eyes: opening 96, iris 176, pupil 255, highlight 32. Channel 1, lines: upper lids, nose and brows 255 to 160,
creases and jaw fainter. Channel 2, regions: face 40, nose shadow 72, lips 128, mouth opening 255.
The curves are shared with the training pictures, which are inked along the same ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.geometry.alignment import CROP_SIDE_FACE_HEIGHTS
from toonfilter.runtime.geometry.landmarks import (
    FACE_OVAL,
    JAW,
    LEFT_EYE,
    LEFT_WING,
    LIP_BOTTOM,
    LIP_TOP,
    MOUTH_BOTTOM,
    MOUTH_TOP,
    NOSE_BASE,
    RIGHT_EYE,
    RIGHT_WING,
    EyePoints,
)

Curve = NDArray[np.float32]
"""float32 [N, 2]: points (x, y) in crop pixels along a smooth line."""

_SHIFT = 4
# OpenCV's anti-aliased polygons are only true to about half a pixel of their canvas, so that thin lines would flicker.
_FINENESS = 2
_SAMPLES = 3
_IRIS_GROWTH = 1.1
# A mesh reads drawn eyes as looking less far aside, a little outwards, and away from the light in them, by these parts
# of the eye's width.
_GAZE_GAIN, _GAZE_INWARD, _GAZE_TO_LIGHT = 0.15, 0.03, 0.0165
_OVER_THE_BROW = (*FACE_OVAL[FACE_OVAL.index(454) :: -1], *FACE_OVAL[: FACE_OVAL.index(234) - 1 : -1])
"""From ear to ear over the forehead."""


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
class LipShape:
    """Two curves from the left to the right corner of the mouth, as on the screen."""

    top: Curve
    bottom: Curve

    @property
    def outline(self) -> Curve:
        """Around both."""
        return np.concatenate([self.top, self.bottom[-2:0:-1]])


@dataclass(frozen=True, slots=True)
class FaceShape:
    """Every curve of a face that is drawn; sides are those of the picture: `eyes[0]` is the left one on the screen.

    lips: around them. mouth: its opening, between them.
    """

    eyes: tuple[EyeShape, EyeShape]
    brows: tuple[Curve, Curve]
    nose_wings: tuple[Curve, Curve]
    nose_base: Curve
    lips: LipShape
    mouth: LipShape
    jaw: Curve
    face: Curve
    unit_px: float


def face_shape(landmarks: NDArray[np.floating[Any]], size: int) -> FaceShape:
    """The smooth curves of a face in a crop.

    landmarks: [478, 2 or 3] px of the warped crop. size: side of the crop in px; `unit_px` is one face height.

    Raises:
        ConfigError: the landmarks have another shape.
    """
    if landmarks.ndim != 2 or landmarks.shape[0] != 478 or landmarks.shape[1] not in (2, 3):
        raise ConfigError(f"landmarks are {list(landmarks.shape)}; must be [478, 2] or [478, 3].")
    points = np.ascontiguousarray(landmarks[:, :2], np.float32)
    unit_px = size / CROP_SIDE_FACE_HEIGHTS
    curves = _curves(points)
    eyes = (
        _eye(points, RIGHT_EYE, curves[0:3], unit_px),
        _eye(points, LEFT_EYE, curves[3:6], unit_px),
    )
    # A brow is full near the nose and pointed at the temple.
    widths = taper(len(curves[6]), 0.12, 0.5, 0.6) * np.float32(0.040 * unit_px)
    right_brow, left_brow = strokes(curves[6:8], [widths, widths])
    wing_right, wing_left, nose_base, lip_top, lip_bottom, mouth_top, mouth_bottom, jaw, forehead = curves[8:]
    return FaceShape(
        eyes=eyes,
        brows=(right_brow, left_brow),
        nose_wings=(wing_right, wing_left),
        nose_base=nose_base,
        lips=LipShape(lip_top, lip_bottom),
        mouth=LipShape(mouth_top, mouth_bottom),
        jaw=jaw,
        face=np.concatenate([jaw, forehead[1:-1]]),
        unit_px=unit_px,
    )


def stroke(line: Curve, widths_px: NDArray[np.float32]) -> Curve:
    """The outline of a line with a varying width, closed: float32 [2N, 2].

    line: float32 [N, 2]. widths_px: float32 [N], full width at every point.
    """
    return strokes([line], [widths_px])[0]


def strokes(lines: Sequence[Curve], widths_px: Sequence[NDArray[np.float32]]) -> list[Curve]:
    """`stroke` for several lines at once; NumPy's calls cost more than its sums here."""
    before, after, order, ends = _stroke_layout(tuple(map(len, lines)))
    points = np.concatenate(lines)
    along = points[after] - points[before]
    length = np.sqrt((along * along).sum(1)) + np.float32(1e-6)
    half = (np.concatenate(widths_px) * np.float32(0.5) / length)[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], 1) * half
    outlines = np.concatenate([points + across, points - across])[order]
    return _parted(outlines, ends)


@lru_cache(maxsize=32)
def _stroke_layout(
    lengths: tuple[int, ...],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], tuple[int, ...]]:
    """For lines one after the other: each point's neighbours, the way around all outlines, where each of them ends.

    The outlines go along one side, kept in a first half of an array, and back along the other, in its second half.
    """
    total, start = sum(lengths), 0
    before, after, order, ends = [], [], [], []
    for length in lengths:
        place = np.arange(start, start + length)
        before.append(np.maximum(place - 1, start))
        after.append(np.minimum(place + 1, start + length - 1))
        order += [place, total + place[::-1]]
        start += length
        ends.append(2 * start)
    return np.concatenate(before), np.concatenate(after), np.concatenate(order), tuple(ends)


def _parted(points: NDArray[Any], ends: Sequence[int]) -> list[Any]:
    """The parts of an array that end at these rows; views."""
    return [points[start:end] for start, end in zip((0, *ends[:-1]), ends, strict=True)]


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

    def __init__(self, around: Sequence[Curve], size: int) -> None:
        x, y, width, height = cv2.boundingRect(np.concatenate(around))
        self._low = left, top = [min(max(low - 3, 0), size - 1) for low in (x, y)]
        right, bottom = (min(max(high + 4, 1), size) for high in (x + width, y + height))
        self._width, self._height = max(0, right - left), max(0, bottom - top)
        self._offset = np.float32((_FINENESS - 1) / 2) - np.array(self._low, np.float32) * _FINENESS
        self.is_empty = self._width == 0 or self._height == 0
        self.canvas = self.blank()

    def blank(self, ground: int = 0) -> NDArray[np.uint8]:
        """A further canvas of the same kind."""
        return np.full((self._height * _FINENESS, self._width * _FINENESS), ground, np.uint8)

    def fill(self, outlines: Sequence[Curve], values: Sequence[float]) -> None:
        """Fill outlines one after the other, each with its value."""
        fine = np.concatenate(outlines) * np.float32(_FINENESS) + self._offset
        points = np.round(fine * (1 << _SHIFT)).astype(np.int32)
        ends = list(accumulate(map(len, outlines)))
        for outline, value in zip(_parted(points, ends), values, strict=True):
            cv2.fillPoly(self.canvas, [outline], value, cv2.LINE_AA, _SHIFT)

    def disc(self, canvas: NDArray[np.uint8], centre: NDArray[np.float32], radius_px: float, value: float) -> None:
        disc(canvas, centre * np.float32(_FINENESS) + self._offset, radius_px * _FINENESS, value)

    def put_into(self, plane: NDArray[np.uint8]) -> None:
        """Where both have drawn something, the brighter counts."""
        small = cv2.resize(self.canvas, (self._width, self._height), interpolation=cv2.INTER_AREA)
        left, top = self._low
        window = plane[top : top + self._height, left : left + self._width]
        np.maximum(window, small, out=window)


def draw_guidance(landmarks: NDArray[np.floating[Any]], size: int) -> NDArray[np.uint8]:
    """Draw the guidance picture of a crop.

    landmarks: [478, 2 or 3] px of the warped crop. size: side of the crop in px.
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
    sheet = _Sheet([opening], len(plane))
    if sheet.is_empty:
        return
    sheet.fill([opening], [255])
    content = sheet.blank(96)
    sheet.disc(content, eye.iris, eye.iris_radius_px, 176)
    sheet.disc(content, eye.iris, eye.iris_radius_px * 0.5, 255)
    sheet.disc(content, eye.highlight, eye.iris_radius_px * 0.3, 32)
    cv2.multiply(content, sheet.canvas, dst=sheet.canvas, scale=1 / 255)
    sheet.put_into(plane)


def _draw_lines(shape: FaceShape, plane: NDArray[np.uint8]) -> None:
    sheet = _Sheet([shape.face, *shape.brows], len(plane))
    if sheet.is_empty:
        return
    unit = shape.unit_px
    lines: list[Curve] = []
    widths: list[NDArray[np.float32]] = []
    values: list[float] = []

    def line(curve: Curve, width: float, value: float) -> None:
        lines.append(curve)
        widths.append(taper(len(curve)) * np.float32(width * unit))
        values.append(value)

    line(shape.jaw, 0.016, 110)
    for eye in shape.eyes:
        line(eye.crease, 0.009, round(130 * eye.fold))
        line(eye.lower, 0.009, 150)
        lash, lash_widths = _lash_line(eye, unit)
        lines.append(lash)
        widths.append(lash_widths)
        values.append(255)
    for curve in (*shape.nose_wings, shape.nose_base):
        line(curve, 0.014, 220)
    third = len(shape.lips.bottom) // 3
    line(shape.lips.bottom[third:-third], 0.012, 140)
    jaw, *others = strokes(lines, widths)
    sheet.fill([jaw, *shape.brows, *others], [values[0], 190, 190, *values[1:]])
    sheet.put_into(plane)


def _draw_regions(shape: FaceShape, plane: NDArray[np.uint8]) -> None:
    sheet = _Sheet([shape.face], len(plane))
    if sheet.is_empty:
        return
    widths = taper(len(shape.mouth.top)) * np.float32(0.012 * shape.unit_px)
    mouth_line = stroke(shape.mouth.top, widths)
    parts = [shape.face, nose_shadow(shape), shape.lips.outline, mouth_line, shape.mouth.outline]
    sheet.fill(parts, [40, 72, 128, 255, 255])
    sheet.put_into(plane)


def lash_outline(eye: EyeShape, unit_px: float) -> Curve:
    """The upper lash line of an eye as an outline: thick in the outer half, with a short wing at the outer corner."""
    return stroke(*_lash_line(eye, unit_px))


def _lash_line(eye: EyeShape, unit_px: float) -> tuple[Curve, NDArray[np.float32]]:
    upper = eye.upper
    outwards = upper[0] - upper[len(upper) // 3]
    outwards = outwards / np.float32(math.hypot(*outwards.tolist()) + 1e-6)
    wing = upper[0] + outwards * np.float32(0.018 * unit_px)
    line = np.concatenate([wing[None], upper])
    widths = taper(len(line), 0.1, 0.3, 0.35) * np.float32(0.026 * unit_px)
    # The line lies on the lid, not over the opening: thickness must not close the eye.
    line[:, 1] -= widths * np.float32(0.35)
    return line, widths


def nose_shadow(shape: FaceShape) -> Curve:
    """The flat shadow below the nose, an outline."""
    base = shape.nose_base
    below = base[1:-1] + np.array([0.0, 0.022 * shape.unit_px], np.float32)
    return np.concatenate([base, below[::-1]])


def _eye(points: NDArray[np.float32], eye: EyePoints, curves: Sequence[Curve], unit_px: float) -> EyeShape:
    """curves: upper lid, lower lid, crease."""
    upper, lower = eye.upper, eye.lower
    (x, y), *ring = points[list(eye.iris)].tolist()
    radius = _IRIS_GROWTH * sum(math.hypot(ring_x - x, ring_y - y) for ring_x, ring_y in ring) / len(ring)
    (outer_x, outer_y), (inner_x, inner_y) = points[upper[0]].tolist(), points[upper[-1]].tolist()
    across_x, across_y = inner_x - outer_x, inner_y - outer_y
    width = math.hypot(across_x, across_y)
    along = (x - (outer_x + inner_x) / 2) * across_x + (y - (outer_y + inner_y) / 2) * across_y
    to_light = math.copysign(_GAZE_TO_LIGHT, across_x)
    shift = _GAZE_GAIN * along / (width * width + 1e-3) + _GAZE_INWARD + to_light
    x, y = x + across_x * shift, y + across_y * shift
    gap = float(np.abs(points[list(upper[3:6]), 1] - points[list(lower[3:6]), 1]).mean()) / (width + 1e-3)
    return EyeShape(
        upper=curves[0],
        lower=curves[1],
        crease=curves[2] - np.array([0.0, 0.008 * unit_px], np.float32),
        iris=np.array([x, y], np.float32),
        iris_radius_px=radius,
        highlight=np.array([x + 0.16 * radius, y - 0.38 * radius], np.float32),
        fold=min(max((gap - 0.12) / 0.2, 0.0), 1.0),
    )


_CURVES = (
    *(RIGHT_EYE.upper, RIGHT_EYE.lower, RIGHT_EYE.crease, LEFT_EYE.upper, LEFT_EYE.lower, LEFT_EYE.crease),
    # The middle of a brow lies between its upper and lower edge: points that are added to those of the mesh.
    *((478, 479, 480, 481, 482), (483, 484, 485, 486, 487)),
    *(RIGHT_WING[1:], LEFT_WING[1:], NOSE_BASE, LIP_TOP, LIP_BOTTOM, MOUTH_TOP, MOUTH_BOTTOM),
    *(JAW, _OVER_THE_BROW),
)
_BROW_EDGES = np.array([RIGHT_EYE.brow_upper + LEFT_EYE.brow_upper, RIGHT_EYE.brow_lower + LEFT_EYE.brow_lower])


def _curves(points: NDArray[np.float32]) -> list[Curve]:
    """Smooth curves through the points of `_CURVES`, in that order. points: float32 [478, 2]."""
    taken, weights, ends = _splines()
    points = np.concatenate([points, points[_BROW_EDGES].mean(0)])
    return _parted(np.einsum("ij,ijk->ik", weights, points[taken]), ends)


@lru_cache(maxsize=1)
def _splines() -> tuple[NDArray[np.intp], NDArray[np.float32], tuple[int, ...]]:
    """Catmull-Rom splines through the points of `_CURVES`: which four points [samples, 4] make each sample, with which
    weights [samples, 4], and where each curve ends."""
    taken, weights, ends = [], [], []
    for curve in _CURVES:
        for segment in range(len(curve) - 1):
            four = [curve[min(max(segment + step, 0), len(curve) - 1)] for step in range(-1, 3)]
            for t in np.arange(_SAMPLES) / _SAMPLES:
                taken.append(four)
                outer = (-t + 2 * t**2 - t**3, t**3 - t**2)
                inner = (2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3)
                weights.append([outer[0] / 2, inner[0] / 2, inner[1] / 2, outer[1] / 2])
        taken.append([curve[-1]] * 4)
        weights.append([1.0, 0.0, 0.0, 0.0])
        ends.append(len(taken))
    return np.array(taken), np.array(weights, np.float32), tuple(ends)
