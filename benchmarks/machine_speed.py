"""How fast the machine is: a fixed work, timed right before and right after each scenario.

The work is AnimeGANv2's generator on one picture of 256x256, in fp32 on ONNX Runtime's CPU provider. Machines differ by
a factor of two; figures scaled by this time can be compared, and targets are for them.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.runtime.errors import BackendError

REFERENCE_S = 0.36
"""Seconds that the fixed work takes on the machine that targets are for. Raising it makes all scaled figures worse."""
MUCH_CHANGED = 0.15
"""From which share of the lesser on the times before and after a scenario lie too far apart for its figures to be
trusted. Raising it calls fewer of them doubtful."""
FIXED_WORK = Path(__file__).with_name("fixed_work.onnx")
"""The generator with constants for weights, made by `tools/make_fixed_work.py`."""
INPUT_SHAPE = (1, 3, 256, 256)
THREADS = 2
"""CPU threads of the fixed work, as many as the cores of the machines that scenarios are meant for. Raising it makes
machines with more cores look faster than they are for the filter."""
_RUNS = 5
"""Timed runs, of which the median counts. Raising it steadies the figure and takes longer."""


@dataclass(frozen=True, slots=True)
class MachineSpeed:
    """Seconds of the fixed work before and after a scenario, both above 0."""

    before_s: float
    after_s: float

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> "MachineSpeed | None":
        """That of a scenario's result; None where an earlier version wrote it, which timed no fixed work."""
        times = result.get("machine_speed")
        return cls(times["before_s"], times["after_s"]) if times else None

    @property
    def fixed_work_s(self) -> float:
        return fmean((self.before_s, self.after_s))

    @property
    def factor(self) -> float:
        """To scale by: rates times it, durations through it. Above 1 the machine is slower than that of the targets."""
        return self.fixed_work_s / REFERENCE_S

    @property
    def has_changed(self) -> bool:
        """Whether the machine became so much faster or slower meanwhile that figures are doubtful."""
        lesser, greater = sorted((self.before_s, self.after_s))
        return greater > (1 + MUCH_CHANGED) * lesser

    def as_result(self) -> dict[str, float]:
        """Plain values for a scenario's result."""
        return {
            "fixed_work_s": round(self.fixed_work_s, 4),
            "before_s": round(self.before_s, 4),
            "after_s": round(self.after_s, 4),
            "factor": round(self.factor, 4),
        }


def time_fixed_work() -> float:
    """Median seconds of one run on `THREADS` threads. Meant for a process of its own, so that its memory goes with it.

    Raises:
        BackendError: ONNX Runtime cannot open or run the file.
    """
    try:
        session = open_fixed_work(FIXED_WORK)
        feeds = {"picture": fixed_picture()}
        times_s = []
        for _ in range(1 + _RUNS):
            start_s = time.perf_counter()
            session.run(None, feeds)
            times_s.append(time.perf_counter() - start_s)
    except Exception as error:
        raise BackendError(f"the fixed work does not run: {str(error).splitlines()[0]}") from error
    return median(times_s[1:])


def open_fixed_work(model: Path | bytes) -> Any:
    """An ONNX Runtime session with the threads of the fixed work. model: a file or what is in one."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # As the filter's own engine is set.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def fixed_picture() -> NDArray[np.float32]:
    """What the fixed work is done on: noise, float32 of `INPUT_SHAPE` in -1..1, always the same."""
    return np.random.default_rng(0).uniform(-1, 1, INPUT_SHAPE).astype(np.float32)
