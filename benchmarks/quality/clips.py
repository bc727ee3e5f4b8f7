"""Clips for the temporal measure: stills that move in a known way, and recorded videos."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.quality.pictures import Image
from toonfilter.runtime.errors import DataError
from toonfilter.runtime.files.file_kinds import VIDEOS_READ, is_video

FRAMES = 10
SENSOR_NOISE_LEVELS = 2.0

Matrix = NDArray[np.float64]
"""float64 [2, 3]: affine."""


@dataclass(frozen=True, slots=True)
class Motion:
    """How a still moves. place: still to frame at phase 0..1, for a height and width; gain: of the light at a phase."""

    place: Callable[[float, int, int], Matrix]
    gain: Callable[[float], float] = lambda _: 1.0
    noise_levels: float = SENSOR_NOISE_LEVELS


def _about_centre(height: int, width: int, scale: float, angle_degrees: float) -> Matrix:
    matrix: Matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle_degrees, scale)
    return matrix


def _shift(right_px: float, down_px: float) -> Matrix:
    return np.array([[1, 0, right_px], [0, 1, down_px]], np.float64)


def _wave(phase: float) -> float:
    return float(np.sin(2 * np.pi * phase))


MOTIONS = {
    "pan": Motion(lambda phase, _, width: _shift(0.015 * width * _wave(phase), 0.01 * width * phase)),
    "zoom": Motion(lambda phase, height, width: _about_centre(height, width, 1 + 0.04 * _wave(phase), 0)),
    "rotation": Motion(lambda phase, height, width: _about_centre(height, width, 1, 3 * _wave(phase))),
    "noise": Motion(lambda *_: _shift(0, 0), noise_levels=6.0),
    "light": Motion(lambda *_: _shift(0, 0), lambda phase: 1 + 0.15 * _wave(phase)),
}
"""Known motions by name, over one period. All have a webcam's noise, standard deviation 2 levels; "noise" has 6."""


@dataclass(frozen=True, slots=True)
class MovingStill:
    """frames: uint8 [H, W, 3] RGB. places: still to frame, one per frame."""

    frames: list[Image]
    places: list[Matrix]


def moving_still(still: Image, motion: Motion, *, frames: int = FRAMES, seed: int = 0) -> MovingStill:
    """The still, uint8 [H, W, 3] RGB, under a motion, with noise of the seed; what moves in is its mirror image."""
    height, width = still.shape[:2]
    generator = np.random.default_rng(seed)
    images, places = [], []
    for index in range(frames):
        phase = index / frames
        place = motion.place(phase, height, width)
        moved = cv2.warpAffine(
            still, place, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
        ).astype(np.float32)
        noise = generator.normal(0, motion.noise_levels, moved.shape).astype(np.float32)
        images.append(np.clip(np.round(moved * motion.gain(phase) + noise), 0, 255).astype(np.uint8))
        places.append(place)
    return MovingStill(images, places)


def step_between(first: Matrix, second: Matrix) -> Matrix:
    """From one frame to the other, when both are aligned from the same still."""
    back = cv2.invertAffineTransform(first)
    linear = second[:, :2] @ back[:, :2]
    offset = second[:, :2] @ back[:, 2] + second[:, 2]
    return np.column_stack([linear, offset])


def list_videos(folder: Path) -> list[Path]:
    """Videos below the folder, by name.

    Raises:
        DataError: there are none.
    """
    found = sorted(path for path in folder.rglob("*") if is_video(path) and path.is_file())
    if not found:
        raise DataError(f"{folder} holds no videos; expected some of {', '.join(VIDEOS_READ)}")
    return found


def read_frames(path: Path, most: int) -> Iterator[Image]:
    """The first frames of a video, uint8 [H, W, 3] RGB.

    Raises:
        DataError: the file is no video that can be decoded.
    """
    import av

    try:
        with av.open(str(path)) as container:
            for index, frame in enumerate(container.decode(video=0)):
                if index >= most:
                    return
                image: Image = frame.to_ndarray(format="rgb24")
                yield image
    except (av.FFmpegError, IndexError, OSError) as error:
        raise DataError(f"{path} cannot be decoded as a video ({error})") from error
