"""A local page for whoever sits at this machine: files, actions and pictures of its own, served as the panel is."""

from collections.abc import Mapping, Sequence
from typing import Self

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from toonfilter.runtime.panel.access import HOST, LocalAccess
from toonfilter.runtime.panel.local_page import Action, LocalServer, PageFiles, answer_action
from toonfilter.runtime.panel.running import open_socket


class DeskServer(LocalServer):
    """Serves one page on this machine alone, until the block ends. port 0 takes a free one; see `url`.

    Without a key: the page is under the same plain address after a restart.
    """

    def __init__(
        self,
        package: str,
        actions: Mapping[str, Action],
        pictures: Sequence[BaseRoute],
        *,
        most_bytes: int,
        port: int = 0,
    ) -> None:
        """package: has the page's files in its folder `page`. actions: by their path below /api/; their errors are
        answered with 409. most_bytes: of what the page asks with; raising it lets a tab fill more memory.

        Raises:
            OutputError: the port is taken.
        """
        page = PageFiles(package, "page")

        async def act(request: Request) -> Response:
            return await answer_action(request, actions, most_bytes=most_bytes, status_of_errors=409)

        listening = open_socket(port)
        self.port = listening.getsockname()[1]
        routes = [
            Route("/", page.answer),
            Route("/assets/{name}", page.answer),
            Route("/api/{action:path}", act, methods=["POST"]),
            *pictures,
        ]
        access = Middleware(LocalAccess, port=self.port, token=None)
        super().__init__(Starlette(routes=routes, middleware=[access]), listening)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.port}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
