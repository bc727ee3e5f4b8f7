"""Style files: ranges, new ones from others, and pictures in several styles."""

import dataclasses
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from toonfilter.cli import app
from toonfilter.runtime.bundle import find_bundle
from toonfilter.runtime.errors import BundleError, ConfigError, OutputError
from toonfilter.runtime.files.image_files import read_image, write_image
from toonfilter.runtime.style_commands.style_files import new_style, style_text
from toonfilter.runtime.style_commands.style_gallery import Row, draw_rows, page_of
from toonfilter.runtime.styles.style import Style
from toonfilter.runtime.styles.style_keys import KEYS, out_of_range, table_of
from toonfilter.runtime.styles.style_reading import StyleFileError, read_style

NO_PATH = "must be SVG path data, only the text between the quotes of d"
SHIPPED = ("cartoon", "anime", "comic", "sketch")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TOONFILTER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_every_key_of_the_rules_has_a_range_and_a_word() -> None:
    for table, keys in KEYS.items():
        rules = table_of(Style("x"), table)
        assert set(keys) == {field.name for field in dataclasses.fields(rules)}, table
    features = {field.name for field in dataclasses.fields(Style("x").features)}
    assert {f"features.{name}" for name in features} < set(KEYS)
    assert not list(out_of_range(dataclasses.asdict(Style("x"))))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[base]\nouter_line_u = 0.3", "line 2: base.outer_line_u is 0.3; must be 0 to 0.2"),
        ("[base]\nshade = -0.1", "base.shade is -0.1; must be 0 to 1"),
        ("[base]\nshade = nan", "base.shade is nan; must be 0 to 1"),
        ('[base]\nshade = "dark"', "base.shade is 'dark'; must be a number"),
        ("[base]\nouter_line_u = true", "base.outer_line_u is 'True'; must be a number"),
        ("[base]\nfill = 3", "base.fill is '3'; must be colour or paper"),
        ("[base]\nouter = 1", "unknown key base.outer; known: outer_line_u"),
        ("[base]\nhair_tones = [\n[1.0]]", "line 2: base.hair_tones[0] is '[1.0]'; must be a list of 2"),
        ("[base]\nhair_tones = [[1.0, -90.0]]", "base.hair_tones is -90; must be -60 to 60"),
        ("[base]\nhair_tones = -90", "base.hair_tones is '-90'; must be a list"),
        ("# eyes\n\nfeatures.eyes.lashes = 40", "line 3: features.eyes.lashes is 40; must be 0 to 12"),
        ("[proportions]\neye_width = 9.0", "proportions.eye_width is 9; must be 0.7 to 1.6"),
        ('[features.eyes]\npupil_shape = "star"', f"features.eyes.pupil_shape is 'star'; {NO_PATH}"),
        ("[features.nose]\nshape = '<path d=\"M0 0\"/>'", f"shape is '<path d=\"M0 0\"/>'; {NO_PATH}"),
        ('[features.nose]\nshape = "M0 0 L7 0 L0 1Z"', "features.nose.shape reaches 7; must stay within -1 to 1"),
        ("[features.brows]\nshape = 3", "features.brows.shape is '3'; must be a text"),
        ("[base", "line 1 is '[base'; must be TOML: Expected ']' at the end"),
        ("[features.lines]\nblush = .5 # soft", "line 2 is 'blush = .5 # soft'; a number has a point with digits"),
        ("[features.lines]\nblush = .5 # soft", "on both sides: write blush = 0.5"),
        ("[features.lines]\nblush = 0,5", "line 2 is 'blush = 0,5'; a number has a point with digits"),
        ("\n[base]\nfill = paper\n", "line 3 is 'fill = paper'; a text stands in quotes: write fill = \"paper\""),
        ("[features.nose]\nshape = M0 0 L1 0 Z", 'in quotes: write shape = "M0 0 L1 0 Z"'),
        ('[features.nose]\nshape = "M0 0\nL1 0 Z"', "line 2 is 'shape = \"M0 0'; must be TOML: Illegal character"),
        ("[base]\nshade = 0.5\nshade = 0.6", "line 3 is 'shade = 0.6'; must be TOML: Cannot overwrite a value"),
    ],
)
def test_what_is_wrong_is_named_with_key_or_line_and_what_is_allowed(tmp_path, text, said) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BundleError, match=f"^mine.toml: .*{re.escape(said)}"):
        read_style(path)
    result = CliRunner().invoke(app, ["styles", "check", str(path)])
    assert result.exit_code == 1
    assert said in result.stderr


def test_all_mistakes_of_a_file_are_told_in_the_order_of_its_lines(tmp_path) -> None:
    lines = (
        "colour = 3",
        "[proportions]",
        "eye_width = 9",
        "nose_width = -1",
        "[base]",
        "shade = 1,5",
        'pattern = "spots"',
        "hair_tones = [[1.0, 2.0], [3.0], [",
        '"dark"',
        ", 90]]",
        "fill = paper",
        "[features]",
        'eyes = { pupil = "large", pupil_shape = "star", lids = 1 }',
    )
    path = tmp_path / "mine.toml"
    path.write_text("\n".join(lines))
    expected = (
        "line 1: unknown key colour; known: name, ",
        "line 3: proportions.eye_width is 9; must be 0.7 to 1.6",
        "line 4: proportions.nose_width is -1; must be 0.7 to 1.6",
        "line 6 is 'shade = 1,5'; a number has a point with digits on both sides: write shade = 1.5",
        "line 6: base.shade is 1.5; must be 0 to 1",
        "line 7: base.pattern is 'spots'; must be flat or dots or hatching",
        "line 8: base.hair_tones is 90; must be -60 to 60",
        "line 11 is 'fill = paper'; a text stands in quotes: write fill = \"paper\"",
        "line 13: features.eyes.pupil_shape is 'star'; must be SVG path data",
        "line 13: unknown key features.eyes.lids; known: width, ",
        "line 13: features.eyes.pupil is 'large'; must be a number",
    )
    with pytest.raises(StyleFileError) as caught:
        read_style(path)
    for said, start in zip(caught.value.mistakes, expected, strict=True):
        assert said.startswith(f"mine.toml: {start}")
    assert str(caught.value) == f"{caught.value.mistakes[0]} (and 10 more; `toonfilter styles check` lists all)"
    told = CliRunner().invoke(app, ["styles", "check", str(path)]).stderr.splitlines()
    assert told == [f"error: {said}" for said in caught.value.mistakes]


