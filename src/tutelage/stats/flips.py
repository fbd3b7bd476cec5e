"""What a new system breaks and mends, item by item."""

from __future__ import annotations

from dataclasses import dataclass

from tutelage.errors import RangeError
from tutelage.stats.alignment import align
from tutelage.stats.intervals import proportion_interval
from tutelage.types import Estimate, Scores

__all__ = ["Flips", "negative_flips"]


@dataclass(frozen=True)
class Flips:
    """Items that changed between right and wrong from a to b.

    ``negative_rate`` is the share of all items that a had right and b has wrong, ``positive_rate`` the reverse;
    ``negative`` and ``positive`` are their ids, ``n`` the number of items compared.
    """

    n: int
    negative: tuple[str, ...]
    positive: tuple[str, ...]
    negative_rate: Estimate
    positive_rate: Estimate


def negative_flips(a: Scores, b: Scores, *, right_from: float | None = None, level: float = 0.95) -> Flips:
    """What the newer system b breaks and mends, item by item.

    Args:
        a: scores of the older system.
        b: scores of the newer one.
        right_from: the score at which an item counts as right; needed when scores are not 0 or 1. Where lower scores
            are better, the score up to which it counts as right.
        level: confidence level of the two rates (Wilson).

    Raises:
        RangeError: scores other than 0 and 1 without ``right_from``.
        DataError, NumericalError: see :func:`tutelage.stats.align`.

    Source: the negative flip rate of Yan et al. 2021 (positive-congruent training).

    Example:
        >>> import numpy as np
        >>> ids = ("x", "y", "z")
        >>> negative_flips(Scores("m", ids, np.array([1.0, 1, 0])), Scores("m", ids, np.array([0.0, 1, 1]))).negative
        ('x',)
    """
    pairs = align(a, b)
    if right_from is None:
        if not pairs.proportion:
            raise RangeError(
                f"{a.metric}: flips need to know which scores count as right", hint="pass right_from=THRESHOLD"
            )
        right_from = 0.5
    sign = 1.0 if a.higher_is_better else -1.0
    before, after = sign * pairs.a >= sign * right_from, sign * pairs.b >= sign * right_from
    lost, won = before & ~after, after & ~before
    n = len(pairs.ids)
    return Flips(
        n=n,
        negative=tuple(i for i, flag in zip(pairs.ids, lost, strict=True) if flag),
        positive=tuple(i for i, flag in zip(pairs.ids, won, strict=True) if flag),
        negative_rate=proportion_interval(int(lost.sum()), n, level=level),
        positive_rate=proportion_interval(int(won.sum()), n, level=level),
    )
