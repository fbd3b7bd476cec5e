"""The test that ignores that both systems answered the same items: for contrast, not for use."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy.typing as npt

from tutelage.stats.checks import finite_vector, open_unit
from tutelage.stats.intervals import normal_quantile
from tutelage.types import Estimate

__all__ = ["UnpairedTest", "unpaired_z"]


@dataclass(frozen=True)
class UnpairedTest:
    """Difference of two means with its interval, z and the two-sided p value."""

    delta: Estimate
    z: float
    p: float


def unpaired_z(a: npt.ArrayLike, b: npt.ArrayLike, *, level: float = 0.95) -> UnpairedTest:
    r"""Two means compared by their standard errors alone: :math:`z=(\bar b-\bar a)/\sqrt{se_a^2+se_b^2}`.

    Evaluation harnesses compare two models like this. On the same items it forgets that what one system finds hard so
    does the other: it errs less often than promised and misses differences that a paired test finds. With one item on a
    side the standard error is unknown and p is 1; where neither side varies p is 1 for equal means and 0 for others.

    Args:
        a: scores of the first system [N].
        b: scores of the second [M], on the same items or on others.
        level: confidence level.

    Raises:
        DataError: no items.
        NumericalError: NaN or infinity.

    Source: the two-sample z test.

    Example:
        >>> round(unpaired_z([0, 0, 1, 1], [1, 1, 1, 0]).p, 3)
        0.513
    """
    quantile = normal_quantile((1 + open_unit(level, "the level")) / 2)
    left, right = finite_vector(a, "a"), finite_vector(b, "b")
    delta, n = float(right.mean() - left.mean()), left.size + right.size
    if min(left.size, right.size) < 2:
        return UnpairedTest(Estimate(delta, -math.inf, math.inf, level, "unpaired z", n, n), 0.0, 1.0)
    error = math.sqrt(sum(float(side.var(ddof=1)) / side.size for side in (left, right)))
    z = delta / error if error > 0 else 0.0 if delta == 0 else math.copysign(math.inf, delta)
    half = quantile * error
    interval = Estimate(delta, delta - half, delta + half, level, "unpaired z", n, n)
    return UnpairedTest(interval, z, math.erfc(abs(z) / math.sqrt(2)))
