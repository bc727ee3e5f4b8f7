"""Benchmark results: what a run leaves behind as JSON, whether targets are met, and how two runs compare."""

import json
import math
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import toonfilter
from toonfilter.benchmarks.machine_speed import MachineSpeed
from toonfilter.benchmarks.measure import BLOCKS, Measured
from toonfilter.benchmarks.scenarios import Scenario
from toonfilter.runtime.bundle import Bundle
from toonfilter.runtime.errors import ConfigError, OutputError
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.runtime.latency import StageReport

FORMAT = 1
POINTS = ("p50_ms", "p95_ms", "p99_ms")
"""The percentiles end to end that may have targets."""
_PACKAGES = ("toonfilter", "numpy", "opencv-python", "onnxruntime", "openvino", "av")
_STAGE_ORDER = ("capture", "track", "translate", "compose", "draw")
_CERTAIN = 0.05
"""Differences below this share are never called slower or faster."""

Result = dict[str, Any]
"""One scenario's results, plain values only."""


def summarise(scenario: Scenario, measured: Measured, speed: MachineSpeed, *, cores: int) -> Result:
    """The numbers of one scenario. Times in ms, memory in MB (1e6 bytes); as measured, but for what is in `scaled`."""
    stages = _with_compose(measured.stages)
    intervals_s = [after - before for before, after in zip(measured.finished_s, measured.finished_s[1:], strict=False)]
    frames = len(measured.finished_s)
    result: Result = {
        "scenario": asdict(scenario),
        "engine": str(measured.description),
        "frames": frames,
        "fps": round(len(intervals_s) / sum(intervals_s), 2) if intervals_s else 0.0,
        "stages": {name: _report(stages[name]) for name in _STAGE_ORDER if stages.get(name)},
        "dropped": measured.usage.dropped,
        "states": measured.states,
        "faces_covered": round(measured.faces_covered, 2),
        "cpu_cores": round(measured.usage.process_cpu_s / max(measured.usage.wall_s, 1e-9), 3),
        "cpu_ms_per_frame": round(1000 * measured.usage.process_cpu_s / max(1, frames), 3),
        "thread_cpu_ms": {name: round(1000 * cpu_s / max(1, frames), 3) for name, cpu_s in measured.cpu_s.items()},
        "others_cores": round(measured.usage.others_cores, 2),
        "memory_mb": round(measured.memory.peak_bytes / 1e6, 1),
        "memory_growth_mb": round(measured.memory.growth_bytes / 1e6, 2),
        "extra_mb_per_frame": round(measured.memory.extra_bytes / 1e6, 3),
        "blocks_ms": (blocks_ms := _blocks_ms(scenario, measured, intervals_s)),
        "growth_ms": round(statistics.fmean(blocks_ms[-2:]) - statistics.fmean(blocks_ms[:2]), 3) if blocks_ms else 0.0,
    }
    if scenario.path != "video":
        result["end_to_end"] = _report(measured.end_to_end_s)
    result["bottleneck"] = bottleneck(result, cores)
    result["machine_speed"] = speed.as_result()
    result["scaled"] = scaled(result, speed)
    result["targets"] = verdicts(scenario.targets, result)
    return result


