"""A panel whose camera, virtual camera and filter are stand-ins; page, server and access are the real ones."""

import threading
from types import SimpleNamespace

import pytest
from browser_rig import Served, open_page
from headless_browser import Browser
from panel_rig import FlatCamera, FlatFilter, client_of, no_virtual, quick_conversion

from toonfilter.runtime.panel.camera import CameraParts
from toonfilter.runtime.panel.panel import Panel, PanelOptions
from toonfilter.runtime.panel.recordings import RecordingQueue


@pytest.fixture
def make_panel(tmp_path, monkeypatch):
    """Makes panels of one user, one after the other; parts: other stand-ins by name. They are closed at the end."""
    for module in ("camera", "recordings", "checkup"):
        monkeypatch.setattr(f"toonfilter.runtime.panel.{module}._END_S", 120)
    made = []

    def make(run=quick_conversion, camera="test", checkup=None, **parts):
        chosen = {
            "open_camera": lambda request, avoid: FlatCamera(),  # noqa: ARG005
            "open_virtual": no_virtual,
            "open_filter": FlatFilter,
            **parts,
        }
        holder = SimpleNamespace(panel=None)
        queue = RecordingQueue(
            tmp_path / "home", tmp_path / "videos", lambda: holder.panel is not None and holder.panel.camera.is_on, run
        )
        panel = Panel(
            PanelOptions(tmp_path / "home", tmp_path / "videos", camera),
            parts=CameraParts(**chosen),
            queue=queue,
            checkup=checkup,
        )
        holder.panel = panel
        made.append(panel)
        return panel

    yield make
    for panel in made:
        panel.close()
    assert not [thread for thread in threading.enumerate() if thread.name in ("panel-camera", "panel-recordings")]


@pytest.fixture
def panel(make_panel):
    return make_panel()


@pytest.fixture
def client(panel):
    with client_of(panel) as opened:
        yield opened


@pytest.fixture
def served(panel):
    opened = Served(panel)
    yield opened
    opened.stop()


@pytest.fixture
def browser(tmp_path):
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.close()


@pytest.fixture
def page(browser, served):
    """The camera page, with the state of the panel in it."""
    open_page(browser, served.address)
    return browser
