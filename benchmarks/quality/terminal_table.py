"""The figures as a table for the terminal: measures down, models across, with what each must reach."""

import math
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from toonfilter.benchmarks.quality.bootstrap import Estimate
from toonfilter.benchmarks.quality.results import Evaluation, ModelReport
from toonfilter.benchmarks.quality.thresholds import THRESHOLDS


def table_width(evaluation: Evaluation) -> int:
    """The least number of characters across in which the measures keep their names beside the figures."""
    return 28 + 27 * len(evaluation.models)


def terminal_table(evaluation: Evaluation) -> Table:
    """One row per measure that at least one model has."""
    musts = {threshold.key: threshold.must for threshold in THRESHOLDS}
    table = Table(title=f"{len(evaluation.keys)} pictures of {evaluation.source}", title_justify="left")
    table.add_column("measure")
    table.add_column("must")
    for model in evaluation.models:
        table.add_column(model.name, justify="right", no_wrap=True)
    for key, title in evaluation.titles.items():
        if any(key in model.measured for model in evaluation.models):
            table.add_row(title, musts.get(key, ""), *(_cell(model, key) for model in evaluation.models))
    passed = [_passed(model) for model in evaluation.models]
    table.add_section()
    table.add_row("thresholds passed", "", *passed)
    return table


def missing_lines(evaluation: Evaluation) -> list[str]:
    """What is not in the table, one line each: measures without what they need, pictures that could not be used."""
    lines = list(evaluation.notes)
    for name, figures in evaluation.training.items():
        lines.append(
            f"{name}: {figures['start']:.3f} at the start, {figures['end']:.3f} at step {figures['last_step']:.0f}"
        )
    for key, title in evaluation.titles.items():
        reasons = {model.missing[key] for model in evaluation.models if key in model.missing}
        lines += [f"not measured: {title}: {reason}" for reason in sorted(reasons)]
    lines += [f"no group {text}" for text in evaluation.missing_groups]
    lines += _listing("unreadable source pictures", evaluation.left_out.unreadable)
    lines += _listing("source pictures without a target", evaluation.left_out.unpaired)
    lines += _listing("source pictures without a face", evaluation.left_out.faceless)
    for model in evaluation.models:
        lines += _listing(f"{model.name}: results not used", model.problems)
        lines += _listing(f"{model.name}: results without a source picture", model.unused)
    return lines


def format_estimate(found: Estimate) -> str:
    """Value and interval with digits that fit the interval's width."""
    width = found.high - found.low
    digits = 3 if not math.isfinite(width) or width <= 0 else int(min(4, max(0, 2 - math.floor(math.log10(width)))))
    if abs(found.value) < 1:
        digits = max(digits, 3)
    text = f"{found.value:.{digits}f}"
    if math.isfinite(width):
        text += f" [{found.low:.{digits}f}, {found.high:.{digits}f}]"
    return text


def _cell(model: ModelReport, key: str) -> Text:
    found = model.measured.get(key)
    if found is None:
        return Text("-")
    verdict = next((verdict for verdict in model.verdicts if verdict.threshold.key == key), None)
    is_passed = verdict.passed if verdict else None
    value, _, interval = format_estimate(found).partition(" ")
    mark, colour = {True: (" ok", "green"), False: (" NO", "red"), None: ("", "")}[is_passed]
    shown = Text(value + mark, colour)
    return shown.append(f"\n{interval}", "dim") if interval else shown


def _passed(model: ModelReport) -> str:
    judged = [verdict for verdict in model.verdicts if verdict.passed is not None]
    text = f"{sum(bool(verdict.passed) for verdict in judged)} of {len(judged)}"
    unmeasured = len(model.verdicts) - len(judged)
    return f"{text} ({unmeasured} not measured)" if unmeasured else text


def _listing(what: str, names: Sequence[str], shown: int = 8) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return [f"{len(names)} {what}: {'; '.join(names[:shown])}{more}"]
