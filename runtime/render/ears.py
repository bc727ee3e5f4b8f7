"""The inner lines of ears, drawn where the planes show one: a curve along the rim and a small hollow."""

import cv2
import numpy as np
import skia
from numpy.typing import NDArray

from toonfilter.runtime.render.colour import Colour
from toonfilter.runtime.render.contours import Plane, Points
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.features.brush import Pen, polygon, taper
from toonfilter.runtime.render.features.curves import resampled
from toonfilter.runtime.render.figure import Figure

# Places on an ear in face heights: outwards from where it grows on the head, and down from the eyes.
_RIM = np.array(
    [(0.035, 0.055), (0.085, 0.025), (0.115, 0.060), (0.110, 0.135), (0.085, 0.190), (0.055, 0.215)], np.float32
)
_HOLLOW = np.array(
    [(0.030, 0.105), (0.065, 0.090), (0.078, 0.130), (0.060, 0.175), (0.035, 0.185), (0.045, 0.145)], np.float32
)
_MIDDLE = np.array([(0.06, 0.12)], np.float32)
_ROOT = np.array([0.422, 0.0, 0.58])
_OUTWARDS = np.array([0.62, 0.0, 0.78])
_LINE_U = 0.015
_LEAST_SKIN = 110
"""Level that the plane of skin must have all over an ear for its lines to be drawn."""
_ROOTS = ((234, 93, 132), (454, 323, 361))
"""Where the ear grows on the cheek: at the picture's left and right of an upright face."""


def draw_ears(canvas: skia.Canvas, figure: Figure, skin: Plane, line: Colour, shadow: Colour) -> None:
    """skin: the field, in crop px. line, shadow: colours of the lines and of the hollow."""
    head = figure.head
    if head is None:
        return
    pen = Pen()
    unit = np.float32(head.unit_px)
    for side in (-1, 1):
        if side * head.turn > 0.25:
            # Turned away, behind the cheek.
            continue
        rim = _on_ear(head, _RIM, side)
        if not _is_skin(skin, figure.to_crop(np.concatenate([rim, _on_ear(head, _MIDDLE, side)]))):
            continue
        root = resampled(head.flat[list(_ROOTS[(side + 1) // 2])], 14)
        pen.stroke(root, taper(14, 0.1, 0.1, 0.5) * np.float32(_LINE_U) * unit, line, 0.45)
        pen.fill(polygon(resampled(_on_ear(head, _HOLLOW, side), 18)), shadow, 0.7)
        rim = resampled(rim, 20)
        pen.stroke(rim, taper(20, 0.2, 0.15, 0.4) * np.float32(_LINE_U) * unit, line, 0.8)
    pen.draw(canvas)


def _is_skin(skin: Plane, places: Points) -> bool:
    """Whether all of an ear's places, crop px, lie on skin: hair and hats may hide a part of it."""
    values = cv2.remap(skin, places[None].astype(np.float32), None, cv2.INTER_LINEAR, borderValue=0)
    return float(values.min()) >= _LEAST_SKIN


def _on_ear(head: FaceGeometry, places: NDArray[np.float32], side: int) -> Points:
    """side: -1 at the picture's left of an upright face, 1 at its right."""
    out = _ROOT + places[:, :1] * _OUTWARDS
    out[:, 1] = places[:, 1]
    out[:, 0] *= side
    return head.warp.move(head.project(out))
