"""The page on which labels are corrected in a real browser: keys, clicks, and the files that come of them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from headless_browser import CHROMIUM, Browser

from toonfilter.train.data.fields.corrections import read_corrections
from toonfilter.train.data.fields.store import LabelStore
from toonfilter.train.labelling.desk import CorrectionDesk
from toonfilter.train.labelling.server import CorrectionServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH (Debian: apt install chromium)"),
]

CODES = {"Enter": 13, "Backspace": 8, "Escape": 27, " ": 32}


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.close()


@pytest.fixture
def page(store: LabelStore, tmp_path: Path, browser: Browser) -> Iterator[Browser]:
    """The page on five pictures, its first one drawn; corrections are kept in tmp_path / "corrections"."""
    with CorrectionServer(CorrectionDesk(store, tmp_path / "corrections")) as server:
        browser.open(server.url)
        _wait_for_labels(browser)
        yield browser


def _wait_for_labels(browser: Browser) -> None:
    browser.wait("state && !busy && document.getElementById('photo').naturalWidth === 320")
    browser.wait("document.getElementById('labels').complete && document.getElementById('labels').naturalWidth === 960")


def _key(browser: Browser, key: str) -> None:
    browser.key(key, windowsVirtualKeyCode=CODES.get(key, ord(key.upper()[0])))


def _click(browser: Browser, x: float, y: float, count: int = 1) -> None:
    """x, y: in hundredths of the picture's sides."""
    box = json.loads(str(browser.value("JSON.stringify(document.getElementById('photo').getBoundingClientRect())")))
    where = {"x": box["x"] + x * box["width"] / 100, "y": box["y"] + y * box["height"] / 100}
    for number in range(1, count + 1):
        for kind in ("mousePressed", "mouseReleased"):
            browser.send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=number, **where)


def _text(browser: Browser, name: str) -> str:
    return str(browser.value(f"document.getElementById('{name}').textContent"))


def test_outlines_are_drawn_taken_back_kept_and_found_again(page: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "corrections"
    first = _text(page, "file")
    assert _text(page, "count") == "0 of 5 looked at"
    before = page.value("document.getElementById('labels').src")
    _key(page, "5")
    for point in ((30, 10), (70, 10), (70, 30), (50, 35)):
        _click(page, *point)
    _key(page, "Backspace")
    _key(page, "Enter")
    page.wait(f"document.getElementById('labels').src !== {json.dumps(before)}")
    # Two quick clicks close an outline without a fourth point.
    _key(page, "8")
    for point in ((40, 60), (60, 60)):
        _click(page, *point)
    _click(page, 50, 101, count=2)
    page.wait("outlines.length === 2")
    assert [len(one["points"]) for one in json.loads(str(page.value("JSON.stringify(outlines)")))] == [3, 3]

    _key(page, " ")
    page.wait("state.done === 1 && !busy")
    kept = read_corrections(folder)
    assert [one.kind for one in kept[first]] == ["headwear", "over"]
    for (x, y), expected in zip(kept[first][0].points, ((30, 10), (70, 10), (70, 30)), strict=True):
        assert (x, y) == pytest.approx(expected, abs=0.3)
    assert kept[first][1].points[2][1] == pytest.approx(101, abs=0.3)

    second = _text(page, "file")
    _wait_for_labels(page)
    _key(page, "n")
    page.wait("state.done === 2 && !busy")
    assert read_corrections(folder)[second] == ()

    _key(page, "b")
    page.wait(f"state.file === {json.dumps(second)} && !busy")
    _key(page, "b")
    page.wait(f"state.file === {json.dumps(first)} && !busy")
    page.wait("document.querySelectorAll('#outlines polygon').length === 2")
    _key(page, "Backspace")
    page.wait("document.querySelectorAll('#outlines polygon').length === 1")
    _key(page, " ")
    page.wait(f"state.file === {json.dumps(second)} && !busy")
    assert [one.kind for one in read_corrections(folder)[first]] == ["headwear"]
    assert page.value("drafts.size") == 0


def test_open_outlines_are_not_lost_and_the_view_changes(page: Browser, tmp_path: Path) -> None:
    for point in ((30, 10), (70, 10)):
        _click(page, *point)
    _key(page, " ")
    page.wait("!document.getElementById('trouble').hidden")
    assert "Enter closes it" in _text(page, "trouble")
    _key(page, "Enter")
    assert "three points" in _text(page, "trouble")
    assert list((tmp_path / "corrections").iterdir()) == []

    page.send("Input.dispatchMouseEvent", type="mouseMoved", x=300, y=300)
    width = "document.getElementById('photo').getBoundingClientRect().width"
    small = float(str(page.value(width)))
    _key(page, "z")
    assert float(str(page.value(width))) == pytest.approx(2.5 * small, rel=0.01)
    _key(page, "z")
    _click(page, 70, 40)
    _key(page, "Enter")
    assert page.value("outlines.length") == 1
    _key(page, "l")
    assert page.value("getComputedStyle(document.getElementById('labels')).visibility") == "hidden"
    _key(page, "l")
    assert page.value("getComputedStyle(document.getElementById('labels')).visibility") == "visible"
    _key(page, "Backspace")
    page.wait("outlines.length === 0 && points.length === 0")
    for done in range(1, 6):
        page.wait("!busy")
        _key(page, " ")
        page.wait(f"state.done === {done}")
    page.wait("!document.getElementById('end').hidden")
    assert "fields labels FACES" in str(page.value("document.querySelector('#end code').textContent"))
    _key(page, "b")
    page.wait("!document.getElementById('desk').hidden && state.place === 4")
    assert len(read_corrections(tmp_path / "corrections")) == 5


def test_a_draft_waits_while_others_are_looked_at(page: Browser) -> None:
    _key(page, " ")
    page.wait("state.place === 1 && !busy")
    for point in ((30, 10), (70, 10), (70, 40)):
        _click(page, *point)
    _key(page, "Enter")
    page.wait("outlines.length === 1")
    _key(page, "b")
    page.wait("state.place === 0 && !busy && outlines.length === 0")
    _key(page, " ")
    page.wait("state.place === 1 && !busy")
    assert page.value("document.querySelectorAll('#outlines polygon').length") == 1
    assert page.value("state.done") == 1
    # Kept, so that leaving the page asks nothing.
    _key(page, " ")
    page.wait("state.place === 2 && !busy && drafts.size === 0")


def test_a_server_that_ended_loses_nothing(store: LabelStore, tmp_path: Path, browser: Browser) -> None:
    with CorrectionServer(CorrectionDesk(store, tmp_path / "corrections")) as server:
        browser.open(server.url)
        _wait_for_labels(browser)
        file, port = _text(browser, "file"), server.port
        for point in ((30, 10), (70, 10), (70, 40)):
            _click(browser, *point)
        _key(browser, "Enter")
        browser.wait("outlines.length === 1")
    _key(browser, " ")
    browser.wait("!document.getElementById('trouble').hidden && !busy")
    assert "Start the command again" in _text(browser, "trouble")
    # Another order, so another picture at each place: it is known by its file.
    with CorrectionServer(CorrectionDesk(store, tmp_path / "corrections", ["0.png", file]), port):
        _key(browser, " ")
        browser.wait("state.done === 1 && !busy")
    assert [len(one) for one in read_corrections(tmp_path / "corrections").values()] == [1]
    assert file in read_corrections(tmp_path / "corrections")
