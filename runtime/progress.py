"""How far a long job is: one shape for all of them."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """done, total: in the job's own unit, which `words` names. fresh: done in this run, where one was resumed.

    fps: of this run. left_s: None while unknown.
    """

    done: int
    total: int
    words: str = ""
    fps: float = 0.0
    left_s: float | None = None
    fresh: int = 0


ShowProgress = Callable[[Progress], None]
