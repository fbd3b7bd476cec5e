"""Where the words of a query stand in a text, found by the index's own rules for words."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from tutelage.papers.library.database import TOKENIZER, spaced
from tutelage.papers.library.record import Piece

__all__ = ["snippets"]

_OPEN, _CLOSE = "\x02", "\x03"  # texts of the library hold no control characters
_WORDS = 32


def snippets(texts: Sequence[str], match: str) -> list[tuple[Piece, ...]]:
    """About 32 words of every text around the words that match; its beginning when none does.

    Args:
        texts: texts of records.
        match: a MATCH expression, or empty.

    Example:
        >>> snippets(["Debates help."], '"debate"')
        [(Piece(text='Debates', marked=True), Piece(text=' help.', marked=False))]
    """
    found: dict[int, str] = {}
    if match and texts:
        connection = sqlite3.connect(":memory:")
        try:
            connection.execute(f"CREATE VIRTUAL TABLE words USING fts5 (body, tokenize = '{TOKENIZER}')")
            connection.executemany(
                "INSERT INTO words (rowid, body) VALUES (?, ?)", ((n, spaced(text)) for n, text in enumerate(texts))
            )
            ask = "SELECT rowid, snippet(words, 0, ?, ?, '…', ?) FROM words WHERE words MATCH ?"
            found = dict(connection.execute(ask, (_OPEN, _CLOSE, _WORDS, match)))
        finally:
            connection.close()
    return [_pieces(found[n]) if n in found else _beginning(text) for n, text in enumerate(texts)]


def _pieces(marked: str) -> tuple[Piece, ...]:
    pieces = []
    for number, part in enumerate(marked.replace("\u200b", "").split(_OPEN)):
        inside, closed, after = part.partition(_CLOSE)
        if number and closed:
            pieces += [Piece(inside, True), Piece(after, False)]
        else:
            pieces.append(Piece(part, False))
    return tuple(piece for piece in pieces if piece.text)


def _beginning(text: str) -> tuple[Piece, ...]:
    words = text.split(" ", _WORDS)
    short = " ".join(words[:_WORDS])[:400]
    return (Piece(short + ("…" if len(short) < len(text) else ""), False),) if short else ()
