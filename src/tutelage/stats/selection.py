"""Which of several sampled answers to give: by votes, by scores, or by both."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, RangeError, ShapeError
from tutelage.stats.checks import finite_array, finite_vector

__all__ = ["Choice", "Selection", "check_answers", "select", "vote"]

Selection = Literal["majority", "best_of_n", "weighted"]
Floats = npt.NDArray[np.float64]
_SAME = 1e-12  # relative: the same numbers added in another order are the same vote


def check_answers(answers: Sequence[object], where: str | None = None) -> None:
    """Nothing if the answers can be counted.

    Raises:
        DataError: one is a list or the like, which equals nothing for sure, or NaN, which tables put where no answer
            is: it must not win a vote.
    """
    for place, answer in enumerate(answers):
        if not isinstance(answer, Hashable):
            raise DataError(
                f"answer {place} is a {type(answer).__name__}", where=where, hint="make it a text or a tuple"
            )
        if isinstance(answer, float) and math.isnan(answer):
            raise DataError(f"answer {place} is NaN", where=where, hint="give None where no answer could be read")


@dataclass(frozen=True)
class Choice:
    """The answer and the place of the sample it comes from; both None when no sample has an answer."""

    answer: Hashable
    index: int | None


def select(answers: Sequence[Hashable], scores: npt.ArrayLike | None = None, how: Selection = "majority") -> Choice:
    """Choose one of the sampled answers.

    ``majority``: the most frequent; ``best_of_n``: that of the highest score; ``weighted``: that of the largest sum of
    scores. Samples without an answer (None) take no part, so that "no answer" can never win a vote. **Ties go to what
    was seen first**; so two different answers end in the first one, and a majority of two is no better than one sample.

    Args:
        answers: [N] in a normal form, so that equal answers are equal; None where none could be read.
        scores: [N] of the samples; needed by all but ``majority``; at least 0 for ``weighted``.
        how: the rule.

    Returns:
        Answer and index: the first sample with that answer, or (``best_of_n``) the first of the highest score.

    Raises:
        DataError: no samples, scores missing, or what :func:`check_answers` refuses.
        ShapeError: not one score for every answer.
        NumericalError: NaN or infinity.
        RangeError: a negative score in a weighted vote, an unknown rule.

    Source: arXiv 2403.09472; the rule for ties is ours.

    Example:
        >>> select(["4", "5", None, "5"], [0.9, 0.1, 1.0, 0.3], "weighted")
        Choice(answer='4', index=0)
        >>> select(["4", "5", None, "5"])
        Choice(answer='5', index=1)
    """
    if how not in get_args(Selection):
        raise RangeError(f"no selection is called {how!r}", hint=f"one of {', '.join(get_args(Selection))}")
    if len(answers) == 0:
        raise DataError("there are no answers to choose from")
    check_answers(answers)
    weights = np.ones(len(answers)) if scores is None else finite_vector(scores, "scores")
    if scores is None and how != "majority":
        raise DataError(f"{how} needs scores", hint="give one score for every answer")
    if len(weights) != len(answers):
        raise ShapeError(f"{len(answers)} answers but {len(weights)} scores")
    told = [i for i, answer in enumerate(answers) if answer is not None]
    if not told:
        return Choice(None, None)
    if how == "best_of_n":
        best = max(told, key=lambda i: (weights[i], -i))
        return Choice(answers[best], best)
    if how == "majority":
        weights = np.ones(len(answers))
    elif weights.min() < 0:
        raise RangeError("a weighted vote needs scores of at least 0", hint="give probabilities, not logits")
    ballots: dict[Hashable, list[int]] = {}
    for i in told:
        ballots.setdefault(answers[i], []).append(i)
    sums = {answer: math.fsum(weights[i] for i in places) for answer, places in ballots.items()}
    most = max(sums.values())
    winner = next(answer for answer, total in sums.items() if total >= most * (1 - _SAME))
    return Choice(winner, ballots[winner][0])


def vote(codes: npt.NDArray[np.intp], weights: Floats) -> npt.NDArray[np.intp]:
    """Winners of many votes at once, by the rules of :func:`select`.

    Args:
        codes: [R, N] number of the answer, -1 where there is none.
        weights: [R, N] what each sample weighs, at least 0.

    Returns:
        [R] number of the winner, -1 where nobody has an answer.
    """
    weights = finite_array(weights, "weights")
    kinds = int(codes.max(initial=-1)) + 1
    if kinds == 0:
        return np.full(len(codes), -1, dtype=np.intp)
    given = codes[:, :, None] == np.arange(kinds)
    sums = (given * weights[:, :, None]).sum(axis=1)
    seen = given.any(axis=1)
    most = np.where(seen, sums, -1.0).max(axis=1, keepdims=True)
    leading = seen & (sums >= most * (1 - _SAME))
    first = np.where(leading, given.argmax(axis=1), codes.shape[1])
    return np.where(seen.any(axis=1), first.argmin(axis=1), -1).astype(np.intp)