def test_a_mistake_in_any_line_is_told_with_that_line() -> None:
    path = new_style("mine", "comic", None, overwrite=False)
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        key, is_setting, _ = line.removeprefix("# ").partition(" = ")
        if is_setting and number > 5:
            path.write_text("\n".join((*lines[: number - 1], f"{key} = {{}}", *lines[number:])), encoding="utf-8")
            with pytest.raises(StyleFileError, match=rf"^mine.toml: line {number}: [a-z.]+\.{key} is '{{}}'; must be"):
                read_style(path)


def test_a_style_file(tmp_path) -> None:
    path = tmp_path / "mine.toml"
    lines = ('description = "thin"', "[base]", "outer_line_u = 0.01", "hair_tones = [[-4.0, -8.0]]")
    path.write_text("\n".join((*lines, "[proportions]", "eye_width = 1.3")))
    style = read_style(path)
    assert (style.name, style.base.outer_line_u, style.base.hair_tones) == ("mine", 0.01, ((-4.0, -8.0),))
    assert style.proportions.eye_width == 1.3
    assert style.features == Style("x").features


def test_a_style_file_that_is_not_there_is_told_with_its_whole_path(tmp_path) -> None:
    path = tmp_path / "nowhere.toml"
    with pytest.raises(BundleError, match=f"^{re.escape(str(path))}: no such file$"):
        read_style(path)
    with pytest.raises(BundleError, match=r"cannot be read as a style \(Is a directory|Permission"):
        read_style(tmp_path)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_new_style_is_like_the_one_it_comes_from(home, name) -> None:
    path = new_style("mine", name, None, overwrite=False)
    assert path == home / "models" / "mine.toml"
    source, mine = find_bundle(name).style, find_bundle("mine").style
    assert dataclasses.replace(mine, name=name, version=source.version) == source
    text = path.read_text(encoding="utf-8")
    assert all(f"{key} = " in text for keys in KEYS.values() for key in keys)


def test_lines_behind_a_hash_hold_the_defaults(tmp_path) -> None:
    text = style_text(Style("x", description="d"))
    opened = [line.removeprefix("# ") if " = " in line else line for line in text.splitlines()[2:]]
    (tmp_path / "x.toml").write_text("\n".join(opened))
    assert read_style(tmp_path / "x.toml") == Style("x", description="d")


def test_a_new_style_replaces_nothing_unasked(tmp_path) -> None:
    with pytest.raises(OutputError, match="there is a style anime already"):
        new_style("anime", "cartoon", None, overwrite=False)
    target = tmp_path / "here.toml"
    target.write_text("mine")
    with pytest.raises(OutputError, match="--overwrite"):
        new_style("here", "cartoon", target, overwrite=False)
    assert target.read_text() == "mine"
    for name, source in (("../up", "cartoon"), ("ok", "human")):
        with pytest.raises(ConfigError):
            new_style(name, source, None, overwrite=False)


def test_the_commands(home, monkeypatch) -> None:
    run = CliRunner().invoke
    made = run(app, ["styles", "new", "mine", "--from", "comic"])
    assert made.exit_code == 0
    assert made.stdout.startswith(f"{home / 'models' / 'mine.toml'}: ")
    monkeypatch.chdir(home)
    assert run(app, ["styles", "new", "here", "-o", "here.toml"]).stdout.startswith(f"{home / 'here.toml'}: ")
    assert "mine" in run(app, ["styles", "list"]).stdout
    assert 'pattern = "dots"' in run(app, ["styles", "show", "mine"]).stdout
    checked = run(app, ["styles", "check", str(home / "models" / "mine.toml")])
    assert checked.exit_code == 0
    assert "whole" in checked.stdout


@pytest.mark.slow
def test_a_gallery_shows_drawings_and_no_photo(tmp_path, astronaut) -> None:
    write_image(tmp_path / "a.png", astronaut)
    target = tmp_path / "sheet.png"
    words = ["styles", "gallery", str(tmp_path / "a.png"), "-o", str(target), "--to", "anime", "--to", "sketch"]
    assert CliRunner().invoke(app, words).exit_code == 0
    anime, sketch = np.array_split(read_image(target)[40:], 2, axis=1)
    # The styles differ, and pencil on paper is paler.
    assert sketch.mean() > anime.mean() + 20


def test_a_gallery_page_needs_no_other_file() -> None:
    rows = [Row("<a>.jpg", (np.zeros((360, 300, 3), np.uint8),) * 2)]
    page = page_of(("anime", "sketch"), rows)
    assert page.count("data:image/jpeg;base64,") == 2
    assert "&lt;a&gt;.jpg in sketch" in page


def test_what_a_gallery_cannot_show_is_told() -> None:
    run = CliRunner().invoke
    with pytest.raises(ConfigError, match=r"must end in \.html"):
        run(app, ["styles", "gallery", "a.png", "-o", "a.txt"], catch_exceptions=False)
    with pytest.raises(ConfigError, match="hides nobody"):
        draw_rows([], ["human"], list)
