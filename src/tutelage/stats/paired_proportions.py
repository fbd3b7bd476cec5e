"""Two systems, right or wrong on the same items: McNemar's test and Newcombe's interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats as distributions

from tutelage.errors import DataError, RangeError, ShapeError
from tutelage.stats.checks import Labels, cluster_codes, finite_vector, open_unit
from tutelage.stats.intervals import design_effect_of, normal_quantile, t_quantile, wilson_bounds
from tutelage.types import Estimate

__all__ = ["PairedCounts", "clustered_newcombe", "mcnemar", "newcombe", "square_and_add"]

McNemarMethod = Literal["midp", "exact", "chi2"]


@dataclass(frozen=True)
class PairedCounts:
    """How many items both systems, only one, or neither got right.

    Example:
        >>> PairedCounts.of([1, 1, 0, 0], [1, 0, 1, 0])
        PairedCounts(both=1, only_a=1, only_b=1, neither=1)
    """

    both: int
    only_a: int
    only_b: int
    neither: int

    def __post_init__(self) -> None:
        if min(self.both, self.only_a, self.only_b, self.neither) < 0:
            raise RangeError(f"a count below zero: {self}")

    @classmethod
    def of(cls, a: npt.ArrayLike, b: npt.ArrayLike) -> PairedCounts:
        """Counts of two aligned 0/1 vectors [N].

        Raises:
            ShapeError: of different length.
            RangeError: a value that is neither 0 nor 1.
        """
        left, right = finite_vector(a, "a"), finite_vector(b, "b")
        if left.shape != right.shape:
            raise ShapeError(f"a has {left.size} items, b has {right.size}: align them first")
        if not (np.isin(left, (0, 1)).all() and np.isin(right, (0, 1)).all()):
            raise RangeError("right-or-wrong scores are 0 or 1", hint="use paired_bootstrap for other scores")
        x, y = left.astype(bool), right.astype(bool)
        return cls(int((x & y).sum()), int((x & ~y).sum()), int((~x & y).sum()), int((~x & ~y).sum()))

    @property
    def n(self) -> int:
        """Number of items."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def discordant_share(self) -> float:
        """Share of items on which the two differ."""
        return (self.only_a + self.only_b) / self.n if self.n else math.nan


def mcnemar(counts: PairedCounts, *, method: McNemarMethod = "midp") -> float:
    r"""Two-sided p value that both systems are right equally often.

    With :math:`N` discordant items, :math:`m` of them the smaller kind, under Bin(N, 1/2): exact
    :math:`\min(1, 2F(m))`; mid-p :math:`2F(m)-f(m)`, and :math:`1-f(m)/2` when both kinds are equal. No discordant
    item: p = 1. ``"chi2"``: :math:`(b-c)^2/(b+c)` on one degree of freedom, without continuity correction; for many
    discordant items only. The exact test is conservative, so mid-p is the default. The items must be independent: with
    clusters use :func:`tutelage.stats.sign_flip_test`.

    Raises:
        RangeError: an unknown method.

    Source: McNemar 1947; Fagerland, Lydersen and Laake 2013 for the mid-p form.

    Example:
        >>> round(mcnemar(PairedCounts(1968, 313, 230, 318)), 6)
        0.000364
    """
    if method not in ("midp", "exact", "chi2"):
        raise RangeError(f"no McNemar test is called {method!r}", hint="use 'midp', 'exact' or 'chi2'")
    n, fewer = counts.only_a + counts.only_b, min(counts.only_a, counts.only_b)
    if n == 0:
        return 1.0
    if method == "chi2":
        return math.erfc(abs(counts.only_a - counts.only_b) / math.sqrt(2 * n))
    point = float(distributions.binom.pmf(fewer, n, 0.5))
    if counts.only_a == counts.only_b:
        return 1.0 if method == "exact" else 1 - point / 2
    twice = 2 * float(distributions.binom.cdf(fewer, n, 0.5))
    return min(1.0, twice if method == "exact" else twice - point)


