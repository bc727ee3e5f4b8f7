"""Benchmark results as terminal tables and lines."""

from typing import TYPE_CHECKING

from toonfilter.benchmarks.chart import all_targets
from toonfilter.benchmarks.results import Change, Result

if TYPE_CHECKING:
    from rich.table import Table

_STAGES = ("track", "translate", "compose", "draw")
_BUSY_CORES = 0.15
_LONG_RUN_FRAMES = 10_000


def results_table(content: Result) -> "Table":
    """One line for each scenario."""
    from rich.table import Table

    table = Table(title="times in ms: end to end, and of the stages p50 (p95)")
    for name in ("scenario", "fps", "p50/p95/p99/max", *_STAGES, "dropped", "cores", "MB", "MB/frame"):
        table.add_column(name, justify="left" if name == "scenario" else "right", no_wrap=True)
    for result in content["results"]:
        if "error" in result:
            continue
        paced = result["scenario"]["camera_fps"] is not None
        whole = result.get("end_to_end")
        table.add_row(
            result["scenario"]["name"],
            f"{result['fps']:.1f}",
            "/".join(f"{whole[point]:.1f}" for point in ("p50_ms", "p95_ms", "p99_ms", "max_ms"))
            if whole and paced
            else "",
            *(_stage(result, stage) for stage in _STAGES),
            str(result["dropped"]) if paced else "",
            f"{result['cpu_cores']:.2f}",
            f"{result['memory_mb']:.0f}",
            f"{result['extra_mb_per_frame']:.1f}",
        )
    return table


def _stage(result: Result, stage: str) -> str:
    times = result["stages"].get(stage)
    return f"{times['p50_ms']:.1f} ({times['p95_ms']:.1f})" if times else ""


def remarks(content: Result) -> list[str]:
    """What to know beside the table: bottlenecks, targets, and what makes a number doubtful."""
    lines = []
    for result in content["results"]:
        name = result["scenario"]["name"]
        if "error" in result:
            lines.append(f"{name}: not measured: {result['error']}")
            continue
        lines.append(f"{name}: bottleneck {result['bottleneck']}")
        if result["frames"] >= _LONG_RUN_FRAMES:
            lines.append(
                f"{name}: last quarter of {result['frames']} frames against the first: "
                f"{result['memory_growth_mb']:+.1f} MB, {result['growth_ms']:+.2f} ms for a frame"
            )
        if result["others_cores"] > _BUSY_CORES:
            lines.append(f"{name}: other programs used {result['others_cores']:.2f} cores; do not trust its times")
        faces, covered = result["scenario"]["faces"], result["faces_covered"]
        if faces and not 0.95 * faces <= covered <= 1.05 * faces:
            lines.append(f"{name}: {covered:.2f} places were covered on average where the clip shows {faces} faces")
    if cold := content.get("cold_start"):
        times = cold["measured"]
        lines.append(
            f"cold start: first safe frame after {times['first_safe_frame_s']:.2f} s, first cartoon after "
            f"{times['first_cartoon_s']:.2f} s, help text after {times['help_s']:.2f} s"
        )
    lines += [
        f"batch, {one['cores']} cores, {one['workers']} workers: {one['fps']:.1f} frames per second, "
        f"{one['to_first']:.2f} times the first"
        for one in content.get("batch_scaling", [])
    ]
    for name, measure, verdict in all_targets(content):
        word = "met" if verdict["met"] else "MISSED"
        lines.append(f"target {word}: {name} {measure} {verdict['measured']} (target {verdict['target']})")
    return lines


def peers_table(peers: Result) -> "Table":
    """Median times beside each other, ours first, in ms and as a ratio to our fastest."""
    from rich.table import Table

    table = Table(title=f"one face, {peers['size']} px, ms")
    for name in ("", "median", "least", "to ours"):
        table.add_column(name, justify="left" if not name else "right")
    for group in ("generators", "blends"):
        ours = min(times["median"] for name, times in peers[group].items() if name.startswith("our"))
        for name, times in peers[group].items():
            table.add_row(name, f"{times['median']:.2f}", f"{times['least']:.2f}", f"{times['median'] / ours:.1f}")
    return table


def comparison_table(changes: list[Change]) -> "Table":
    """One line for each measure of each scenario."""
    from rich.table import Table

    table = Table(title="new to old: above 1 is worse")
    for name in ("scenario", "measure", "old", "new", "ratio", "noise", "verdict"):
        table.add_column(name, justify="left" if name in ("scenario", "measure", "verdict") else "right")
    for change in changes:
        table.add_row(
            change.scenario,
            change.measure,
            f"{change.old:.2f}",
            f"{change.new:.2f}",
            f"{change.ratio:.2f}",
            f"±{change.noise:.2f}",
            change.verdict,
        )
    return table
