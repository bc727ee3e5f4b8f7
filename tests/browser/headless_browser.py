"""A headless Chromium, driven through its debugging pipe."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1200,900 --remote-debugging-pipe"
)
DEADLINE_S = 120


class Browser:
    """One page of a headless Chromium."""

    def __init__(self, profile: Path) -> None:
        to_browser, self._to = os.pipe()
        self._from, from_browser = os.pipe()
        # Chromium reads commands from descriptor 3 and writes replies to 4.
        script = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", CHROMIUM, *FLAGS.split(), f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._count, self._session = b"", 0, None
        self._newest = ""
        targets = self.send("Target.getTargets")["targetInfos"]
        page = next(target for target in targets if target["type"] == "page")
        attached = self.send("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        self.send("Page.enable")

    def new_tab(self, *, knows_nothing: bool = False) -> str:
        """Open another page and turn to it; the session of the one before, for `turn_to`.

        knows_nothing: as a browser on another device, without cookies.
        """
        before, self._session = self._session, None
        more = (
            {"browserContextId": self.send("Target.createBrowserContext")["browserContextId"]} if knows_nothing else {}
        )
        self._newest = target = self.send("Target.createTarget", url="about:blank", **more)["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Page.enable")
        return before

    def close_tab(self, session: str) -> None:
        """Close the page that was opened last, and turn to another."""
        self._session = None
        self.send("Target.closeTarget", targetId=self._newest)
        self._session = session

    def turn_to(self, session: str) -> str:
        """Talk to another page from now on; the session of the one before."""
        before, self._session = self._session, session
        return before

    def open(self, address: str) -> None:
        """Go to an address and wait until the page is there."""
        self.send("Page.navigate", url=address)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def choose_files(self, selector: str, *paths: Path) -> None:
        """As if the person had chosen these files in an input."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def send(self, method: str, **parameters: object) -> dict:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            reply = self._receive()
            if reply.get("id") == self._count:
                assert "error" not in reply, reply
                return reply["result"]

    def _receive(self) -> dict:
        while b"\0" not in self._buffer:
            chunk = os.read(self._from, 1 << 16)
            assert chunk, "the browser ended"
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(line)

    def value(self, expression: str) -> object:
        reply = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in reply, reply["exceptionDetails"]
        return reply["result"].get("value")

    def wait(self, expression: str) -> object:
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until:
            if value := self.value(expression):
                return value
            time.sleep(0.02)
        raise AssertionError(f"never true: {expression}; page: {self.value('document.body.innerText')}")

    def key(self, key: str, **more: object) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
            self.send("Input.dispatchKeyEvent", type=kind, key=key, **text, **more)

    def tap(self, selector: str) -> None:
        box = json.loads(self.value(f"JSON.stringify(document.querySelector({selector!r}).getBoundingClientRect())"))
        point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        self.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[point])
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def drag(self, selector: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse at a place of an element and let go at another; in parts of its width and height."""
        box = json.loads(self.value(f"JSON.stringify(document.querySelector({selector!r}).getBoundingClientRect())"))
        places = {"mousePressed": start, "mouseMoved": end, "mouseReleased": end}
        for kind, (x, y) in places.items():
            point = {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
            self.send("Input.dispatchMouseEvent", type=kind, button="left", buttons=1, clickCount=1, **point)

    def press(self, selector: str) -> None:
        """A click of the mouse in the middle of an element: what browsers take for the person's own wish."""
        self.drag(selector, (0.5, 0.5), (0.5, 0.5))

    def close(self) -> None:
        self._session = None
        self.send("Browser.close")
        self._process.wait(DEADLINE_S)
        os.close(self._to)
        os.close(self._from)
