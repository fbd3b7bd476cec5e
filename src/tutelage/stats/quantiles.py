"""A quantile with an interval that assumes nothing of the distribution."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import stats

from tutelage.stats.checks import finite_vector, open_unit
from tutelage.types import Estimate

__all__ = ["quantile_interval"]


def quantile_interval(x: npt.ArrayLike, probability: float, *, level: float = 0.95) -> Estimate:
    r"""Quantile of independent values, with two order statistics as the ends of its interval.

    The number of values below the quantile is binomial; the ends are the values of rank :math:`l` and :math:`u` with
    :math:`P(B<l)\le\alpha/2` and :math:`P(B\ge u)\le\alpha/2`. An end that no rank reaches is infinite: few values say
    little of their extremes.

    Args:
        x: values [N].
        probability: of the quantile, in (0, 1); between two values it is interpolated.
        level: at least this is covered.

    Raises:
        DataError: no values.
        NumericalError: NaN or infinity.
        RangeError: probability or level outside (0, 1).

    Source: David and Nagaraja, Order Statistics, section 7.1.

    Example:
        >>> found = quantile_interval(range(1, 100), 0.5)
        >>> found.value, found.low, found.high
        (50.0, 40.0, 60.0)
    """
    open_unit(probability, "the probability")
    open_unit(level, "the level")
    values = np.sort(finite_vector(x, "x"))
    n, tail = values.size, (1 - level) / 2
    counts = stats.binom(n, probability)
    lower = int(counts.ppf(tail))  # P(B < lower) <= tail: ppf is the least k with P(B <= k) >= tail
    upper = int(counts.isf(tail)) + 1  # P(B >= upper) <= tail
    low = float(values[lower - 1]) if lower >= 1 else -math.inf
    high = float(values[upper - 1]) if upper <= n else math.inf
    middle = float(np.quantile(values, probability))
    return Estimate(middle, min(low, middle), max(high, middle), level, "order statistics", n, n)
