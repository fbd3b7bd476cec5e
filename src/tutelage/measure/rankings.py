"""How good rankings are: one value a query, so that intervals and paired tests can follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tutelage.errors import RangeError, ShapeError
from tutelage.types import FloatArray, Scores

__all__ = ["group_auc", "ndcg_at", "recall_at", "reciprocal_rank"]

_OfQuery = Callable[[FloatArray, FloatArray], float | None]


def ndcg_at(k: int, scores: npt.ArrayLike, relevance: npt.ArrayLike, query: Sequence[str]) -> Scores:
    r"""nDCG@k of each query, :math:`\sum_{r\le k}g_r/\log_2(1+r)` over that of the best order, gains as they are.

    Of equal scores the earlier row stands first. Queries in which nothing is relevant are left out.

    Args:
        k: places that count.
        scores: of each row [N].
        relevance: of each row [N], at least 0.
        query: that each row belongs to [N].

    Raises:
        ShapeError: vectors of different length.
        RangeError: k below 1, negative relevance.

    Example:
        >>> ndcg_at(2, [3.0, 2.0, 1.0], [0.0, 1.0, 0.0], ["q", "q", "q"]).values.round(3).tolist()
        [0.631]
    """
    _at_least_one(k)

    def of(score: FloatArray, gain: FloatArray) -> float | None:
        discount = 1 / np.log2(2 + np.arange(min(k, len(gain))))
        best = float((np.sort(gain)[::-1][:k] * discount).sum())
        return float((gain[_order(score)][:k] * discount).sum()) / best if best else None

    return _by_query(f"nDCG@{k}", of, scores, relevance, query)


def recall_at(k: int, scores: npt.ArrayLike, relevance: npt.ArrayLike, query: Sequence[str]) -> Scores:
    """Share of a query's relevant rows among its first k; arguments and errors as :func:`ndcg_at`."""
    _at_least_one(k)

    def of(score: FloatArray, gain: FloatArray) -> float | None:
        right = gain > 0
        return float(right[_order(score)][:k].sum() / right.sum()) if right.any() else None

    return _by_query(f"recall@{k}", of, scores, relevance, query)


def reciprocal_rank(scores: npt.ArrayLike, relevance: npt.ArrayLike, query: Sequence[str]) -> Scores:
    """1 / rank of a query's first relevant row; arguments and errors as :func:`ndcg_at`."""

    def of(score: FloatArray, gain: FloatArray) -> float | None:
        right = np.flatnonzero(gain[_order(score)] > 0)
        return 1 / (1 + float(right[0])) if right.size else None

    return _by_query("reciprocal rank", of, scores, relevance, query)


def group_auc(scores: npt.ArrayLike, relevance: npt.ArrayLike, query: Sequence[str]) -> Scores:
    """Share of (relevant, other) pairs of a query that are in order, ties by half; queries of one kind are left out.

    Arguments and errors as :func:`ndcg_at`.
    """

    def of(score: FloatArray, gain: FloatArray) -> float | None:
        good, bad = score[gain > 0][:, None], score[gain <= 0][None, :]
        return float(((good > bad) + 0.5 * (good == bad)).mean()) if good.size and bad.size else None

    return _by_query("group AUC", of, scores, relevance, query)


def _order(score: FloatArray) -> npt.NDArray[np.intp]:
    return np.argsort(-score, kind="stable")


def _at_least_one(k: int) -> None:
    if k < 1:
        raise RangeError(f"k is {k}", hint="at least 1")


def _by_query(name: str, of: _OfQuery, scores: npt.ArrayLike, relevance: npt.ArrayLike, query: Sequence[str]) -> Scores:
    score, gain = np.asarray(scores, dtype=np.float64), np.asarray(relevance, dtype=np.float64)
    if not score.shape == gain.shape == (len(query),):
        raise ShapeError(f"scores {score.shape}, relevance {gain.shape}, {len(query)} queries")
    if (gain < 0).any() or not np.isfinite(score).all():
        raise RangeError("relevance is at least 0 and scores are finite")
    names = np.array(query, dtype=object)
    found = {one: of(score[names == one], gain[names == one]) for one in dict.fromkeys(query)}
    kept = {one: value for one, value in found.items() if value is not None}
    return Scores(name, tuple(kept), np.array(list(kept.values()), dtype=np.float64))