def _with_compose(stages: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Drawing without the engine: crop, guidance, mask, blend. Only where every drawing had one translation."""
    drawn, translated = stages.get("draw", []), stages.get("translate", [])
    if not drawn or len(drawn) != len(translated):
        return dict(stages)
    compose = [whole - part for whole, part in zip(drawn, translated, strict=True)]
    return {**stages, "compose": compose}


def _report(durations_s: list[float]) -> dict[str, float]:
    report = asdict(StageReport.of(durations_s))
    return {name: round(value, 3) for name, value in report.items()}


def _blocks_ms(scenario: Scenario, measured: Measured, intervals_s: list[float]) -> list[float]:
    """The run in consecutive parts, the typical time of a frame in each: how noisy it was."""
    values = measured.end_to_end_s if scenario.camera_fps else intervals_s
    size = max(1, len(values) // BLOCKS)
    parts = [values[start : start + size] for start in range(0, size * min(BLOCKS, len(values)), size)]
    if scenario.camera_fps:
        return [round(1000 * statistics.median(part), 4) for part in parts if part]
    return [round(1000 * statistics.fmean(part), 4) for part in parts if part]


def bottleneck(result: Result, cores: int) -> str:
    """The stage that sets the pace, or the cores when they are all busy."""
    stages = result["stages"]
    sequential = {name: stages[name]["p50_ms"] for name in ("capture", "track", "draw") if name in stages}
    if not sequential:
        return "nothing measured"
    slowest = max(sequential, key=lambda name: sequential[name])
    text = f"{slowest} ({sequential[slowest]:.1f} ms)"
    if slowest == "draw" and "translate" in stages and "compose" in stages:
        part = max(("translate", "compose"), key=lambda name: float(stages[name]["p50_ms"]))
        text = f"draw ({sequential['draw']:.1f} ms, {part} {stages[part]['p50_ms']:.1f} ms of it)"
    busy = result["cpu_cores"] + result["others_cores"]
    if busy > 0.92 * cores:
        text += f"; all {cores} cores are busy"
    return text


def scaled(result: Result, speed: MachineSpeed) -> dict[str, float]:
    """What a machine of `machine_speed.REFERENCE_S` would have: fps, and the percentiles end to end in ms.

    The rate of a paced scenario is not in it, for the camera sets that.
    """
    figures: dict[str, float] = {}
    if result["scenario"]["camera_fps"] is None:
        figures["fps"] = round(result["fps"] * speed.factor, 2)
    if "end_to_end" in result:
        figures |= {point: round(result["end_to_end"][point] / speed.factor, 3) for point in POINTS}
    return figures


def verdicts(targets: Mapping[str, float], result: Result) -> dict[str, dict[str, Any]]:
    """Each target beside what was measured and, where there is one, the scaled figure, by which it is met or missed."""
    measured: dict[str, float] = {"fps": result["fps"], "memory_mb": result["memory_mb"]}
    if "end_to_end" in result:
        measured |= {name: result["end_to_end"][name] for name in POINTS}
    judged = measured | result["scaled"]
    return {
        name: {
            "target": target,
            "measured": measured[name],
            **({"scaled": judged[name]} if name in result["scaled"] else {}),
            "met": judged[name] >= target if name == "fps" else judged[name] <= target,
        }
        for name, target in targets.items()
        if name in measured
    }


def run_header(bundle: Bundle) -> Result:
    """What the results belong to: machine, versions, model files, commit, time."""
    import psutil

    return {
        "format": FORMAT,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit(),
        "machine": {
            "cpu": _cpu_name(),
            "cores": psutil.cpu_count(logical=True),
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
            "os": platform.platform(),
        },
        "versions": {"python": platform.python_version(), **dict(_versions())},
        "bundle": {
            "name": bundle.name,
            "version": bundle.version,
            "sha256": {entry.path: entry.sha256 for entry in bundle.files},
        },
    }


def commit() -> str:
    """The checkout's commit, `+` where files were changed since; the version where this is no checkout."""
    root = str(Path(toonfilter.__file__).parent)
    try:
        asked = ["git", "-C", root, "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
        found = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return f"version {toonfilter.__version__}"
    return found.stdout.strip()


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _versions() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def check_place(path: Path) -> None:
    """Refuse before the measuring where nothing could be written after it.

    Raises:
        OutputError: the folder is missing or may not be written into, or the name is taken by a folder.
    """
    if path.is_dir():
        raise OutputError(f"{path}: a folder; give a file name")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"{path.parent}: no such folder")
    if not os.access(path.absolute().parent, os.W_OK):
        raise OutputError(f"{path.parent}: no permission to write into it")


def write_results(path: Path, content: Result) -> None:
    """Write under a temporary name, then rename."""
    write_whole(path, json.dumps(content, indent=1) + "\n")


def read_results(path: Path) -> Result:
    """Raises: ConfigError: not readable, or not what this version writes."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({error})") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("results"), list):
        raise ConfigError(f"{path} holds no benchmark results of format {FORMAT}; write them with bench --json")
    return content


@dataclass(frozen=True, slots=True)
class Change:
    """One measure of one scenario in two runs.

    ratio: new to old, above 1 is worse. noise: the share by which it may be off. is_scaled: old and new are what a
    machine of `machine_speed.REFERENCE_S` would have.
    """

    scenario: str
    measure: str
    old: float
    new: float
    ratio: float
    noise: float
    is_scaled: bool

    @property
    def verdict(self) -> str:
        margin = max(_CERTAIN, 2 * self.noise)
        if self.ratio > 1 + margin:
            return "slower" if self.measure != "memory" else "more"
        if self.ratio < 1 / (1 + margin):
            return "faster" if self.measure != "memory" else "less"
        return "same"


def compare(old: Result, new: Result) -> list[Change]:
    """What changed in the scenarios that both runs have, measure by measure.

    Times are scaled by each run's own factor; not where one of the runs timed no fixed work.
    """
    before = {result["scenario"]["name"]: result for result in old["results"] if "error" not in result}
    changes: list[Change] = []
    for result in new["results"]:
        name = result["scenario"]["name"]
        if "error" in result or name not in before:
            continue
        changes += _changes(name, before[name], result)
    return changes


def _changes(name: str, old: Result, new: Result) -> Iterator[Change]:
    noises = [_noise(one["blocks_ms"]) for one in (old, new)]
    speeds = [speed for one in (old, new) if (speed := MachineSpeed.of(one))]
    is_scaled = len(speeds) == 2
    factors = (1.0, 1.0)
    if is_scaled:
        factors = (speeds[0].factor, speeds[1].factor)
        noises += [_noise([speed.before_s, speed.after_s]) for speed in speeds]
    for measure, was, now in _times(old, new):
        if was > 0 and now > 0:
            was, now = was / factors[0], now / factors[1]
            yield Change(name, measure, was, now, now / was, math.hypot(*noises), is_scaled)
    was, now = old["memory_mb"], new["memory_mb"]
    if was > 0 and now > 0:
        yield Change(name, "memory", was, now, now / was, 0.0, False)


def _times(old: Result, new: Result) -> Iterator[tuple[str, float, float]]:
    """Each time in both results, in ms, as measured."""
    if new["scenario"]["camera_fps"] is None:
        if old["fps"] and new["fps"]:
            yield "ms per frame", 1000 / old["fps"], 1000 / new["fps"]
    else:
        for point in ("p50_ms", "p95_ms"):
            yield f"latency {point[:3]}", old["end_to_end"][point], new["end_to_end"][point]
    yield "CPU ms per frame", old["cpu_ms_per_frame"], new["cpu_ms_per_frame"]
    for stage in ("track", "translate", "compose"):
        if stage in old["stages"] and stage in new["stages"]:
            yield f"{stage} p50", old["stages"][stage]["p50_ms"], new["stages"][stage]["p50_ms"]


def _noise(times: list[float]) -> float:
    """How far times of the same lie apart, as the standard error of their mean, in shares of it."""
    if len(times) < 2:
        return _CERTAIN
    return statistics.stdev(times) / math.sqrt(len(times)) / statistics.fmean(times)
