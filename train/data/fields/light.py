"""Changes of colour and light, for the whole picture and for single regions; the tone plane follows."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.train.data.fields.layers import Layer


def change_regions(layer: Layer, rng: np.random.Generator) -> None:
    """Other colours for hair and cloth, each by chance."""
    if rng.random() < 0.25:
        _recolour(layer, layer.plane("hair") * (1 - layer.plane("headwear")), rng, strongest=2.2)
    if rng.random() < 0.4:
        skin = layer.plane("skin") > 0.95
        taken = layer.plane("hair") + layer.plane("skin") + layer.plane("beard") + layer.plane("over")
        cloth = np.clip(layer.plane("person") - taken, 0, 1)
        if rng.random() < 0.3 and skin.sum() > 20 and (cloth > 0.95).sum() > 20:
            # Cloth of the colour of skin is cloth.
            likeness = np.median(layer.picture[skin], 0) / np.maximum(layer.picture[cloth > 0.95].mean(0), 0.08)
            _multiply(layer, cloth, (np.clip(likeness, 0.2, 6) * rng.uniform(0.85, 1.15, 3)).astype(np.float32), 0.0)
        else:
            _recolour(layer, cloth, rng, strongest=2.0)


def _recolour(layer: Layer, mask: NDArray[np.float32], rng: np.random.Generator, *, strongest: float) -> None:
    gain = float(np.exp(rng.uniform(-np.log(strongest), np.log(strongest))))
    tint = np.exp(rng.normal(0, 0.18, 3)).astype(np.float32)
    lift = np.float32(rng.uniform(0.0, 0.08))
    factors = tint * np.float32(gain)
    _multiply(layer, mask, factors, float(lift))


def _multiply(layer: Layer, mask: NDArray[np.float32], factors: NDArray[np.float32], lift: float) -> None:
    changed = np.clip(layer.picture * factors + np.float32(lift), 0, 1)
    layer.picture += (changed - layer.picture) * mask[..., None]
    tone = layer.plane("tone")
    tone += (np.clip(tone * factors.mean() + np.float32(lift), 0, 1) - tone) * mask


def change_light(layer: Layer, rng: np.random.Generator) -> None:
    """Direction, exposure, gamma, white balance and saturation of the light on everything."""
    picture, tone = layer.picture, layer.plane("tone")
    side = picture.shape[0]
    if rng.random() < 0.4:
        angle = rng.uniform(0, 2 * np.pi)
        y, x = np.mgrid[:side, :side].astype(np.float32) / side - 0.5
        field = np.exp(np.float32(rng.uniform(0.2, 1.4)) * (x * np.cos(angle) + y * np.sin(angle))).astype(np.float32)
        colour = np.exp(rng.normal(0, 0.08, 3)).astype(np.float32)
        picture *= field[..., None] ** colour
        tone *= field
    if rng.random() < 0.8:
        gain = np.float32(np.exp(rng.normal(0, 0.22)))
        gamma = np.float32(np.exp(rng.normal(0, 0.25)))
        np.clip(picture * gain, 0, 1, out=picture)
        np.power(picture, gamma, out=picture)
        tone[:] = np.clip(tone * gain, 0, 1) ** gamma
    if rng.random() < 0.7:
        balance = np.exp(rng.normal(0, 0.09, 3)).astype(np.float32)
        picture *= balance
        tone *= balance.mean()
    if rng.random() < 0.5:
        grey = picture.mean(-1, keepdims=True)
        picture[:] = grey + (picture - grey) * np.float32(0 if rng.random() < 0.08 else rng.uniform(0.3, 1.5))
    np.clip(picture, 0, 1, out=picture)
    np.clip(tone, 0, 1, out=tone)


def photograph(picture: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """What a webcam makes of it: blur, low light, noise, JPEG. float32 [S, S, 3], 0 to 1, to uint8 [S, S, 3]."""
    side = picture.shape[0]
    if rng.random() < 0.4:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.8) * side / 224)
    if rng.random() < 0.15:
        small = max(32, round(side * rng.uniform(0.35, 0.8)))
        coarse = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
        picture = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.4:
        noise = rng.standard_normal(picture.shape, np.float32)
        if rng.random() < 0.4:
            noise = cv2.GaussianBlur(noise, (0, 0), 0.8) * 2
        picture = picture + noise * np.float32(rng.uniform(0.004, 0.05))
    levels = np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.35:
        quality = int(rng.integers(25, 90))
        _, packed = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        levels = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    return levels
