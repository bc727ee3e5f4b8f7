"""Varied backgrounds in place of uniform ones: a network that only sees blue studio backdrops learns the backdrop."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.train.data.cartooniser.regions import smoothstep
from toonfilter.train.data.cartooniser.tones import spread_from

Plane = NDArray[np.float32]

UNIFORM_LEVELS = 42.0
"""Below this spread, in 8-bit levels, a background counts as uniform (a studio's backdrop has a soft gradient)."""


def is_uniform(photo: NDArray[np.uint8], matte: Plane) -> bool:
    """Whether what lies behind the person is one colour. photo: uint8 [S, S, 3]. matte: float32 [S, S], 0 to 1."""
    behind = cv2.GaussianBlur(photo, (0, 0), 2)[matte < 0.05]
    if len(behind) < 0.03 * matte.size:
        return True
    low, high = np.percentile(behind, [15, 85], axis=0)
    return bool((high - low).max() < UNIFORM_LEVELS)


def draw_backdrop(size: int, seed: int) -> NDArray[np.uint8]:
    """A made-up place, out of focus: a gradient, some boxes and lights; uint8 [size, size, 3]."""
    random = np.random.default_rng(seed)
    brightness = random.uniform(40, 220)
    ends = np.clip(brightness + random.normal(0, 28, (2, 3)) + random.normal(0, 18, (2, 1)), 5, 250)
    angle = random.uniform(0, 2 * np.pi)
    axis = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    place = np.clip(0.5 + axis[None, :] * np.cos(angle) + axis[:, None] * np.sin(angle), 0, 1)
    picture = (ends[0] + place[..., None] * (ends[1] - ends[0])).astype(np.float32)
    for _ in range(random.integers(2, 14)):
        colour = np.clip(brightness + random.normal(0, 35) + random.normal(0, 22, 3), 0, 255).tolist()
        x, y = (int(value) for value in random.integers(0, size, 2))
        width, height = (int(value) for value in random.integers(size // 20, size // 2, 2))
        if random.random() < 0.6:
            cv2.rectangle(picture, (x - width, y - height), (x + width // 2, y + height // 2), colour, cv2.FILLED)
        else:
            cv2.ellipse(picture, (x, y), (width // 3, height // 3), 0, 0, 360, colour, cv2.FILLED)
    picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.004, 0.04) * size)
    picture += random.normal(0, random.uniform(0, 4), picture.shape)
    drawn: NDArray[np.uint8] = np.clip(picture, 0, 255).astype(np.uint8)
    return drawn


def replace_backdrop(photo: NDArray[np.uint8], matte: Plane, backdrop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put a person before another background; the old one's colour is taken out of the soft edge."""
    colours = photo.astype(np.float32)
    core = smoothstep(cv2.erode(matte, np.ones((5, 5), np.uint8)), 0.6, 1.0)
    own = spread_from(colours, core, (2.0, 5.0, 12.0))
    person = own + core[..., None] * (colours - own)
    alpha = matte[..., None]
    together: NDArray[np.uint8] = np.clip(backdrop + alpha * (person - backdrop), 0, 255).astype(np.uint8)
    return together
