"""Words as the index keeps them, found by the index's own rules."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from threading import Lock

from tutelage.papers.library.database import TOKENIZER, spaced

__all__ = ["Stems"]


class Stems:
    """Takes texts apart into stems as the index does; one object may be used by several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._connection.execute(f"CREATE VIRTUAL TABLE words USING fts5 (body, tokenize = '{TOKENIZER}')")
        self._connection.execute("CREATE VIRTUAL TABLE stems USING fts5vocab (words, 'instance')")

    def of(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """Stems of every text, in their order.

        Example:
            >>> Stems().of(["Kites flying", ""])
            [('kite', 'fly'), ()]
        """
        rows = [(number, spaced(text)) for number, text in enumerate(texts)]
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                self._connection.executemany("INSERT INTO words (rowid, body) VALUES (?, ?)", rows)
                found = self._connection.execute("SELECT doc, offset, term FROM stems").fetchall()
            finally:
                self._connection.execute("ROLLBACK")
        stems: list[list[str]] = [[] for _ in texts]
        for number, _, term in sorted(found):
            stems[number].append(term)
        return [tuple(one) for one in stems]

    def close(self) -> None:
        """Give the memory back; the object cannot be used any more."""
        with self._lock:
            self._connection.close()
