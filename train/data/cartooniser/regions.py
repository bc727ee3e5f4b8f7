"""Where what is: the person, the skin, and the places where features are drawn."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.guidance import Curve, FaceShape, fill
from toonfilter.train.data.cartooniser.flow import Plane


@dataclass(frozen=True, slots=True)
class Regions:
    """Soft masks float32 [S, S], 0 to 1.

    person: head, hair, neck and shoulders. face: inside the face's outline. features: eyes, brows, nose and lips, where
    the photo is painted over. skin: skin anywhere on the person, features excluded.
    """

    person: Plane
    face: Plane
    features: Plane
    skin: Plane


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
    refined = cv2.ximgproc.guidedFilter(photo, coarse, max(2, size // 64), (0.03 * 255) ** 2)
    refined = cv2.GaussianBlur(refined, (0, 0), size / 260)
    return smoothstep(refined, 0.3, 0.7)


def find_regions(lab: NDArray[np.float32], shape: FaceShape, person: Plane) -> Regions:
    """Masks of one crop. lab: float32 [S, S, 3], CIE L*a*b*."""
    size = lab.shape[0]
    unit = shape.unit_px
    face = cv2.GaussianBlur(filled(shape.face, size), (0, 0), 0.008 * unit)
    features = _feature_mask(shape, size)
    skin = _skin(lab, face, features, person, unit)
    return Regions(person, face, features, skin)


def _feature_mask(shape: FaceShape, size: int) -> Plane:
    canvas = np.zeros((size, size), np.uint8)
    unit = shape.unit_px
    for eye in shape.eyes:
        fill(canvas, cv2.convexHull(np.concatenate([eye.opening, eye.crease]))[:, 0], 255)
    nose = np.concatenate([*shape.nose_wings, shape.nose_base])
    fill(canvas, cv2.convexHull(nose)[:, 0], 255)
    fill(canvas, cv2.convexHull(shape.lips)[:, 0], 255)
    grown = cv2.dilate(canvas, _ellipse(0.045 * unit))
    brows = np.zeros_like(canvas)
    for brow in shape.brows:
        fill(brows, brow, 255)
    grown = np.maximum(grown, cv2.dilate(brows, _ellipse(0.035 * unit)))
    return cv2.GaussianBlur(grown, (0, 0), 0.008 * unit).astype(np.float32) / 255


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
    likely = cv2.medianBlur((likely * 255).astype(np.uint8), 7).astype(np.float32) / 255
    reach = cv2.GaussianBlur(cv2.dilate(face, _ellipse(0.3 * unit)), (0, 0), 0.06 * unit)
    return likely * person * reach * (1 - features)
