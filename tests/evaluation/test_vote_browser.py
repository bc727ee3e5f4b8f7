"""The vote page in a real browser, driven through Chromium's debugging pipe: keys, touch, a break, no names."""

import json

import cv2
import numpy as np
import pytest
from headless_browser import CHROMIUM, Browser

from toonfilter.benchmarks.quality.vote.ballot import BallotOptions, prepare_ballot
from toonfilter.benchmarks.quality.vote.server import VoteServer
from toonfilter.benchmarks.quality.vote.store import counting_votes, read_votes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH (Debian: apt install chromium)"),
]


@pytest.fixture
def vote(tmp_path, astronaut):
    """A served vote of two models on five views of a face."""
    face = np.ascontiguousarray(astronaut[0:260, 90:350])
    drawings = {
        "source": face,
        "modela": cv2.bilateralFilter(face, 9, 90, 90),
        "modelb": cv2.stylization(face[..., ::-1])[..., ::-1],
    }
    for name, image in drawings.items():
        (tmp_path / name).mkdir()
        for index in range(5):
            cv2.imwrite(str(tmp_path / name / f"portrait{index}.png"), np.roll(image, 10 * index, 1)[..., ::-1])
    models = (str(tmp_path / "modela"), str(tmp_path / "modelb"))
    folder = tmp_path / "vote"
    with VoteServer(prepare_ballot(BallotOptions(models, tmp_path / "source", folder)), folder) as server:
        yield server, folder


@pytest.fixture
def browser(tmp_path):
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.close()


def _count(browser: Browser) -> str:
    return str(browser.value("document.getElementById('count').textContent"))


def test_keys_touch_break_and_back(vote, browser) -> None:
    server, folder = vote
    browser.send("Page.navigate", url=server.url)
    browser.wait("document.activeElement && document.activeElement.id === 'name'")
    browser.send("Input.insertText", text="Ann")
    browser.key("Enter", windowsVirtualKeyCode=13, text="\r")
    browser.wait("document.querySelectorAll('#choices img').length === 2")
    browser.wait("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert _count(browser) == "0 of 5"
    page = str(browser.value("document.documentElement.outerHTML")) + str(browser.value("location.href"))
    assert "model" not in page
    assert "portrait" not in page

    browser.key("2", windowsVirtualKeyCode=50)
    browser.wait("document.getElementById('count').textContent === '1 of 5'")
    browser.send("Emulation.setTouchEmulationEnabled", enabled=True)
    browser.tap("#choices button")
    browser.wait("document.getElementById('count').textContent === '2 of 5'")

    # A break: the page is loaded again and goes on by itself.
    browser.send("Page.reload")
    browser.wait("document.getElementById('count') && document.getElementById('count').textContent === '2 of 5'")
    browser.wait("document.querySelectorAll('#choices img').length === 2")

    before = browser.value("document.getElementById('source').src")
    browser.key("Backspace", windowsVirtualKeyCode=8)
    browser.wait(f"document.getElementById('source').src !== {json.dumps(before)}")
    browser.key("1", windowsVirtualKeyCode=49)
    browser.wait(f"document.getElementById('source').src === {json.dumps(before)}")
    assert _count(browser) == "2 of 5"
    for done in (3, 4, 5):
        browser.wait("!busy")
        browser.key("1", windowsVirtualKeyCode=49)
        browser.wait(f"document.getElementById('count').textContent === '{done} of 5'")
    browser.wait("!document.getElementById('end').hidden")
    votes = read_votes(folder)
    assert len(votes) == 6
    assert len(counting_votes(votes)) == 5
    assert {vote.reviewer for vote in votes} == {"Ann"}
    assert votes[0].choice == votes[0].shown[1]
    assert votes[-1].choice == votes[-1].shown[0]


def test_restarted_server_asks_for_the_name_and_goes_on(vote, browser) -> None:
    server, _ = vote
    browser.send("Page.navigate", url=server.url)
    browser.wait("document.activeElement && document.activeElement.id === 'name'")
    browser.value("localStorage.setItem('session', 'from an earlier run')")
    browser.send("Page.reload")
    browser.wait("document.getElementById('welcome')?.hidden === false && localStorage.getItem('session') === null")
