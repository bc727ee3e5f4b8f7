"""Who may talk to a local page: this machine's browser, on our own page, with the key of this run. Nobody else.

A page on the internet can make the browser send requests to 127.0.0.1, under any name it gives that address. So every
request must name our own host (against DNS rebinding), come from our own page or from nowhere (Origin, Sec-Fetch-Site),
and carry the key of this run, which only the person at this machine was shown.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
    "connect-src 'self' {sockets}; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FIXED_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), display-capture=()",
}
_POLICY_VIOLATION = 1008


def new_token() -> str:
    """The key of one run: 256 random bits, fit for an address."""
    return secrets.token_urlsafe(32)


class OneTimeKeys:
    """Keys that open the page once and soon, for a second screen: the key of the run is not shown.

    valid_s: a key opens nothing later; raising it leaves more time to scan it, and to whoever sees it.
    """

    def __init__(self, valid_s: float = 180.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.valid_s, self._clock = valid_s, clock
        self._key, self._until_s = "", float("-inf")

    def make(self) -> str:
        """A new key; the one before opens nothing any more."""
        self._key, self._until_s = secrets.token_urlsafe(16), self._clock() + self.valid_s
        return self._key

    def take(self, given: str) -> bool:
        """Whether this key opens the page now; it does not a second time."""
        if not self._key or self._clock() > self._until_s or not _is_same(given, self._key):
            return False
        self._key = ""
        return True


class LocalAccess:
    """Lets only our own page through. port: where the server listens. token: the key of this run; None asks for none.

    keys: open the page, too, each once.

    The address with `?token=` is answered with a cookie (HttpOnly, SameSite=Strict) and the plain address, so that the
    key stays neither in the address bar nor in anything that is shared.
    """

    def __init__(self, app: ASGIApp, *, port: int, token: str | None, keys: OneTimeKeys | None = None) -> None:
        self._app, self._token, self._keys = app, token, keys
        self._hosts = {f"{HOST}:{port}", f"localhost:{port}"}
        self._origins = {f"http://{host}" for host in self._hosts}
        self._cookie = f"toonfilter-{port}"
        sockets = " ".join(f"ws://{host}" for host in sorted(self._hosts))
        self._headers = {**_FIXED_HEADERS, "Content-Security-Policy": PAGE_POLICY.format(sockets=sockets)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if refusal := self._refusal(scope, headers):
            await self._refuse(refusal, scope, receive, send)
            return
        if (given := self._given_token(scope)) is not None and scope["type"] == "http":
            await self._greeting(given, scope)(scope, receive, self._marked(send))
            return
        if self._token is not None and not _is_same(self._cookie_value(headers), self._token):
            await self._refuse("open the address that toonfilter showed when it started", scope, receive, send)
            return
        await self._app(scope, receive, self._marked(send) if scope["type"] == "http" else send)

    def _refusal(self, scope: Scope, headers: Headers) -> str:
        """Why this request is not from our own page; empty if it may be."""
        if headers.get("host") not in self._hosts:
            return "only for this machine"
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins:
            return "only for toonfilter's own page"
        is_reading = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        # Browsers always say it; without a key nothing tells other programs of this machine from them anyway.
        if origin is None and self._token is not None and not is_reading:
            return "must say where it comes from"
        # Other programs' pages on this machine have another port: for the browser they are the same site.
        fetched_from = headers.get("sec-fetch-site", "none")
        is_opening = headers.get("sec-fetch-mode") == "navigate" and scope.get("path") == "/"
        if fetched_from not in ("same-origin", "none") and not is_opening:
            return "only for toonfilter's own page"
        return ""

    def _given_token(self, scope: Scope) -> str | None:
        if self._token is None or scope["path"] != "/":
            return None
        given = parse_qs(scope.get("query_string", b"").decode("latin1")).get("token")
        return given[0] if given else None

    def _greeting(self, given: str, scope: Scope) -> Response:
        if self._token is None or not (_is_same(given, self._token) or (self._keys and self._keys.take(given))):
            return _plain_refusal("this address was used before, or is of an earlier start; ask for a new one", scope)
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
        return answer

    def _cookie_value(self, headers: Headers) -> str:
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ""
        return morsel.value if morsel else ""

    async def _refuse(self, text: str, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": text})
            return
        await _plain_refusal(text, scope)(scope, receive, self._marked(send))

    def _marked(self, send: Send) -> Send:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        return marked


def _plain_refusal(text: str, scope: Scope) -> Response:
    wants_page = scope.get("path") == "/"
    if wants_page:
        return Response(f"toonfilter: {text}\n", 403, media_type="text/plain")
    return JSONResponse({"error": text}, 403)


def _is_same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
