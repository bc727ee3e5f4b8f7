"""The panel's page and what it asks for, over HTTP and one WebSocket for each tab, on 127.0.0.1 alone."""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from socket import socket
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from toonfilter.runtime.errors import ToonfilterError
from toonfilter.runtime.panel.access import LocalAccess, OneTimeKeys
from toonfilter.runtime.panel.languages import LANGUAGES, words
from toonfilter.runtime.panel.local_page import (
    LocalServer,
    PageFiles,
    answer_action,
    as_json,
    refused,
    told_length,
)
from toonfilter.runtime.panel.panel import Panel
from toonfilter.runtime.panel.phone import invite
from toonfilter.runtime.panel.uploads import Inbox, TooLargeError, UploadLimits

_MOST_REQUEST_BYTES = 65_536
"""Of a question by the page. Raising it lets a tab fill more memory."""
_MOST_PICTURE_BYTES = 30_000_000
"""Of a background; the same."""
_STATE_EVERY_S = 0.1
"""Between two states that a tab gets. Raising it shows changes later."""
_FRAME_WAIT_S = 1.0
"""How long an answer waits for a newer picture. Raising it holds connections longer."""
_PLAYED = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
}


def build_app(panel: Panel, *, port: int, token: str | None, limits: UploadLimits | None = None) -> Starlette:
    """The ASGI application. port: where it will be served. token: the key of this run."""
    page = _Page(panel, Inbox(panel.recordings.inbox, limits))
    keys = OneTimeKeys()

    async def phone(request: Request) -> Response:  # noqa: ARG001
        return as_json(asdict(invite(port, keys)))

    return Starlette(
        routes=[
            Route("/", page.asset),
            Route("/assets/{name}", page.asset),
            Route("/languages/{code}", page.language),
            Route("/styles/{style}/picture", page.thumbnail),
            Route("/recordings/{recording_id}/doubts/{place:int}", page.doubt),
            Route("/recordings/{recording_id}/{which}", page.recording),
            Route("/upload", page.upload, methods=["PUT"]),
            Route("/background", page.background, methods=["PUT"]),
            Route("/api/phone", phone, methods=["POST"]),
            Route("/api/{action:path}", page.act, methods=["POST"]),
            WebSocketRoute("/live", page.live),
        ],
        middleware=[Middleware(LocalAccess, port=port, token=token, keys=keys)],
    )


class _Page:
    def __init__(self, panel: Panel, inbox: Inbox) -> None:
        self._panel, self._inbox = panel, inbox
        self._files = PageFiles("toonfilter.runtime.panel", "static")

    async def asset(self, request: Request) -> Response:
        return await self._files.answer(request)

    async def language(self, request: Request) -> Response:
        code = request.path_params["code"]
        return as_json(words(code)) if code in LANGUAGES else refused("there is no such language", 404)

    async def thumbnail(self, request: Request) -> Response:
        picture = self._panel.camera.sampler.picture(request.path_params["style"])
        return refused("no picture yet", 404) if picture is None else Response(picture, media_type="image/jpeg")

    async def recording(self, request: Request) -> Response:
        which = request.path_params["which"]
        if which not in ("before", "after"):
            return refused("there is no such file", 404)
        path = self._panel.recordings.file(request.path_params["recording_id"], which)
        if path is None:
            return refused("there is no such file", 404)
        kind = _PLAYED.get(path.suffix.lower(), "video/mp4")
        return FileResponse(path, media_type=kind, content_disposition_type="inline")

    async def doubt(self, request: Request) -> Response:
        """A picture of a doubtful frame, as it would be in the result."""
        path = self._panel.recordings.doubt_picture(request.path_params["recording_id"], request.path_params["place"])
        return refused("there is no such picture", 404) if path is None else FileResponse(path)

    async def upload(self, request: Request) -> Response:
        length = told_length(request)
        if length is None:
            return refused("the length of the file must be told", 411)
        try:
            path = await self._inbox.take(request.query_params.get("name", ""), length, request.stream())
            await run_in_threadpool(self._panel.take_recording, path)
        except TooLargeError as error:
            return refused(str(error), 413)
        except ToonfilterError as error:
            return refused(str(error), 400)
        except ClientDisconnect:
            return refused("it broke off", 400)
        return as_json({})

    async def background(self, request: Request) -> Response:
        length = told_length(request)
        if length is None or length > _MOST_PICTURE_BYTES:
            return refused(f"a picture must have a length of at most {_MOST_PICTURE_BYTES} bytes", 413)
        content = await request.body()
        try:
            await run_in_threadpool(self._panel.take_background, request.query_params.get("name", ""), content)
        except ToonfilterError as error:
            return refused(str(error), 400)
        return as_json({})

    async def act(self, request: Request) -> Response:
        return await answer_action(request, self._panel.actions, most_bytes=_MOST_REQUEST_BYTES, status_of_errors=400)

    async def live(self, socket: WebSocket) -> None:
        """The state whenever it changes, as text; a picture, as JPEG after 4 bytes of its number, when asked for."""
        await socket.accept()
        sending = anyio.Lock()
        async with anyio.create_task_group() as tasks:

            async def until_gone(work: Callable[[], Awaitable[None]]) -> None:
                # RuntimeError: what starlette raises for sending after the other side left.
                with suppress(WebSocketDisconnect, RuntimeError):
                    await work()
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_gone, lambda: self._tell_state(socket, sending))
            tasks.start_soon(until_gone, lambda: self._answer_frames(socket, sending))

    async def _tell_state(self, socket: WebSocket, sending: anyio.Lock) -> None:
        told = ""
        while True:
            state = json.dumps(await run_in_threadpool(self._panel.snapshot))
            if state != told:
                async with sending:
                    await socket.send_text(state)
                told = state
            await anyio.sleep(_STATE_EVERY_S)

    async def _answer_frames(self, socket: WebSocket, sending: anyio.Lock) -> None:
        while True:
            after, width_px = _frame_wish(await socket.receive_text())
            preview = self._panel.camera.preview
            number, picture = await run_in_threadpool(_newer_jpeg, preview, after, width_px)
            async with sending:
                await socket.send_bytes(number.to_bytes(4, "big") + picture)


def _newer_jpeg(preview: Any, after: int, width_px: int) -> tuple[int, bytes]:
    newest = preview.wait_newer(after, _FRAME_WAIT_S)
    return preview.jpeg(width_px) if newest != after else (after, b"")


def _frame_wish(text: str) -> tuple[int, int]:
    """The number of the picture the page has, and the width it shows."""
    try:
        wish = json.loads(text)
        return int(wish["after"]), int(wish["width"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WebSocketDisconnect(1008) from error


class PanelServer(LocalServer):
    """Serves the panel from a thread until `close`."""

    def __init__(self, panel: Panel, listening: socket, token: str) -> None:
        """listening: from `open_socket`; is closed at the end.

        Raises:
            OutputError: it does not start.
        """
        super().__init__(build_app(panel, port=listening.getsockname()[1], token=token), listening)
