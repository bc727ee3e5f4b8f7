"""Things laid before faces, with exact labels: masks, microphones, hands, and headwear from other pictures."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import CHIN, FOREHEAD, INNER_LIPS, MEDICAL_MASK, OFTEN_TOUCHED, STRAPS
from toonfilter.train.data.fields.face_frame import fill_polygon
from toonfilter.train.data.fields.layers import Layer

_MASK_COLOURS = np.array([[0.75, 0.85, 0.92], [0.93, 0.93, 0.93], [0.1, 0.1, 0.11], [0.5, 0.7, 0.75], [0.3, 0.3, 0.4]])


def put_on_mask(layer: Layer, rng: np.random.Generator) -> None:
    """A surgical or cloth mask over nose, mouth and chin."""
    if layer.landmarks is None:
        return
    points = layer.landmarks[:, :2]
    outline = points[list(MEDICAL_MASK)].copy()
    down = points[CHIN] - points[FOREHEAD]
    outline[11:31] += down * rng.uniform(0.0, 0.06)
    side = layer.picture.shape[0]
    mask = fill_polygon(outline, side)
    base = (_MASK_COLOURS[rng.integers(len(_MASK_COLOURS))] if rng.random() < 0.7 else rng.uniform(0, 1, 3)) * (
        rng.uniform(0.75, 1.05)
    )
    light = cv2.GaussianBlur(layer.picture.mean(-1), (0, 0), side / 14)
    shade = np.clip(
        0.45 + light / max(float(light[mask > 0.5].mean()) if (mask > 0.5).any() else 1, 0.05) * 0.55, 0.3, 1.3
    )
    colour = base.astype(np.float32) * shade[..., None]
    y, x = np.mgrid[:side, :side].astype(np.float32)
    height = max(float(np.linalg.norm(down)), 4.0)
    along = ((x - points[5, 0]) * down[0] + (y - points[5, 1]) * down[1]) / height
    colour = colour * (1 + 0.12 * np.sin(along / height * rng.uniform(30, 70)) * (rng.random() < 0.6))[..., None]
    straps = np.zeros((side, side), np.uint8)
    for start, ear in STRAPS:
        line = np.rint(np.array([points[start], points[ear]]) * 16).astype(np.int32)
        cv2.polylines(straps, [line], False, 255, max(1, round(0.012 * height)), cv2.LINE_AA, 4)
    mask = np.maximum(mask, straps.astype(np.float32) / 255 * (1 - layer.plane("hair")))
    layer.cover(mask, np.clip(colour, 0, 1).astype(np.float32), {"over": 1.0, "person": 1.0})


def hold_microphone(layer: Layer, rng: np.random.Generator) -> None:
    """A ball or a foam on a handle, near the mouth."""
    if layer.landmarks is None:
        return
    points = layer.landmarks[:, :2].astype(np.float64)
    height = max(float(np.linalg.norm(points[CHIN] - points[FOREHEAD])), 4.0)
    side = layer.picture.shape[0]
    mouth = (points[INNER_LIPS[0]] + points[INNER_LIPS[1]]) / 2
    middle = mouth + rng.normal(0, 0.10, 2) * height + (points[CHIN] - points[FOREHEAD]) * rng.uniform(0.05, 0.3)
    radius = height * rng.uniform(0.07, 0.17)
    angle = rng.uniform(0.15, 0.85) * np.pi
    end = middle + np.array([np.cos(angle), np.sin(angle)]) * height * rng.uniform(0.6, 2.5)
    canvas = np.zeros((2, side, side), np.uint8)
    cv2.line(canvas[0], _at(middle), _at(end), 255, max(1, round(radius * rng.uniform(0.5, 1.3))), cv2.LINE_AA, 4)
    axes = (round(radius * 16), round(radius * rng.uniform(0.9, 1.4) * 16))
    cv2.ellipse(canvas[1], _at(middle), axes, float(np.degrees(angle)) - 90, 0, 360, 255, -1, cv2.LINE_AA, 4)
    handle, ball = canvas.astype(np.float32) / 255
    y, x = np.mgrid[:side, :side].astype(np.float32)
    gloss = 1.2 - 0.5 * np.hypot(x - middle[0] + radius * 0.3, y - middle[1] + radius * 0.4) / (radius + 1)
    grain = 1 + rng.normal(0, 0.15, (side, side)).astype(np.float32)
    base = rng.uniform(0.03, 0.3) if rng.random() < 0.75 else rng.uniform(0.3, 0.9)
    tint = rng.uniform(0.85, 1.15, 3) if rng.random() < 0.8 else rng.uniform(0.2, 1.6, 3)
    colour = np.clip((base * gloss * grain)[..., None] * tint, 0, 1).astype(np.float32)
    dark = np.array(rng.uniform(0.02, 0.35) * rng.uniform(0.9, 1.1, 3), np.float32)
    layer.cover(handle, dark, {"over": 1.0})
    layer.cover(ball, colour, {"over": 1.0})


def _at(place: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(place[0]) * 16), round(float(place[1]) * 16)


def lay_hand(layer: Layer, hands: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """One of hands uint8 [N, 160, 160, 4] before the face, in the tone of its skin, half of the time with a sleeve."""
    if layer.landmarks is None or not len(hands):
        return
    points = layer.landmarks[:, :2].astype(np.float64)
    height = max(float(np.linalg.norm(points[CHIN] - points[FOREHEAD])), 4.0)
    hand = hands[rng.integers(len(hands))]
    size_px = height * rng.uniform(0.7, 1.25)
    target = points[OFTEN_TOUCHED[rng.integers(6)]] + rng.normal(0, 0.15, 2) * height
    skin = layer.plane("skin") > 0.9
    colour = np.median(layer.picture[skin], 0).astype(np.float32) if skin.sum() > 20 else None
    if rng.random() < 0.7:
        # The hands come from soft clips; nothing shall be taken for a hand because it is soft.
        layer.picture[:] = cv2.GaussianBlur(layer.picture, (0, 0), rng.uniform(0.4, 1.8) * height / 90)
    hand = _sharpened(hand, rng.uniform(0.0, 2.0))
    place_hand(layer, hand, target, size_px, rng, skin=colour, over=True)


def _sharpened(hand: NDArray[np.uint8], amount: float) -> NDArray[np.uint8]:
    colour = hand[..., :3].astype(np.float32)
    sharp = colour + (colour - cv2.GaussianBlur(colour, (0, 0), 2.0)) * np.float32(amount)
    return np.dstack([np.clip(sharp, 0, 255).astype(np.uint8), hand[..., 3]])


def place_hand(
    layer: Layer,
    hand: NDArray[np.uint8],
    target: NDArray[np.float64],
    size_px: float,
    rng: np.random.Generator,
    *,
    skin: NDArray[np.float32] | None,
    over: bool,
) -> None:
    """One hand uint8 [160, 160, 4] with its middle at target (x, y px), turned by chance, in the tone of skin [3].

    over: it lies before a face.
    """
    side = layer.picture.shape[0]
    if rng.random() < 0.5:
        hand = hand[:, ::-1]
    while size_px < hand.shape[0] / 2:
        hand = cv2.resize(np.ascontiguousarray(hand), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    angle, zoom = rng.normal(0, 0.6), size_px / hand.shape[0]
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = (hand.shape[0] - 1) / 2
    matrix = np.column_stack([turn, target - turn @ np.array([middle, middle])])
    placed = cv2.warpAffine(np.ascontiguousarray(hand), matrix, (side, side), flags=cv2.INTER_LINEAR)
    colour = placed[..., :3].astype(np.float32) / 255
    mask = placed[..., 3].astype(np.float32) / 255
    inside = mask > 0.5
    if skin is not None and inside.sum() > 5:
        # Hands and face belong to one person.
        ratio = skin / np.maximum(np.median(colour[inside], 0), 0.05)
        colour = colour * np.clip(ratio, 0.2, 3.0).astype(np.float32) * np.float32(rng.uniform(0.85, 1.15))
    shadow = cv2.GaussianBlur(mask, (0, 0), max(size_px * 0.03, 0.6))
    layer.picture *= 1 - 0.3 * (shadow * (1 - mask) * layer.plane("person"))[..., None]
    layer.cover(mask, np.clip(colour, 0, 1), {"over": float(over), "skin": 1.0, "person": 1.0})


def put_on_headwear(layer: Layer, donor: Layer, rng: np.random.Generator) -> None:
    """The headwear of another picture, already laid where the head of this one is."""
    mask = donor.plane("headwear").copy()
    if mask.max() < 0.5 or layer.landmarks is None:
        return
    colour = donor.picture
    if rng.random() < 0.5:
        colour = np.clip(colour * rng.uniform(0.5, 1.5, 3), 0, 1).astype(np.float32)
    tone, ink = donor.plane("tone").copy(), donor.plane("ink").copy()
    layer.cover(mask, colour, {"headwear": 1.0, "person": 1.0})
    layer.plane("tone")[:] += (tone - layer.plane("tone")) * mask
    layer.plane("ink")[:] += (ink - layer.plane("ink")) * mask
