"""The panel on a phone and in a window of 200 %: what must be in sight is, and a phone on a cable can open the page."""

import pytest
from browser_rig import click, go, start
from headless_browser import CHROMIUM

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH (Debian: apt install chromium)"),
]
PHONE = 390, 844
WINDOW_AT_200_PERCENT = 640, 400
TOUCHED = """(() => { const box = document.querySelector(SELECTOR).getBoundingClientRect();
    const at = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return box.top >= 0 && box.bottom <= innerHeight && document.querySelector(SELECTOR).contains(at); })()"""
COVERED_FOCUS = """(() => { const one = document.activeElement; const held = one.closest('label') ?? one;
    const box = held.getBoundingClientRect(); if (one === document.body || !box.height) return '';
    const places = [[box.x + box.width / 2, box.y + Math.min(8, box.height / 2)],
                    [box.x + box.width / 2, box.bottom - Math.min(8, box.height / 2)]];
    const isSeen = ([x, y]) => { const at = document.elementFromPoint(x, y); return at && held.contains(at); };
    return places.some(isSeen) ? '' : (one.id || one.dataset.key || one.outerHTML); })()"""


def shrink(page, size):
    width, height = size
    page.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
    page.wait(f"innerWidth === {width}")


def can_be_touched(page, selector):
    return page.value(TOUCHED.replace("SELECTOR", repr(selector)))


@pytest.mark.parametrize("size", [PHONE, WINDOW_AT_200_PERCENT])
def test_start_and_hide_are_in_sight(page, size):
    shrink(page, size)
    assert can_be_touched(page, "#start")
    start(page)
    for name in ("camera", "style"):
        go(page, name)
        page.wait("scrollY === 0")
        assert can_be_touched(page, "#hide"), name
        assert can_be_touched(page, "#stop"), name
        assert page.value("document.querySelector('#view').getBoundingClientRect().height") > 100


def test_choosing_a_page_begins_at_its_top(page):
    shrink(page, WINDOW_AT_200_PERCENT)
    for name in ("recordings", "camera", "style", "camera"):
        go(page, name)
        # Browsers scroll to what the address names a moment after it changed.
        page.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert page.value("scrollY") == 0, name


def test_a_phone_keeps_picture_and_hide_in_sight(page):
    shrink(page, PHONE)
    start(page)
    go(page, "style")
    page.value("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait("scrollY > 300")
    assert can_be_touched(page, "#hide")
    assert can_be_touched(page, "#view") or can_be_touched(page, "#stage")


@pytest.mark.parametrize("size", [PHONE, WINDOW_AT_200_PERCENT, (1280, 800)])
@pytest.mark.parametrize("name", ["camera", "style", "recordings"])
def test_nothing_lies_over_what_has_the_focus(page, name, size):
    shrink(page, size)
    start(page)
    go(page, name)
    page.value("document.activeElement.blur()")
    covered = set()
    for _ in range(40):
        page.key("Tab", windowsVirtualKeyCode=9)
        covered.add(page.value(COVERED_FOCUS))
    assert covered <= {""}


def test_a_program_that_is_away_cannot_be_started(page, served):
    served.stop()
    page.wait("!document.querySelector('#lost').hidden")
    assert page.value("document.querySelector('#start').hidden")
    served.start()
    page.wait("!document.querySelector('#start').hidden")
    click(page, "#start")
