"""Patches as a brush paints them."""

import numpy as np

from toonfilter.runtime.render.brushwork import brushed, extended

SIDE = 60


def grey(light: np.ndarray) -> np.ndarray:
    lab = np.zeros((SIDE, SIDE, 3), np.float32)
    lab[..., 0] = light
    return lab


def test_noise_is_lost_and_an_edge_stays() -> None:
    rng = np.random.default_rng(1)
    edge = np.where(np.arange(SIDE) < 30, 30.0, 70.0)[None] + rng.normal(0, 3, (SIDE, SIDE))
    light = brushed(grey(edge), 4.0)[..., 0]
    assert light[10:50, 5:22].std() < 1.0
    assert light[:, 26].mean() < 34
    assert light[:, 34].mean() > 66


def test_a_flat_picture_stays() -> None:
    assert np.allclose(brushed(grey(np.full((SIDE, SIDE), 42.0)), 3.0)[..., 0], 42.0, atol=0.01)


def test_a_picture_goes_on_beyond_what_counts() -> None:
    light = np.where(np.arange(SIDE) < 30, 50.0, 0.0)[None] + np.zeros((SIDE, 1))
    inside = np.where(np.arange(SIDE) < 30, 255, 0)[None].astype(np.uint8).repeat(SIDE, 0)
    whole, at_large = extended(grey(light), inside, 8.0)
    assert np.allclose(whole[:, :30, 0], 50.0)
    assert np.allclose(whole[:, 30:36, 0], 50.0, atol=0.5)
    assert np.allclose(at_large[:, :36, 0], 50.0, atol=0.5)
