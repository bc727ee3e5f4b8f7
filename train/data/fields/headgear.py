"""Caps, headscarves and bald heads painted onto heads that have hair: there are few of them among the pictures."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.train.data.fields.face_frame import FaceFrame, Plane, face_frame, grown, smoothstep
from toonfilter.train.data.fields.layers import Layer
from toonfilter.train.data.fields.matting import filled_from_around

_LARGEST_HAIR = 1.1
"""Hair with a larger area, in squared face heights, is not shaved: the skull below would be too large."""


_MOST_TURNED = 0.14
"""Caps are drawn for heads whose nose lies at most so far, in face heights, beside the bridge of the nose."""


def put_on_cap(layer: Layer, rng: np.random.Generator) -> None:
    """A knitted or plain cap down to the forehead, half of the time with a visor."""
    if layer.landmarks is None:
        return
    frame = face_frame(layer.landmarks, layer.picture.shape[0])
    nose = layer.landmarks[1, :2].astype(int)
    if not (nose.min() >= 0 and nose.max() < frame.size) or abs(frame.across[nose[1], nose[0]]) > _MOST_TURNED:
        return
    line = rng.uniform(0.2, 0.3) - rng.uniform(0.1, 0.9) * frame.across**2
    head = _head(layer, frame, frame.px(rng.uniform(0.015, 0.06)))
    mask = head * smoothstep(frame.up - line, -0.008, 0.008) * smoothstep(np.abs(frame.across), 0.62, 0.56)
    colour = _cloth(frame, rng)
    if rng.random() < 0.5:
        band = smoothstep(frame.up - line, rng.uniform(0.1, 0.16), 0.09)
        colour = colour * (1 - 0.25 * band[..., None])
    layer.cover(mask, np.clip(colour, 0, 1), {"headwear": 1.0, "person": 1.0})
    if rng.random() < 0.4:
        depth, width = rng.uniform(0.06, 0.16), rng.uniform(0.3, 0.42)
        edge = line - depth * np.sqrt(np.clip(1 - (frame.across / width) ** 2, 0, 1))
        visor = smoothstep(frame.up - edge, -0.008, 0.008) * smoothstep(frame.up - line, 0.03, 0.0)
        visor = visor * (np.abs(frame.across) < width)
        shade = colour * rng.uniform(0.5, 1.0)
        layer.cover(visor.astype(np.float32), np.clip(shade, 0, 1), {"headwear": 1.0, "person": 1.0})


def put_on_scarf(layer: Layer, rng: np.random.Generator) -> None:
    """A scarf around head and neck that leaves the face free."""
    if layer.landmarks is None:
        return
    frame = face_frame(layer.landmarks, layer.picture.shape[0])
    reach = rng.uniform(-1.0, -0.7)
    head = _head(layer, frame, frame.px(rng.uniform(0.03, 0.09))) * smoothstep(frame.up, reach - 0.03, reach)
    free = grown(frame.face(), frame.px(rng.uniform(-0.03, 0.01)) or 1.0)
    free = free * smoothstep(frame.up, rng.uniform(0.26, 0.36), 0.24)
    free = cv2.GaussianBlur(free, (0, 0), max(frame.px(0.008), 0.5))
    colour = _cloth(frame, rng)
    layer.cover(head * (1 - free), np.clip(colour, 0, 1), {"headwear": 1.0, "person": 1.0})


def shave(layer: Layer, rng: np.random.Generator) -> None:
    """Skin in place of short hair."""
    if layer.landmarks is None:
        return
    frame = face_frame(layer.landmarks, layer.picture.shape[0])
    skin = layer.plane("skin") > 0.9
    hair = layer.plane("hair")
    if skin.sum() < 30 or float(hair.sum()) > _LARGEST_HAIR * frame.height_px**2:
        return
    known = (layer.plane("skin") > 0.95) & (hair < 0.02) & (frame.up > -0.15)
    if known.sum() < 30:
        return
    photo = np.clip(layer.picture * 255, 0, 255).astype(np.uint8)
    colour = filled_from_around(photo, grown(known.astype(np.float32), -1.0)).astype(np.float32) / 255
    round_head = 1 + rng.uniform(0.0, 0.25) - rng.uniform(0.5, 1.3) * np.maximum(np.abs(frame.across) - 0.15, 0)
    x, y = rng.uniform(-0.2, 0.2), rng.uniform(0.3, 0.5)
    gloss = rng.uniform(0, 0.3) * np.exp(-(((frame.across - x) / 0.1) ** 2) - ((frame.up - y) / 0.06) ** 2)
    colour = colour * np.clip(1 + (round_head - 1) * smoothstep(hair, 0, 1) + gloss, 0.4, 1.5)[..., None]
    grain = rng.standard_normal(hair.shape, np.float32) * np.float32(rng.uniform(0, 0.012))
    mask = smoothstep(cv2.GaussianBlur(grown(hair, 1.5), (0, 0), 1.0), 0.1, 0.6)
    layer.cover(mask, np.clip(colour + grain[..., None], 0, 1).astype(np.float32), {"skin": 1.0})
    layer.plane("person")[:] = np.maximum(layer.plane("person"), mask)


def _head(layer: Layer, frame: FaceFrame, wider_px: float) -> Plane:
    """Hair, skin and face above the shoulders, grown by some pixels, with a smooth outline."""
    near = smoothstep(np.abs(frame.across), 0.75, 0.65) * smoothstep(frame.up, -1.2, -1.0)
    whole = np.maximum(np.maximum(layer.plane("hair"), layer.plane("skin")), layer.plane("beard"))
    whole = grown(np.maximum(whole, frame.face()) * near, max(wider_px, 1.0))
    return smoothstep(cv2.GaussianBlur(whole, (0, 0), max(frame.px(0.03), 0.8)), 0.4, 0.6)


def _cloth(frame: FaceFrame, rng: np.random.Generator) -> NDArray[np.float32]:
    """Cloth on a round head: plain, knitted, striped or printed; float32 [S, S, 3]."""
    base = rng.uniform(0.03, 0.9, 3) if rng.random() < 0.6 else rng.uniform(0.03, 0.6) * np.ones(3)
    side = frame.size
    folds = cv2.resize(rng.standard_normal((11, 11), np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    shade = 1.1 - rng.uniform(0.6, 1.6) * frame.across**2 + rng.uniform(0.02, 0.12) * folds
    colour = base * shade[..., None]
    kind = rng.random()
    if kind < 0.35:
        period = rng.uniform(0.015, 0.05)
        knit = np.sin(frame.across / period * 2 * np.pi) * (1 if rng.random() < 0.5 else np.sin(frame.up / period * 6))
        colour = colour * (1 + rng.uniform(0.08, 0.25) * knit)[..., None]
    elif kind < 0.5:
        stripes = np.sin(frame.up / rng.uniform(0.03, 0.12) * 2 * np.pi) > rng.uniform(-0.3, 0.6)
        colour = np.where(stripes[..., None], rng.uniform(0, 1, 3) * shade[..., None], colour)
    elif kind < 0.62:
        spots = np.sin(frame.up / 0.02 + 3 * folds) * np.sin(frame.across / 0.02) > 0.5
        colour = np.where(spots[..., None], rng.uniform(0, 1, 3) * shade[..., None], colour)
    painted: NDArray[np.float32] = colour.astype(np.float32)
    return painted
