"""Bundles side by side on the CPU engines."""

import numpy as np
import pytest

from toonfilter.benchmarks import engines
from toonfilter.runtime.bundle import Bundle


def test_every_engine_is_timed_in_turns_and_compared(tiny_bundle: Bundle) -> None:
    pytest.importorskip("openvino")
    picture = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    found = list(engines.compare_engines([tiny_bundle, tiny_bundle], lambda _: (picture, picture), 64, 1, rounds=3))
    assert [(timed.bundle[0], timed.engine) for timed in found] == [
        (number, engine) for number in "12" for engine in engines.ENGINES
    ]
    assert {len(timed.times_ms) for timed in found} == {len(timed.cpu_ms) for timed in found} == {3}
    assert all(timed.mean_abs_error < 1 for timed in found)
    assert "64 px, 1 threads, onnxruntime fp32, 1 tiny" in str(found[0])


def test_what_cannot_be_opened_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert engines.main(["no-such-style"]) == 1
    assert capsys.readouterr().err.startswith("error: ")
