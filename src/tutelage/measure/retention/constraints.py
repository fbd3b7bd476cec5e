"""Instructions that a rule can check: what to ask for, and whether a reply does it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tutelage import verify
from tutelage.types import Chat, Verdict, Verifier
from tutelage.verify.structure import count_words

__all__ = ["CONSTRAINTS", "Constraint", "on_topic"]

_ASIDE = re.compile(
    r"about|could|does|ever|from|happens?|have|might|more|most|must|only|really|should|some|than|that|their|them|then|"
    r"there|these|they|this|those|were|what|when|where|which|who[ms]e?|will|with|would|your"
)
_CONTENT = re.compile(r"[^\W\d_]{4,}")


@dataclass(frozen=True)
class Constraint:
    """One kind of instruction.

    ``ask`` is its sentence, with ``{value}`` from ``values``; ``verifier(value)`` checks it. A reply also needs
    ``fewest_words``, and where ``whole`` it must have ended by itself: a model that has collapsed into labels must not
    pass by saying next to nothing, nor one that never stops by being cut off.
    """

    name: str
    ask: str
    verifier: Callable[[str], Verifier]
    values: tuple[str, ...] = ("",)
    fewest_words: int = 5
    whole: bool = False

    def instruction(self, value: str) -> str:
        """The sentence that states it."""
        return self.ask.format(value=value)

    def met(self, question: str, text: str, value: str, *, finished: bool) -> bool:
        """Whether ``text`` keeps to it.

        Args:
            question: what was asked, without the instruction.
            text: the reply.
            value: one of ``values``.
            finished: False if the reply was cut off at the cap on new tokens.
        """
        if count_words(text) < self.fewest_words or (self.whole and not finished):
            return False
        prompt: Chat = [{"role": "user", "content": question}]
        return self.verifier(value)(prompt, text, None).score == 1.0


def on_topic(question: str, text: str) -> bool:
    """Whether the reply shares a content word (four letters or more, compared by the first five) with the question.

    Without it a model that says the same thing to everybody would keep half of its score. A question without content
    words is passed.

    Example:
        >>> on_topic("What happens if you eat watermelon seeds?", "Watermelons are harmless.")
        True
        >>> on_topic("What happens if you eat watermelon seeds?", "The group is management.")
        False
    """
    content = {w[:5] for w in _CONTENT.findall(question.casefold()) if not _ASIDE.fullmatch(w)}
    return not content or not content.isdisjoint(w[:5] for w in _CONTENT.findall(text.casefold()))


def _pattern(pattern: str) -> Verifier:
    def judge(prompt: Chat, text: str, reference: str | None) -> Verdict:
        del prompt, reference
        return Verdict(float(re.search(pattern, text) is not None))

    return judge


def _json_object(key: str) -> Verifier:
    """A JSON object with the key; of a reply that was cut off, its beginning."""
    whole, beginning = verify.get("json-keys", keys=[key]), _pattern(rf'^\s*(?:```(?:json)?\s*)?\{{\s*"{key}"\s*:')

    def judge(prompt: Chat, text: str, reference: str | None) -> Verdict:
        verdict = whole(prompt, text, reference)
        return verdict if verdict.score else beginning(prompt, text, reference)

    return judge


_ALL = (
    Constraint("list", "Answer as a numbered list.", lambda v: verify.get("bullets", least=2)),
    Constraint(
        "keyword",
        'Use the word "{value}" in your answer.',
        lambda v: verify.get("includes", keywords=[v]),
        ("people", "important", "history"),
    ),
    Constraint(
        "without-word",
        'Do not use the word "{value}" in your answer.',
        lambda v: verify.get("excludes", keywords=[v]),
        ("and", "of"),
        8,
    ),
    Constraint(
        "at-most-words",
        "Answer in at most {value} words.",
        lambda v: verify.get("words", most=int(v)),
        ("15", "20", "25"),
        whole=True,
    ),
    Constraint(
        "at-least-words", "Answer in at least {value} words.", lambda v: verify.get("words", least=int(v)), ("20", "25")
    ),
    Constraint(
        "one-sentence",
        "Answer in exactly one sentence.",
        lambda v: verify.get("sentences", least=1, most=1),
        whole=True,
    ),
    Constraint("sentences", "Answer in at least two sentences.", lambda v: verify.get("sentences", least=2)),
    Constraint(
        "repeat",
        "First repeat my question word for word and then answer it.",
        lambda v: verify.get("repeats-prompt"),
    ),
    Constraint(
        "begin-with",
        'Begin your answer with the words "{value}".',
        lambda v: verify.get("starts-with", phrase=v),
        ("In short", "To be honest", "The answer"),
    ),
    Constraint("json", 'Answer as a JSON object with the single key "{value}".', _json_object, ("answer", "reply")),
    Constraint("digits", "Include at least one number written in digits.", lambda v: _pattern(r"\d")),
    Constraint("no-digits", "Do not use any digits in your answer.", lambda v: _pattern(r"^\D*$"), fewest_words=8),
)
CONSTRAINTS: dict[str, Constraint] = {c.name: c for c in _ALL}
"""Twelve kinds, of which the default model keeps to about two in five."""
