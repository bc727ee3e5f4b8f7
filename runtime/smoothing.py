"""One Euro filter, for where the crop lies; expression is never smoothed.

Casiez, Roussel, Vogel 2012, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
Systems", section 3 and algorithm 1.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.alignment import CropTransform


@dataclass(frozen=True, slots=True)
class OneEuroSettings:
    """min_cutoff_hz: jitter removed at rest. beta: how fast the cutoff rises with speed (less lag in motion).

    speed_cutoff_hz: cutoff of the speed estimate.
    """

    min_cutoff_hz: float = 1.2
    beta: float = 18.0
    speed_cutoff_hz: float = 1.0


STEADY = OneEuroSettings(min_cutoff_hz=0.7, beta=10.0)
RESPONSIVE = OneEuroSettings(min_cutoff_hz=2.5, beta=30.0)


class OneEuroFilter:
    """Filters a vector of values sampled at uneven times."""

    def __init__(self, settings: OneEuroSettings) -> None:
        self._settings = settings
        self._value: NDArray[np.float64] | None = None
        self._speed: NDArray[np.float64] | None = None
        self._time_s = 0.0

    def __call__(self, value: NDArray[np.float64], time_s: float) -> NDArray[np.float64]:
        """The filtered value, float64 of the same shape. time_s must not fall; the first value passes unchanged."""
        step_s = time_s - self._time_s
        self._time_s = time_s
        if self._value is None or self._speed is None:
            self._value, self._speed = value.copy(), np.zeros_like(value)
            return value
        if step_s <= 0:
            return self._value
        settings = self._settings
        blend = _smoothing_factor(settings.speed_cutoff_hz, step_s)
        self._speed = self._speed + blend * ((value - self._value) / step_s - self._speed)
        # One cutoff for the whole vector: position, size and rotation of a head move together.
        cutoff_hz = settings.min_cutoff_hz + settings.beta * float(np.linalg.norm(self._speed))
        self._value = self._value + _smoothing_factor(cutoff_hz, step_s) * (value - self._value)
        return self._value


def _smoothing_factor(cutoff_hz: float, step_s: float) -> float:
    turn = 2 * math.pi * cutoff_hz * step_s
    return turn / (turn + 1)


class TransformSmoother:
    """Steadies the crop of one face. Lengths are filtered in units of the crop's side, so size does not matter."""

    def __init__(self, settings: OneEuroSettings) -> None:
        self._filter = OneEuroFilter(settings)
        self._unit_px = 0.0
        self._last_roll_rad = 0.0

    def __call__(self, transform: CropTransform, time_s: float) -> CropTransform:
        """The steadied transform at this time."""
        self._unit_px = self._unit_px or transform.side_px
        turn = transform.roll_rad - self._last_roll_rad
        roll_rad = self._last_roll_rad + math.remainder(turn, 2 * math.pi)
        self._last_roll_rad = roll_rad
        centre_x, centre_y = transform.centre_x_px / self._unit_px, transform.centre_y_px / self._unit_px
        raw = np.array([centre_x, centre_y, math.log(transform.side_px / self._unit_px), roll_rad])
        centre_x, centre_y, log_side, roll_rad = self._filter(raw, time_s).tolist()
        return replace(
            transform,
            centre_x_px=centre_x * self._unit_px,
            centre_y_px=centre_y * self._unit_px,
            side_px=math.exp(log_side) * self._unit_px,
            roll_rad=roll_rad,
        )
