"""Bringing records into the library: found again by arXiv id or title, merged, one transaction a batch."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutelage.io import content_hash
from tutelage.papers.library.database import transaction
from tutelage.papers.library.record import Added, Record, arxiv_id, clean, merge, paper_id
from tutelage.papers.titles import title_key

if TYPE_CHECKING:
    from tutelage.papers.catalogue import Entry

__all__ = ["COLUMNS", "add_records", "sync_catalogue"]

COLUMNS = tuple(field.name for field in fields(Record))
_BATCH = 2000
_SELECT = f"SELECT {', '.join(COLUMNS)}, seq, arxiv FROM papers"


@dataclass(frozen=True, slots=True)
class _Row:
    record: Record
    seq: int
    arxiv: str


def add_records(
    connection: sqlite3.Connection,
    path: Path,
    records: Iterable[Record],
    progress: Callable[[int, int], None] | None = None,
) -> Added:
    """Add what is new, update what has changed; an interrupted call keeps its finished batches.

    Args:
        connection: of the library.
        path: of the library, for errors.
        records: in any order; several of one paper count as one.
        progress: called with how many are done, and how many there are.
    """
    waiting = _distinct(records)
    counts = [0, 0, 0]
    for start in range(0, len(waiting), _BATCH):
        batch = waiting[start : start + _BATCH]
        with transaction(connection, path):
            for record in batch:
                counts[_add(connection, record)] += 1
        if progress is not None:
            progress(start + len(batch), len(waiting))
    return Added(*counts)


def sync_catalogue(connection: sqlite3.Connection, path: Path, entries: Sequence[Entry]) -> None:
    """Put every catalogue entry into the library with our own summary; does nothing when nothing has changed."""
    wanted = [_entry_columns(entry) for entry in entries]
    mark = content_hash(wanted)
    if _fact(connection, "catalogue") == mark:
        return
    with transaction(connection, path):
        _release(connection, {str(columns["slug"]) for columns in wanted})
        for columns in wanted:
            _put_entry(connection, columns)
        connection.execute("INSERT OR REPLACE INTO facts VALUES ('catalogue', ?)", (mark,))


def _distinct(records: Iterable[Record]) -> list[Record]:
    """One record a paper, so that importing a file twice gives the same both times."""
    kept = _joined(records)
    while len(fewer := _joined(kept)) < len(kept):  # two that were joined may have the title of a third
        kept = fewer
    return kept


def _joined(records: Iterable[Record]) -> list[Record]:
    kept: list[Record] = []
    places: dict[str, list[int]] = {}
    for record in records:
        arxiv, key = arxiv_id(record.url), title_key(record.title)
        same = places.get(f"arxiv:{arxiv}", []) if arxiv else []
        if not same:
            same = [n for n in places.get(key, []) if not _apart(arxiv, arxiv_id(kept[n].url))]
        if same:
            place = same[0]
            kept[place] = merge(kept[place], record)
        else:
            place = len(kept)
            kept.append(record)
        for name in (key, f"arxiv:{arxiv}") if arxiv else (key,):
            known = places.setdefault(name, [])
            if place not in known:
                known.append(place)
    return kept


def _apart(one: str, other: str) -> bool:
    """Two papers of one title are two when their arXiv ids say so."""
    return bool(one and other and one != other)


def _find(connection: sqlite3.Connection, record: Record) -> _Row | None:
    arxiv = arxiv_id(record.url)
    if arxiv:
        found = connection.execute(f"{_SELECT} WHERE arxiv = ? AND arxiv <> ''", (arxiv,)).fetchone()
        if found:
            return _row(found)
    rows = connection.execute(f"{_SELECT} WHERE key = ? ORDER BY seq", (title_key(record.title),)).fetchall()
    return next((row for row in map(_row, rows) if not _apart(arxiv, row.arxiv)), None)


def _row(values: Sequence[Any]) -> _Row:
    return _Row(Record(*values[: len(COLUMNS)]), values[-2], values[-1])


def _add(connection: sqlite3.Connection, record: Record) -> int:
    """0 when it was new, 1 when it changed what was known, 2 when it was known."""
    found = _find(connection, record)
    if found is None:
        taken = connection.execute("SELECT 1 FROM papers WHERE id = ?", (record.id,)).fetchone()
        if taken:
            record = replace(record, id=paper_id(record.title, record.url or record.abstract))
        _insert(connection, _columns(record))
        return 0
    merged = merge(found.record, record)
    if replace(merged, source=found.record.source) == found.record:
        return 2
    _update(connection, found.seq, _columns(found.record), _columns(merged))
    return 1


def _columns(record: Record) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in COLUMNS}
    return values | {"key": title_key(record.title), "arxiv": arxiv_id(record.url)}


def _insert(connection: sqlite3.Connection, columns: dict[str, Any]) -> None:
    names = ", ".join(columns)
    marks = ", ".join("?" * len(columns))
    connection.execute(f"INSERT INTO papers ({names}) VALUES ({marks})", tuple(columns.values()))


def _update(connection: sqlite3.Connection, seq: int, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Only columns that changed: the index of words and the vectors follow the texts alone."""
    changed = {name: value for name, value in new.items() if old.get(name) != value}
    if changed:
        names = ", ".join(f"{name} = ?" for name in changed)
        connection.execute(f"UPDATE papers SET {names} WHERE seq = ?", (*changed.values(), seq))


