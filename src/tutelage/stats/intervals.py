"""Intervals for one proportion and for one mean."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from tutelage.errors import DataError, RangeError
from tutelage.stats.checks import Labels, cluster_codes, finite_vector, open_unit
from tutelage.types import Estimate

__all__ = [
    "clustered_variance",
    "design_effect_of",
    "mean_interval",
    "mean_within",
    "normal_quantile",
    "normal_tail",
    "proportion_interval",
    "share_interval",
    "t_quantile",
    "t_tail",
    "t_test",
    "unseen_share",
    "wilson_bounds",
    "within_shares",
]

ProportionMethod = Literal["wilson", "clopper-pearson", "jeffreys"]


def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal distribution."""
    return float(special.ndtri(probability))


def t_quantile(probability: float, degrees: int) -> float:
    """Quantile of Student's t; infinite (with its sign) where no degree of freedom is left."""
    if degrees < 1:
        return math.copysign(math.inf, probability - 0.5)
    return float(special.stdtrit(degrees, probability))


def normal_tail(z: float) -> float:
    """Chance that a standard normal variable exceeds ``z``."""
    return float(special.ndtr(-z))


def t_tail(t: float, degrees: float) -> float:
    """Chance that Student's t exceeds ``t``; 1/2 where no degree of freedom is left."""
    return 0.5 if degrees < 1 else float(special.stdtr(degrees, -t))


def t_test(delta: float, standard_error: float, degrees: int) -> float:
    """Two-sided p value that a mean is 0; where nothing varies 1 for a mean of 0 and 0 for any other."""
    if degrees < 1 or not math.isfinite(standard_error):
        return 1.0
    if standard_error == 0:
        return 1.0 if delta == 0 else 0.0
    return min(1.0, 2 * t_tail(abs(delta) / standard_error, degrees))


def proportion_interval(
    successes: float,
    n: float,
    *,
    level: float = 0.95,
    method: ProportionMethod = "wilson",
    design_effect: float = 1.0,
) -> Estimate:
    r"""Interval of a proportion.

    Wilson: centre :math:`(p+z^2/2n)/(1+z^2/n)`, half width
    :math:`z/(1+z^2/n)\,\sqrt{p(1-p)/n+z^2/4n^2}`. Clopper-Pearson: the Beta quantiles
    :math:`B(\alpha/2; k, n-k+1)` and :math:`B(1-\alpha/2; k+1, n-k)`, with the end fixed at 0 or 1 where k is 0 or n.
    Jeffreys: the quantiles of :math:`B(k+\tfrac12, n-k+\tfrac12)`, with the same ends fixed. With clustered items all
    use the effective sizes :math:`n/d` and :math:`k/d`.

    Args:
        successes: how many, k.
        n: out of how many.
        level: confidence level, in (0, 1).
        method: Wilson and Jeffreys have the nominal coverage on average; Clopper-Pearson at least the nominal one, so
            it is wider.
        design_effect: variance under clustering over variance without, d >= 1.

    Raises:
        DataError: n is 0.
        RangeError: successes outside [0, n], a level outside (0, 1), a design effect below 1.

    Source: Wilson 1927; Clopper and Pearson 1934; Brown, Cai and DasGupta 2001 for Jeffreys with fixed ends.

    Example:
        >>> e = proportion_interval(8485, 10276)
        >>> round(e.low, 4), round(e.high, 4)
        (0.8183, 0.8329)
    """
    open_unit(level, "the level")
    if not (math.isfinite(n) and math.isfinite(successes)):
        raise RangeError(f"{successes} out of {n} is not a proportion")
    if n == 0:
        raise DataError("a proportion of no items has no value", hint="score at least one item")
    if not 0 <= successes <= n:
        raise RangeError(f"{successes} successes out of {n}")
    if not design_effect >= 1:
        raise RangeError(f"a design effect is at least 1, not {design_effect}")
    share, size = successes / n, n / design_effect
    tail = (1 - level) / 2
    if method == "wilson":
        low, high = wilson_bounds(share, size, normal_quantile(1 - tail))
    elif method in ("clopper-pearson", "jeffreys"):
        count, more = share * size, 1.0 if method == "clopper-pearson" else 0.5
        low = 0.0 if successes == 0 else float(special.betaincinv(count + 1 - more, size - count + more, tail))
        high = 1.0 if successes == n else float(special.betaincinv(count + more, size - count + 1 - more, 1 - tail))
    else:
        raise RangeError(f"no interval is called {method!r}", hint="use 'wilson', 'clopper-pearson' or 'jeffreys'")
    return Estimate(share, low, high, level, method, int(n), int(n))


def wilson_bounds(share: float, n: float, z: float) -> tuple[float, float]:
    """Ends of Wilson's interval at the quantile ``z``; exactly 0 or 1 where all are wrong or right, not 1e-17."""
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (0.0 if share == 0 else max(0.0, centre - half)), (1.0 if share == 1 else min(1.0, centre + half))


def clustered_variance(x: npt.NDArray[np.float64], codes: npt.NDArray[np.intp]) -> float:
    r"""Variance of the mean of ``x`` [N] when whole clusters are independent, not items.

    :math:`C/(C-1)\,\sum_c (\sum_{i\in c}(x_i-\bar x))^2/n^2`; with one item a cluster this is :math:`s^2/n`.

    Args:
        x: values [N].
        codes: cluster of each value [N], in [0, C).

    Returns:
        The variance; infinite when there is a single cluster.

    Source: the cluster-robust variance of an intercept-only regression (Liang and Zeger 1986).
    """
    clusters = int(codes.max()) + 1
    if clusters < 2:
        return math.inf
    sums = np.bincount(codes, weights=x - x.mean(), minlength=clusters)
    return float(clusters / (clusters - 1) * np.square(sums).sum() / x.size**2)


