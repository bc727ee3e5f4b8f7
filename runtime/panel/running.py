"""One panel at a time: a second start finds the first one's page instead of a second camera."""

import json
import os
import socket
from pathlib import Path

from toonfilter.runtime.errors import OutputError
from toonfilter.runtime.panel.access import HOST
from toonfilter.runtime.panel.store import write_json

USUAL_PORT = 7847
"""Of the page, where nothing else is asked for."""
_FILE = "running.json"
_SAME_START_S = 2.0
"""How far two clocks may be apart over when a process began. Raising it takes another process for the page."""


def open_socket(port: int | None) -> socket.socket:
    """A socket on this machine's own address; another free port where the usual one is taken.

    Raises:
        OutputError: the asked port is taken.
    """
    try:
        return socket.create_server((HOST, USUAL_PORT if port is None else port))
    except OSError as error:
        if port is None:
            return socket.create_server((HOST, 0))
        raise OutputError(f"port {port} cannot be used ({error.strerror}); choose another with --port") from error


def page_address(port: int, token: str) -> str:
    """What the browser opens, with the key of the run."""
    return f"http://{HOST}:{port}/?token={token}"


def announce(folder: Path, port: int, token: str) -> None:
    """Note that this process serves the panel; only this user can read it."""
    content = {"process": os.getpid(), "started_s": _started_s(os.getpid()), "port": port, "token": token}
    write_json(folder / _FILE, content)


def withdraw(folder: Path) -> None:
    """The panel has ended."""
    (folder / _FILE).unlink(missing_ok=True)


def running_address(folder: Path) -> str | None:
    """The page of a panel that runs already."""
    try:
        content = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        started_s = _started_s(int(content["process"]))
        if started_s is None or abs(started_s - float(content["started_s"])) > _SAME_START_S:
            return None
        address = page_address(int(content["port"]), str(content["token"]))
        with socket.create_connection((HOST, int(content["port"])), timeout=1.0):
            return address
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _started_s(process: int) -> float | None:
    import psutil

    try:
        return float(psutil.Process(process).create_time())
    except psutil.Error:
        return None
