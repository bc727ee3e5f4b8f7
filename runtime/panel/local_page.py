"""What every local page of this program is served with: one server, bounded requests, files of its own."""

import json
import threading
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from socket import socket
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from toonfilter.runtime.errors import OutputError, ToonfilterError

_LENGTH_DIGITS = 15
"""Of a length that a browser tells; longer ones are refused."""
END_S = 5
"""How long open answers may take when the page ends. Raising it ends later."""
_MOST_MESSAGE_BYTES = 65_536
"""Of a message from a tab. Raising it lets a tab fill more memory."""
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}

Action = Callable[[dict[str, Any]], Mapping[str, Any] | Response | None]
"""What a page may ask for, by the JSON object that it sends; called from any thread. Answered with JSON, None with an
empty object, or with the response as it is."""


class RefusedError(Exception):
    """A request that is not answered; carries what is sent instead."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.response = refused(text, status)


def as_json(content: Any, status: int = 200) -> Response:
    """Content as JSON of ASCII: names of files may hold bytes that are no text."""
    return Response(json.dumps(content), status, media_type="application/json")


def refused(text: str, status: int) -> Response:
    """An error that the page shows."""
    return as_json({"error": text}, status)


def told_length(request: Request) -> int | None:
    """The length of the body that the request tells; None where it tells none, or none that is one."""
    length = request.headers.get("content-length", "")
    is_one = length.isascii() and length.isdigit() and len(length) <= _LENGTH_DIGITS
    return int(length) if is_one and "transfer-encoding" not in request.headers else None


async def read_object(request: Request, most_bytes: int) -> dict[str, Any]:
    """The JSON object that a request holds.

    Raises:
        RefusedError: it tells no length, is too long, or holds something else.
    """
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        raise RefusedError("must be application/json", 415)
    length = told_length(request)
    if length is None or length > most_bytes:
        raise RefusedError(f"must have a length of at most {most_bytes} bytes", 413 if length else 411)
    try:
        asked = json.loads(await request.body())
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise RefusedError("must be a JSON object", 400)
    return asked


async def answer_action(
    request: Request, actions: Mapping[str, Action], *, most_bytes: int, status_of_errors: int
) -> Response:
    """What the action says that the path's `action` names. status_of_errors: of answers that say why it failed."""
    action = actions.get(request.path_params["action"])
    if action is None:
        return refused("there is no such action", 404)
    try:
        reply = await run_in_threadpool(action, await read_object(request, most_bytes))
    except RefusedError as error:
        return error.response
    except ToonfilterError as error:
        return refused(str(error), status_of_errors)
    return reply if isinstance(reply, Response) else as_json(reply or {})


class PageFiles:
    """The files that a page is made of, read once; `index.html` is the page. folder: of the package."""

    def __init__(self, package: str, folder: str) -> None:
        self._files = {
            entry.name: (entry.read_bytes(), _KINDS[Path(entry.name).suffix])
            for entry in files(package).joinpath(folder).iterdir()
            if Path(entry.name).suffix in _KINDS
        }

    async def answer(self, request: Request) -> Response:
        """The file that the path's `name` names, the page without one."""
        content, kind = self._files.get(request.path_params.get("name", "index.html"), (b"", ""))
        if not kind:
            return refused("there is no such page", 404)
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})


class LocalServer:
    """Serves an application from a thread until `close`."""

    def __init__(self, app: Starlette, listening: socket) -> None:
        """listening: from `open_socket`; is closed at the end.

        Raises:
            OutputError: it does not start.
        """
        self._socket = listening
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            ws="websockets-sansio",
            ws_max_size=_MOST_MESSAGE_BYTES,
            timeout_graceful_shutdown=END_S,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="local-page", daemon=True)
        self._error: BaseException | None = None
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.02)
            if not self._thread.is_alive():
                raise OutputError(f"the page cannot be served ({self._error})")

    def close(self) -> None:
        """Say goodbye to the tabs and end."""
        self._server.should_exit = True
        self._thread.join(END_S + 5)
        self._socket.close()

    def _serve(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except BaseException as error:
            self._error = error
