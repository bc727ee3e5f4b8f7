"""The command: one panel at a time, an entry in the start menu, a real server that ends in order."""

import http.client
import json
import os
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from panel_rig import eventually

from toonfilter.runtime.doctor.checks import Check
from toonfilter.runtime.errors import ConfigError, OutputError
from toonfilter.runtime.panel import shortcut
from toonfilter.runtime.panel.checkup import Checkup
from toonfilter.runtime.panel.running import announce, open_socket, running_address, withdraw
from toonfilter.runtime.panel.server import PanelServer


def test_the_server_listens_on_this_machine_alone_and_ends(panel, monkeypatch):
    monkeypatch.setattr("toonfilter.runtime.panel.local_page.END_S", 120)
    listening = open_socket(0)
    assert listening.getsockname()[0] == "127.0.0.1"
    port = listening.getsockname()[1]
    server = PanelServer(panel, listening, "key")
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("GET", "/?token=key")
        answer = connection.getresponse()
        assert answer.status == 303
        assert answer.getheader("server") is None
        connection.close()
    finally:
        server.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "local-page"]


def test_a_taken_port_is_told(tmp_path):
    with open_socket(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OutputError, match=f"port {port} cannot be used"):
            open_socket(port)
        announce(tmp_path, port, "key")
        assert running_address(tmp_path) == f"http://127.0.0.1:{port}/?token=key"
    assert running_address(tmp_path) is None, "nobody listens any more"


def test_a_note_of_an_earlier_run_is_not_believed(tmp_path):
    assert running_address(tmp_path) is None
    with open_socket(0) as listening:
        announce(tmp_path, listening.getsockname()[1], "key")
        path = tmp_path / "running.json"
        assert path.stat().st_mode & 0o077 == 0 or sys.platform == "win32"
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "started_s": content["started_s"] - 1000}))
        assert running_address(tmp_path) is None
        path.write_text("{")
        assert running_address(tmp_path) is None
    withdraw(tmp_path)
    withdraw(tmp_path)


def test_start_menu_on_linux(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(shortcut, "start_command", lambda: ["/opt/my $tools/python", "-m", "toonfilter.cli", "app"])
    entry = shortcut.install("linux", tmp_path)
    lines = entry.read_text().splitlines()
    assert lines[0] == "[Desktop Entry]"
    assert 'Exec="/opt/my \\\\$tools/python" "-m" "toonfilter.cli" "app"' in lines
    assert (tmp_path / ".local/share/icons/hicolor/scalable/apps/toonfilter.svg").read_text().startswith("<svg")


def test_start_menu_on_macos_and_elsewhere(tmp_path):
    bundle = shortcut.install("darwin", tmp_path)
    program = bundle / "Contents" / "MacOS" / "Toonfilter"
    assert program.stat().st_mode & 0o100
    assert program.read_text().startswith("#!/bin/sh\nexec ")
    with pytest.raises(ConfigError, match="no start menu is known"):
        shortcut.install("plan9", tmp_path)


def test_the_link_of_windows_quotes_its_words():
    script = shortcut.link_script(Path("C:/Users/O'Neil/Toonfilter.lnk"), Path("C:/Python/python.exe"))
    assert "O''Neil" in script
    assert "'-m toonfilter.cli app'" in script


def test_the_page_runs_the_doctors_checks(make_panel):
    gate = threading.Event()

    def examine():
        yield Check("system", "ok", "a system")
        assert gate.wait(120)
        yield Check("virtual camera", "fault", "none", "install one", "live")

    panel = make_panel(checkup=Checkup(examine))
    panel.actions["check"]({})
    eventually(lambda: len(panel.snapshot()["checkup"]["found"]) == 1)
    with pytest.raises(ConfigError, match="being checked"):
        panel.actions["camera/start"]({"camera": "test"})
    gate.set()
    eventually(lambda: not panel.snapshot()["checkup"]["running"])
    assert panel.snapshot()["checkup"]["found"][1]["advice"] == "install one"
    panel.actions["camera/start"]({"camera": "test", "output": "none"})
    with pytest.raises(ConfigError, match="the camera is on"):
        panel.actions["check"]({})


@pytest.mark.slow
def test_the_command_serves_until_it_is_stopped(tmp_path):
    environment = {"TOONFILTER_HOME": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "toonfilter.cli", "app", "--no-browser", "--camera", "test"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert "http://127.0.0.1:" in line
        eventually(lambda: running_address(tmp_path / "panel"))
        again = subprocess.run(
            [sys.executable, "-m", "toonfilter.cli", "app", "--no-browser"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "runs already" in again.stdout
    finally:
        process.terminate()
        assert process.wait(120) == 0
        process.stdout.close()
    assert not (tmp_path / "panel" / "running.json").exists()


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the entry of a Linux desktop")
def test_the_entry_in_the_start_menu_starts_the_page(tmp_path):
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data"), "TOONFILTER_HOME": str(tmp_path)}
    # A desktop starts it from anywhere, and nobody's browser is opened here.
    environment["BROWSER"] = environment["PATH"] = str(tmp_path / "nowhere")
    told = subprocess.run(
        [sys.executable, "-m", "toonfilter.cli", "app", "--install-shortcut"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    entry = tmp_path / "data" / "applications" / "toonfilter.desktop"
    assert str(entry) in told.stdout
    lines = dict(line.split("=", 1) for line in entry.read_text().splitlines() if "=" in line)
    process = subprocess.Popen(shlex.split(lines["Exec"]), env=environment, stdout=subprocess.DEVNULL, cwd=tmp_path)
    try:
        eventually(lambda: running_address(tmp_path / "panel"))
    finally:
        process.terminate()
        assert process.wait(120) == 0
