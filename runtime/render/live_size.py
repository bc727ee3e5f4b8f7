"""Drawing a live frame on a smaller canvas: outlines stay smooth, and there is time for the next frame."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from toonfilter.runtime.faces.detection import Face
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import CropTransform
from toonfilter.runtime.render.renderer import AlignedFace

LIVE_LONG_SIDE_PX = 960
"""Long side of the canvas of live frames. Raising it draws finer and costs time in proportion to its square."""


def live_scale(image: Image) -> float:
    """How much smaller than the frame its live canvas is: 0 to 1, and 1 where it is small enough."""
    return min(1.0, LIVE_LONG_SIDE_PX / max(image.shape[:2]))


def scaled_faces(faces: Sequence[AlignedFace], scale: float) -> list[AlignedFace]:
    """The faces and their crops as the smaller canvas has them."""
    return [(_scaled_face(face, scale), _scaled_crop(crop, scale)) for face, crop in faces]


def _scaled_face(face: Face, scale: float) -> Face:
    # Pixel centres lie at whole numbers.
    shift = (scale - 1) / 2
    landmarks = face.landmarks * np.float32(scale)
    landmarks[:, :2] += np.float32(shift)
    fit = face.fit
    if fit is not None:
        moved = fit.translation * scale + np.array([shift, shift, 0])
        fit = replace(fit, scale=fit.scale * scale, translation=moved)
    return replace(face, landmarks=landmarks, fit=fit)


def _scaled_crop(crop: CropTransform, scale: float) -> CropTransform:
    shift = (scale - 1) / 2
    return replace(
        crop,
        centre_x_px=crop.centre_x_px * scale + shift,
        centre_y_px=crop.centre_y_px * scale + shift,
        side_px=crop.side_px * scale,
    )
