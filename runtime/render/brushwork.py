"""Pictures as a brush paints them: patches of the photo's own colours that end where those change."""

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.render.contours import Plane

_SHARPNESS = 2
"""Power by which calm sectors win, of the inverse of their variance. Raising it gives harder patches."""
_LEAST_VARIANCE = 1.0
"""L*a*b* squared. Raising it blurs faint edges."""
_DIAGONAL = 0.71
_PASSES = 2
_FAR_CELLS, _FAR_SHARE = 9, 1e-3
"""How much further away, and how little, colours count for those at large."""
_SUM = np.ones((1, 3), np.float32)

Picture = NDArray[np.float32]
"""float32 [h, w, 3], L*a*b*."""


def brushed(lab: Picture, reach_px: float) -> Picture:
    """The picture in patches of about `reach_px`: each place takes the colour of the calmest surroundings beside it.

    Papari, Petkov, Campisi, Artistic Edge and Corner Enhancing Smoothing (2007), section III, with eight sectors that
    are soft discs around the place.
    """
    reach = max(1, round(reach_px))
    for _ in range(_PASSES):
        lab = _brushed_once(lab, reach)
    return lab


def _brushed_once(lab: Picture, reach: int) -> Picture:
    disc = (reach + 1, reach + 1)
    mean = cv2.blur(cv2.blur(lab, disc), disc)
    square = cv2.blur(cv2.blur(cv2.transform(lab * lab, _SUM), disc), disc)
    variance = np.maximum(square - cv2.transform(mean * mean, _SUM), np.float32(_LEAST_VARIANCE))
    weight = 1 / variance**_SHARPNESS
    # The sum over the sectors is a sparse filter.
    sums = cv2.filter2D(
        cv2.merge([mean * weight[..., None], weight]), -1, _sectors(reach), borderType=cv2.BORDER_REPLICATE
    )
    chosen: Picture = sums[..., :3] / sums[..., 3:]
    return chosen


def _sectors(reach: int) -> NDArray[np.float32]:
    """1 at the middles of the sectors."""
    middles = np.zeros((2 * reach + 1,) * 2, np.float32)
    near = round(_DIAGONAL * reach)
    for across in (-1, 0, 1):
        for down in (-1, 0, 1):
            step = near if across and down else reach
            middles[reach + down * step, reach + across * step] = 1
    middles[reach, reach] = 0
    return middles


def extended(lab: Picture, inside: Plane, reach_px: float) -> tuple[Picture, Picture]:
    """The picture as if what is inside went on beyond it, and its colours at large, averaged over about `reach_px`.

    inside: uint8 [h, w], 255 where the picture counts.
    """
    height, width = inside.shape
    factor = min(1.0, 1 / max(reach_px, 1.0))
    size = (max(2, round(width * factor)), max(2, round(height * factor)))
    share = inside.astype(np.float32) / 255

    def gathered(values: NDArray[np.float32]) -> NDArray[np.float32]:
        near = cv2.blur(cv2.resize(values, size, interpolation=cv2.INTER_AREA), (3, 3))
        # Where nothing is near, what is further away counts.
        both: NDArray[np.float32] = near + np.float32(_FAR_SHARE) * cv2.blur(near, (_FAR_CELLS, _FAR_CELLS))
        return both

    mean = gathered(lab * share[..., None]) / np.maximum(gathered(share), 1e-6)[..., None]
    at_large: Picture = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(inside[..., None] > 0, lab, at_large), at_large
