from dataclasses import replace

import numpy as np
import pytest

from toonfilter.runtime.faces.smoothing import OneEuroFilter, OneEuroSettings, TransformSmoother
from toonfilter.runtime.geometry.alignment import CropTransform

STEP_S = 1 / 30


def test_first_value_passes_and_rest_is_quiet() -> None:
    rng = np.random.default_rng(0)
    smooth = OneEuroFilter(OneEuroSettings())
    noisy = 0.002 * rng.normal(size=300)
    filtered = np.array([smooth(np.array([value]), index * STEP_S)[0] for index, value in enumerate(noisy)])
    assert filtered[0] == noisy[0]
    assert filtered[50:].std() < 0.6 * noisy[50:].std()


def test_matches_the_papers_algorithm() -> None:
    settings = OneEuroSettings(min_cutoff_hz=1.0, beta=0.5, speed_cutoff_hz=1.0)
    smooth = OneEuroFilter(settings)
    values = [0.0, 1.0, 3.0]
    found = [smooth(np.array([value]), index * 0.1)[0] for index, value in enumerate(values)]

    def alpha(cutoff: float) -> float:
        tau = 1 / (2 * np.pi * cutoff)
        return 1 / (1 + tau / 0.1)

    previous, speed = 0.0, 0.0
    for value, result in zip(values[1:], found[1:], strict=True):
        speed = alpha(1.0) * (value - previous) / 0.1 + (1 - alpha(1.0)) * speed
        factor = alpha(1.0 + 0.5 * abs(speed))
        previous = factor * value + (1 - factor) * previous
        assert result == pytest.approx(previous)


def test_a_moving_head_does_not_lag_when_it_is_carried() -> None:
    smooth = TransformSmoother(OneEuroSettings())
    carried = None
    for index in range(60):
        raw = CropTransform(100 + 8.0 * index, 200.0, 300.0, 0.0, 256)
        steady = smooth(raw, index * STEP_S, carried)
        carried = replace(steady, centre_x_px=steady.centre_x_px + 8.0)
    assert abs(steady.centre_x_px - raw.centre_x_px) < 0.02 * 300


def test_roll_goes_the_short_way_round() -> None:
    smooth = TransformSmoother(OneEuroSettings())
    smooth(CropTransform(0, 0, 100, 3.1, 256), 0.0)
    steady = smooth(CropTransform(0, 0, 100, -3.1, 256), STEP_S)
    assert 3.0 < steady.roll_rad < 3.3
