"""Meshes that lie in the skin of somebody larger: an ear, a hand."""

from collections.abc import Collection, Sequence

import cv2
import numpy as np

from toonfilter.runtime.render.contours import COARSE_PX, coarsened
from toonfilter.runtime.render.renderer import AlignedFace
from toonfilter.runtime.render.scene import SceneFields

_SKIN_LEVEL, _MOST_SKIN, _KNOWN = 128, 24.0, 1.3
"""Level of skin; how much of it may hang together with a face, in areas of its box; and how much more than that with
one that was drawn before. Lowering the second draws fewer faces of people with few clothes on."""


def with_fitting_skin(
    scene: SceneFields, faces: Sequence[AlignedFace], before: Collection[int] = ()
) -> list[AlignedFace]:
    """Those of the faces that are not specks in much more skin than a person of their size has.

    before: ids of those that were drawn in the frame before.
    """
    count, blobs = cv2.connectedComponents(cv2.compare(coarsened(scene.planes["skin"]), _SKIN_LEVEL, cv2.CMP_GE))
    area_px = np.bincount(blobs.ravel(), minlength=count) * float(COARSE_PX * scene.scale) ** 2
    area_px[0] = 0
    kept = []
    for one in faces:
        box, most = one[0].box, _MOST_SKIN * (_KNOWN if one[0].id in before else 1.0)
        column, row = (
            min(max(int(value / scene.scale / COARSE_PX), 0), side - 1)
            for value, side in zip(box.centre, blobs.shape[::-1], strict=True)
        )
        if area_px[blobs[row, column]] <= most * box.width * box.height:
            kept.append(one)
    return kept
