"""Did the facts survive a rewrite? Numbers, dates, names and codes of one text that another must still hold."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from tutelage.types import Chat, Verdict
from tutelage.verify.dates import dates
from tutelage.verify.english import FUNCTION_WORDS, NUMBER_WORDS, ORDERS
from tutelage.verify.numbers import numbers
from tutelage.verify.registry import verifiers

__all__ = ["Entity", "Preservation", "entities", "entities_preserved"]

Kind = Literal["number", "date", "code", "name", "answer"]

_ADDRESS = re.compile(
    r"\b(?:https?|ftp)://[^\s<>\"”»]++|\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}", re.IGNORECASE
)
_TOKEN = re.compile(r"(?:[^\s,;:!?\"“”«»()\[\]{}<>|…*`]|(?<=\d)[,:](?=\d))++")
_WORD = re.compile(r"[^\W_]++(?:['’\-][^\W_]++)*+")
_ENDS = re.compile(r"[.!?:…][\"'”’)\]]*+(?:\s|$)|\n")
_NUMBERISH = re.compile(
    r"[-+−–$€£#~]?+\d[-+−–\d.,:/%]*+(?:°?[cf]|°|st|nd|rd|th|s|k|m|bn|kg|g|km|cm|mm|l|ml|h|hz|w|v|x|am|pm)?%?"
)
_POSSESSIVE = re.compile(r"['’]s$")
_SHORT_ANSWER = 3  # words up to which an answer is a fact as a whole


@dataclass(frozen=True)
class Entity:
    """Something that must survive: its kind, and its text as it stands in the reference."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Preservation:
    """What of ``total`` entities is ``missing``. True when nothing is."""

    missing: tuple[Entity, ...]
    total: int

    @property
    def score(self) -> float:
        """Share that survived, in [0, 1]; 1 when there was nothing to keep."""
        return 1.0 if self.total == 0 else 1.0 - len(self.missing) / self.total

    def __bool__(self) -> bool:
        return not self.missing


def entities_preserved(reference: str, text: str) -> Preservation:
    """Which numbers, dates, names and codes of ``reference`` are no longer in ``text``.

    Numbers and dates are compared by value ("1,250" = "1250", "three" = "3", "March 5, 2024" = "2024-03-05"); names
    word by word without regard to case, a plural or possessive ending; codes letter by letter apart from case. A
    reference of up to three words is a fact as a whole: its content words must all be there.

    What counts is set out at :func:`entities`. The check is one-sided (what the text adds is not seen) and knows
    no synonyms, so "United States" for "USA" counts as a loss.

    Args:
        reference: the text with the facts.
        text: the text that should still hold them.

    Example:
        >>> entities_preserved("Ada Lovelace wrote it in 1843.", "It was written by Lovelace in 1842.").missing
        (Entity(kind='number', text='1843'), Entity(kind='name', text='Ada'))
    """
    wanted = entities(reference)
    found = _Found(text)
    missing = tuple(entity for entity in wanted if not found.holds(entity))
    return Preservation(missing, len(wanted))


