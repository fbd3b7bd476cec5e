"""How an address is answered: in a thread, within a time, and with a page whatever goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import anyio
import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tutelage.errors import StoreError, TookTooLong, TutelageError
from tutelage.report.untrusted import one_line
from tutelage.web.reading import Papers
from tutelage.web.rendering import page
from tutelage.web.run_reading import Runs

__all__ = ["Site", "answer", "error_page", "missing"]

Work = Callable[["Site", Request], Response]
_THREADS = 8
_log = logging.getLogger("tutelage.web")


@dataclass
class Site:
    """What the pages are made of.

    Args:
        papers: library, catalogue and evidence.
        runs: of the stores.
        seconds: that a page may take; then the visitor is told. A search is interrupted; other work goes on
            unseen to its own end.
    """

    papers: Papers
    runs: Runs
    seconds: float = 10.0
    _limiter: anyio.CapacityLimiter | None = field(default=None, repr=False)

    @property
    def limiter(self) -> anyio.CapacityLimiter:
        """At most so many threads, so that slow questions cannot pile up."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_THREADS)
        return self._limiter


def answer(work: Work) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that does ``work`` in a thread, within the time of the site."""

    async def endpoint(request: Request) -> Response:
        site: Site = request.app.state.site
        try:
            with anyio.fail_after(site.seconds):
                return await anyio.to_thread.run_sync(
                    partial(work, site, request), abandon_on_cancel=True, limiter=site.limiter
                )
        except (TimeoutError, TookTooLong):
            return error_page(503, "That took too long", "Try again with fewer words or a narrower range of dates.")
        except HTTPException as error:
            return error_page(error.status_code, "", error.detail)
        except StoreError as error:
            return error_page(503, f"The data cannot be read: {error.what}", error.hint or "")
        except TutelageError as error:
            return error_page(400, error.what, error.hint or "")
        except Exception as error:  # a defect of ours: the visitor gets a page, the terminal one line
            what = one_line(f"{request.method} {request.url.path}: {type(error).__name__}: {error}", 300)
            _log.error("%s", what)
            return error_page(500, "", "This is a defect of Tutelage; the terminal of `tutelage serve` names it.")

    return endpoint


_TITLES = {
    400: "That cannot be answered",
    404: "There is nothing here",
    405: "This page only shows; it changes nothing",
    500: "Something went wrong",
}


def error_page(status: int, title: str, advice: str) -> Response:
    """A page that says what is wrong and where to go on."""
    return page(
        "error", code=status, here="", status=status, title=title or _TITLES.get(status, "Error"), advice=advice
    )


def missing(what: str) -> HTTPException:
    """To be raised where there is no such thing."""
    return HTTPException(404, what)
