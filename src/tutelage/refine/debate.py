"""Debates for a reader who labels: two sides argue for different answers, or one adviser for one or for both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tutelage.errors import DataError, RangeError
from tutelage.refine.calls import CallCache
from tutelage.seeds import derive
from tutelage.types import Chat, Engine, Sampling

__all__ = [
    "Debater",
    "EngineDebater",
    "Reader",
    "Transcript",
    "Turn",
    "consultancy",
    "market_making",
    "run_debate",
    "side_of",
]

Length = Callable[[str], int]
"""Text to how much room it takes: ``len`` counts characters; give a tokenizer's count for tokens."""


@dataclass(frozen=True)
class Turn:
    """What ``speaker`` ("A" is whoever speaks first, "B" an opponent) said for the answer with the number ``side``."""

    speaker: str
    side: int
    answer: str
    text: str


@dataclass(frozen=True)
class Transcript:
    """A debate as it was held.

    Attributes:
        question: never shortened.
        answers: both, in the caller's order.
        turns: what was said, oldest first, without what was dropped.
        first_side: number in ``answers`` of what speaker A argues for: the log of the assignment.
        dropped: turns left out by :meth:`within`.
    """

    question: str
    answers: tuple[str, str]
    turns: tuple[Turn, ...]
    first_side: int
    dropped: int = 0

    @property
    def text(self) -> str:
        """Question and turns as the reader gets them; answers are named in the order in which they are argued.

        The caller's order is not shown. Where it follows the truth it would give it away. What is said in one turn
        stands on one line, so that nobody can put words into the other's mouth.
        """
        lines = [f"Question: {self.question}"]
        lines += [f"{turn.speaker} argues for {turn.answer!r}: {' '.join(turn.text.split())}" for turn in self.turns]
        return "\n".join(lines)

    def within(self, limit: int, *, length: Length = len) -> Transcript:
        """The same with its oldest turns dropped until ``text`` takes at most ``limit``.

        Two consecutive turns go at a time, so that no side of a debate is heard more often than before. An adviser's
        turns, all of one side, go in pairs too.

        Raises:
            DataError: the question alone does not fit.
        """
        kept = self
        while length(kept.text) > limit:
            if not kept.turns:
                raise DataError(
                    f"the question alone takes {length(kept.text)} of {limit}",
                    where=f"question {self.question[:40]!r}",
                    hint="raise the limit; the question is never cut",
                )
            gone = min(2, len(kept.turns))
            kept = replace(kept, turns=kept.turns[gone:], dropped=kept.dropped + gone)
        return kept


Reader = Callable[[Transcript], float]
"""A transcript so far to the probability, in the reader's eyes, of the answer with the number 0."""


class Debater(Protocol):
    """Whoever argues: a model, a person, a search."""

    def argue(self, question: str, my_answer: str, other_answer: str, history: Sequence[Turn], *, seed: int) -> str:
        """The next argument for ``my_answer``, given all that was said."""
        ...


def run_debate(
    question: str,
    answers: tuple[str, str],
    debater: Debater,
    *,
    turns: int = 3,
    limit: int | None = None,
    length: Length = len,
    item: str = "",
    seed: int = 0,
) -> Transcript:
    """Let two copies of ``debater`` argue, each for one of ``answers``, ``turns`` times each.

    Who argues first is drawn by :func:`side_of` from the seed and ``item`` alone, never from what the answers say.

    Args:
        question: what is asked.
        answers: the two that are argued for.
        debater: speaks for both sides.
        turns: of each side.
        limit: of the transcript's text; None keeps everything. Debaters read all, the limit is the reader's.
        length: how text is measured.
        item: the item's id: with one seed for a data set every item has a draw of its own.
        seed: of the assignment and of all that is said.

    Raises:
        RangeError: ``turns`` below 1.
        DataError: equal answers; no text from the debater; a question longer than ``limit``.

    Source: arXiv 2501.13124, section on debate; order and limits are our reading.
    """
    return _held(question, answers, debater, lambda so_far: 1 - _last(so_far), turns, limit, length, item, seed)


def consultancy(
    question: str,
    answers: tuple[str, str],
    debater: Debater,
    *,
    turns: int = 3,
    limit: int | None = None,
    length: Length = len,
    item: str = "",
    seed: int = 0,
) -> Transcript:
    """One adviser argues ``2 * turns`` times for one side, drawn as in :func:`run_debate`; arguments as there.

    Source: arXiv 2501.13124, baselines.
    """
    return _held(question, answers, debater, _last, turns, limit, length, item, seed, alone=True)


