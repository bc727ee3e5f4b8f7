"""The panel's page in a headless browser: opening it, pressing what is on it."""

import json
import os
from pathlib import Path

import pytest

from toonfilter.runtime.panel.running import open_socket, page_address
from toonfilter.runtime.panel.server import PanelServer

TOKEN = "key"
ROOT = Path(__file__).resolve().parents[2]
AXE = next(
    (
        path
        for path in (Path(os.environ.get("AXE_CORE", "")), ROOT / "node_modules" / "axe-core" / "axe.min.js")
        if path.is_file()
    ),
    None,
)
needs_axe = pytest.mark.skipif(AXE is None, reason="no axe-core (npm install --no-save axe-core)")


class Served:
    """A panel on a port of its own, which can be ended and started again."""

    def __init__(self, panel):
        self.panel = panel
        self.port = 0
        self.start()

    @property
    def address(self):
        return page_address(self.port, TOKEN)

    def start(self):
        listening = open_socket(self.port)
        self.port = listening.getsockname()[1]
        self.server = PanelServer(self.panel, listening, TOKEN)

    def stop(self):
        self.server.close()


def open_page(browser, address):
    """Open the camera page, and wait until the state of the panel is in it."""
    browser.open(address)
    browser.wait("document.querySelector('#camera').options.length > 0")


def click(page, selector):
    page.wait(f"!!document.querySelector({selector!r}) && !document.querySelector({selector!r}).disabled")
    page.value(f"document.querySelector({selector!r}).click()")


def choose(page, selector, value):
    """Choose an entry of a list, as its change would be told."""
    page.wait(f"[...document.querySelector({selector!r}).options].some((one) => one.value === {value!r})")
    page.value(
        f"(() => {{ const list = document.querySelector({selector!r}); list.value = {value!r}; "
        "list.dispatchEvent(new Event('change')); })()"
    )


def start(page):
    click(page, "#start")
    page.wait("document.querySelector('#pill').dataset.state === 'protected'")


def text(page, selector):
    return page.value(f"document.querySelector({selector!r}).innerText")


def go(page, name):
    click(page, f"[data-page={name}]")
    page.wait(f"document.querySelector('[data-page={name}]').getAttribute('aria-current') === 'page'")


def violations(page):
    """What axe finds in the page as it is, by day and by night."""
    page.value(AXE.read_text(encoding="utf-8") + "; true")
    found = []
    for scheme in ("light", "dark"):
        page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        # Colours fade from one scheme to the other; what turns for ever is no fading.
        page.wait(
            "document.getAnimations().every((one) => one.effect.getComputedTiming().endTime === Infinity"
            " || one.playState !== 'running')"
        )
        rules = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']}"
        told = "r.violations.map((v) => [v.id, v.nodes.map((n) => n.html)])"
        found += json.loads(page.value(f"axe.run(document, {rules}).then((r) => JSON.stringify({told}))"))
    return found
