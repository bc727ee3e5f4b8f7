"""The crop around each head: where it lies, steadied from frame to frame, and at which size it is drawn."""

import math
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace

import numpy as np

from toonfilter.runtime.faces.config import HeadMotionConfig
from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.faces.head_motion import SteadyCrop
from toonfilter.runtime.faces.smoothing import OneEuroSettings
from toonfilter.runtime.frames import Frame, Image
from toonfilter.runtime.geometry.alignment import CropTransform, crop_transform
from toonfilter.runtime.render.renderer import AlignedFace

_TIER_MARGIN = 1.1
"""How far a face may leave the range of its size before another is taken. Raising it changes sizes less often."""
_CROP_MARGIN = 0.06
"""Least distance of a face's points from the crop's edge, in its sides. Raising it drops steady crops sooner."""

MovedCrops = dict[int, "Future[CropTransform | None]"]
"""By face: where its last crop is now, by the motion of the picture."""


class HeadCrops:
    """The steadied crops of the faces that are followed. Not thread safe."""

    def __init__(self, smoothing: OneEuroSettings, motion: HeadMotionConfig) -> None:
        self._smoothing, self._motion = smoothing, motion
        self._crops: dict[int, SteadyCrop] = {}

    def followed(self, image: Image, executor: Executor) -> MovedCrops:
        """Begin to look where the crops of the last frame are in this one, beside the caller.

        image: uint8 [H, W, 3] RGB, not drawn into yet.
        """
        return {key: executor.submit(crop.followed, image) for key, crop in self._crops.items()}

    def steadied(self, faces: Sequence[Face], frame: Frame, moving: MovedCrops) -> list[CropTransform]:
        """Where each face's crop lies; what is known of faces that are gone is forgotten.

        moving: what `followed` said of this frame.
        """
        present = {face.id for face in faces}
        self._crops = {key: crop for key, crop in self._crops.items() if key in present}
        steadied = []
        for face in faces:
            raw = crop_transform(face.landmarks, 1, face.fit)
            crop = self._crops.setdefault(face.id, SteadyCrop(self._smoothing, self._motion))
            followed = moving[face.id].result if face.id in moving else None
            steady = crop(frame.image, raw, frame.captured_at_s, followed)
            if not _holds(steady, face):
                # The face moved faster than its steadied crop: start again from where it is.
                self._crops[face.id] = SteadyCrop(self._smoothing, self._motion)
                steady = self._crops[face.id](frame.image, raw, frame.captured_at_s)
            steadied.append(steady)
        return steadied

    def forget(self) -> None:
        """The next frame has nothing to do with the last."""
        self._crops = {}


class CropSizes:
    """Which of a bundle's sizes the crops of a frame are drawn at; changes only when faces clearly grew or shrank.

    limit_px: no crop is larger. fixed_px: always this size. most_crops: see `FilterSettings`.
    """

    def __init__(self, limit_px: int, most_crops: float, fixed_px: int | None = None) -> None:
        self.limit_px = limit_px
        self._most_crops, self._fixed_px = most_crops, fixed_px
        self._size = 0

    def sized(self, aligned: list[AlignedFace], sizes: Sequence[int], most_px: float) -> list[AlignedFace]:
        """The crops at the size that suits the largest of them. sizes: those of the bundle, px. most_px: of them."""
        if not aligned:
            return []
        size = self.size_for(max(crop.side_px for _, crop in aligned), len(aligned), sizes, most_px)
        return [(face, replace(crop, size=size)) for face, crop in aligned]

    def size_for(self, side_px: float, faces: int, sizes: Sequence[int], most_px: float = math.inf) -> int:
        """The smallest size that shows a crop of `side_px` frame px sharply, beside so many others."""
        if self._fixed_px:
            return self._fixed_px
        limit = min(self.limit_px, most_px) * min(1.0, math.sqrt(self._most_crops / faces))
        fitting = [size for size in sorted(sizes) if size <= limit] or [min(sizes)]
        if self._size in fitting and self._size / _TIER_MARGIN <= side_px <= self._size * 1.25 * _TIER_MARGIN:
            return self._size
        self._size = next((size for size in fitting if size * 1.25 >= side_px), fitting[-1])
        return self._size

    def forget(self) -> None:
        """The next frame has nothing to do with the last."""
        self._size = 0


def _holds(transform: CropTransform, face: Face) -> bool:
    """Whether the whole face, with the margin of its mask, lies in the crop."""
    from_middle = (transform.to_crop(face.landmarks)[:, :2] - (transform.size - 1) / 2) / transform.size
    return bool(np.abs(from_middle).max() < 0.5 - _CROP_MARGIN)
