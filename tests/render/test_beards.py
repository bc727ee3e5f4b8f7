"""Beards: skin is seen through sparse ones."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import skia

from toonfilter.runtime.fields import FIELDS
from toonfilter.runtime.render.beard import draw_beard
from toonfilter.runtime.render.colour import to_rgb
from toonfilter.runtime.render.dense_beards import dense_part
from toonfilter.runtime.render.face_geometry import FaceGeometry
from toonfilter.runtime.render.figure import Figure
from toonfilter.runtime.render.palette import Palette, measure_palette
from toonfilter.runtime.render.shade import Light
from toonfilter.runtime.styles.style import BaseRules


def darkness(face, cover: float) -> float:
    """How much darker than the skin the middle of a dense beard of this cover is drawn, 0 to 255."""
    head = FaceGeometry.of(face[1].landmarks)
    plane = np.zeros((640, 640), np.uint8)
    chin = tuple(round(float(value)) for value in head.flat[200])
    cv2.circle(plane, chin, round(0.3 * head.unit_px), 255, -1)
    figure = Figure(
        np.full((640, 640, 3), 128, np.uint8),
        {"beard": plane, "skin": np.full_like(plane, 255)},
        np.eye(2, 3),
        head.unit_px,
        head,
    )
    palette = Palette(beard_cover=cover)
    skin = to_rgb(palette.skin)
    pixels = np.zeros((640, 640, 4), np.uint8)
    pixels[:] = (*np.round(skin * 255), 255)
    with skia.Surface(pixels) as canvas:
        draw_beard(canvas, figure, palette, Light(), BaseRules())
    inside = cv2.circle(np.zeros_like(plane), chin, max(1, round(0.1 * head.unit_px)), 255, -1) > 0
    return float(skin.mean() * 255 - pixels[..., :3][inside].mean())


def test_skin_is_seen_through_sparse_beards(face) -> None:
    sparse, half, dense = (darkness(face, cover) for cover in (0.2, 0.6, 1.0))
    assert 5 < sparse < half - 10 < dense - 20


SKIN, HAIR = (222, 178, 160), (52, 40, 34)


@pytest.mark.parametrize(
    ("seen", "cover", "darker"),
    [
        pytest.param(tuple((np.array(SKIN) * 0.7 + np.array(HAIR) * 0.3).round()), (0.25, 0.7), 30, id="stubble"),
        pytest.param((60, 48, 42), (0.9, 1.0), 30, id="dense"),
        pytest.param((205, 203, 200), (0.8, 1.0), -20, id="white"),
        pytest.param((30, 70, 80), (0.8, 1.0), 30, id="dense in blue light"),
    ],
)
def test_hairs_of_a_beard_are_told_from_the_skin_between_them(seen, cover, darker) -> None:
    photo = np.full((200, 200, 3), SKIN, np.uint8)
    photo[:60], photo[160:] = HAIR, seen
    planes = {name: np.zeros((200, 200), np.uint8) for name in FIELDS}
    planes["hair"][:60] = planes["skin"][60:] = planes["person"][:] = 255
    planes["beard"][160:] = 200
    palette = measure_palette(photo, planes)
    assert cover[0] <= palette.beard_cover <= cover[1]
    assert palette.skin[0] - palette.beard[0] > darker
    assert palette.beard[2] > 0


def test_a_beard_is_dense_where_it_is_darker_than_the_skin_beside_it_in_the_same_light(face) -> None:
    landmarks = face[1].landmarks
    unit = FaceGeometry.of(landmarks).unit_px
    light = np.linspace(120, 220, 640)[None] + np.zeros((640, 1))
    plane = np.zeros((640, 640), np.uint8)
    dark, pale = (tuple(int(value) for value in landmarks[place, :2]) for place in (205, 425))
    for place in (dark, pale):
        cv2.circle(plane, place, round(0.3 * unit), 200, -1)
    lit = cv2.circle(np.zeros((640, 640)), dark, round(0.3 * unit), 1, -1)
    photo = np.repeat((light * (1 - 0.5 * lit))[..., None], 3, 2).astype(np.uint8)
    planes = {"beard": plane, "skin": np.full_like(plane, 255)}
    dense = dense_part(planes, photo, landmarks, unit)
    assert dense[dark[1], dark[0]] > 190
    assert dense[pale[1], pale[0]] < 140


@pytest.mark.parametrize(
    ("points", "is_drawn"),
    [
        pytest.param((50, 280), False, id="cheeks"),
        pytest.param((200,), True, id="chin"),
        pytest.param((164,), False, id="between nose and mouth"),
        pytest.param((186, 92, 164, 322, 410), True, id="moustache"),
    ],
)
def test_coins_on_cheeks_and_below_noses_are_no_beards(face, points: tuple[int, ...], is_drawn: bool) -> None:
    head = FaceGeometry.of(face[1].landmarks)
    plane = np.zeros((640, 640), np.uint8)
    for point in points:
        cv2.circle(plane, tuple(round(float(value)) for value in head.flat[point]), round(0.16 * head.unit_px), 255, -1)
    photo = np.repeat(np.where(plane > 0, 30, 150).astype(np.uint8)[..., None], 3, 2)
    figure = Figure(photo, {"beard": plane, "skin": np.full_like(plane, 255)}, np.eye(2, 3), head.unit_px, head)
    pixels = np.full((640, 640, 4), 255, np.uint8)
    rules = replace(BaseRules(), stubble=0.35 if points == (164,) else 0.0)
    with skia.Surface(pixels) as canvas:
        draw_beard(canvas, figure, Palette(), Light(), rules)
    assert bool((pixels[..., :3] < 255).any()) == is_drawn


@pytest.mark.parametrize(("reach_u", "is_drawn"), [(0.27, False), (0.9, True)], ids=["stubble", "long"])
def test_stubble_of_the_throat_ends_at_the_jaw_and_long_beards_hang(face, reach_u: float, is_drawn: bool) -> None:
    head = FaceGeometry.of(face[1].landmarks)
    chin = head.photo_points[152, :2]
    plane = np.zeros((640, 640), np.uint8)
    across, down = head.right * 0.4 * head.unit_px, head.down * head.unit_px
    corners = [chin + across - 0.2 * down, chin - across - 0.2 * down, chin - across + reach_u * down]
    cv2.fillPoly(plane, [np.rint([*corners, chin + across + reach_u * down]).astype(np.int32)], 255)
    photo = np.repeat(np.where(plane > 0, 60, 150).astype(np.uint8)[..., None], 3, 2)
    figure = Figure(photo, {"beard": plane, "skin": np.full_like(plane, 255)}, np.eye(2, 3), head.unit_px, head)
    pixels = np.full((640, 640, 4), 255, np.uint8)
    with skia.Surface(pixels) as canvas:
        draw_beard(canvas, figure, Palette(beard_cover=0.4), Light(), BaseRules())
    x, y = np.rint(chin + 0.18 * down).astype(int)
    assert bool((pixels[y, x, :3] < 250).any()) == is_drawn


def test_of_a_beard_that_the_network_is_sure_of_the_light_half_stays(face) -> None:
    landmarks = face[1].landmarks
    unit = FaceGeometry.of(landmarks).unit_px
    photo = np.full((640, 640, 3), 170, np.uint8)
    place = tuple(int(value) for value in landmarks[205, :2])
    doubtful, sure = (cv2.circle(np.zeros((640, 640), np.uint8), place, round(0.3 * unit), n, -1) for n in (200, 250))
    skin = np.full((640, 640), 255, np.uint8)
    levels = [
        int(dense_part({"beard": one, "skin": skin}, photo, landmarks, unit)[place[1], place[0]])
        for one in (doubtful, sure)
    ]
    assert levels[0] < 140 < levels[1]


def test_a_moustache_is_as_dense_in_light_as_in_shade(face) -> None:
    landmarks = face[1].landmarks
    unit = FaceGeometry.of(landmarks).unit_px
    plane = np.zeros((640, 640), np.uint8)
    lip = landmarks[[37, 39, 40, 0, 267, 269, 270, 98, 97, 2, 326, 327], :2]
    cv2.fillConvexPoly(plane, cv2.convexHull(np.rint(lip).astype(np.int32)), 190)
    photo = np.full((640, 640, 3), 170, np.uint8)
    middle = int(landmarks[2, 0])
    shaded = (plane > 0) & (np.arange(640) < middle)
    photo[shaded] = 60
    dense = dense_part({"beard": plane, "skin": np.full_like(plane, 255)}, photo, landmarks, unit)
    rows = slice(int(landmarks[2, 1]) + 2, int(landmarks[0, 1]) - 2)
    reach = round(0.15 * unit)
    dark, light = dense[rows, middle - reach : middle - 4], dense[rows, middle + 4 : middle + reach]
    assert dark.mean() > 150
    assert light.mean() > 0.9 * dark.mean()
