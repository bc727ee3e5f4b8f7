import json
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toonfilter.benchmarks.chart import chart_html, check_chart, write_chart
from toonfilter.benchmarks.clip import there_and_back
from toonfilter.benchmarks.machine_speed import REFERENCE_S, MachineSpeed
from toonfilter.benchmarks.measure import Measured, Memory, Usage
from toonfilter.benchmarks.results import Result, check_place, compare, read_results, summarise, write_results
from toonfilter.benchmarks.scaling import Load, sensible_loads
from toonfilter.benchmarks.scenarios import Scenario, by_engine, camera_rate, chosen, load_scenarios, paced
from toonfilter.benchmarks.tables import comparison_table, peers_table, remarks, results_table
from toonfilter.runtime.backends.translator import Description
from toonfilter.runtime.bundle import Bundle
from toonfilter.runtime.errors import ConfigError, OutputError

FRAMES = 80
AS_TARGETED = MachineSpeed(REFERENCE_S, REFERENCE_S)


def measured(frame_s: float = 0.02, *, wobble: float = 0.0) -> Measured:
    """A run whose frames come every frame_s, the odd blocks slower by the share `wobble`."""
    steps = [frame_s * (1 + wobble * (number // 10 % 2)) for number in range(FRAMES)]
    finished = [sum(steps[: number + 1]) for number in range(FRAMES)]
    return Measured(
        description=Description("onnxruntime", "1", "int8", "CPU"),
        stages={"capture": [0.001] * FRAMES, "track": [0.005] * FRAMES, "translate": [0.006] * FRAMES,
                "draw": [0.25 * frame_s + 0.006] * FRAMES},
        cpu_s={"track": 0.4, "draw": 0.8},
        end_to_end_s=[0.012 + 0.0001 * number for number in range(FRAMES)],
        finished_s=finished,
        states={"protected": FRAMES},
        faces_covered=1.0,
        usage=Usage(1.6, finished[-1], 0.02, dropped=3),
        memory=Memory(400_000_000, 0, 1_500_000),
    )  # fmt: skip


def content_of(*results: Result) -> Result:
    return {
        "format": 1,
        "created": "2026-11-22T00:00:00Z",
        "commit": "abc",
        "machine": {"cpu": "a <fast> one", "cores": 2},
        "bundle": {"name": "cartoon"},
        "results": list(results),
    }


@given(st.integers(1, 60), st.integers(0, 500))
def test_the_clip_goes_on_without_a_jump(count: int, number: int) -> None:
    here, there = there_and_back(number, count), there_and_back(number + 1, count)
    assert 0 <= here < count
    assert abs(here - there) == (1 if count > 1 else 0)


def test_the_shipped_scenarios_hold_the_targets_of_the_product() -> None:
    targets = {one.name: dict(one.targets) for one in load_scenarios()}
    assert targets["cam-720p-256"]["fps"] == 45
    assert targets["cam-720p-head"]["fps"] == 60
    assert targets["cam-720p-384"]["fps"] == 30
    assert targets["cam-720p-256-paced"] == {"p50_ms": 18, "p95_ms": 24, "p99_ms": 30, "memory_mb": 600}
    assert targets["video-720p"]["fps"] == 35
    assert targets["cam-720p-4-faces"]["fps"] == 25
    assert targets["cam-1080p"]["fps"] == 40
    assert {one.faces for one in load_scenarios()} == {0, 1, 2, 4}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[a]\nfaces = 3", "faces is 3"),
        ("[a]\nwidth = 641", "641x720"),
        ("[a]\npath = 'photo'", "'photo'"),
        ("[a]\nextent = 'hat'", "'hat'"),
        ("[a]\nspeed = 1", "unknown key 'speed'"),
        ("[a]\ntargets = { joy = 1 }", "unknown target 'joy'"),
        ("[a]\ncamera_fps = 0", "camera_fps is 0"),
        ("[a", r"line 1 is '\[a'; must be TOML"),
    ],
)
def test_wrong_scenarios_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "scenarios.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_scenarios(path)


def test_choosing_pacing_and_engines(tiny_bundle: Bundle) -> None:
    scenarios = [Scenario("a-1", targets={"fps": 9, "p50_ms": 5}), Scenario("a-2", path="video"), Scenario("b")]
    assert [one.name for one in chosen(scenarios, ("a-*",))] == ["a-1", "a-2"]
    assert chosen(scenarios, ()) == scenarios
    with pytest.raises(ConfigError, match="no scenario 'c'"):
        chosen(scenarios, ("c",))
    assert [(one.name, one.camera_fps, one.targets) for one in paced(scenarios, 30)] == [
        ("a-1", 30, {"p50_ms": 5}),
        ("b", 30, {}),
    ]
    each = by_engine([Scenario("x", engine="each")], tiny_bundle, ("openvino", "onnxruntime"))
    assert [(one.name, one.engine, one.precision) for one in each] == [
        ("x-openvino-fp32", "openvino", "fp32"),
        ("x-onnxruntime-fp32", "onnxruntime", "fp32"),
    ]


@pytest.mark.parametrize(("text", "rate"), [("camera=30fps", 30.0), ("camera=29.97", 29.97)])
def test_camera_rate(text: str, rate: float) -> None:
    assert camera_rate(text) == rate


def test_camera_rate_of_something_else() -> None:
    with pytest.raises(ConfigError, match="camera=30fps"):
        camera_rate("30")


def test_numbers_of_a_run() -> None:
    result = summarise(Scenario("x", targets={"fps": 49, "memory_mb": 300}), measured(), AS_TARGETED, cores=2)
    assert result["fps"] == pytest.approx(50, abs=0.01)
    assert result["stages"]["compose"]["p50_ms"] == pytest.approx(5.0)
    assert result["cpu_ms_per_frame"] == pytest.approx(20)
    assert result["cpu_cores"] == pytest.approx(1.0)
    assert result["memory_mb"] == 400
    assert len(result["blocks_ms"]) == 8
    assert {name: one["met"] for name, one in result["targets"].items()} == {"fps": True, "memory_mb": False}
    assert result["bottleneck"] == "draw (11.0 ms, translate 6.0 ms of it)"
    json.dumps(result)


def test_growth_over_a_run_is_told_for_long_ones() -> None:
    steady, slower = measured(), measured()
    slower.finished_s[:] = [0.02 * number + 0.0001 * number**2 for number in range(FRAMES)]
    results = [summarise(Scenario("x"), one, AS_TARGETED, cores=2) for one in (steady, slower)]
    assert results[0]["growth_ms"] == 0
    # 0.2 ms more with each frame, and 54 frames between the middles of the first two and the last two blocks of nine.
    assert results[1]["growth_ms"] == pytest.approx(10.8)
    told = "last quarter of 20000 frames against the first: +0.0 MB, +0.00 ms for a frame"
    assert told not in "\n".join(remarks(content_of(results[0])))
    assert told in "\n".join(remarks(content_of({**results[0], "frames": 20_000})))


def test_all_cores_busy_is_part_of_the_bottleneck() -> None:
    busy = replace(measured(), usage=replace(measured().usage, process_cpu_s=3.0))
    assert summarise(Scenario("x"), busy, AS_TARGETED, cores=2)["bottleneck"].endswith("all 2 cores are busy")


def test_paced_runs_are_judged_by_latency() -> None:
    targets = {"p50_ms": 16, "p95_ms": 19, "p99_ms": 30}
    result = summarise(Scenario("x", camera_fps=30, targets=targets), measured(), AS_TARGETED, cores=2)
    assert {name: one["met"] for name, one in result["targets"].items()} == {
        "p50_ms": True,
        "p95_ms": False,
        "p99_ms": True,
    }


def test_comparison_knows_its_noise() -> None:
    def run(frame_s: float, wobble: float = 0.0) -> Result:
        return content_of(summarise(Scenario("x"), measured(frame_s, wobble=wobble), AS_TARGETED, cores=2))

    def verdict(old: Result, new: Result) -> str:
        return next(change.verdict for change in compare(old, new) if change.measure == "ms per frame")

    assert verdict(run(0.02), run(0.02)) == "same"
    assert verdict(run(0.02), run(0.0208)) == "same"
    assert verdict(run(0.02), run(0.024)) == "slower"
    assert verdict(run(0.024), run(0.02)) == "faster"
    # 20 % slower, but the runs were far noisier than that.
    assert verdict(run(0.02, wobble=0.9), run(0.024, wobble=0.9)) == "same"


def test_comparison_leaves_out_what_one_run_lacks() -> None:
    failed = {"scenario": {"name": "x"}, "error": "no engine"}
    fine = summarise(Scenario("x"), measured(), AS_TARGETED, cores=2)
    assert compare(content_of(failed), content_of(fine)) == []
    assert compare(content_of(fine), content_of(failed)) == []


def test_results_come_back_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    content = content_of(summarise(Scenario("x"), measured(), AS_TARGETED, cores=2))
    write_results(path, content)
    assert read_results(path) == json.loads(json.dumps(content))
    path.write_text('{"format": 99}')
    with pytest.raises(ConfigError, match="no benchmark results of format 1"):
        read_results(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_results(tmp_path / "none.json")


def test_tables_and_chart_show_everything(tmp_path: Path) -> None:
    from rich.console import Console

    noisy = replace(measured(), usage=replace(measured().usage, others_cores=1.2), faces_covered=0.4)
    content = content_of(
        summarise(Scenario("paced", camera_fps=30, targets={"p50_ms": 1}), noisy, AS_TARGETED, cores=2),
        {"scenario": {"name": "lost", "faces": 1}, "error": "no engine"},
    )
    verdict = {"target": 0.5, "measured": 0.4, "met": True}
    content["cold_start"] = {
        "measured": {"first_safe_frame_s": 0.4, "first_cartoon_s": 2.0, "help_s": 0.3},
        "targets": {"first_safe_frame_s": verdict},
    }
    content["peers"] = {
        "size": 256,
        "generators": {"ours int8, onnxruntime": {"median": 5.0, "least": 4.0}, "other": {"median": 50.0, "least": 40}},
        "blends": {"our blend": {"median": 2.0, "least": 1.0}},
        "ratios": {"onnxruntime": {"target": 25.0, "measured": 10.0, "met": False}},
    }
    lines = "\n".join(remarks(content))
    for words in (
        "not measured: no engine",
        "1.20 cores",
        "0.40 places were covered",
        "target MISSED: paced p50_ms",
        "0.40 s",
    ):
        assert words in lines
    console = Console(width=150, record=True, file=(tmp_path / "out.txt").open("w"))
    console.print(results_table(content), peers_table(content["peers"]), comparison_table(compare(content, content)))
    text = console.export_text()
    assert "paced" in text
    assert "10.0" in text
    console.file.close()
    page = chart_html(content)
    assert "a &lt;fast&gt; one" in page
    assert page.count("<rect") == 4 + 3
    assert "missed" in page
    write_chart(tmp_path / "chart.html", content)
    assert (tmp_path / "chart.html").read_text() == page
    write_chart(tmp_path / "chart.png", content)
    picture = cv2.imread(str(tmp_path / "chart.png"))
    # The stages' colours, as OpenCV orders them.
    for colour in ("ef8d5b", "3a83e8", "4ec1f2"):
        assert (picture == np.frombuffer(bytes.fromhex(colour), np.uint8)).all(axis=2).sum() > 100
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chart.html", "chart.png", "out.txt"]


def test_where_nothing_could_be_written_is_refused_before(tmp_path: Path) -> None:
    check_place(tmp_path / "new.json")
    check_place(Path("new.json"))
    with pytest.raises(OutputError, match="no such folder"):
        check_place(tmp_path / "none" / "new.json")
    with pytest.raises(OutputError, match="a folder; give a file name"):
        check_place(tmp_path)
    check_chart(Path("a.html"))
    check_chart(Path("a.PNG"))
    with pytest.raises(ConfigError, match="a chart is an"):
        check_chart(Path("a.pdf"))


@pytest.mark.parametrize(
    ("platform", "cores", "loads"),
    [
        ("linux", 1, [Load(1, 1)]),
        ("linux", 2, [Load(1, 1), Load(2, 1), Load(2, 2)]),
        ("linux", 8, [Load(1, 1), Load(4, 1), Load(4, 4), Load(8, 1), Load(8, 8)]),
        ("darwin", 8, [Load(8, 1), Load(8, 4), Load(8, 8)]),
    ],
)
def test_batch_is_measured_on_fewer_cores_too(
    platform: str, cores: int, loads: list[Load], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert sensible_loads(cores) == loads
