"""The panel in a real browser: every control, two tabs, restarts, hostile names and pages, accessibility, sizes."""

import json
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from browser_rig import Served, click, go, needs_axe, open_page, start, text, violations
from headless_browser import CHROMIUM
from panel_rig import FlatCamera, eventually, losing_conversion

from toonfilter.runtime.errors import CaptureError
from toonfilter.runtime.panel.languages import LANGUAGES, words

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH (Debian: apt install chromium)"),
]


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


def test_the_key_leaves_the_address(page):
    assert page.value("location.search") == ""
    assert page.value("document.cookie") == ""


def test_camera_controls(page, served):
    start(page)
    page.wait("Number(document.querySelector('#fps').innerText) > 0")
    level = "document.querySelector('#view').getContext('2d').getImageData(9, 9, 1, 1).data[0]"
    page.wait(f"Math.abs({level} - 40) < 5")
    page.value("document.activeElement.blur()")
    page.key(" ", code="Space")
    # On a busy machine a late picture is covered, too.
    page.wait(f"document.querySelector('#why').innerText === {words('en')['why.hidden']!r}")
    page.wait("document.querySelector('#pill').dataset.state === 'covered'")
    assert served.panel.snapshot()["camera"]["hidden"]
    assert page.value("document.querySelector('#hide').getAttribute('aria-pressed')") == "true"
    page.wait(f"document.querySelector('#spoken').textContent.includes({words('en')['why.hidden']!r})")
    page.value("document.querySelector('#hide').focus()")
    page.key(" ", code="Space")
    page.wait("document.querySelector('#pill').dataset.state === 'protected'")
    click(page, "#mirror")
    page.wait("document.querySelector('#stage').classList.contains('is-mirrored')")
    click(page, "#first-done")
    page.wait("document.querySelector('#first').hidden")
    page.wait("!document.querySelector('#troubles').hidden")
    assert "v4l2loopback" in text(page, "#troubles") or "OBS" in text(page, "#troubles")
    click(page, "#stop")
    page.wait("document.querySelector('#pill').dataset.state === 'off'")
    page.wait(f"{level} === 0")


def test_the_space_bar_writes_where_people_write(page, served):
    start(page)
    go(page, "style")
    page.value("document.querySelector('#preset-name').focus()")
    page.key(" ", code="Space")
    time.sleep(0.3)
    assert not served.panel.snapshot()["camera"]["hidden"]


def test_calls_are_explained_by_keyboard(page):
    page.value("document.querySelector('#call-zoom').focus()")
    page.key("ArrowRight")
    page.wait("document.activeElement.id === 'call-teams'")
    assert "Teams" in text(page, "#howto")
    page.key("ArrowLeft")
    page.key("ArrowLeft")
    page.wait("document.activeElement.id === 'call-other'")


def test_style_controls(page, served):
    go(page, "style")
    click(page, "input[name=extent][value=head]")
    eventually(lambda: served.panel.look.extent == "head")
    click(page, "input[name=motion][value=responsive]")
    eventually(lambda: served.panel.look.motion == "responsive")
    page.value("document.querySelector('#preset-name').value = 'Mine'")
    click(page, "#preset-form button")
    page.wait("document.querySelector('#presets button')?.innerText === 'Mine'")
    click(page, "#undo")
    eventually(lambda: served.panel.look.motion == "steady")
    page.wait("document.querySelector('input[name=motion][value=steady]').checked")
    click(page, "#reset")
    eventually(lambda: served.panel.look.extent == "whole")
    click(page, "#presets button")
    eventually(lambda: served.panel.look.motion == "responsive")
    click(page, "#presets .round")
    page.wait("!document.querySelector('#presets button')")


def test_two_tabs_agree(page, served):
    first = page.new_tab()
    open_page(page, served.address)
    start(page)
    click(page, "#hide")
    second = page.turn_to(first)
    page.wait("document.querySelector('#hide').getAttribute('aria-pressed') === 'true'")
    click(page, "#hide")
    page.turn_to(second)
    page.wait("document.querySelector('#pill').dataset.state === 'protected'")
    page.close_tab(first)
    time.sleep(0.3)
    assert served.panel.snapshot()["camera"]["phase"] == "running", "closing a tab leaves the camera as it is"


def test_a_program_that_ends_and_comes_back(page, served):
    start(page)
    served.stop()
    page.wait("!document.querySelector('#lost').hidden")
    assert page.value("document.querySelector('#pill').dataset.state") == "off", "nothing is claimed without it"
    served.start()
    page.wait("document.querySelector('#lost').hidden")
    page.wait("document.querySelector('#pill').dataset.state === 'protected'")


