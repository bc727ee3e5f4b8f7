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
    # Colours and their squares as four channels; sums over single ones: OpenCV and NumPy are slow with three.
    both = cv2.merge([lab, cv2.transform(cv2.multiply(lab, lab), _SUM)])
    *mean, square = cv2.split(cv2.blur(cv2.blur(both, disc), disc))
    variance = np.maximum(square - sum(one * one for one in mean), np.float32(_LEAST_VARIANCE))
    weight = 1 / variance**_SHARPNESS
    # The sum over the sectors is a sparse filter.
    weighted = cv2.merge([*(one * weight for one in mean), weight])
    sums = cv2.filter2D(weighted, -1, _sectors(reach), borderType=cv2.BORDER_REPLICATE)
    *colours, total = cv2.split(sums)
    share = 1 / total
    chosen: Picture = cv2.merge([one * share for one in colours])
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
    known = cv2.merge([cv2.copyTo(lab, inside), inside.astype(np.float32) / 255])
    near = cv2.blur(cv2.resize(known, size, interpolation=cv2.INTER_AREA), (3, 3))
    # Where nothing is near, what is further away counts.
    both = near + np.float32(_FAR_SHARE) * cv2.blur(near, (_FAR_CELLS, _FAR_CELLS))
    mean = both[..., :3] / np.maximum(both[..., 3:], 1e-6)
    at_large: Picture = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.copyTo(lab, inside, at_large.copy()), at_large
