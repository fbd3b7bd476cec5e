"""Is the answer right? Exact, contained, the one choice, the number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from tutelage.errors import ConfigError, RangeError
from tutelage.types import Chat, Verdict, Verifier
from tutelage.verify.numbers import numbers
from tutelage.verify.registry import constraints, verifiers

__all__ = ["choice", "contains", "exact", "named_choices", "normalised_answer", "number", "number_within"]

_NOT_WORDS = re.compile(r"[^\w+\-*/=<>%°$€£.]+|\.(?!\d)")
_EMPHASIS = re.compile(r"(?<![^\W_])[*_`]++|[*_`]++(?![^\W_])")  # marks around words, not the star of 2*3
_ARTICLES = ("the ", "a ", "an ")
_TAIL = 10_000  # characters in which the last number is looked for
_LETTER = re.compile(r"\(?([A-Za-z])(?:[).:]|$)")
_ANSWER_LETTER = re.compile(r"\b(?:answer|option|choice)(?: is)?:? \(?([A-Za-z])\b")


def normalised_answer(text: str) -> str:
    """An answer for comparison: NFKC, no case, no punctuation or emphasis, single spaces, no leading article.

    Example:
        >>> normalised_answer(" The  Eiffel Tower. ")
        'eiffel tower'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = " ".join(_NOT_WORDS.sub(" ", _EMPHASIS.sub(" ", folded)).split())
    for article in _ARTICLES:
        if plain.startswith(article) and len(plain) > len(article):
            return plain[len(article) :]
    return plain


@verifiers.register("exact")
def exact(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """1 when the text is the reference, apart from case, punctuation, white space and a leading article."""
    del prompt
    if reference is None:
        return _no_reference()
    right = normalised_answer(text) == normalised_answer(reference)
    return Verdict(float(right), "" if right else f"expected {reference[:80]!r}")


@verifiers.register("contains")
def contains(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """1 when the reference, normalised, stands in the text as whole words: for short answers."""
    del prompt
    if reference is None:
        return _no_reference()
    wanted = normalised_answer(reference)
    if not wanted:
        return Verdict(0.0, "the reference is empty")
    right = f" {wanted} " in f" {normalised_answer(text)} "
    return Verdict(float(right), "" if right else f"{reference[:80]!r} is not in the text")


@constraints.register("choice")
def choice(choices: Sequence[str]) -> Verifier:
    """A verifier of answers to a multiple choice: the text must name the right choice and no other.

    A choice is named by its words (whole words; a longer choice that holds a shorter one counts alone), or, when
    none is, by its letter: the whole text, its start ("B) ..."), or "the answer is B".

    Args:
        choices: at least two different texts; the reference is one of them.

    Raises:
        ConfigError: fewer than two, or two that read the same.

    Example:
        >>> judge = choice(["caring", "handling"])
        >>> judge([], "This is handling.", "handling").score, judge([], "caring or handling", "handling").score
        (1.0, 0.0)
    """
    options = [normalised_answer(text) for text in choices]
    if len(options) < 2 or "" in options or len(set(options)) != len(options):
        raise ConfigError("a choice needs at least two texts that differ", hint=f"got {list(choices)[:8]!r}")

    def judge(prompt: Chat, text: str, reference: str | None) -> Verdict:
        """1 when the text names the right choice and no other."""
        del prompt
        if reference is None:
            return _no_reference()
        named = named_choices(text, options)
        if not named:
            return Verdict(0.0, "names none of the choices")
        if len(named) > 1:
            return Verdict(0.0, f"names {len(named)} choices")
        right = named == {normalised_answer(reference)}
        return Verdict(float(right), "" if right else f"names {next(iter(named))!r}")

    return judge


def named_choices(text: str, options: Sequence[str]) -> set[str]:
    """Which of the (normalised) options a text names, by words or else by letter.

    Example:
        >>> sorted(named_choices("(b)", ["caring", "handling"]))
        ['handling']
    """
    rest = f" {normalised_answer(text)} "
    named = set()
    for option in sorted(options, key=len, reverse=True):
        if f" {option} " in rest:
            named.add(option)
            rest = rest.replace(f" {option} ", "  |  ")
    if named:
        return named
    plain = text.strip()
    found = _LETTER.match(plain) or _ANSWER_LETTER.search(plain[:1_000])
    place = ord(found.group(1).casefold()) - ord("a") if found else len(options)
    return {options[place]} if place < len(options) else set()


@verifiers.register("number")
def number(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """1 when the last number of the text equals the last number of the reference (relative difference below 1e-6).

    It is looked for in the last 10,000 characters.
    """
    return _number(prompt, text, reference)


@constraints.register("number-within")
def number_within(relative: float = 1e-6, absolute: float = 0.0) -> Verifier:
    """As ``number``, with a tolerance: |text - reference| <= max(relative * |reference|, absolute).

    Args:
        relative: share of the reference.
        absolute: in the reference's unit.

    Raises:
        RangeError: a negative tolerance.

    Example:
        >>> number_within(absolute=0.5)([], "about 3", "3.4").score
        1.0
    """
    if not (relative >= 0 and absolute >= 0):
        raise RangeError("tolerances must not be negative")

    def judge(prompt: Chat, text: str, reference: str | None) -> Verdict:
        """1 when the last numbers agree within the tolerance."""
        del prompt
        if reference is None:
            return _no_reference()
        wanted, found = numbers(reference[-_TAIL:]), numbers(text[-_TAIL:])
        if not wanted:
            return Verdict(0.0, "the reference holds no number")
        if not found:
            return Verdict(0.0, "the text holds no number")
        allowed = max(abs(wanted[-1]) * type(wanted[-1])(relative), type(wanted[-1])(absolute))
        right = abs(found[-1] - wanted[-1]) <= allowed
        return Verdict(float(right), "" if right else f"the last number is not {reference.strip()[-40:]}")

    return judge


_number = number_within()


def _no_reference() -> Verdict:
    return Verdict(0.0, "there is no reference to compare with")
