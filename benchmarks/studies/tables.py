"""The tables of a study: the best epoch of each arm by each measure, one arm by epoch, the last epoch, and differences
between arms; intervals over seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toonfilter.benchmarks.quality.bootstrap import Estimate
from toonfilter.benchmarks.studies.plan import Plan
from toonfilter.train.validation_record import badness, value_of

Epochs = Mapping[int, Mapping[str, float]]
Found = Mapping[str, Mapping[int, Epochs]]
"""By arm and seed: figures by epoch."""


@dataclass(frozen=True)
class Table:
    """A heading, titles of the columns, and rows of cells; all of them text."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class BestEpoch:
    """The epoch of a run that is best by a measure, and its value."""

    epoch: int
    value: float


def best_epoch(epochs: Epochs, measure: str) -> BestEpoch | None:
    """The best epoch of one run; the earlier of two equal ones. None where nothing was measured.

    1-NN accuracies are best at 0.5, PSNR, SSIM, precision and recall at their highest, distances at their lowest.
    """
    found = [(epoch, value) for epoch, row in sorted(epochs.items()) if (value := value_of(row, measure)) is not None]
    if not found:
        return None
    epoch, value = min(found, key=lambda pair: badness(measure, pair[1]))
    return BestEpoch(epoch, value)


def over_seeds(values: Sequence[float]) -> Estimate:
    """The mean of runs that differ in their seed, with Student's 95 % interval; none for one run."""
    count = len(values)
    mean = float(np.mean(values))
    if count < 2:
        return Estimate(mean, math.nan, math.nan, count)
    from scipy.stats import t

    half = float(t.ppf(0.975, count - 1)) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Estimate(mean, mean - half, mean + half, count)


def best_table(plan: Plan, found: Found) -> Table:
    """One row an arm: for each measure the value at its best epoch, over seeds, and those epochs."""
    rows = []
    for arm in plan.arms:
        cells = [arm.name]
        for measure in plan.measures:
            best = [b for epochs in found.get(arm.name, {}).values() if (b := best_epoch(epochs, measure)) is not None]
            cells += [_text([b.value for b in best]), ", ".join(str(b.epoch) for b in best) or "-"]
        rows.append(tuple(cells))
    columns = [title for measure in plan.measures for title in (measure, "epoch")]
    return Table("Best epoch by measure", ("arm", *columns), tuple(rows))


def detail_table(plan: Plan, found: Found) -> Table | None:
    """One arm by epoch, over seeds; with a window above 1 the sliding mean of the first measure beside it."""
    if not plan.detail or plan.detail not in found:
        return None
    runs = list(found[plan.detail].values())
    numbers = sorted({epoch for epochs in runs for epoch in epochs})
    smooth = [sliding_mean(_series(epochs, plan.measures[0], numbers), plan.window) for epochs in runs]
    rows = []
    for place, number in enumerate(numbers):
        cells = [str(number)]
        cells += [_text([v for e in runs if (v := value_of(e.get(number, {}), m)) is not None]) for m in plan.measures]
        if plan.window > 1:
            cells.append(_text([series[place] for series in smooth if math.isfinite(series[place])]))
        rows.append(tuple(cells))
    sliding = (f"{plan.measures[0]}, mean of {plan.window}",) if plan.window > 1 else ()
    return Table(f"{plan.detail} by epoch", ("epoch", *plan.measures, *sliding), tuple(rows))


def last_table(plan: Plan, found: Found, references: Mapping[str, Mapping[str, float]]) -> Table:
    """One row an arm: each measure at the last epoch, over seeds, nothing chosen; then what needs no training."""
    rows = [
        (arm.name, *(_text([*_last_values(found.get(arm.name, {}), m).values()]) for m in plan.measures))
        for arm in plan.arms
    ]
    for name, figures in references.items():
        values = [value_of(figures, measure) for measure in plan.measures]
        rows.append((name, *("-" if value is None else _text([value]) for value in values)))
    return Table("Last epoch", ("arm", *plan.measures), tuple(rows))


def difference_table(plan: Plan, found: Found) -> Table:
    """Each arm less the one that it is set against (see `Plan.against`), at the last epoch, by seed, over seeds."""
    rows = []
    fixed = next((arm for arm in plan.arms if arm.name == plan.against), plan.arms[0])
    for above, arm in zip((None, *plan.arms), plan.arms, strict=False):
        other = above if plan.against == "above" else fixed
        if other is None or other is arm:
            continue
        cells = [f"{arm.name} - {other.name}"]
        for measure in plan.measures:
            mine, its = (_last_values(found.get(name, {}), measure) for name in (arm.name, other.name))
            cells.append(_text([mine[seed] - its[seed] for seed in mine if seed in its]))
        rows.append(tuple(cells))
    return Table("Differences at the last epoch", ("arms", *plan.measures), tuple(rows))


def _last_values(runs: Mapping[int, Epochs], measure: str) -> dict[int, float]:
    """By seed: the measure at the last epoch of the run."""
    last = {seed: epochs[max(epochs)] for seed, epochs in runs.items() if epochs}
    return {seed: value for seed, row in last.items() if (value := value_of(row, measure)) is not None}


def sliding_mean(values: Sequence[float], window: int) -> list[float]:
    """The mean of each value with the ones before it, `window` in all; fewer at the start. NaN counts as missing."""
    means = []
    for place in range(len(values)):
        near = [value for value in values[max(0, place - window + 1) : place + 1] if math.isfinite(value)]
        means.append(float(np.mean(near)) if near else math.nan)
    return means


def _series(epochs: Epochs, measure: str, numbers: Sequence[int]) -> list[float]:
    values = [value_of(epochs.get(number, {}), measure) for number in numbers]
    return [math.nan if value is None else value for value in values]


def _text(values: Sequence[float]) -> str:
    if not values:
        return "-"
    found = over_seeds(values)
    if math.isnan(found.low):
        return f"{found.value:.4f}"
    return f"{found.value:.4f} [{found.low:.4f}, {found.high:.4f}]"


def as_markdown(table: Table) -> str:
    """A table with its heading."""
    lines = [f"## {table.heading}", "", _line(table.columns), _line(["---"] * len(table.columns))]
    return "\n".join([*lines, *(_line(row) for row in table.rows), ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
