"""From a face crop to its drawing: regions, flat tones, features, ink."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import require
from toonfilter.runtime.render.guidance import face_shape
from toonfilter.train.data.cartooniser.features import FeaturePainter
from toonfilter.train.data.cartooniser.regions import Regions, find_regions, refine_matte, smoothstep
from toonfilter.train.data.cartooniser.tones import (
    Lab,
    paint_background,
    paint_shapes,
    paint_skin,
    skin_base,
    to_lab,
    to_rgb,
)
from toonfilter.train.data.flow import Flow, Plane, ink_lines

STYLE_VERSION = 4
"""Grows whenever the drawing changes, so that old drawings are made again."""


class Cartooniser:
    """Draws cartoons of warped face crops; the same picture always gives the same drawing.

    Holds MediaPipe's selfie segmentation; close it, or use it in a `with` statement.
    """

    def __init__(self) -> None:
        segmentation = require("mediapipe.python.solutions.selfie_segmentation", extra="mediapipe")
        self._segmenter = segmentation.SelfieSegmentation(model_selection=0)

    def __enter__(self) -> "Cartooniser":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the segmentation."""
        self._segmenter.close()

    def matte(self, photo: NDArray[np.uint8]) -> Plane:
        """The person in a crop: float32 [S, S], 0 to 1, for photo uint8 [S, S, 3] RGB."""
        coarse = self._segmenter.process(np.ascontiguousarray(photo)).segmentation_mask
        return refine_matte(coarse.astype(np.float32), photo)

    def draw(
        self, photo: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]], matte: Plane | None = None
    ) -> NDArray[np.uint8]:
        """Draw the cartoon of a crop.

        photo: uint8 [S, S, 3] RGB, already warped. landmarks: [478, 2 or 3] px in it. matte: the result of `matte`
        where it is already known.
        Returns uint8 [S, S, 4]: the drawing, and the matte as alpha.
        """
        person = self.matte(photo) if matte is None else matte
        shape = face_shape(landmarks, photo.shape[0])
        lab = to_lab(photo)
        regions = find_regions(lab, shape, person)
        drawing = _draw(lab, regions, shape)
        rgb = np.round(to_rgb(drawing) * 255).astype(np.uint8)
        return np.dstack([rgb, np.round(person * 255).astype(np.uint8)])


def _draw(lab: Lab, regions: Regions, shape: Any) -> Lab:
    unit = shape.unit_px
    calm = cv2.bilateralFilter(lab, 9, 12, 0.02 * unit)
    flow = Flow(calm[..., 0], tensor_sigma_px=0.018 * unit, reach_px=0.055 * unit, steps=6)
    base = skin_base(lab, regions, unit)
    skin = paint_skin(lab, base, regions, unit)
    shapes = paint_shapes(calm, flow, unit)
    inner = np.maximum(regions.skin, regions.features * regions.face)
    inner = smoothstep(cv2.GaussianBlur(inner, (0, 0), 0.006 * unit), 0.3, 0.7)
    drawing = shapes + inner[..., None] * (skin - shapes)
    lines = ink_lines(calm[..., 0], flow, sigma_px=0.006 * unit, threshold=0.02, softness=0.03)
    lines *= 1 - inner
    frames = ink_lines(lab[..., 0], flow, sigma_px=0.007 * unit, threshold=0.022, softness=0.025)
    lines = np.maximum(lines, frames * regions.glasses)
    drawing = _ink(drawing, lines)
    painter = FeaturePainter(drawing, lab, base, regions, shape)
    painter.draw()
    drawing = _ink(drawing, _silhouette(regions.person, unit))
    wash = paint_background(lab, regions.person, unit)
    return wash + regions.person[..., None] * (drawing - wash)


def _silhouette(person: Plane, unit: float) -> Plane:
    """A line just inside the person's outline."""
    wide = cv2.GaussianBlur(person, (0, 0), 0.011 * unit)
    return smoothstep(wide, 0.35, 0.5) * (1 - smoothstep(wide, 0.72, 0.92))


def _ink(drawing: Lab, amount: Plane) -> Lab:
    """Darken towards a very dark relative of the colour that is there."""
    ink = drawing * np.array([0.16, 0.5, 0.45], np.float32) + np.array([2.0, 2.0, 1.0], np.float32)
    return drawing + (amount * np.float32(0.95))[..., None] * (ink - drawing)
