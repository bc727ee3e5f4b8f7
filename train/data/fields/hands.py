"""Hands cut out of clips of people who sign, for laying before faces."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE_PX: Final = 160
_FINGERS: Final = ((0, 1, 2, 3, 4), (0, 5, 6, 7, 8), (0, 9, 10, 11, 12), (0, 13, 14, 15, 16), (0, 17, 18, 19, 20))
_PALM: Final = (0, 1, 5, 9, 13, 17)
_MIN_PALM_PX: Final = 28.0


def cut_out_hand(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """One hand uint8 [160, 160, 4], RGB and matte; None where it is too small or nothing of it is found.

    picture: uint8 [H, W, 3] RGB. points: float32 [21, 2] px, MediaPipe's hand landmarks.
    """
    palm_px = float(np.linalg.norm(points[9] - points[0]))
    if palm_px < _MIN_PALM_PX:
        return None
    sure = _skeleton(picture.shape[:2], points, palm_px * 0.16)
    wide = _skeleton(picture.shape[:2], points, palm_px * 0.42)
    marks = np.where(wide > 0, cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
    marks[_skeleton(picture.shape[:2], points, palm_px * 0.3) > 0] = cv2.GC_PR_FGD
    marks[sure > 0] = cv2.GC_FGD
    low, high = points.min(0) - 0.3 * palm_px, points.max(0) + 0.3 * palm_px
    left, top = (max(0, int(value)) for value in low)
    right, bottom = min(picture.shape[1], int(high[0])), min(picture.shape[0], int(high[1]))
    window, region = picture[top:bottom, left:right], marks[top:bottom, left:right].copy()
    if min(region.shape) < 16 or not (region == cv2.GC_FGD).any() or not (region == cv2.GC_BGD).any():
        return None
    cv2.setRNGSeed(1)
    models = np.zeros((2, 1, 65), np.float64)
    cv2.grabCut(window, region, None, models[0], models[1], 3, cv2.GC_INIT_WITH_MASK)
    matte = ((region == cv2.GC_FGD) | (region == cv2.GC_PR_FGD)).astype(np.float32)
    matte = cv2.GaussianBlur(matte, (0, 0), 0.8)
    side = max(window.shape[:2])
    padded = np.zeros((side, side, 4), np.uint8)
    y, x = (side - window.shape[0]) // 2, (side - window.shape[1]) // 2
    padded[y : y + window.shape[0], x : x + window.shape[1]] = np.dstack([window, (matte * 255).astype(np.uint8)])
    resized: NDArray[np.uint8] = cv2.resize(padded, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR)
    return resized


def _skeleton(shape: tuple[int, ...], points: NDArray[np.float32], width_px: float) -> NDArray[np.uint8]:
    canvas = np.zeros(shape[:2], np.uint8)
    places = np.rint(points).astype(np.int32)
    cv2.fillPoly(canvas, [places[list(_PALM)]], 255)
    for finger in _FINGERS:
        cv2.polylines(canvas, [places[list(finger)]], False, 255, max(1, round(width_px)))
    return canvas


def hands_of_clips(paths: list[Path], every: int = 2) -> Iterator[NDArray[np.uint8]]:
    """All hands of every n-th frame; see `cut_out_hand`."""
    import mediapipe

    finder: Any = mediapipe.solutions.hands.Hands(static_image_mode=True, max_num_hands=2, min_detection_confidence=0.5)
    with finder:
        for path in paths:
            capture = cv2.VideoCapture(str(path))
            number = 0
            while True:
                there, frame = capture.read()
                if not there:
                    break
                number += 1
                if number % every:
                    continue
                picture = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
                size = np.array(picture.shape[1::-1], np.float32)
                for hand in finder.process(picture).multi_hand_landmarks or ():
                    points = np.array([(point.x, point.y) for point in hand.landmark], np.float32) * size
                    found = cut_out_hand(picture, points)
                    if found is not None:
                        yield found
