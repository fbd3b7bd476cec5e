"""What a weak-to-strong run found, item by item; every summary is computed from the same test items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tutelage.stats import GapRecovered, performance_gap_recovered, share_interval
from tutelage.types import Estimate, FloatArray, IntArray, Scores

__all__ = ["RecoveryCurve", "SupervisorAgreement", "System", "WeakToStrongReport"]

System = Literal["weak", "student", "ceiling"]


@dataclass(frozen=True)
class SupervisorAgreement:
    """Share of test items on which the student gives its supervisor's answer; None where there is no such item.

    A student that only copies agrees as often where the supervisor is wrong as where it is right.
    """

    overall: Estimate
    where_right: Estimate | None
    where_wrong: Estimate | None


@dataclass(frozen=True)
class RecoveryCurve:
    """The gap recovered after each epoch, at the last one, and at the best.

    Only the truth knows which epoch was best, so ``best`` is no result to claim: ``last`` is. ``overfitting`` is best
    minus last, what went into fitting the supervisor's errors.
    """

    recovered: tuple[float, ...]
    best: float
    last: float

    @property
    def overfitting(self) -> float:
        """Best minus last, at least 0."""
        return self.best - self.last


@dataclass(frozen=True)
class WeakToStrongReport:
    """Class probabilities [N, K] of the three systems on the test items, and the labels that were handed over.

    ``pool_labels`` [M, K] are the supervisor's labels of the items the student learnt from, ``pool_truth`` [M] their
    truth where it is known; ``by_epoch`` the student's probabilities on the test items after each epoch, where the
    student watches; ``learner`` the trained student.
    """

    ids: tuple[str, ...]
    truth: IntArray
    weak: FloatArray
    student: FloatArray
    ceiling: FloatArray
    pool_ids: tuple[str, ...]
    pool_labels: FloatArray
    pool_truth: IntArray | None
    by_epoch: tuple[FloatArray, ...] = ()
    learner: Any = None

    def predictions(self, system: System) -> IntArray:
        """Likeliest class of each test item [N]."""
        found: IntArray = getattr(self, system).argmax(1)
        return found

    def accuracy(self, system: System) -> Scores:
        """Right or wrong, 0 or 1 for each test item."""
        return Scores("accuracy", self.ids, (self.predictions(system) == self.truth).astype(np.float64))

    def label_accuracy(self) -> Scores | None:
        """Whether each label handed over is right; None when the truth of these items is not known."""
        if self.pool_truth is None:
            return None
        right = self.pool_labels.argmax(1) == self.pool_truth
        return Scores("label_accuracy", self.pool_ids, right.astype(np.float64))

    def recovered(
        self,
        metric: Callable[[FloatArray], float] | None = None,
        *,
        higher_is_better: bool = True,
        resamples: int = 2_000,
        seed: int = 0,
    ) -> GapRecovered:
        """The gap recovered in accuracy or in ``metric``.

        Args:
            metric: rows [N, 2 + K] of truth, predicted class and probabilities to a number; None: accuracy.
            higher_is_better: direction of the metric.
            resamples: of the bootstrap.
            seed: of the bootstrap.
        """
        if metric is None:
            values = [self.accuracy(name).values for name in ("weak", "student", "ceiling")]
        else:
            probs = (self.weak, self.student, self.ceiling)
            values = [np.column_stack([self.truth, one.argmax(1), one]) for one in probs]
        return performance_gap_recovered(
            *values, metric=metric, higher_is_better=higher_is_better, resamples=resamples, seed=seed
        )

    def agreement(self) -> SupervisorAgreement:
        """How often the student gives the supervisor's answer."""
        same = self.predictions("student") == self.predictions("weak")
        right = self.predictions("weak") == self.truth

        def share(where: Any) -> Estimate | None:
            return share_interval(same[where]) if same[where].size else None

        return SupervisorAgreement(share_interval(same), share(right), share(~right))

    def curve(self) -> RecoveryCurve | None:
        """The gap recovered by epoch; None without a watching student or without a gap."""
        weak, top = (float(self.accuracy(name).values.mean()) for name in ("weak", "ceiling"))
        if not self.by_epoch or top <= weak:
            return None
        found = tuple(float(((p.argmax(1) == self.truth).mean() - weak) / (top - weak)) for p in self.by_epoch)
        return RecoveryCurve(found, max(found), found[-1])