def market_making(
    question: str,
    answers: tuple[str, str],
    debater: Debater,
    *,
    reader: Reader,
    turns: int = 3,
    limit: int | None = None,
    length: Length = len,
    item: str = "",
    seed: int = 0,
) -> Transcript:
    """One adviser argues ``2 * turns`` times, each time against what the reader has come to believe.

    The first turn's side is drawn as in :func:`run_debate`; nobody has said anything yet. Before every other turn
    ``reader`` predicts, and the adviser argues for the answer it believes less, where the prediction can move furthest
    (undecided: for the other than last time). The number of turns is fixed, whether or not the reader has settled.

    Args:
        question: as in :func:`run_debate`, like all that is not named here.
        answers: as there.
        debater: the adviser.
        reader: what predicts; it reads no more than ``limit`` allows.
        turns: half of the adviser's.
        limit: as there.
        length: as there.
        item: as there.
        seed: as there.

    Raises:
        RangeError: a prediction that is no probability; the rest as in :func:`run_debate`.

    Source: arXiv 2501.13124, baselines; whose turn it is and when to stop are our reading.
    """

    def against(so_far: Transcript) -> int:
        seen = so_far if limit is None else so_far.within(limit, length=length)
        believed = reader(seen)
        if not 0.0 <= believed <= 1.0:  # NaN too
            raise RangeError(
                f"the reader predicts {believed}", where=f"item {item or question[:40]!r}", hint="a probability"
            )
        return 1 - _last(so_far) if believed == 0.5 else int(believed > 0.5)

    return _held(question, answers, debater, against, turns, limit, length, item, seed, alone=True)


def side_of(item: str, *, seed: int) -> int:
    """0 or 1: the answer that is argued first for this item."""
    return derive(seed, "debate", "side", item) & 1


class EngineDebater:
    """A debater that asks an engine.

    Args:
        engine: the strong model, not trained on the truth.
        sampling: how to draw; the default draws, so that other seeds give other debates.
        cache: of answers; None: one in memory.
    """

    def __init__(self, engine: Engine, *, sampling: Sampling | None = None, cache: CallCache | None = None) -> None:
        self.engine, self.cache = engine, cache or CallCache()
        self.sampling = sampling or Sampling(max_new_tokens=150)

    def argue(self, question: str, my_answer: str, other_answer: str, history: Sequence[Turn], *, seed: int) -> str:
        """One answer of the engine, stripped."""
        prompt = _prompt(question, my_answer, other_answer, history)
        return self.cache.generate(self.engine, [prompt], sampling=self.sampling, seed=seed)[0].text.strip()


def _prompt(question: str, mine: str, other: str, history: Sequence[Turn]) -> Chat:
    said = "\n".join(f"For {turn.answer!r}: {turn.text}" for turn in history) or "Nothing has been said yet."
    return [
        {
            "role": "user",
            "content": (
                f"Question: {question}\n"
                f"You argue that the answer is {mine!r}. An opponent argues for {other!r}.\n"
                f"So far:\n{said}\n"
                "Give the strongest short evidence for your answer and answer what speaks against it. "
                "At most three sentences."
            ),
        }
    ]


def _last(so_far: Transcript) -> int:
    return so_far.turns[-1].side


def _held(
    question: str,
    answers: tuple[str, str],
    debater: Debater,
    next_side: Callable[[Transcript], int],
    turns: int,
    limit: int | None,
    length: Length,
    item: str,
    seed: int,
    *,
    alone: bool = False,
) -> Transcript:
    where = f"item {item!r}" if item else f"question {question[:40]!r}"
    if turns < 1:
        raise RangeError(f"turns is {turns}", where=where, hint="1 or more; 3 is the paper's")
    if answers[0].strip() == answers[1].strip():
        raise DataError(f"both sides argue for {answers[0]!r}", where=where, hint="give two different answers")
    first = side_of(item or question, seed=seed)
    held = Transcript(question, answers, (), first)
    for number in range(2 * turns):
        side = next_side(held) if number else first
        mine, other = answers[side], answers[1 - side]
        text = debater.argue(question, mine, other, held.turns, seed=derive(seed, "debate", "turn", item, number))
        if not text.strip():
            raise DataError(
                f"turn {number + 1} is empty", where=where, hint="let the debater speak, or raise its limit"
            )
        speaker = "A" if alone or side == first else "B"
        held = replace(held, turns=(*held.turns, Turn(speaker, side, mine, text)))
    return held if limit is None else held.within(limit, length=length)
