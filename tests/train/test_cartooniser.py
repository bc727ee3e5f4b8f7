"""The algorithmic teacher and the plain OpenCV filter."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.faces.still_faces import StillFaceFinder
from toonfilter.runtime.geometry.alignment import crop_transform
from toonfilter.runtime.geometry.warp import FaceWarp
from toonfilter.runtime.render.guidance import face_shape
from toonfilter.runtime.render.portrait import take_portrait
from toonfilter.train.data.backdrops import draw_backdrop, is_uniform, replace_backdrop
from toonfilter.train.data.cartooniser.teacher import Cartooniser
from toonfilter.train.data.cartooniser.tones import spread_from, steps, to_lab
from toonfilter.train.data.flow import Flow, ink_lines
from toonfilter.train.data.guided_filter import guided_filter
from toonfilter.train.data.opencv_cartoon import opencv_cartoon

Image = NDArray[np.uint8]
SIZE = 256


@dataclass
class Sitter:
    photo: Image
    landmarks: NDArray[np.float32]
    matte: NDArray[np.float32]
    cartoon: Image


@pytest.fixture(scope="module")
def teacher() -> Iterator[Cartooniser]:
    pytest.importorskip("mediapipe")
    with Cartooniser() as cartooniser:
        yield cartooniser


@pytest.fixture(scope="module")
def sitter(astronaut: Image, teacher: Cartooniser) -> Sitter:
    finder = StillFaceFinder()
    faces, _ = finder.find(astronaut)
    finder.close()
    transform = crop_transform(faces[0].landmarks, SIZE)
    portrait = take_portrait(astronaut, faces[0].landmarks, transform, FaceWarp(), with_guidance=False)
    matte = teacher.matte(portrait.crop)
    return Sitter(portrait.crop, portrait.landmarks, matte, teacher.draw(portrait.crop, portrait.landmarks, matte))


def cheeks(image: Image, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median Lab of both cheeks."""
    mask = np.zeros(image.shape[:2], np.uint8)
    for cheek in ((117, 118, 101, 205, 187, 123), (346, 347, 330, 425, 411, 352)):
        cv2.fillPoly(mask, [landmarks[list(cheek), :2].astype(np.int32)], 1)
    colour: NDArray[np.float32] = np.median(to_lab(image[..., :3])[mask > 0], axis=0)
    return colour


def ita(lab: NDArray[np.float32]) -> float:
    return float(np.degrees(np.arctan2(lab[0] - 50, lab[2])))


def test_drawing_and_matte(sitter: Sitter) -> None:
    assert sitter.cartoon.shape == (SIZE, SIZE, 4)
    assert sitter.cartoon.dtype == np.uint8
    nose, corner = sitter.landmarks[1, :2].astype(int), (2, 2)
    assert sitter.cartoon[nose[1], nose[0], 3] > 250
    assert sitter.cartoon[corner[0], corner[1], 3] < 60
    unsure = ((sitter.matte > 0.1) & (sitter.matte < 0.9)).mean()
    assert unsure < 0.06


def test_same_picture_same_drawing(teacher: Cartooniser, sitter: Sitter) -> None:
    again = teacher.draw(sitter.photo, sitter.landmarks, sitter.matte)
    assert (again == sitter.cartoon).all()


@pytest.mark.parametrize("light", [1.0, 0.7, 0.45])
def test_skin_keeps_its_tone_in_any_light(teacher: Cartooniser, sitter: Sitter, light: float) -> None:
    photo = np.round(sitter.photo * light).astype(np.uint8)
    drawn = teacher.draw(photo, sitter.landmarks, sitter.matte)
    before, after = cheeks(photo, sitter.landmarks), cheeks(drawn, sitter.landmarks)
    assert abs(ita(after) - ita(before)) < 10
    assert abs(after[0] - before[0]) < 8


