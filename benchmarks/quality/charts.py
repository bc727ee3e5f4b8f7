"""Small charts as SVG text: scatter of input against output, curves over training steps, intervals."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonfilter.benchmarks.quality.bootstrap import Estimate

Values = NDArray[np.floating[Any]]
_MOST_POINTS = 600
_MOST_STEPS = 400
COLOURS = ("#0b6e99", "#c2410c", "#4d7c0f", "#7e22ce", "#a16207", "#be123c")


def scatter(title: str, pairs: Values, *, side: int = 220) -> str:
    """Output against input with the diagonal: what is carried over lies on it. pairs: [N, 2]; at most 600 are drawn."""
    pairs = pairs[np.isfinite(pairs).all(1)]
    if len(pairs) > _MOST_POINTS:
        pairs = pairs[np.random.default_rng(0).choice(len(pairs), _MOST_POINTS, replace=False)]
    if not len(pairs):
        return ""
    low, high = _round_range(float(pairs.min()), float(pairs.max()))
    left, bottom, plot = 42, 30, side - 54

    def place(values: Values) -> Values:
        return (values - low) / (high - low) * plot

    dots = "".join(
        f'<circle cx="{left + x:.1f}" cy="{side - bottom - y:.1f}" r="2"/>' for x, y in place(pairs).tolist()
    )
    frame = f'<rect x="{left}" y="{side - bottom - plot}" width="{plot}" height="{plot}" class="frame"/>'
    diagonal = (
        f'<line x1="{left}" y1="{side - bottom}" x2="{left + plot}" y2="{side - bottom - plot}" class="diagonal"/>'
    )
    labels = (
        f'<text x="{left}" y="{side - bottom + 13}">{low:g}</text>'
        f'<text x="{left + plot}" y="{side - bottom + 13}" text-anchor="end">{high:g}</text>'
        f'<text x="{left + plot / 2}" y="{side - bottom + 13}" text-anchor="middle">input</text>'
        f'<text x="{left - 4}" y="{side - bottom}" text-anchor="end">{low:g}</text>'
        f'<text x="{left - 4}" y="{side - bottom - plot + 10}" text-anchor="end">{high:g}</text>'
        f'<text x="{left + plot / 2}" y="{side - bottom + 27}" text-anchor="middle" class="title">{title}</text>'
    )
    inside = f'{frame}{diagonal}<g class="dots">{dots}</g>{labels}'
    return f'<svg width="{side}" height="{side}" class="chart">{inside}</svg>'


def curves(title: str, series: Mapping[str, Sequence[tuple[float, float]]], *, width: int = 640) -> str:
    """Lines over steps; long series are averaged down to 400 points. series: (step, value) pairs by name."""
    lines = {name: _thinned(np.array(points, np.float64)) for name, points in series.items() if points}
    if not lines:
        return ""
    everything = np.concatenate(list(lines.values()))
    (x_low, y_low), (x_high, y_high) = everything.min(0), everything.max(0)
    y_low, y_high = _round_range(float(y_low), float(y_high))
    x_high = max(float(x_high), float(x_low) + 1)
    left, top, height, plot = 50, 10, 220, width - 65
    drawn = []
    for index, (name, points) in enumerate(lines.items()):
        colour = COLOURS[index % len(COLOURS)]
        xs = left + (points[:, 0] - x_low) / (x_high - x_low) * plot
        ys = top + (y_high - points[:, 1]) / (y_high - y_low) * (height - 50)
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        drawn.append(f'<text x="{left + 8 + 130 * index}" y="{height - 6}" fill="{colour}">{name}</text>')
    frame = f'<rect x="{left}" y="{top}" width="{plot}" height="{height - 50}" class="frame"/>'
    labels = (
        f'<text x="{left - 4}" y="{top + 10}" text-anchor="end">{y_high:g}</text>'
        f'<text x="{left - 4}" y="{height - 40}" text-anchor="end">{y_low:g}</text>'
        f'<text x="{left}" y="{height - 26}">{x_low:g}</text>'
        f'<text x="{left + plot}" y="{height - 26}" text-anchor="end">{x_high:g}</text>'
        f'<text x="{left + plot / 2}" y="{height - 26}" text-anchor="middle" class="title">{title}</text>'
    )
    return f'<svg width="{width}" height="{height}" class="chart">{frame}{"".join(drawn)}{labels}</svg>'


def intervals(estimates: Sequence[Estimate | None], low: float | None, high: float | None, *, width: int = 150) -> str:
    """One bar per model on a common scale; the shaded part is what must be reached."""
    known = [found for found in estimates if found is not None]
    if not known:
        return ""
    ends = [end for found in known for end in (found.low, found.high, found.value) if math.isfinite(end)]
    ends += [bound for bound in (low, high) if bound is not None]
    start, stop = min(ends), max(ends)
    margin = 0.08 * (stop - start) or 0.5
    start, stop = start - margin, stop + margin

    def place(value: float) -> float:
        return min(max((value - start) / (stop - start), 0.0), 1.0) * width

    height = 12 * len(estimates) + 2
    parts = []
    if low is not None or high is not None:
        left, right = place(start if low is None else low), place(stop if high is None else high)
        parts.append(f'<rect x="{left:.1f}" y="0" width="{right - left:.1f}" height="{height}" class="must"/>')
    for index, found in enumerate(estimates):
        if found is None:
            continue
        y, colour = 7 + 12 * index, COLOURS[index % len(COLOURS)]
        if math.isfinite(found.low) and math.isfinite(found.high):
            x1, x2 = place(found.low), place(found.high)
            parts.append(f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<circle cx="{place(found.value):.1f}" cy="{y}" r="3.5" fill="{colour}"/>')
    return f'<svg width="{width}" height="{height}" class="chart">{"".join(parts)}</svg>'


def _thinned(points: Values) -> Values:
    points = points[np.isfinite(points).all(1)]
    if len(points) <= _MOST_STEPS:
        return points
    return np.array([part.mean(0) for part in np.array_split(points, _MOST_STEPS)])


def _round_range(low: float, high: float) -> tuple[float, float]:
    """The range widened to round numbers."""
    span = high - low
    step = 10.0 ** math.floor(math.log10(span)) / 2 if span > 0 else 0.5
    rounded_low, rounded_high = math.floor(low / step) * step, math.ceil(high / step) * step
    return (rounded_low, rounded_high) if rounded_high > rounded_low else (rounded_low - step, rounded_high + step)
