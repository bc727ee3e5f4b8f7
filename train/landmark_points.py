"""Landmarks as the losses and networks want them: chosen points, in units of half the picture's side."""

from collections.abc import Sequence

import torch
from torch import Tensor

from toonfilter.runtime.errors import DataError

# Places in FIVE_POINTS around which the local discriminators look: eyes, nose, mouth.
FIVE_POINT_REGIONS = ((0, 1), (2,), (3, 4))


def chosen_points(landmarks: Tensor, points: Sequence[int], size_px: int) -> Tensor:
    """Return [N,len(points),2] as x, y in [-1,1] (-1 and 1 are the picture's outer edges).

    Args:
        landmarks: [N,P,2 or 3] in pixels, pixel centres at whole numbers. Where P is len(points), all are taken.

    Raises:
        DataError: fewer landmarks than the points ask for.
    """
    if landmarks.shape[1] != len(points):
        if landmarks.shape[1] <= max(points):
            raise DataError(
                f"the data has {landmarks.shape[1]} landmarks for a face; expected {len(points)}, or the 478 of the"
                " face mesh"
            )
        landmarks = landmarks[:, torch.tensor(points, device=landmarks.device)]
    return (landmarks[..., :2].float() + 0.5) * (2 / size_px) - 1
