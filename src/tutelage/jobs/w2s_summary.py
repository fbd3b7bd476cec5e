"""What ``results.json`` of ``tutelage w2s`` says of each system; infinite ends of intervals become null."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tutelage.stats import paired_bootstrap, share_interval
from tutelage.training.weak_to_strong_report import System, WeakToStrongReport
from tutelage.types import Estimate, FloatArray

__all__ = ["arm_facts", "balanced_accuracy", "estimate_facts", "system_facts"]


def estimate_facts(estimate: Estimate | None) -> dict[str, Any] | None:
    """An estimate as JSON."""
    if estimate is None:
        return None
    ends = {name: value if math.isfinite(value) else None for name, value in vars(estimate).items() if name in _ENDS}
    return {"value": estimate.value, **ends, "level": estimate.level, "n": estimate.n}


_ENDS = ("low", "high")


def balanced_accuracy(rows: FloatArray) -> float:
    """Mean over the classes that occur of the share answered rightly; rows [N, 2+] of truth and answer.

    Example:
        >>> balanced_accuracy(np.array([[0, 0], [0, 0], [0, 0], [1, 0]]))
        0.5
    """
    truth, answer = rows[:, 0], rows[:, 1]
    return float(np.mean([(answer[truth == one] == one).mean() for one in np.unique(truth)]))


def system_facts(report: WeakToStrongReport, system: System) -> dict[str, Any]:
    """Accuracy with Wilson's interval, and balanced accuracy."""
    answers = np.column_stack([report.truth, report.predictions(system)])
    accuracy = share_interval(report.accuracy(system).values)
    return {"accuracy": estimate_facts(accuracy), "balanced_accuracy": balanced_accuracy(answers)}


def arm_facts(report: WeakToStrongReport, resamples: int, seed: int) -> dict[str, Any]:
    """A student: accuracy, gap recovered with the gap beside it, agreement with its supervisor, and overfitting."""
    found = report.recovered(resamples=resamples, seed=seed)
    balanced = report.recovered(balanced_accuracy, resamples=min(resamples, 500), seed=seed)
    gain = paired_bootstrap(report.accuracy("weak").values, report.accuracy("student").values, seed=seed)
    agreement, curve = report.agreement(), report.curve()
    return {
        **system_facts(report, "student"),
        "gain": estimate_facts(gain.delta),
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
