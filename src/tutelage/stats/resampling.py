"""Totals of resampled clusters: the one engine behind every bootstrap interval."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from tutelage.errors import RangeError
from tutelage.stats.checks import open_unit
from tutelage.stats.intervals import t_quantile
from tutelage.types import Estimate

__all__ = [
    "MANY_CLUSTERS",
    "IntervalMethod",
    "bootstrap_interval",
    "check_settings",
    "cluster_table",
    "in_the_limit",
    "interval_around",
    "resampled_cells",
    "resampled_totals",
    "tails",
]

IntervalMethod = Literal["expanded", "percentile"]
Floats = npt.NDArray[np.float64]

MANY_CLUSTERS = 10_000
"""Above so many clusters their resampled totals are drawn from their limit, the normal distribution.

Drawing B times C clusters costs B C steps (10^10 for a million items). The percentile bootstrap and the normal limit
have errors of the same order, 1/sqrt(C), so nothing is lost; the tests hold the two against each other.
"""
_FEW_KINDS = 64  # up to so many distinct clusters, draw how often each occurs instead of which
_DRAWS_AT_ONCE = 65_536  # cluster draws held at a time: they fit a processor's cache
_PROBE = 1_000
_TOLERATED_UNDEFINED = 0.05


def check_settings(resamples: int, level: float, method: str = "expanded") -> None:
    """Nothing if a bootstrap can be run with these settings.

    Raises:
        RangeError: fewer than 100 resamples, a level outside (0, 1), an unknown method.
    """
    open_unit(level, "the level")
    if resamples < 100:
        raise RangeError(f"{resamples} resamples are too few for an interval", hint="use 10,000")
    if method not in ("expanded", "percentile"):
        raise RangeError(f"no bootstrap interval is called {method!r}", hint="use 'expanded' or 'percentile'")


def tails(clusters: int, level: float, method: IntervalMethod = "expanded") -> tuple[float, float]:
    r"""Which quantiles of the resampled statistics bound the interval.

    ``"percentile"``: :math:`\alpha/2` and :math:`1-\alpha/2`. ``"expanded"``:
    :math:`\Phi(\mp\sqrt{C/(C-1)}\,t_{C-1,1-\alpha/2})`, which undoes that the resamples of a mean are narrower than a
    t interval by :math:`\sqrt{(C-1)/C}` and have normal tails.

    Source: Hesterberg 2015, section 5.3.
    """
    tail = (1 - level) / 2
    if method == "expanded":
        tail = float(special.ndtr(-math.sqrt(clusters / (clusters - 1)) * t_quantile(1 - tail, clusters - 1)))
    return tail, 1 - tail


def cluster_table(columns: Floats, codes: npt.NDArray[np.intp] | None) -> Floats:
    """What each cluster adds to each total [C, K], from what each item adds [N, K]; None: every item is a cluster."""
    if codes is None:
        return columns
    clusters = int(codes.max()) + 1
    return np.stack([np.bincount(codes, weights=column, minlength=clusters) for column in columns.T], axis=1)


def bootstrap_interval(drawn: Floats, widest: Estimate) -> Estimate:
    """The expanded percentile interval of a statistic from its values in all resamples.

    Args:
        drawn: the statistic in each resample [B]; NaN where it is not defined there.
        widest: the statistic on the data with the widest possible interval, which stays where resamples cannot narrow
            it: with a single cluster, or when more than 5 % of them leave the statistic undefined.
    """
    name = f"expanded bootstrap of {'items' if widest.n == widest.n_clusters else 'clusters'}"
    if widest.n_clusters < 2:
        return replace(widest, method=f"{name}: only one")
    defined = drawn[~np.isnan(drawn)]
    if defined.size < (1 - _TOLERATED_UNDEFINED) * drawn.size:
        return replace(widest, method=f"{name}: too few for an interval")
    low, high = np.quantile(defined, tails(widest.n_clusters, widest.level))
    return replace(widest, low=float(low), high=float(high), method=name)


def interval_around(value: float, drawn: Floats, *, level: float, n: int, clusters: int, seed: int) -> Estimate:
    """``value`` with :func:`bootstrap_interval` of its resamples [B], widened where needed to hold it."""
    found = bootstrap_interval(drawn, Estimate(value, -math.inf, math.inf, level, "", n, clusters, seed))
    return replace(found, low=min(found.low, value), high=max(found.high, value))


def in_the_limit(table: Floats) -> bool:
    """Whether totals of these clusters [C, K] are drawn from the normal limit: many clusters, of many kinds."""
    if len(table) <= MANY_CLUSTERS:
        return False
    probe = table[:: len(table) // _PROBE]
    return len(_distinct(probe)[0]) > _FEW_KINDS or len(_distinct(table)[0]) > _FEW_KINDS


def resampled_totals(table: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Column totals of ``resamples`` draws of all clusters with replacement.

    Args:
        table: what each cluster adds to each total [C, K].
        resamples: how many draws, B.
        rng: where the draws come from; their result does not depend on the order of the clusters.

    Returns:
        Totals [B, K].
    """
    if in_the_limit(table):
        return _normal_totals(table, resamples, rng)
    clusters = len(table)
    kinds, times = _distinct(table)
    if len(kinds) <= _FEW_KINDS:
        return np.asarray(rng.multinomial(clusters, times / clusters, size=resamples) @ kinds, dtype=np.float64)
    ordered = np.repeat(kinds, times, axis=0)
    totals = np.empty((resamples, table.shape[1]))
    totals[:] = ordered.sum(axis=0)  # right for every column that is the same in all clusters
    varying = np.flatnonzero(np.ptp(ordered, axis=0) > 0)
    columns = np.ascontiguousarray(ordered.T)
    rows = max(1, _DRAWS_AT_ONCE // clusters)
    values = np.empty((rows, clusters))
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        picked = rng.integers(clusters, size=(size, clusters))
        if varying.size <= 2:
            for k in varying:  # "clip" only spares the check of indices that are right by construction
                np.take(columns[k], picked, out=values[:size], mode="clip")
                values[:size].sum(axis=1, out=totals[start : start + size, k])
        else:
            picked += np.arange(size)[:, None] * clusters
            times = np.bincount(picked.ravel(), minlength=size * clusters).reshape(size, clusters)
            totals[start : start + size] = times.astype(np.float64) @ ordered
    return totals


def resampled_cells(
    cells: npt.NDArray[np.intp],
    kinds: int,
    codes: npt.NDArray[np.intp] | None,
    resamples: int,
    rng: np.random.Generator,
) -> Floats:
    """How many items of each kind every resample holds.

    Args:
        cells: kind of each item [N], in [0, kinds).
        kinds: how many there are, K.
        codes: cluster of each item [N]; None: items are drawn one by one.
        resamples: how many draws, B.
        rng: where the draws come from.

    Returns:
        Counts [B, K].
    """
    if codes is None:
        share = np.bincount(cells, minlength=kinds) / cells.size
        return rng.multinomial(cells.size, share, size=resamples).astype(np.float64)
    clusters = int(codes.max()) + 1
    table = np.bincount(codes * kinds + cells, minlength=clusters * kinds).reshape(clusters, kinds)
    return resampled_totals(table.astype(np.float64), resamples, rng)


def _distinct(table: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Distinct rows in ascending order and how often each occurs; column by column, which is faster than by rows."""
    codes = np.zeros(len(table), dtype=np.intp)
    for column in table.T:
        if column[0] != column[-1] or np.ptp(column) > 0:
            found, place = np.unique(column, return_inverse=True)
            codes = np.unique(codes * found.size + place, return_inverse=True)[1]
    _, first, times = np.unique(codes, return_index=True, return_counts=True)
    return table[first], times


def _normal_totals(table: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    clusters, columns = table.shape
    spread, axes = np.linalg.eigh(np.atleast_2d(np.cov(table, rowvar=False, ddof=0)) * clusters)
    draws = rng.standard_normal((resamples, columns)) * np.sqrt(np.maximum(spread, 0.0))
    return np.asarray(table.sum(axis=0) + draws @ axes.T, dtype=np.float64)
