"""Constraints that a program can check: patterns, schemas, lengths, paths in an ontology, what the source says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema
import referencing

from tutelage.errors import ConfigError, RangeError
from tutelage.types import Chat, Verdict, Verifier
from tutelage.verify.numbers import numbers
from tutelage.verify.registry import constraints, verifiers
from tutelage.verify.structure import parsed_json

__all__ = ["characters", "json_schema", "label_path", "language", "numbers_kept", "pattern", "quotes_source"]

_QUOTE = re.compile(r"[\"“”„«]([^\"“”„«»]{1,2000})[\"“”»]")
_FREQUENT = {
    "en": "the of and to in is that it for was with as on be at by this are not have you",
    "de": "der die das und ist nicht mit ein eine zu den von es im auf sich dem auch ich sie",
    "fr": "le la les et est une des du que pour dans pas qui sur au avec il elle ce se",
    "es": "el los las y es una que del por para con no se su al lo como más pero sus",
    "it": "il lo gli e è una che di per non con del della si sono da nel alla come più",
    "nl": "het een en is niet van de dat op te met voor zijn er aan ook maar bij dit naar",
}
_WORDS = re.compile(r"[^\W\d_]+")


@constraints.register("regex")
def pattern(pattern: str, whole: bool = False) -> Verifier:
    """A verifier that a regular expression of Python matches somewhere, or the whole text without outer space.

    A pattern with nested repeats can take exponential time: put one that is not yours into
    :func:`tutelage.verify.limited`.

    Raises:
        ConfigError: the pattern cannot be compiled.

    Example:
        >>> pattern(r"[A-Z]{2}-[0-9]+", whole=True)([], " AB-12", None).score
        1.0
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"not a regular expression: {error}", where=repr(pattern)) from error

    def judge(prompt: Chat, text: str, reference: str | None) -> Verdict:
        """1 when it matches."""
        del prompt, reference
        found = compiled.fullmatch(text.strip()) if whole else compiled.search(text)
        return Verdict(float(found is not None), "" if found else "the pattern does not match")

    return judge


@constraints.register("json-schema")
def json_schema(schema: Mapping[str, Any]) -> Verifier:
    """A verifier that the text, perhaps inside a code fence, is JSON that a JSON Schema accepts.

    A reference to another document is not fetched and makes the check fail.

    Raises:
        ConfigError: the schema itself is not valid.

    Example:
        >>> json_schema({"type": "array", "maxItems": 1})([], "[1, 2]", None).score
        0.0
    """
    kind = jsonschema.validators.validator_for(dict(schema), default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(dict(schema))
    except jsonschema.SchemaError as error:
        raise ConfigError(f"not a JSON Schema: {error.message[:200]}") from error
    checker = kind(dict(schema), registry=referencing.Registry())  # nothing is fetched

    def judge(prompt: Chat, text: str, reference: str | None) -> Verdict:
        """1 when the schema accepts the value."""
        del prompt, reference
        value, problem = parsed_json(text)
        if problem is not None:
            return Verdict(0.0, problem)
        first = next(iter(checker.iter_errors(value)), None)
        return Verdict(float(first is None), first.message[:200] if first else "")

    return judge


@constraints.register("characters")
def characters(least: int | None = None, most: int | None = None) -> Verifier:
    """A verifier of the number of characters without outer space, both limits included.

    Raises:
        RangeError: no limit, or limits that leave no number.
    """
    low = least or 0
    if (least is None and most is None) or low < 0 or (most is not None and most < low):
        raise RangeError(f"characters: least {least} and most {most} leave no number")

    def judge(prompt: Chat, text: str, reference: str | None) -> Verdict:
        """1 when the number lies within the limits."""
        del prompt, reference
        count = len(text.strip())
        right = count >= low and (most is None or count <= most)
        return Verdict(float(right), "" if right else f"{count} characters")

    return judge


@constraints.register("label-path")
def label_path(parents: Mapping[str, str | None], separator: str = "/") -> Verifier:
    """A verifier that the text names a path of an ontology, from a root down, each label a child of the one before.

    Args:
        parents: of every label its parent, None for a root. Labels are compared without case.
        separator: between the labels of a path.

    Raises:
        ConfigError: no labels, an empty separator, or a parent that is no label.

    Example:
        >>> tree = label_path({"animal": None, "dog": "animal", "plant": None})
        >>> tree([], "animal / dog", None).score, tree([], "plant / dog", None).score
        (1.0, 0.0)
    """
    above = {label.casefold(): None if up is None else up.casefold() for label, up in parents.items()}
    unknown = sorted({up for up in above.values() if up is not None} - set(above))
    if not above or not separator or unknown:
        raise ConfigError("an ontology needs labels, a separator, and parents that are labels", hint=f"{unknown[:5]}")

    def judge(prompt: Chat, text: str, reference: str | None) -> Verdict:
        """1 when the path is one of the ontology's."""
        del prompt, reference
        before: str | None = None
        for step in text.strip().rstrip(".").split(separator):
            label = " ".join(step.split()).casefold()
            if label not in above:
                return Verdict(0.0, f"{label[:60]!r} is no label")
            if above[label] != before:
                return Verdict(0.0, f"{label!r} is not below {before!r}" if before else f"{label!r} is no root")
            before = label
        return Verdict(1.0)

    return judge


def _spaced(text: str) -> str:
    return " ".join(text.casefold().replace("’", "'").split())


@verifiers.register("quotes-source")
def quotes_source(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """Share of the quoted passages that stand in the reference, or else in the prompt, case and spacing apart.

    A text without quotation marks is one quotation as a whole; an empty one scores 0.
    """
    source = _spaced(reference if reference is not None else " ".join(turn["content"] for turn in prompt))
    quotes = [q for found in _QUOTE.findall(text) if (q := _spaced(found).strip(" .,"))]
    quotes = quotes or [q for q in [_spaced(text).strip(" .")] if q]
    missing = [quote for quote in quotes if quote not in source]
    if not quotes:
        return Verdict(0.0, "the text is empty")
    return Verdict(1 - len(missing) / len(quotes), f"not in the source: {missing[0][:80]!r}" if missing else "")


@verifiers.register("numbers-kept")
def numbers_kept(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """1 when the text has exactly the numbers of the reference, or else of the prompt, each as often, by value."""
    source = reference if reference is not None else " ".join(turn["content"] for turn in prompt)
    wanted, found = Counter(numbers(source)), Counter(numbers(text))
    lost, added = wanted - found, found - wanted
    detail = "".join(
        f"{word} {', '.join(map(str, sorted(some)))} " for word, some in (("lost", lost), ("added", added)) if some
    )
    return Verdict(float(not lost and not added), detail.strip())


@constraints.register("language")
def language(code: str) -> Verifier:
    """A verifier that most of a text's frequent little words are those of one language: en, de, fr, es, it or nl.

    A cheap vote; a text with fewer than two such words scores 0.

    Raises:
        ConfigError: another language.
    """
    if code not in _FREQUENT:
        raise ConfigError(f"no language {code!r}", hint=f"there are: {', '.join(_FREQUENT)}")
    lists: dict[str, Sequence[str]] = {name: some.split() for name, some in _FREQUENT.items()}

    def judge(prompt: Chat, text: str, reference: str | None) -> Verdict:
        """1 when this language has more of its words in the text than any other."""
        del prompt, reference
        said = _WORDS.findall(text.casefold())
        votes = {name: sum(word in some for word in said) for name, some in lists.items()}
        best = max(votes.values())
        right = votes[code] == best >= 2 and list(votes.values()).count(best) == 1
        return Verdict(float(right), "" if right else f"votes {votes}")

    return judge
