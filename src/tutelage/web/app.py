"""The application: addresses, and the guard before them."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tutelage.store import Store
from tutelage.web import paper_pages, run_pages
from tutelage.web.answering import Site, error_page
from tutelage.web.guard import LOOPBACK, Guard
from tutelage.web.reading import Evidence, Papers
from tutelage.web.rendering import STYLE_ADDRESS, style_sheet
from tutelage.web.run_reading import Runs

if TYPE_CHECKING:
    from tutelage.papers.library import Library

__all__ = ["create_app"]


def create_app(
    library: Library,
    store: Store,
    evidence_folder: str | os.PathLike[str],
    *,
    more_stores: Sequence[Store] = (),
    hosts: Collection[str] | None = LOOPBACK,
    token: str | None = None,
) -> Starlette:
    """The page as an ASGI application. Every address only reads.

    Args:
        library: of papers.
        store: of runs.
        evidence_folder: of the evidence files; may be missing.
        more_stores: further stores of runs.
        hosts: names that requests may use for this machine; None: any, which needs a ``token``.
        token: password that every request must carry; None: none is asked for.
    """
    application = Starlette(
        routes=[*paper_pages.routes, *run_pages.routes, Route(STYLE_ADDRESS, _style)],
        middleware=[Middleware(Guard, hosts=hosts, token=token)],
        exception_handlers={HTTPException: _refused},
    )
    application.router.redirect_slashes = False
    application.state.site = Site(Papers(library, Evidence(evidence_folder)), Runs([store, *more_stores]))
    return application


async def _style(request: Request) -> Response:
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}  # the address changes with the content
    return Response(style_sheet(), media_type="text/css", headers=kept)


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    answer = error_page(status, "", "" if status == 404 else "Follow one of the links below.")
    if isinstance(error, HTTPException) and error.headers:
        answer.headers.update(error.headers)
    return answer
