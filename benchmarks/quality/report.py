"""report.html: one page with everything in it, nothing loaded from elsewhere."""

import math
from collections.abc import Sequence
from html import escape
from importlib.resources import files

import numpy as np

from toonfilter.benchmarks.quality import charts
from toonfilter.benchmarks.quality.bootstrap import Estimate
from toonfilter.benchmarks.quality.contact_sheet import PICTURES_A_SHEET, Sheet
from toonfilter.benchmarks.quality.results import Evaluation, ModelReport
from toonfilter.benchmarks.quality.terminal_table import format_estimate, missing_lines
from toonfilter.benchmarks.quality.thresholds import THRESHOLDS

_BOUNDS = {threshold.key: threshold for threshold in THRESHOLDS}
_SCATTERS = (
    ("mouth opening", "mouth_before", "mouth_after"),
    ("eye opening", "eyes_before", "eyes_after"),
    ("skin tone, ITA", "ita_before", "ita_after"),
)


def html_report(evaluation: Evaluation, sheets: Sequence[Sheet], curves: str = "") -> str:
    """The whole page. curves: SVG of the training log, where there is one."""
    style = files("toonfilter.benchmarks.quality").joinpath("report.css").read_text(encoding="utf-8")
    names = ", ".join(model.name for model in evaluation.models)
    sections = [_thresholds(evaluation)]
    for title, keys in evaluation.sections.items():
        sections.append(_figures(title, keys, evaluation))
    sections += [_scatters(evaluation), _groups(evaluation)]
    if curves:
        sections.append(f"<h2>Training</h2>{curves}")
    if sheets:
        sections.append("<h2>Pictures</h2>" + "".join(_sheet(sheet, evaluation.models) for sheet in sheets))
    lines = missing_lines(evaluation)
    if lines:
        listing = "".join(f"<li>{escape(line)}</li>" for line in lines)
        sections.append(f"<h2>Not measured, and pictures not used</h2><ul class='note'>{listing}</ul>")
    facts = f"{len(evaluation.keys)} pictures of {evaluation.source}; {evaluation.cpu_s:.0f} s of processor time"
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Evaluation: {escape(names)}</title>"
        f"<meta name='viewport' content='width=device-width, initial-scale=1'><style>{style}</style></head>"
        f"<body><h1>{escape(names)}</h1><p class='facts'>{escape(facts)}. Intervals hold 95 % of bootstrap "
        f"resamples.</p>{''.join(sections)}</body></html>\n"
    )


def _thresholds(evaluation: Evaluation) -> str:
    heads = "".join(f"<th class='figure'>{escape(model.name)}</th>" for model in evaluation.models)
    rows = []
    for index, threshold in enumerate(THRESHOLDS):
        cells = []
        for model in evaluation.models:
            verdict = model.verdicts[index]
            if verdict.reached is None:
                cells.append("<td class='figure note'>not measured</td>")
            else:
                word, kind = ("pass", "good") if verdict.passed else ("fail", "bad")
                cells.append(f"<td class='figure'>{verdict.reached:.3g} <span class='{kind}'>{word}</span></td>")
        title = escape(evaluation.titles.get(threshold.key, threshold.key))
        rows.append(f"<tr><td>{title}</td><td>{escape(threshold.must)}</td>{''.join(cells)}</tr>")
    return (
        f"<h2>What a style must reach</h2><div class='wide'><table><tr><th>measure</th><th>must</th>{heads}</tr>"
        f"{''.join(rows)}</table></div>"
    )


def _figures(title: str, keys: Sequence[str], evaluation: Evaluation) -> str:
    rows = []
    for key in keys:
        estimates = [model.measured.get(key) for model in evaluation.models]
        if not any(estimates):
            continue
        bounds = _BOUNDS.get(key)
        bar = charts.intervals(estimates, bounds.low if bounds else None, bounds.high if bounds else None)
        cells = "".join(
            _cell(found, model.missing.get(key, "")) for found, model in zip(estimates, evaluation.models, strict=True)
        )
        rows.append(f"<tr><td>{escape(evaluation.titles[key])}</td>{cells}<td>{bar}</td></tr>")
    if not rows:
        return ""
    heads = "".join(
        f"<th class='figure'><span style='color:{charts.COLOURS[index % len(charts.COLOURS)]}'>&#9679;</span> "
        f"{escape(model.name)}</th>"
        for index, model in enumerate(evaluation.models)
    )
    return (
        f"<h2>{escape(title)}</h2><div class='wide'><table><tr><th>measure</th>{heads}<th></th></tr>"
        f"{''.join(rows)}</table></div>"
    )


def _cell(found: Estimate | str | None, why: str = "") -> str:
    if found is None or isinstance(found, str):
        return f"<td class='figure note' title='{escape(found or why, quote=True)}'>-</td>"
    value, _, interval = format_estimate(found).partition(" ")
    return (
        f"<td class='figure'>{value}<br><span class='interval'>{interval} n={found.count}</span></td>"
        if math.isfinite(found.value)
        else "<td class='figure note'>not defined</td>"
    )


def _scatters(evaluation: Evaluation) -> str:
    parts = []
    for model in evaluation.models:
        drawn = [
            charts.scatter(title, np.column_stack([model.columns[before], model.columns[after]]))
            for title, before, after in _SCATTERS
            if before in model.columns and after in model.columns
        ]
        if drawn:
            parts.append(f"<h3>{escape(model.name)}</h3><div class='charts'>{''.join(drawn)}</div>")
    return f"<h2>Input against output</h2>{''.join(parts)}" if parts else ""


def _groups(evaluation: Evaluation) -> str:
    parts = []
    for model in evaluation.models:
        for group, labels in model.groups.items():
            keys = [key for key in model.measured if any(key in figures for figures in labels.values())]
            heads = "".join(f"<th class='figure'>{escape(label)}</th>" for label in labels)
            rows = "".join(
                f"<tr><td>{escape(evaluation.titles[key])}</td>"
                + "".join(_cell(figures.get(key)) for figures in labels.values())
                + "</tr>"
                for key in keys
                if any(isinstance(figures.get(key), Estimate) for figures in labels.values())
            )
            parts.append(
                f"<details><summary>{escape(model.name)} by {escape(group)}</summary><div class='wide'>"
                f"<table><tr><th>measure</th>{heads}</tr>{rows}</table></div></details>"
            )
    return f"<h2>By group</h2>{''.join(parts)}" if parts else ""


def _sheet(sheet: Sheet, models: Sequence[ModelReport]) -> str:
    if not sheet.tiles:
        return ""
    rows = []
    for index, name in enumerate(["input", *(model.name for model in models)]):
        cells = []
        for tile in sheet.tiles:
            caption = escape(tile.key if index == 0 else tile.captions[index - 1])
            picture = (
                f"<img alt='{escape(tile.key, quote=True)}' src='data:image/jpeg;base64,{tile.jpegs[index]}'>"
                if tile.jpegs[index]
                else "<div class='none'>no result</div>"
            )
            cells.append(f"<figure>{picture}<figcaption>{caption}</figcaption></figure>")
        cells += ["<span></span>"] * (PICTURES_A_SHEET - len(cells))
        rows.append(f"<div class='label'>{escape(name)}</div>{''.join(cells)}")
    return f"<h3>{escape(sheet.title)}</h3><div class='wide'><div class='sheet'>{''.join(rows)}</div></div>"
