"""How far a recogniser knows people stands under the slider that changes it."""

import json
import shutil
import subprocess
from importlib.resources import files

import pytest

from toonfilter.runtime.bundle import shipped_folder
from toonfilter.runtime.panel.looks import style_cards
from toonfilter.runtime.styles.identity import MEASURED, Identity, identity_at

STATIC = files("toonfilter.runtime.panel").joinpath("static")


def test_cards_have_what_was_measured_and_own_styles_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("TOONFILTER_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    shutil.copy(shipped_folder() / "comic.toml", tmp_path / "models" / "mine.toml")
    cards = {card.name: card.identity for card in style_cards()}
    assert cards.pop("mine") == ()
    assert cards == MEASURED


def test_the_page_gets_the_figures_and_what_to_hold_them_against(panel):
    state = json.loads(json.dumps(panel.snapshot()))
    card = next(one for one in state["styles"] if one["name"] == "anime")
    assert [Identity(**one) for one in card["identity"]] == list(MEASURED["anime"])
    assert state["similarity"]["strangers"] < card["identity"][0]["median"] < state["similarity"]["same"]


@pytest.mark.skipif(not shutil.which("node"), reason="runs the page's own code, which needs node")
def test_the_page_finds_what_the_command_line_says():
    asked = [(measured, likeness) for measured in MEASURED.values() for likeness in (0, 0.24, 0.5, 0.62, 1)]
    given = [
        [[{name: getattr(one, name) for name in ("likeness", "median", "p95")} for one in m], at] for m, at in asked
    ]
    code = STATIC.joinpath("identity.js").read_text(encoding="utf-8").replace("export ", "")
    code += f"console.log(JSON.stringify({json.dumps([*given, [[], 0.5]])}.map((one) => identityAt(...one))));"
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True, timeout=120)
    *found, nothing = json.loads(done.stdout)
    assert nothing is None
    for (measured, at), one in zip(asked, found, strict=True):
        expected = identity_at(measured, at)
        assert (one["median"], one["p95"]) == pytest.approx((expected.median, expected.p95))
