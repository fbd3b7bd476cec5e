"""One system's estimate, and the comparison of two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, NumericalError, RangeError
from tutelage.stats.alignment import Aligned, align
from tutelage.stats.bootstrap import paired_bootstrap
from tutelage.stats.checks import cluster_codes, unusable
from tutelage.stats.intervals import clustered_variance, mean_interval, normal_quantile, share_interval, t_test
from tutelage.stats.multiplicity import Correction, corrected
from tutelage.stats.paired_proportions import PairedCounts, difference_of_shares, mcnemar
from tutelage.stats.power import minimum_detectable_effect
from tutelage.stats.resampling import MANY_CLUSTERS, check_settings
from tutelage.types import Comparison, Estimate, Outcome, Scores

__all__ = [
    "adjust",
    "better_counts",
    "check_effect",
    "compare",
    "detectable_from",
    "estimate",
    "outcome_of",
    "refuse_missing",
]

_POWER = 0.8


def estimate(scores: Scores, *, level: float = 0.95) -> Estimate:
    """Mean of one system's scores with its interval.

    Wilson for 0/1 scores, with the effective size when items come in clusters; Student's t otherwise, clustered by
    group. Scores that fall as a system gets better and are all 0 are taken for a distance, not for a rate.

    Raises:
        DataError: no items.
        NumericalError: a score that is not finite, with its item.

    Source: see :func:`tutelage.stats.share_interval` and :func:`tutelage.stats.mean_interval`.

    Example:
        >>> estimate(Scores("m", ("x", "y"), np.array([0.0, 1.0]))).method
        'wilson'
    """
    refuse_missing(scores)
    grouped = scores.clusters is not None and len(set(scores.clusters)) < len(scores.ids)
    distance = not scores.higher_is_better and not scores.values.any()
    if distance or not scores.proportion:
        return mean_interval(scores.values, scores.clusters if grouped else None, level=level)
    return share_interval(scores.values, scores.clusters if grouped else None, level=level)


def compare(
    a: Scores,
    b: Scores,
    *,
    smallest_effect: float | None = None,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 10_000,
) -> Comparison:
    """Two systems on the same items: delta = mean(b) - mean(a).

    0/1 scores: Newcombe's interval, widened where few pairs differ (:func:`tutelage.stats.difference_of_shares`), and
    McNemar's mid-p test; where items come in clusters, the p value of the paired bootstrap of whole clusters. Other
    scores: the paired bootstrap; above 10,000 clusters (or items) the paired t, which the bootstrap tends to.

    The outcome goes by the interval: where it excludes 0, ``"A>B"`` means
    that a is the better one, whichever way the metric points; otherwise ``"tied"`` if the test would have found
    ``smallest_effect`` with 80 % power and ``"underpowered"`` if not. Without a smallest effect nothing can be called
    tied: not having found a difference is no finding.

    Args:
        a: scores of the first system, usually the one before.
        b: scores of the second, usually the one after.
        smallest_effect: the smallest difference that matters to the caller, above 0.
        level: confidence level.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        DataError, NumericalError: see :func:`tutelage.stats.align`.
        RangeError: a smallest effect that is not above 0.

    Source: see the functions named above, in :mod:`tutelage.stats`.

    Example:
        >>> ids = tuple("abcdefghij")
        >>> before, after = Scores("m", ids, np.zeros(10)), Scores("m", ids, np.ones(10))
        >>> compare(before, after).outcome
        'B>A'
    """
    check_effect(smallest_effect)
    pairs = align(a, b)
    if pairs.proportion and pairs.clusters is None:
        counts = PairedCounts.of(pairs.a, pairs.b)
        delta, p, test = difference_of_shares(pairs.a, pairs.b, level=level), mcnemar(counts), "mcnemar mid-p"
        detectable = minimum_detectable_effect(counts.n, discordant_share=counts.discordant_share, level=level)
    else:
        codes = None if pairs.clusters is None else cluster_codes(pairs.clusters, len(pairs.ids))
        delta, p, test, error = _resampled(pairs, codes, level, seed, resamples)
        if pairs.proportion:
            delta = difference_of_shares(pairs.a, pairs.b, codes, level=level)
            error = error or 1 / len(pairs.ids)  # where no item differs the spread is not 0 but unseen
        detectable = detectable_from(error, level)
    outcome = outcome_of(delta, detectable, smallest_effect, higher_is_better=a.higher_is_better)
    counted = better_counts(pairs.a, pairs.b, higher_is_better=a.higher_is_better)
    return Comparison(delta, p, p, test, len(pairs.ids), counted, detectable, outcome)


def _resampled(
    pairs: Aligned, codes: npt.NDArray[np.intp] | None, level: float, seed: int, resamples: int
) -> tuple[Estimate, float, str, float]:
    """Difference, p value, name of the test and standard error, from resamples or from what they tend to."""
    difference = pairs.b - pairs.a
    units = cluster_codes(codes, difference.size)
    if int(units.max()) < MANY_CLUSTERS:
        found = paired_bootstrap(pairs.a, pairs.b, cluster=codes, level=level, seed=seed, resamples=resamples)
        return found.delta, found.p, "paired bootstrap", found.standard_error
    check_settings(resamples, level)
    delta = mean_interval(difference, codes, level=level)
    error = math.sqrt(clustered_variance(difference, units))
    p = t_test(delta.value, error, delta.n_clusters - 1)
    return delta, p, "paired t" if codes is None else "clustered paired t", error


def adjust(comparisons: Sequence[Comparison], *, method: Correction = "holm") -> list[Comparison]:
    """The comparisons of one family with adjusted p values, in their order.

    An outcome that the adjusted p value no longer carries (above 1 - level) becomes ``"underpowered"``.

    Args:
        comparisons: all that were planned together.
        method: ``"holm"`` bounds the chance of any false finding, ``"bh"`` the expected share of false ones among the
            findings, ``"none"`` neither.

    Raises:
        RangeError: an unknown method.

    Source: see :func:`tutelage.stats.holm` and :func:`tutelage.stats.benjamini_hochberg`.
    """
    adjusted: list[Comparison] = []
    for comparison, p in zip(comparisons, corrected([c.p for c in comparisons], method), strict=True):
        lost = comparison.outcome in ("A>B", "B>A") and p > 1 - comparison.delta.level
        outcome: Outcome = "underpowered" if lost and method != "none" else comparison.outcome
        adjusted.append(replace(comparison, p_adjusted=float(p), outcome=outcome))
    return adjusted


def refuse_missing(scores: Scores) -> None:
    """Nothing if every score is finite.

    Raises:
        DataError: no items.
        NumericalError: a score is not finite; its item is named.
    """
    if not scores.ids:
        raise DataError(f"{scores.metric}: no items were scored")
    bad = np.flatnonzero(unusable(scores.values))
    if bad.size:
        raise NumericalError(
            f"{bad.size} scores are not finite", where=f"metric {scores.metric}, item {scores.ids[int(bad[0])]!r}"
        )


def check_effect(smallest_effect: float | None) -> None:
    """Nothing if the effect is above 0 or None.

    Raises:
        RangeError: otherwise.
    """
    if smallest_effect is not None and not smallest_effect > 0:
        raise RangeError(f"the smallest effect that matters must be above 0, not {smallest_effect}")


def detectable_from(standard_error: float, level: float) -> float:
    r""":math:`(z_{1-\alpha/2}+z_{0.8})\,se`: the effect found with 80 % power at this standard error."""
    if not math.isfinite(standard_error):
        return math.inf
    return (normal_quantile((1 + level) / 2) + normal_quantile(_POWER)) * standard_error


def better_counts(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], *, higher_is_better: bool = True
) -> tuple[int, int]:
    """On how many items a is the better one, and on how many b."""
    counts = int((a > b).sum()), int((b > a).sum())
    return counts if higher_is_better else counts[::-1]


def outcome_of(
    delta: Estimate, detectable: float, smallest_effect: float | None, *, higher_is_better: bool = True
) -> Outcome:
    """The rule of :func:`compare` on an interval of b - a and the effect that would have been found."""
    if not delta.low <= 0 <= delta.high:
        return "B>A" if (delta.low > 0) == higher_is_better else "A>B"
    return "tied" if smallest_effect is not None and detectable <= smallest_effect else "underpowered"