def test_quit_asks_and_ends(page, served):
    click(page, "#quit")
    page.wait("document.querySelector('#leave').open")
    click(page, "#leave [data-close]")
    assert not served.panel.is_ending.is_set()
    click(page, "#quit")
    click(page, "#leave-yes")
    eventually(served.panel.is_ending.is_set)
    served.stop()
    page.wait(f"document.querySelector('#lost strong').innerText === {words('en')['closed.title']!r}")
    assert page.value("document.querySelector('#lost').classList.contains('is-calm')"), "it was wished"


def test_a_camera_that_is_unplugged(browser, make_panel):
    class Loose(FlatCamera):
        is_in = True

        def read(self):
            if not Loose.is_in:
                raise CaptureError("the camera sends no pictures any more")
            return super().read()

        def open(self):
            if not Loose.is_in:
                raise CaptureError("gone")
            return "loose camera"

    served = Served(make_panel(open_camera=lambda request, avoid: Loose()))  # noqa: ARG005
    try:
        open_page(browser, served.address)
        start(browser)
        Loose.is_in = False
        browser.wait("document.querySelector('#pill').dataset.state === 'covered'")
        browser.wait(f"document.querySelector('#troubles').innerText.includes({words('en')['trouble.unplugged']!r})")
        Loose.is_in = True
        browser.wait("document.querySelector('#pill').dataset.state === 'protected'")
    finally:
        served.stop()


def test_hostile_names_are_only_text(page, tmp_path, served):
    go(page, "recordings")
    hostile = tmp_path / "<img src=x onerror=document.title='owned'>.mp4"
    hostile.write_bytes(b"v")
    page.choose_files("#files", hostile)
    page.wait("!!document.querySelector('#queue .report')")
    assert "onerror" in text(page, "#queue h3")
    assert page.value("document.querySelectorAll('#queue img').length") == 0
    assert "owned" not in page.value("document.title")
    assert "none" in text(page, "#queue .report"), "the leak report says that nothing was shown as it was"
    click(page, "#queue .primary")
    page.wait("document.querySelector('#player').open")
    assert page.value("document.querySelector('#before').hidden")
    (kept,) = served.panel.recordings.snapshot()["items"]
    assert not kept["compared"]
    click(page, "#reveal")
    page.wait("!document.querySelector('#before').hidden")
    page.key("Escape", windowsVirtualKeyCode=27)
    page.wait("!document.querySelector('#player').open")
    click(page, "#queue .round")
    page.wait("!document.querySelector('#queue .item')")


@pytest.fixture
def doubtful(browser, make_panel, tmp_path, write_noise_clip):
    """The recordings page of somebody who wants to look first; a recording waits to be looked at."""
    write_noise_clip(tmp_path / "noise.mp4", (192, 128), 30, {})
    opened = Served(make_panel(run=losing_conversion))
    open_page(browser, opened.address)
    go(browser, "recordings")
    click(browser, "#looks-first")
    eventually(lambda: opened.panel.snapshot()["looks_first"])
    browser.choose_files("#files", tmp_path / "noise.mp4")
    browser.wait("document.querySelector('#queue .primary')?.innerText === " + repr(words("en")["review.look"]))
    yield opened
    opened.stop()


def covers_of(served):
    return served.panel.recordings.snapshot()["items"][0]["covers"]


def test_doubtful_pictures_are_looked_at_and_covered(doubtful, browser, tmp_path):
    click(browser, "#queue .primary")
    browser.wait("document.querySelector('#review').open")
    browser.wait("document.querySelector('#review-picture').naturalWidth === 192")
    click(browser, "#review-next")
    click(browser, "#review-previous")
    browser.wait(f"document.querySelector('#review-reason').innerText === {words('en')['doubt.face-not-drawn']!r}")
    click(browser, "#review-next")
    browser.wait(f"document.querySelector('#review-reason').innerText === {words('en')['doubt.covered']!r}")
    browser.drag("#review-picture", (0.25, 0.25), (0.5, 0.75))
    (drawn,) = eventually(lambda: covers_of(doubtful))
    assert drawn["box"] == pytest.approx((48, 32, 96, 96), abs=2)
    assert drawn["from_s"] < 0.4 < 0.6 < drawn["to_s"]
    browser.drag("#review-regions .region", (0.5, 0.5), (1.0, 0.5))
    eventually(lambda: covers_of(doubtful)[0]["box"] == pytest.approx((72, 32, 120, 96), abs=2))
    browser.key("ArrowDown", windowsVirtualKeyCode=40)
    eventually(lambda: covers_of(doubtful)[0]["box"][1] > drawn["box"][1])
    click(browser, "#review-add")
    browser.wait("document.activeElement.dataset.region === '1'")
    eventually(lambda: len(covers_of(doubtful)) == 2)
    browser.key("Delete", windowsVirtualKeyCode=46)
    eventually(lambda: len(covers_of(doubtful)) == 1)
    browser.value(
        "(() => { const field = document.querySelector('#review-list input'); field.value = '0'; "
        "field.dispatchEvent(new Event('change')); })()"
    )
    eventually(lambda: covers_of(doubtful)[0]["from_s"] == 0)
    assert not list((tmp_path / "videos").glob("*.mp4"))
    # Drawn and made in one go: the last region is not left behind.
    browser.value("document.querySelector('#review-add').click(); document.querySelector('#review-make').click()")
    browser.wait("!document.querySelector('#review').open")
    eventually(lambda: doubtful.panel.recordings.snapshot()["items"][0]["status"] == "done")
    assert len(covers_of(doubtful)) == 2
    assert (tmp_path / "videos" / "noise-cartoon.mp4").exists()


