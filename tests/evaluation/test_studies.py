"""Studies: plans that fit their recipes, tables by hand-made numbers, and one small comparison from end to end."""

import json
import math
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from toonfilter.benchmarks.quality.set_measures import PixelFeatures, SetMeasurer
from toonfilter.benchmarks.studies.plan import Arm, Plan, Scale, arm_recipe, load_plan, parse_scale, plan_names
from toonfilter.benchmarks.studies.runs import (
    ASKED_NAME,
    Job,
    Processes,
    Workers,
    check_conditions,
    is_finished,
    list_jobs,
    run_jobs,
)
from toonfilter.benchmarks.studies.study import StudyOptions, run_study
from toonfilter.benchmarks.studies.tables import (
    as_markdown,
    best_epoch,
    best_table,
    detail_table,
    difference_table,
    last_table,
    sliding_mean,
)
from toonfilter.cli import app
from toonfilter.runtime.command_line.command_options import interrupted_by_signals
from toonfilter.runtime.errors import ConfigError, DataError, TrainingError
from toonfilter.train.data.pictures import write_png
from toonfilter.train.recipe import load_recipe
from toonfilter.train.systems import build_system

PLAN = """
name = "tiny"
description = "Two rates."
common = ["data.size_px=32", "data.workers=0", "generator.options.downs=5"]
measures = ["l1", "nn"]
detail = "slow"
window = 2
every_epochs = 1

[[arms]]
name = "slow"
recipe = "pix2pix-human"

[[arms]]
name = "fast"
recipe = "pix2pix-human"
changes = ["optimiser.learning_rate=0.01"]
"""


@pytest.fixture
def tiny_plan(tmp_path: Path) -> Plan:
    (tmp_path / "tiny.toml").write_text(PLAN)
    return load_plan(tmp_path / "tiny.toml")


@pytest.mark.parametrize("name", plan_names())
def test_every_plan_fits_its_recipes_at_a_small_scale(name: str) -> None:
    plan = load_plan(name)
    for arm in plan.arms:
        recipe, changes = arm_recipe(plan, arm, Scale(64, 20, 8), 3)
        build_system(recipe)
        assert (recipe.data.size_px, recipe.run.epochs, recipe.run.seed) == (64, 20, 3)
        assert 1 <= recipe.run.save_every_epochs <= 20
        assert f"run.seed={3}" in changes


def test_the_recovery_study_changes_one_thing_at_a_time() -> None:
    plan = load_plan("cartoon-recovery")
    recipes = {arm.name: arm_recipe(plan, arm, Scale(), 0)[0] for arm in plan.arms}
    assert list(recipes) == ["gan-v1", "gan-v2", *("cyclegan", *(f"cyclegan-v{n}" for n in (3, 4, 5, 6)))]
    for recipe in recipes.values():
        assert recipe.data.direction == "cartoon-to-photo"
        assert (recipe.run.epochs, recipe.data.batch_size, recipe.data.augment) == (200, 1, "flip")
        assert (recipe.schedule.kind, recipe.schedule.decay_from) == ("linear", 0.5)
        assert recipe.method["adversary"]["kind"] == "vanilla"
        assert recipe.generator.options["blocks"] == 9
        if recipe.system == "cyclegan":
            assert (recipe.method["identity_norm"], recipe.method["identity_weight"]) == ("l2", 1.0)
    methods = [recipes[f"cyclegan-v{n}"].method for n in (3, 4, 5)]
    assert set(methods[1]) - set(methods[0]) == {"feature_cycle"}
    assert {k for k in methods[2] if methods[2][k] != methods[1].get(k)} == {"adversary"}
    assert recipes["cyclegan-v6"].method == methods[2]
    assert recipes["cyclegan-v6"].discriminator.kind == "residual"


@pytest.mark.parametrize(("epochs", "every"), [(0, 10), (200, 10), (100, 5), (20, 1), (4, 1), (300, 15)])
def test_a_scaled_study_is_measured_at_as_many_epochs(epochs: int, every: int) -> None:
    plan = load_plan("cartoon-recovery")
    for arm in plan.arms:
        assert arm_recipe(plan, arm, Scale(64, epochs, 8), 0)[0].run.save_every_epochs == every


