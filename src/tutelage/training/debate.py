"""Weak labellers that read debates: several of them, each over debates of its own, give their mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch

from tutelage.errors import DataError, RangeError
from tutelage.functional.weak_labels import check_labels
from tutelage.refine.debate import Debater, Length, Reader, Transcript, run_debate
from tutelage.seeds import derive
from tutelage.training.labelled_items import one_hot
from tutelage.training.probes import Classifier
from tutelage.types import FloatArray, IntArray

__all__ = ["DebateLabeler", "Question", "hold_debates", "reading"]

Holds = Callable[..., Transcript]
"""How evidence is gathered: :func:`~tutelage.refine.debate.run_debate`, its ``consultancy``, or one like them.

``functools.partial(market_making, reader=reading(classifier))`` is one too."""


@dataclass(frozen=True)
class Question:
    """What is asked, and the two answers, of which ``truth`` (0 or 1; None: not known) is right."""

    id: str
    text: str
    answers: tuple[str, str]
    truth: int | None = None


def hold_debates(
    questions: Sequence[Question],
    debater: Debater,
    *,
    turns: int = 3,
    limit: int | None = None,
    length: Length = len,
    seed: int = 0,
    holds: Holds = run_debate,
) -> list[Transcript]:
    """A transcript for each question; arguments as in :func:`~tutelage.refine.debate.run_debate`.

    The debater is given the answers without their truth.

    Raises:
        DataError: an id twice (it would have the same draws).
        As :func:`~tutelage.refine.debate.run_debate`.
    """
    seen: set[str] = set()
    for one in questions:
        if one.id in seen:
            raise DataError("a question's id stands twice", where=f"question {one.id!r}", hint="give each its own")
        seen.add(one.id)
    return [
        holds(q.text, q.answers, debater, turns=turns, limit=limit, length=length, item=q.id, seed=seed)
        for q in questions
    ]


@dataclass
class DebateLabeler:
    """Weak models that learn from debates with truth and label other questions by the mean over their own debates.

    A weak model reads the transcript and tells in which place its likelier answer was argued: class 0 is the answer
    argued first, class 1 the other. The labels that are returned are in the order of :attr:`Question.answers`.

    Args:
        weak: a seed to a classifier of texts that has learnt nothing.
        debater: argues; the strong model, not trained on truth.
        members: how many weak models.
        diversity: "debate": each member has sampled debates of its own, and all have one seed; "seed": all read the
            same debates and begin from seeds of their own.
        turns: of each side.
        limit: of a transcript; the weak model's context.
        length: how a transcript is measured.
        seed: of everything.
        holds: debate, consultancy, or market-making with its reader.

    Raises:
        RangeError: ``members`` below 1, an unknown ``diversity``.

    Source: arXiv 2501.13124, section on ensembles.
    """

    weak: Callable[[int], Classifier]
    debater: Debater
    members: int = 4
    diversity: Literal["debate", "seed"] = "debate"
    turns: int = 3
    limit: int | None = None
    length: Length = len
    seed: int = 0
    holds: Holds = run_debate
    trained: list[Classifier] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if self.members < 1:
            raise RangeError(f"{self.members} members", hint="1 or more; gains flatten past 4")
        if self.diversity not in ("debate", "seed"):
            raise RangeError(f"diversity is {self.diversity!r}", hint="debate or seed")

    def fit(self, questions: Sequence[Question]) -> DebateLabeler:
        """Hold the debates on ``questions`` and train all members.

        Raises:
            DataError: a question without truth, no questions, an id twice; the rest as :func:`hold_debates`.
        """
        if not questions:
            raise DataError("there are no questions to learn from", hint="give questions with truth")
        for one in questions:
            if one.truth not in (0, 1):
                raise DataError(f"the truth is {one.truth}", where=f"question {one.id!r}", hint="0 or 1 to learn from")
        truth = np.array([one.truth for one in questions], dtype=np.int64)
        fresh: list[Classifier] = []
        for number in range(self.members):
            if number == 0 or self.diversity == "debate":
                held = self.transcripts(questions, number)
            learner = self.weak(derive(self.seed, "weak", number if self.diversity == "seed" else 0))
            learner.fit([one.text for one in held], one_hot((truth != _first(held)).astype(np.int64), 2))
            fresh.append(learner)
        self.trained = fresh
        return self

    def label(self, questions: Sequence[Question]) -> FloatArray:
        """Mean probabilities [N, 2] of the answers; truth is not read.

        Raises:
            DataError: before ``fit``; the rest as :func:`hold_debates`.
            ShapeError, RangeError, NumericalError: a weak model's answers that are no probabilities; name the question.
        """
        if not self.trained:
            raise DataError("the labellers have learnt nothing yet", hint="call fit first")
        total = np.zeros((len(questions), 2))
        for number, learner in enumerate(self.trained):
            if number == 0 or self.diversity == "debate":
                held = self.transcripts(questions, number)
            found = learner.predict_proba([one.text for one in held])
            check_labels(torch.from_numpy(np.asarray(found, dtype=np.float64)), [one.id for one in questions])
            swapped = _first(held)[:, None] == 1
            total += np.where(swapped, found[:, ::-1], found)
        mean: FloatArray = total / self.members
        return mean

    def transcripts(self, questions: Sequence[Question], member: int) -> list[Transcript]:
        """What this member reads; the assignment of sides is in each transcript."""
        seed = derive(self.seed, "debates", member if self.diversity == "debate" else 0)
        return hold_debates(
            questions,
            self.debater,
            turns=self.turns,
            limit=self.limit,
            length=self.length,
            seed=seed,
            holds=self.holds,
        )


def _first(held: Sequence[Transcript]) -> IntArray:
    return np.array([one.first_side for one in held], dtype=np.int64)


def reading(trained: Classifier) -> Reader:
    """One of :attr:`DebateLabeler.trained`, or another that has learnt from transcripts, as the reader of a market."""

    def believed(so_far: Transcript) -> float:
        argued_first = float(trained.predict_proba([so_far.text])[0, 0])
        return argued_first if so_far.first_side == 0 else 1.0 - argued_first

    return believed
