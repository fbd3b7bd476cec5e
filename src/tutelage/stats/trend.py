"""A trend over ordered groups: the test of Jonckheere and Terpstra."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, NumericalError
from tutelage.stats.intervals import normal_tail

__all__ = ["TrendTest", "jonckheere"]


@dataclass(frozen=True)
class TrendTest:
    """``statistic`` J counts pairs in rising order, ties by half; ``p`` is that of no trend against a rising one."""

    statistic: float
    z: float
    p: float


def jonckheere(groups: Sequence[npt.ArrayLike]) -> TrendTest:
    r"""Do values rise from group to group? :math:`J = \sum_{i<j} \#\{x < y\} + \tfrac12\#\{x = y\}`.

    x is of group i and y of group j.

    z by the normal approximation with the variance corrected for ties, without continuity correction. For a falling
    trend give the groups in reverse.

    Args:
        groups: at least two groups of values, in the order of the claimed trend.

    Raises:
        DataError: fewer than two groups, or an empty one.
        NumericalError: NaN, or values that are all the same.

    Source: Jonckheere 1954; Terpstra 1952; variance with ties as in Lehmann 1975, appendix.

    Example:
        >>> found = jonckheere([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
        >>> found.statistic, found.z, found.p < 0.01
        (27.0, 3.0, True)
    """
    arrays = [np.asarray(group, dtype=np.float64).ravel() for group in groups]
    if len(arrays) < 2 or min(len(array) for array in arrays) == 0:
        raise DataError("a trend needs at least two groups with values")
    values = np.concatenate(arrays)
    if np.isnan(values).any():
        raise NumericalError("a value is NaN")
    statistic = sum(
        float((np.sign(high[None, :] - low[:, None]) + 1).sum() / 2)
        for place, low in enumerate(arrays)
        for high in arrays[place + 1 :]
    )
    sizes = np.array([len(array) for array in arrays], dtype=np.float64)
    ties = np.unique(values, return_counts=True)[1].astype(np.float64)
    variance = _variance(float(len(values)), sizes, ties)
    if variance <= 0:
        raise NumericalError("all values are the same: there is no trend to test")
    mean = (len(values) ** 2 - float((sizes**2).sum())) / 4
    z = (statistic - mean) / math.sqrt(variance)
    return TrendTest(statistic, z, normal_tail(z))


def _variance(n: float, sizes: npt.NDArray[np.float64], ties: npt.NDArray[np.float64]) -> float:
    def third(x: npt.NDArray[np.float64]) -> float:
        return float((x * (x - 1) * (2 * x + 5)).sum())

    def triples(x: npt.NDArray[np.float64]) -> float:
        return float((x * (x - 1) * (x - 2)).sum())

    def pairs(x: npt.NDArray[np.float64]) -> float:
        return float((x * (x - 1)).sum())

    whole = np.array([n])
    found = (third(whole) - third(sizes) - third(ties)) / 72
    if n > 2:
        found += triples(sizes) * triples(ties) / (36 * n * (n - 1) * (n - 2))
    return found + pairs(sizes) * pairs(ties) / (8 * n * (n - 1))
