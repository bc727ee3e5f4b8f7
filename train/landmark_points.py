"""Landmarks as the losses and networks want them: chosen points, in units of half the picture's side."""

from collections.abc import Sequence

import torch
from torch import Tensor

from toonfilter.runtime.errors import DataError

# Of the face mesh: irises, tip of the nose, corners of the mouth.
FIVE_POINTS = (468, 473, 1, 61, 291)
# Places in FIVE_POINTS around which the local discriminators look: eyes, nose, mouth.
FIVE_POINT_REGIONS = ((0, 1), (2,), (3, 4))
# 63 points of the face mesh, as many as CariGANs label: outline, brows, eyes, nose, lips.
CARICATURE_POINTS = (
    *(127, 93, 132, 58, 172, 136, 150, 149, 152, 378, 379, 365, 397, 288, 361, 323, 356, 10, 103, 332),
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
    *(33, 159, 158, 133, 153, 145, 362, 385, 386, 263, 374, 380),
    *(168, 6, 197, 1, 98, 97, 2, 326, 327),
    *(61, 40, 37, 0, 267, 270, 291, 321, 17, 91, 13, 14),
)


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
