"""The web page of a vote, on this machine only."""

import json
import secrets
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from toonfilter.benchmarks.quality.vote.ballot import Ballot
from toonfilter.benchmarks.quality.vote.store import Vote, VoteStore
from toonfilter.runtime.errors import DataError

HOST = "127.0.0.1"
_MOST_BYTES = 4096
_MOST_NAME = 40
_MOST_SESSIONS = 10_000
_IDLE_S = 60.0
_PAGE_POLICY = (
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    "img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
)

Reply = dict[str, Any]


class VoteDesk:
    """What the page may ask for. Thread safe. A reviewer is known by a session, which the page keeps."""

    def __init__(self, ballot: Ballot, store: VoteStore) -> None:
        self._ballot, self._store = ballot, store
        self._sessions: dict[str, str] = {}
        self._shown_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def start(self, request: Mapping[str, Any]) -> Reply:
        """A session for a reviewer's name; the same name goes on where it stopped.

        Raises:
            DataError: no name, or too long a one.
        """
        words = " ".join(str(request.get("name", "")).split())
        # Names go to terminals and into files: no escapes, no halves of characters.
        name = "".join(character for character in words if character.isprintable())
        if not 1 <= len(name) <= _MOST_NAME:
            raise DataError(f"the name has {len(name)} characters; must have 1 to {_MOST_NAME}")
        session = secrets.token_urlsafe(16)
        with self._lock:
            if len(self._sessions) >= _MOST_SESSIONS:
                raise DataError("too many sessions; start the vote again")
            self._sessions[session] = name
        return {"session": session, **self._state(session, name)}

    def look(self, request: Mapping[str, Any]) -> Reply:
        """What to show next.

        Raises:
            DataError: the session is not known (the server was started again): the page asks for the name.
        """
        session, name = self._who(request)
        return self._state(session, name)

    def vote(self, request: Mapping[str, Any]) -> Reply:
        """Keep one choice; then what to show next.

        Raises:
            DataError: no such item or choice, or the disk does not take the vote.
        """
        session, name = self._who(request)
        number, choice = request.get("item"), request.get("choice")
        order = self._ballot.order_for(name)
        if type(number) is not int or not 0 <= number < len(order):
            raise DataError(f"item is {number!r}; must be 0 to {len(order) - 1}")
        item = self._ballot.items[order[number]]
        if choice not in item.results:
            raise DataError("the choice is none of the pictures of this item")
        shown = tuple(self._ballot.models[place] for place in self._ballot.places_for(name, order[number]))
        with self._lock:
            seconds = time.monotonic() - self._shown_at.get(session, time.monotonic())
        self._store.add(
            Vote(
                reviewer=name,
                picture=item.picture,
                choice=self._ballot.models[item.results.index(choice)],
                shown=shown,
                seconds=round(seconds, 2),
                at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
        )
        return self._state(session, name)

    def back(self, request: Mapping[str, Any]) -> Reply:
        """Show an earlier item again; a new choice for it replaces the old one.

        Raises:
            DataError: no such item.
        """
        session, name = self._who(request)
        number = request.get("item")
        if type(number) is not int or not 0 <= number < len(self._ballot.items):
            raise DataError(f"item is {number!r}; must be 0 to {len(self._ballot.items) - 1}")
        return self._state(session, name, number)

    def _who(self, request: Mapping[str, Any]) -> tuple[str, str]:
        session = str(request.get("session", ""))
        with self._lock:
            name = self._sessions.get(session)
        if name is None:
            raise DataError("session not known; enter your name again")
        return session, name

    def _state(self, session: str, name: str, number: int | None = None) -> Reply:
        order, voted = self._ballot.order_for(name), self._store.of(name)
        open_items = [place for place, index in enumerate(order) if self._ballot.items[index].picture not in voted]
        state: Reply = {
            "question": self._ballot.question,
            "done": len(order) - len(open_items),
            "total": len(order),
            "item": None,
        }
        current = number if number is not None else next(iter(open_items), None)
        if current is not None:
            state |= self._pictures(name, order, current)
            following = next((place for place in open_items if place > current), None)
            state["ahead"] = self._pictures(name, order, following)["choices"] if following is not None else []
        with self._lock:
            self._shown_at[session] = time.monotonic()
        return state

    def _pictures(self, name: str, order: list[int], number: int) -> Reply:
        item = self._ballot.items[order[number]]
        choices = [item.results[place] for place in self._ballot.places_for(name, order[number])]
        return {"item": number, "source": item.source, "choices": choices}


class VoteServer(ThreadingHTTPServer):
    """Serves one ballot on 127.0.0.1. port 0 takes a free one; see `url`."""

    daemon_threads = True

    def __init__(self, ballot: Ballot, folder: Path, port: int = 0) -> None:
        """folder: with the ballot's pictures; votes are appended there.

        Raises:
            DataError: the port is taken.
        """
        self.desk = VoteDesk(ballot, VoteStore(folder))
        self.pictures = {
            token: folder / "pictures" / f"{token}.jpg"
            for item in ballot.items
            for token in (item.source, *item.results)
        }
        self.page = files("toonfilter.benchmarks.quality.vote").joinpath("page.html").read_bytes()
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise DataError(f"port {port} cannot be used ({error.strerror}); choose another with --port") from error

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: VoteServer
    timeout = _IDLE_S
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "toonfilter", ""

    def do_GET(self) -> None:
        """The page and its pictures."""
        if not self._is_local():
            return
        path = urlsplit(self.path).path
        if path == "/":
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page)
            return
        token = path.removeprefix("/picture/")
        picture = self.server.pictures.get(token) if token != path else None
        try:
            content = picture.read_bytes() if picture else b""
        except OSError:
            content = b""
        if not content:
            self._fail(HTTPStatus.NOT_FOUND, "there is no such page")
            return
        self._send(HTTPStatus.OK, "image/jpeg", content, cache="private, max-age=86400, immutable")

    def do_POST(self) -> None:
        """Questions of the page: JSON in, JSON out."""
        if not self._is_local():
            return
        desk = self.server.desk
        actions = {"/api/start": desk.start, "/api/look": desk.look, "/api/vote": desk.vote, "/api/back": desk.back}
        action = actions.get(urlsplit(self.path).path)
        length = self.headers.get("Content-Length", "")
        if action is None:
            self._fail(HTTPStatus.NOT_FOUND, "there is no such action")
        elif self.headers.get_content_type() != "application/json":
            self._fail(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "must be application/json")
        elif "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self._fail(HTTPStatus.LENGTH_REQUIRED, "must say its length")
        elif int(length[:9]) > _MOST_BYTES:
            self._fail(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"must have a length of at most {_MOST_BYTES} bytes")
        else:
            self._answer(action, self.rfile.read(int(length)))

    def _answer(self, action: Any, body: bytes) -> None:
        try:
            request = json.loads(body)
            if not isinstance(request, dict):
                raise ValueError("no object")
        except (ValueError, RecursionError):
            self._fail(HTTPStatus.BAD_REQUEST, "must be a JSON object")
            return
        try:
            reply = action(request)
        except DataError as error:
            self._fail(HTTPStatus.CONFLICT, str(error))
            return
        self._send(HTTPStatus.OK, "application/json", json.dumps(reply).encode())

    def _is_local(self) -> bool:
        """Other sites must not reach us through the reviewer's browser, whatever name they give this address."""
        port = self.server.server_address[1]
        hosts = {f"{HOST}:{port}", f"localhost:{port}"}
        origin = self.headers.get("Origin")
        if self.headers.get("Host") in hosts and (origin is None or origin in {f"http://{host}" for host in hosts}):
            return True
        self._fail(HTTPStatus.FORBIDDEN, "only for this machine")
        return False

    def _fail(self, status: HTTPStatus, text: str) -> None:
        self.close_connection = True
        self._send(status, "application/json", json.dumps({"error": text}).encode())

    def _send(self, status: HTTPStatus, kind: str, content: bytes, cache: str = "no-store") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", cache)
        self.send_header("Content-Security-Policy", _PAGE_POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: only the command prints."""
