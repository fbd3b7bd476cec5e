"""Agreement of many raters beyond chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, RangeError, ShapeError
from tutelage.stats.agreement import lowest_of_perfect
from tutelage.stats.checks import Labels, cluster_codes, unusable
from tutelage.stats.resampling import bootstrap_interval, check_settings, cluster_table, resampled_totals
from tutelage.types import Estimate

__all__ = ["fleiss_kappa", "krippendorff_alpha"]

Floats = npt.NDArray[np.float64]
Measurement = Literal["nominal", "ordinal", "interval"]
_MOST_NUMBERS = 50_000_000


def fleiss_kappa(
    counts: npt.ArrayLike,
    *,
    cluster: Labels | None = None,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 10_000,
) -> Estimate:
    r"""Fleiss' kappa of r raters on N items, with an expanded percentile bootstrap over items.

    :math:`(\bar P-P_e)/(1-P_e)`, with :math:`P_i=(\sum_k n_{ik}^2-r)/(r(r-1))` and :math:`P_e=\sum_k p_k^2`. The raters
    of different items may be different people, but there must be equally many; otherwise use
    :func:`krippendorff_alpha`.

    Args:
        counts: how many raters put the item into the category [N, K].
        cluster: what is independent [N]; None: every item.
        level: confidence level.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        DataError: no items, fewer than two raters, unequal numbers of raters, or one category only.
        ShapeError: not a matrix.
        RangeError: counts that are not whole numbers from 0.

    Source: Fleiss 1971.

    Example:
        >>> round(fleiss_kappa([[3, 0], [0, 3], [2, 1], [3, 0]]).value, 3)
        0.625
    """
    check_settings(resamples, level)
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2:
        raise ShapeError(f"counts are items by categories, not of shape {table.shape}")
    if table.size == 0:
        raise DataError("no items were rated")
    if not (np.isfinite(table).all() and (table >= 0).all() and (table == np.floor(table)).all()):
        raise RangeError("counts of raters are whole numbers from 0")
    raters = table.sum(axis=1)
    if np.ptp(raters) > 0 or raters[0] < 2:
        raise DataError(
            f"items have from {int(raters.min())} to {int(raters.max())} raters",
            hint="Fleiss' kappa needs the same number, at least 2, for all; krippendorff_alpha takes any",
        )
    r = float(raters[0])
    agreed = (np.square(table).sum(axis=1) - r) / (r * (r - 1))

    def kappa(totals: Floats) -> Floats:
        items = totals[:, -1]
        chance = np.square(totals[:, 1:-1] / (items[:, None] * r)).sum(axis=1)
        return np.asarray((totals[:, 0] / items - chance) / np.where(1 - chance > 1e-15, 1 - chance, np.nan))

    columns = np.column_stack([agreed, table, np.ones(len(table))])
    worst = 1 / max(1e-15, 1 - float(np.square(table.sum(axis=0) / table.sum()).sum()))
    return _estimated(columns, kappa, worst, cluster, (level, seed, resamples))


def krippendorff_alpha(
    ratings: Sequence[Sequence[Any]] | npt.NDArray[Any],
    *,
    level: Measurement = "nominal",
    cluster: Labels | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    resamples: int = 10_000,
) -> Estimate:
    r"""Krippendorff's alpha of any number of raters, some of whose ratings may be missing.

    :math:`1-D_o/D_e` with the disagreement :math:`D_o` inside items and :math:`D_e` between any two ratings. Two
    ratings differ by 1 (nominal), by :math:`(x-y)^2` (interval), or by the squared difference of their mid-ranks among
    all ratings (ordinal). Items with fewer than two ratings say nothing about agreement and are left out; the interval
    is an expanded percentile bootstrap over the others.

    Args:
        ratings: rating of each item by each rater [raters, items]; None or NaN where there is none.
        level: of measurement: ``"nominal"`` (names), ``"ordinal"`` (ranks) or ``"interval"`` (numbers).
        cluster: what is independent [items]; None: every item.
        confidence: confidence level.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        DataError: no item has two ratings, or all ratings are equal.
        ShapeError: raters of different numbers of items.
        RangeError: an unknown level, ratings that are not numbers where numbers are needed, or too many different
            ratings for an ordinal scale.

    Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".

    Example:
        >>> one, two = [1, 2, 3, 3, None, 1], [1, 2, 3, 2, 2, 1]
        >>> round(krippendorff_alpha([one, two], level="ordinal").value, 3)
        0.89
    """
    check_settings(resamples, confidence)
    if level not in ("nominal", "ordinal", "interval"):
        raise RangeError(f"no level of measurement is called {level!r}", hint="use 'nominal', 'ordinal' or 'interval'")
    values, counts, rows = _rated(ratings, ordered=level != "nominal")
    columns, alpha = _MEASURES[level](values, counts)
    kept = None if cluster is None else cluster_codes(cluster, len(ratings[0]))[rows]
    return _estimated(columns, alpha, _worst(values, counts, level), kept, (confidence, seed, resamples))


def _estimated(
    columns: Floats,
    statistic: Callable[[Floats], Floats],
    worst: float,
    cluster: Labels | None,
    settings: tuple[float, int, int],
) -> Estimate:
    """A function of column totals on the data and in every resample."""
    level, seed, resamples = settings
    n = len(columns)
    codes = None if cluster is None else cluster_codes(cluster, n)
    table = cluster_table(columns, codes)
    value = float(statistic(columns.sum(axis=0, keepdims=True))[0])
    if math.isnan(value):
        raise DataError("all ratings are equal: agreement beyond chance is not defined")
    drawn = statistic(resampled_totals(table, resamples, np.random.default_rng(seed)))
    found = bootstrap_interval(drawn, Estimate(value, -1.0, 1.0, level, "", n, len(table), seed))
    return lowest_of_perfect(found, worst) if value > 1 - 1e-12 else found


def _rated(
    ratings: Sequence[Sequence[Any]] | npt.NDArray[Any], *, ordered: bool
) -> tuple[Floats, Floats, npt.NDArray[np.intp]]:
    """Distinct ratings [K] (codes where nominal), how often each was given to each item [U, K], and which items."""
    rows = [list(rater.tolist() if isinstance(rater, np.ndarray) else rater) for rater in ratings]
    if len({len(row) for row in rows}) > 1:
        raise ShapeError("raters have rated different numbers of items", hint="write None where a rating is missing")
    given = [
        (item, rating)
        for row in rows
        for item, rating in enumerate(row)
        if rating is not None and not (isinstance(rating, float) and math.isnan(rating))
    ]
    numeric = all(isinstance(rating, int | float) and not unusable(rating) for _, rating in given)
    if ordered and not numeric:
        raise RangeError("ordinal and interval ratings must be finite numbers", hint="code ordered words by their rank")
    labels = {rating for _, rating in given}
    kinds = sorted(labels) if numeric else sorted(labels, key=str)
    place = {label: code for code, label in enumerate(kinds)}
    counts = np.zeros((len(rows[0]) if rows else 0, len(kinds)))
    np.add.at(counts, ([item for item, _ in given], [place[rating] for _, rating in given]), 1.0)
    kept = np.flatnonzero(counts.sum(axis=1) >= 2)
    if not kept.size:
        raise DataError("no item has two ratings", hint="agreement needs items that several raters have rated")
    values = np.array(kinds, dtype=np.float64) if numeric else np.arange(len(kinds), dtype=np.float64)
    return values, counts[kept], kept


def _worst(values: Floats, counts: Floats, level: Measurement) -> float:
    """The largest disagreement of two ratings over the mean one."""
    share = counts.sum(axis=0) / counts.sum()
    if level == "nominal":
        return 1 / max(1e-15, 1 - float(np.square(share).sum()))
    at = values if level == "interval" else np.cumsum(share) - share / 2
    return float(np.ptp(at) ** 2) / max(1e-300, 2 * float(share @ np.square(at) - (share @ at) ** 2))


Measure = tuple[Floats, Callable[[Floats], Floats]]


def _over_chance(observed: Floats, expected: Floats) -> Floats:
    return np.asarray(1 - observed / np.where(expected > 1e-12, expected, np.nan), dtype=np.float64)


def _nominal(values: Floats, counts: Floats) -> Measure:
    size = counts.sum(axis=1)
    differing = (np.square(size) - np.square(counts).sum(axis=1)) / (size - 1)

    def alpha(totals: Floats) -> Floats:
        n = totals[:, 1:].sum(axis=1)
        return _over_chance(totals[:, 0], (np.square(n) - np.square(totals[:, 1:]).sum(axis=1)) / (n - 1))

    return np.column_stack([differing, counts]), alpha


def _interval(values: Floats, counts: Floats) -> Measure:
    size = counts.sum(axis=1)
    centred = values - counts.sum(axis=0) @ values / size.sum()
    centred /= max(1e-300, float(np.abs(centred).max()))
    first, second = counts @ centred, counts @ np.square(centred)

    def alpha(totals: Floats) -> Floats:
        n = totals[:, 1]
        return _over_chance(totals[:, 0], 2 * (n * totals[:, 3] - np.square(totals[:, 2])) / (n - 1))

    return np.column_stack([2 * (size * second - np.square(first)) / (size - 1), size, first, second]), alpha


def _ordinal(values: Floats, counts: Floats) -> Measure:
    units, kinds = counts.shape
    if units * kinds**2 > _MOST_NUMBERS:
        raise RangeError(
            f"{kinds} different ratings of {units} items are too many for an ordinal scale", hint="use level='interval'"
        )
    pairs = counts[:, :, None] * (counts[:, None, :] - np.eye(kinds))
    coincidences = pairs / (counts.sum(axis=1) - 1)[:, None, None]

    def alpha(totals: Floats) -> Floats:
        table = totals.reshape(-1, kinds, kinds)
        given = table.sum(axis=2)
        n = given.sum(axis=1)
        rank = (np.cumsum(given, axis=1) - given / 2) / n[:, None]
        spread = (given * np.square(rank)).sum(axis=1)
        observed = 2 * (spread - np.einsum("bij,bi,bj->b", table, rank, rank, optimize=True))
        return _over_chance(observed, 2 * (n * spread - np.square((given * rank).sum(axis=1))) / (n - 1))

    return coincidences.reshape(units, -1), alpha


_MEASURES: dict[str, Callable[[Floats, Floats], Measure]] = {
    "nominal": _nominal,
    "ordinal": _ordinal,
    "interval": _interval,
}