@verifiers.register("entities")
def entities_verdict(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """The share of the reference's numbers, dates, names and codes that the text still holds."""
    del prompt
    if reference is None:
        return Verdict(0.0, "there is no reference to compare with")
    kept = entities_preserved(reference, text)
    return Verdict(kept.score, "" if kept else f"without {', '.join(entity.text for entity in kept.missing[:8])}")


def entities(reference: str) -> list[Entity]:
    """What of a text must survive a rewrite, each once.

    - dates in the usual forms, then every other number;
    - codes: addresses, tokens of letters mixed with digits, with capitals inside or all in capitals;
    - names: capitalised words, but the first of a sentence only if another capitalised word follows it directly or
      it stands capitalised elsewhere too, and none where nearly every word is capitalised (headlines);
    - a text of at most three words: its content words.

    Example:
        >>> [entity.text for entity in entities("The ISO-9001 audit by Bureau Veritas took 3 days.")]
        ['3', 'ISO-9001', 'Bureau', 'Veritas']
    """
    known, rest = dates(reference)
    codes = [address.rstrip(".,;:!?)'") for address in _ADDRESS.findall(rest)]
    rest = _ADDRESS.sub(lambda match: "x" * len(match.group()), rest)
    amounts, more, rest = _tokens_of_fact(rest)
    found = [Entity("date", date.text) for date in known]
    found += [Entity("number", amount) for amount in amounts]
    found += [Entity("code", code) for code in codes + more]
    found += [Entity("name", name) for name in _names(rest)]
    words = _WORD.findall(reference)
    if len(words) <= _SHORT_ANSWER:
        covered = " ".join(entity.text for entity in found).casefold()
        content = [word for word in words if word.casefold() not in FUNCTION_WORDS]
        found += [Entity("answer", word) for word in content or words if word.casefold() not in covered]
    return list(dict.fromkeys(found))


def _tokens_of_fact(text: str) -> tuple[list[str], list[str], str]:
    """(numbers, codes, the text with x in their places)."""
    letters = [character for character in text if character.isalpha()]
    capitals = sum(character.isupper() for character in letters)
    shouted = len(text.split()) > _SHORT_ANSWER and capitals > 0.6 * len(letters)
    amounts: list[str] = []
    codes: list[str] = []
    kept: list[str] = []
    last = 0
    for match in _TOKEN.finditer(text):
        token, start = _bare(match)
        if _NUMBERISH.fullmatch(token.casefold()) and numbers(token):
            amounts.append(token)
        elif _is_code(token, shouted):
            codes.append(token)
        else:
            continue
        kept += [text[last:start], "x" * len(token)]
        last = start + len(token)
    return amounts, codes, "".join(kept) + text[last:]


def _bare(match: re.Match[str]) -> tuple[str, int]:
    """A token without the marks that hang on it, and its place; a sign stays with its number."""
    token = match.group().rstrip(".'’-/–")
    bare = token.lstrip(".'’/")
    if not bare[1:2].isdigit():
        bare = bare.lstrip("-–")
    return bare, match.start() + len(token) - len(bare)


def _is_code(token: str, shouted: bool) -> bool:
    """Letters mixed with digits ("AB12", not "3rd"), capitals inside or throughout, snake_case."""
    bare = _POSSESSIVE.sub("", token)
    letters = [character for character in bare if character.isalpha()]
    if any(character.isdigit() for character in bare) or (letters and "_" in bare.strip("_")):
        return True
    if shouted or len(letters) < 2:
        return False
    if all(character.isupper() for character in letters):
        return True
    first = bare.partition("-")[0]
    return any(after.isupper() and before.islower() for before, after in pairwise(first))


def _names(text: str) -> list[str]:
    matches = list(_WORD.finditer(text))
    capitals = [match.group()[0].isupper() for match in matches]
    if len(matches) > _SHORT_ANSWER and sum(capitals) > 0.7 * len(matches):
        return []
    ends = [match.end() for match in _ENDS.finditer(text)]
    candidates: list[str] = []
    sure: set[str] = set()
    sentence = 0
    begins = True
    for at, match in enumerate(matches):
        while sentence < len(ends) and ends[sentence] <= match.start():
            begins, sentence = True, sentence + 1
        word = match.group()
        if capitals[at] and not _is_function(word):
            candidates.append(word)
            if (
                not begins
                or (_name_follows(text, matches, at) and word.casefold() not in ORDERS)
                or _POSSESSIVE.search(word)
            ):
                sure.add(word)
        begins = False
    return [word for word in dict.fromkeys(candidates) if word in sure]


def _is_function(word: str) -> bool:
    """A function word, or one with a contraction ("It's", "I'm")."""
    return re.split("['’]", word.casefold(), maxsplit=1)[0] in FUNCTION_WORDS


def _name_follows(text: str, matches: list[re.Match[str]], at: int) -> bool:
    if at + 1 >= len(matches):
        return False
    after = matches[at + 1]
    return (
        text[matches[at].end() : after.start()] == " "
        and after.group()[0].isupper()
        and not _is_function(after.group())
    )


class _Found:
    """What a text holds, in the forms in which it is looked for."""

    def __init__(self, text: str) -> None:
        self.dates, rest = dates(text)
        words = [_folded(match.group()) for match in _WORD.finditer(text)]
        self.numbers = set(numbers(text))
        for word in words:
            parts = [NUMBER_WORDS.get(part) for part in word.split("-")]
            known = [part for part in parts if part is not None]
            self.numbers |= {Fraction(part) for part in known}
            if len(parts) == 2 and len(known) == 2 and 20 <= known[0] <= 90 and 1 <= known[1] <= 9:
                self.numbers.add(Fraction(sum(known)))  # "twenty-one"
        self.stems = {_stem(part) for word in words for part in (word, *word.split("-"))}
        self.tokens = {_bare(match)[0].casefold() for match in _TOKEN.finditer(rest)}
        self.text = _folded(text)

    def holds(self, entity: Entity) -> bool:
        """True when the entity is there in one of its forms."""
        word = _folded(entity.text)
        if entity.kind in ("number", "code") and entity.text.casefold() in self.tokens:
            return True
        if entity.kind == "date":
            wanted, _ = dates(entity.text)
            return any(date.says(wanted[0]) for date in self.dates)
        if entity.kind == "number":
            return all(value in self.numbers for value in numbers(entity.text))
        if entity.kind == "code":
            code = re.escape(_POSSESSIVE.sub("", word))
            return re.search(rf"(?<![^\W_]){code}(?![^\W_])", self.text) is not None or _stem(word) in self.stems
        return _stem(word) in self.stems


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().replace("’", "'")


def _stem(word: str) -> str:
    """A word without possessive and plural ending; that both forms give the same is all that counts."""
    word = word.removesuffix("'s").removesuffix("'")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ses", "xes", "zes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
