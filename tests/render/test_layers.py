"""Whole frames drawn in layers, from planes that the tests make themselves."""

import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from plane_networks import PlanesNetwork

from toonfilter.runtime.fields import FIELDS, field_index
from toonfilter.runtime.geometry.alignment import crop_transform
from toonfilter.runtime.render.drawing import LayeredRenderer
from toonfilter.runtime.render.ground import Ground, painted
from toonfilter.runtime.styles.style import BaseRules, Style

Image = NDArray[np.uint8]


class PlanesByColour(PlanesNetwork):
    """Reads planes from a picture painted in code colours: green shirt, blue hair, red skin; all else is the room."""

    def translate(self, crops: Image, guidance: Image | None) -> Image:
        assert guidance is not None
        assert guidance.shape == (*crops.shape[:3], 1)
        planes = np.zeros((*crops.shape[:3], len(FIELDS)), np.uint8)
        red, green, blue = (crops[..., channel].astype(int) for channel in range(3))
        planes[..., field_index("skin")] = 255 * ((red > green + 40) & (red > blue + 40))
        planes[..., field_index("hair")] = 255 * ((blue > red + 40) & (blue > green + 40))
        cloth = (green > red + 40) & (green > blue + 40)
        parts = planes[..., field_index("skin")] | planes[..., field_index("hair")]
        planes[..., field_index("person")] = parts | (255 * cloth).astype(np.uint8)
        planes[..., field_index("tone")] = crops.mean(3)
        return planes


class BlindNetwork(PlanesByColour):
    """Sees nobody anywhere."""

    def translate(self, crops: Image, guidance: Image | None) -> Image:
        return np.zeros_like(super().translate(crops, guidance))


def scene(person_x: int | None = 320) -> Image:
    """A noisy room of 640 x 360, with a person in code colours where asked for."""
    image = np.random.default_rng(0).integers(90, 110, (360, 640, 3), np.uint8)
    if person_x is not None:
        cv2.ellipse(image, (person_x, 380), (120, 150), 0, 0, 360, (30, 160, 40), -1)
        cv2.ellipse(image, (person_x, 170), (62, 82), 0, 0, 360, (40, 40, 180), -1)
        cv2.ellipse(image, (person_x, 190), (48, 64), 0, 0, 360, (200, 60, 50), -1)
    return image


PLAIN = Style("test")


def rendered(image: Image, faces=(), network=PlanesByColour, style=PLAIN, **options) -> Image:
    drawn = image.copy()
    renderer = LayeredRenderer(network(), style, **options)
    renderer.render(drawn, [(one, crop_transform(one.landmarks, 256, one.fit)) for one in faces])
    return drawn


def test_a_room_loses_its_detail() -> None:
    room = scene(None)
    room[100:140, 200:240:4] = 0
    drawn = rendered(room)
    assert drawn[100:140, 200:240].std() < 0.25 * room[100:140, 200:240].std()
    assert abs(float(drawn.mean()) - float(room.mean())) < 40


def test_a_person_without_a_known_face_is_a_figure_without_features() -> None:
    image = scene()
    rng = np.random.default_rng(1)
    image[150:230, 290:350] = np.clip(image[150:230, 290:350] + rng.integers(-30, 30, (80, 60, 3)), 0, 255)
    drawn = rendered(image)
    middle = drawn[165:215, 300:340].reshape(-1, 3)
    colours, counts = np.unique(middle, axis=0, return_counts=True)
    assert counts.max() > 0.9 * len(middle), "the face is one flat colour"
    flat = colours[counts.argmax()].astype(int)
    assert flat[0] > flat[2], "and that is the skin's"
    hair = drawn[100:115, 310:330].reshape(-1, 3).mean(0)
    assert hair[2] > hair[0]


def test_regions_meet_without_gaps() -> None:
    drawn = rendered(scene(), ground=Ground("colour", (255, 0, 255)))
    inside = drawn[120:300, 300:340].reshape(-1, 3).astype(int)
    assert not ((inside - [255, 0, 255]).__abs__().max(1) < 12).any()


@pytest.mark.parametrize("network", [PlanesByColour, BlindNetwork])
def test_a_known_face_is_drawn_even_where_the_network_sees_nobody(face, network) -> None:
    image, found = face
    drawn = rendered(image, [found], network)
    outline = np.zeros(image.shape[:2], np.uint8)
    hull = cv2.convexHull(np.ascontiguousarray(found.landmarks[:, :2]))
    cv2.fillConvexPoly(outline, np.rint(hull).astype(np.int32), 255)
    inside = cv2.erode(outline, np.ones((9, 9), np.uint8)) > 0
    before, after = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY)[inside].astype(float) for one in (image, drawn))
    assert np.abs(before - after).mean() > 8
    fine = [np.abs(cv2.Laplacian(one, cv2.CV_16S))[inside] for one in (image, drawn)]
    assert np.median(fine[1]) < 0.34 * np.median(fine[0]), "a drawn face has nothing of the skin's fine texture"


