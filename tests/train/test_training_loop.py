"""The loop: resumed runs equal unbroken ones bit for bit, checkpoints are whole, NaN stops, processes agree."""

import itertools
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from toonfilter.runtime.errors import ConfigError, DataError, TrainingError
from toonfilter.train import loop
from toonfilter.train.checkpoint import (
    find_checkpoint,
    list_checkpoints,
    list_epochs,
    load_generator,
    read_checkpoint,
)
from toonfilter.train.data.pictures import write_png
from toonfilter.train.interruption import Interruption
from toonfilter.train.loop import Progress, TrainOptions, train
from toonfilter.train.losses.reconstruction import gradient_l1
from toonfilter.train.monitor import read_scalars, thinned
from toonfilter.train.optimisation import step_factor
from toonfilter.train.recipe import Recipe, ScheduleSettings, load_recipe
from toonfilter.train.systems.toon import ToonSystem
from toonfilter.train.validation_record import Best, read_best

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")

TINY = [
    "generator.options.widths=[4, 4, 8]",
    "generator.options.blocks=[0, 1, 0]",
    "discriminator.options.width=4",
    "data.size_px=32",
    "data.sample_px=32",
    "data.batch_size=2",
    "data.workers=0",
    "method.window_px=16",
    "method.perceptual_weight=0.0",
    "method.adversarial_from=0.3",
    "run.precision=32-true",
    "run.log_every_steps=1",
    "run.sample_every_steps=3",
    "run.checkpoint_every_steps=3",
]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pairs of noise with a drawn eye, split as `toonfilter prepare pairs` writes it."""
    root, random = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    records = []
    for number in range(12):
        photo = random.integers(0, 255, (48, 48, 3)).astype(np.uint8)
        matte = np.full((48, 48, 1), 255, np.uint8)
        guidance = np.zeros((48, 48, 3), np.uint8)
        guidance[20:26, 20:26, 0] = 255
        write_png(root / "photo" / f"{number}.png", photo)
        write_png(root / "cartoon" / f"{number}.png", np.concatenate([photo // 64 * 64, matte], 2))
        write_png(root / "guidance" / f"{number}.png", guidance)
        split = "validation" if number > 9 else "train"
        records.append({"name": str(number), "split": split, "weight": 1.0 + number % 2})
    whole = {"pairs": records, "warp": {"eyes": 1.25}}
    (root / "pairs.json").write_text(json.dumps(whole), encoding="utf-8")
    return root


def recipe(*more: str, name: str = "toon") -> Recipe:
    return load_recipe(name, [*TINY, *more])


def run(data: Path, out: Path, chosen: Recipe, **options: Any) -> loop.TrainResult:
    return train(chosen, TrainOptions(data=data, out=out, accelerator="cpu", **options))


def same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


PUBLISHED = [t for t in TINY if not t.startswith(("method", "generator"))]
PUBLISHED += ["run.epochs=0", "generator.options.width=4", "schedule.kind=linear", "data.augment=flip"]
SMALL_RECIPES = {
    "toon": TINY,
    "pix2pix": [*PUBLISHED, "generator.options.downs=4"],
    # The pool is full after two steps: what it hands out depends on what it holds and on the random numbers.
    "cyclegan": [*PUBLISHED, "generator.options.blocks=1", "discriminator.options.layers=2", "method.pool=4"],
}


@pytest.mark.parametrize("name", SMALL_RECIPES)
def test_resumed_run_equals_an_unbroken_one(name: str, pairs: Path, tmp_path: Path) -> None:
    chosen = load_recipe(name, [*SMALL_RECIPES[name], "run.steps=6", "run.ema_decay=0.9"])
    whole = run(pairs, tmp_path / "whole", chosen)

    def stop(progress: Progress) -> None:
        if progress.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(chosen, TrainOptions(data=pairs, out=tmp_path / "broken", accelerator="cpu"), stop)
    torch.manual_seed(999)
    resumed = run(pairs, tmp_path / "broken", chosen, resume=True)
    a = read_checkpoint(whole.checkpoint, with_state=True)
    b = read_checkpoint(resumed.checkpoint, with_state=True)
    assert same(a.weights, b.weights)
    assert same(a.averaged, b.averaged)
    assert a.averaged
    assert a.state is not None
    assert b.state is not None
    assert torch.equal(a.state["ranks"][0]["random"]["cpu"], b.state["ranks"][0]["random"]["cpu"])
    for optimiser, left in a.state["optimisers"]["optimisers"].items():
        right = b.state["optimisers"]["optimisers"][optimiser]
        assert left["state"]
        assert left["param_groups"] == right["param_groups"]
        assert all(torch.equal(m["exp_avg_sq"], right["state"][i]["exp_avg_sq"]) for i, m in left["state"].items())
    pools = [c.state["ranks"][0]["system"].get("pool_x", {"pictures": []})["pictures"] for c in (a, b)]
    assert len(pools[0]) == (4 if name == "cyclegan" else 0)
    assert all(torch.equal(old, new) for old, new in zip(*pools, strict=True))
    assert read_scalars(tmp_path / "whole") == read_scalars(tmp_path / "broken")


@pytest.mark.parametrize("workers", [0, 1])
def test_ctrl_c_writes_a_checkpoint_and_the_rest_is_as_if_it_had_not_been(
    workers: int, pairs: Path, tmp_path: Path
) -> None:
    # Shells start programs in the background with this signal ignored.
    before = signal.getsignal(signal.SIGINT)
    chosen = load_recipe(
        "cyclegan",
        [*SMALL_RECIPES["cyclegan"], "run.steps=6", "run.checkpoint_every_steps=100", f"data.workers={workers}"],
    )
    whole = run(pairs, tmp_path / "whole", chosen)

    def stop(progress: Progress) -> None:
        if progress.step == 3:
            signal.raise_signal(signal.SIGINT)

    options = TrainOptions(data=pairs, out=tmp_path / "broken", accelerator="cpu")
    stopped = train(chosen, options, stop)
    assert stopped.is_interrupted
    assert stopped.steps == 4
    assert stopped.checkpoint == list_checkpoints(tmp_path / "broken")[-1]
    assert read_checkpoint(tmp_path / "broken").step == 4
    resumed = run(pairs, tmp_path / "broken", chosen, resume=True)
    assert not resumed.is_interrupted
    assert same(read_checkpoint(whole.checkpoint).weights, read_checkpoint(resumed.checkpoint).weights)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_ends_at_once() -> None:
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        assert interruption.is_asked(1)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_weights_are_kept_by_epoch_and_the_best_by_a_named_measure(pairs: Path, tmp_path: Path) -> None:
    values = iter([0.4, 0.9, 0.55, 0.7])
    seen: list[tuple[Any, ...]] = []

    def measure(made: np.ndarray, targets: np.ndarray, is_paired: bool) -> dict[str, float]:
        seen.append((made.shape, made.dtype, targets.shape, is_paired))
        return {"l1": 0.5, "nn:tiny": next(values)}

    # Ten pictures to train on, two in a step: an epoch is five steps.
    lengths = ["run.steps=20", "run.save_every_epochs=2", "run.validate_every_steps=5", "run.best_measure=nn"]
    chosen = load_recipe("pix2pix", [*SMALL_RECIPES["pix2pix"], *lengths])
    result = run(pairs, tmp_path, chosen, measurer=measure)
    # 1-NN accuracy is best where it is nearest to 0.5.
    assert result.best == Best(15, 0.55, "nn")
    assert read_checkpoint(tmp_path / "best").step == 15
    assert read_best(tmp_path / "best") == result.best
    assert {epoch: read_checkpoint(path).step for epoch, path in list_epochs(tmp_path).items()} == {2: 10, 4: 20}
    assert seen[0] == ((2, 32, 32, 3), np.uint8, (2, 32, 32, 3), True)
    found = [line["val_nn:tiny"] for line in read_scalars(tmp_path) if "val_nn:tiny" in line]
    assert found == [0.4, 0.9, 0.55, 0.7]
    generator, _, _ = load_generator(tmp_path / "best")
    assert generator(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 32, 32)


def test_validation_that_cannot_be_is_refused_before_training(pairs: Path, tmp_path: Path) -> None:
    tiny = [*SMALL_RECIPES["pix2pix"], "run.steps=3", "run.validate_every_steps=2"]
    chosen = load_recipe("pix2pix", [*tiny, "run.best_measure=beauty"])
    with pytest.raises(ConfigError, match=r"run.best_measure is 'beauty'; expected one of l1"):
        run(pairs, tmp_path / "a", chosen, measurer=lambda *_: {})
    with pytest.raises(ConfigError, match="measured were: l1"):
        run(pairs, tmp_path / "b", load_recipe("pix2pix", tiny), measurer=lambda *_: {"l1": 1.0})


def test_long_curves_are_means_of_stretches() -> None:
    points = np.stack([np.arange(1000.0), np.arange(1000.0) % 2], 1)
    thin = thinned(points, 10)
    assert thin.shape == (10, 2)
    np.testing.assert_allclose(thin[:, 0], np.arange(10) * 100 + 49.5)
    np.testing.assert_allclose(thin[:, 1], 0.5)
    assert thinned(points, 1000) is points
    uneven = thinned(points[:7], 3)
    np.testing.assert_allclose(uneven[:, 0], [0.5, 2.5, 5.0])


def test_what_a_run_leaves(pairs: Path, tmp_path: Path) -> None:
    reports: list[Progress] = []
    out = tmp_path / "run"
    chosen = recipe("run.steps=4", "run.checkpoint_every_steps=1", "run.checkpoints_kept=2")
    train(chosen, TrainOptions(data=pairs, out=out, accelerator="cpu"), reports.append)
    assert [r.step for r in reports] == [1, 2, 3, 4]
    assert [p.name for p in list_checkpoints(out)] == ["step-0000003", "step-0000004"]
    assert not list((out / "checkpoints").glob(".*"))
    assert (out / "curves.png").is_file()
    assert (out / "samples" / "step-0000004.png").is_file()
    assert list((out / "tensorboard").iterdir())
    assert [line["step"] for line in read_scalars(out)] == [1, 2, 3, 4]
    generator, spec, checkpoint = load_generator(out)
    assert (spec.guidance_channels, spec.out_channels) == (3, 4)
    assert checkpoint.recipe == chosen
    assert checkpoint.warp == {"eyes": 1.25}
    assert generator(torch.zeros(1, 6, 64, 64)).shape == (1, 4, 64, 64)
    with pytest.raises(TrainingError, match="no network 'back'"):
        load_generator(out, head="back")
    with pytest.raises(ConfigError, match="there is a run here already"):
        run(pairs, out, chosen)
    with pytest.raises(ConfigError, match="nothing is left to train"):
        run(pairs, out, chosen, resume=True)


def test_pictures_that_cannot_be_read_are_counted(pairs: Path, tmp_path: Path) -> None:
    spoiled = tmp_path / "pairs"
    shutil.copytree(pairs, spoiled)
    for name in ("photo/3.png", "cartoon/5.png"):
        (spoiled / name).write_bytes(b"not a picture")
    assert run(spoiled, tmp_path / "run", recipe("run.steps=12")).unreadable == 2
    assert run(pairs, tmp_path / "good", recipe("run.steps=1")).unreadable == 0


def test_another_run_begins_with_these_weights(pairs: Path, tmp_path: Path) -> None:
    first = run(pairs, tmp_path / "first", recipe("run.steps=2"))
    frozen = recipe("run.steps=1", "optimiser.learning_rate=0.0", "discriminator_optimiser.learning_rate=0.0")
    second = run(pairs, tmp_path / "second", frozen, weights_from=tmp_path / "first")
    a, b = read_checkpoint(first.checkpoint), read_checkpoint(second.checkpoint)
    assert same({**a.weights, **a.averaged}, b.weights)
    wider = recipe("run.steps=1", "generator.options.widths=[4, 4, 16]")
    with pytest.raises(TrainingError, match="weights of another network"):
        run(pairs, tmp_path / "third", wider, weights_from=tmp_path / "first")


def test_nan_stops_and_keeps_the_last_good_checkpoint(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = itertools.count(1)

    def spoiled(*words: Any) -> Tensor:
        return gradient_l1(*words) * (float("nan") if next(calls) > 4 else 1)

    monkeypatch.setattr("toonfilter.train.systems.toon.gradient_l1", spoiled)
    with pytest.raises(TrainingError, match=r"is nan at step 5.*--resume"):
        run(pairs, tmp_path / "run", recipe("run.steps=6"))
    checkpoint = read_checkpoint(tmp_path / "run")
    assert checkpoint.step == 3
    assert all(torch.isfinite(value).all() for value in checkpoint.weights.values())


def test_out_of_memory_names_the_batch_size_to_try(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> dict[str, Tensor]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(ToonSystem, "step", full)
    with pytest.raises(TrainingError, match=r"batch size 2, 32 px; try --set data\.batch_size=1"):
        run(pairs, tmp_path / "run", recipe("run.steps=2"))


def test_damaged_and_missing_checkpoints(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no checkpoint here"):
        find_checkpoint(tmp_path)
    done = run(pairs, tmp_path / "run", recipe("run.steps=1"))
    (done.checkpoint / "weights.safetensors").write_bytes(b"short")
    with pytest.raises(TrainingError, match="damaged checkpoint"):
        read_checkpoint(done.checkpoint)


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="photo"):
        run(tmp_path / "nowhere", tmp_path / "run", recipe("run.steps=1"))


def test_schedules() -> None:
    linear = ScheduleSettings(kind="linear", decay_from=0.5)
    assert [step_factor(linear, s, 100) for s in (0, 50, 75, 100)] == [1.0, 1.0, 0.5, 0.0]
    cosine = ScheduleSettings(kind="cosine", warm_up_steps=10, final_factor=0.1)
    assert step_factor(cosine, 4, 100) == pytest.approx(0.5)
    assert step_factor(cosine, 50, 100) == pytest.approx(0.1 + 0.9 * 0.5)
    assert step_factor(cosine, 100, 100) == pytest.approx(0.1)


TWO_PROCESSES = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from toonfilter.train.loop import TrainOptions, train
from toonfilter.train.recipe import load_recipe
data, out, *changes = sys.argv[1:]
train(load_recipe("toon", changes), TrainOptions(Path(data), Path(out), accelerator="cpu", devices=2))
"""


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_two_processes_train_one_network(pairs: Path, tmp_path: Path) -> None:
    """Two processes with one picture each do what one process does with two: gradients are averaged. The second view
    and the windows are drawn per process, so both are off."""
    script = tmp_path / "two.py"
    script.write_text(TWO_PROCESSES, encoding="utf-8")
    plain = ["run.steps=3", "method.adversarial_weight=0.0", "method.temporal_weight=0.0", "data.augment=none"]
    plain += ["run.clip_norm=0.0", "method.matte_weight=0.0"]
    changes = [*TINY, *plain, "data.batch_size=1"]
    command = [sys.executable, str(script), str(pairs), str(tmp_path / "two"), *changes]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    alone = run(pairs, tmp_path / "one", recipe(*plain))
    two, one = read_checkpoint(tmp_path / "two", with_state=True), read_checkpoint(alone.checkpoint)
    assert two.state is not None
    assert len(two.state["ranks"]) == 2
    for name, value in one.weights.items():
        assert torch.allclose(value, two.weights[name], atol=1e-4), name
