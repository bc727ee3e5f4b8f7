"""The web page of a vote, on this machine only, with the panel's server code."""

import secrets
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from toonfilter.benchmarks.quality.vote.ballot import Ballot
from toonfilter.benchmarks.quality.vote.store import Vote, VoteStore
from toonfilter.runtime.errors import DataError
from toonfilter.runtime.panel.desk_server import DeskServer
from toonfilter.runtime.panel.local_page import refused

_MOST_BYTES = 4096
_MOST_NAME = 40
_MOST_SESSIONS = 10_000
_KEPT = "private, max-age=86400, immutable"

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


class VoteServer(DeskServer):
    """Serves one ballot."""

    def __init__(self, ballot: Ballot, folder: Path, port: int = 0) -> None:
        """folder: with the ballot's pictures; votes are appended there.

        Raises:
            OutputError: the port is taken.
        """
        words = [word for item in ballot.items for word in (item.source, *item.results)]
        paths = {word: folder / "pictures" / f"{word}.jpg" for word in words}

        async def picture(request: Request) -> Response:
            path = paths.get(request.path_params["word"])
            if path is None or not path.is_file():
                return refused("there is no such picture", 404)
            return FileResponse(path, media_type="image/jpeg", headers={"Cache-Control": _KEPT})

        desk = VoteDesk(ballot, VoteStore(folder))
        actions = {"start": desk.start, "look": desk.look, "vote": desk.vote, "back": desk.back}
        pictures = [Route("/picture/{word}", picture)]
        super().__init__("toonfilter.benchmarks.quality.vote", actions, pictures, most_bytes=_MOST_BYTES, port=port)
