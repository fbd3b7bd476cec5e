"""``tutelage papers``: list, show, search, import and digest; recipes are run by :mod:`tutelage.cli.papers_recipes`."""

from __future__ import annotations

import json as json_text
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from tutelage.cli import papers_recipes

if TYPE_CHECKING:
    from tutelage.papers.digest import Digest
    from tutelage.papers.library import Filters, Library

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Papers you can run: find one, see what it claims, run it, see what held.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Since = Annotated[str | None, typer.Option(help="First day: 2026-06-10, or 7d or 2w ago.")]
Until = Annotated[str | None, typer.Option(help="Last day, e.g. 2026-06-10.")]
Family = Annotated[str | None, typer.Option(help="Only this family of the catalogue.")]
Status = Annotated[str | None, typer.Option(help="Only verdict, implemented, planned or imported.")]
STATUSES = ("verdict", "implemented", "planned", "imported")


@app.command("list")
def list_papers(
    since: Since = None,
    until: Until = None,
    family: Family = None,
    status: Status = None,
    everything: Annotated[bool, typer.Option("--all", help="Also the papers you imported.")] = False,
    json: AsJson = False,
) -> None:
    """Show the papers of the catalogue, newest first, and what there is for each."""
    from tutelage.cli.papers_text import list_json, show_table
    from tutelage.papers.library import Library

    with Library() as library:
        filters = _filters(since, until, family, status)
        wanted = library.newest(library.count(filters), 0, filters)
        chosen = [record for record in wanted if everything or status == "imported" or record.slug]
        rows = [list_json(record, library.family(record.slug)) for record in chosen]
    if json:
        _print(rows)
        return
    if not rows:
        Console().print("no paper fits")
        return
    show_table(Console(), rows)
    Console().print(
        f"{len(rows)} paper{'' if len(rows) == 1 else 's'}; `tutelage papers show SLUG` says more",
        style="dim",
        highlight=False,
    )


@app.command("show")
def show(
    slug: Annotated[str, typer.Argument(help="The paper, as `tutelage papers list` or `search` names it.")],
    json: AsJson = False,
) -> None:
    """Show what a paper says and claims, what was measured here, and papers like it."""
    from tutelage.cli.papers_text import list_json, record_json, show_paper
    from tutelage.papers.catalogue import entry
    from tutelage.papers.library import Library

    with Library(encoder=None) as library:
        record = library.get(slug)
        known = entry(record.slug) if record.slug else None
        shown: dict[str, Any] = list_json(record, library.family(record.slug)) | record_json(record, library)
        shown |= {
            "slug": record.slug,
            "summary": known.summary if known else "",
            "claims": list(known.claims) if known else [],
            "keywords": list(known.keywords) if known else [],
            "links": dict(known.links) if known else {},
            "abstract": record.abstract,
            "similar": [{"id": hit.record.id, "title": hit.record.title} for hit in library.similar(record.id, 5)],
        }
    if json:
        _print(shown)
    else:
        show_paper(Console(), shown)


@app.command("search")
def search(
    query: Annotated[str | None, typer.Argument(help='Words, a sentence, "words that stand together".')] = None,
    like: Annotated[str | None, typer.Option("--like", help="Papers like this one, instead of a query.")] = None,
    since: Since = None,
    until: Until = None,
    family: Family = None,
    status: Status = None,
    mode: Annotated[Literal["auto", "keyword", "meaning"], typer.Option(help="auto: keyword and meaning.")] = "auto",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 10,
    save: Annotated[str | None, typer.Option(help="Keep the search under this name.")] = None,
    saved: Annotated[str | None, typer.Option(help="Repeat the search of this name.")] = None,
    index: Annotated[bool, typer.Option("--index", help="First prepare all papers for search by meaning.")] = False,
    json: AsJson = False,
) -> None:
    """Find papers by words and by meaning."""
    from tutelage.cli.papers_text import hit_json, show_hits
    from tutelage.errors import ConfigError
    from tutelage.papers.library import Found, Library

    with Library() as library:
        filters = _filters(since, until, family, status)
        if saved is not None:
            query, filters = _saved(library, saved, query, filters)
        if index:
            with _progress("vectors", json) as step:
                library.index(step)
        if like is not None:
            found = Found(library.similar(like, limit), "similar")
        elif query is not None:
            found = library.search(query, filters, mode, limit)
        elif index:
            return
        else:
            raise ConfigError("there is nothing to search for", hint="tutelage papers search WORDS, or --like SLUG")
        if save is not None:
            library.save_search(save, query or "", filters)
        hits = [hit_json(hit, library) for hit in found.hits]
    if json:
        _print({"query": query, "like": like, "mode": found.mode, "note": found.note, "hits": hits})
    else:
        show_hits(Console(), found)


@app.command("import")
def import_papers(
    files: Annotated[list[Path], typer.Argument(help="Saved pages: text, HTML, JSON, Atom, BibTeX.")],
    json: AsJson = False,
) -> None:
    """Add the papers of saved listings, with their abstracts, to your own library."""
    from tutelage.papers.importing import read_papers
    from tutelage.papers.library import Library

    told = []
    with Library(encoder=None) as library:
        for file in files:
            imported = read_papers(file)
            with _progress(file.name, json) as step:
                added = library.add(imported.records, step)
            told.append(
                {
                    "file": str(file),
                    "format": imported.format,
                    "papers": len(imported.records),
                    **added._asdict(),
                    "notes": list(imported.notes),
                }
            )
    if json:
        _print(told)
        return
    console = Console(highlight=False, soft_wrap=True)
    for one in told:
        counts = ", ".join(f"{one[name]} {name}" for name in ("new", "changed", "same"))
        console.print(f"{one['file']}: {one['papers']} papers ({counts})", markup=False)
        for note in one["notes"]:
            console.print(f"note: {note}", markup=False, style="dim")


