"""What is remembered of one state of the library, so that a search is arithmetic on arrays.

The index of words stays SQLite's. What it says of a term, which papers have it and its part of their BM25, is asked
for once; ``bm25()`` of a query is the sum of its terms' parts, so sums of these give the very same numbers.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from tutelage.papers.library.columns import Columns, Mask, read_columns
from tutelage.papers.library.readers import Deadline, Readers
from tutelage.papers.library.stems import Stems

__all__ = ["WEIGHTS", "Memory", "Posting", "State", "prepare", "ranked"]

WEIGHTS = "6.0, 2.0, 3.0, 1.0"  # of title, summary, keywords, abstract
_POSTINGS = 12_000_000  # places in lists of papers that are kept: 12 bytes each
_PREPARED = 10_000_000  # of them at most made in advance
_FREQUENT = 1_000  # papers with a term from which its list is made in advance: below, asking takes 3 ms
_RANKINGS = 200_000  # places in finished rankings that are kept

T = TypeVar("T")


class Posting(NamedTuple):
    """The papers with a term, and what the term adds to ``bm25()`` of each (below 0; the lower, the better)."""

    seqs: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float64]


class Recent(Generic[T]):
    """The values used last; several threads may use it, and a value may be made twice.

    Args:
        most: sum of the sizes of what is kept.
    """

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._lock = Lock()
        self._known: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        """The value of a key, if it is still known."""
        with self._lock:
            if key not in self._known:
                return None
            self._known.move_to_end(key)
            return self._known[key][0]

    def made(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """The value of a key, made when it is not known."""
        known = self.get(key)
        if known is not None:
            return known
        value = make()
        with self._lock:
            if key not in self._known:
                self._known[key] = (value, size(value) + 1)
                self._held += size(value) + 1
            while self._held > self._most:
                self._held -= self._known.popitem(last=False)[1][1]
        return value


class State:
    """What is known of the library at one ``version``; every connection given must see that version."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.rankings: Recent[dict[str, list[int]]] = Recent(_RANKINGS)
        self.prepared = False
        self._postings: Recent[Posting] = Recent(_POSTINGS)
        self._counts: Recent[int] = Recent(10_000)
        self._columns: Columns | None = None

    def posting(self, connection: sqlite3.Connection, term: str, stems: tuple[str, ...]) -> Posting:
        """Papers with a quoted term, whose stems are known."""
        return self._postings.made(stems, lambda: _read_posting(connection, term), lambda one: len(one.seqs))

    def frequency(self, connection: sqlite3.Connection, term: str, stems: tuple[str, ...]) -> int:
        """How many papers have a quoted term."""
        known = self._postings.get(stems)
        if known is not None:
            return len(known.seqs)
        ask = "SELECT count(*) FROM words WHERE words MATCH ?"
        return self._counts.made(stems, lambda: int(connection.execute(ask, (term,)).fetchone()[0]), lambda _: 0)

    def papers(self, connection: sqlite3.Connection) -> int:
        """How many papers there are."""
        ask = "SELECT count(*) FROM papers"
        return self._counts.made(None, lambda: int(connection.execute(ask).fetchone()[0]), lambda _: 0)

    def columns(self, connection: sqlite3.Connection) -> Columns:
        """What filters go by."""
        if self._columns is None:
            self._columns = read_columns(connection)
        return self._columns


class Memory:
    """The newest state of the library that was seen."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._state = State(-1)

    def at(self, connection: sqlite3.Connection) -> State:
        """What is remembered of the state that ``connection`` sees."""
        version = int(connection.execute("SELECT value FROM facts WHERE name = 'papers'").fetchone()[0])
        with self._lock:
            if version > self._state.version:
                self._state = State(version)
            return self._state if version == self._state.version else State(version)


def ranked(postings: Sequence[Posting], count: int, allowed: Mask | None = None) -> list[tuple[int, float]]:
    """The papers with the lowest sums of scores, as (seq, sum), best first; ties by seq.

    Args:
        postings: of the terms of a query.
        count: how many at most.
        allowed: papers that may be answered; None allows all.
    """
    postings = [one for one in postings if len(one.seqs)]
    if not postings or count < 1:
        return []
    sums = np.zeros(max(int(one.seqs[-1]) for one in postings) + 1)
    for one in postings:
        sums[one.seqs] += one.scores
    found = np.flatnonzero(sums < 0 if allowed is None else (sums < 0) & allowed[: len(sums)])
    scores = sums[found]
    if len(found) > count:
        near = scores <= np.partition(scores, count - 1)[count - 1]
        found, scores = found[near], scores[near]
    order = np.lexsort((found, scores))[:count]
    return [(int(found[n]), float(scores[n])) for n in order]


def prepare(readers: Readers, memory: Memory, stems: Stems, deadline: Deadline) -> None:
    """Remember the lists of frequent terms, which take longest to ask for; nothing is done for a state that has them.

    Ends early, to be called again, when the library changes meanwhile.
    """
    with readers.lend(deadline) as connection:
        state = memory.at(connection)
        if state.prepared:
            return
        state.columns(connection)
        ask = "SELECT term, doc FROM temp.vocabulary WHERE doc > ? ORDER BY doc DESC"
        frequent = connection.execute(ask, (_FREQUENT,)).fetchall()
    held = 0
    for (term, count), found in zip(frequent, stems.of([term for term, _ in frequent]), strict=True):
        held += count
        if held > _PREPARED:
            break
        if found != (term,):  # a stem that is no stem of itself cannot be asked for
            continue
        with readers.lend(deadline) as connection:  # one at a time, so that a writer need not wait
            if memory.at(connection) is not state:
                return
            state.posting(connection, f'"{term}"', found)
    state.prepared = True


def _read_posting(connection: sqlite3.Connection, term: str) -> Posting:
    ask = f"SELECT rowid, bm25(words, {WEIGHTS}) FROM words WHERE words MATCH ? ORDER BY rowid"
    rows = connection.execute(ask, (term,)).fetchall()
    found = np.fromiter(rows, dtype=[("seq", np.int32), ("score", np.float64)], count=len(rows))
    return Posting(np.ascontiguousarray(found["seq"]), np.ascontiguousarray(found["score"]))
