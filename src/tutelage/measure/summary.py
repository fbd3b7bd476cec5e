"""From values of items to what a reader asks first: each metric's mean with its interval, overall and by group."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from tutelage.io.documents import finite
from tutelage.measure.results.table import MetricFacts, TaskResults
from tutelage.stats import estimate
from tutelage.stats.intervals import within_shares
from tutelage.stats.quantiles import quantile_interval
from tutelage.types import Scores

__all__ = ["summarise"]

MOST_LABELS = 60
"""Breakdowns with more labels than this are left out of a summary; the result file has them."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
LEAST_VALUES = 10
"""Metrics of fewer different values have no quantiles worth telling."""


def summarise(results: TaskResults) -> dict[str, Any]:
    """Each metric's estimate, overall and for each label of each breakdown, as plain data for JSON.

    Items without a score are left out of the means and counted under ``missing``; where none has one there is no
    estimate. Infinite ends of an interval are written as None.

    Args:
        results: one task as one system answered it.

    Returns:
        ``{metric: {"estimate", "baseline", "unit", "higher_is_better", "missing", "quantiles": {probability: ...},
        "groups": {name: {label: ...}}}}``. Quantiles are told of metrics of ten or more different values.
    """
    told: dict[str, Any] = {}
    for name, facts in results.metrics.items():
        scores = results.scores(name)
        groups = {
            group: {label: _estimated(scores, np.array(labels) == label, facts) for label in sorted(set(labels))}
            for group, labels in results.groups.items()
            if 1 < len(set(labels)) <= MOST_LABELS
        }
        told[name] = {
            "estimate": _estimated(scores, np.ones(len(scores.ids), dtype=bool), facts),
            "baseline": facts.baseline,
            "unit": facts.unit,
            "higher_is_better": facts.higher_is_better,
            "quantiles": _quantiles(scores),
            "missing": int(np.isnan(scores.values).sum()),
            "groups": groups,
        }
    return told


def _quantiles(scores: Scores) -> dict[str, Any]:
    there = ~np.isnan(scores.values)
    values = scores.values[there]
    if len(np.unique(values)) < LEAST_VALUES:
        return {}
    clusters = None if scores.clusters is None else [scores.clusters[i] for i in np.flatnonzero(there)]
    return {f"{p:g}": finite(asdict(quantile_interval(values, p, clusters))) for p in QUANTILES}


def _estimated(
    scores: Scores, chosen: np.ndarray[Any, np.dtype[np.bool_]], facts: MetricFacts
) -> dict[str, Any] | None:
    places = np.flatnonzero(chosen & ~np.isnan(scores.values))
    if not places.size:
        return None
    some = Scores(
        scores.metric,
        tuple(scores.ids[i] for i in places),
        scores.values[places],
        None if scores.clusters is None else tuple(scores.clusters[i] for i in places),
        higher_is_better=scores.higher_is_better,
    )
    found = estimate(some)
    found = within_shares(found, some.values) if facts.unit.startswith("share") else found
    told: dict[str, Any] = finite(asdict(found))
    return told