def test_settings_for_some_arms(tmp_path: Path) -> None:
    more = ["data.workers=3", "cartoongan*:method.perceptual.network=squeezenet1_0", "dcgan:data.batch_size=5"]
    jobs = list_jobs(load_plan("styles"), tmp_path, tmp_path, scale=Scale(64, 2, 8), seeds=1, more=more)
    by_name = {job.arm.name: job.recipe for job in jobs}
    assert all(recipe.data.workers == 3 for recipe in by_name.values())
    changed = [name for name, r in by_name.items() if r.method.get("perceptual", {}).get("network") == "squeezenet1_0"]
    assert changed == [name for name in by_name if name.startswith("cartoongan")]
    assert [name for name, recipe in by_name.items() if recipe.data.batch_size == 5] == ["dcgan"]
    with pytest.raises(ConfigError, match="no arm is called 'none'; there are: dcgan, cyclegan"):
        list_jobs(load_plan("styles"), tmp_path, tmp_path, scale=Scale(64, 2, 8), seeds=1, more=["none:data.workers=3"])


def test_scales_and_wrong_plans(tmp_path: Path) -> None:
    assert parse_scale("64:20:16") == Scale(64, 20, 16)
    assert parse_scale(":5") == Scale(0, 5, 0)
    assert parse_scale("") == Scale()
    for wrong in ("small", "1:2:3:4"):
        with pytest.raises(ConfigError, match="expected PIXELS:EPOCHS:WIDTH"):
            parse_scale(wrong)
    with pytest.raises(ConfigError, match="no study 'nothing'; there are: cartoon-recovery"):
        load_plan("nothing")
    (tmp_path / "p.toml").write_text(PLAN.replace('name = "fast"', 'name = "slow"'))
    with pytest.raises(ConfigError, match="each needs a name of its own"):
        load_plan(tmp_path / "p.toml")
    (tmp_path / "p.toml").write_text(PLAN.replace('detail = "slow"', 'detail = "slower"'))
    with pytest.raises(ConfigError, match="detail is 'slower'; expected one of slow, fast"):
        load_plan(tmp_path / "p.toml")
    (tmp_path / "p.toml").write_text(PLAN.replace('detail = "slow"', 'against = "first"'))
    with pytest.raises(ConfigError, match="against is 'first'; expected one of slow, fast, above"):
        load_plan(tmp_path / "p.toml")


def test_the_best_epoch_is_best_in_the_sense_of_its_measure() -> None:
    epochs = {1: {"mmd:net": 0.3, "nn:net": 0.9, "psnr": 20.0}, 2: {"mmd:net": 0.2, "nn:net": 0.45, "psnr": 19.0}}
    epochs[3] = {"mmd:net": 0.25, "nn:net": 0.2, "psnr": math.nan}
    assert [best_epoch(epochs, m).epoch for m in ("mmd", "nn", "psnr")] == [2, 2, 1]
    assert best_epoch(epochs, "mmd:other") is None
    assert best_epoch({1: {"l1": 0.5}, 2: {"l1": 0.5}}, "l1").epoch == 1


def test_tables_of_known_numbers(tiny_plan: Plan) -> None:
    found = {
        "slow": {
            0: {1: {"l1": 0.5, "nn:p": 1.0}, 2: {"l1": 0.3, "nn:p": 0.9}, 3: {"l1": 0.4, "nn:p": 0.6}},
            1: {1: {"l1": 0.5, "nn:p": 1.0}, 2: {"l1": 0.2, "nn:p": 0.8}, 3: {"l1": 0.1, "nn:p": 0.7}},
        },
        "fast": {0: {1: {"l1": 0.25, "nn:p": 0.5}}},
    }
    best = best_table(tiny_plan, found)
    assert best.columns == ("arm", "l1", "epoch", "nn", "epoch")
    # Best l1 of both seeds: 0.3 and 0.1. Student's half width for two values: 12.706 * 0.1414 / sqrt(2) = 1.2706.
    assert best.rows[0][1:3] == ("0.2000 [-1.0706, 1.4706]", "2, 3")
    assert best.rows[1] == ("fast", "0.2500", "1", "0.5000", "1")
    detail = detail_table(tiny_plan, found)
    assert detail is not None
    assert detail.columns == ("epoch", "l1", "nn", "l1, mean of 2")
    assert [row[0] for row in detail.rows] == ["1", "2", "3"]
    # Epoch 3: seed 0 has (0.3 + 0.4) / 2, seed 1 (0.2 + 0.1) / 2.
    assert detail.rows[2][3].startswith("0.2500 [")
    assert "| fast | 0.2500 | 1 | 0.5000 | 1 |" in as_markdown(best)


