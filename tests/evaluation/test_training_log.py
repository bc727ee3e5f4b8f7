"""Training measures and charts, from a log whose values are known."""

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from toonfilter.benchmarks.quality import charts
from toonfilter.benchmarks.quality.bootstrap import Estimate
from toonfilter.benchmarks.quality.training_log import read_training_log
from toonfilter.runtime.errors import DataError


def test_scores_of_the_discriminator_start_and_end(tmp_path) -> None:
    lines = [{"step": step, "d_real": 0.5 + step / 200, "d_fake": 0.5, "loss_g": 1.0} for step in range(100)]
    text = "\n".join(json.dumps(line) for line in lines)
    (tmp_path / "scalars.jsonl").write_text(text + '\n{"step": 100, "d_re', encoding="utf-8")
    log = read_training_log(tmp_path)
    assert set(log.series) == {"d_real", "d_fake"}
    assert log.summary()["d_real"] == pytest.approx(
        {"start": 0.5 + 4.5 / 200, "end": 0.5 + 94.5 / 200, "last_step": 99}
    )
    assert log.summary()["d_fake"]["end"] == 0.5


def test_missing_log_and_log_without_discriminator_are_named(tmp_path) -> None:
    with pytest.raises(DataError, match="has no scalars"):
        read_training_log(tmp_path)
    (tmp_path / "scalars.jsonl").write_text('{"step": 1, "loss_g": 2.0}\n')
    with pytest.raises(DataError, match="d_real or d_fake"):
        read_training_log(tmp_path)


def test_scatter_puts_equal_values_on_the_diagonal() -> None:
    root = ElementTree.fromstring(charts.scatter("t", np.array([[0.0, 0.0], [1.0, 1.0], [np.nan, 1.0]])))
    line = root.find("line")
    dots = root.findall("g/circle")
    assert [float(dot.get("cx")) for dot in dots] == [float(line.get("x1")), float(line.get("x2"))]
    assert [float(dot.get("cy")) for dot in dots] == [float(line.get("y1")), float(line.get("y2"))]


def test_curves_keep_their_ends_and_shrink_long_series() -> None:
    points = [(float(step), float(step % 7)) for step in range(5000)]
    root = ElementTree.fromstring(charts.curves("t", {"d_real": points, "empty": []}))
    lines = root.findall("polyline")
    assert len(lines) == 1
    assert len(lines[0].get("points").split()) == 400


def test_intervals_show_the_models_that_have_one() -> None:
    svg = charts.intervals([Estimate(1.0, 0.5, 1.5, 9), None, Estimate(2.0, np.nan, np.nan, 1)], None, 1.2)
    root = ElementTree.fromstring(svg)
    assert len(root.findall("circle")) == 2
    assert len(root.findall("line")) == 1
    assert root.find("rect").get("class") == "must"
    assert charts.intervals([None], None, None) == ""
