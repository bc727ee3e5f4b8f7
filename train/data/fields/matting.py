"""Colours of a person beyond its edge and of a room behind the person, for pasting one before another."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.train.data.fields.face_frame import Plane, smoothstep

Image = NDArray[np.uint8]


def filled_from_around(photo: Image, known: Plane) -> Image:
    """The photo where known is 1; elsewhere colours of the nearest known places, smooth with the distance.

    photo: uint8 [S, S, 3]. known: float32 [S, S], 0 to 1. Push and pull over a pyramid.
    """
    levels = [(photo.astype(np.float32) * known[..., None], known.astype(np.float32))]
    while min(levels[-1][1].shape) > 3:
        colour, weight = levels[-1]
        half = (max(1, weight.shape[1] // 2), max(1, weight.shape[0] // 2))
        levels.append(
            (
                cv2.resize(colour, half, interpolation=cv2.INTER_AREA),
                cv2.resize(weight, half, interpolation=cv2.INTER_AREA),
            )
        )
    colour, weight = levels[-1]
    answer = colour / np.maximum(weight, 1e-4)[..., None]
    for colour, weight in reversed(levels[:-1]):
        coarse = cv2.resize(answer, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        sure = np.minimum(weight * 4, 1)[..., None]
        answer = coarse * (1 - sure) + colour / np.maximum(weight, 1e-4)[..., None] * sure
    image: Image = np.clip(answer + 0.5, 0, 255).astype(np.uint8)
    return image


def foreground_and_background(photo: Image, person: Plane) -> tuple[Image, Image]:
    """The photo with the person's colours continued outwards; the photo with the person filled in from around."""
    outwards = filled_from_around(photo, smoothstep(person, 0.85, 0.98))
    inside = smoothstep(person, 0.6, 0.95)[..., None]
    foreground = photo * inside + outwards * (1 - inside)
    kernel = np.ones((5, 5), np.uint8)
    background = filled_from_around(photo, smoothstep(cv2.dilate(person, kernel), 0.12, 0.02))
    return foreground.astype(np.uint8), background
