"""Texts as words with their places: what skills are looked up in, in time that grows with the length of the text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Span", "Word", "key_of", "sentences", "words"]

_WORD = re.compile(r"\w+|[^\w\s]")
_BULLET = re.compile(r"[-*•·‣◦–—]|\d{1,3}[.)]")
_HYPHENS = "-‐‑–—_"
_STOPS = ".!?;"
_WRAPPED = 50  # characters from which a line may have been broken for want of room


@dataclass(frozen=True)
class Span:
    """Characters ``start`` to ``end`` (not included) of a text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """The characters themselves."""
        return text[self.start : self.end]


@dataclass(frozen=True)
class Word:
    """A word or a single mark: its folded form, its place, and what stands before it.

    ``gap`` is ``""`` where it is glued to the word before, ``" "`` after white space or a hyphen, and ``"\\n"`` after
    an empty line or where a list item begins.
    """

    form: str
    span: Span
    gap: str


def words(text: str) -> list[Word]:
    """All words of ``text`` with their places; a hyphen between words counts as white space.

    Example:
        >>> [(word.form, word.gap) for word in words("Node.js, machine-learning")]
        [('node', '\\n'), ('.', ''), ('js', ''), (',', ''), ('machine', ' '), ('learning', ' ')]
    """
    found: list[Word] = []
    last, hyphen = 0, False
    for match in _WORD.finditer(text):
        start, end = match.span()
        mark = match[0]
        if mark in _HYPHENS and len(mark) == 1:
            hyphen = True
            continue
        between = text[last:start]
        gap = "\n" if not found or _breaks(between) else " " if start > last or hyphen else ""
        for part, offset in _underscored(mark, start):
            found.append(Word(_folded(part), Span(offset, offset + len(part)), gap))
            gap = " "
        last, hyphen = end, False
    return found


def _breaks(between: str) -> bool:
    """Whether a list item or paragraph begins after this white space (in which hyphens may stand)."""
    lines = between.split("\n", 2)
    return len(lines) > 2 or (len(lines) == 2 and any(mark in lines[1] for mark in _HYPHENS))


def _underscored(mark: str, start: int) -> Iterator[tuple[str, int]]:
    if "_" not in mark:
        yield mark, start
        return
    for part in re.finditer(r"[^_]+", mark):
        yield part[0], start + part.start()


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def key_of(found: list[Word]) -> str:
    """Words as a key: the same for all spellings that count as one.

    Example:
        >>> key_of(words("Machine-Learning")) == key_of(words("machine  learning"))
        True
    """
    return "".join(("" if place == 0 else word.gap) + word.form for place, word in enumerate(found))


def sentences(text: str) -> list[Span]:
    """Sentences and list items of ``text``, without the white space around them, in order.

    A stop followed by white space ends a sentence. So does the end of a line, unless the line is long, ends without a
    stop and is followed by one that is neither empty nor a list item: such lines were wrapped.

    Example:
        >>> text = "Knows Go. Led a team\\n- SQL\\n- Node.js"
        >>> [span.of(text) for span in sentences(text)]
        ['Knows Go.', 'Led a team', '- SQL', '- Node.js']
    """
    ends = [0]
    begin = 0
    for place, mark in enumerate(text):
        if mark == "\n":
            if place - begin < _WRAPPED or _ends_here(text, place):
                ends.append(place)
            begin = place + 1
        elif mark in _STOPS and text[place + 1 : place + 2].isspace():
            ends.append(place + 1)
    ends.append(len(text))
    found = []
    for start, end in pairwise(ends):
        inner = text[start:end]
        first = start + len(inner) - len(inner.lstrip())
        last = first + len(inner.strip())
        if any(mark.isalnum() for mark in text[first:last]):
            found.append(Span(first, last))
    return found


def _ends_here(text: str, place: int) -> bool:
    """Whether a long line ends a sentence: by its last character, or by what begins the next."""
    following = text[place + 1 : place + 40].lstrip(" \t")
    last = text[max(0, place - 40) : place].rstrip()[-1:]
    return not following or following[0] in "\r\n" or last in (*_STOPS, ":", "") or bool(_BULLET.match(following))
