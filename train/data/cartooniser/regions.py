"""Where what is: the person, the skin, and the places where features are drawn."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.guidance import Curve, FaceShape, fill
from toonfilter.train.data.flow import Plane
from toonfilter.train.data.guided_filter import guided_filter

_FRAME_LOW, _FRAME_HIGH = 0.045, 0.07
"""Relative contrast of bars across the nose and below the eyes from which on frames may be, and surely are, there."""


@dataclass(frozen=True, slots=True)
class Regions:
    """Soft masks float32 [S, S], 0 to 1.

    person: head, hair, neck and shoulders. face: inside the face's outline. features: eyes, brows, nose and lips, where
    the photo is painted over. skin: skin anywhere on the person, features excluded. glasses: where frames are looked
    for, times how certain it is that there are any.
    """

    person: Plane
    face: Plane
    features: Plane
    skin: Plane
    glasses: Plane


def smoothstep(values: Plane, low: float, high: float) -> Plane:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def filled(outline: Curve, size: int) -> Plane:
    """An outline as a mask float32 [S, S], anti-aliased."""
    canvas = np.zeros((size, size), np.uint8)
    fill(canvas, outline, 255)
    return canvas.astype(np.float32) / 255


def refine_matte(coarse: Plane, photo: NDArray[np.uint8]) -> Plane:
    """A segmentation's probability, made to follow the photo's edges, nearly binary with a soft edge."""
    size = photo.shape[0]
    refined = guided_filter(coarse, photo, radius_px=max(2, size // 64), levels=0.03 * 255)
    refined = cv2.GaussianBlur(refined, (0, 0), size / 260)
    return smoothstep(refined, 0.3, 0.7)


def find_regions(lab: NDArray[np.float32], shape: FaceShape, person: Plane) -> Regions:
    """Masks of one crop. lab: float32 [S, S, 3], CIE L*a*b*."""
    size = lab.shape[0]
    unit = shape.unit_px
    face = cv2.GaussianBlur(filled(shape.face, size), (0, 0), 0.008 * unit)
    features = _feature_mask(shape, size)
    glasses = _glasses(lab[..., 0], shape)
    features = features * (1 - glasses)
    skin = _skin(lab, face, features, person, unit)
    return Regions(person, face, features, skin, glasses)


def _glasses(lightness: Plane, shape: FaceShape) -> Plane:
    """Where frames may be, times how certain it is that there are any; see `_frame_contrast`."""
    size, unit = lightness.shape[0], shape.unit_px
    contrast = _frame_contrast(lightness, shape)
    certainty = float(np.clip((contrast - _FRAME_LOW) / (_FRAME_HIGH - _FRAME_LOW), 0, 1))
    if certainty == 0:
        return np.zeros_like(lightness)
    zone = np.zeros((size, size), np.uint8)
    hull = cv2.convexHull(np.concatenate([eye.opening for eye in shape.eyes]))[:, 0]
    fill(zone, hull, 255)
    zone = cv2.dilate(zone, _ellipse(0.15 * unit))
    keep_out = np.zeros_like(zone)
    for eye in shape.eyes:
        fill(keep_out, cv2.convexHull(np.concatenate([eye.opening, eye.crease]))[:, 0], 255)
    keep_out = cv2.dilate(keep_out, _ellipse(0.022 * unit))
    for brow in shape.brows:
        fill(keep_out, brow, 255)
    keep_out = cv2.dilate(keep_out, _ellipse(0.008 * unit))
    soft = cv2.GaussianBlur(cv2.subtract(zone, keep_out), (0, 0), 0.008 * unit)
    mask: Plane = soft.astype(np.float32) * np.float32(certainty / 255)
    return mask


def _frame_contrast(lightness: Plane, shape: FaceShape) -> float:
    """Frames cross the bridge of the nose and run below both eyes; a frown only does the first."""
    unit = shape.unit_px
    inner = [eye.upper[-1] for eye in shape.eyes]
    bridge = _bar(
        lightness, inner[0] + (inner[1] - inner[0]) * np.linspace(0.3, 0.7, 9)[:, None], -0.07 * unit, 0.12 * unit
    )
    third = len(shape.eyes[0].lower) // 3
    below = [_bar(lightness, eye.lower[third : 2 * third + 1], 0.035 * unit, 0.2 * unit) for eye in shape.eyes]
    return float(np.sqrt(max(bridge, 0) * max(sum(below) / 2, 0)))


def _bar(lightness: Plane, places: Curve, start_px: float, end_px: float) -> float:
    """The relative contrast of a thin horizontal bar below `places`; a step from light to dark is none."""
    down = np.arange(start_px, end_px, 1.0, dtype=np.float32)
    x = np.broadcast_to(places[:, 0].astype(np.float32), (len(down), len(places)))
    y = places[:, 1].astype(np.float32) + down[:, None]
    column = cv2.remap(lightness, np.ascontiguousarray(x), y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    column = cv2.GaussianBlur(column, (1, 5), 0.0, sigmaY=1.2)
    change = np.diff(column, axis=0) / (column[:-1] + 12)
    return float(np.median(np.minimum(change.max(0), -change.min(0))))


def _feature_mask(shape: FaceShape, size: int) -> Plane:
    canvas = np.zeros((size, size), np.uint8)
    unit = shape.unit_px
    for eye in shape.eyes:
        fill(canvas, cv2.convexHull(np.concatenate([eye.opening, eye.crease]))[:, 0], 255)
    nose = np.concatenate([*shape.nose_wings, shape.nose_base])
    fill(canvas, cv2.convexHull(nose)[:, 0], 255)
    fill(canvas, cv2.convexHull(shape.lips.outline)[:, 0], 255)
    grown = cv2.dilate(canvas, _ellipse(0.045 * unit))
    brows = np.zeros_like(canvas)
    for brow in shape.brows:
        fill(brows, brow, 255)
    grown = np.maximum(grown, cv2.dilate(brows, _ellipse(0.035 * unit)))
    mask: Plane = cv2.GaussianBlur(grown, (0, 0), 0.008 * unit).astype(np.float32) / 255
    return mask


def _ellipse(radius_px: float) -> NDArray[np.uint8]:
    side = 2 * max(1, round(radius_px)) + 1
    kernel: NDArray[np.uint8] = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return kernel


def _skin(lab: NDArray[np.float32], face: Plane, features: Plane, person: Plane, unit: float) -> Plane:
    """Skin by its colour, relative to lightness so that shadows on skin stay skin."""
    light = cv2.GaussianBlur(lab, (0, 0), 0.012 * unit)
    tone = np.log(np.maximum(light[..., 0], 2.0))
    red = light[..., 1] / (light[..., 0] + 15)
    yellow = light[..., 2] / (light[..., 0] + 15)
    inner = (face > 0.9) & (features < 0.1)
    if inner.sum() < 50:
        return face * (1 - features)
    distance = np.zeros_like(tone)
    for plane, spread_low, spread_high in ((tone, 0.42, 0.55), (red, 0.13, 0.13), (yellow, 0.16, 0.16)):
        middle = float(np.median(plane[inner]))
        away = plane - middle
        distance += (away / np.where(away < 0, np.float32(spread_low), np.float32(spread_high))) ** 2
    likely = 1 - smoothstep(distance.astype(np.float32), 1.0, 3.2)
    levels = (likely * 255).astype(np.uint8)
    # Wrinkles and moles inside the face are skin; a fringe is wider and stays.
    closed = cv2.morphologyEx(levels, cv2.MORPH_CLOSE, _ellipse(0.03 * unit))
    levels = cv2.medianBlur(np.where(face > 0.8, closed, levels), 7)
    likely = levels.astype(np.float32) / 255
    small = cv2.resize(face, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(cv2.dilate(small, _ellipse(0.3 * unit / 8)), (0, 0), 0.06 * unit / 8)
    reach = cv2.resize(small, face.shape[::-1], interpolation=cv2.INTER_LINEAR)
    # Fair hair has the colour of skin, but not its smoothness.
    detail = np.abs(lab[..., 0] - cv2.GaussianBlur(lab[..., 0], (0, 0), 0.015 * unit)) / (light[..., 0] + 15)
    rough = smoothstep(cv2.GaussianBlur(detail, (0, 0), 0.03 * unit), 0.012, 0.03)
    likely = likely * (1 - rough * (1 - face))
    skin: Plane = likely * person * reach * (1 - features)
    return skin