@pytest.mark.parametrize("language", ["de", "ar", "hi", "ja"])
def test_the_review_fits_every_width(doubtful, browser, language):
    doubtful.panel.actions["settings"]({"language": language})
    browser.wait(f"document.documentElement.lang === {language!r}")
    click(browser, "#queue .primary")
    browser.wait("document.querySelector('#review-picture').naturalWidth === 192")
    click(browser, "#review-add")
    for width, height in ((320, 640), (390, 844), (640, 400), (1280, 800)):
        browser.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        wide = "(() => { const one = document.querySelector('#review'); return one.scrollWidth - one.clientWidth; })()"
        assert browser.value(wide) <= 0, f"{language} at {width} px"
        make = browser.value("JSON.stringify(document.querySelector('#review-make').getBoundingClientRect())")
        assert json.loads(make)["bottom"] <= height, "the button that makes the file is always in sight"


def test_two_tabs_look_at_the_same_regions(doubtful, browser):
    click(browser, "#queue .primary")
    browser.wait("document.querySelector('#review').open")
    first = browser.new_tab()
    open_page(browser, doubtful.address)
    go(browser, "recordings")
    click(browser, "#queue .primary")
    browser.wait("document.querySelector('#review-picture').naturalWidth === 192")
    click(browser, "#review-add")
    eventually(lambda: covers_of(doubtful))
    second = browser.turn_to(first)
    browser.wait("document.querySelectorAll('#review-list li').length === 1")
    browser.turn_to(second)
    click(browser, "#review-make")
    browser.turn_to(first)
    browser.wait("!document.querySelector('#review').open")


def test_what_is_no_video_is_refused_in_words(page, tmp_path):
    go(page, "recordings")
    (tmp_path / "notes.txt").write_text("x")
    page.choose_files("#files", tmp_path / "notes.txt")
    page.wait(f"document.querySelector('#lost').innerText.includes({words('en')['drop.none']!r})")


def test_a_file_of_two_gigabytes(page, tmp_path, served):
    large = tmp_path / "long lecture.mp4"
    with large.open("wb") as file:
        file.truncate(2_000_000_000)
    go(page, "recordings")
    page.choose_files("#files", large)
    page.wait("!!document.querySelector('#uploads progress, #queue .report')")
    eventually(lambda: served.panel.recordings.snapshot()["items"], 600)
    (copy,) = served.panel.recordings.inbox.glob("*/*.mp4")
    assert copy.stat().st_size == 2_000_000_000
    assert not copy.stat().st_mode & 0o111, "nobody can run it"
    click(page, "#queue .round")
    eventually(lambda: not copy.exists())


@pytest.fixture
def stranger(tmp_path):
    """A page of another origin of this machine: the same site for the browser, which is the harder case."""
    folder = tmp_path / "stranger"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><title>stranger</title>")
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def test_a_page_of_another_origin_reads_nothing(page, served, stranger):
    start(page)
    ours = f"127.0.0.1:{served.port}"
    page.new_tab()
    page.open(stranger)
    reading = (
        "fetch('http://OURS/PATH', {credentials: 'include', METHOD}).then((r) => 'got ' + r.type, (e) => 'refused')"
    )
    for path in ("", "styles/cartoon/picture", "assets/app.js", "languages/en"):
        script = reading.replace("OURS", ours).replace("PATH", path).replace(", METHOD", "")
        assert page.value(script) == "refused"
    script = reading.replace("OURS", ours).replace("PATH", "api/camera/stop")
    page.value(script.replace("METHOD", "method: 'POST', mode: 'no-cors', body: '{}'"))
    socket = (
        f"new Promise((done) => {{ const s = new WebSocket('ws://{ours}/live'); s.onmessage = () => done('told'); "
        "s.onclose = () => done('refused'); })"
    )
    assert page.value(socket) == "refused"
    image = (
        f"new Promise((done) => {{ const i = new Image(); i.src = 'http://{ours}/assets/icon.svg'; "
        "i.onload = () => done('shown'); i.onerror = () => done('refused'); })"
    )
    assert page.value(image) == "refused"
    assert served.panel.snapshot()["camera"]["phase"] == "running"


