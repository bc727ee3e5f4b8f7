"""A picture of benchmark results: one HTML file with inline SVG, nothing to load."""

from html import escape
from pathlib import Path

from toonfilter.benchmarks.results import Result

_COLOURS = {
    "capture": "#9aa0a6",
    "track": "#5b8def",
    "translate": "#e8833a",
    "compose": "#f2c14e",
}
_WIDTH, _ROW, _LEFT, _RIGHT = 900, 34, 250, 90


def write_chart(path: Path, content: Result) -> None:
    """Median time of every stage by scenario, with the end-to-end percentiles of paced ones; renamed when whole."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(chart_html(content), encoding="utf-8")
    temporary.replace(path)


def chart_html(content: Result) -> str:
    """The page as text."""
    machine = content["machine"]
    about = f"{machine['cpu']}, {machine['cores']} cores; {content['bundle']['name']}; commit {content['commit']}"
    legend = " ".join(f'<span style="color:{colour}">&#9632;</span> {name}' for name, colour in _COLOURS.items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>toonfilter bench</title>'
        "<style>body{font:14px system-ui,sans-serif;margin:2em;max-width:920px}td,th{padding:2px 10px;text-align:right}"
        "td:first-child,th:first-child{text-align:left}.no{color:#b00020}</style>"
        f"<h1>toonfilter bench</h1><p>{escape(about)}<br>{escape(content['created'])}</p>"
        f"<p>{legend} &#9474; end to end p50, p95, p99. Stages run beside each other: the longest sets the pace.</p>"
        f"{_bars(content['results'])}{_targets(content)}</html>\n"
    )


def _bars(results: list[Result]) -> str:
    shown = [result for result in results if "error" not in result and result["stages"]]
    longest = max((_extent(result) for result in shown), default=1.0)
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    rows = []
    for number, result in enumerate(shown):
        top = number * _ROW
        rows.append(f'<text x="0" y="{top + 20}">{escape(result["scenario"]["name"])}</text>')
        left = float(_LEFT)
        for stage, colour in _COLOURS.items():
            width = scale * float(result["stages"].get(stage, {}).get("p50_ms", 0.0))
            title = f"<title>{stage} {width / scale:.2f} ms</title>"
            rows.append(
                f'<rect x="{left:.1f}" y="{top + 6}" width="{width:.1f}" height="20" fill="{colour}">{title}</rect>'
            )
            left += width
        if result["scenario"]["camera_fps"]:
            marks = [_LEFT + scale * result["end_to_end"][point] for point in ("p50_ms", "p95_ms", "p99_ms")]
            rows += [f'<rect x="{mark:.1f}" y="{top + 2}" width="2" height="28" fill="#222"/>' for mark in marks]
        rows.append(f'<text x="{_WIDTH - _RIGHT + 12}" y="{top + 20}">{result["fps"]:.1f} fps</text>')
    height = max(1, len(shown)) * _ROW
    return f'<svg viewBox="0 0 {_WIDTH} {height}" width="100%" font-size="13">{"".join(rows)}</svg>'


def _extent(result: Result) -> float:
    stacked = sum(float(result["stages"].get(stage, {}).get("p50_ms", 0.0)) for stage in _COLOURS)
    return max(stacked, float(result["end_to_end"]["p99_ms"]) if result["scenario"]["camera_fps"] else 0.0)


def _targets(content: Result) -> str:
    rows = []
    for name, measure, verdict in all_targets(content):
        style = "" if verdict["met"] else ' class="no"'
        rows.append(
            f"<tr{style}><td>{escape(name)}</td><td>{measure}</td><td>{verdict['target']}</td>"
            f"<td>{verdict['measured']}</td><td>{'met' if verdict['met'] else 'missed'}</td></tr>"
        )
    head = "<tr><th>scenario</th><th>measure</th><th>target</th><th>measured</th><th></th></tr>"
    return f"<table>{head}{''.join(rows)}</table>" if rows else ""


def all_targets(content: Result) -> list[tuple[str, str, Result]]:
    """(scenario, measure, verdict) of everything that has a target."""
    rows = [
        (result["scenario"]["name"], measure, verdict)
        for result in content["results"]
        for measure, verdict in result.get("targets", {}).items()
    ]
    for place, verdicts in (
        ("cold start", content.get("cold_start", {}).get("targets", {})),
        ("times faster than AnimeGANv2's generator", content.get("peers", {}).get("ratios", {})),
    ):
        rows += [(place, measure, verdict) for measure, verdict in verdicts.items()]
    return rows
