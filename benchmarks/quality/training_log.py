"""How the adversaries fared: D(real) and D(fake) over a training run, from its log."""

import math
from dataclasses import dataclass
from pathlib import Path

from toonfilter.runtime.errors import DataError
from toonfilter.train.monitor import read_scalars

_PREFIXES = ("d_real", "d_fake")


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """series: (step, value) pairs of every D(real) and D(fake) in the log, by their names."""

    series: dict[str, list[tuple[float, float]]]

    def summary(self) -> dict[str, dict[str, float]]:
        """By name: the mean over the first and the last tenth of the run, and the last step."""
        found = {}
        for name, points in self.series.items():
            tenth = max(1, len(points) // 10)
            values = [value for _, value in points]
            found[name] = {
                "start": math.fsum(values[:tenth]) / tenth,
                "end": math.fsum(values[-tenth:]) / tenth,
                "last_step": points[-1][0],
            }
        return found


def read_training_log(run: Path) -> TrainingLog:
    """The scores of the discriminators in a run folder's log.

    Raises:
        DataError: no log, or no discriminator in it.
    """
    lines = read_scalars(run)
    if not lines:
        raise DataError(f"{run} has no scalars.jsonl with values; give the folder of a training run")
    series: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        for name, value in line.items():
            if name.startswith(_PREFIXES) and isinstance(value, int | float) and math.isfinite(value):
                series.setdefault(name, []).append((float(line["step"]), float(value)))
    if not series:
        raise DataError(f"{run}/scalars.jsonl has no value whose name starts with {' or '.join(_PREFIXES)}")
    return TrainingLog(series)