def test_heads_alone_leave_room_and_clothes(face) -> None:
    image, found = face
    drawn = rendered(image, [found], extent="head")
    assert np.array_equal(drawn[600:], image[600:])
    assert np.array_equal(drawn[:, :20], image[:, :20])


def test_people_alone_leave_the_room() -> None:
    image = scene()
    drawn = rendered(image, extent="person")
    assert np.array_equal(drawn[:80, :150], image[:80, :150])
    assert not np.array_equal(drawn[300:], image[300:])


def test_the_painted_room_is_paler_but_strong_colours_stay_what_they_are() -> None:
    for strong in ((255, 0, 0), (0, 0, 255)):
        assert painted(np.full((54, 96, 3), strong, np.float32))[27, 48] == pytest.approx(strong, abs=3)
    assert (painted(np.full((54, 96, 3), (168, 160, 150), np.float32))[27, 48] > (176, 168, 157)).all()
    muted = painted(np.full((54, 96, 3), (200, 40, 40), np.float32))[27, 48]
    assert muted[0] > 210
    assert muted[1:].max() < 60


def test_edges_in_the_painted_room_are_crisp_and_small_things_are_gone() -> None:
    room = np.full((54, 96, 3), 60, np.float32)
    room[:, 48:] = 200
    room[20, 20] = 250
    row = painted(room)[27, :, 0]
    assert np.count_nonzero((row > row.min() + 14) & (row < row.max() - 14)) <= 4
    assert abs(painted(room)[40, 40, 0] - row[40]) < 6


@pytest.mark.parametrize("kind", ["blur", "drawn"])
def test_backgrounds_of_the_room_keep_its_colour(kind) -> None:
    image = scene()
    image[:180, :200] = (30, 90, 200)
    drawn = rendered(image, ground=Ground(kind))
    patch = drawn[30:120, 30:120].reshape(-1, 3).mean(0)
    assert patch[2] > patch[1] > patch[0]


def test_a_picture_on_its_own_does_not_get_the_room_of_the_one_before() -> None:
    renderer = LayeredRenderer(PlanesByColour(), PLAIN)
    dark, light = scene(), np.clip(scene().astype(int) + 100, 0, 255).astype(np.uint8)
    drawn = [picture.copy() for picture in (dark, light)]
    for picture in drawn:
        renderer.render(picture, ())
    np.testing.assert_array_equal(drawn[1], rendered(light))


def test_a_picture_behind_people() -> None:
    behind = np.zeros((90, 90, 3), np.uint8)
    behind[:] = (10, 200, 90)
    drawn = rendered(scene(), ground=Ground("picture", picture=behind))
    assert np.array_equal(np.unique(drawn[:60, :100].reshape(-1, 3), axis=0), [[10, 200, 90]])


def test_two_people_do_not_take_each_others_colours() -> None:
    image = np.maximum(scene(160), scene(480))
    image[:, 320:] = image[:, 320:][..., [0, 1, 2]]
    drawn = rendered(image)
    assert drawn[165:215, 150:170].std(axis=(0, 1)).max() < 25
    assert drawn[165:215, 470:490].std(axis=(0, 1)).max() < 25


def test_a_black_and_white_picture_gets_a_black_and_white_drawing() -> None:
    image = scene()
    grey = np.repeat(image.mean(2, keepdims=True), 3, 2).astype(np.uint8)
    assert np.ptp(rendered(grey).astype(int), axis=2).max() == 0
    assert np.ptp(rendered(image).astype(int), axis=2).max() > 30


def test_a_black_and_white_video_stays_so_until_colour_is_certain() -> None:
    renderer = LayeredRenderer(PlanesByColour(), PLAIN)
    times_s = itertools.count()

    def colour_of(levels: int, *, is_video: bool = True) -> int:
        frame = np.full((120, 160, 3), 120, np.uint8)
        frame[..., 0] += levels
        renderer.render(frame, [], next(times_s) / 25 if is_video else None)
        return int(np.ptp(frame.astype(int), axis=2).max())

    assert colour_of(18) > 0
    assert [colour_of(levels) for levels in (0, 18, 18)] == [0, 0, 0]
    assert colour_of(40) > 0
    assert colour_of(0) == 0
    assert colour_of(18, is_video=False) > 0
    assert colour_of(0) == 0
    renderer.forget()
    assert colour_of(18) > 0


def test_a_style_without_saturation_draws_in_black_and_white() -> None:
    noir = Style("noir", base=BaseRules(saturation=0.0))
    assert np.ptp(rendered(scene(), style=noir).astype(int), axis=2).max() == 0
