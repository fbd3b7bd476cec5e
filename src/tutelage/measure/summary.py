"""From values of items to what a reader asks first: each metric's mean with its interval, overall and by group."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from tutelage.measure.results.table import TaskResults
from tutelage.stats import estimate
from tutelage.types import Scores

__all__ = ["summarise"]

MOST_LABELS = 60
"""Breakdowns with more labels than this are left out of a summary; the result file has them."""


def summarise(results: TaskResults) -> dict[str, Any]:
    """Each metric's estimate, overall and for each label of each breakdown, as plain data for JSON.

    Items without a score are left out of the means and counted under ``missing``; where none has one there is no
    estimate. Infinite ends of an interval are written as None.

    Args:
        results: one task as one system answered it.

    Returns:
        ``{metric: {"estimate", "baseline", "unit", "higher_is_better", "missing", "groups": {name: {label: ...}}}}``.
    """
    told: dict[str, Any] = {}
    for name, facts in results.metrics.items():
        scores = results.scores(name)
        groups = {
            group: {label: _estimated(scores, np.array(labels) == label) for label in sorted(set(labels))}
            for group, labels in results.groups.items()
            if 1 < len(set(labels)) <= MOST_LABELS
        }
        told[name] = {
            "estimate": _estimated(scores, np.ones(len(scores.ids), dtype=bool)),
            "baseline": facts.baseline,
            "unit": facts.unit,
            "higher_is_better": facts.higher_is_better,
            "missing": int(np.isnan(scores.values).sum()),
            "groups": groups,
        }
    return told


def _estimated(scores: Scores, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, Any] | None:
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
    plain = asdict(estimate(some))
    return {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in plain.items()}
