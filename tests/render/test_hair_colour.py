"""Dyed hair keeps its colour, and the light's colour on black and grey hair is none of its own."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from toonfilter.runtime.render.hair_colour import measure_hair
from toonfilter.runtime.render.look import Look

_SIZE = 96
_SKIN = np.array([57, 13, 12], np.float32)
"""As the photo shows it."""
_OTHER = np.array([24, 5, 8], np.float32)


def _hair(lightness: tuple[float, float], red: object, yellow: object, skin: NDArray[np.float32] = _SKIN, old=0.0):
    """Drawn colour of hair of such lights and shades. red, yellow: a* and b*, numbers or functions of lightness."""
    plane = np.zeros((_SIZE, _SIZE), np.uint8)
    plane[:60] = 255
    lab = np.zeros((_SIZE, _SIZE, 3), np.float32)
    # Little of hair is light.
    spread = np.random.default_rng(0).uniform(0, 1, (_SIZE, _SIZE)) ** 1.7
    lab[..., 0] = lightness[0] + (lightness[1] - lightness[0]) * spread
    for channel, value in ((1, red), (2, yellow)):
        lab[..., channel] = value(lab[..., 0]) if callable(value) else value
    plain = Look.plain()
    look = replace(plain, skin=np.array([74, 13, 18], np.float32), lines=replace(plain.lines, old=old))
    return measure_hair(lab, {"hair": plane}, skin, _OTHER, look).hair


def test_dark_hair_with_a_faint_violet_dye_is_violet() -> None:
    drawn = _hair((4, 49), lambda light: 0.19 * light, lambda light: -0.32 * light)
    assert drawn[1] > 3
    assert drawn[2] < -5


def test_black_hair_with_gloss_or_blue_shade_is_not_violet() -> None:
    gloss = _hair((4, 49), 5.0, -6.3)
    shade = _hair((4, 49), lambda light: 0.1 + 0.2 * light, lambda light: -11 + 0.22 * light)
    for drawn in (gloss, shade):
        assert drawn[1] < 2
        assert drawn[2] > 0


def test_black_and_grey_hair_that_mirrors_the_sky_is_not_blue_and_blue_hair_is() -> None:
    black = _hair((4, 30), -2.5, -6.0)
    grey = _hair((25, 65), -3.7, -5.5, old=0.5)
    for drawn in (black, grey):
        assert np.hypot(*drawn[1:]) < 2.5
    blue = _hair((10, 40), -4.0, -13.0)
    assert blue[2] < -12


def test_pale_pink_hair_is_pink_and_hair_in_pink_light_is_not() -> None:
    photo = (72, 88), 9.0, 1.0
    pink, lit = (_hair(*photo, skin=np.array(skin, np.float32), old=0.45) for skin in ((52, 13, 15), (52, 31, 15)))
    assert pink[1] > 7
    assert abs(pink[2]) < 4
    assert np.hypot(*lit[1:]) < 4


def test_grey_hair_is_grey_in_cold_and_in_warm_light() -> None:
    cold = _hair((45, 75), 2.0, -6.0, skin=np.array([52, 15, 6], np.float32), old=0.5)
    lilac = _hair((45, 75), 5.3, -3.1, skin=np.array([71, 17, 12], np.float32), old=0.5)
    warm = _hair((45, 75), 4.0, 9.0, skin=np.array([57, 20, 28], np.float32), old=0.5)
    for drawn in (cold, lilac, warm):
        assert np.hypot(*drawn[1:]) < 5


def test_dark_hair_with_a_faint_green_dye_is_green_and_brown_hair_in_green_light_is_brown() -> None:
    green, brown = (_hair((22, 62), red, 3.0, skin=np.array([57, 16, 22], np.float32)) for red in (-7.3, -3.5))
    assert green[1] < -4
    assert brown[1] > 2
    assert brown[2] > 6


def test_bright_ginger_hair_is_orange_and_not_red() -> None:
    for light, red, yellow in (((30, 60), 49.0, 45.0), ((15, 45), 39.0, 37.0)):
        drawn = _hair(light, red, yellow, skin=np.array([70, 17, 16], np.float32))
        assert drawn[2] / drawn[1] > 0.85
        assert np.hypot(*drawn[1:]) < 1.2 * np.hypot(red, yellow)


@pytest.mark.parametrize(
    ("lightness", "aged", "low", "high"),
    [
        pytest.param((16, 26), 1.0, 30, 50, id="as light as the skin"),
        pytest.param((16, 26), 0.0, 16, 24, id="gloss of the young"),
        pytest.param((4, 12), 1.0, 16, 18, id="black"),
    ],
)
def test_in_dim_light_grey_hair_is_told_from_black_by_the_skin_beside_it(
    lightness: tuple[float, float], aged: float, low: float, high: float
) -> None:
    plane = np.full((_SIZE, _SIZE), 255, np.uint8)
    lab = np.zeros((_SIZE, _SIZE, 3), np.float32)
    lab[..., 0] = np.random.default_rng(0).uniform(*lightness, (_SIZE, _SIZE))
    plain = Look.plain()
    look = replace(plain, skin=np.array([44, 13, 20], np.float32), lines=replace(plain.lines, aged=aged))
    drawn = measure_hair(lab, {"hair": plane}, np.array([20, 4, 7], np.float32), _OTHER, look).hair
    assert low <= drawn[0] <= high


@pytest.mark.parametrize(("aged", "is_grey"), [(0.4, False), (1.0, True)])
def test_a_gleam_on_a_cropped_head_is_no_white_hair_and_a_dark_beard_beside_white_hair_is_dark(
    aged: float, is_grey: bool
) -> None:
    hair, beard = (np.zeros((_SIZE, _SIZE), np.uint8) for _ in range(2))
    hair[:40], beard[70:] = 255, 255
    lab = np.zeros((_SIZE, _SIZE, 3), np.float32)
    lab[:40, :, 0], lab[:14, :, 0], lab[70:, :, 0] = 78, 28, 26
    lab[70:, ::8, 0] = 50
    plain = Look.plain()
    look = replace(plain, skin=np.array([64, 14, 20], np.float32), lines=replace(plain.lines, aged=aged))
    drawn = measure_hair(lab, {"hair": hair, "beard": beard}, np.array([50, 10, 12], np.float32), _OTHER, look)
    assert (drawn.hair[0] > 60) == is_grey
    assert drawn.beard[0] < 35


def test_grey_hair_in_purple_light_beside_deep_skin_is_grey_and_not_a_gleam_on_it() -> None:
    plane = np.full((_SIZE, _SIZE), 255, np.uint8)
    lab = np.full((_SIZE, _SIZE, 3), (45, 24, -17), np.float32)
    lab[:20] = 92, 3, 3
    plain = Look.plain()
    look = replace(plain, skin=np.array([51, 18, 23], np.float32), lines=replace(plain.lines, aged=1.0))
    drawn = measure_hair(lab, {"hair": plane}, np.array([31, 32, 17], np.float32), _OTHER, look).hair
    assert drawn[0] > 45
    assert np.hypot(*drawn[1:]) < 10


@pytest.mark.parametrize(("young", "is_white"), [(1.0, False), (0.0, True)])
def test_a_child_before_the_sun_has_no_white_hair(young: float, is_white: bool) -> None:
    plane = np.full((_SIZE, _SIZE), 255, np.uint8)
    lab = np.full((_SIZE, _SIZE, 3), (80, 0, -1), np.float32)
    lab[:30] = 28, 5, 8
    plain = Look.plain()
    look = replace(plain, skin=np.array([76, 10, 18], np.float32), lines=replace(plain.lines, young=young))
    drawn = measure_hair(lab, {"hair": plane}, np.array([65, 10, 21], np.float32), _OTHER, look).hair
    assert (drawn[0] > 60) == is_white
