"""Do two measures order the systems alike? Rank correlations, with intervals over items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats as distributions

from tutelage.errors import DataError, ShapeError
from tutelage.stats.checks import Labels, cluster_codes, finite_array
from tutelage.stats.resampling import bootstrap_interval, check_settings, cluster_table, resampled_totals
from tutelage.types import Estimate

__all__ = ["RankCorrelation", "item_means", "kendall_tau", "rank_auc", "resampled_means", "spearman"]

Floats = npt.NDArray[np.float64]
_NUMBERS_AT_ONCE = 8_000_000
_DIGITS = 12  # equal means may differ in the last bits


def rank_auc(values: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the chance that a positive one [N] has the higher value, ties counting half.

    NaN where all are of one kind.
    """
    good = int(positive.sum())
    pairs = good * (positive.size - good)
    if not pairs:
        return float("nan")
    return float((distributions.rankdata(values)[positive].sum() - good * (good + 1) / 2) / pairs)


@dataclass(frozen=True)
class RankCorrelation:
    """A rank correlation of ``n`` systems and the p value that there is none.

    ``interval`` is over other items for the same systems, None where only the systems' means were given. Neither it nor
    p says what other systems would do.
    """

    value: float
    p: float
    n: int
    interval: Estimate | None


def kendall_tau(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    cluster: Labels | None = None,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 10_000,
) -> RankCorrelation:
    r"""Kendall's :math:`\tau_b=(P-Q)/\sqrt{(P+Q+T_x)(P+Q+T_y)}` of two measures of the same systems.

    P and Q count the pairs of systems in the same and in the opposite order, :math:`T_x` and :math:`T_y` those tied
    only in x and only in y. Given scores of every item, systems are compared by their means and all items are resampled
    together, so the interval answers "with other items". p is SciPy's, over systems.

    Args:
        x: first measure: of each system [S], or the score of each item by each system [N, S].
        y: second measure of the same systems, in the same form; the items are those of x.
        cluster: what is independent [N]; None: every item.
        level: confidence level.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        DataError: fewer than two systems, or one of the measures ranks none above another.
        ShapeError: different shapes, or neither a vector nor a matrix.
        NumericalError: NaN or infinity.
        RangeError: a level outside (0, 1), too few resamples.

    Source: Kendall 1945.

    Example:
        >>> round(kendall_tau([1, 2, 3, 4], [1, 3, 2, 4]).value, 4)
        0.6667
    """
    return _correlation(x, y, (_taus, distributions.kendalltau), cluster, (level, seed, resamples))


def spearman(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    cluster: Labels | None = None,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 10_000,
) -> RankCorrelation:
    """Spearman's rho of two measures of the same systems: the correlation of their mid-ranks.

    Arguments, errors and the meaning of the interval are those of :func:`kendall_tau`; p is SciPy's, by Student's t.

    Source: Spearman 1904.

    Example:
        >>> round(spearman([1, 2, 3, 4], [1, 3, 2, 4]).value, 4)
        0.8
    """
    return _correlation(x, y, (_rhos, distributions.spearmanr), cluster, (level, seed, resamples))


def item_means(scores: npt.ArrayLike, name: str) -> tuple[Floats, Floats | None]:
    """Each system's mean [S], and the scores [N, S] behind it if there are any.

    Raises:
        ShapeError: neither a vector nor a matrix.
        DataError: nothing to average.
        NumericalError: NaN or infinity.
    """
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim not in (1, 2):
        raise ShapeError(f"{name} must be of shape [systems] or [items, systems], not {array.shape}")
    if array.size == 0:
        raise DataError(f"{name} is empty: there is nothing to rank")
    array = finite_array(array, name)
    if array.ndim == 1:
        return np.round(array, _DIGITS), None
    return np.round(array.mean(axis=0), _DIGITS), array


def resampled_means(scores: Floats, cluster: Labels | None, resamples: int, seed: int) -> tuple[Floats, int]:
    """Column means of ``scores`` [N, S] in every resample of items or clusters [B, S], and how many these are."""
    codes = None if cluster is None else cluster_codes(cluster, len(scores))
    table = cluster_table(np.column_stack([scores, np.ones(len(scores))]), codes)
    totals = resampled_totals(table, resamples, np.random.default_rng(seed))
    return np.round(totals[:, :-1] / totals[:, -1:], _DIGITS), len(table)


def _correlation(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    statistic: tuple[Callable[[Floats, Floats], Floats], Callable[..., object]],
    cluster: Labels | None,
    settings: tuple[float, int, int],
) -> RankCorrelation:
    level, seed, resamples = settings
    check_settings(resamples, level)
    (first, items), (second, others) = item_means(x, "x"), item_means(y, "y")
    if np.shape(x) != np.shape(y):
        raise ShapeError(f"x has shape {np.shape(x)} and y {np.shape(y)}: both must be of the same systems and items")
    systems = first.size
    if systems < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        raise DataError(
            "a rank correlation needs at least two systems that each measure tells apart",
            hint="all systems have the same value in one of the measures" if systems > 1 else None,
        )
    vectorised, test = statistic
    value = float(vectorised(first[None], second[None])[0])
    p = float(getattr(test(first, second), "pvalue", 1.0)) if systems > 2 else 1.0
    if items is None or others is None:
        return RankCorrelation(value, p, systems, None)
    both, clusters = resampled_means(np.hstack([items, others]), cluster, resamples, seed)
    step = max(1, _NUMBERS_AT_ONCE // systems**2)
    drawn = np.concatenate(
        [vectorised(part[:, :systems], part[:, systems:]) for part in np.split(both, range(step, resamples, step))]
    )
    widest = Estimate(value, -1.0, 1.0, level, "", len(items), clusters, seed)
    return RankCorrelation(value, p, systems, bootstrap_interval(drawn, widest))


def _taus(x: Floats, y: Floats) -> Floats:
    """Tau-b of each row of x and y [B, S]; NaN where a row does not rank."""
    one, two = np.triu_indices(x.shape[1], k=1)
    a, b = np.sign(x[:, one] - x[:, two]), np.sign(y[:, one] - y[:, two])
    return _ratio((a * b).sum(axis=1), np.abs(a).sum(axis=1) * np.abs(b).sum(axis=1))


def _rhos(x: Floats, y: Floats) -> Floats:
    """Spearman's rho of each row of x and y [B, S]; NaN where a row does not rank."""
    a, b = (distributions.rankdata(side, axis=1) - (side.shape[1] + 1) / 2 for side in (x, y))
    return _ratio((a * b).sum(axis=1), np.square(a).sum(axis=1) * np.square(b).sum(axis=1))


def _ratio(top: Floats, square: Floats) -> Floats:
    return np.asarray(top / np.sqrt(np.where(square > 0, square, np.nan)), dtype=np.float64)
