"""A table of systems by rank that says how far each rank can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, ShapeError
from tutelage.stats.checks import Labels, cluster_codes
from tutelage.stats.intervals import clustered_variance, mean_interval, share_interval, t_test
from tutelage.stats.multiplicity import holm
from tutelage.stats.paired_proportions import PairedCounts, mcnemar
from tutelage.stats.rank import item_means, resampled_means
from tutelage.stats.resampling import check_settings, tails
from tutelage.types import Estimate

__all__ = ["RankedSystem", "rank_table"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RankedSystem:
    """One system: its mean, its rank (1 is best, equal means share the better rank) and the rank's interval.

    ``first`` is the share of resamples in which it comes first (shared places count in part); ``tied`` names the
    systems from which no paired test tells it apart, after Holm's correction over all pairs.
    """

    name: str
    score: Estimate
    rank: int
    rank_low: int
    rank_high: int
    first: float
    tied: tuple[str, ...]


def rank_table(
    scores: npt.ArrayLike,
    *,
    names: Sequence[str] | None = None,
    cluster: Labels | None = None,
    higher_is_better: bool = True,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 10_000,
) -> list[RankedSystem]:
    """Systems ordered by their mean score on the same items, best first.

    All systems are resampled together, item by item. The intervals answer "with other items", never "among other
    systems". Pairs are tested by McNemar's mid-p where scores are 0 or 1 and items independent, and by the (clustered)
    paired t otherwise.

    Args:
        scores: score of each item by each system [N, S].
        names: of the systems [S]; None: ``"0"``, ``"1"``, ...
        cluster: what is independent [N]; None: every item.
        higher_is_better: False where the lowest mean comes first.
        level: confidence level of all intervals and of the tests.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        DataError: no items, no systems, or a name that stands twice.
        ShapeError: not a matrix, or not one name for every system.
        NumericalError: NaN or infinity.
        RangeError: a level outside (0, 1), too few resamples.

    Source: own derivation; the rank interval is a percentile bootstrap interval (with few clusters expanded).

    Example:
        >>> rows = rank_table([[1, 0], [1, 0], [1, 1], [1, 0], [0, 0], [1, 0]], names=["new", "old"])
        >>> [(row.name, row.rank) for row in rows]
        [('new', 1), ('old', 2)]
    """
    check_settings(resamples, level)
    means, table = item_means(scores, "scores")
    if table is None:
        raise ShapeError("a rank table needs the score of every item by every system [items, systems]")
    systems = means.size
    names = [str(i) for i in range(systems)] if names is None else list(names)
    if len(names) != systems:
        raise ShapeError(f"{systems} systems but {len(names)} names")
    if len(set(names)) < systems:
        raise DataError("two systems have the same name")
    sign = 1.0 if higher_is_better else -1.0
    drawn, clusters = resampled_means(sign * table, cluster, resamples, seed)
    low, high, first = _rank_intervals(drawn, clusters, level)
    tied = _tied(table, cluster, level)
    rank = 1 + (sign * means > sign * means[:, None]).sum(axis=1)
    binary = bool(np.isin(table, (0, 1)).all())
    interval = share_interval if binary else mean_interval
    rows = [
        RankedSystem(
            name=name,
            score=interval(table[:, i], cluster, level=level),
            rank=int(rank[i]),
            rank_low=int(low[i]),
            rank_high=int(high[i]),
            first=float(first[i]),
            tied=tuple(names[k] for k in range(systems) if k != i and tied[i, k]),
        )
        for i, name in enumerate(names)
    ]
    return sorted(rows, key=lambda row: row.rank)


def _rank_intervals(
    drawn: Floats, clusters: int, level: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
    """Lowest and highest rank of each system, and how often it is first, from means [B, S] where higher is better."""
    systems = drawn.shape[1]
    best = drawn == drawn.max(axis=1, keepdims=True)
    first = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    if clusters < 2:
        return np.ones(systems, np.intp), np.full(systems, systems, np.intp), first
    low, high = tails(clusters, level)
    ranks = np.stack([1 + (drawn > drawn[:, i : i + 1]).sum(axis=1) for i in range(systems)], axis=1)
    ends = np.quantile(ranks, [low, high], axis=0, method="inverted_cdf").astype(np.intp)
    return ends[0], ends[1], first


def _tied(table: Floats, cluster: Labels | None, level: float) -> npt.NDArray[np.bool_]:
    systems = table.shape[1]
    codes = cluster_codes(cluster, len(table))
    clusters = int(codes.max()) + 1
    mid_p = clusters == len(table) and bool(np.isin(table, (0, 1)).all())
    pairs = list(combinations(range(systems), 2))
    p = []
    for i, k in pairs:
        if mid_p:
            p.append(mcnemar(PairedCounts.of(table[:, i], table[:, k])))
        else:
            difference = table[:, k] - table[:, i]
            error = math.sqrt(clustered_variance(difference, codes))
            p.append(t_test(float(difference.mean()), error, clusters - 1))
    tied = np.eye(systems, dtype=bool)
    for (i, k), adjusted in zip(pairs, holm(p), strict=True):
        tied[i, k] = tied[k, i] = adjusted > 1 - level
    return tied
