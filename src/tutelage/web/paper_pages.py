"""Home, search, a paper, and the board of evidence."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tutelage.web.answering import Site, answer, missing
from tutelage.web.reading import STATUSES, Verdict
from tutelage.web.rendering import page
from tutelage.web.wanted import PAGES, Wanted, chosen, wanted

__all__ = ["routes"]

_SORTS = {
    "paper": lambda one: (one.title.casefold(), one.id),
    "verdict": lambda one: (one.verdict, one.title.casefold(), one.id),
    "family": lambda one: (one.family, one.title.casefold(), one.id),
    "seeds": lambda one: (one.seeds, one.title.casefold(), one.id),
}


def home(site: Site, request: Request) -> Response:
    """The search box and the newest papers."""
    return page(
        "home",
        here="papers",
        wanted=Wanted(),
        families=site.papers.families,
        statuses=STATUSES,
        count=site.papers.count(),
        found=site.papers.listing(Wanted()),
        verdicts=len(site.papers.evidence.read()[0]),
    )


def search(site: Site, request: Request) -> Response:
    """What was found, page by page."""
    asked = wanted(request.query_params, tuple(site.papers.families), STATUSES)
    return page(
        "search",
        here="papers",
        wanted=asked,
        families=site.papers.families,
        statuses=STATUSES,
        found=site.papers.listing(asked, site.seconds),
        last=asked.page >= PAGES,
    )


def paper(site: Site, request: Request) -> Response:
    """One paper."""
    found = site.papers.paper(request.path_params["key"], site.seconds)
    if found is None:
        raise missing("There is no paper of that name. Search for a word of its title.")
    return page("paper", here="papers", paper=found)


def board(site: Site, request: Request) -> Response:
    """All claims with what was measured."""
    verdicts, problems = site.papers.evidence.read()
    kinds, families = (tuple(sorted({getattr(one, name) for one in verdicts})) for name in ("verdict", "family"))
    asked = request.query_params
    verdict, family = chosen(asked.get("verdict", ""), kinds), chosen(asked.get("family", ""), families)
    sort = chosen(asked.get("sort", ""), tuple(_SORTS), "paper")
    down = asked.get("order", "") == "down"

    def shown(one: Verdict) -> bool:
        return verdict in ("", one.verdict) and family in ("", one.family)

    rows = sorted(filter(shown, verdicts), key=_SORTS[sort], reverse=down)
    return page(
        "board",
        here="board",
        rows=rows,
        all=len(verdicts),
        kinds=kinds,
        families=families,
        problems=problems,
        verdict=verdict,
        family=family,
        sort=sort,
        down=down,
    )


routes = [
    Route("/", answer(home)),
    Route("/search", answer(search)),
    Route("/paper/{key:path}", answer(paper)),
    Route("/board", answer(board)),
]
