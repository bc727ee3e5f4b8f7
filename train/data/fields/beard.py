"""Beards and moustaches, where somebody saw one: the zone by the mesh, the hairs by colour and texture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import (
    BEARD_BOTTOM,
    BEARD_TOP,
    CHIN,
    FOREHEAD,
    GOATEE,
    LIPS,
    MOUSTACHE,
    NOSE_AREA,
)
from toonfilter.train.data.fields.attributes import Attributes
from toonfilter.train.data.fields.face_frame import FaceFrame, Plane, grown, smoothstep, soft_edges

STUBBLE_STRENGTH = 0.6
"""Level of stubble in the label, of 1."""

_MIN_SAMPLES = 40


def beard_mask(
    photo: NDArray[np.uint8],
    lab: NDArray[np.float32],
    hair: Plane,
    frame: FaceFrame,
    attributes: Attributes,
) -> Plane:
    """The beard float32 [S, S], 0 to 1; zeros where nobody saw one."""
    if attributes.facial_hair == "none":
        return np.zeros_like(hair)
    zone = _zone(frame, attributes.facial_hair)
    likely = _hairiness(lab, zone, hair, frame)
    lips = cv2.GaussianBlur(frame.filled(LIPS), (0, 0), max(frame.px(0.008), 0.5))
    mask: Plane = soft_edges(likely * zone, photo, 3, 0.02) * zone * (1 - lips)
    if attributes.facial_hair == "beard":
        # The hair network knows no beards: what it finds below the mouth of a short-haired man is one.
        half_width = 0.45 if attributes.hair in ("short", "bald", "covered") else 0.22
        below = smoothstep(frame.up, -0.3, -0.38) * smoothstep(np.abs(frame.across), half_width + 0.06, half_width)
        mask = np.maximum(mask, hair * below * (1 - lips))
    return mask * np.float32(STUBBLE_STRENGTH) if attributes.facial_hair == "stubble" else mask


def _zone(frame: FaceFrame, kind: str) -> Plane:
    points = frame.landmarks
    if kind == "moustache":
        zone = grown(frame.filled(MOUSTACHE, hull=True), frame.px(0.03))
        zone = zone * smoothstep(frame.up, -0.62, -0.57)
    elif kind == "goatee":
        zone = grown(frame.filled(GOATEE), frame.px(0.05))
    else:
        zone = frame.filled((*BEARD_BOTTOM, *BEARD_TOP))
        zone = np.maximum(zone, frame.filled(GOATEE))
        jaw = grown(zone, frame.px(0.06)) * smoothstep(frame.up, 0.0, -0.1)
        chin = points[CHIN]
        down = (points[CHIN] - points[FOREHEAD]) / max(float(np.linalg.norm(points[CHIN] - points[FOREHEAD])), 1e-3)
        reach = frame.px(0.10 if kind == "beard" else 0.04)
        below = np.stack([points[172], points[397], chin + (points[365] - chin) * 0.8 + down * reach,
                          chin + (points[136] - chin) * 0.8 + down * reach])  # fmt: skip
        zone = np.maximum(jaw, frame.filled(below, hull=True))
    nose = frame.filled(NOSE_AREA, hull=True)
    zone = zone * (1 - grown(nose, frame.px(0.004)))
    soft: Plane = cv2.GaussianBlur(zone, (0, 0), max(frame.px(0.012), 0.6))
    return soft


def _features(lab: NDArray[np.float32], frame: FaceFrame) -> NDArray[np.float32]:
    """Lightness, chroma, redness and roughness, float32 [S, S, 4]."""
    smooth = cv2.GaussianBlur(lab, (0, 0), max(frame.px(0.007), 0.6))
    detail = np.abs(lab[..., 0] - cv2.GaussianBlur(lab[..., 0], (0, 0), max(frame.px(0.02), 1.0)))
    rough = cv2.GaussianBlur(detail, (0, 0), max(frame.px(0.025), 1.0)) / (smooth[..., 0] + 12)
    return np.dstack([smooth[..., 0], smooth[..., 1], smooth[..., 2], rough * 150]).astype(np.float32)


def _hairiness(lab: NDArray[np.float32], zone: Plane, hair: Plane, frame: FaceFrame) -> Plane:
    """How likely each pixel of the zone is hair and not skin: two Gaussians, fitted from sure places and refined."""
    features = _features(lab, frame)
    face = grown(frame.face(), -frame.px(0.05)) > 0.5
    bare = face & (zone < 0.05) & (frame.up < 0.02) & (frame.up > -0.36) & (np.abs(frame.across) < 0.3) & (hair < 0.3)
    inside = zone > 0.5
    if bare.sum() < _MIN_SAMPLES or inside.sum() < _MIN_SAMPLES:
        return zone
    skin_middle, skin_precision, skin_volume = _gaussian(features[bare], 4.0)
    away = ((features - skin_middle) @ skin_precision * (features - skin_middle)).sum(-1)
    threshold = max(float(np.percentile(away[inside], 55)), 4.0)
    chosen = inside & ((away > threshold) | (hair > 0.7))
    posterior: Plane = np.clip(away / (2 * threshold), 0, 1).astype(np.float32)
    for _ in range(3):
        if chosen.sum() < _MIN_SAMPLES:
            return posterior
        middle, precision, volume = _gaussian(features[chosen], 4.0)
        distance = ((features - middle) @ precision * (features - middle)).sum(-1)
        posterior = 1 / (1 + np.exp(np.clip((distance + volume - away - skin_volume) / 4, -30, 30)))
        posterior = np.maximum(posterior, smoothstep(hair, 0.5, 0.9)).astype(np.float32)
        chosen = inside & (posterior > 0.5)
    soft: Plane = cv2.GaussianBlur(posterior, (0, 0), max(frame.px(0.012), 0.6))
    return soft


def _gaussian(samples: NDArray[np.float32], floor: float) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Middle, precision and log determinant of samples float32 [N, 4]; floor: added variance."""
    middle = np.median(samples, 0)
    inner = samples[np.abs(samples - middle).sum(1) <= np.percentile(np.abs(samples - middle).sum(1), 90)]
    covariance = np.cov(inner.T) + floor * np.eye(samples.shape[1])
    return middle, np.linalg.inv(covariance).astype(np.float32), float(np.linalg.slogdet(covariance)[1])
