"""The web page on which labels are corrected, on this machine only, with the panel's server code."""

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toonfilter.runtime.errors import DataError, OutputError
from toonfilter.runtime.panel.access import HOST, LocalAccess
from toonfilter.runtime.panel.local_page import LocalServer, PageFiles, RefusedError, as_json, read_object, refused
from toonfilter.runtime.panel.running import open_socket
from toonfilter.train.labelling.desk import CorrectionDesk
from toonfilter.train.labelling.overlay import png

_MOST_BYTES = 262_144


def build_app(desk: CorrectionDesk, port: int) -> Starlette:
    """The ASGI application: the panel's access and limits around the desk.

    Without a key: whoever sits at this machine may correct, under the same plain address after a restart.
    """
    page = PageFiles("toonfilter.train.labelling", "page")
    actions = {
        "open": desk.open,
        "back": desk.back,
        "prepare": desk.prepare,
        "draw": desk.draw,
        "save": desk.save,
    }

    async def photo(request: Request) -> Response:
        try:
            return _picture(png(desk.photo(request.path_params["place"])))
        except DataError as error:
            return refused(str(error), 404)

    async def act(request: Request) -> Response:
        action = actions.get(request.path_params["action"])
        if action is None:
            return refused("there is no such action", 404)
        try:
            asked = await read_object(request, _MOST_BYTES)
            answer = await run_in_threadpool(action, asked)
        except RefusedError as error:
            return error.response
        except (DataError, OutputError) as error:
            return refused(str(error), 409)
        return _picture(answer) if isinstance(answer, bytes) else as_json(answer)

    return Starlette(
        routes=[
            Route("/", page.answer),
            Route("/assets/{name}", page.answer),
            Route("/photo/{place:int}", photo),
            Route("/api/{action:path}", act, methods=["POST"]),
        ],
        middleware=[Middleware(LocalAccess, port=port, token=None)],
    )


def _picture(content: bytes) -> Response:
    return Response(content, media_type="image/png")


class CorrectionServer(LocalServer):
    """Serves one desk on this machine alone, until the block ends. port 0 takes a free one; see `url`."""

    def __init__(self, desk: CorrectionDesk, port: int = 0) -> None:
        """Raises:
        OutputError: the port is taken.
        """
        listening = open_socket(port)
        self.port = listening.getsockname()[1]
        super().__init__(build_app(desk, self.port), listening)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.port}/"

    def __enter__(self) -> "CorrectionServer":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