def _fact(connection: sqlite3.Connection, name: str) -> str:
    found = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return str(found[0]) if found else ""


def _entry_columns(entry: Entry) -> dict[str, Any]:
    url = f"https://arxiv.org/abs/{entry.arxiv}" if entry.arxiv else next(iter(entry.links.values()), "")
    record = Record(
        id=entry.slug,
        title=clean(entry.title),
        date=entry.date,
        listed=entry.listed,
        authors=entry.authors,
        comments=entry.comments,
        url=url,
        source="catalogue",
        slug=entry.slug,
    )
    return _columns(record) | {
        "family": entry.family,
        "summary": clean(" ".join((entry.summary, *entry.claims))),
        "keywords": clean(", ".join((*entry.keywords, *entry.systems))),
    }


def _put_entry(connection: sqlite3.Connection, columns: dict[str, Any]) -> None:
    record = Record(**{name: columns[name] for name in COLUMNS})
    known = connection.execute(f"{_SELECT} WHERE slug = ?", (record.slug,)).fetchone()
    found = _row(known) if known else _find(connection, record)
    if found is None:
        _insert(connection, columns)
        return
    kept = {name: getattr(found.record, name) or columns[name] for name in COLUMNS}
    ours = {name: columns[name] for name in ("id", "slug", "family", "summary", "keywords")}
    ours |= {name: columns[name] or kept[name] for name in ("title", "date", "url")}
    names = (*COLUMNS, "key", "arxiv", "family", "summary", "keywords")
    now = connection.execute(f"SELECT {', '.join(names)} FROM papers WHERE seq = ?", (found.seq,)).fetchone()
    _update(connection, found.seq, dict(zip(names, now, strict=True)), columns | kept | ours)


def _release(connection: sqlite3.Connection, slugs: set[str]) -> None:
    """Entries that a new catalogue no longer has: imported papers stay, bare entries go."""
    known = connection.execute("SELECT seq, slug, abstract FROM papers WHERE slug IS NOT NULL").fetchall()
    for seq, slug, abstract in known:
        if slug in slugs:
            continue
        if abstract:
            connection.execute(
                "UPDATE papers SET slug = NULL, family = '', summary = '', keywords = '' WHERE seq = ?", (seq,)
            )
        else:
            connection.execute("DELETE FROM papers WHERE seq = ?", (seq,))