@app.command("digest")
def digest(
    since: Annotated[str | None, typer.Option(help="First day: 2026-06-10, 7d or 2w ago; default: 7d.")] = None,
    query: Annotated[str | None, typer.Option(help="The best matches instead of the newest papers.")] = None,
    saved: Annotated[str | None, typer.Option(help="Repeat the search of this name.")] = None,
    save: Annotated[str | None, typer.Option(help="Keep query and filters under this name.")] = None,
    family: Family = None,
    status: Status = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many papers at most.")] = 20,
    to: Annotated[Path | None, typer.Option("--to", help="Write the mail to this file, e.g. mail.eml.")] = None,
    smtp: Annotated[str | None, typer.Option("--smtp", help="Send it: smtp://[user@]host[:port] or smtps://.")] = None,
    smtp_ca: Annotated[
        Path | None,
        typer.Option("--smtp-ca", envvar="TUTELAGE_SMTP_CA", help="PEM file of a further authority to trust."),
    ] = None,
    mail_to: Annotated[list[str] | None, typer.Option("--mail-to", help="Recipient; repeatable.")] = None,
    mail_from: Annotated[str, typer.Option("--mail-from", help="Sender.")] = "tutelage@localhost",
    json: AsJson = False,
) -> None:
    """Put the newest or best-matching papers into a mail, a file or the terminal.

    A password for the server is read from TUTELAGE_SMTP_PASSWORD.
    """
    from tutelage.errors import ConfigError
    from tutelage.papers.delivery import send
    from tutelage.papers.digest import as_text, compose, mail, parse_since, write_mail
    from tutelage.papers.library import Library

    if smtp is not None and not mail_to:
        raise ConfigError("the mail has no recipient", hint="name one with --mail-to")
    with Library() as library:
        filters = _filters(None, None, family, status)
        if saved is not None:
            query, filters = _saved(library, saved, query, filters)
        if save is not None:
            library.save_search(save, query or "", filters)
        first = parse_since(since) if since is not None else "" if filters.since else parse_since("7d")
        made = compose(library, first, query or "", filters, limit)
        told = _digest_json(made, library)
    if made.items and (to is not None or smtp is not None):
        message = mail(made, mail_from, mail_to or ["undisclosed@localhost"])
        if to is not None:
            write_mail(message, to)
            told["file"] = str(to)
        if smtp is not None:
            send(message, smtp, smtp_ca)
            told["sent"] = list(mail_to or [])
    if json:
        _print(told)
    elif not made.items or (to is None and smtp is None):
        typer.echo(as_text(made), nl=False)
        if not made.items:
            typer.echo("no paper fits; an earlier --since or other words may find some")
            if to is not None or smtp is not None:
                typer.echo("no mail was made")
    else:
        parts = [f"written to {to}"] if to is not None else []
        parts += [f"sent to {', '.join(mail_to or [])}"] if smtp is not None else []
        typer.echo(f"{made.subject}: {'; '.join(parts)}")


def _digest_json(made: Digest, library: Library) -> dict[str, Any]:
    from tutelage.cli.papers_text import record_json

    papers = [record_json(item.record, library) | {"summary": item.summary} for item in made.items]
    facts = {"subject": made.subject, "since": made.since, "query": made.query, "note": made.note}
    return facts | {"papers": papers, "file": None, "sent": []}


def _filters(since: str | None, until: str | None, family: str | None, status: str | None) -> Filters:
    """Filters from options; a family or status that does not exist is an error, not an empty answer."""
    from tutelage.errors import ConfigError, nearest
    from tutelage.papers.catalogue import FAMILIES
    from tutelage.papers.digest import parse_since
    from tutelage.papers.library import Filters

    for name, value, known in (("--family", family, tuple(FAMILIES)), ("--status", status, STATUSES)):
        if value is not None and value not in known:
            close = nearest(value, known)
            hint = f"did you mean {close!r}?" if close else ", ".join(known)
            raise ConfigError(f"{value[:40]!r} is none", where=name, hint=hint)
    return Filters(parse_since(since) if since else None, until, family, status)


def _saved(library: Library, name: str, query: str | None, filters: Filters) -> tuple[str, Filters]:
    """A saved search; what is given on the command line goes before what was saved."""
    from dataclasses import fields, replace

    kept_query, kept = library.saved_search(name)
    given = {field.name: getattr(filters, field.name) for field in fields(filters)}
    return query or kept_query, replace(kept, **{key: value for key, value in given.items() if value is not None})


@contextmanager
def _progress(name: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, as the library's callbacks want it; none under ``--json``."""
    from tutelage.jobs.progress import bar

    with bar(Console(stderr=True, quiet=quiet)) as shown:
        task = shown.add_task(name.replace("[", "("), total=None, note="")
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _print(value: object) -> None:
    typer.echo(json_text.dumps(value, indent=2))


papers_recipes.mount(app)
