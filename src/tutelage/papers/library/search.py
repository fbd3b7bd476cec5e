"""Search by keyword and by meaning, fused by reciprocal rank."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from tutelage.errors import AssetError, ConfigError, ModelError
from tutelage.papers.library.adding import COLUMNS
from tutelage.papers.library.query import expression, terms
from tutelage.papers.library.record import Found, Hit, Record, clean
from tutelage.papers.library.snippet import snippets
from tutelage.papers.library.vectors import Embeds, VectorIndex

__all__ = ["ENCODER", "Mode", "Searcher", "fuse"]

Mode = Literal["auto", "keyword", "meaning"]
Clause = tuple[str, tuple[Any, ...]]  # " WHERE ..." over `papers p`, or nothing, and its values

ENCODER = "all-minilm-l6-v2"
_DEPTH = 100  # of each ranking that is fused
_AT_ONCE = 128  # vectors that a search computes by itself when no more are missing
_BULK = 1000  # missing vectors from which they are computed in bulk
_BUDGET = 30_000  # matches that BM25 weighs for one query
_WEIGHTS = "6.0, 2.0, 3.0, 1.0"  # of title, summary, keywords, abstract
_FROM_QUERY = 2000  # characters of a query that the encoder reads


def fuse(rankings: Mapping[str, Sequence[int]], constant: int = 60) -> list[tuple[int, float]]:
    r"""One ranking of several: :math:`s(d) = \sum_r 1 / (k + \mathrm{rank}_r(d))`, best first, ties by number.

    Args:
        rankings: by name, each best first.
        constant: :math:`k`.

    Source: Cormack, Clarke and Buettcher 2009 (reciprocal rank fusion), with their k = 60.

    Example:
        >>> [item for item, _ in fuse({"a": [1, 2, 3], "b": [3, 1]})]
        [1, 3, 2]
    """
    scores: dict[int, float] = {}
    for ranking in rankings.values():
        for rank, item in enumerate(ranking, 1):
            scores[item] = scores.get(item, 0.0) + 1.0 / (constant + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


class Searcher:
    """Searches the library behind ``connection``; the caller holds its lock."""

    def __init__(self, connection: sqlite3.Connection, path: Path, encoder: Embeds | str | None) -> None:
        self.connection = connection
        self.vectors = VectorIndex(connection, path)
        self._encoder, self._embedded = encoder, encoder == "auto"
        self._why_none = "" if encoder is not None else "the library was opened without an encoder"
        self._frequencies: dict[str, int] = {}
        self._changes = -1

    def encoder(self) -> Embeds:
        """The encoder, loaded when it is first needed.

        Raises:
            ConfigError: none is installed, or it cannot be loaded.
        """
        if self._encoder == "auto" and not self._why_none:
            try:
                from tutelage.papers.library.encoding import open_encoder

                self._encoder = open_encoder(ENCODER)
            except (AssetError, ModelError, ImportError) as error:
                self._why_none = str(getattr(error, "what", error))
        if self._encoder is None or isinstance(self._encoder, str):
            raise ConfigError(
                f"no encoder for search by meaning: {self._why_none}",
                hint=f"run `tutelage assets install {ENCODER}`, or search by keyword",
            )
        return self._encoder

    def fill(self, progress: Callable[[int, int], None] | None) -> int:
        """See :meth:`tutelage.papers.library.Library.index`; thousands of papers are worth loading torch for."""
        encoder = self.encoder()
        if self._embedded and self.vectors.missing() > _BULK:
            from tutelage.papers.library.encoding import open_encoder

            encoder = open_encoder(ENCODER, bulk=True)
        return self.vectors.fill(encoder, progress)

    def search(self, query: str, clause: Clause, mode: Mode, limit: int) -> Found:
        """See :meth:`tutelage.papers.library.Library.search`."""
        if mode not in ("auto", "keyword", "meaning"):
            raise ConfigError(f"unknown mode {mode!r}", hint="auto, keyword or meaning")
        text = clean(query[:_FROM_QUERY])
        if not text:
            return Found((), "keyword", "nothing to search for")
        words, notes, rankings = terms(query), [], cast(dict[str, list[int]], {})
        depth = max(_DEPTH, limit)
        if mode != "meaning":
            rankings["keyword"] = self._by_keyword(words, clause, depth)
        if mode != "keyword":
            try:
                encoder = self.encoder()
            except ConfigError:
                if mode == "meaning":
                    raise
                notes.append(f"by keyword only: `tutelage assets install {ENCODER}` adds search by meaning")
            else:
                notes += self._catch_up(encoder)
                rankings["meaning"] = self._by_meaning(encoder, text, clause, depth)
        if not words and mode != "meaning":
            notes.append("no words to look up")
        told = "fused" if len(rankings) == 2 else next(iter(rankings))
        return Found(self._hits(rankings, expression(words), limit), told, "; ".join(notes))

    def similar(self, record: Record, limit: int) -> tuple[Hit, ...]:
        """See :meth:`tutelage.papers.library.Library.similar`."""
        seq = int(self.connection.execute("SELECT seq FROM papers WHERE id = ?", (record.id,)).fetchone()[0])
        vector = self.vectors.vector(seq)
        if vector is None and 0 < self.vectors.missing() <= _AT_ONCE:
            try:
                self._catch_up(self.encoder())
            except ConfigError:
                pass
            else:
                vector = self.vectors.vector(seq)
        if vector is not None:
            found = [near for near, _ in self.vectors.nearest(vector, limit + 1)]
            name = "meaning"
        else:
            found, name = self._by_keyword(terms(record.title), ("", ()), limit + 1), "keyword"
        return self._hits({name: [near for near in found if near != seq]}, "", limit)

    def _catch_up(self, encoder: Embeds) -> list[str]:
        missing = self.vectors.missing()
        if missing <= _AT_ONCE:
            self.vectors.fill(encoder)
            return []
        return [f"{missing} papers are not searched by meaning yet: `tutelage papers search --index` prepares them"]

    def _by_keyword(self, words: tuple[str, ...], clause: Clause, depth: int) -> list[int]:
        match = expression(words, self._frequency, _BUDGET)
        if not match:
            return []
        where, values = clause
        allowed = f" AND +rowid IN (SELECT seq FROM papers p{where})" if where else ""
        ask = f"SELECT rowid FROM words WHERE words MATCH ?{allowed} ORDER BY bm25(words, {_WEIGHTS}), rowid LIMIT ?"
        return [int(row[0]) for row in self.connection.execute(ask, (match, *values, depth))]

    def _frequency(self, term: str) -> int:
        """How many papers hold a quoted term; remembered until the library changes."""
        changes = int(self.connection.execute("PRAGMA data_version").fetchone()[0]) + self.connection.total_changes
        if changes != self._changes or len(self._frequencies) > 10_000:
            self._frequencies, self._changes = {}, changes
        if term not in self._frequencies:
            ask = "SELECT count(*) FROM words WHERE words MATCH ?"
            self._frequencies[term] = int(self.connection.execute(ask, (term,)).fetchone()[0])
        return self._frequencies[term]

    def _by_meaning(self, encoder: Embeds, text: str, clause: Clause, depth: int) -> list[int]:
        where, values = clause
        allowed = None
        if where:
            rows = self.connection.execute(f"SELECT seq FROM papers p{where}", values).fetchall()
            allowed = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
        return [seq for seq, _ in self.vectors.nearest(encoder.embed([text])[0], depth, allowed)]

    def _hits(self, rankings: Mapping[str, Sequence[int]], match: str, limit: int) -> tuple[Hit, ...]:
        best = fuse(rankings)[:limit]
        places = {name: {seq: rank for rank, seq in enumerate(ranking, 1)} for name, ranking in rankings.items()}
        columns = ", ".join(COLUMNS)
        marks = ", ".join("?" * len(best))
        ask = f"SELECT {columns}, seq, summary FROM papers WHERE seq IN ({marks})"
        rows = {row[-2]: row for row in self.connection.execute(ask, [seq for seq, _ in best])}
        found = [(rows[seq], score) for seq, score in best if seq in rows]
        records = [Record(*row[: len(COLUMNS)]) for row, _ in found]
        texts = [f"{row[-1]} {record.abstract}".strip() for (row, _), record in zip(found, records, strict=True)]
        return tuple(
            Hit(record, score, snippet, {name: known[row[-2]] for name, known in places.items() if row[-2] in known})
            for record, (row, score), snippet in zip(records, found, snippets(texts, match), strict=True)
        )
