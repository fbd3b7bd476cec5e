"""The user's own library of papers: one SQLite file with the catalogue's entries and everything imported."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tutelage.errors import ConfigError, DataError, nearest
from tutelage.io import home
from tutelage.papers.library.adding import COLUMNS, add_records, sync_catalogue
from tutelage.papers.library.database import connect, sqlite_errors, transaction
from tutelage.papers.library.readers import Deadline, Readers
from tutelage.papers.library.record import IMPORTED, Added, Filters, Found, Hit, Record, clean
from tutelage.papers.library.search import Mode, Searcher, Wish
from tutelage.papers.library.vectors import Embeds

if TYPE_CHECKING:
    from tutelage.papers.catalogue import Entry

__all__ = ["Library"]

_NAME = 80
_DEEPEST = 1000  # place of the last paper that a search gives
_ALL = Filters()


class Library:
    """Opens the library, making it first if there is none; the catalogue's entries are always in it.

    One object may be used by several threads, and one file by several processes. Who reads waits for nobody.

    Args:
        path: the file; default ``papers.sqlite`` in the home of Tutelage.
        entries: the catalogue; default: the one of :mod:`tutelage.papers.catalogue`.
        status: tells the status of a catalogue entry by its slug; default: what :mod:`tutelage.papers.catalogue`
            derives.
        encoder: makes the vectors of meaning; ``"auto"`` takes the embedded one when it is installed, None does
            without.

    Raises:
        StoreError: the file is not a library, is damaged, or cannot be opened.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        entries: Sequence[Entry] | None = None,
        status: Callable[[str], str] | None = None,
        encoder: Embeds | str | None = "auto",
    ) -> None:
        self.path = Path(path).absolute() if path is not None else home() / "papers.sqlite"
        self._lock = threading.RLock()
        self._status = status or _derived_status
        self._connection = connect(self.path)
        with sqlite_errors(self.path):
            sync_catalogue(self._connection, self.path, _catalogue() if entries is None else entries)
        self._readers = Readers(self.path)
        self._search = Searcher(self._connection, self._lock, self._readers, encoder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the object cannot be used any more."""
        self._search.close()
        with self._lock:
            self._connection.close()

    def add(self, records: Iterable[Record], progress: Callable[[int, int], None] | None = None) -> Added:
        """Add what is new and update what has changed; the same records again change nothing.

        A paper is known by its arXiv id, else by its title without regard to case, marks and spaces. What a record
        leaves open stays as it was; a copy from an earlier listing day only fills gaps.

        Args:
            records: see :func:`tutelage.papers.importing.read_papers`.
            progress: called with how many are done, and how many there are.
        """
        with self._lock:
            return add_records(self._connection, self.path, records, progress)

    def get(self, id: str) -> Record:  # noqa: A002 - the field is called so
        """The paper of an id or slug.

        Raises:
            DataError: there is none.
        """
        rows = self._rows("SELECT {columns} FROM papers WHERE id = ? OR slug = ?", (id, id))
        if rows:
            return rows[0]
        with self._readers.lend() as connection:
            known = [row[0] for row in connection.execute("SELECT id FROM papers ORDER BY slug IS NULL LIMIT 2000")]
        close = nearest(clean(id), known)
        hint = f"did you mean {close!r}?" if close else "`tutelage papers search WORDS` finds papers"
        raise DataError(f"no paper has the id {clean(id)[:80]!r}", where=str(self.path), hint=hint)

    def count(self, filters: Filters = _ALL) -> int:
        """How many papers pass the filters."""
        where, values = self._where(filters)
        with self._readers.lend() as connection:
            return int(connection.execute(f"SELECT count(*) FROM papers p{where}", values).fetchone()[0])

    def newest(self, limit: int = 20, offset: int = 0, filters: Filters = _ALL) -> tuple[Record, ...]:
        """Papers by date, newest first; undated ones last.

        Args:
            limit: how many at most.
            offset: how many to leave out first.
            filters: which papers count.
        """
        where, values = self._where(filters)
        ask = f"SELECT {{columns}} FROM papers p{where} ORDER BY date DESC, seq LIMIT ? OFFSET ?"
        return tuple(self._rows(ask, (*values, max(0, limit), max(0, offset))))

    def search(
        self,
        query: str,
        filters: Filters = _ALL,
        mode: Mode = "auto",
        limit: int = 20,
        *,
        offset: int = 0,
        seconds: float | None = None,
    ) -> Found:
        """Papers that fit a query best.

        Any text is safe: nothing in it is an operator, only "words in quotes" are kept together.

        Args:
            query: words, or a sentence.
            filters: which papers count.
            mode: ``keyword`` (BM25), ``meaning`` (cosine of sentence vectors), or ``auto``: both, fused by reciprocal
                rank, or keywords alone when no encoder is installed, which the note says.
            limit: how many at most.
            offset: how many to leave out first; with the limit at most 1,000.
            seconds: that it may take; None: as many as it needs.

        Raises:
            ConfigError: an unknown mode, or ``meaning`` without an encoder.
            TookTooLong: the seconds were over.
        """
        with sqlite_errors(self.path):
            return self._search.search(query, mode, self._wish(limit, offset, seconds, filters))

    def similar(self, id: str, limit: int = 10, *, seconds: float | None = None) -> tuple[Hit, ...]:  # noqa: A002
        """Papers most like one: by meaning when it has a vector, else by the words of its title.

        Args:
            id: of the paper, or its slug.
            limit: how many at most.
            seconds: that it may take; None: as many as it needs.

        Raises:
            DataError: no paper has this id.
            TookTooLong: the seconds were over.
        """
        with sqlite_errors(self.path):
            return self._search.similar(self.get(id), self._wish(limit, 0, seconds))

    def prepare(self, *, seconds: float | None = None) -> None:
        """Read into memory what searches of a large library need: lists of frequent words, dates, vectors.

        A program that answers many searches calls this first, and again now and then: it does nothing as long as the
        library has not changed. Without it the first search for a frequent word takes longer. 100,000 papers take
        about 15 seconds and 70 MB besides their vectors.

        Args:
            seconds: that it may take; None: as many as it needs.

        Raises:
            TookTooLong: the seconds were over; what was read is kept.
        """
        with sqlite_errors(self.path):
            self._search.prepare(Deadline(seconds))

    def index(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Compute the vectors that are missing; resumes where an earlier call was interrupted.

        Args:
            progress: called with how many are done, and how many there are to do.

        Returns:
            How many were computed.

        Raises:
            ConfigError: no encoder is installed.
        """
        with sqlite_errors(self.path):
            return self._search.fill(progress)

    def save_search(self, name: str, query: str, filters: Filters = _ALL) -> None:
        """Keep a search under a name, replacing one of the same name.

        Raises:
            ConfigError: the name is empty, or longer than 80 characters.
        """
        kept = clean(name)
        if not kept or len(kept) > _NAME:
            raise ConfigError(f"a name has 1 to {_NAME} characters", where=kept[:_NAME], hint="give a short name")
        with self._lock, transaction(self._connection, self.path) as connection:
            values = (kept, clean(query), json.dumps(asdict(filters)))
            connection.execute("INSERT OR REPLACE INTO searches VALUES (?, ?, ?)", values)

    def saved_searches(self) -> dict[str, tuple[str, Filters]]:
        """Query and filters of every saved search, by name."""
        with self._readers.lend() as connection:
            rows = connection.execute("SELECT name, query, filters FROM searches ORDER BY name").fetchall()
        return {name: (query, Filters(**json.loads(filters))) for name, query, filters in rows}

    def saved_search(self, name: str) -> tuple[str, Filters]:
        """Query and filters of a saved search.

        Raises:
            ConfigError: there is none of this name.
        """
        known = self.saved_searches()
        if name in known:
            return known[name]
        close = nearest(name, known)
        hint = f"did you mean {close!r}?" if close else "save one with `tutelage papers search QUERY --save NAME`"
        raise ConfigError(f"no saved search is called {clean(name)[:_NAME]!r}", hint=hint)

    def family(self, slug: str | None) -> str:
        """Family of a catalogue entry; empty for a paper outside the catalogue."""
        with self._readers.lend() as connection:
            found = connection.execute("SELECT family FROM papers WHERE slug = ?", (slug,)).fetchone()
        return str(found[0]) if found else ""

    def status(self, slug: str | None) -> str:
        """Status of a catalogue entry; ``imported`` for a paper outside the catalogue."""
        return self._status(slug) if slug else IMPORTED

    def _rows(self, ask: str, values: Sequence[Any]) -> list[Record]:
        with self._readers.lend() as connection:
            try:
                rows = connection.execute(ask.format(columns=", ".join(COLUMNS)), values).fetchall()
            except (UnicodeEncodeError, OverflowError):  # a lone surrogate, or a number beyond 64 bits: in no row
                return []
        return [Record(*row) for row in rows]

    def _wish(self, limit: int, offset: int, seconds: float | None, filters: Filters = _ALL) -> Wish:
        first = max(0, min(offset, _DEEPEST))
        return Wish(filters, self._slugs(filters), max(0, min(limit, _DEEPEST - first)), first, Deadline(seconds))

    def _slugs(self, filters: Filters) -> tuple[str, ...] | None:
        """Entries of the catalogue with the status asked for; None when none is, or it is not theirs."""
        if filters.status in (None, IMPORTED):
            return None
        with self._readers.lend() as connection:
            slugs = [row[0] for row in connection.execute("SELECT slug FROM papers WHERE slug IS NOT NULL")]
        return tuple(slug for slug in slugs if self._status(slug) == filters.status)

    def _where(self, filters: Filters) -> tuple[str, tuple[Any, ...]]:
        """A WHERE clause over ``papers p``, and its values."""
        parts: list[str] = []
        values: list[Any] = []
        for part, value in (
            ("p.date >= ?", filters.since),
            ("p.date <> '' AND p.date <= ?", filters.until),
            ("p.family = ?", filters.family),
        ):
            if value is not None:
                parts.append(part)
                values.append(value.encode("utf-8", "replace").decode())
        if filters.status == IMPORTED:
            parts.append("p.slug IS NULL")
        elif filters.status is not None:
            chosen = self._slugs(filters) or ()
            parts.append(f"p.slug IN ({', '.join('?' * len(chosen))})")
            values += chosen
        return (" WHERE " + " AND ".join(parts) if parts else ""), tuple(values)


def _catalogue() -> Sequence[Entry]:
    from tutelage.papers.catalogue import entries

    return entries()


def _derived_status(slug: str) -> str:
    from tutelage.papers.catalogue import state

    return state(slug).status
