"""Supervision of known quality: right solutions replaced by wrong ones at an exact rate, and mixtures of equal tokens.

A task has a right and a wrong solution. What is trained on holds one of them, so that sets with other rates of error
differ in nothing else: the same tasks, the same order, and under one seed a lower rate's wrong solutions are among a
higher rate's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tutelage.errors import DataError, RangeError
from tutelage.seeds import derive

__all__ = ["Mixture", "Supervised", "TaskPair", "inject_errors", "mix", "token_cost"]


@dataclass(frozen=True)
class TaskPair:
    """A task with a right and a wrong solution. ``parent`` is the id of the task it is a part of, if it is one."""

    id: str
    question: str
    right: str
    wrong: str
    parent: str = ""

    def __post_init__(self) -> None:
        if not (self.question.strip() and self.right.strip() and self.wrong.strip()):
            raise DataError("a task has a question, a right and a wrong solution", where=f"task {self.id!r}")
        if self.right.strip() == self.wrong.strip():
            raise DataError("the right and the wrong solution are the same", where=f"task {self.id!r}")


@dataclass(frozen=True)
class Supervised:
    """A task with the solution that is trained on: its right or its wrong one, according to ``correct``."""

    pair: TaskPair
    correct: bool

    @property
    def solution(self) -> str:
        """The text that is trained on."""
        return self.pair.right if self.correct else self.pair.wrong


def inject_errors(pairs: Sequence[TaskPair], rate: float, *, seed: int) -> list[Supervised]:
    """Every task once, in the given order, exactly round(rate N) of them with the wrong solution.

    Args:
        pairs: the tasks, N.
        rate: share of wrong solutions.
        seed: of which are wrong; under one seed, those of a lower rate are among those of a higher one.

    Raises:
        RangeError: a rate outside [0, 1].
        DataError: two tasks have one id.

    Source: arXiv 2410.20533 (rates from 0 to 100 % for each of two sets).

    Example:
        >>> pairs = [TaskPair(str(k), f"{k} + 1?", str(k + 1), str(k)) for k in range(10)]
        >>> [one.pair.id for one in inject_errors(pairs, 0.2, seed=0) if not one.correct]
        ['0', '9']
    """
    _checked(pairs, rate)
    wrong = set(_order(len(pairs), seed)[: round(rate * len(pairs))])
    return [Supervised(pair, place not in wrong) for place, pair in enumerate(pairs)]


@dataclass(frozen=True)
class Mixture:
    """Rows of two sets, shuffled together. ``tokens`` and ``rows`` are of the first set and of what was added."""

    rows: tuple[Supervised, ...]
    tokens: tuple[int, int]
    counts: tuple[int, int]


def token_cost(count: Callable[[str], int]) -> Callable[[Supervised], int]:
    """Tokens that a row trains on, those of its solution, by a tokenizer's count of a text."""
    return lambda row: count(row.solution)


def mix(
    hard: Sequence[TaskPair],
    added: Sequence[TaskPair],
    er_hard: float,
    er_added: float,
    *,
    seed: int,
    cost: Callable[[Supervised], int],
    budget: int | None = None,
) -> Mixture:
    """Hard tasks and others (their subtasks, or paraphrases as a control) up to a budget of tokens.

    All hard tasks, and as many of the others, in random order, as the budget holds; every first part of that order has
    the asked rate of wrong solutions to within one. So mixtures that add different things can be compared at equal
    tokens: the budgets are missed by less than one row.

    Args:
        hard: the first set.
        added: the second.
        er_hard: share of wrong solutions in the first.
        er_added: share of wrong solutions in what is added.
        seed: of which are wrong, which are added, and of the order.
        cost: tokens of a row, counted as training counts them; see :func:`token_cost`.
        budget: tokens to be added; None: as many as the first set has.

    Raises:
        RangeError: a rate outside [0, 1], a budget below 0.
        DataError: two tasks of a set have one id, or the second set is too small for the budget.

    Source: arXiv 2410.20533; equal tokens instead of equal numbers of rows are ours.

    Example:
        >>> hard = [TaskPair(f"h{k}", "q", "a b c d", "a b x y") for k in range(4)]
        >>> easy = [TaskPair(f"s{k}", "q", "a b", "a x") for k in range(20)]
        >>> made = mix(hard, easy, 0.5, 0.0, seed=0, cost=token_cost(lambda text: len(text.split())))
        >>> made.tokens, made.counts
        ((16, 16), (4, 8))
    """
    _checked(added, er_added)
    if budget is not None and not budget >= 0:
        raise RangeError(f"a budget of {budget} tokens", hint="0 or more; None: as many as the first set has")
    first = inject_errors(hard, er_hard, seed=seed)
    spent = sum(map(cost, first))
    left = budget = spent if budget is None else budget
    more: list[Supervised] = []
    for number, place in enumerate(_order(len(added), derive(seed, "added"))):
        row = Supervised(added[place], int((number + 1) * er_added + 1e-9) == int(number * er_added + 1e-9))
        left -= cost(row)
        if left < 0:
            left += cost(row)
            break
        more.append(row)
    else:
        if left > 0:
            raise DataError(
                f"the set to be added has {budget - left} tokens and {budget} are to be added",
                hint="give more tasks, or a smaller budget",
            )
    rows = [*first, *more]
    random.Random(derive(seed, "mix")).shuffle(rows)
    return Mixture(tuple(rows), (spent, budget - left), (len(first), len(more)))


def _order(count: int, seed: int) -> list[int]:
    return random.Random(derive(seed, "inject errors")).sample(range(count), count)


def _checked(pairs: Sequence[TaskPair], rate: float) -> None:
    if not 0 <= rate <= 1:
        raise RangeError(f"a rate of {rate}", hint="a share from 0 to 1")
    seen: set[str] = set()
    for pair in pairs:
        if pair.id in seen:
            raise DataError("an id stands twice", where=f"task {pair.id!r}")
        seen.add(pair.id)
