"""Bodies below the heads of far people: the stored pictures end at the shoulders, cameras do not."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.landmarks import CHIN, FOREHEAD
from toonfilter.train.data.fields.layers import Layer
from toonfilter.train.data.fields.occluders import place_hand

_LEAST_WIDTH_PX = 4


def stand(view: Layer, person: Layer, lowest_y_px: float, hands: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Draw chest, arms and legs into the view where the person's picture ends, half of the time with hands in front.

    view: what the person will be pasted onto; hands go before both. lowest_y_px: the end of the person's picture.
    """
    side = view.picture.shape[0]
    row = min(int(lowest_y_px) - 2, side - 1)
    if person.landmarks is None or lowest_y_px >= side - 2 or row < 2:
        return
    columns = np.flatnonzero(person.plane("person")[row] > 0.5)
    if len(columns) < _LEAST_WIDTH_PX:
        return
    head = max(float(np.linalg.norm(person.landmarks[CHIN, :2] - person.landmarks[FOREHEAD, :2])), 3.0)
    left, right = float(columns[0]), float(columns[-1])
    middle, half = (left + right) / 2, (right - left) / 2
    top = lowest_y_px - 1.5
    hips = top + head * rng.uniform(1.3, 2.0)
    waist = half * rng.uniform(0.65, 1.0)
    chest = [(left, top), (right, top), (middle + half * 1.08, top + 0.4 * head), (middle + waist, hips),
             (middle - waist, hips), (middle - half * 1.08, top + 0.4 * head)]  # fmt: skip
    gap = waist * rng.uniform(0.05, 0.4)
    feet = hips + head * rng.uniform(1.5, 3.5)
    legs = [
        [(middle + s * gap * 0.2, hips - 1), (middle + s * waist, hips - 1), (middle + s * waist * 0.9, feet),
         (middle + s * gap, feet)] for s in (-1, 1)
    ]  # fmt: skip
    cloth = _cloth_colour(person, row, columns, rng)
    trousers = rng.uniform(0.03, 0.8, 3) if rng.random() < 0.3 else np.full(3, rng.uniform(0.03, 0.5))
    for outline in legs:
        _dress(view, outline, trousers, rng)
    _dress(view, chest, cloth, rng)
    for sign in (-1, 1):
        shoulder = (middle + sign * half * 0.95, top + 0.15 * head)
        elbow = (middle + sign * half * rng.uniform(1.0, 1.5), top + head * rng.uniform(0.8, 1.3))
        raised = rng.random() < 0.5
        wrist = (
            (middle + sign * half * rng.uniform(-0.3, 0.6), top + head * rng.uniform(-0.1, 0.9))
            if raised
            else (middle + sign * half * rng.uniform(0.9, 1.3), hips + head * rng.uniform(-0.1, 0.4))
        )
        _arm(view, (shoulder, elbow, wrist), 0.42 * head * rng.uniform(0.7, 1.0), cloth * rng.uniform(0.7, 1.15))
        if len(hands) and rng.random() < 0.8:
            hand = hands[rng.integers(len(hands))]
            view.landmarks = person.landmarks
            size = head * rng.uniform(0.7, 1.0)
            place_hand(view, hand, np.array(wrist), size, rng, skin=_skin_colour(person), over=False)
            view.landmarks = None


def _cloth_colour(person: Layer, row: int, columns: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    skin = _skin_colour(person)
    if skin is not None and rng.random() < 0.2:
        # Cloth of the colour of skin is cloth.
        return np.asarray(skin * rng.uniform(0.8, 1.2, 3), np.float64)
    bare = person.plane("skin")[row, columns] + person.plane("hair")[row, columns]
    if (bare > 0.5).mean() > 0.6:
        return rng.uniform(0.05, 0.9, 3)
    return np.asarray(person.picture[row, columns][bare < 0.5].mean(0), np.float64)


def _skin_colour(person: Layer) -> NDArray[np.float32] | None:
    skin = person.plane("skin") > 0.9
    return np.median(person.picture[skin], 0).astype(np.float32) if skin.sum() > 8 else None


def _dress(
    view: Layer, outline: list[tuple[float, float]], colour: NDArray[np.float64], rng: np.random.Generator
) -> None:
    """One piece of cloth with folds, and sometimes stripes or a print."""
    side = view.picture.shape[0]
    canvas = np.zeros((side, side), np.uint8)
    cv2.fillPoly(canvas, [np.rint(np.array(outline) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    shade = cv2.resize(rng.standard_normal((9, 9), np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    painted = colour.astype(np.float32) * (1 + 0.12 * shade)[..., None]
    kind = rng.random()
    y, x = np.mgrid[:side, :side].astype(np.float32)
    if kind < 0.25:
        angle, period = rng.choice([0.0, np.pi / 2, 0.7]), rng.uniform(3, 14)
        stripes = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period) > rng.uniform(-0.5, 0.8)
        painted = np.where(stripes[..., None], rng.uniform(0, 1, 3).astype(np.float32), painted)
    elif kind < 0.45:
        places = np.array(outline)
        for _ in range(int(rng.integers(1, 7))):
            spot = places.mean(0) + rng.normal(0, 0.35, 2) * np.ptp(places, axis=0)
            axes = tuple(int(value) for value in rng.uniform(1, 0.3 * np.ptp(places[:, 0]) + 2, 2))
            print_colour = [float(value) for value in rng.uniform(0, 1, 3)]
            painted = np.ascontiguousarray(painted)
            place, turned = (int(spot[0]), int(spot[1])), float(rng.uniform(0, 180))
            cv2.ellipse(painted, place, axes, turned, 0, 360, print_colour, -1)
    view.cover(canvas.astype(np.float32) / 255, np.clip(painted, 0, 1).astype(np.float32), {"person": 1.0})


def _arm(view: Layer, joints: tuple[tuple[float, float], ...], width_px: float, colour: NDArray[np.float64]) -> None:
    side = view.picture.shape[0]
    canvas = np.zeros((side, side), np.uint8)
    line = np.rint(np.array(joints) * 16).astype(np.int32)
    cv2.polylines(canvas, [line], False, 255, max(1, round(width_px)), cv2.LINE_AA, 4)
    mask = canvas.astype(np.float32) / 255
    edge = cv2.GaussianBlur(mask, (0, 0), max(width_px / 4, 0.6))
    painted = np.clip(colour, 0, 1).astype(np.float32) * (0.55 + 0.45 * edge)[..., None]
    view.cover(mask, painted.astype(np.float32), {"person": 1.0})
