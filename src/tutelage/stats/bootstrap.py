"""The paired bootstrap: clusters or single items, within strata or across them, all resamples at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, ShapeError
from tutelage.stats.checks import Labels, cluster_codes, finite_vector
from tutelage.stats.intervals import normal_quantile, t_tail
from tutelage.stats.resampling import IntervalMethod, check_settings, in_the_limit, resampled_totals, tails
from tutelage.types import Estimate

__all__ = ["Bootstrap", "paired_bootstrap"]


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
    lies in one (items of different abilities), and across all strata where each occurs in every one (seeds).

    ``"percentile"`` takes the :math:`\alpha/2` quantiles of the resampled differences, which are too narrow for few
    clusters. ``"expanded"`` (the default) takes those at :math:`\Phi(\mp\sqrt{C/(C-1)}\,t_{C-1,1-\alpha/2})`; both
    agree for many clusters. The p value is :math:`q=(1+\#\{|\Delta^*-\hat\Delta|\ge|\hat\Delta|\})/(B+1)`, or expanded
    in the same way, :math:`2P(t_{C-1}\ge\sqrt{(C-1)/C}\,z_{1-q/2})`, so that it agrees with the interval: with 10 items
    plain q errs in 12 % of cases instead of 5 %.

    Within strata C counts the clusters of the smallest stratum. A single cluster has no spread to resample: the
    interval is (-inf, inf) and p is 1. Above 10,000 clusters of more than 64 kinds the totals are drawn from their
    normal limit, and the method says so.

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
    check_settings(resamples, level, method)
    left, right = _same_length(a, b)
    units = _units(right - left, cluster, strata)
    observed = float(np.mean([block.sums.sum(axis=0) / block.counts.sum(axis=0) for block in units]))
    clusters = sum(len(block.sums) for block in units)
    name = f"{method} bootstrap of {'items' if clusters == left.size else 'clusters'}"
    if any(in_the_limit(np.hstack([block.sums, block.counts])) for block in units):
        name += ", normal draws"
    fewest = min(len(block.sums) for block in units)
    if fewest < 2:
        return Bootstrap(Estimate(observed, -math.inf, math.inf, level, name, left.size, clusters, seed), 1.0, math.inf)
    drawn = _resampled(units, resamples, seed)
    low, high = np.quantile(drawn, tails(fewest, level, method))
    slack = 1e-12 * max(1.0, float(np.abs(right - left).max()))  # equal means may differ in the last bits
    extreme = int((np.abs(drawn - observed) >= abs(observed) - slack).sum())
    p = (1 + extreme) / (resamples + 1)
    if method == "expanded":
        p = min(1.0, 2 * t_tail(math.sqrt((fewest - 1) / fewest) * normal_quantile(1 - p / 2), fewest - 1))
    delta = Estimate(observed, float(low), float(high), level, name, left.size, clusters, seed)
    return Bootstrap(delta, p, float(drawn.std(ddof=1)))


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
    strata = block.sums.shape[1]
    drawn = resampled_totals(np.hstack([block.sums, block.counts]), resamples, rng)
    means: npt.NDArray[np.float64] = (drawn[:, :strata] / drawn[:, strata:]).mean(axis=1)
    return means
