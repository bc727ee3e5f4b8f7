"""The panel's page in a headless browser: opening it, pressing what is on it."""

from toonfilter.runtime.panel.running import open_socket, page_address
from toonfilter.runtime.panel.server import PanelServer

TOKEN = "key"


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
