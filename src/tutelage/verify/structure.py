"""Does the text have the form that was asked for? JSON, and how many words, sentences, lines, bullets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from tutelage.errors import RangeError
from tutelage.types import Chat, Verdict, Verifier
from tutelage.verify.registry import constraints, verifiers

__all__ = [
    "bullets",
    "count_bullets",
    "count_lines",
    "count_paragraphs",
    "count_sentences",
    "count_words",
    "json_keys",
    "json_valid",
    "lines",
    "paragraphs",
    "parsed_json",
    "sentences",
    "words",
]

_WORD = re.compile(r"\w++(?:(?:['’\-]|(?<=\d)[.,](?=\d))\w++)*+")
_SENTENCE_END = re.compile(r"[.!?。！？]++[\"'”’)\]]*+(?=\s|$)|[。！？]++")
_ABBREVIATION = re.compile(r"(?:\b(?:mr|mrs|ms|dr|prof|st|vs|etc|e\.g|i\.e|no|approx)|\b[a-z]|\b\d{1,3})\.$")
_BULLET = re.compile(r"^[ \t]*+(?:[-*+•‣–]|\d{1,3}[.)])[ \t]+\S")
_BLANK = re.compile(r"\n[ \t\r]*+\n")


@verifiers.register("json")
def json_valid(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """1 when the whole text, perhaps inside a code fence, is one strict JSON value (no NaN)."""
    del prompt, reference
    _, problem = parsed_json(text)
    return Verdict(float(problem is None), problem or "")


@constraints.register("json-keys")
def json_keys(keys: Sequence[str]) -> Verifier:
    """A verifier that the text is a JSON object with (at least) these keys.

    Args:
        keys: names that must be there.

    Example:
        >>> json_keys(["name"])([], '{"name": 1}', None).score
        1.0
    """

    def judge(prompt: Chat, text: str, reference: str | None) -> Verdict:
        """1 when the text is a JSON object with the keys."""
        del prompt, reference
        value, problem = parsed_json(text)
        if problem is None and not isinstance(value, dict):
            problem = "the JSON is not an object"
        if problem is None and isinstance(value, dict):
            missing = [key for key in keys if key not in value]
            problem = f"without the keys {', '.join(missing)}" if missing else None
        return Verdict(float(problem is None), problem or "")

    return judge


def parsed_json(text: str) -> tuple[object, str | None]:
    """The strict JSON value of a whole text, perhaps inside a code fence, or what is wrong with it."""
    plain = text.strip()
    if plain.startswith("```") and plain.endswith("```"):
        plain = plain.partition("\n")[2].removesuffix("```")
    try:
        return json.loads(plain, parse_constant=_refuse), None
    except RecursionError:
        return None, "nested too deeply"
    except ValueError as error:
        return None, f"not JSON: {str(error)[:100]}"


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def count_words(text: str) -> int:
    """Words; "don't", "well-known" and "3.5" are one each."""
    return sum(1 for _ in _WORD.finditer(text))


def count_sentences(text: str) -> int:
    """Sentences: ends of sentence that close something, and a rest without one; common abbreviations do not end."""
    count = start = 0
    last = len(text.rstrip())
    for match in _SENTENCE_END.finditer(text):
        tail = text[max(start, match.end() - 12) : match.end()].casefold()
        if _ABBREVIATION.search(tail) and match.end() < last:
            continue
        if _WORD.search(text, start, match.end()):
            count += 1
        start = match.end()
    return count + (_WORD.search(text, start) is not None)


def count_lines(text: str) -> int:
    """Lines that are not blank."""
    return sum(1 for line in text.splitlines() if line.strip())


def count_paragraphs(text: str) -> int:
    """Blocks of text between blank lines."""
    return sum(1 for block in _BLANK.split(text) if block.strip())


def count_bullets(text: str) -> int:
    """Lines that start with ``-``, ``*``, ``+``, a bullet, or a number with a point or bracket."""
    return sum(1 for line in text.splitlines() if _BULLET.match(line))


def _counted(noun: str, count: Callable[[str], int], least: int | None, most: int | None) -> Verifier:
    if least is None and most is None:
        raise RangeError(f"{noun}: give least, most or both")
    low, high = least or 0, most
    if low < 0 or (high is not None and high < low):
        raise RangeError(f"{noun}: least {least} and most {most} leave no number")

    def judge(prompt: Chat, text: str, reference: str | None) -> Verdict:
        """1 when the number lies within the limits."""
        del prompt, reference
        found = count(text)
        right = found >= low and (high is None or found <= high)
        limits = f"at least {low}" if high is None else f"{low}" if low == high else f"{low} to {high}"
        return Verdict(float(right), "" if right else f"{found} {noun}, wanted {limits}")

    return judge


@constraints.register("words")
def words(least: int | None = None, most: int | None = None) -> Verifier:
    """A verifier of the number of words, both limits included.

    Raises:
        RangeError: no limit, or limits that leave no number.
    """
    return _counted("words", count_words, least, most)


@constraints.register("sentences")
def sentences(least: int | None = None, most: int | None = None) -> Verifier:
    """A verifier of the number of sentences, both limits included.

    Raises:
        RangeError: no limit, or limits that leave no number.
    """
    return _counted("sentences", count_sentences, least, most)


@constraints.register("lines")
def lines(least: int | None = None, most: int | None = None) -> Verifier:
    """A verifier of the number of lines that are not blank, both limits included.

    Raises:
        RangeError: no limit, or limits that leave no number.
    """
    return _counted("lines", count_lines, least, most)


@constraints.register("paragraphs")
def paragraphs(least: int | None = None, most: int | None = None) -> Verifier:
    """A verifier of the number of paragraphs, both limits included.

    Raises:
        RangeError: no limit, or limits that leave no number.
    """
    return _counted("paragraphs", count_paragraphs, least, most)


@constraints.register("bullets")
def bullets(least: int | None = None, most: int | None = None) -> Verifier:
    """A verifier of the number of list items, both limits included.

    Raises:
        RangeError: no limit, or limits that leave no number.
    """
    return _counted("bullets", count_bullets, least, most)
