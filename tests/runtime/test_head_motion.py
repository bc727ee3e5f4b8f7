import cv2
import numpy as np
import pytest
import skimage.data

from toonfilter.runtime.faces.head_motion import SteadyCrop
from toonfilter.runtime.faces.smoothing import OneEuroSettings
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.alignment import CropTransform

STEP_S = 1 / 30
FACE = CropTransform(222.0, 130.0, 240.0, 0.0, 256)


def moved(image: Image, right_px: float, degrees: float = 0.0, scale: float = 1.0) -> tuple[Image, CropTransform]:
    """The picture turned and scaled about the face, then moved to the right, and where its crop is now."""
    matrix = cv2.getRotationMatrix2D((FACE.centre_x_px, FACE.centre_y_px), -degrees, scale)
    matrix[0, 2] += right_px
    frame = cv2.warpAffine(image, matrix, image.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101)
    truth = CropTransform(
        FACE.centre_x_px + right_px, FACE.centre_y_px, FACE.side_px * scale, float(np.radians(degrees)), FACE.size
    )
    return frame, truth


def shaken(transform: CropTransform, rng: np.random.Generator) -> CropTransform:
    """The transform as a mesh sees it, half a percent off."""
    x, y, side = rng.normal(0, 0.005 * transform.side_px, 3)
    return CropTransform(
        transform.centre_x_px + x,
        transform.centre_y_px + y,
        transform.side_px + side,
        transform.roll_rad + float(rng.normal(0, 0.005)),
        transform.size,
    )


def error(found: CropTransform, truth: CropTransform) -> float:
    """Farthest that a corner of the crop is off, in crop sides."""
    corners = np.array([[0, 0], [255, 0], [0, 255], [255, 255]], np.float64)
    places = [corners @ one.crop_to_frame[:, :2].T + one.crop_to_frame[:, 2] for one in (found, truth)]
    return float(np.abs(places[0] - places[1]).max() / truth.side_px)


@pytest.fixture(scope="module")
def portrait() -> Image:
    image: Image = skimage.data.astronaut()
    return image


def test_crop_follows_the_picture_and_not_the_shaking_mesh(portrait: Image) -> None:
    rng = np.random.default_rng(0)
    crop, wobble, mesh_wobble, previous = SteadyCrop(OneEuroSettings()), [], [], None
    for index in range(60):
        frame, truth = moved(portrait, 0.8 * index, 4 * np.sin(index / 8), 1 + 0.06 * np.sin(index / 9))
        raw = shaken(truth, rng)
        steady = crop(frame, raw, index * STEP_S)
        # What is left after the true motion is taken off, and how it changes, is what one sees.
        errors = [
            np.array(
                [one.centre_x_px - truth.centre_x_px, one.centre_y_px - truth.centre_y_px, one.side_px - truth.side_px]
            )
            for one in (steady, raw)
        ]
        if previous is not None:
            wobble.append(np.abs(errors[0] - previous[0]).mean())
            mesh_wobble.append(np.abs(errors[1] - previous[1]).mean())
        previous = errors
        assert error(steady, truth) < 0.03
    assert np.mean(wobble) < 0.25 * np.mean(mesh_wobble)


def test_mesh_corrects_what_the_flow_cannot_see(portrait: Image) -> None:
    crop = SteadyCrop(OneEuroSettings())
    crop(portrait, FACE, 0.0)
    # The picture stands still, and the mesh insists that the head is elsewhere.
    elsewhere = CropTransform(FACE.centre_x_px + 24, FACE.centre_y_px, FACE.side_px, 0.0, 256)
    for index in range(1, 90):
        steady = crop(portrait, elsewhere, index * STEP_S)
    assert error(steady, elsewhere) < 0.02


def test_a_cut_in_the_picture_leaves_the_mesh_alone(portrait: Image) -> None:
    crop = SteadyCrop(OneEuroSettings())
    crop(portrait, FACE, 0.0)
    noise = np.random.default_rng(1).integers(0, 256, portrait.shape, np.uint8)
    steady = crop(noise, FACE, STEP_S)
    assert error(steady, FACE) < 0.25


@pytest.mark.parametrize("centre", [(-40.0, 20.0), (511.0, 511.0), (600.0, -100.0)])
def test_heads_at_and_beyond_the_border(portrait: Image, centre: tuple[float, float]) -> None:
    crop = SteadyCrop(OneEuroSettings())
    for index in range(3):
        raw = CropTransform(centre[0] + index, centre[1], 700.0, 0.1, 256)
        steady = crop(portrait, raw, index * STEP_S)
        assert np.isfinite(steady.frame_to_crop).all()
