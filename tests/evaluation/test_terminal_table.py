"""The table of figures: nothing is squeezed away, however many models stand side by side."""

import io
import re

import pytest
from rich.console import Console

from toonfilter.benchmarks.quality.bootstrap import Estimate
from toonfilter.benchmarks.quality.results import Evaluation, ModelReport
from toonfilter.benchmarks.quality.terminal_table import table_width, terminal_table


@pytest.mark.parametrize("count", [1, 3, 12])
def test_names_and_figures_are_there_for_any_number_of_models(count: int) -> None:
    titles = {"mouth": "mouth opening, correlation", "nn": "1-NN accuracy (squeezenet)"}
    measured = {key: Estimate(-0.123, -1.234, 1.234, 80) for key in titles}
    models = [ModelReport(f"cyclegan-v{n}", "pictures", measured=dict(measured)) for n in range(count)]
    evaluation = Evaluation("faces", ["a", "b"], models, titles=titles)
    text = io.StringIO()
    # As the command line prints: nothing in a text is markup.
    Console(file=text, width=table_width(evaluation), markup=False).print(terminal_table(evaluation))
    shown = text.getvalue()
    for word in ("mouth", "opening", "1-NN", "accuracy", *(model.name for model in models)):
        assert word in shown
    assert shown.count("[-1.234, 1.234]") == 2 * count
    assert not re.search(r"\[dim\]|\[/\]|\\\[", shown)
