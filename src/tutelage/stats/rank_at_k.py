"""Whether a scorer puts a right solution in front: rank@k beside what a perfect scorer and a lot would reach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, RangeError, ShapeError
from tutelage.stats.checks import finite_vector
from tutelage.stats.intervals import share_interval
from tutelage.stats.pass_at_k import pass_at_k
from tutelage.types import Estimate

__all__ = ["RankAtK", "rank_at_k"]


@dataclass(frozen=True)
class RankAtK:
    """``value``: share of questions with a right one among the k of highest score; ``mixed``: among those questions
    that have right and wrong ones, the only ones that a scorer can do something about (None without any).
    ``oracle`` and ``random`` are what a perfect scorer and a lot would reach."""

    value: Estimate
    mixed: Estimate | None
    oracle: float
    random: float


def rank_at_k(
    scores: Sequence[npt.ArrayLike], correct: Sequence[npt.ArrayLike], k: int = 1, *, level: float = 0.95
) -> RankAtK:
    """Does a right solution stand among the k of highest score?

    Equal scores keep the order in which the samples are given: shuffle samples that a generator has sorted.

    Args:
        scores: for each question the scores [N] of its solutions.
        correct: for each question whether each solution is right [N].
        k: how many places count; at most the samples of any question.
        level: confidence level (Wilson).

    Raises:
        DataError: no questions, or one without solutions.
        ShapeError: scores and solutions of different number.
        NumericalError: NaN or infinity.
        RangeError: k out of range, or a value of ``correct`` that is neither 0 nor 1.

    Source: arXiv 2501.01290 (rank@1).

    Example:
        >>> found = rank_at_k([[0.2, 0.9], [0.5, 0.1]], [[False, True], [False, True]])
        >>> found.value.value, found.oracle, found.random
        (0.5, 1.0, 0.5)
    """
    if len(scores) != len(correct):
        raise ShapeError(f"scores of {len(scores)} questions, grades of {len(correct)}")
    if k != math.floor(k):
        raise RangeError(f"places are counted in whole numbers, not {k}")
    hits, rights, counts = [], [], []
    for number, (one, grades) in enumerate(zip(scores, correct, strict=True)):
        values, right = finite_vector(one, f"scores of question {number}"), finite_vector(grades, "correct")
        if values.shape != right.shape:
            raise ShapeError(f"question {number}: {values.size} scores, {right.size} solutions")
        if not np.isin(right, (0, 1)).all():
            raise RangeError("a solution is right (1) or wrong (0)", where=f"question {number}")
        hits.append(bool(right[np.argsort(-values, kind="stable")[: max(int(k), 0)]].any()))
        rights.append(int(right.sum()))
        counts.append(right.size)
    if not hits:
        raise DataError("no questions")
    by_lot = pass_at_k(counts, rights, k)
    mixed = [hit for hit, c, n in zip(hits, rights, counts, strict=True) if 0 < c < n]
    return RankAtK(
        share_interval(hits, level=level),
        share_interval(mixed, level=level) if mixed else None,
        float(np.mean(np.array(rights) > 0)),
        float(by_lot.mean()),
    )
