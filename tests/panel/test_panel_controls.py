"""Every control of the panel's page, pressed in a real browser."""

import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from browser_rig import Served, choose, click, go, open_page, start, text
from headless_browser import CHROMIUM
from panel_rig import eventually, losing_conversion, quick_conversion

from toonfilter.runtime.doctor.checks import Check
from toonfilter.runtime.errors import OutputError
from toonfilter.runtime.panel.checkup import Checkup
from toonfilter.runtime.panel.devices import system_name
from toonfilter.runtime.panel.languages import words
from toonfilter.runtime.panel.look_filter import StyleSampler
from toonfilter.runtime.panel.running import open_socket, running_address
from toonfilter.runtime.platform.platform_texts import platform_texts
from toonfilter.runtime.progress import Progress
from toonfilter.runtime.video.convert import ConvertReport

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH (Debian: apt install chromium)"),
]
WORDS = words("en")
CLIP = Path(__file__).resolve().parents[2] / "examples" / "astronaut.mp4"


def test_no_control_is_forgotten():
    page = files("toonfilter.runtime.panel").joinpath("static", "index.html").read_text(encoding="utf-8")
    controls = set(re.findall(r'<(?:button|input|select)\b[^>]*?\bid="([a-z-]+)"', page))
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py"))
    assert len(controls) > 25
    assert not {one for one in controls if f"#{one}" not in tests}


def items(served):
    return served.panel.recordings.snapshot()["items"]


def test_language_and_devices(page, served):
    choose(page, "#language", "fr")
    page.wait("document.documentElement.lang === 'fr'")
    choose(page, "#language", "en")
    page.wait("document.documentElement.lang === 'en'")
    choose(page, "#output", "none")
    start(page)
    assert served.panel.snapshot()["camera"]["choice"]["output"] == "none"
    choose(page, "#output", "")
    eventually(lambda: served.panel.snapshot()["camera"]["choice"]["output"] == "")
    choose(page, "#camera", "test")
    eventually(lambda: served.panel.snapshot()["camera"]["choice"]["camera"] == "test")
    page.wait("document.querySelector('#pill').dataset.state === 'protected'")


@pytest.mark.parametrize("tab", ["#call-zoom", "#call-teams", "#call-meet", "#call-other"])
def test_how_to_choose_it_in_calls(page, tab):
    click(page, tab)
    name = tab.removeprefix("#call-")
    steps = page.value("[...document.querySelectorAll('#howto li')].map((one) => one.innerText)")
    assert len(steps) == 3
    assert steps[0] == WORDS[f"call.{name}.1"]
    assert any("Toonfilter" in step or "OBS" in step for step in steps)


def test_this_computer_is_checked(browser, make_panel, monkeypatch):
    def examine():
        yield Check("system", "ok", "a system")
        yield Check("virtual camera", "fault", "none", "install one: sudo apt install it", "live")
        yield Check("a package", "fault", "not installed", "/opt/my/python -m pip install 'a[b]>=1'", "live")
        yield Check("cameras", "fault", "none", platform_texts().no_camera, "live")

    served = Served(make_panel(checkup=Checkup(examine)))
    monkeypatch.setattr("toonfilter.runtime.panel.shortcut.install", lambda: Path("entry"))
    try:
        open_page(browser, served.address)
        click(browser, "#check")
        browser.wait("document.querySelectorAll('#checks > li.fault').length === 3")
        commands = browser.value("[...document.querySelectorAll('#checks .command code')].map((one) => one.innerText)")
        assert commands == ["sudo apt install it", "/opt/my/python -m pip install 'a[b]>=1'"]
        advice = f"advice.{system_name()}.no_camera"
        choose(browser, "#language", "de")
        told = "document.querySelector('#checks > li:nth-child(3) .todo').innerText"
        browser.wait(f"{told} === {words('de')[advice].replace('`', '')!r}")
        choose(browser, "#language", "en")
        browser.wait("document.documentElement.lang === 'en'")
        assert browser.value("document.querySelector('#check-good').hidden")
        click(browser, "#shortcut")
        browser.wait(f"document.querySelector('#toast').innerText === {WORDS['shortcut.done']!r}")
    finally:
        served.stop()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what is missing is another thing there")
