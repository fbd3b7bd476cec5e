"""Showing that nothing was lost: equivalence and non-inferiority of two systems on the same items."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize

from tutelage.errors import RangeError, ShapeError
from tutelage.stats.alignment import align
from tutelage.stats.checks import Labels, cluster_codes, finite_vector, open_unit
from tutelage.stats.intervals import (
    clustered_variance,
    design_effect_of,
    normal_quantile,
    normal_tail,
    t_quantile,
    t_tail,
)
from tutelage.stats.paired_proportions import PairedCounts, difference_of_shares, safe_ends
from tutelage.types import Estimate, Scores

__all__ = ["Equivalence", "non_inferior", "tost"]

Floats = npt.NDArray[np.float64]
Shown = Literal["shown", "refuted", "not shown"]
_POWER = 0.8
_STEEPEST = 1e6  # no quantile that is asked for is larger


@dataclass(frozen=True)
class Equivalence:
    """Whether a difference is shown to lie on the good side of a margin.

    ``delta`` = mean(b) - mean(a). ``p_lower`` is the one-sided p value of "delta is at most -margin", ``p_upper`` that
    of "delta is at least +margin"; ``p`` the one that decides (for equivalence the larger of the two). ``verdict``
    reads the interval: ``"shown"`` when it lies wholly on the good side, ``"refuted"`` when wholly beyond,
    ``"not shown"`` otherwise, which is what p says at (1 - level) / 2. ``pairs_needed`` is about how many pairs show it
    with 80 % power if the two are in truth equal, at the observed spread; None where that is unknown.
    """

    delta: Estimate
    margin: float
    p_lower: float
    p_upper: float
    p: float
    verdict: Shown
    pairs_needed: int | None
    test: str


@dataclass(frozen=True)
class _Difference:
    """An interval of b - a, the p values that it is at most and at least a line, and n times its variance."""

    delta: Estimate
    against: Callable[[float], tuple[float, float]]
    variance: float


def tost(
    a: npt.ArrayLike, b: npt.ArrayLike, margin: float, *, cluster: Labels | None = None, level: float = 0.95
) -> Equivalence:
    r"""Paired equivalence by two one-sided t tests: is :math:`|\mu_b-\mu_a|` below the margin?

    :math:`t=(\bar d\pm margin)/se` with C-1 degrees of freedom, se clustered. The verdict reads the interval at
    ``level``; the usual TOST at 5 % is ``level=0.9``. Where all differences are equal their spread is unseen, not 0:
    it is reckoned as if one item were off by the margin.

    Args:
        a: scores of the first system [N].
        b: scores of the second on the same items [N].
        margin: the difference that still counts as none, above 0, in the unit of the scores.
        cluster: what is independent [N]; None: every item. With fewer than 10 clusters t is trustworthy only if they
            are about equally large.
        level: confidence level of the interval.

    Raises:
        DataError: no items.
        NumericalError: NaN or infinity.
        ShapeError: vectors of different length.
        RangeError: a margin that is not above 0, a level outside (0, 1).

    Source: Schuirmann 1987; Westlake 1981.

    Example:
        >>> tost([0.5, 0.6, 0.7, 0.4, 0.5], [0.5, 0.6, 0.6, 0.5, 0.5], 0.2).verdict
        'shown'
    """
    _check_margin(margin)
    difference = _differences(a, b)
    found = _of_means(difference, cluster_codes(cluster, difference.size), margin, level)
    inside = found.delta.low > -margin and found.delta.high < margin
    outside = found.delta.low > margin or found.delta.high < -margin
    return _result(found, margin, "shown" if inside else "refuted" if outside else "not shown", "both")


def non_inferior(a: Scores, b: Scores, margin: float, *, level: float = 0.95) -> Equivalence:
    """Is b worse than a by less than the margin?

    0/1 scores: the interval of :func:`tutelage.stats.difference_of_shares` (Newcombe's, widened where few pairs
    differ), and the p value at which it would touch the margin. Other scores: the clustered t of :func:`tost`. Where
    lower scores are better, worse means higher. The interval is two-sided, so at the default level a loss is wrongly
    called none in about 2.5 % of cases.

    Args:
        a: scores of the system in use.
        b: scores of the one that may replace it.
        margin: the loss that still counts as none, above 0, in the unit of the scores (0.02 = 2 points).
        level: confidence level of the interval.

    Raises:
        DataError, NumericalError: see :func:`tutelage.stats.align`.
        RangeError: a margin that is not above 0, or for 0/1 scores not below 1; a level outside (0, 1).

    Source: the p value by inverting the interval of Newcombe 1998, own derivation.

    Example:
        >>> ids = tuple(map(str, range(400)))
        >>> old, new = np.arange(400) % 2.0, np.arange(400) % 2.0
        >>> new[:8] = 1 - new[:8]
        >>> non_inferior(Scores("m", ids, old), Scores("m", ids, new), 0.05).verdict
        'shown'
    """
    _check_margin(margin)
    pairs = align(a, b)
    codes = cluster_codes(pairs.clusters, len(pairs.ids))
    if pairs.proportion:
        if margin >= 1:
            raise RangeError(f"a share cannot fall by {margin}", hint="2 points are written 0.02")
        found = _of_shares(pairs.a, pairs.b, codes, level)
    else:
        found = _of_means(pairs.b - pairs.a, codes, margin, level)
    delta, rises = found.delta, a.higher_is_better
    near, far = (delta.low, delta.high) if rises else (-delta.high, -delta.low)
    verdict: Shown = "shown" if near > -margin else "refuted" if far < -margin else "not shown"
    return _result(found, margin, verdict, "lower" if rises else "upper")


def _result(found: _Difference, margin: float, verdict: Shown, side: Literal["lower", "upper", "both"]) -> Equivalence:
    lower, upper = found.against(-margin)[0], found.against(margin)[1]
    power = (1 + _POWER) / 2 if side == "both" else _POWER
    quantiles = normal_quantile((1 + found.delta.level) / 2) + normal_quantile(power)
    needed = math.ceil(found.variance * (quantiles / margin) ** 2) if math.isfinite(found.variance) else None
    p = {"lower": lower, "upper": upper, "both": max(lower, upper)}[side]
    return Equivalence(found.delta, margin, lower, upper, p, verdict, needed, found.delta.method)


def _check_margin(margin: float) -> None:
    if not (margin > 0 and math.isfinite(margin)):
        raise RangeError(
            f"a margin of {margin} can never be shown", hint="say how large a loss is acceptable, such as 0.02"
        )


def _differences(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    left, right = finite_vector(a, "a"), finite_vector(b, "b")
    if left.shape != right.shape:
        raise ShapeError(f"a has {left.size} items, b has {right.size}: align them first")
    return right - left


def _of_means(difference: Floats, codes: npt.NDArray[np.intp], margin: float, level: float) -> _Difference:
    n, clusters = difference.size, int(codes.max()) + 1
    mean = float(difference.mean())
    variance = clustered_variance(difference, codes)
    if np.ptp(difference) <= 1e-12 * max(1.0, abs(mean)) and clusters > 1:
        variance = (margin / clusters) ** 2
    error = math.sqrt(variance)
    half = t_quantile((1 + open_unit(level, "the level")) / 2, clusters - 1) * error if clusters > 1 else math.inf
    name = "paired t" if clusters == n else "clustered paired t"
    delta = Estimate(mean, mean - half, mean + half, level, name, n, clusters)

    def against(line: float) -> tuple[float, float]:
        t = (mean - line) / error
        return t_tail(t, clusters - 1), t_tail(-t, clusters - 1)

    return _Difference(delta, against, n * variance)


def _of_shares(a: Floats, b: Floats, codes: npt.NDArray[np.intp], level: float) -> _Difference:
    counts, clusters = PairedCounts.of(a, b), int(codes.max()) + 1
    delta = difference_of_shares(a, b, codes, level=level)
    if clusters < 2:
        return _Difference(delta, lambda line: (0.5, 0.5), math.inf)
    effect, varies = design_effect_of(b - a, codes), bool(np.ptp(b - a) > 0)

    def tail(quantile: float) -> float:
        return normal_tail(quantile) if clusters == counts.n or not varies else t_tail(quantile, clusters - 1)

    def against(line: float) -> tuple[float, float]:
        """The quantile at which the end of the interval meets the line gives the p value."""
        if line == delta.value:
            return 0.5, 0.5
        end = 0 if line < delta.value else 1

        def gap(quantile: float) -> float:
            return safe_ends(counts, quantile, effect)[end] - line

        p = 0.0  # the line lies at or beyond what a share can differ by
        if gap(0.0) * gap(_STEEPEST) < 0:
            p = tail(float(optimize.brentq(gap, 0.0, _STEEPEST, xtol=1e-12, rtol=1e-12)))
        return (p, 1 - p) if end == 0 else (1 - p, p)

    share = max(counts.discordant_share, 1 / counts.n)
    return _Difference(delta, against, share * effect)