def test_tones_are_flat(sitter: Sitter) -> None:
    def roughness(image: Image) -> float:
        light = to_lab(image[..., :3])[..., 0]
        inner = cv2.erode((sitter.matte > 0.9).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        change = np.abs(np.diff(light, axis=1))[:, :][inner[:, 1:]]
        return float((change > 0.8).mean())

    assert roughness(sitter.cartoon) < 0.65 * roughness(sitter.photo)


def test_a_little_noise_flips_no_lines(teacher: Cartooniser, sitter: Sitter) -> None:
    noise = np.random.default_rng(0).normal(0, 3, sitter.photo.shape)
    shaken = np.clip(sitter.photo + noise, 0, 255).astype(np.uint8)
    drawn = teacher.draw(shaken, sitter.landmarks, sitter.matte)
    difference = np.abs(drawn[..., :3].astype(int) - sitter.cartoon[..., :3])
    assert difference.mean() < np.abs(shaken.astype(int) - sitter.photo).mean()
    assert (difference.max(2) > 60).mean() < 0.01


def test_eyes_are_drawn_from_the_landmarks(teacher: Cartooniser, sitter: Sitter) -> None:
    looking = sitter.landmarks.copy()
    looking[468:, 0] += 2.5
    drawn = teacher.draw(sitter.photo, looking, sitter.matte)
    for eye in face_shape(looking, SIZE).eyes:
        x, y = np.round(eye.iris).astype(int)
        dark = 255 - drawn[y - 4 : y + 5, x - 6 : x + 7, :3].mean(2)
        place = (dark**4 * np.arange(-6, 7)).sum() / (dark**4).sum()
        assert abs(place) < 1.2


@pytest.mark.parametrize(
    ("cast", "expected"), [((1, 1, 1), "teeth"), ((1, 0.72, 0.5), "teeth"), ((1, 0.35, 0.4), "tongue")]
)
def test_mouth_shows_teeth_in_warm_light_and_a_tongue_where_it_is_red(
    teacher: Cartooniser, sitter: Sitter, cast: tuple[float, float, float], expected: str
) -> None:
    inside = np.zeros((SIZE, SIZE), np.uint8)
    shape = face_shape(sitter.landmarks, SIZE)
    cv2.fillPoly(inside, [np.round(np.concatenate([shape.mouth.top, shape.mouth.bottom[::-1]])).astype(np.int32)], 1)
    photo = sitter.photo.astype(np.float32)
    light = np.array(cast if expected == "teeth" else (1, 1, 1), np.float32)
    photo[inside > 0] = np.array([225, 220, 210]) if expected == "teeth" else np.array([225, 220, 210]) * cast
    photo *= light
    drawn = teacher.draw(np.round(photo).astype(np.uint8), sitter.landmarks, sitter.matte)
    lightness, red, _ = np.median(to_lab(drawn[..., :3])[cv2.erode(inside, np.ones((3, 3), np.uint8)) > 0], axis=0)
    if expected == "teeth":
        assert lightness > 80
        assert abs(red) < 8
    else:
        assert lightness < 55
        assert red > 20


def test_lower_lid_reaches_the_inner_corner(sitter: Sitter) -> None:
    for eye in face_shape(sitter.landmarks, SIZE).eyes:
        for part in (0.5, 0.75, 0.85):
            x, y = eye.lower[int(part * len(eye.lower))]
            lid = sitter.cartoon[int(y) + 1, round(float(x)), :3].mean()
            skin = sitter.cartoon[int(y) + 8, round(float(x)), :3].mean()
            assert lid < 0.65 * skin


@pytest.mark.parametrize("way", [-300, -80, 80, 300])
def test_faces_that_leave_the_crop_are_survived(teacher: Cartooniser, sitter: Sitter, way: int) -> None:
    drawn = teacher.draw(sitter.photo, sitter.landmarks + np.array([way, 0, 0], np.float32), sitter.matte)
    assert drawn.shape == (SIZE, SIZE, 4)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_pictures_are_survived(teacher: Cartooniser, sitter: Sitter, level: int) -> None:
    drawn = teacher.draw(np.full_like(sitter.photo, level), sitter.landmarks)
    assert drawn.shape == (SIZE, SIZE, 4)


def test_lines_are_as_strong_on_dark_as_on_light_ground() -> None:
    picture = np.full((96, 96), 80.0, np.float32)
    picture[:, 46:49] = 55
    amounts = []
    for factor in (1.0, 0.5):
        dimmed = picture * np.float32(factor)
        flow = Flow(dimmed, tensor_sigma_px=3, reach_px=8, steps=4)
        amounts.append(float(ink_lines(dimmed, flow, sigma_px=1.3, threshold=0.02, softness=0.03)[48, 47]))
    assert amounts[0] > 0.5
    assert amounts[1] > 0.8 * amounts[0]


def test_smoothing_follows_the_lines() -> None:
    random = np.random.default_rng(0)
    stripes = np.repeat(random.uniform(20, 80, (1, 64)), 64, axis=0).astype(np.float32)
    noisy = stripes + random.normal(0, 4, stripes.shape).astype(np.float32)
    smooth = Flow(noisy, tensor_sigma_px=3, reach_px=8, steps=4).smooth(noisy)
    assert np.abs(smooth - stripes)[8:-8, 8:-8].mean() < 0.6 * np.abs(noisy - stripes).mean()


def test_steps_are_flat_and_monotone() -> None:
    ramp = np.linspace(-40, 40, 801, dtype=np.float32)[None]
    drawn = steps(ramp, (-10.0, 10.0), (-8.0, 0.0, 8.0), 2.0)
    assert (np.diff(drawn) >= -1e-5).all()
    assert len(np.unique(np.round(drawn[np.abs(np.abs(ramp) - 10) > 1.2], 3))) == 3


def test_holes_are_filled_from_around() -> None:
    values, weight = np.full((64, 64), 7.0, np.float32), np.ones((64, 64), np.float32)
    values[20:44, 20:44], weight[20:44, 20:44] = 99, 0
    assert np.abs(spread_from(values, weight, (2.0, 6.0, 30.0)) - 7).max() < 0.2


def test_backdrops(sitter: Sitter) -> None:
    assert is_uniform(np.full_like(sitter.photo, 90), sitter.matte)
    backdrop = draw_backdrop(SIZE, 3)
    assert (backdrop == draw_backdrop(SIZE, 3)).all()
    assert (backdrop != draw_backdrop(SIZE, 4)).any()
    aligned = replace_backdrop(sitter.photo, sitter.matte, backdrop)
    assert (aligned[sitter.matte == 0] == backdrop[sitter.matte == 0]).all()
    core = cv2.erode((sitter.matte > 0.999).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert np.abs(aligned.astype(int) - sitter.photo)[core].max() <= 1


def test_the_guided_filter_keeps_the_photos_edge_and_smooths_the_rest() -> None:
    edge = np.zeros((96, 96), np.float32)
    edge[:, 48:] = 1
    photo = np.round(np.stack([40 + 120 * edge, 80 + 30 * edge, 60 + 0 * edge], -1)).astype(np.uint8)
    coarse = cv2.GaussianBlur(edge, (0, 0), 6)
    refined = guided_filter(coarse, photo, radius_px=8, levels=8)
    at_edge, before = (np.diff(plane, axis=1)[:, 47] for plane in (refined, coarse))
    assert at_edge.min() > 5 * before.max()
    assert np.abs(np.delete(np.diff(refined, axis=1), 47, axis=1)).max() < before.max()
    even = np.full_like(photo, 90)
    box = cv2.blur(cv2.blur(coarse, (17, 17), borderType=cv2.BORDER_REFLECT), (17, 17), borderType=cv2.BORDER_REFLECT)
    assert np.abs(guided_filter(coarse, even, radius_px=8, levels=8) - box).max() < 1e-4


def test_opencv_cartoon(astronaut: Image) -> None:
    drawn = opencv_cartoon(astronaut)
    assert drawn.shape == astronaut.shape
    assert drawn.dtype == np.uint8
    assert (drawn == 0).all(2).mean() > 0.01
    assert (opencv_cartoon(astronaut) == drawn).all()