def design_effect_of(x: npt.NDArray[np.float64], codes: npt.NDArray[np.intp]) -> float:
    """How many times larger clusters make the variance of the mean of ``x`` [N]: the clustered over the naive one.

    At least 1, since fewer than 1 is mostly noise; the mean cluster size where nothing varies.
    """
    clusters = int(codes.max()) + 1
    naive = float(x.var(ddof=1)) / x.size if x.size > 1 else 0.0
    return x.size / clusters if clusters < 2 or naive == 0 else max(1.0, clustered_variance(x, codes) / naive)


def share_interval(flags: npt.ArrayLike, cluster: Labels | None = None, *, level: float = 0.95) -> Estimate:
    """Wilson's interval of the share of True, with the effective size where items come in clusters.

    The effective size is n over the design effect (see :func:`design_effect_of`), and the quantile Student's t with one
    degree of freedom less than there are clusters, as the design effect is itself estimated. Where all flags are equal
    it is not: the clusters then count as that many independent items.

    Args:
        flags: true or false for every item [N].
        cluster: label of the cluster of each [N]; None, or a label of its own for every item: independent.
        level: confidence level, in (0, 1).

    Raises:
        DataError: no items.
        RangeError: a value that is neither 0 nor 1, a level outside (0, 1).

    Source: Wilson 1927; Korn and Graubard 1998 for the effective size with t quantiles.

    Example:
        >>> share_interval([True, False, True, True]).method
        'wilson'
    """
    open_unit(level, "the level")
    values = finite_vector(flags, "flags")
    if not np.isin(values, (0, 1)).all():
        raise RangeError("a share is of true and false")
    n, right = values.size, float(values.sum())
    codes = cluster_codes(cluster, n)
    clusters = int(codes.max()) + 1
    if clusters == n:
        return proportion_interval(right, n, level=level)
    low, high = 0.0, 1.0
    if clusters > 1:
        tail = (1 + level) / 2
        quantile = t_quantile(tail, clusters - 1) if 0 < right < n else normal_quantile(tail)
        low, high = wilson_bounds(right / n, n / design_effect_of(values, codes), quantile)
    return Estimate(right / n, low, high, level, "clustered wilson", n, clusters)


def mean_interval(x: npt.ArrayLike, cluster: Labels | None = None, *, level: float = 0.95) -> Estimate:
    r"""Student's t interval of a mean, with standard errors clustered where items come in clusters.

    :math:`\bar x \pm t_{C-1}\,se` with :func:`clustered_variance`. Seeds, paraphrases and turns of one question are one
    cluster. A single cluster says nothing about its own spread: the interval is then (-inf, inf).

    Args:
        x: values [N].
        cluster: label of the cluster of each value [N]; None: every value stands alone.
        level: confidence level, in (0, 1).

    Raises:
        DataError: no values.
        NumericalError: NaN or infinity among them.
        ShapeError: labels and values of different length.

    Source: see :func:`clustered_variance`.

    Example:
        >>> e = mean_interval([1.0, 2.0, 3.0])
        >>> round(e.low, 3), round(e.high, 3)
        (-0.484, 4.484)
    """
    open_unit(level, "the level")
    values = finite_vector(x, "x")
    codes = cluster_codes(cluster, values.size)
    clusters = int(codes.max()) + 1
    mean = float(values.mean())
    method = "t" if clusters == values.size else "clustered t"
    if clusters < 2:
        return Estimate(mean, -math.inf, math.inf, level, method, values.size, clusters)
    half = t_quantile((1 + level) / 2, clusters - 1) * math.sqrt(clustered_variance(values, codes))
    return Estimate(mean, mean - half, mean + half, level, method, values.size, clusters)


def unseen_share(clusters: int, level: float) -> float:
    r"""Share of all units that may be otherwise when none of ``clusters`` is: Wilson's :math:`z^2/(C+z^2)`."""
    z = normal_quantile((1 + level) / 2)
    return z * z / (clusters + z * z)


def mean_within(x: npt.ArrayLike, least: float, most: float, *, level: float = 0.95) -> Estimate:
    r"""Interval of the mean of values that cannot lie outside [least, most]: Student's t, cut to that range.

    Equal values, or a single one, say nothing about their spread. The interval then allows for items not seen: a share
    of up to :math:`z^2/(N+z^2)` (:func:`unseen_share`) may be otherwise, each by as much as the range allows.

    Raises:
        DataError: no values.
        NumericalError: NaN or infinity among them.

    Example:
        >>> e = mean_within([1.0] * 30, 0.0, 1.0)
        >>> round(e.low, 3), e.high
        (0.886, 1.0)
    """
    found = mean_interval(x, level=level)
    if np.ptp(np.asarray(x, dtype=np.float64)) == 0:
        half = unseen_share(found.n, level) * (most - least)
        found = replace(found, low=found.value - half, high=found.value + half, method=f"{found.method}, all equal")
    return replace(found, low=max(found.low, least), high=min(found.high, most))


def within_shares(found: Estimate, values: npt.ArrayLike) -> Estimate:
    """The interval of a mean of shares without what no share can be: ends by Student's t may lie beyond.

    Between 0 and 1, or -1 and 1 where some of ``values`` (such as differences of shares) are negative; as it is where
    one of them is no share at all.
    """
    array = np.asarray(values, dtype=np.float64)
    if not (np.abs(array) <= 1).all():
        return found
    least = -1.0 if (array < 0).any() else 0.0
    return replace(found, low=max(found.low, least), high=min(found.high, 1.0))
