"""How far a recogniser knows people in a style: figures for what ships and was measured, told where the slider is."""

import re
import shutil

import pytest
from typer.testing import CliRunner

from toonfilter.cli import app
from toonfilter.runtime.bundle import measured_identity, shipped_folder
from toonfilter.runtime.command_line.command_options import DrawingOptions
from toonfilter.runtime.styles.identity import MEASURED, Identity, identity_at, identity_text
from toonfilter.runtime.styles.style import SLIDER_RANGES


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The user's folder of styles, with one that is called as one that ships."""
    monkeypatch.setenv("TOONFILTER_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    return shutil.copy(shipped_folder() / "anime.toml", tmp_path / "models" / "cartoon.toml")


def test_every_style_that_ships_was_measured_over_the_whole_slider() -> None:
    assert set(MEASURED) == {path.stem for path in shipped_folder().glob("*.toml")}
    for name, measured in MEASURED.items():
        likenesses = [one.likeness for one in measured]
        assert likenesses == sorted(set(likenesses)), name
        assert (likenesses[0], likenesses[-1]) == SLIDER_RANGES["likeness"], name
        assert all(-1 <= one.median < one.p95 <= 1 for one in measured), name


def test_between_what_was_measured_lie_straight_lines() -> None:
    measured = (Identity(0, 0.1, 0.4), Identity(0.5, 0.2, 0.8), Identity(1, 0.6, 0.6))
    assert identity_at(measured, 0.5) == measured[1]
    between = identity_at(measured, 0.75)
    assert (between.median, between.p95) == pytest.approx((0.4, 0.7))
    assert "is 0.40 / 0.70 (median / 19 in 20 people at most), 0.10 / 0.40 at 0;" in identity_text(measured, 0.75)
    assert "was not measured" in identity_text((), 0.75)


def test_styles_of_ones_own_have_no_figure_whatever_their_name(own) -> None:
    assert measured_identity("cartoon") == measured_identity(str(own)) == ()
    assert measured_identity("anime") == measured_identity(str(shipped_folder() / "anime.toml")) == MEASURED["anime"]
    assert measured_identity("human") == measured_identity("nowhere") == ()


@pytest.mark.usefixtures("own")
def test_show_tells_the_figures_behind_a_hash(tmp_path) -> None:
    shown = CliRunner().invoke(app, ["styles", "show", "anime"]).stdout
    for one in MEASURED["anime"]:
        assert f"# --likeness {one.likeness:g}: {one.median:.2f} / {one.p95:.2f}" in shown.splitlines()
    (tmp_path / "saved.toml").write_text(shown, encoding="utf-8")
    assert CliRunner().invoke(app, ["styles", "check", str(tmp_path / "saved.toml")]).exit_code == 0
    mine = CliRunner().invoke(app, ["styles", "show", "cartoon"]).stdout
    assert "was not measured" in mine
    assert "# --likeness" not in mine


def test_likeness_above_its_usual_is_told(capsys) -> None:
    DrawingOptions(to="cartoon").tell_likeness()
    assert capsys.readouterr().err == ""
    DrawingOptions(to="cartoon", likeness=0.5).tell_likeness()
    told = capsys.readouterr().err
    assert re.search(rf"likeness 0\.5: .* {MEASURED['cartoon'][1]} .* {MEASURED['cartoon'][0]} at 0;", told)


@pytest.mark.parametrize("command", ["cam", "video", "batch", "image"])
def test_every_command_tells_it_before_it_begins(command, tmp_path, monkeypatch) -> None:
    """tell_likeness ends the command here: what comes after it has not begun."""

    class ToldError(Exception):
        pass

    def tell(options: DrawingOptions) -> None:
        raise ToldError(options.likeness)

    monkeypatch.setattr(DrawingOptions, "tell_likeness", tell)
    picture = tmp_path / ("in.mp4" if command == "video" else "in.png")
    picture.write_bytes(b"")
    given = {"cam": [], "batch": [str(tmp_path)]}.get(command, [str(picture)])
    result = CliRunner().invoke(app, [command, *given, "--likeness", "0.3"])
    assert isinstance(result.exception, ToldError), result.output
    assert result.exception.args == (0.3,)