@needs_axe
@pytest.mark.parametrize("name", ["camera", "style", "recordings"])
def test_accessibility(page, name):
    start(page)
    go(page, name)
    assert violations(page) == []


@needs_axe
@pytest.mark.parametrize("button", ["#choose-here", "#quit", "#phone-open"])
def test_accessibility_of_dialogs(page, button):
    go(page, "camera" if button == "#phone-open" else "recordings")
    click(page, button)
    page.wait("!!document.querySelector('dialog[open]')")
    assert violations(page) == []


@needs_axe
def test_accessibility_of_the_player(page, tmp_path):
    go(page, "recordings")
    (tmp_path / "a.mp4").write_bytes(b"v")
    page.choose_files("#files", tmp_path / "a.mp4")
    click(page, "#queue .primary")
    page.wait("document.querySelector('#player').open")
    click(page, "#reveal")
    page.wait("!document.querySelector('#before').hidden")
    assert violations(page) == []


@needs_axe
@pytest.mark.usefixtures("doubtful")
def test_accessibility_of_the_review(browser):
    assert violations(browser) == []
    click(browser, "#queue .primary")
    browser.wait("document.querySelector('#review-picture').naturalWidth === 192")
    click(browser, "#review-add")
    browser.wait("document.querySelectorAll('#review-list li').length === 1")
    assert violations(browser) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_fits_every_width(page, language, served):
    """320 px is a desktop window of 1280 px at 400 %, and a small phone."""
    served.panel.actions["settings"]({"language": language})
    page.wait(f"document.documentElement.lang === {language!r}")
    assert page.value("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
    for width in (320, 640, 1000, 1360):
        page.send("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
        for name in ("camera", "style", "recordings"):
            go(page, name)
            over = page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert over <= 0, f"{language} {name} at {width} px is {over} px too wide"
    page.send("Emulation.setDeviceMetricsOverride", width=1280, height=800, deviceScaleFactor=1, mobile=False)
    page.value("document.documentElement.style.fontSize = '200%'")
    for name in ("camera", "style", "recordings"):
        go(page, name)
        over = page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, f"{language} {name} with letters twice as large is {over} px too wide"
    left = page.value("document.body.innerText.match(/(^|\\s)[a-z]+\\.[a-z_]+($|\\s)/g)")
    assert not left, f"texts without words: {left}"


REACHABLE = """[...document.querySelectorAll('a, button, input, select, summary, [tabindex]')].filter((one) =>
    one.tabIndex >= 0 && !one.disabled && one.checkVisibility({ checkVisibilityCSS: true })
    && !(one.type === 'radio' && !one.checked && document.querySelector(`input[name="${one.name}"]:checked`)))"""


@pytest.mark.parametrize("name", ["camera", "style", "recordings"])
def test_everything_can_be_reached_by_keyboard(page, name, served, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"v")
    served.panel.actions["recordings/add"]({"path": str(tmp_path / "a.mp4")})
    eventually(lambda: served.panel.recordings.snapshot()["items"][0]["status"] == "done")
    start(page)
    go(page, name)
    if name == "recordings":
        page.wait("!!document.querySelector('#queue .report')")
    page.value(f"{REACHABLE}.forEach((one, place) => {{ one.dataset.place = place; }}); document.activeElement.blur()")
    there = page.value(f"{REACHABLE}.length")
    assert there > 10
    reached = set()
    for _ in range(2 * there):
        page.key("Tab", windowsVirtualKeyCode=9)
        reached.add(page.value("document.activeElement.dataset.place"))
        outline = page.value(
            "(() => { const one = document.activeElement; const held = one.closest('label') ?? one; "
            "return [one, held].some((it) => getComputedStyle(it).outlineStyle !== 'none'); })()"
        )
        assert outline or page.value("document.activeElement === document.body"), "where the keyboard is can be seen"
    assert {str(place) for place in range(there)} <= reached


def test_names_that_turn_the_writing_are_shown_as_such(page, served, tmp_path):
    (tmp_path / "invoice\u202e4pm.exe.mp4").write_bytes(b"v")
    served.panel.actions["recordings/add"]({"path": str(tmp_path / "invoice\u202e4pm.exe.mp4")})
    go(page, "recordings")
    page.wait("document.querySelector('#queue h3')?.innerText === 'invoice\\uFFFD4pm.exe.mp4'")
    page.wait("document.querySelector('#queue .said').innerText.includes('invoice\\uFFFD4pm.exe-cartoon.mp4')")
