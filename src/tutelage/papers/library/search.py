"""Search by keyword and by meaning, fused by reciprocal rank."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import RLock
from typing import Literal

from tutelage.errors import AssetError, ConfigError, ModelError, StoreError
from tutelage.papers.library.adding import COLUMNS
from tutelage.papers.library.columns import Mask
from tutelage.papers.library.database import BUSY_SECONDS
from tutelage.papers.library.query import expression, quoted, terms, weighed
from tutelage.papers.library.readers import Deadline, Readers
from tutelage.papers.library.record import Filters, Found, Hit, Record, clean
from tutelage.papers.library.remembered import Memory, State, prepare, ranked
from tutelage.papers.library.snippet import snippets
from tutelage.papers.library.stems import Stems
from tutelage.papers.library.vectors import Embeds, VectorIndex

__all__ = ["ENCODER", "Mode", "Searcher", "Wish", "fuse"]

Mode = Literal["auto", "keyword", "meaning"]

ENCODER = "all-minilm-l6-v2"
_DEPTHS = (256, 1000)  # of each ranking that is fused: one for all pages of an answer, so that they fit together
_AT_ONCE = 128  # vectors that a search computes by itself when no more are missing
_BULK = 1000  # missing vectors from which they are computed in bulk
_BUDGET = 300_000  # matches that BM25 weighs for one query
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


@dataclass(frozen=True)
class Wish:
    """What is to be found.

    Args:
        filters: which papers count.
        slugs: entries of the catalogue with the status that ``filters`` name; None when it names none of theirs.
        limit: how many at most.
        offset: how many to leave out first.
        deadline: when the work has to end.
    """

    filters: Filters
    slugs: tuple[str, ...] | None
    limit: int
    offset: int
    deadline: Deadline

    @property
    def depth(self) -> int:
        """How deep each ranking goes."""
        return next((depth for depth in _DEPTHS if self.limit + self.offset <= depth), _DEPTHS[-1])

    @property
    def narrow(self) -> bool:
        """Whether not all papers count."""
        return self.filters != Filters()


class Searcher:
    """Searches a library; may be used by several threads, which do not wait for each other.

    Args:
        writer: the connection that writes, used only while ``lock`` is held.
        lock: of the writer.
        readers: of the library.
        encoder: see :class:`tutelage.papers.library.Library`.
    """

    def __init__(self, writer: sqlite3.Connection, lock: RLock, readers: Readers, encoder: Embeds | str | None) -> None:
        self.vectors = VectorIndex(readers.path)
        self._writer, self._lock, self._readers = writer, lock, readers
        self._memory, self._stems = Memory(), Stems()
        self._encoder, self._embedded = encoder, encoder == "auto"
        self._why_none = "" if encoder is not None else "the library was opened without an encoder"

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
        with self._lock:
            if self._embedded and self.vectors.missing(self._writer, encoder) > _BULK:
                from tutelage.papers.library.encoding import open_encoder

                encoder = open_encoder(ENCODER, bulk=True)
            return self.vectors.fill(self._writer, encoder, progress)

    def close(self) -> None:
        """No more searches."""
        self._readers.close()
        self._stems.close()

    def prepare(self, deadline: Deadline) -> None:
        """See :meth:`tutelage.papers.library.Library.prepare`."""
        prepare(self._readers, self._memory, self._stems, deadline)
        with self._readers.lend(deadline) as connection:
            self.vectors.matrix(connection)

    def search(self, query: str, mode: Mode, wish: Wish) -> Found:
        """See :meth:`tutelage.papers.library.Library.search`."""
        if mode not in ("auto", "keyword", "meaning"):
            raise ConfigError(f"unknown mode {mode!r}", hint="auto, keyword or meaning")
        text = clean(query[:_FROM_QUERY])
        if not text:
            return Found((), "keyword", "nothing to search for")
        words, notes, encoder = terms(query), [], None
        if mode != "keyword":
            try:
                encoder = self.encoder()
            except ConfigError:
                if mode == "meaning":
                    raise
                notes.append(f"by keyword only: `tutelage assets install {ENCODER}` adds search by meaning")
            else:
                notes += self._catch_up(encoder, wish.deadline)
        if not words and mode != "meaning":
            notes.append("no words to look up")
        with self._readers.lend(wish.deadline) as connection:
            state = self._memory.at(connection)
            key = (text, words, mode, encoder and encoder.weights_hash, self._place(connection, wish))
            rankings = state.rankings.made(
                key,
                lambda: self._rankings(connection, state, (text, words if mode != "meaning" else None), encoder, wish),
                _size,
            )
            hits = self._hits(connection, rankings, expression(words), wish)
        told = "fused" if len(rankings) == 2 else next(iter(rankings))
        return Found(hits, told, "; ".join(notes))

    def similar(self, record: Record, wish: Wish) -> tuple[Hit, ...]:
        """See :meth:`tutelage.papers.library.Library.similar`."""
        with self._readers.lend(wish.deadline) as connection:
            seq = int(connection.execute("SELECT seq FROM papers WHERE id = ?", (record.id,)).fetchone()[0])
            vector = self.vectors.vector(connection, seq)
        if vector is None:
            with suppress(ConfigError):
                self._catch_up(self.encoder(), wish.deadline)
        with self._readers.lend(wish.deadline) as connection:
            state = self._memory.at(connection)
            key = (seq, self._place(connection, wish))
            rankings = state.rankings.made(key, lambda: self._like(connection, state, seq, record.title, wish), _size)
            return self._hits(connection, rankings, "", wish)

    def _place(self, connection: sqlite3.Connection, wish: Wish) -> Hashable:
        """What a ranking depends on besides the query and the papers."""
        return (self.vectors.version(connection), wish.filters, wish.slugs, wish.depth)

    def _rankings(
        self,
        connection: sqlite3.Connection,
        state: State,
        asked: tuple[str, tuple[str, ...] | None],
        encoder: Embeds | None,
        wish: Wish,
    ) -> dict[str, list[int]]:
        """Papers by keyword, when words are asked for, and by meaning, when there is an encoder: each best first."""
        text, words = asked
        allowed = state.columns(connection).allowed(wish.filters, wish.slugs) if wish.narrow else None
        found = {}
        if words is not None:
            found["keyword"] = self._by_keyword(connection, state, words, wish.depth, allowed)
        if encoder is not None:
            wish.deadline.check()
            known = self.vectors.made_by(connection, encoder)
            query = encoder.embed([text])[0] if known else None
            near = [] if query is None else self.vectors.nearest(connection, query, wish.depth, allowed)
            found["meaning"] = [seq for seq, _ in near]
        return found

    def _by_keyword(
        self, connection: sqlite3.Connection, state: State, words: tuple[str, ...], depth: int, allowed: Mask | None
    ) -> list[int]:
        stems = {word: one for word, one in zip(words, self._stems.of(words), strict=True) if one}
        asked = tuple(stems)
        if len(asked) * state.papers(connection) > _BUDGET:
            asked = weighed(asked, lambda word: state.frequency(connection, quoted(word), stems[word]), _BUDGET)
        postings = [state.posting(connection, quoted(word), stems[word]) for word in asked]
        return [seq for seq, _ in ranked(postings, depth, allowed)]

    def _like(
        self, connection: sqlite3.Connection, state: State, seq: int, title: str, wish: Wish
    ) -> dict[str, list[int]]:
        vector = self.vectors.vector(connection, seq)
        if vector is not None:
            name, found = "meaning", [one for one, _ in self.vectors.nearest(connection, vector, wish.depth)]
        else:
            name, found = "keyword", self._by_keyword(connection, state, terms(title), wish.depth, None)
        return {name: [one for one in found if one != seq]}

    def _catch_up(self, encoder: Embeds, deadline: Deadline) -> list[str]:
        """Compute a few missing vectors; a note when there are more, or another writer keeps the library."""
        with self._readers.lend(deadline) as connection:
            missing = self.vectors.missing(connection, encoder)
        if not missing:
            return []
        note = f"{missing} papers are not searched by meaning yet: `tutelage papers search --index` prepares them"
        if missing > _AT_ONCE:
            return [note]
        patience = max(0.0, min(deadline.left() / 2, BUSY_SECONDS))  # the other half is the search's
        if not self._lock.acquire(timeout=patience):
            return [note]
        try:
            self._writer.execute(f"PRAGMA busy_timeout = {int(1000 * patience)}")
            self.vectors.fill(self._writer, encoder, lambda *_: deadline.check())
        except StoreError as error:
            if not str(getattr(error.__cause__, "sqlite_errorname", "")).startswith("SQLITE_BUSY"):
                raise
            return [note]
        finally:
            self._writer.execute(f"PRAGMA busy_timeout = {int(1000 * BUSY_SECONDS)}")
            self._lock.release()
        return []

    def _hits(
        self, connection: sqlite3.Connection, rankings: Mapping[str, Sequence[int]], match: str, wish: Wish
    ) -> tuple[Hit, ...]:
        best = fuse(rankings)[wish.offset : wish.offset + wish.limit]
        places = {name: {seq: rank for rank, seq in enumerate(ranking, 1)} for name, ranking in rankings.items()}
        columns = ", ".join(COLUMNS)
        marks = ", ".join("?" * len(best))
        ask = f"SELECT {columns}, seq, summary FROM papers WHERE seq IN ({marks})"
        rows = {row[-2]: row for row in connection.execute(ask, [seq for seq, _ in best])}
        found = [(rows[seq], score) for seq, score in best if seq in rows]
        records = [Record(*row[: len(COLUMNS)]) for row, _ in found]
        texts = [f"{row[-1]} {record.abstract}".strip() for (row, _), record in zip(found, records, strict=True)]
        return tuple(
            Hit(record, score, snippet, {name: known[row[-2]] for name, known in places.items() if row[-2] in known})
            for record, (row, score), snippet in zip(records, found, snippets(texts, match), strict=True)
        )


def _size(rankings: dict[str, list[int]]) -> int:
    return sum(map(len, rankings.values()))
