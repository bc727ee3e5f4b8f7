import numpy as np
import pytest

from toonfilter.runtime.render.temporal_smoother import TemporalSmoother

STEP_S = 1 / 30


def test_noise_is_averaged_away() -> None:
    rng = np.random.default_rng(0)
    drawing = rng.integers(40, 200, (64, 64, 3))
    after, changes, noisy_changes, previous = TemporalSmoother(), [], [], None
    for index in range(20):
        noisy = (drawing + rng.integers(-3, 4, drawing.shape)).astype(np.uint8)
        steady, matte = after.steady(1, noisy, noisy[..., 0].copy(), after.advance(index * STEP_S, {1}))
        assert matte is not None
        if previous is not None:
            changes.append(np.abs(steady.astype(int) - previous[0]).mean())
            noisy_changes.append(np.abs(noisy.astype(int) - previous[1]).mean())
        previous = (steady.astype(int), noisy.astype(int))
    assert np.mean(changes[5:]) < 0.6 * np.mean(noisy_changes[5:])
    assert abs(float(steady.mean()) - float(drawing.mean())) < 1.5


def test_what_moved_is_drawn_anew_at_once() -> None:
    after = TemporalSmoother()
    before, now = np.full((64, 64, 3), 60, np.uint8), np.full((64, 64, 3), 60, np.uint8)
    now[20:40, 20:40] = 200
    after.steady(1, before, None, after.advance(0.0, {1}))
    steady, _ = after.steady(1, now, None, after.advance(STEP_S, {1}))
    assert np.abs(steady.astype(int) - now).max() <= 1


@pytest.mark.parametrize(
    ("face", "size", "time_s"),
    [
        pytest.param(2, 64, STEP_S, id="another face"),
        pytest.param(1, 96, STEP_S, id="another size"),
        pytest.param(1, 64, 1.0, id="a second later"),
        pytest.param(1, 64, -1.0, id="back in time"),
    ],
)
def test_nothing_stays_of(face: int, size: int, time_s: float) -> None:
    after = TemporalSmoother()
    after.steady(1, np.full((64, 64, 3), 60, np.uint8), None, after.advance(0.0, {1}))
    now = np.full((size, size, 3), 64, np.uint8)
    steady, _ = after.steady(face, now, None, after.advance(time_s, {1, 2}))
    assert (steady == now).all()


def test_faces_that_are_gone_are_forgotten() -> None:
    after = TemporalSmoother()
    first, later = np.full((64, 64, 3), 60, np.uint8), np.full((64, 64, 3), 64, np.uint8)
    after.steady(1, first, None, after.advance(0.0, {1}))
    after.advance(STEP_S, set())
    steady, _ = after.steady(1, later, None, after.advance(2 * STEP_S, {1}))
    assert (steady == later).all()
