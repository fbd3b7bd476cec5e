"""A quantile with an interval that assumes nothing of the distribution."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import stats

from tutelage.seeds import derive
from tutelage.stats.checks import Labels, cluster_codes, finite_vector, open_unit
from tutelage.types import Estimate

__all__ = ["quantile_interval"]


_RESAMPLES = 2_000


def quantile_interval(
    x: npt.ArrayLike, probability: float, cluster: Labels | None = None, *, level: float = 0.95, seed: int = 0
) -> Estimate:
    r"""Quantile of values, with two order statistics as the ends of its interval.

    The number of values below the quantile is binomial; the ends are the values of rank :math:`l` and :math:`u` with
    :math:`P(B<l)\le\alpha/2` and :math:`P(B\ge u)\le\alpha/2`. An end that no rank reaches is infinite: few values say
    little of their extremes. Where values come in clusters the ends are those of the percentile bootstrap of whole
    clusters, which covers about the level with some tens of clusters and less with few.

    Args:
        x: values [N].
        probability: of the quantile, in (0, 1); between two values it is interpolated.
        cluster: label of the cluster of each [N]; None: every value stands alone.
        level: at least this is covered, with independent values.
        seed: of the bootstrap.

    Raises:
        DataError: no values.
        NumericalError: NaN or infinity.
        RangeError: probability or level outside (0, 1).
        ShapeError: another number of labels.

    Source: David and Nagaraja, Order Statistics, section 7.1.

    Example:
        >>> found = quantile_interval(range(1, 100), 0.5)
        >>> found.value, found.low, found.high
        (50.0, 40.0, 60.0)
    """
    open_unit(probability, "the probability")
    open_unit(level, "the level")
    given = finite_vector(x, "x")
    codes = cluster_codes(cluster, given.size)
    values, n, tail = np.sort(given), given.size, (1 - level) / 2
    if int(codes.max()) + 1 < n:
        return _clustered(given, codes, probability, level, seed)
    counts = stats.binom(n, probability)
    lower = int(counts.ppf(tail))  # P(B < lower) <= tail: ppf is the least k with P(B <= k) >= tail
    upper = int(counts.isf(tail)) + 1  # P(B >= upper) <= tail
    low = float(values[lower - 1]) if lower >= 1 else -math.inf
    high = float(values[upper - 1]) if upper <= n else math.inf
    middle = float(np.quantile(values, probability))
    return Estimate(middle, min(low, middle), max(high, middle), level, "order statistics", n, n)


def _clustered(
    values: npt.NDArray[np.float64], codes: npt.NDArray[np.intp], probability: float, level: float, seed: int
) -> Estimate:
    """The percentile bootstrap of whole clusters; a single cluster says nothing about its spread."""
    members = [values[codes == code] for code in range(int(codes.max()) + 1)]
    middle = float(np.quantile(values, probability))
    low, high = -math.inf, math.inf
    if len(members) > 1:
        draw = np.random.default_rng(derive(seed, "quantile"))
        drawn = draw.integers(len(members), size=(_RESAMPLES, len(members)))
        found = [np.quantile(np.concatenate([members[i] for i in row]), probability) for row in drawn]
        low, high = (float(end) for end in np.quantile(found, [(1 - level) / 2, (1 + level) / 2]))
    ends = (min(low, middle), max(high, middle))
    return Estimate(middle, *ends, level, "bootstrap of clusters", values.size, len(members), seed)
