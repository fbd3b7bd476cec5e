"""Lists as models write them, ``["a", 1, [2, 'b']]``, read by a small grammar and never by evaluating anything."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from tutelage.verify.numbers import numbers

__all__ = ["last_list", "read_list"]

_TAIL = 10_000  # characters that are read
_DEEPEST = 16
_CLOSE = {"[": "]", "(": ")", "{": "}"}
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NUMBER = re.compile(r"[-+]?(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][-+]?\d{1,3})?+")
_WORDS = {"true": True, "false": False, "null": None, "none": None}
_FAILED = object()


def read_list(text: str, *, sets: bool = True) -> Any:
    """The list that the whole text is, or None.

    Square and round brackets make a list, curly ones a frozenset (with tuples for lists in it), or a tuple where
    ``sets`` is False; values are quoted
    texts, numbers, true, false, null, or words without quotation marks up to the next comma or bracket. At most 10,000
    characters and 16 brackets deep.

    Example:
        >>> read_list("['a', 1.5, [b c, -2]]")
        ['a', Fraction(3, 2), ['b c', Fraction(-2, 1)]]
        >>> read_list("it is [1]") is None
        True
    """
    plain = text.strip()
    if len(plain) > _TAIL or not plain or plain[0] not in _CLOSE:
        return None
    value, end = _list(plain, 0, 1, sets)
    return value if value is not _FAILED and end == len(plain) else None


def last_list(text: str, *, sets: bool = True) -> Any:
    """The last complete outer list in the last 10,000 characters of a text, or None; ``sets`` as in :func:`read_list`.

    Example:
        >>> last_list("Not [1], but [2, 3] it is.")
        [Fraction(2, 1), Fraction(3, 1)]
    """
    plain, place, found = text[-_TAIL:], 0, None
    tries = 0
    while place < len(plain) and tries < 64:
        if plain[place] not in _CLOSE:
            place += 1
            continue
        tries += 1
        value, end = _list(plain, place, 1, sets)
        if value is _FAILED:
            place += 1
        else:
            found, place = value, end
    return found


def _list(text: str, start: int, depth: int, sets: bool) -> tuple[Any, int]:
    """The list that begins at ``start`` and the place behind it; ``_FAILED`` where there is none."""
    close, items, place = _CLOSE[text[start]], list[Any](), _skip(text, start + 1)
    if depth > _DEEPEST:
        return _FAILED, start
    while place < len(text) and text[place] != close:
        value, place = _value(text, place, depth, sets)
        place = _skip(text, place)
        if value is _FAILED or place >= len(text) or text[place] not in f",{close}":
            return _FAILED, start
        items.append(value)
        if text[place] == ",":
            place = _skip(text, place + 1)
    if place >= len(text):
        return _FAILED, start
    if close != "}":
        return items, place + 1
    return (frozenset(map(_hashable, items)) if sets else tuple(items)), place + 1


def _value(text: str, start: int, depth: int, sets: bool) -> tuple[Any, int]:
    sign = text[start]
    if sign in _CLOSE:
        return _list(text, start, depth + 1, sets)
    if sign in _QUOTES:
        end = start + 1
        while end < len(text) and text[end] != _QUOTES[sign]:
            end += 2 if text[end] == "\\" else 1
        return (_FAILED, start) if end >= len(text) else (_ESCAPED.sub(r"\1", text[start + 1 : end]), end + 1)
    end = start
    while end < len(text) and text[end] not in ",[](){}":
        end += 1
    word = text[start:end].strip()
    if not word:
        return _FAILED, start
    if word.casefold() in _WORDS:
        return _WORDS[word.casefold()], end
    if _NUMBER.fullmatch(word):
        found = numbers(word)
        return (found[0] if len(found) == 1 else word), end
    return word, end


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def written(value: Any) -> str:
    """A value as :func:`read_list` reads it.

    Example:
        >>> written(["a", 2, Fraction(1, 2)])
        '["a", 2, 0.5]'
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, Fraction):
        return str(value.numerator) if value.denominator == 1 else repr(float(value))
    return f'"{value}"' if isinstance(value, str) else str(value)
