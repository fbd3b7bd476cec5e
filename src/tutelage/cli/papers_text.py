"""How papers look on a terminal of 80 columns, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from tutelage.papers.library import Found, Hit, Library, Record

__all__ = ["hit_json", "list_json", "record_json", "show_hits", "show_paper", "show_table"]

_WIDE = 100  # columns from which a table has room for dates
_SLUG = 34  # characters; ids of imported papers are longer, and cut in the table


def list_json(record: Record, family: str) -> dict[str, Any]:
    """A paper as ``list --json`` says it."""
    from tutelage.papers.catalogue import state

    found = state(record.slug) if record.slug else None
    return {
        "slug": record.slug or record.id,
        "title": record.title,
        "date": record.date,
        "family": family,
        "status": found.status if found else "imported",
        "verdict": found.verdict if found else "",
        "recipe": found.recipe if found else None,
        "evidence": found.evidence if found else None,
    }


def record_json(record: Record, library: Library) -> dict[str, Any]:
    """A paper as ``search``, ``show`` and ``digest`` say it."""
    return {
        "id": record.id,
        "slug": record.slug,
        "title": record.title,
        "date": record.date,
        "listed": record.listed,
        "authors": record.authors,
        "comments": record.comments,
        "url": record.url,
        "family": library.family(record.slug),
        "status": library.status(record.slug),
    }


def hit_json(hit: Hit, library: Library) -> dict[str, Any]:
    """A found paper with its score, ranks and snippet."""
    pieces = [{"text": piece.text, "marked": piece.marked} for piece in hit.snippet]
    found = {"score": hit.score, "ranks": dict(hit.ranks), "snippet": pieces}
    return record_json(hit.record, library) | found


def show_table(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """Papers as a table of one line each."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    slug = min(_SLUG, max((len(row["slug"]) for row in rows), default=4))
    table.add_column("slug", no_wrap=True, overflow="ellipsis", width=slug)
    dated = console.width >= _WIDE
    if dated:
        table.add_column("date", no_wrap=True, width=10)
    table.add_column("status", no_wrap=True, width=11)
    rest = console.width - slug - 11 - 4 - (12 if dated else 0)
    table.add_column("title", no_wrap=True, overflow="ellipsis", width=max(10, rest))
    for row in rows:
        day = [row["date"]] if dated else []
        table.add_row(_plain(row["slug"]), *day, row["status"], _plain(row["title"]))
    console.print(table)


def show_hits(console: Console, found: Found) -> None:
    """Found papers with the text around the words of the query."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right", width=2)
    grid.add_column()
    for number, hit in enumerate(found.hits, 1):
        grid.add_row(str(number), Text(_line(hit.record.title), style="bold"))
        grid.add_row("", Text(_line(f"{hit.record.date or 'undated'}  {hit.record.id}", keep=True), style="dim"))
        snippet = Text()
        for piece in hit.snippet:
            snippet.append(_line(piece.text, keep=True), style="bold green" if piece.marked else "")
        grid.add_row("", snippet)
    console.print(grid)
    if not found.hits:
        console.print("no paper found")
    if found.note:
        console.print(Text(f"note: {found.note}", style="dim"))


def show_paper(console: Console, shown: dict[str, Any]) -> None:
    """One paper: facts, summary, claims, what there is for it, abstract, related papers."""
    console.print(Text(_line(shown["title"]), style="bold"))
    facts = [shown["date"] or "undated", shown["family"], shown["status"]]
    facts += [f"{shown[name]} {name}" for name in ("authors", "comments") if shown[name]]
    console.print(_plain(" · ".join(part for part in facts if part)))
    if shown["url"]:
        console.print(_plain(shown["url"]), soft_wrap=True)
    _section(console, "Summary", [shown["summary"]] if shown["summary"] else [])
    _section(console, "Claims", [f"- {claim}" for claim in shown["claims"]])
    run = f"tutelage papers run {shown['recipe']} --out RUN" if shown["recipe"] else ""
    _section(console, "Here", [text for text in (shown["verdict"], run, shown["evidence"]) if text])
    _section(console, "Abstract, as imported", [shown["abstract"]] if shown["abstract"] else [])
    _section(console, "Like this", [f"{like['id']}: {like['title']}" for like in shown["similar"]])


def _section(console: Console, title: str, texts: Iterable[str]) -> None:
    for place, text in enumerate(texts):
        if not place:
            console.print()
            console.print(Text(title, style="bold"))
        console.print(_plain(text))


def _plain(text: str) -> Text:
    return Text(_line(text))


def _line(text: str, keep: bool = False) -> str:
    from tutelage.report.untrusted import visible

    shown = visible(text)
    return shown if keep else " ".join(shown.split())
