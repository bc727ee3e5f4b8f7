"""Figures scaled by how fast the machine was: in results, targets, tables and comparisons."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from toonfilter.benchmarks import latency, machine_speed
from toonfilter.benchmarks.chart import chart_html
from toonfilter.benchmarks.machine_speed import MUCH_CHANGED, REFERENCE_S, MachineSpeed, time_fixed_work
from toonfilter.benchmarks.measure import Measured, MeasureOptions, Memory, Usage, measure
from toonfilter.benchmarks.results import Result, compare, read_results, summarise, write_results
from toonfilter.benchmarks.scenarios import Scenario
from toonfilter.benchmarks.tables import comparison_remarks, remarks, results_table
from toonfilter.cli import app
from toonfilter.runtime.backends.translator import Description
from toonfilter.runtime.errors import BackendError

FRAMES = 80
PLAIN = Scenario("x")
TWICE_AS_SLOW = MachineSpeed(2 * REFERENCE_S, 2 * REFERENCE_S)
AS_TARGETED = MachineSpeed(REFERENCE_S, REFERENCE_S)


def measured(frame_s: float = 0.02) -> Measured:
    """A run in which every time is a part of frame_s."""
    return Measured(
        description=Description("onnxruntime", "1", "int8", "CPU"),
        stages={"track": [frame_s / 4] * FRAMES, "translate": [frame_s / 4] * FRAMES, "draw": [frame_s / 2] * FRAMES},
        cpu_s={"track": 0.4, "draw": 0.8},
        end_to_end_s=[frame_s] * FRAMES,
        finished_s=[frame_s * number for number in range(FRAMES)],
        states={"protected": FRAMES},
        faces_covered=1.0,
        usage=Usage(frame_s * FRAMES, frame_s * FRAMES, 0.02),
        memory=Memory(400_000_000, 0, 1_500_000),
    )


def run_of(*results: Result) -> Result:
    header = {"format": 1, "created": "2026-11-22T00:00:00Z", "commit": "abc", "bundle": {"name": "cartoon"}}
    return {**header, "machine": {"cpu": "one", "cores": 2}, "results": list(results)}


def result_of(frame_s: float, speed: MachineSpeed, scenario: Scenario = PLAIN) -> Result:
    return summarise(scenario, measured(frame_s), speed, cores=2)


def without_speed(result: Result) -> Result:
    """As an earlier version wrote it."""
    return {name: value for name, value in result.items() if name not in ("machine_speed", "scaled")}


def shown(table: Any) -> str:
    from rich.console import Console

    console = Console(width=200)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_speed_is_the_mean_of_before_and_after() -> None:
    speed = MachineSpeed(0.5, 0.58)
    assert speed.as_result() == {"fixed_work_s": 0.54, "before_s": 0.5, "after_s": 0.58, "factor": 1.5}
    assert MachineSpeed.of({"machine_speed": speed.as_result()}) == speed
    assert MachineSpeed.of({}) is None


@pytest.mark.parametrize("order", [1, -1])
def test_a_machine_that_changes_is_noticed_both_ways(order: int) -> None:
    assert not MachineSpeed(*[0.4, 0.4 * (0.99 + MUCH_CHANGED)][::order]).has_changed
    assert MachineSpeed(*[0.4, 0.4 * (1.01 + MUCH_CHANGED)][::order]).has_changed


def test_the_first_run_warms_up_and_the_median_of_the_others_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    durations_s = [9.0, 0.5, 0.3, 0.4, 8.0, 0.2]
    stamps_s = [stamp for number, duration in enumerate(durations_s) for stamp in (10 * number, 10 * number + duration)]
    clock = SimpleNamespace(perf_counter=iter(stamps_s).__next__)
    monkeypatch.setattr(machine_speed, "time", clock)
    monkeypatch.setattr(machine_speed, "open_fixed_work", lambda _: SimpleNamespace(run=lambda *_: None))
    assert time_fixed_work() == pytest.approx(0.4)


def test_a_file_that_does_not_run_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine_speed, "FIXED_WORK", tmp_path / "none.onnx")
    with pytest.raises(BackendError, match="the fixed work does not run"):
        time_fixed_work()


def test_figures_are_scaled_beside_the_raw_ones() -> None:
    result = result_of(0.02, TWICE_AS_SLOW)
    assert result["fps"] == pytest.approx(50, abs=0.01)
    assert result["end_to_end"]["p50_ms"] == pytest.approx(20)
    assert result["scaled"] == pytest.approx({"fps": 100, "p50_ms": 10, "p95_ms": 10, "p99_ms": 10}, abs=0.01)
    assert result["machine_speed"]["factor"] == 2


def test_the_rate_of_a_camera_and_memory_are_never_scaled() -> None:
    paced = Scenario("x", camera_fps=30, targets={"fps": 60, "memory_mb": 300, "p50_ms": 15})
    result = result_of(0.02, TWICE_AS_SLOW, paced)
    assert set(result["scaled"]) == {"p50_ms", "p95_ms", "p99_ms"}
    assert result["targets"] == {
        "fps": {"target": 60, "measured": result["fps"], "met": False},
        "memory_mb": {"target": 300, "measured": 400.0, "met": False},
        "p50_ms": {"target": 15, "measured": 20.0, "scaled": 10.0, "met": True},
    }
    assert set(result_of(0.02, TWICE_AS_SLOW, Scenario("x", path="video"))["scaled"]) == {"fps"}


@pytest.mark.parametrize(("speed", "is_met"), [(TWICE_AS_SLOW, True), (AS_TARGETED, False)])
def test_targets_are_for_the_scaled_figure(speed: MachineSpeed, is_met: bool) -> None:
    verdict = result_of(0.02, speed, Scenario("x", targets={"fps": 90}))["targets"]["fps"]
    assert verdict["met"] is is_met
    assert verdict["measured"] == pytest.approx(50, abs=0.01)


def test_tables_and_chart_show_both_figures() -> None:
    content = run_of(
        result_of(0.02, TWICE_AS_SLOW, Scenario("free", targets={"fps": 90})),
        result_of(0.02, TWICE_AS_SLOW, Scenario("paced", camera_fps=30)),
        result_of(0.02, TWICE_AS_SLOW, Scenario("file", path="video", camera_fps=30)),
    )
    lines = {line.split("│")[1].strip(): line for line in shown(results_table(content)).splitlines() if "│" in line}
    assert [cell.strip() for cell in lines["free"].split("│")[2:6]] == ["50.0", "100.0", "", ""]
    rates = ["50.0", "", "20.0/20.0/20.0/20.0", "10.0/10.0/10.0"]
    assert [cell.strip() for cell in lines["paced"].split("│")[2:6]] == rates
    told = "\n".join(remarks(content))
    assert "free: the fixed work took 0.720 s, 2.00 times the 0.36 s" in told
    assert "target met: free fps 50.0, scaled 100.0 (target 90)" in told
    assert "speed changed" not in told
    page = chart_html(content)
    assert "50.0 fps, scaled 100.0<" in page
    assert "50.0 fps<" in page


def test_a_machine_that_changed_meanwhile_makes_figures_doubtful() -> None:
    told = "\n".join(remarks(run_of(result_of(0.02, MachineSpeed(0.36, 0.5)))))
    assert "x: the fixed work took 0.360 s before and 0.500 s after; the machine's speed changed meanwhile" in told


def test_runs_on_machines_of_different_speed_are_the_same() -> None:
    for scenario in (PLAIN, Scenario("x", camera_fps=30)):
        here, there = result_of(0.02, AS_TARGETED, scenario), result_of(0.04, TWICE_AS_SLOW, scenario)
        changes = compare(run_of(here), run_of(there))
        assert {change.measure for change in changes} >= {"CPU ms per frame", "track p50", "compose p50", "memory"}
        assert {change.verdict for change in changes} == {"same"}
        assert [change.ratio for change in changes] == pytest.approx([1.0] * len(changes), abs=1e-3)
        assert comparison_remarks(changes) == []


def test_what_became_slower_shows_on_a_faster_machine() -> None:
    changes = compare(run_of(result_of(0.02, TWICE_AS_SLOW)), run_of(result_of(0.02, AS_TARGETED)))
    verdicts = {change.measure: change.verdict for change in changes}
    assert verdicts.pop("memory") == "same"
    assert set(verdicts.values()) == {"slower"}


def test_a_machine_that_changed_meanwhile_makes_comparisons_noisy() -> None:
    old = run_of(result_of(0.02, AS_TARGETED))
    steady, changing = (run_of(result_of(0.024, speed)) for speed in (AS_TARGETED, MachineSpeed(0.26, 0.46)))
    assert compare(old, steady)[0].verdict == "slower"
    assert compare(old, changing)[0].verdict == "same"


def test_an_earlier_run_without_fixed_work_is_compared_as_measured(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    write_results(path, run_of(without_speed(result_of(0.02, AS_TARGETED))))
    changes = compare(read_results(path), run_of(result_of(0.02, TWICE_AS_SLOW)))
    assert {change.ratio for change in changes} == {1.0}
    assert comparison_remarks(changes) == [
        "compared as measured, not scaled, for the earlier run timed no fixed work: x",
    ]


def in_this_process(calls: list[str], times_s: list[float], found: Measured | Exception) -> Callable[..., Any]:
    """What stands for the other processes."""

    def run(function: Callable[..., Any], *_: Any) -> Any:
        calls.append(function.__name__)
        if function is not measure:
            return times_s.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    return run


def test_the_fixed_work_is_timed_before_and_after_each_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    options = MeasureOptions("cartoon", Path("clip.mp4"))
    monkeypatch.setattr(latency, "in_own_process", in_this_process(calls, [0.34, 0.38], measured()))
    result = latency.measure_with_speed(PLAIN, options)
    assert calls == ["time_fixed_work", "measure", "time_fixed_work"]
    assert result["machine_speed"] == {"fixed_work_s": 0.36, "before_s": 0.34, "after_s": 0.38, "factor": 1.0}
    monkeypatch.setattr(latency, "in_own_process", in_this_process(calls, [0.3], BackendError("no engine")))
    assert latency.measure_with_speed(PLAIN, options)["error"] == "no engine"


def test_the_command_compares_scaled_figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    earlier = tmp_path / "old.json"
    for old, words in ((result_of(0.02, AS_TARGETED), "same"), (without_speed(result_of(0.02, AS_TARGETED)), "slower")):
        write_results(earlier, run_of(old))
        monkeypatch.setattr(latency, "run_bench", lambda *_: run_of(result_of(0.04, TWICE_AS_SLOW)))
        done = CliRunner().invoke(app, ["bench", "--compare", str(earlier)])
        assert done.exit_code == 0, done.output
        row = next(line for line in done.output.splitlines() if "ms per frame" in line)
        assert words in row
        assert ("compared as measured" in done.output) is (words == "slower")
