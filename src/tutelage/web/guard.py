"""What stands before every page: who may ask, what may be asked, and what the browser is told about the answer."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response

__all__ = ["LONGEST_QUERY", "LOOPBACK", "PAGE_POLICY", "SANDBOX_POLICY", "Guard"]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")
LONGEST_QUERY = 32_768  # bytes of the address after the question mark

_SHUT = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
PAGE_POLICY = f"{_SHUT}; style-src 'self'; img-src 'self' data:; form-action 'self'"
SANDBOX_POLICY = f"{_SHUT}; sandbox; style-src 'unsafe-inline'; img-src data:; form-action 'none'"
"""For reports, whose texts come from models: an origin of their own, no script, no form, no request."""

_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """ASGI middleware: checks the Host header, the token and the length of the query; adds the safety headers.

    A page on loopback can be reached by any web site whose name is made to resolve to 127.0.0.1 (DNS rebinding);
    such requests carry that site's name in ``Host`` and are refused here.

    Args:
        app: what answers.
        hosts: names that may stand in ``Host``, without port; None: any, which needs a token.
        token: the password that every request must carry (HTTP Basic, any user); None: none is asked for.
    """

    def __init__(self, app: Application, hosts: Iterable[str] | None = LOOPBACK, token: str | None = None) -> None:
        if hosts is None and not token:
            raise ValueError("a page for any host needs a token")
        self.app, self.token = app, token
        self.hosts = None if hosts is None else frozenset(name.lower() for name in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # nothing here speaks WebSocket
        refusal = self._refusal(scope)

        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await (refusal or self.app)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self.hosts is not None and _host(headers.getlist("host")) not in self.hosts:
            return PlainTextResponse(
                "This page answers only to the address that `tutelage serve` printed, such as http://127.0.0.1:8765/.\n",
                400,
            )
        if self.token is not None and not _carries(headers.get("authorization", ""), self.token):
            asks = {"WWW-Authenticate": 'Basic realm="tutelage", charset="UTF-8"'}
            return PlainTextResponse("The password is the token that `tutelage serve` printed.\n", 401, asks)
        if len(scope.get("query_string", b"")) > LONGEST_QUERY:
            return PlainTextResponse("The address is too long; shorten what you search for.\n", 414)
        return None


def _host(values: list[str]) -> str | None:
    """The one name in ``Host`` without its port, in small letters; None when there is none, or anything beside it.

    Example:
        >>> _host(["LOCALHOST:80"]), _host(["[::1]:80"]), _host(["a", "b"]), _host(["[::1].example"])
        ('localhost', '::1', None, None)
    """
    found = _HOST.fullmatch(values[0].strip()) if len(values) == 1 else None
    return (found[1] or found[2]).lower() if found else None


def _carries(header: str, token: str) -> bool:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        _, _, password = base64.b64decode(rest.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return False
    return secrets.compare_digest(password, token.encode())
