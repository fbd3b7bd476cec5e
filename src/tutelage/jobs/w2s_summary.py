"""What ``results.json`` of ``tutelage w2s`` says of each system; infinite ends of intervals become null."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tutelage.stats import CLASSIFIER_METRICS, classifier_rows, gap_table, share_interval
from tutelage.training.weak_to_strong_report import System, WeakToStrongReport
from tutelage.types import Estimate, FloatArray, IntArray

__all__ = ["arm_facts", "estimate_facts", "leading_metric", "metric_facts", "system_facts"]


def estimate_facts(estimate: Estimate | None) -> dict[str, Any] | None:
    """An estimate as JSON."""
    if estimate is None:
        return None
    ends = {name: value if math.isfinite(value) else None for name, value in vars(estimate).items() if name in _ENDS}
    return {"value": estimate.value, **ends, "level": estimate.level, "n": estimate.n}


_ENDS = ("low", "high")


def _balanced(answers: FloatArray) -> float:
    return CLASSIFIER_METRICS["balanced_accuracy"].of(answers.astype(np.float64))


def leading_metric(asked: str, counts: IntArray) -> str:
    """The metric that leads; "auto" is accuracy unless a class of the test is twice as frequent as another.

    Example:
        >>> leading_metric("auto", np.array([20, 10])), leading_metric("auto", np.array([19, 10]))
        ('balanced_accuracy', 'accuracy')
    """
    there = counts[counts > 0]
    uneven = bool(there.max() >= 2 * there.min())
    return asked if asked != "auto" else "balanced_accuracy" if uneven else "accuracy"


def metric_facts(reports: Mapping[str, WeakToStrongReport], name: str, resamples: int, seed: int) -> dict[str, Any]:
    """The leading metric of every system with the gap it recovers, and the values of all metrics.

    Raises:
        DataError: the metric is not defined on the test items, such as ``roc_auc`` where a class is missing.
    """
    first = next(iter(reports.values()))
    weak, ceiling = (classifier_rows(first.truth, probs) for probs in (first.weak, first.ceiling))
    students = {arm: classifier_rows(report.truth, report.student) for arm, report in reports.items()}
    arms = {}
    for arm, rows in students.items():
        row = gap_table(
            weak, rows, ceiling, {name: CLASSIFIER_METRICS[name]}, resamples=min(resamples, 1_000), seed=seed
        )[name]
        found = {what: estimate_facts(getattr(row.found, what)) for what in ("gain", "gap", "recovered")}
        arms[arm] = {"value": row.student, **found}
    values = {
        system: {
            metric: value if math.isfinite(value := one.of(rows)) else None
            for metric, one in CLASSIFIER_METRICS.items()
        }
        for system, rows in {"weak": weak, **students, "ceiling": ceiling}.items()
    }
    return {"name": name, "weak": values["weak"][name], "ceiling": values["ceiling"][name], "arms": arms, "all": values}


def system_facts(report: WeakToStrongReport, system: System) -> dict[str, Any]:
    """Accuracy with Wilson's interval, and balanced accuracy."""
    answers = np.column_stack([report.truth, report.predictions(system)])
    accuracy = share_interval(report.accuracy(system).values)
    return {"accuracy": estimate_facts(accuracy), "balanced_accuracy": _balanced(answers)}


def arm_facts(report: WeakToStrongReport, resamples: int, seed: int) -> dict[str, Any]:
    """A student: accuracy, gap recovered with the gap beside it, agreement with its supervisor, and overfitting."""
    found = report.recovered(resamples=resamples, seed=seed)
    balanced = report.recovered(_balanced, resamples=min(resamples, 500), seed=seed)
    agreement, curve = report.agreement(), report.curve()
    return {
        **system_facts(report, "student"),
        "gain": estimate_facts(found.gain),
        "gap": estimate_facts(found.gap),
        "recovered": estimate_facts(found.recovered),
        "defined": found.defined,
        "non_positive": found.non_positive,
        "recovered_balanced": estimate_facts(balanced.recovered),
        "agreement": {
            "overall": estimate_facts(agreement.overall),
            "where_weak_is_right": estimate_facts(agreement.where_right),
            "where_weak_is_wrong": estimate_facts(agreement.where_wrong),
        },
        "overfitting": None if curve is None else {"best": curve.best, "last": curve.last},
    }
