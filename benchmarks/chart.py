"""A picture of benchmark results: one HTML file with inline SVG, nothing to load; or a PNG (extra `train`)."""

from html import escape
from pathlib import Path

from toonfilter.benchmarks.machine_speed import REFERENCE_S
from toonfilter.benchmarks.results import POINTS, Result
from toonfilter.runtime.errors import ConfigError, require
from toonfilter.runtime.files.whole_files import replacing

_COLOURS = {
    "capture": "#9aa0a6",
    "track": "#5b8def",
    "translate": "#e8833a",
    "compose": "#f2c14e",
}
_WIDTH, _ROW, _LEFT, _RIGHT = 900, 34, 250, 170


def check_chart(path: Path) -> None:
    """Refuse before the measuring what could not be written after it.

    Raises:
        ConfigError: neither .html nor .png, or matplotlib is missing for the latter.
    """
    if path.suffix.lower() == ".png":
        require("matplotlib", extra="train")
    elif path.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{path}: a chart is an .html or a .png file")


def write_chart(path: Path, content: Result) -> None:
    """Median time of every stage by scenario, with the end-to-end percentiles of paced ones; renamed when whole.

    Raises:
        ConfigError: see `check_chart`.
    """
    check_chart(path)
    with replacing(path) as part:
        if path.suffix.lower() == ".png":
            _draw_png(part, content)
        else:
            part.write_text(chart_html(content), encoding="utf-8")


def _draw_png(path: Path, content: Result) -> None:
    """The bars of the page, without its table."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = _shown(content["results"])
    figure = Figure(figsize=(9, 1.5 + 0.34 * len(shown)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    places = range(len(shown))
    lefts = [0.0] * len(shown)
    for stage, colour in _COLOURS.items():
        widths = [_stage_ms(result, stage) for result in shown]
        axes.barh(places, widths, left=lefts, color=colour, height=0.6, label=stage)
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    for place, result in enumerate(shown):
        axes.text(1.01, place, _rate(result), va="center", transform=axes.get_yaxis_transform())
        for mark in _percentiles(result):
            axes.plot([mark, mark], [place - 0.4, place + 0.4], color="#222", linewidth=1.5)
    axes.set_yticks(places, [result["scenario"]["name"] for result in shown])
    axes.invert_yaxis()
    axes.set_xlabel("ms, median of each stage; black: end to end p50, p95, p99")
    axes.set_title(f"toonfilter bench: {_about(content)}", fontsize=9)
    axes.legend(loc="lower right", fontsize=8)
    figure.savefig(path, format="png", dpi=110)


def chart_html(content: Result) -> str:
    """The page as text."""
    legend = " ".join(f'<span style="color:{colour}">&#9632;</span> {name}' for name, colour in _COLOURS.items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>toonfilter bench</title>'
        "<style>body{font:14px system-ui,sans-serif;margin:2em;max-width:920px}td,th{padding:2px 10px;text-align:right}"
        "td:first-child,th:first-child{text-align:left}.no{color:#b00020}</style>"
        f"<h1>toonfilter bench</h1><p>{escape(_about(content))}<br>{escape(content['created'])}</p>"
        f"<p>{legend} &#9474; end to end p50, p95, p99. Stages run beside each other: the longest sets the pace. "
        f"Scaled: to a machine that does the fixed work in {REFERENCE_S} s.</p>"
        f"{_bars(content['results'])}{_targets(content)}</html>\n"
    )


def _bars(results: list[Result]) -> str:
    shown = _shown(results)
    longest = max((_extent(result) for result in shown), default=1.0)
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    rows = []
    for number, result in enumerate(shown):
        top = number * _ROW
        rows.append(f'<text x="0" y="{top + 20}">{escape(result["scenario"]["name"])}</text>')
        left = float(_LEFT)
        for stage, colour in _COLOURS.items():
            width = scale * _stage_ms(result, stage)
            title = f"<title>{stage} {width / scale:.2f} ms</title>"
            rows.append(
                f'<rect x="{left:.1f}" y="{top + 6}" width="{width:.1f}" height="20" fill="{colour}">{title}</rect>'
            )
            left += width
        marks = [_LEFT + scale * mark for mark in _percentiles(result)]
        rows += [f'<rect x="{mark:.1f}" y="{top + 2}" width="2" height="28" fill="#222"/>' for mark in marks]
        rows.append(f'<text x="{_WIDTH - _RIGHT + 12}" y="{top + 20}">{_rate(result)}</text>')
    height = max(1, len(shown)) * _ROW
    return f'<svg viewBox="0 0 {_WIDTH} {height}" width="100%" font-size="13">{"".join(rows)}</svg>'


def _extent(result: Result) -> float:
    return max([sum(_stage_ms(result, stage) for stage in _COLOURS), *_percentiles(result)])


def _shown(results: list[Result]) -> list[Result]:
    return [result for result in results if "error" not in result and result["stages"]]


def _stage_ms(result: Result, stage: str) -> float:
    return float(result["stages"].get(stage, {}).get("p50_ms", 0.0))


def _percentiles(result: Result) -> list[float]:
    """p50, p95 and p99 in ms, end to end; of paced scenarios only, for the others wait in line."""
    if not result["scenario"]["camera_fps"] or "end_to_end" not in result:
        return []
    return [float(result["end_to_end"][point]) for point in POINTS]


def _rate(result: Result) -> str:
    scaled = result["scaled"].get("fps")
    return f"{result['fps']:.1f} fps" + (f", scaled {scaled:.1f}" if scaled is not None else "")


def _about(content: Result) -> str:
    machine = content["machine"]
    return f"{machine['cpu']}, {machine['cores']} cores; {content['bundle']['name']}; commit {content['commit']}"


def _targets(content: Result) -> str:
    rows = []
    for name, measure, verdict in all_targets(content):
        style = "" if verdict["met"] else ' class="no"'
        rows.append(
            f"<tr{style}><td>{escape(name)}</td><td>{measure}</td><td>{verdict['target']}</td>"
            f"<td>{verdict['measured']}</td><td>{verdict.get('scaled', '')}</td>"
            f"<td>{'met' if verdict['met'] else 'missed'}</td></tr>"
        )
    head = "<tr><th>scenario</th><th>measure</th><th>target</th><th>measured</th><th>scaled</th><th></th></tr>"
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
