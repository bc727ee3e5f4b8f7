"""Points of a person's fields, carried to where the head is now: between two readings heads move, and fields stay."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.alignment import CropTransform
from toonfilter.runtime.render.blending import border_share
from toonfilter.runtime.render.contours import Points

Affine = NDArray[np.float64]
"""float64 [2, 3]: y = M[:, :2] @ x + M[:, 2]."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadCarry:
    """Moves what is within a head's crop along with the head, softly at the crop's border; the body stays.

    motion: px of the planes to px of the planes. to_place: px of the planes to the crop's square, 0 to 1.
    """

    motion: Affine
    to_place: Affine

    @classmethod
    def between(cls, before: CropTransform, now: CropTransform, planes_to_frame: Affine) -> "HeadCarry":
        """From where a crop lay to where it lies. planes_to_frame: see `SceneFields.to_frame`."""
        place = chained(before.frame_to_crop, planes_to_frame)
        place[:, 2] += 0.5
        back = cv2.invertAffineTransform(planes_to_frame)
        return cls(
            chained(back, chained(now.crop_to_frame, chained(before.frame_to_crop, planes_to_frame))),
            place / before.size,
        )

    def move(self, points: Points) -> Points:
        """float32 [N, 2], px of the planes."""
        share = border_share(applied(self.to_place, points))[:, None]
        moved: Points = (points + share * (applied(self.motion, points) - points)).astype(np.float32)
        return moved

    def back(self, points: Points) -> Points:
        """The inverse of `move`, for points of the head: float32 [N, 2], px of the planes."""
        there: Points = applied(cv2.invertAffineTransform(self.motion), points).astype(np.float32)
        return there


def applied(matrix: Affine, points: Points) -> NDArray[np.float64]:
    """float64 [N, 2]."""
    moved: NDArray[np.float64] = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


def chained(after: Affine, first: Affine) -> Affine:
    """One after the other."""
    linear = after[:, :2] @ first[:, :2]
    return np.hstack([linear, (after[:, :2] @ first[:, 2] + after[:, 2])[:, None]])
