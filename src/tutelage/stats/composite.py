"""A composite of several metrics: the unweighted mean, each metric on its own items."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tutelage.errors import DataError
from tutelage.stats.alignment import Aligned, align
from tutelage.stats.bootstrap import paired_bootstrap
from tutelage.stats.checks import cluster_codes, open_unit
from tutelage.stats.comparison import better_counts, check_effect, detectable_from, outcome_of, refuse_missing
from tutelage.stats.intervals import clustered_variance, t_quantile
from tutelage.types import Comparison, Estimate, Scores

__all__ = ["compare_macro", "estimate_macro"]


def _macro_pairs(a: Mapping[str, Scores], b: Mapping[str, Scores]) -> list[tuple[str, Aligned]]:
    if set(a) != set(b) or not a:
        raise DataError(
            f"a composite needs the same parts on both sides, not {sorted(a)} and {sorted(b)}",
            hint="measure both systems with the same suite",
        )
    wrong = [name for name, scores in [*a.items(), *b.items()] if not scores.higher_is_better]
    if wrong:
        raise DataError(f"{wrong[0]} falls when a system gets better and cannot enter a composite that rises")
    return [(name, align(a[name], b[name])) for name in sorted(a)]


def compare_macro(
    a: Mapping[str, Scores],
    b: Mapping[str, Scores],
    *,
    smallest_effect: float | None = None,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 10_000,
) -> Comparison:
    """Two systems on a composite: the unweighted mean over several metrics, each on its own items.

    Items (or whole clusters) are resampled inside each metric, so that a metric counts the same however many items it
    has. Discordant pairs are counted over all metrics.

    Args:
        a: scores of the first system by name of the metric.
        b: of the second, under the same names.
        smallest_effect: see :func:`compare`.
        level: confidence level.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        DataError: different names, none, or a metric where lower is better.
        NumericalError: a score that is not finite.

    Source: the stratified form of :func:`tutelage.stats.paired_bootstrap`.
    """
    check_effect(smallest_effect)
    parts = _macro_pairs(a, b)
    left = np.concatenate([pairs.a for _, pairs in parts])
    right = np.concatenate([pairs.b for _, pairs in parts])
    strata = [name for name, pairs in parts for _ in pairs.ids]
    units = [f"{name}\0{g}" for name, pairs in parts for g in (pairs.clusters or pairs.ids)]
    grouped = any(pairs.clusters is not None for _, pairs in parts)
    found = paired_bootstrap(
        left, right, cluster=units if grouped else None, strata=strata, level=level, seed=seed, resamples=resamples
    )
    # A part where no item differs has an unseen spread, not none: reckon with one item of it that does.
    unseen = sum((1 / len(pairs.ids)) ** 2 for _, pairs in parts if pairs.proportion and (pairs.a == pairs.b).all())
    detectable = detectable_from(math.sqrt(found.standard_error**2 + unseen / len(parts) ** 2), level)
    outcome = outcome_of(found.delta, detectable, smallest_effect)
    test, counts = "stratified paired bootstrap", better_counts(left, right)
    return Comparison(found.delta, found.p, found.p, test, left.size, counts, detectable, outcome)


def estimate_macro(scores: Mapping[str, Scores], *, level: float = 0.95) -> Estimate:
    r"""Unweighted mean over several metrics of one system.

    The parts are independent, so the variance is :math:`\sum_s v_s/S^2` with each part's (clustered) variance of the
    mean, and the interval Student's t with the degrees of freedom of Welch and Satterthwaite. A part that is all right
    or all wrong gets the variance of the Agresti-Coull proportion (k+2)/(n+4).

    Raises:
        DataError: no metric, or one without items.
        NumericalError: a score that is not finite.

    Source: Satterthwaite 1946.
    """
    open_unit(level, "the level")
    if not scores:
        raise DataError("a composite of no metrics")
    means, variances, freedoms, items, clusters = [], [], [], 0, 0
    for name in sorted(scores):
        part = scores[name]
        refuse_missing(part)
        codes = cluster_codes(part.clusters, len(part.ids))
        count = int(codes.max()) + 1
        means.append(float(part.values.mean()))
        variance = clustered_variance(part.values.astype(np.float64), codes)
        if variance == 0 and part.proportion:  # all right or all wrong: the variance of (k+2)/(n+4), not none
            share = (float(part.values.sum()) + 2) / (len(part.ids) + 4)
            variance = share * (1 - share) / (len(part.ids) + 4)
        variances.append(variance)
        freedoms.append(count - 1)
        items, clusters = items + len(part.ids), clusters + count
    mean, total = float(np.mean(means)), float(np.sum(variances))
    half = math.inf
    if math.isfinite(total):
        weights = sum(v * v / d for v, d in zip(variances, freedoms, strict=True))
        degrees = max(1, math.floor(total**2 / weights)) if weights > 0 else 1
        half = t_quantile((1 + level) / 2, degrees) * math.sqrt(total) / len(scores)
    return Estimate(mean, mean - half, mean + half, level, "stratified t", items, clusters)