def test_last_epochs_and_differences_of_known_numbers(tiny_plan: Plan) -> None:
    found = {
        "slow": {0: {1: {"l1": 0.1}, 2: {"l1": 0.5, "nn:p": 0.9}}, 1: {1: {"l1": 0.1}, 2: {"l1": 0.7, "nn:p": 0.7}}},
        "fast": {0: {2: {"l1": 0.4}}, 1: {2: {"l1": 0.5}}, 2: {2: {"l1": 9.0}}},
    }
    last = last_table(tiny_plan, found, {"source as it is": {"l1": 0.25, "nn:p": 1.0}})
    # Of two values Student's half width is 12.7062 * half their difference.
    assert last.rows[0] == ("slow", "0.6000 [-0.6706, 1.8706]", "0.8000 [-0.4706, 2.0706]")
    assert last.rows[2] == ("source as it is", "0.2500", "1.0000")
    # By seed: -0.1 and -0.2; the third seed has no other arm.
    differences = difference_table(tiny_plan, found)
    assert differences.rows == (("fast - slow", "-0.1500 [-0.7853, 0.4853]", "-"),)
    third = Arm("third", "pix2pix")
    three = Plan("p", "", (*tiny_plan.arms, third), measures=("l1",), against="above")
    more = {**found, "third": {0: {2: {"l1": 0.3}}}}
    assert [row[0] for row in difference_table(three, more).rows] == ["fast - slow", "third - fast"]
    assert difference_table(three, more).rows[1][1] == "-0.1000"
    assert difference_table(replace(three, against=""), more).rows[1] == ("third - slow", "-0.2000")
    to_fast = difference_table(replace(three, against="fast"), more)
    assert [row[0] for row in to_fast.rows] == ["slow - fast", "third - fast"]


def test_sliding_means() -> None:
    assert sliding_mean([4.0, 2.0, 6.0, 8.0], 2) == [4.0, 3.0, 4.0, 7.0]
    assert sliding_mean([4.0, math.nan, 6.0], 3) == [4.0, 4.0, 5.0]
    assert sliding_mean([4.0, 2.0], 1) == [4.0, 2.0]


def test_sets_are_measured_in_memory() -> None:
    random = np.random.default_rng(0)
    targets = random.integers(0, 128, (24, 32, 32, 3)).astype(np.uint8)
    measurer = SetMeasurer([PixelFeatures()])
    far = measurer(targets + 51, targets, True)
    assert far["l1"] == pytest.approx(0.2)
    assert far["nn:pixels16"] == 1
    assert far["mmd:pixels16"] > 0.5
    unpaired = measurer(targets, targets[:20], False)
    assert "l1" not in unpaired
    few = measurer(targets[:3], targets[:3], True)
    assert set(few) == {"l1", "psnr", "ssim"}


def test_features_of_the_same_targets_are_taken_once() -> None:
    class Counting(PixelFeatures):
        seen = 0

        def vector(self, image: np.ndarray) -> np.ndarray:
            self.seen += 1
            return super().vector(image)

    random = np.random.default_rng(0)
    first, second, made = (random.integers(0, 255, (24, 32, 32, 3)).astype(np.uint8) for _ in range(3))
    net = Counting()
    measurer = SetMeasurer([net])
    figures = [measurer(made, targets, True) for targets in (first, first, second)]
    assert net.seen == 24 * 5
    assert figures[0] == figures[1] != figures[2]
    assert figures[2] == SetMeasurer([PixelFeatures()])(made, second, True)


