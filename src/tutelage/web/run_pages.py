"""Runs, one run, its files, and two runs side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, BinaryIO
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tutelage.store import Run
from tutelage.web.answering import Site, answer, missing
from tutelage.web.guard import SANDBOX_POLICY
from tutelage.web.pictures import Series, curve_panel
from tutelage.web.rendering import page
from tutelage.web.run_reading import Cell, Curves, flat
from tutelage.web.wanted import page_number

__all__ = ["routes"]

_PER_PAGE = 50
_CHUNK = 2**16
_PANELS = 24


def runs(site: Site, request: Request) -> Response:
    """All runs, the newest first."""
    found = site.runs.all()
    last = max(1, -(-len(found) // _PER_PAGE))
    number = page_number(request.query_params.get("page", ""), last)
    shown = found[(number - 1) * _PER_PAGE : number * _PER_PAGE]
    return page(
        "runs", here="runs", runs=shown, all=len(found), every=found[:200], number=number, last=last, a="", b=""
    )


def run(site: Site, request: Request) -> Response:
    """One run: what it says, its scores and curves."""
    found = _run(site, request.path_params["id"])
    curves = site.runs.curves(found)
    arms = list(dict.fromkeys(arm for lines in curves.values() for arm in lines))
    panels = [
        (
            name,
            curve_panel(
                name, [Series(arm or name, place, place, *lines[arm]) for place, arm in enumerate(arms) if arm in lines]
            ),
        )
        for name, lines in curves.items()
    ]
    return page(
        "run",
        here="runs",
        run=found,
        table=_table(site.runs.cells(found)),
        panels=[panel for panel in panels if panel[1]][:_PANELS],
        legend=list(enumerate(arms)) if any(arms) else [],
        settings=flat(found.config),
        report=site.runs.has_report(found),
        artifacts=site.runs.artifacts(found),
        others=[other for other in site.runs.all()[:200] if other.id != found.id],
    )


def compare(site: Site, request: Request) -> Response:
    """Two runs: settings that differ, scores with the interval of their difference, curves over each other."""
    a, b = request.query_params.get("a", ""), request.query_params.get("b", "")
    every = site.runs.all()[:200]
    if not (a and b):
        return page("compare", here="runs", every=every, a=a, b=b, first=None)
    first, second = _run(site, a), _run(site, b)
    old, new = flat(first.config), flat(second.config)
    settings = [(key, old.get(key), new.get(key)) for key in sorted(old | new) if old.get(key) != new.get(key)]
    return page(
        "compare",
        here="runs",
        every=every,
        a=a,
        b=b,
        first=first,
        second=second,
        settings=settings,
        differences=site.runs.differences(first, second),
        panels=_overlaid(site.runs.curves(first), site.runs.curves(second)),
    )


def report(site: Site, request: Request) -> Response:
    """The page that a run left, in an origin of its own."""
    stream = site.runs.report(_run(site, request.path_params["id"]))
    if stream is None:
        raise missing("The run has left no report, or its folder has moved.")
    headers = {"Content-Security-Policy": SANDBOX_POLICY}
    return StreamingResponse(_chunks(stream), media_type="text/html; charset=utf-8", headers=headers)


def artifact(site: Site, request: Request) -> Response:
    """A file of a run, to be saved; addressed by its number in the store."""
    found = site.runs.artifact(_run(site, request.path_params["id"]), request.path_params["number"])
    if found is None:
        raise missing("There is no such file, or it no longer lies in the run's folder.")
    name, stream = found
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}",
        "Content-Security-Policy": SANDBOX_POLICY,
    }
    return StreamingResponse(_chunks(stream), media_type="application/octet-stream", headers=headers)


def health(site: Site, request: Request) -> Response:
    """Whether library and store answer, for scripts."""
    facts = {"status": "ok", "papers": site.papers.count(), "runs": len(site.runs.all())}
    return Response(json.dumps(facts), media_type="application/json")


def _run(site: Site, name: str) -> Run:
    found = site.runs.get(name)
    if found is None:
        raise missing("There is no run of that name. The list of runs has them all.")
    return found


def _chunks(stream: BinaryIO) -> Any:
    with stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _table(cells: Sequence[Cell]) -> dict[str, Any]:
    """Scores as a table: a row a metric, a column an arm."""
    arms = list(dict.fromkeys(cell.arm for cell in cells))
    rows: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        rows.setdefault(cell.metric, {})[cell.arm] = cell
    return {"arms": arms, "rows": rows}


def _overlaid(first: Curves, second: Curves) -> list[tuple[str, Any]]:
    """Curves that both have: colour tells the runs apart, dashes the arms."""
    panels = []
    for name in [quantity for quantity in first if quantity in second][:_PANELS]:
        arms = list(dict.fromkeys([*first[name], *second[name]]))
        series = [
            Series(f"{letter} {arm}".strip(), colour, 2 * colour + place % 2, *lines[name][arm])
            for colour, (letter, lines) in enumerate((("A", first), ("B", second)))
            for place, arm in enumerate(arms)
            if arm in lines[name]
        ]
        panels.append((name, curve_panel(name, series)))
    return [panel for panel in panels if panel[1]]


routes = [
    Route("/runs", answer(runs)),
    Route("/run/{id:path}/report", answer(report)),
    Route("/run/{id:path}/file/{number:int}", answer(artifact)),
    Route("/run/{id:path}", answer(run)),
    Route("/compare", answer(compare)),
    Route("/health", answer(health)),
]
