"""A question, its reference answer and a text that may replace it; and how they are read from a row."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tutelage.types import Row

__all__ = ["Case", "asked", "case_of", "is_terse", "question_of", "words"]

LONG_QUESTION = 60  # words; of a longer prompt only the end is taken for the question

_WORD = re.compile(r"\w+(?:['’.,-]\w+)*")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[\"'“(]?[^\W_a-z])|\n+")
_ABBREVIATION = re.compile(r"\b(?:[A-Z][a-z]{0,2}|e\.g|i\.e|vs|etc|approx)\.$")


@dataclass(frozen=True)
class Case:
    """``text`` as an answer to ``question``; ``reference`` is the right one, of ``choices`` if there are any."""

    question: str
    reference: str
    text: str = ""
    choices: tuple[str, ...] = ()


def words(text: str) -> list[str]:
    """The words and numbers of a text; ``3.5``, ``10,000`` and ``well-known`` count as one."""
    return _WORD.findall(text)


def is_terse(reference: str, limit: int) -> bool:
    """True for an answer of at most ``limit`` words on one line: a value, not a text."""
    return "\n" not in reference.strip() and len(words(reference)) <= limit


def question_of(row: Row) -> str | None:
    """What the row asks: the last user turn; with earlier turns, all of them as a transcript. None without one.

    System turns are left out: they say how to answer, and a rewrite is asked for in its own way.
    """
    turns = [turn for turn in row["prompt"] if turn["role"] != "system"]
    if not turns or turns[-1]["role"] != "user" or not turns[-1]["content"].strip():
        return None
    if len(turns) == 1:
        return turns[0]["content"].strip()
    return "\n".join(f"{turn['role'].capitalize()}: {turn['content'].strip()}" for turn in turns)


def case_of(row: Row) -> Case | str:
    """The row as a case without text, or why it cannot be refined."""
    question = question_of(row)
    if question is None:
        return "no_question"
    answers = [turn for turn in row["completion"] if turn["role"] == "assistant"]
    if len(answers) != 1 or len(row["completion"]) != 1:
        return "not_one_answer"
    reference = answers[0]["content"].strip()
    choices = tuple(row.get("choices", ()))
    return Case(question, reference, choices=choices) if reference else "empty_answer"


def asked(question: str) -> str:
    """The question itself, without what is told before it.

    From the last sentence that ends with a question mark on, if it has at least four words ("The groups are a and b.
    Which group is c in?" gives "Which group is c in?"); else the last sentences, up to 60 words.
    """
    parts = _sentences(question)
    for at in range(len(parts) - 1, -1, -1):
        tail = " ".join(parts[at:])
        if (
            parts[at].rstrip("\"'”’)*").endswith("?")
            and len(words(parts[at])) >= 4
            and len(words(tail)) <= LONG_QUESTION
        ):
            return tail
    kept: list[str] = []
    for part in reversed(parts):
        if kept and len(words(" ".join([part, *kept]))) > LONG_QUESTION:
            break
        kept.insert(0, part)
    return " ".join(" ".join(kept).split()[-2 * LONG_QUESTION :])


def _sentences(text: str) -> list[str]:
    """Sentences and lines; a point after an initial or a short capitalised word ("Dr.") does not end one."""
    found: list[str] = []
    for part in _SENTENCE.split(text):
        if found and _ABBREVIATION.search(found[-1]):
            found[-1] = f"{found[-1]} {part.strip()}"
        elif part.strip():
            found.append(part.strip())
    return found
