"""A reader's words as a query of the index: nothing that is typed can be an operator."""

from __future__ import annotations

import re
from collections.abc import Callable

from tutelage.papers.library.database import spaced
from tutelage.papers.library.record import clean

__all__ = ["expression", "quoted", "terms", "weighed"]

_MOST_TERMS = 48
_LONGEST = 64
_TERM = re.compile(r'"([^"]+)"|(\w+(?:[-\u2010\u2011]\w+)*)')
_EVERYWHERE = (
    "a about an and any are as at be been but by can could did do does for from had has have how i if in into is it "
    "its me my no not of on one or our show so some such than that the their them then there these they this those to "
    "too up use used using was we were what when where whether which while who why will with without would you your "
    "paper papers work works find"
)
_STOP_WORDS = frozenset(_EVERYWHERE.split())


def terms(query: str) -> tuple[str, ...]:
    """Words of a query, each once, and "phrases in quotes"; words that every text has are left out if others are there.

    Hyphenated words count as phrases. At most 48 are kept, each of at most 64 characters.

    Example:
        >>> terms('How does "on-policy" training NOT forget?')
        ('on-policy', 'training', 'forget')
        >>> terms("to be")
        ('to', 'be')
    """
    found: dict[str, None] = {}
    for match in _TERM.finditer(clean(query[:20_000])):
        term = (match[1] or match[2]).strip()[:_LONGEST].casefold()
        if any(character.isalnum() for character in term):
            found.setdefault(term)
    kept = [term for term in found if term not in _STOP_WORDS] or list(found)
    return tuple(kept[:_MOST_TERMS])


def quoted(word: str) -> str:
    """One word or phrase as a MATCH expression in which nothing is an operator.

    Example:
        >>> quoted('a"b')
        '"a""b"'
    """
    return '"' + spaced(word).replace('"', '""') + '"'


def expression(words: tuple[str, ...]) -> str:
    """The words as one MATCH expression: any of them may match, each inside quotes.

    Example:
        >>> expression(("weak-to-strong", 'a"b'))
        '"weak-to-strong" OR "a""b"'
    """
    return " OR ".join(map(quoted, words))


def weighed(words: tuple[str, ...], frequency: Callable[[str], int], budget: int) -> tuple[str, ...]:
    """The words that are weighed: the most frequent, which say the least, are left out beyond a budget.

    Args:
        words: see :func:`terms`.
        frequency: how many papers match a word.
        budget: how many matches to weigh in all; at least one word stays.

    Example:
        >>> weighed(("the", "kite", "boat"), {"the": 90, "kite": 2, "boat": 5}.__getitem__, 50)
        ('kite', 'boat')
    """
    kept: list[str] = []
    spent = 0
    for count, word in sorted((frequency(word), word) for word in words):
        if kept and spent + count > budget:
            break
        spent += count
        kept.append(word)
    return tuple(word for word in words if word in kept)