def pairs(root: Path, count: int) -> Path:
    random = np.random.default_rng(0)
    for number in range(count):
        photo = random.integers(0, 255, (32, 32, 3)).astype(np.uint8)
        write_png(root / "photo" / f"{number}.png", photo)
        write_png(root / "cartoon" / f"{number}.png", photo // 64 * 64)
    return root


def in_this_process(_: Processes, command: Sequence[str], environment: Mapping[str, str], log: Path, *__: Path) -> int:  # noqa: ARG001
    """The same command line, without the seconds that a new process takes to import torch."""
    answer = CliRunner().invoke(app, [*command[3:]])
    with log.open("a", encoding="utf-8") as stream:
        stream.write(f"{answer.output}{answer.exception or ''}\n")
    return answer.exit_code


@pytest.mark.filterwarnings("ignore")
def test_a_small_study_from_end_to_end(tmp_path: Path, tiny_plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Processes, "run", in_this_process)
    data = pairs(tmp_path / "data", 50)
    options = StudyOptions(data, tmp_path / "out", Scale(0, 2, 4), more=("run.log_every_steps=1", "data.batch_size=16"))
    said: list[str] = []
    result = run_study(tiny_plan, options, SetMeasurer([PixelFeatures()]), said.append)
    assert set(result.figures) == {"slow", "fast"}
    assert [line for line in said if "training" in line] == [f"{arm}, seed 0: training" for arm in ("slow", "fast")]
    assert said[-1] == "fast, seed 0: measuring, run 2 of 2"
    assert list(result.figures["slow"][0]) == [1, 2]
    assert 0 < result.figures["slow"][0][2]["l1"] < 1
    content = json.loads((tmp_path / "out" / "study.json").read_text())
    assert content["figures"]["fast"]["0"]["2"]["l1"] == result.figures["fast"][0][2]["l1"]
    assert (tmp_path / "out" / "curves.png").is_file()
    # Cartoons of four tones differ from their photos by 0.125 on average.
    assert content["references"]["source as it is"]["l1"] == pytest.approx(0.125, abs=0.01)
    tables = (tmp_path / "out" / "tables.md").read_text()
    assert "| source as it is | 0.1" in tables
    assert "in features of pixels16" in tables
    assert "`data.batch_size=16`" in tables
    assert (tmp_path / "out" / "best.csv").read_text().startswith("arm,l1,epoch,nn,epoch\nslow,")
    assert "## slow by epoch" in (tmp_path / "out" / "tables.md").read_text()
    assert result.ballot == tmp_path / "out" / "vote"
    ballot = json.loads((tmp_path / "out" / "vote" / "ballot.json").read_text())
    assert ballot["models"] == ["slow", "fast"]
    assert ballot["question"] == "Which one is most like a photograph of this person?"
    # Called again, nothing is trained or measured anew.
    jobs = list_jobs(tiny_plan, data, tmp_path / "out", scale=options.scale, seeds=1, more=options.more)
    assert all(is_finished(job) for job in jobs)
    log = (jobs[0].folder / "train.log").read_bytes()
    again = run_study(tiny_plan, options, SetMeasurer([PixelFeatures()]), said.append)
    assert again.figures == result.figures
    assert (jobs[0].folder / "train.log").read_bytes() == log
    # Other conditions need another folder; where pictures are decoded is none.
    for more, words in (("data.batch_size=8", "data.batch_size is 16 there, 8 here"), ("data.workers=1", "")):
        jobs = StudyOptions(data, tmp_path / "out", options.scale, more=(*options.more, more)).jobs(tiny_plan)
        with pytest.raises(ConfigError, match=words) if words else nullcontext():
            check_conditions(jobs[0])
    (tmp_path / "data").rename(tmp_path / "other")
    jobs = StudyOptions(tmp_path / "other", tmp_path / "out", options.scale, more=options.more).jobs(tiny_plan)
    with pytest.raises(ConfigError, match="data folder is data there, other here"):
        check_conditions(jobs[0])


# A run that ends when it is asked to, and counts how often it was; and one that ends when the other has begun.
LONG = """
import pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
def end(*_):
    (folder / "asked").open("a").write("x")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
(folder / "begun").touch()
time.sleep(600)
"""
SHORT = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
while not (folder.parent / "long" / "begun").exists():
    time.sleep(0.01)
(folder / "epochs" / "epoch-0001").mkdir(parents=True)
"""


def run_and_close(folder: Path, workers: Workers) -> None:
    """Close a study while one of its two runs goes on."""
    recipe = load_recipe("pix2pix", ["run.epochs=1", "run.save_every_epochs=1"])
    jobs = [
        Job(Arm(name, "pix2pix"), 0, folder / name, folder, recipe, (sys.executable, "-c", code, str(folder / name)))
        for name, code in (("long", LONG), ("short", SHORT))
    ]
    ended = run_jobs(jobs, workers, lambda _: None)
    assert next(ended).arm.name == "short"
    ended.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no request to end")
def test_runs_in_progress_are_asked_to_end_once_and_waited_for(tmp_path: Path) -> None:
    run_and_close(tmp_path, Workers(jobs=2))
    assert (tmp_path / "long" / "asked").read_text() == "x"


def test_a_run_whose_folder_says_so_is_asked_to_end_once(tmp_path: Path) -> None:
    """Interruptions by Ray are lost now and then."""
    runs, asked = Processes(), tmp_path / ASKED_NAME
    command = (sys.executable, "-c", LONG, str(tmp_path))
    with ThreadPoolExecutor(1) as pool:
        status = pool.submit(runs.run, command, os.environ, tmp_path / "log", asked)
        while not (tmp_path / "begun").exists():
            assert not status.done()
            time.sleep(0.01)
        asked.touch()
        assert status.result(timeout=60) == 0
    assert (tmp_path / "asked").read_text() == "x"


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore")
def test_runs_on_a_cluster_are_asked_to_end_once(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        run_and_close(tmp_path, Workers(cluster=made.address))
        deadline_s = time.monotonic() + 180
        while not (tmp_path / "long" / "asked").exists() and time.monotonic() < deadline_s:
            time.sleep(0.1)
        assert (tmp_path / "long" / "asked").read_text() == "x"
    finally:
        # Ray ends a process whose cluster has been gone for a minute, and with it all tests that follow.
        made.global_state.disconnect()
        ray.shutdown()
        made.shutdown()


def test_a_closed_terminal_interrupts_where_it_is_not_ignored() -> None:
    with pytest.raises(KeyboardInterrupt), interrupted_by_signals():
        signal.raise_signal(signal.SIGTERM)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with interrupted_by_signals():
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_an_arm_lacks_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        PLAN + '[[arms]]\nname = "edges"\nrecipe = "pix2pix"\nchanges = ["data.edges=true"]\n'
    )
    data = pairs(tmp_path / "data", 50)
    options = StudyOptions(data, tmp_path / "out", Scale(0, 2, 4))
    with pytest.raises(DataError, match=r"^edges: .*edges.0\.png: no such file"):
        run_study(load_plan(tmp_path / "p.toml"), options, SetMeasurer([PixelFeatures()]))
    assert not (tmp_path / "out").exists()
    weights = StudyOptions(data, tmp_path / "out", Scale(64, 2, 4), perceptual_weights=str(tmp_path / "none.pth"))
    arms = Plan("p", "", (Arm("plain", "cyclegan"), Arm("meaning", "face2anime")))
    with pytest.raises(ConfigError, match=r"^meaning: .*none\.pth: no such file of pretrained weights"):
        run_study(arms, weights, SetMeasurer([PixelFeatures()]))


@pytest.mark.slow
def test_a_run_that_fails_says_why(tmp_path: Path, tiny_plan: Plan) -> None:
    jobs = list_jobs(tiny_plan, tmp_path / "nowhere", tmp_path / "out", scale=Scale(0, 2, 4), seeds=1)
    with pytest.raises(TrainingError, match=r"slow, seed 0: error: .*nowhere"):
        list(run_jobs(jobs[:1], Workers(), lambda _: None))


def test_the_command_lists_studies_and_their_runs(tmp_path: Path) -> None:
    listed = CliRunner().invoke(app, ["study"])
    assert all(name in listed.output for name in plan_names())
    given = [
        "study",
        "pix2pix",
        "--data",
        str(tmp_path),
        "-o",
        str(tmp_path / "o"),
        "--scale",
        "64:5:8",
        "--seeds",
        "2",
    ]
    answer = CliRunner().invoke(app, [*given, "--dry-run"])
    assert answer.exit_code == 0, answer.output
    lines = answer.output.strip().splitlines()
    assert len(lines) == 6
    assert all(line.startswith("to do: ") and "train pix2pix" in line for line in lines)
    assert sum("run.seed=1" in line for line in lines) == 3
