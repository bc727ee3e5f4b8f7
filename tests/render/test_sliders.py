"""What a user may change of any style: on the command line, and in what is drawn."""

import re

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from toonfilter.cli import app
from toonfilter.runtime.command_line.command_options import DrawingOptions
from toonfilter.runtime.errors import ConfigError
from toonfilter.runtime.geometry.proportions import Proportions
from toonfilter.runtime.image.still_images import StillFilter, StillSettings
from toonfilter.runtime.render.opening import RenderOptions
from toonfilter.runtime.styles.style import SLIDER_RANGES, Sliders, Style


def test_words_become_sliders() -> None:
    options = DrawingOptions(likeness=0.5, line=2.0).rendering()
    assert options.sliders == Sliders(likeness=0.5, line=2.0)
    with pytest.raises(ConfigError, match=r"likeness is 1\.5; must be 0 to 1"):
        DrawingOptions(likeness=1.5).rendering()


@pytest.mark.parametrize("command", ["cam", "video", "image", "batch"])
def test_every_command_has_them_and_tells_the_range(command) -> None:
    options = {max(one.opts, key=len): one for one in typer.main.get_command(app).commands[command].params}
    for name, (low, high) in SLIDER_RANGES.items():
        numbers = [float(number) for number in re.findall(r"[\d.]*\d", options[f"--{name}"].help)]
        assert {low, high} <= set(numbers)
        assert options[f"--{name}"].default == getattr(Sliders(), name)


def test_a_slider_out_of_range_stops_before_any_work(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["cam", "-o", "a.mp4", "--line", "9"], ["image", "x.png", "--line", "9"]):
        (tmp_path / "x.png").write_bytes(b"")
        with pytest.raises(ConfigError, match=r"line is 9; must be 0\.3 to 2\.5"):
            CliRunner().invoke(app, words, catch_exceptions=False)
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_sliders_change_the_rules() -> None:
    style = Sliders(likeness=1.0, line=0.5, shade=0.0, colour=1.5, softness=0.5).applied(Style("x"))
    assert style.proportions == Proportions.none()
    assert style.base.outer_line_u == pytest.approx(0.5 * Style("x").base.outer_line_u)
    assert (style.base.shade, style.base.folds) == (0.0, 0.0)
    assert style.base.saturation == pytest.approx(1.5 * Style("x").base.saturation)
    assert style.base.softness_u > Style("x").base.softness_u + 0.02
    assert Sliders().applied(Style("x")) == Style("x")


@pytest.mark.slow
def test_sliders_reach_the_drawing(astronaut) -> None:
    drawn = []
    for sliders in (Sliders(), Sliders(colour=0.0)):
        opened = StillFilter(StillSettings("cartoon", rendering=RenderOptions(sliders=sliders)))
        drawn.append(opened.process(astronaut).image)
        opened.close()
    chroma = [np.ptp(image[100:220, 180:300].astype(int), axis=2).mean() for image in drawn]
    assert chroma[1] < 0.6 * chroma[0]