def test_what_is_missing_is_told_step_by_step(page):
    page.send("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    start(page)
    page.wait("document.querySelectorAll('#troubles ol.howto li').length === 2")
    commands = page.value("[...document.querySelectorAll('#troubles .command code')].map((one) => one.innerText)")
    assert commands == [
        "sudo apt install v4l2loopback-dkms",
        "sudo modprobe v4l2loopback exclusive_caps=1 card_label='Toonfilter'",
        "sudo mokutil --import /var/lib/dkms/mok.pub",
    ]
    assert text(page, "#troubles ol span") == "Install and load v4l2loopback:"
    assert text(page, "#step-choose p") == WORDS["first.choose.missing"]
    page.press("#troubles .command button")
    page.wait(f"document.querySelector('#spoken').textContent === {WORDS['copied']!r}")
    assert page.value("navigator.clipboard.readText()") == commands[0]


@pytest.mark.parametrize(
    ("measured", "kind"),
    [
        ({"is_connected": False}, "unplugged"),
        ({"latency_ms": 500}, "slow"),
        ({"camera_fps": 8.0}, "dark"),
        ({"latency_ms": 152}, "sound"),
    ],
)
def test_what_is_measured_is_shown_with_what_to_do(page, served, measured, kind):
    start(page)
    snapshot = served.panel.camera.snapshot
    steady = {"fps": 24.0, "camera_fps": 30.0, "latency_ms": 31, "faces": 2, "is_loaded": True, "virtual_trouble": None}
    served.panel.camera.snapshot = lambda: {**snapshot(), **steady}
    page.wait("document.querySelector('#troubles').hidden && document.querySelector('#fps').innerText === '24'")
    assert (text(page, "#latency"), text(page, "#faces")) == ("31 ms", "2")
    served.panel.camera.snapshot = lambda: {**snapshot(), **steady, **measured}
    page.wait(f"document.querySelector('#troubles h3')?.innerText === {WORDS[f'trouble.{kind}']!r}")
    assert text(page, "#troubles .todo") == WORDS[f"todo.{kind}"].replace("{n}", "150")


def test_a_change_of_style_is_told_and_waited_for(page, served):
    start(page)
    page.wait("document.querySelector('#stage-wait').hidden")
    snapshot = served.panel.camera.snapshot
    served.panel.camera.snapshot = lambda: {**snapshot(), "state": "covered", "why": "changing"}
    page.wait(f"document.querySelector('#why').innerText === {WORDS['why.changing']!r}")
    assert not page.value("document.querySelector('#stage-wait').hidden")
    assert text(page, "#wait-text") == WORDS["phase.starting"]


def test_a_phone_hides_by_touch(page, served):
    start(page)
    page.send("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
    page.send("Emulation.setTouchEmulationEnabled", enabled=True)
    page.wait("innerWidth === 390")
    page.tap("#hide")
    eventually(lambda: served.panel.snapshot()["camera"]["hidden"])
    page.tap("[data-page=recordings]")
    page.wait("!document.querySelector('#page-recordings').hidden")
    sizes = page.value(
        "[...document.querySelectorAll('button, select, label.switch')].map((one) => one.getBoundingClientRect())"
        ".filter((box) => box.width && (box.width < 40 || box.height < 40)).length"
    )
    assert sizes == 0, "everything is large enough for a finger"


@contextmanager
def sliders_built_anew(page):
    """Waits until the page was told the look that comes of what is done here; it sends all of the look it knows."""
    first = "document.querySelector('#sliders').firstElementChild"
    page.wait(f"!!{first}")
    page.value(f"{first}.dataset.before = 'yes'")
    yield
    page.wait(f"!{first}.dataset.before")


def test_styles_sliders_and_backgrounds(page, served, tmp_path):
    start(page)
    go(page, "style")
    with sliders_built_anew(page):
        click(page, "#styles input[value=comic]")
        eventually(lambda: served.panel.look.style == "comic")
    assert page.value("document.querySelectorAll('#sliders input[type=range]').length") == 5
    for name in ("likeness", "line", "shade", "colour", "softness"):
        before = served.panel.look.sliders.get(name)
        with sliders_built_anew(page):
            page.value(f"document.querySelector('#slider-{name}').focus()")
            page.key("ArrowUp", windowsVirtualKeyCode=38)
            eventually(lambda name=name, before=before: served.panel.look.sliders.get(name, before) != before)
    page.wait("!!document.getElementById(document.querySelector('#slider-likeness').getAttribute('aria-describedby'))")
    told = "document.querySelector('#known').textContent"
    before = page.value(told)
    with sliders_built_anew(page):
        slide(page, "#slider-likeness", 1)
        page.wait(f"{told} !== {before!r}")
    for background in ("blur", "keep", "drawn"):
        click(page, f"#choices input[value={background}]")
        eventually(lambda background=background: served.panel.look.background == background)
    click(page, "#choices input[value=colour]")
    eventually(lambda: served.panel.look.background.startswith("#"))
    click(page, ".swatches label:nth-child(3) input")
    eventually(lambda: served.panel.look.background == "#cfe3d8")
    cv2.imwrite(str(tmp_path / "beach.png"), np.full((30, 40, 3), 200, np.uint8))
    page.choose_files("#background", tmp_path / "beach.png")
    eventually(lambda: served.panel.look.background.endswith(".png"))
    page.wait("!!document.querySelector('[data-key=background-choose]')")
    before = served.panel.look.background
    click(page, "#undo")
    eventually(lambda: served.panel.look.background != before)
    click(page, "#reset")
    eventually(lambda: served.panel.look.background == "drawn")


def test_the_own_face_in_each_style(page, served, monkeypatch):
    start(page)
    go(page, "style")
    asked = []
    served.panel.camera.sampler.ask = asked.append
    click(page, "#sample")
    eventually(lambda: asked)
    assert [look.style for look in asked[0]] == ["cartoon", "anime", "comic", "sketch"]
    _, drawn = cv2.imencode(".jpg", np.full((32, 32, 3), 40, np.uint8))
    monkeypatch.setattr(StyleSampler, "rounds", {look.style: 1 for look in asked[0]})
    monkeypatch.setattr(StyleSampler, "picture", lambda *_: drawn.tobytes())
    page.wait("[...document.querySelectorAll('#styles img')].filter((one) => one.naturalWidth === 32).length === 4")
    page.value("document.querySelector('#styles img').dataset.kept = 'yes'")
    asked.clear()
    eventually(lambda: asked)
    monkeypatch.setattr(StyleSampler, "rounds", {look.style: 2 for look in asked[0]})
    page.wait("document.querySelector('#styles img').src.endsWith('round=2')")
    assert page.value("document.querySelector('#styles img').dataset.kept") == "yes", "the cards stay, only faces move"
    click(page, "#preset-form button")
    assert not served.panel.snapshot()["presets"], "a look without a name is not kept"
    page.value("document.querySelector('#preset-name').value = 'Lecture'")
    click(page, "#preset-form button")
    eventually(lambda: served.panel.snapshot()["presets"] == ["Lecture"])


@pytest.fixture
def gated(browser, make_panel):
    """The recordings page; conversions tell how far they are and wait until the gate opens."""
    gate, tries = threading.Event(), []

    def run(recording, is_resuming, progress, stop):
        tries.append(is_resuming)
        while not gate.wait(0.02):
            progress(Progress(30, 100, "frames", 10.0, 7.0, 30))
            if stop.is_set():
                return ConvertReport("interrupted", Path(recording.target), 30, {}, 5.0, 0.1, "libx264", ())
        if recording.name == "bad.mp4" and len(tries) == 1:
            raise ValueError("no video track")
        return quick_conversion(recording, is_resuming, progress, stop)

    opened = Served(make_panel(run=run))
    open_page(browser, opened.address)
    go(browser, "recordings")
    yield SimpleNamespace(served=opened, gate=gate, tries=tries)
    opened.stop()


def test_progress_pause_and_going_on(gated, browser, tmp_path):
    (tmp_path / "lecture.mp4").write_bytes(b"v")
    browser.choose_files("#files", tmp_path / "lecture.mp4")
    browser.wait(
        "document.querySelector('#queue .said')?.innerText.includes('30 %, 10 pictures per second. About 7 s left.')"
    )
    assert browser.value("document.querySelector('#queue progress').value") == pytest.approx(0.3)
    click(browser, "#pause")
    browser.wait(f"document.querySelector('#queue .said').innerText === {WORDS['status.paused']!r}")
    gated.gate.set()
    click(browser, "#pause")
    browser.wait("!!document.querySelector('#queue .report')")
    assert gated.tries == [False, True], "it went on with what was there"
    assert "none" in text(browser, "#queue .report")


def test_what_becomes_of_the_sound(gated, browser):
    for sound in ("disguise", "drop", "keep"):
        click(browser, f"#sound input[value={sound}]")
        eventually(lambda sound=sound: gated.served.panel.snapshot()["sound"] == sound)
        browser.wait(f"document.querySelector('#sound .hint').innerText === {WORDS[f'sound.{sound}.hint']!r}")


def test_what_the_program_refuses_is_told(gated, browser):
    choose(browser, "#language", "de")
    browser.wait("document.documentElement.lang === 'de'")
    gated.served.panel.recordings.pause = refuse
    browser.choose_files("#files", CLIP)
    click(browser, "#pause")
    browser.wait(f"document.querySelector('#lost strong').innerText === {words('de')['problem']!r}")
    assert text(browser, "#lost span") == "no room on this disk"
    assert browser.value("document.querySelector('#lost span').lang") == "en"


def refuse(_is_paused):
    raise OutputError("no room on this disk")


def test_a_failure_is_shown_tried_again_and_its_folder_opened(gated, browser, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("typer.launch", lambda path, locate: opened.append((Path(path).name, locate)))
    gated.gate.set()
    (tmp_path / "bad.mp4").write_bytes(b"v")
    browser.choose_files("#files", tmp_path / "bad.mp4")
    browser.wait("document.querySelector('#queue details p')?.textContent.includes('no video track')")
    click(browser, "#queue .primary")
    browser.wait("!!document.querySelector('#queue .report')")
    click(browser, "#queue .plain")
    eventually(lambda: opened == [("bad-cartoon.mp4", True)])


def test_folders_are_chosen_and_dropped(gated, browser, tmp_path):
    gated.gate.set()
    folder = tmp_path / "lectures" / "monday"
    folder.mkdir(parents=True)
    for name in ("a.mp4", "b.mkv", "notes.txt", ".hidden.mp4"):
        (folder / name).write_bytes(b"v")
    browser.value("document.querySelector('#folder').click = () => { window.asked = true; }")
    click(browser, "#choose-folder")
    browser.wait("window.asked")
    browser.choose_files("#folder", tmp_path / "lectures")
    eventually(lambda: sorted(one["name"] for one in items(gated.served)) == ["a.mp4", "b.mkv"])
    place = {"x": 600, "y": 250, "data": {"items": [], "files": [str(folder.parent)], "dragOperationsMask": 1}}
    for kind in ("dragEnter", "dragOver"):
        browser.send("Input.dispatchDragEvent", type=kind, **place)
    browser.wait("document.querySelector('#drop').classList.contains('is-over')")
    browser.send("Input.dispatchDragEvent", type="drop", **place)
    eventually(lambda: len(items(gated.served)) == 4)


def test_files_of_this_machine_are_chosen_without_a_copy(gated, browser, tmp_path, monkeypatch):
    gated.gate.set()
    folder = tmp_path / "archive"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (folder / name).write_bytes(b"v")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    browser.value("document.querySelector('#files').click = () => { window.asked = true; }")
    click(browser, "#choose-files")
    browser.wait("window.asked")
    click(browser, "#choose-here")
    browser.wait("document.querySelector('#browse').open")
    browser.value(
        "[...document.querySelectorAll('#entries button')].find((one) => one.innerText === 'archive').click()"
    )
    browser.wait("document.querySelector('#browse-path').innerText.endsWith('archive')")
    browser.value(
        "[...document.querySelectorAll('#entries button')].find((one) => one.innerText.includes('a.mp4')).click()"
    )
    browser.wait("!document.querySelector('#browse').open")
    eventually(lambda: [one["name"] for one in items(gated.served)] == ["a.mp4"])
    click(browser, "#choose-here")
    browser.wait("document.querySelector('#browse').open")
    browser.value(
        "[...document.querySelectorAll('#entries button')].find((one) => one.innerText === 'archive').click()"
    )
    browser.wait("document.querySelector('#browse-path').innerText.endsWith('archive')")
    click(browser, "#browse-all")
    eventually(lambda: sorted(one["name"] for one in items(gated.served)) == ["a.mp4", "a.mp4", "b.mp4"])
    assert not gated.served.panel.recordings.inbox.exists() or not list(gated.served.panel.recordings.inbox.iterdir())
    for left in (2, 1, 0):
        click(browser, "#queue .round")
        browser.wait(f"document.querySelectorAll('#queue .item').length === {left}")
    eventually(lambda: items(gated.served) == [])
    assert sorted(path.name for path in folder.iterdir()) == ["a.mp4", "b.mp4"], "the person's own files stay"


def slide(browser, selector, value):
    slider = f"document.querySelector({selector!r})"
    browser.value(f"{slider}.value = {value}; {slider}.dispatchEvent(new Event('input'))")


def test_before_and_after_are_compared(browser, make_panel, tmp_path, write_noise_clip):
    write_noise_clip(tmp_path / "noise.mp4", (192, 128), 90, {})
    served = Served(make_panel(run=losing_conversion))
    try:
        open_page(browser, served.address)
        go(browser, "recordings")
        browser.choose_files("#files", tmp_path / "noise.mp4")
        browser.wait(f"document.querySelector('#queue .primary')?.innerText === {WORDS['queue.look']!r}")
        click(browser, "#queue .primary")
        browser.wait("document.querySelector('#after').videoWidth === 192")
        assert browser.value("document.querySelector('#before').hidden")
        click(browser, "#reveal")
        browser.wait("document.querySelector('#before').videoWidth === 192")
        browser.press("#play")
        browser.wait("document.querySelector('#after').currentTime > 0.2")
        browser.press("#play")
        browser.wait("document.querySelector('#after').paused")
        slide(browser, "#seek", 0.5)
        browser.wait("Math.abs(document.querySelector('#after').currentTime - 1.5) < 0.2")
        browser.wait("Math.abs(document.querySelector('#before').currentTime - 1.5) < 0.3")
        slide(browser, "#split", 20)
        assert browser.value("document.querySelector('#compare').style.getPropertyValue('--split')") == "20%"
        browser.drag("#compare", (0.2, 0.3), (0.7, 0.5))
        split = "parseFloat(document.querySelector('#compare').style.getPropertyValue('--split'))"
        assert browser.value(split) == pytest.approx(70, abs=1)
        assert float(browser.value("document.querySelector('#split').value")) == pytest.approx(70, abs=1)
        click(browser, "#player [data-close]")
        browser.wait("!document.querySelector('#player').open && !document.querySelector('#before').src")
    finally:
        served.stop()


class Program:
    """`toonfilter app` as people start it, on a port that stays the same."""

    def __init__(self, home: Path, port: int) -> None:
        words = ["app", "--no-browser", "--port", str(port), "--camera", str(CLIP)]
        environment = {**os.environ, "TOONFILTER_HOME": str(home)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "toonfilter.cli", *words], env=environment, stdout=subprocess.DEVNULL
        )
        self.address = eventually(lambda: running_address(home / "panel"))

    def end(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.wait(120)


@pytest.fixture
def free_port():
    listening = open_socket(0)
    port = listening.getsockname()[1]
    listening.close()
    return port


@pytest.mark.skipif(os.name == "nt", reason="ends the program by a signal")
def test_a_program_that_is_killed_claims_nothing_and_comes_back(browser, tmp_path, free_port):
    program = Program(tmp_path, free_port)
    try:
        open_page(browser, program.address)
        start(browser)
        program.end(signal.SIGKILL)
        browser.wait("!document.querySelector('#lost').hidden")
        assert browser.value("document.querySelector('#pill').dataset.state") == "off", "nothing is claimed without it"
        program = Program(tmp_path, free_port)
        old = browser.new_tab()
        open_page(browser, program.address)
        start(browser)
        browser.turn_to(old)
        browser.wait("document.querySelector('#lost').hidden")
        browser.wait("document.querySelector('#pill').dataset.state === 'protected'")
    finally:
        program.end(signal.SIGTERM)
