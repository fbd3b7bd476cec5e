"""A mean over seeds and items: how much of its uncertainty each of them brings."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, ShapeError
from tutelage.stats.checks import finite_array
from tutelage.stats.resampling import MANY_CLUSTERS, check_settings, tails
from tutelage.types import Estimate

__all__ = ["TwoLevel", "two_level_bootstrap"]

Floats = npt.NDArray[np.float64]
_DRAWS_AT_ONCE = 1_048_576


@dataclass(frozen=True)
class TwoLevel:
    """The mean over seeds and items, and the variances that make up its own.

    ``var_seed``, ``var_item`` and ``var_rest`` are the variances between seeds, between items and of what is left in a
    single score; None with a single seed or item. ``seed_share`` and ``item_share`` are the parts that seeds and items
    have in the variance of the mean; None where there is none. A large seed share asks for more seeds, not more items.
    """

    mean: Estimate
    var_seed: float | None
    var_item: float | None
    var_rest: float | None
    seed_share: float | None
    item_share: float | None


def two_level_bootstrap(
    scores: npt.ArrayLike, *, level: float = 0.95, seed: int = 0, resamples: int = 10_000
) -> TwoLevel:
    r"""Bootstrap over seeds and over items, both drawn with replacement and crossed.

    For "another seed and other items"; the differences of two systems may stand for scores. The variances are those of
    the two-way random-effects analysis of variance (below 0 set to 0): with mean squares of seeds, items and rest,
    :math:`(MS_s-MS_r)/I`, :math:`(MS_i-MS_r)/S` and :math:`MS_r`, and the mean has
    :math:`\sigma_s^2/S+\sigma_i^2/I+\sigma_r^2/SI`. The resampled variance counts the last part up to three times, so
    the interval is rather too wide where that part rules. It is expanded for the smaller of S and I.

    Args:
        scores: score of each item under each seed [S, I].
        level: confidence level.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        DataError: no scores.
        ShapeError: not a matrix.
        NumericalError: NaN or infinity.
        RangeError: a level outside (0, 1), too few resamples.

    Source: the pigeonhole bootstrap of Owen 2007; variance components of Searle 1971.

    Example:
        >>> found = two_level_bootstrap([[0.0, 1.0, 1.0], [1.0, 2.0, 2.0]])
        >>> round(found.mean.value, 3), round(found.var_seed, 3)
        (1.167, 0.5)
    """
    check_settings(resamples, level)
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2:
        raise ShapeError(f"scores are seeds by items, not of shape {table.shape}")
    if table.size == 0:
        raise DataError("no scores to average")
    table = finite_array(table, "scores")
    seeds, items = table.shape
    value, name = float(table.mean()), "expanded bootstrap of seeds and items"
    fewest = min(seeds, items)
    if fewest < 2:
        unknown = Estimate(value, -math.inf, math.inf, level, name, table.size, fewest, seed)
        return TwoLevel(unknown, None, None, None, None, None)
    drawn = _drawn(table, resamples, np.random.default_rng(seed))
    low, high = np.quantile(drawn, tails(fewest, level))
    mean = Estimate(value, float(low), float(high), level, name, table.size, fewest, seed)
    return TwoLevel(mean, *_variances(table))


def _variances(table: Floats) -> tuple[float, float, float, float | None, float | None]:
    seeds, items = table.shape
    by_seed, by_item = table.mean(axis=1), table.mean(axis=0)
    rest = table - by_seed[:, None] - by_item + table.mean()
    var_rest = float(np.square(rest).sum()) / ((seeds - 1) * (items - 1))
    var_seed = max(0.0, float(by_seed.var(ddof=1)) - var_rest / items)
    var_item = max(0.0, float(by_item.var(ddof=1)) - var_rest / seeds)
    whole = var_seed / seeds + var_item / items + var_rest / (seeds * items)
    if whole == 0:
        return var_seed, var_item, var_rest, None, None
    return var_seed, var_item, var_rest, var_seed / seeds / whole, var_item / items / whole


def _drawn(table: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Means of the table under resampled seeds and items [B]."""
    seeds, items = table.shape
    if items > MANY_CLUSTERS:  # given the seeds, the mean over so many resampled items is normal
        times = _times(seeds, resamples, rng)
        centre = times @ table.mean(axis=1) / seeds
        spread = np.einsum("bi,ij,bj->b", times, np.atleast_2d(np.cov(table, ddof=0)), times) / (seeds**2 * items)
        return np.asarray(centre + np.sqrt(np.maximum(spread, 0)) * rng.standard_normal(resamples))
    means = np.empty(resamples)
    rows = max(1, _DRAWS_AT_ONCE // items)
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        by_item = _times(seeds, count, rng) @ table
        means[start : start + count] = (by_item * _times(items, count, rng)).sum(axis=1) / table.size
    return means


def _times(kinds: int, resamples: int, rng: np.random.Generator) -> Floats:
    """How often each of ``kinds`` is drawn when as many are drawn with replacement [B, kinds]."""
    picked = rng.integers(kinds, size=(resamples, kinds)) + np.arange(resamples)[:, None] * kinds
    return np.bincount(picked.ravel(), minlength=resamples * kinds).reshape(resamples, kinds).astype(np.float64)
