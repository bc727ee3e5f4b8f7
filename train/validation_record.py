"""Which validation of a run was the best, by a named measure; read without torch."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toonfilter.runtime.errors import ConfigError

# How good a value is, by the measure's name before any ":"; lower is better. 1-NN accuracy is best at 0.5.
_BADNESS: Mapping[str, Callable[[float], float]] = {
    "l1": lambda value: value,
    "psnr": lambda value: -value,
    "ssim": lambda value: -value,
    "mmd": lambda value: value,
    "nn": lambda value: abs(value - 0.5),
    "nn_real": lambda value: abs(value - 0.5),
    "nn_fake": lambda value: abs(value - 0.5),
    "fid": lambda value: value,
    "kid": lambda value: value,
    "lpips": lambda value: value,
    "precision": lambda value: -value,
    "recall": lambda value: -value,
}
RECORD = "validation.json"


@dataclass(frozen=True)
class Best:
    """The best validation of a run so far: the step, the value, and by which measure."""

    step: int
    value: float
    measure: str


def check_measure(name: str) -> None:
    """Refuse a measure by which nothing can be ranked.

    Raises:
        ConfigError: naming those that there are.
    """
    if name.partition(":")[0] not in _BADNESS:
        raise ConfigError(f"run.best_measure is {name!r}; expected one of {', '.join(_BADNESS)}, or MEASURE:NET")


def value_of(figures: Mapping[str, float], measure: str) -> float | None:
    """The figure that a measure names, "mmd:NET" or "mmd" for the first net that has it; None where there is none."""
    found = [value for name, value in figures.items() if name == measure or name.partition(":")[0] == measure]
    return found[0] if found and math.isfinite(found[0]) else None


def is_better(value: float, best: Best | None) -> bool:
    """Whether a value is better than the best so far, in the sense of that measure."""
    return best is None or badness(best.measure, value) < badness(best.measure, best.value)


def badness(measure: str, value: float) -> float:
    """A number that is lower for a better value: the value itself for distances, |value - 0.5| for 1-NN accuracy."""
    return _BADNESS[measure.partition(":")[0]](value)


def read_best(folder: Path) -> Best | None:
    """The record beside the best weights of a run; None where there is none or it cannot be read."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return Best(int(record["step"]), float(record["value"]), str(record["measure"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
