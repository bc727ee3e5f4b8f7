"""Light and shade of the photo's skin in the drawing."""

import cv2
import numpy as np
import pytest

from toonfilter.runtime.render.skin_relief import LEVELS_PER_L, relief_picture, skin_relief

FAIR = np.array([70.0, 14.0, 18.0], np.float32)
TONES = ((-4.0, -10.0), (6.0, 5.0))


@pytest.fixture(scope="module")
def lit(face):
    """The portrait's landmarks, distance of its pupils in px, and planes that are skin everywhere."""
    image, found = face
    planes = {name: np.zeros(image.shape[:2], np.uint8) for name in ("beard", "over", "glasses", "hair")}
    planes["skin"] = np.full(image.shape[:2], 255, np.uint8)
    points = found.landmarks
    return points, float(np.hypot(*(points[468, :2] - points[473, :2]))), planes


def photo(level) -> np.ndarray:
    grey = np.clip(level, 0, 255).astype(np.uint8)
    return cv2.merge([grey, grey, grey])


def test_flat_skin_has_no_relief(lit) -> None:
    points, unit, planes = lit
    assert np.abs(skin_relief(photo(np.full((640, 640), 150)), planes, points, unit).astype(int) - 128).max() <= 1


def test_a_shaded_side_is_darker_and_noise_is_not_seen(lit) -> None:
    points, unit, planes = lit
    middle = float(points[4, 0])
    noise = np.random.default_rng(1).normal(0, 6, (640, 640))
    level = np.where(np.arange(640)[None] < middle, 180, 120) + noise
    relief = skin_relief(photo(level), planes, points, unit).astype(float)
    row = round(float(points[5, 1]))
    left, right = round(middle - 0.5 * unit), round(middle + 0.5 * unit)
    assert relief[row, left] - relief[row, right] > 8 * LEVELS_PER_L
    patch = relief[row - 6 : row + 7, left - 6 : left + 7]
    assert patch.std() < 0.35 * 6 * LEVELS_PER_L / 2.55


def test_hard_light_is_softened(lit) -> None:
    points, unit, planes = lit
    sides = np.arange(640)[None] < float(points[4, 0])
    row, at = round(float(points[5, 1])), float(points[4, 0])
    depths = []
    for bright, dark in ((170, 140), (230, 30)):
        relief = skin_relief(photo(np.where(sides, bright, dark) + np.zeros((640, 1))), planes, points, unit)
        depths.append(int(relief[row, round(at - 0.5 * unit)]) - int(relief[row, round(at + 0.5 * unit)]))
    assert depths[1] < 0.5 * (200 / 30) * depths[0]


def test_what_is_drawn_by_itself_is_not_looked_at(lit) -> None:
    points, unit, planes = lit
    level = np.full((640, 640), 150.0)
    for ring in ((33, 133, 159, 145), (61, 291, 0, 17)):
        cv2.fillConvexPoly(level, cv2.convexHull(np.rint(points[list(ring), :2]).astype(np.int32)), 10.0)
    relief = skin_relief(photo(level), planes, points, unit)
    assert int(relief[round(float(points[14, 1])), round(float(points[14, 0]))]) > 128 - 3 * LEVELS_PER_L


@pytest.mark.parametrize("skin", [FAIR, np.array([32.0, 12.0, 16.0], np.float32)])
def test_paint_darkens_and_lightens_as_its_tones_say(skin) -> None:
    relief = np.array([[128 - 60, 128, 128 + 60]], np.uint8)
    shown = relief_picture(relief, skin, TONES, 1.0)[0]
    assert shown[1, 3] == 0
    assert shown[0, 3] > 20
    assert shown[2, 3] > 20
    assert shown[0, :3].sum() / shown[0, 3] < shown[2, :3].sum() / shown[2, 3]
    assert (relief_picture(relief, skin, TONES, 0.0)[..., 3] == 0).all()


def test_lights_on_deep_skin_are_amber_not_ash() -> None:
    relief = np.full((4, 4), 128 + round(20 * LEVELS_PER_L), np.uint8)
    for skin, least in ((np.array([34, 15, 20], np.float32), 1.0), (np.array([75, 12, 18], np.float32), 0.45)):
        *light, cover = relief_picture(relief, skin, TONES, 1.0)[0, 0].astype(np.float32) / 255
        drawn = np.array(light, np.float32) / cover
        lab = cv2.cvtColor(drawn[None, None], cv2.COLOR_RGB2LAB)[0, 0]
        assert lab[0] > skin[0] + 10
        assert np.hypot(*lab[1:]) > least * np.hypot(*skin[1:])
