"""Benchmark results as terminal tables and lines."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from toonfilter.benchmarks.chart import all_targets
from toonfilter.benchmarks.machine_speed import REFERENCE_S, MachineSpeed
from toonfilter.benchmarks.results import POINTS, Change, Result

if TYPE_CHECKING:
    from rich.table import Table

_STAGES = ("track", "translate", "compose", "draw")
_BUSY_CORES = 0.15
_LONG_RUN_FRAMES = 10_000


def results_table(content: Result) -> "Table":
    """One line for each scenario."""
    from rich.table import Table

    table = Table(
        title="times in ms: end to end, and of the stages p50 (p95); "
        f"scaled to a machine that does the fixed work in {REFERENCE_S} s",
        padding=0,
    )
    whole = ("fps", "scaled", "p50/p95/p99/max", "p50/p95/p99 scaled")
    for name in ("scenario", *whole, *_STAGES, "dropped", "cores", "MB", "MB/frame"):
        table.add_column(name, justify="left" if name == "scenario" else "right", no_wrap=True)
    for result in content["results"]:
        if "error" in result:
            continue
        paced = result["scenario"]["camera_fps"] is not None
        scaled, is_timed = result["scaled"], paced and "end_to_end" in result
        table.add_row(
            result["scenario"]["name"],
            f"{result['fps']:.1f}",
            "" if paced else f"{scaled['fps']:.1f}",
            _points(result["end_to_end"], *POINTS, "max_ms") if is_timed else "",
            _points(scaled, *POINTS) if is_timed else "",
            *(_stage(result, stage) for stage in _STAGES),
            str(result["dropped"]) if paced else "",
            f"{result['cpu_cores']:.2f}",
            f"{result['memory_mb']:.0f}",
            f"{result['extra_mb_per_frame']:.1f}",
        )
    return table


def _points(times: Mapping[str, float], *points: str) -> str:
    return "/".join(f"{times[point]:.1f}" for point in points)


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
        lines += _speed_remarks(name, result)
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
        scaled = f", scaled {verdict['scaled']}" if "scaled" in verdict else ""
        lines.append(f"target {word}: {name} {measure} {verdict['measured']}{scaled} (target {verdict['target']})")
    return lines


def _speed_remarks(name: str, result: Result) -> Iterator[str]:
    """How fast the machine was, and whether it stayed so."""
    speed = MachineSpeed.of(result)
    if speed is None:
        return
    yield (
        f"{name}: the fixed work took {speed.fixed_work_s:.3f} s, {speed.factor:.2f} times the {REFERENCE_S} s of the "
        "machine that targets are for; figures are scaled by that"
    )
    if speed.has_changed:
        yield (
            f"{name}: the fixed work took {speed.before_s:.3f} s before and {speed.after_s:.3f} s after; the machine's "
            "speed changed meanwhile, and figures are doubtful"
        )


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


def comparison_table(changes: Sequence[Change]) -> "Table":
    """One line for each measure of each scenario."""
    from rich.table import Table

    scaled = ", times scaled" if any(change.is_scaled for change in changes) else ""
    table = Table(title=f"new to old{scaled}: above 1 is worse")
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


def comparison_remarks(changes: Sequence[Change]) -> list[str]:
    """Which scenarios are compared as measured, for want of the machine's speed in the earlier run."""
    # Memory is never scaled.
    raw = dict.fromkeys(change.scenario for change in changes if not change.is_scaled and change.measure != "memory")
    if not raw:
        return []
    return [f"compared as measured, not scaled, for the earlier run timed no fixed work: {', '.join(raw)}"]
