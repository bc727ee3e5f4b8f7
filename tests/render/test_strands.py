"""Hair's light and dark along its strands."""

import cv2
import numpy as np
import pytest

from toonfilter.runtime.render.strands import hair_light, hair_relief, hair_tints

SIZE, UNIT = 200, 60.0


def striped(angle: float) -> np.ndarray:
    """Strands in one direction with grain: uint8 [SIZE, SIZE]."""
    y, x = np.mgrid[:SIZE, :SIZE]
    grain = np.random.default_rng(2).normal(0, 12, (SIZE, SIZE))
    return np.clip(128 + 40 * np.sin((x * np.sin(angle) - y * np.cos(angle)) / 4) + grain, 0, 255).astype(np.uint8)


@pytest.fixture
def hair() -> np.ndarray:
    plane = np.zeros((SIZE, SIZE), np.uint8)
    plane[20:180, 20:180] = 255
    return plane


@pytest.mark.parametrize("angle", [0.3, 0.8, 1.5, 2.2])
def test_tones_run_along_the_strands(hair, angle) -> None:
    relief = hair_relief(striped(angle), hair, UNIT)[50:150, 50:150]
    across, down = cv2.Sobel(relief, cv2.CV_32F, 1, 0), cv2.Sobel(relief, cv2.CV_32F, 0, 1)
    along = np.abs(across * np.cos(angle) + down * np.sin(angle)).mean()
    beside = np.abs(across * np.sin(angle) - down * np.cos(angle)).mean()
    assert along < 0.5 * beside


def test_light_keeps_strands_and_loses_grain() -> None:
    clean = np.full((SIZE, SIZE), 60, np.uint8)
    clean[:, 100:] = 140
    noisy = np.clip(clean + np.random.default_rng(3).normal(0, 5, clean.shape), 0, 255).astype(np.uint8)
    light = hair_light(cv2.merge([noisy] * 3), 120.0).astype(float)
    assert light[40:160, 20:80].std() < 2.5
    assert light[:, 104].mean() - light[:, 95].mean() > 60


def test_relief_beside_hair_is_not_that_of_what_lies_there(hair) -> None:
    light = np.full((SIZE, SIZE), 80, np.uint8)
    light[hair == 0] = 250
    flat = hair_relief(np.full((SIZE, SIZE), 80, np.uint8), hair, UNIT)
    assert np.abs(hair_relief(light, hair, UNIT) - flat)[30:170, 30:170].max() < 3


def test_a_round_head_of_hair_is_lit_from_above_on_its_light_side(hair) -> None:
    flat = np.full_like(hair, 120)
    relief = hair_relief(flat, hair, UNIT, light_side=-0.8)
    assert relief[40, 40:160].mean() > 2
    assert relief[160, 40:160].mean() < -2
    assert relief[100, 40] > relief[100, 160]


def test_grey_temples_stay_grey_beside_dark_hair(hair) -> None:
    photo = np.full((SIZE, SIZE, 3), (60, 45, 38), np.uint8)
    photo[:, :70] = (150, 148, 146)
    base = np.array([25, 5, 8], np.float32)
    tints = hair_tints(photo, hair, base, UNIT)
    columns = tints.shape[1]
    grey, dark = tints[:, round(0.22 * columns)].mean(0), tints[:, round(0.75 * columns)].mean(0)
    assert grey.min() > 0.08
    assert abs(dark).max() < 0.08
    assert grey[2] > grey[0], "it loses its warmth, too"
