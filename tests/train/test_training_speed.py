"""The training benchmark: both loops do the same work, and the result says what was measured."""

import pytest
import torch

from toonfilter.benchmarks.training import PlainLoop, TrainingBenchOptions, compare_training
from toonfilter.runtime.errors import ConfigError

TINY = TrainingBenchOptions(size_px=32, width=2, steps=3, warm_up=1, device="cpu")


@pytest.mark.filterwarnings("ignore")
def test_both_loops_run_in_turns() -> None:
    seen = []
    content = compare_training(TINY, lambda one: seen.append((one.done, one.total)))
    assert seen == [(n, 4) for n in range(1, 5)]
    assert set(content["loops"]) == {"plain", "ours"}
    for loop in content["loops"].values():
        assert len(loop["steps_s"]) == 3
    medians = {name: loop["median_s"] for name, loop in content["loops"].items()}
    assert content["ratio"] == pytest.approx(medians["plain"] / medians["ours"])


def test_plain_loop_trains_all_four_networks() -> None:
    loop = PlainLoop(TINY, torch.device("cpu"))
    networks = (loop.g, loop.f, loop.d_x, loop.d_y)
    before = [[p.detach().clone() for p in network.parameters()] for network in networks]
    loop.step()
    for old, network in zip(before, networks, strict=True):
        assert any(not torch.equal(a, b) for a, b in zip(old, network.parameters(), strict=True))


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ConfigError, match="steps"):
        compare_training(TrainingBenchOptions(steps=1))
    with pytest.raises(ConfigError, match="device"):
        compare_training(TrainingBenchOptions(device="tpu"))
