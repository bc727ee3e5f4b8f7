"""The panel on a phone and in a window of 200 %: what must be in sight is, and a phone on a cable can open the page."""

import base64

import cv2
import numpy as np
import pytest
from browser_rig import choose, click, go, needs_axe, open_page, start, text, violations
from headless_browser import CHROMIUM
from panel_rig import eventually

from toonfilter.runtime.panel.languages import words

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


@needs_axe
@pytest.mark.parametrize("name", ["camera", "style", "recordings"])
def test_accessibility_on_a_phone(page, name):
    shrink(page, PHONE)
    start(page)
    go(page, name)
    assert violations(page) == []


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


def scanned(page):
    """What a phone reads from the code on the screen."""
    box = page.value("JSON.parse(JSON.stringify(document.querySelector('#qr').getBoundingClientRect()))")
    clip = {name: box[name] for name in ("x", "y", "width", "height")} | {"scale": 2}
    shot = base64.b64decode(page.send("Page.captureScreenshot", format="png", clip=clip)["data"])
    return cv2.QRCodeDetectorAruco().detectAndDecode(cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR))[0]


def invitation(page, before=""):
    """The address that the open dialog's code holds, once it is another than before."""
    return eventually(lambda: (told := scanned(page)) and told != before and told)


def test_a_phone_scans_the_code_and_hides_the_person(page, served):
    start(page)
    click(page, "#phone-open")
    page.wait("document.querySelector('#phone').open")
    assert text(page, "#qr-told") == words("en")["phone.once"].replace("{n}", "3")
    address = invitation(page)
    assert address.startswith(f"http://127.0.0.1:{served.port}/?token=")
    assert served.address != address, "the key of the run is not shown"
    commands = page.value("[...document.querySelectorAll('#phone-commands code')].map((one) => one.textContent)")
    assert commands == [
        f"adb reverse tcp:{served.port} tcp:{served.port}",
        f'adb shell am start -a android.intent.action.VIEW -d "{address}"',
    ]
    codes = page.value("[...document.querySelectorAll('#phone-steps code')].map((one) => one.textContent)")
    ports = [str(served.port), f"localhost:{served.port}"]
    assert codes == ["chrome://inspect/#devices", "edge://inspect/#devices", *ports]
    page.new_tab(knows_nothing=True)
    shrink(page, PHONE)
    open_page(page, address)
    click(page, "#hide")
    eventually(lambda: served.panel.snapshot()["camera"]["hidden"])
    page.new_tab(knows_nothing=True)
    page.open(address)
    assert "used before" in text(page, "body"), "an address opens the page once"


def test_a_new_code_ends_the_one_before(page):
    click(page, "#phone-open")
    page.wait("document.querySelector('#phone').open")
    first = invitation(page)
    click(page, "#phone-again")
    second = invitation(page, before=first)
    page.new_tab(knows_nothing=True)
    page.open(first)
    assert "used before" in text(page, "body")
    open_page(page, second)


@pytest.mark.parametrize("language", ["de", "ja", "ar", "hi"])
def test_the_invitation_fits_every_width(page, language):
    choose(page, "#language", language)
    page.wait(f"document.documentElement.lang === {language!r}")
    click(page, "#phone-open")
    page.wait("document.querySelector('#phone').open")
    assert words(language)["phone.scan"] in text(page, "#phone-steps")
    for size in ((320, 640), PHONE, WINDOW_AT_200_PERCENT, (1280, 800)):
        shrink(page, size)
        over = page.value(
            "(() => { const one = document.querySelector('#phone'); return one.scrollWidth - one.clientWidth; })()"
        )
        assert over <= 0, f"{language} at {size}"
