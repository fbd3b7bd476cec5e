"""Does the text keep to rules of wording? Keywords, beginnings and ends, case, marks: rules a program can check."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tutelage.errors import ConfigError, RangeError
from tutelage.types import Chat, Verdict, Verifier
from tutelage.verify.registry import constraints, verifiers

__all__ = [
    "capital_words",
    "ends_with",
    "excludes",
    "highlights",
    "includes",
    "letter",
    "lower_case",
    "no_commas",
    "placeholders",
    "postscript",
    "quoted",
    "repeats_prompt",
    "sections",
    "starts_with",
    "titled",
    "upper_case",
]

_CAPITALS = re.compile(r"\b[^\W\d_]{2,}+\b")
_PLACEHOLDER = re.compile(r"\[[^\[\]\n]{1,200}\]")
_HIGHLIGHT = re.compile(r"(?<!\*)(\*{1,2})(?=[^\s*])[^*\n]{1,400}(?<!\s)\1(?!\*)")
_TITLE = re.compile(r"<<[^<>\n]{1,400}>>")
_QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»", "'": "'", "‘": "’"}
_END_MARKS = " \t\r\n.!?\"'”’)*"


def _rule(holds: Callable[[str], bool], otherwise: str) -> Verifier:
    def judge(prompt: Chat, text: str, reference: str | None) -> Verdict:
        """1 when the rule holds."""
        del prompt, reference
        right = holds(text)
        return Verdict(float(right), "" if right else otherwise)

    return judge


def _occurrences(text: str, phrase: str) -> int:
    """How often a phrase stands in a text as whole words, whatever the case."""
    pattern = re.compile(rf"(?<!\w){re.escape(phrase.casefold())}(?!\w)")
    return sum(1 for _ in pattern.finditer(text.casefold()))


def _phrases(given: Sequence[str]) -> list[str]:
    phrases = [given] if isinstance(given, str) else list(given)
    if not phrases or not all(isinstance(phrase, str) and phrase.strip() for phrase in phrases):
        raise ConfigError("at least one word is needed, and none may be empty", hint=f"got {phrases[:8]!r}")
    return [phrase.strip() for phrase in phrases]


@constraints.register("includes")
def includes(keywords: Sequence[str], times: int = 1) -> Verifier:
    """A verifier that each keyword stands in the text at least ``times`` times, as whole words, whatever the case.

    Raises:
        ConfigError: no keyword, or an empty one.
        RangeError: ``times`` below 1.

    Example:
        >>> includes(["rust"])([], "Trust it", None).detail
        "without 'rust'"
    """
    phrases = _phrases(keywords)
    if times < 1:
        raise RangeError(f"times must be at least 1, not {times}")

    def judge(prompt: Chat, text: str, reference: str | None) -> Verdict:
        """1 when all are there."""
        del prompt, reference
        missing = [phrase for phrase in phrases if _occurrences(text, phrase) < times]
        return Verdict(float(not missing), f"without {', '.join(map(repr, missing))}" if missing else "")

    return judge


@constraints.register("excludes")
def excludes(keywords: Sequence[str]) -> Verifier:
    """A verifier that none of the keywords stands in the text as whole words, whatever the case.

    Raises:
        ConfigError: no keyword, or an empty one.
    """
    phrases = _phrases(keywords)

    def judge(prompt: Chat, text: str, reference: str | None) -> Verdict:
        """1 when none is there."""
        del prompt, reference
        found = [phrase for phrase in phrases if _occurrences(text, phrase)]
        return Verdict(float(not found), f"with {', '.join(map(repr, found))}" if found else "")

    return judge


@constraints.register("letter")
def letter(character: str, least: int | None = None, most: int | None = None) -> Verifier:
    """A verifier of how often a character stands in the text, whatever the case; both limits included.

    Raises:
        ConfigError: not one character.
        RangeError: no limit.
    """
    if len(character) != 1:
        raise ConfigError(f"one character is needed, not {character!r}")
    if least is None and most is None:
        raise RangeError("letter: give least, most or both")
    wanted = character.casefold()
    low, high = least or 0, most
    return _rule(
        lambda text: low <= text.casefold().count(wanted) <= (high if high is not None else len(text) * 3),
        f"the number of {character!r} is outside its limits",
    )


@constraints.register("starts-with")
def starts_with(phrase: str) -> Verifier:
    """A verifier that the text begins with a phrase, white space and case apart.

    Raises:
        ConfigError: an empty phrase.
    """
    (wanted,) = _phrases([phrase])
    return _rule(lambda text: text.lstrip().casefold().startswith(wanted.casefold()), f"does not begin with {wanted!r}")


@constraints.register("ends-with")
def ends_with(phrase: str) -> Verifier:
    """A verifier that the text ends with a phrase; white space, case, closing marks and quotes apart.

    Raises:
        ConfigError: an empty phrase.
    """
    (wanted,) = _phrases([phrase])
    bare = wanted.casefold().rstrip(_END_MARKS) or wanted.casefold()

    def holds(text: str) -> bool:
        folded = text.casefold().rstrip()
        return folded.endswith(wanted.casefold()) or folded.rstrip(_END_MARKS).endswith(bare)

    return _rule(holds, f"does not end with {wanted!r}")


@constraints.register("postscript")
def postscript(marker: str = "P.S.") -> Verifier:
    """A verifier that a line of the text begins with ``marker`` and goes on.

    Raises:
        ConfigError: an empty marker.
    """
    (wanted,) = _phrases([marker])
    folded = wanted.casefold()
    return _rule(
        lambda text: any(
            line.strip().casefold().startswith(folded) and len(line.strip()) > len(wanted) for line in text.splitlines()
        ),
        f"no line begins with {wanted!r}",
    )


@constraints.register("placeholders")
def placeholders(least: int = 1) -> Verifier:
    """A verifier that at least so many different placeholders in square brackets stand in the text."""
    return _rule(lambda text: len(set(_PLACEHOLDER.findall(text))) >= least, f"fewer than {least} [placeholders]")


@constraints.register("highlights")
def highlights(least: int = 1) -> Verifier:
    """A verifier that at least so many passages are between single or double asterisks."""
    return _rule(lambda text: sum(1 for _ in _HIGHLIGHT.finditer(text)) >= least, f"fewer than {least} highlights")


@constraints.register("sections")
def sections(marker: str, least: int = 1) -> Verifier:
    """A verifier that at least so many lines begin with ``marker`` and a number, such as "Section 1".

    Raises:
        ConfigError: an empty marker.
    """
    (wanted,) = _phrases([marker])
    pattern = re.compile(rf"[ \t#*]*+{re.escape(wanted)}[ \t]*+\d", re.IGNORECASE)
    return _rule(
        lambda text: sum(1 for line in text.splitlines() if pattern.match(line)) >= least,
        f"fewer than {least} sections named {wanted!r}",
    )


@constraints.register("capital-words")
def capital_words(least: int | None = None, most: int | None = None) -> Verifier:
    """A verifier of the number of words of two letters or more in capitals; both limits included.

    Raises:
        RangeError: no limit.
    """
    if least is None and most is None:
        raise RangeError("capital-words: give least, most or both")

    def holds(text: str) -> bool:
        found = sum(1 for match in _CAPITALS.finditer(text) if match.group().isupper())
        return (least or 0) <= found and (most is None or found <= most)

    return _rule(holds, "the number of words in capitals is outside its limits")


@verifiers.register("lower-case")
def lower_case(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """1 when the text has letters and none is a capital."""
    del prompt, reference
    return Verdict(float(text.islower()), "" if text.islower() else "has capitals, or no letters")


@verifiers.register("upper-case")
def upper_case(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """1 when the text has letters and all are capitals."""
    del prompt, reference
    return Verdict(float(text.isupper()), "" if text.isupper() else "has small letters, or no letters")


@verifiers.register("no-commas")
def no_commas(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """1 when the text is not empty and has no comma of any script."""
    del prompt, reference
    if not text.strip():
        return Verdict(0.0, "the text is empty")
    found = next((mark for mark in ",，、،" if mark in text), None)
    return Verdict(float(found is None), f"has {found!r}" if found else "")


@verifiers.register("quoted")
def quoted(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """1 when the whole text stands between a pair of quotation marks."""
    del prompt, reference
    plain = text.strip()
    right = len(plain) > 2 and plain[-1] == _QUOTES.get(plain[0])
    return Verdict(float(right), "" if right else "not between quotation marks")


@verifiers.register("titled")
def titled(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """1 when the text holds a title in double angle brackets, ``<<so>>``."""
    del prompt, reference
    right = any(match.group()[2:-2].strip() for match in _TITLE.finditer(text))
    return Verdict(float(right), "" if right else "no <<title>>")


@verifiers.register("repeats-prompt")
def repeats_prompt(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """1 when the text begins with the last user turn, white space and case apart."""
    del reference
    asked = next((turn["content"] for turn in reversed(list(prompt)) if turn["role"] == "user"), "")
    wanted = " ".join(asked.casefold().split())
    right = bool(wanted) and " ".join(text.casefold().split()).startswith(wanted)
    return Verdict(float(right), "" if right else "does not begin with the question")
