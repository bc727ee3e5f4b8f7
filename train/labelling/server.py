"""The web page on which labels are corrected, on this machine only, with the panel's server code."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toonfilter.runtime.errors import DataError
from toonfilter.runtime.panel.desk_server import DeskServer
from toonfilter.runtime.panel.local_page import Action, refused
from toonfilter.train.labelling.desk import CorrectionDesk
from toonfilter.train.labelling.overlay import png

_MOST_BYTES = 262_144


class CorrectionServer(DeskServer):
    """Serves one desk."""

    def __init__(self, desk: CorrectionDesk, port: int = 0) -> None:
        """Raises:
        OutputError: the port is taken.
        """

        async def photo(request: Request) -> Response:
            try:
                return _picture(png(desk.photo(request.path_params["place"])))
            except DataError as error:
                return refused(str(error), 404)

        def draw(asked: Mapping[str, Any]) -> Response:
            return _picture(desk.draw(asked))

        actions: dict[str, Action] = {
            "open": desk.open,
            "back": desk.back,
            "prepare": desk.prepare,
            "draw": draw,
            "save": desk.save,
        }
        pictures = [Route("/photo/{place:int}", photo)]
        super().__init__("toonfilter.train.labelling", actions, pictures, most_bytes=_MOST_BYTES, port=port)


def _picture(content: bytes) -> Response:
    return Response(content, media_type="image/png")
