"""The paired bootstrap: clusters or single items, within strata or across them, all resamples at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from tutelage.errors import DataError, RangeError, ShapeError
from tutelage.stats.checks import Labels, cluster_codes, finite_vector, open_unit
from tutelage.stats.intervals import t_quantile
from tutelage.types import Estimate

__all__ = ["Bootstrap", "paired_bootstrap"]

IntervalMethod = Literal["expanded", "percentile"]
_DRAWS_AT_ONCE = 2_000_000  # cluster draws held in memory at a time
_FEW_VALUES = 64  # up to so many distinct clusters, draw how often each occurs instead of which


@dataclass(frozen=True)
class Bootstrap:
    """``delta`` with its interval, the two-sided p value, and the standard error of delta over the resamples."""

    delta: Estimate
    p: float
    standard_error: float


def paired_bootstrap(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    cluster: Labels | None = None,
    strata: Labels | None = None,
    resamples: int = 10_000,
    level: float = 0.95,
    method: IntervalMethod = "expanded",
    seed: int = 0,
) -> Bootstrap:
    r"""Bootstrap of the mean difference b - a of two systems on the same items.

    Every resample draws whole clusters with replacement, one draw for both systems. With strata the statistic is the
    unweighted mean over strata of the mean difference inside each; clusters are drawn inside their stratum where each
    lies in one (items of different abilities), and across all strata where each occurs in every one (seeds). The p
    value is :math:`(1+\#\{|\Delta^*-\hat\Delta|\ge|\hat\Delta|\})/(B+1)`.

    ``"percentile"`` takes the :math:`\alpha/2` quantiles of the resampled differences, which are too narrow for few
    clusters. ``"expanded"`` (the default) takes those at :math:`\Phi(\mp\sqrt{C/(C-1)}\,t_{C-1,1-\alpha/2})`; both
    agree for many clusters. Within strata C counts the clusters of the smallest stratum. A single cluster has no spread
    to resample: the interval is (-inf, inf) and p is 1.

    Args:
        a: scores of the first system [N].
        b: scores of the second on the same items [N].
        cluster: what is independent [N], for example the seed; None: every item.
        strata: stratum of each item [N], for example the ability; None: one.
        resamples: how many, B.
        level: confidence level, in (0, 1).
        method: how the interval is read off the resamples.
        seed: of the draws; the same seed gives the same bits.

    Raises:
        DataError: no items, or clusters that neither lie in one stratum each nor occur in all.
        NumericalError: NaN or infinity.
        ShapeError: vectors of different length.
        RangeError: fewer than 100 resamples, an unknown method.

    Source: Efron and Tibshirani 1993; the expanded percentile interval of Hesterberg 2015.

    Example:
        >>> paired_bootstrap([0, 0, 1, 0], [1, 1, 1, 0], seed=1).delta.value
        0.5
    """
    _check_settings(resamples, level, method)
    left, right = _same_length(a, b)
    units = _units(right - left, cluster, strata)
    observed = float(np.mean([block.sums.sum(axis=0) / block.counts.sum(axis=0) for block in units]))
    clusters = sum(len(block.sums) for block in units)
    name = f"{method} bootstrap of {'items' if clusters == left.size else 'clusters'}"
    fewest = min(len(block.sums) for block in units)
    if fewest < 2:
        return Bootstrap(Estimate(observed, -math.inf, math.inf, level, name, left.size, clusters, seed), 1.0, math.inf)
    drawn = _resampled(units, resamples, seed)
    low, high = np.quantile(drawn, _tails(fewest, level, method))
    slack = 1e-12 * max(1.0, float(np.abs(right - left).max()))  # equal means may differ in the last bits
    extreme = int((np.abs(drawn - observed) >= abs(observed) - slack).sum())
    delta = Estimate(observed, float(low), float(high), level, name, left.size, clusters, seed)
    return Bootstrap(delta, (1 + extreme) / (resamples + 1), float(drawn.std(ddof=1)))


def _check_settings(resamples: int, level: float, method: str) -> None:
    open_unit(level, "the level")
    if resamples < 100:
        raise RangeError(f"{resamples} resamples are too few for an interval", hint="use 10,000")
    if method not in ("expanded", "percentile"):
        raise RangeError(f"no bootstrap interval is called {method!r}", hint="use 'expanded' or 'percentile'")


def _same_length(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    left, right = finite_vector(a, "a"), finite_vector(b, "b")
    if left.shape != right.shape:
        raise ShapeError(f"a has {left.size} items, b has {right.size}: align them first")
    return left, right


@dataclass(frozen=True)
class _Block:
    """Clusters that are drawn together: per cluster and stratum the sum and the count of differences, [C, S]."""

    sums: npt.NDArray[np.float64]
    counts: npt.NDArray[np.float64]


def _units(differences: npt.NDArray[np.float64], cluster: Labels | None, strata: Labels | None) -> list[_Block]:
    n = differences.size
    codes = cluster_codes(cluster, n)
    layers = np.zeros(n, dtype=np.intp) if strata is None else cluster_codes(strata, n, "strata")
    shape = (int(codes.max()) + 1, int(layers.max()) + 1)
    if cluster is None:  # every item its own cluster: no [N, S] table is needed
        columns = [differences[layers == s].reshape(-1, 1) for s in range(shape[1])]
        return [_Block(values, np.ones(values.shape)) for values in columns]
    flat = codes * shape[1] + layers
    sums = np.bincount(flat, weights=differences, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    counts = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    if (counts > 0).all():
        return [_Block(sums, counts)]
    if ((counts > 0).sum(axis=1) == 1).all():
        rows = [(s, counts[:, s] > 0) for s in range(shape[1])]
        return [_Block(sums[inside, s : s + 1], counts[inside, s : s + 1]) for s, inside in rows]
    raise DataError(
        "a cluster lies in several strata but not in all",
        where=f"cluster {int(np.flatnonzero(((counts > 0).sum(axis=1) > 1) & (counts == 0).any(axis=1))[0])}",
        hint="cluster by what lies inside a stratum (items) or by what spans all of them (seeds)",
    )


def _resampled(units: list[_Block], resamples: int, seed: int) -> npt.NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    means: npt.NDArray[np.float64] = np.mean([_resample(block, resamples, rng) for block in units], axis=0)
    return means


def _resample(block: _Block, resamples: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Mean over the block's strata of each stratum's mean difference, per resample [B]."""
    clusters = len(block.sums)
    table, times = np.unique(np.hstack([block.sums, block.counts]), axis=0, return_counts=True)
    strata = block.sums.shape[1]
    drawn = np.empty((resamples, 2 * strata))
    if len(table) <= _FEW_VALUES:
        drawn[:] = rng.multinomial(clusters, times / clusters, size=resamples) @ table
    else:
        everyone = np.repeat(table, times, axis=0)
        step = max(1, _DRAWS_AT_ONCE // clusters)
        for start in range(0, resamples, step):
            size = min(step, resamples - start)
            picked = rng.integers(clusters, size=(size, clusters))
            for column in range(2 * strata):
                drawn[start : start + size, column] = everyone[:, column][picked].sum(axis=1)
    means: npt.NDArray[np.float64] = (drawn[:, :strata] / drawn[:, strata:]).mean(axis=1)
    return means


def _tails(clusters: int, level: float, method: IntervalMethod) -> tuple[float, float]:
    tail = (1 - level) / 2
    if method == "expanded":
        tail = float(special.ndtr(-math.sqrt(clusters / (clusters - 1)) * t_quantile(1 - tail, clusters - 1)))
    return tail, 1 - tail
