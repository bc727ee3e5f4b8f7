"""One Euro filter, for where the crop lies; expression is never smoothed.

Casiez, Roussel, Vogel 2012, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
Systems", section 3 and algorithm 1.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.geometry.alignment import CropTransform


@dataclass(frozen=True, slots=True)
class OneEuroSettings:
    """min_cutoff_hz: jitter removed at rest. beta: how fast the cutoff rises with speed (less lag in motion).

    speed_cutoff_hz: cutoff of the speed estimate.
    """

    min_cutoff_hz: float = 0.3
    beta: float = 4.0
    speed_cutoff_hz: float = 1.0


class OneEuroFilter:
    """Filters a vector of values sampled at uneven times."""

    def __init__(self, settings: OneEuroSettings) -> None:
        self._settings = settings
        self._value: NDArray[np.float64] | None = None
        self._speed: NDArray[np.float64] | None = None
        self._time_s = 0.0

    def __call__(
        self, value: NDArray[np.float64], time_s: float, carried: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """The filtered value, float64 of the same shape. time_s must not fall; the first value passes unchanged.

        carried: where the last filtered value is by now, when that is known otherwise. Speed is then what is left:
        that of the values against it.
        """
        step_s = time_s - self._time_s
        self._time_s = time_s
        if self._value is None or self._speed is None:
            self._value, self._speed = value.copy(), np.zeros_like(value)
            return value
        if carried is not None:
            self._value = carried
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

    def __call__(self, transform: CropTransform, time_s: float, carried: CropTransform | None = None) -> CropTransform:
        """The steadied transform at this time.

        carried: where the last steadied one is by now, from the motion of the picture (head_motion.py).
        """
        self._unit_px = self._unit_px or transform.side_px
        memory = None if carried is None else self._values(carried)
        values = self._filter(self._values(transform), time_s, memory)
        centre_x, centre_y, log_side, roll_rad = values.tolist()
        self._last_roll_rad = roll_rad
        return replace(
            transform,
            centre_x_px=centre_x * self._unit_px,
            centre_y_px=centre_y * self._unit_px,
            side_px=math.exp(log_side) * self._unit_px,
            roll_rad=roll_rad,
        )

    def _values(self, transform: CropTransform) -> NDArray[np.float64]:
        """float64 [4]: place and log side in units of the first crop's side, and roll, the short way from the last."""
        roll_rad = self._last_roll_rad + math.remainder(transform.roll_rad - self._last_roll_rad, 2 * math.pi)
        centre_x, centre_y = transform.centre_x_px / self._unit_px, transform.centre_y_px / self._unit_px
        return np.array([centre_x, centre_y, math.log(transform.side_px / self._unit_px), roll_rad])