def newcombe(counts: PairedCounts, *, level: float = 0.95) -> Estimate:
    r"""Interval of the difference of two paired proportions, p_b - p_a.

    Square and add: with the Wilson interval (l, u) of each margin and the correlation :math:`\varphi` of the two
    outcomes, :math:`\theta - \sqrt{(p_b-l_b)^2-2\varphi(p_b-l_b)(u_a-p_a)+(u_a-p_a)^2}` and the mirror image above.
    :math:`\varphi` is continuity-corrected: with :math:`B=n_{11}n_{00}-n_{10}n_{01}`, its numerator is
    :math:`\max(B-n/2,0)` when B > 0 and B otherwise; 0 when a margin is empty.

    Args:
        counts: the paired table.
        level: confidence level, in (0, 1).

    Raises:
        DataError: no items.

    Source: Newcombe 1998, method 10. SciPy and statsmodels only have independent samples.

    Example:
        >>> e = newcombe(PairedCounts(6439, 722, 2046, 1069))
        >>> round(e.low, 4), round(e.high, 4)
        (0.1191, 0.1386)
    """
    open_unit(level, "the level")
    low, high = square_and_add(counts, normal_quantile((1 + level) / 2))
    return Estimate(_difference(counts), low, high, level, "newcombe", counts.n, counts.n)


def clustered_newcombe(a: npt.ArrayLike, b: npt.ArrayLike, cluster: Labels | None, *, level: float = 0.95) -> Estimate:
    """Newcombe's interval of p_b - p_a on the effective number of pairs, for 0/1 scores in clusters.

    The paired table is divided by the design effect of the differences, and the quantile is Student's t with one degree
    of freedom less than there are clusters. Unlike a bootstrap it has a width where no item differs: the clusters then
    count as that many independent pairs.

    Args:
        a: 0/1 scores of the first system [N].
        b: of the second [N].
        cluster: what is independent [N]; None: every item.
        level: confidence level, in (0, 1).

    Raises:
        DataError: no items.
        ShapeError: vectors of different length.
        RangeError: a value that is neither 0 nor 1.

    Source: own derivation: :func:`newcombe` with the effective size of Korn and Graubard 1998.

    Example:
        >>> found = clustered_newcombe([1, 1, 0, 0], [1, 1, 0, 0], ["x", "x", "y", "z"])
        >>> found.value, found.low < 0 < found.high
        (0.0, True)
    """
    open_unit(level, "the level")
    counts = PairedCounts.of(a, b)
    codes = cluster_codes(cluster, counts.n)
    clusters = int(codes.max()) + 1
    if clusters == counts.n:
        return newcombe(counts, level=level)
    low, high = -1.0, 1.0
    if clusters > 1:
        difference = finite_vector(b, "b") - finite_vector(a, "a")
        tail = (1 + level) / 2
        quantile = t_quantile(tail, clusters - 1) if np.ptp(difference) > 0 else normal_quantile(tail)
        low, high = square_and_add(counts, quantile, design_effect_of(difference, codes))
    return Estimate(_difference(counts), low, high, level, "clustered newcombe", counts.n, clusters)


def square_and_add(counts: PairedCounts, quantile: float, design_effect: float = 1.0) -> tuple[float, float]:
    """Ends of Newcombe's interval of p_b - p_a at a normal (or t) quantile; see :func:`newcombe`.

    Raises:
        DataError: no items.
    """
    n, size = counts.n, counts.n / design_effect
    if n == 0:
        raise DataError("no pairs to compare")
    right_a, right_b = counts.both + counts.only_a, counts.both + counts.only_b
    (low_a, high_a), (low_b, high_b) = (wilson_bounds(k / n, size, quantile) for k in (right_a, right_b))
    margins = right_a * (n - right_a) * right_b * (n - right_b)
    phi = 0.0
    if margins:
        product = counts.both * counts.neither - counts.only_a * counts.only_b
        phi = (max(product - n * design_effect / 2, 0.0) if product > 0 else float(product)) / math.sqrt(margins)
    a, b, theta = right_a / n, right_b / n, _difference(counts)
    low = theta - math.sqrt(max(0.0, (b - low_b) ** 2 - 2 * phi * (b - low_b) * (high_a - a) + (high_a - a) ** 2))
    high = theta + math.sqrt(max(0.0, (high_b - b) ** 2 - 2 * phi * (high_b - b) * (a - low_a) + (a - low_a) ** 2))
    return max(-1.0, low), min(1.0, high)


def _difference(counts: PairedCounts) -> float:
    return (counts.only_b - counts.only_a) / counts.n
