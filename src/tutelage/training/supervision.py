"""Weak-to-strong on any task: what a label is, how a model learns and what is measured are the task's own business.

The protocol is the same for classes, texts or anything else: a weak model learns from the truth of its own items and
labels the student's items, the student learns from these labels, and the ceiling is the same student on their truth.
What comes out are rows of measurements on test items, which :func:`tutelage.stats.gap_table` turns into gaps by any
metric.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from tutelage.errors import ConfigError, DataError
from tutelage.functional.weak_labels import confident_rows
from tutelage.seeds import derive
from tutelage.stats import GapRow, SystemMetric, classifier_rows, gap_table
from tutelage.stats.system_metrics import CLASSIFIER_METRICS
from tutelage.training.labelled_items import Items, kept_apart, one_hot
from tutelage.training.probes import Classifier
from tutelage.training.weak_to_strong import Maker, labels_of
from tutelage.types import FloatArray, IntArray

__all__ = ["ProbeLabels", "ProbeTask", "Strategy", "Supervised", "SupervisionTask", "supervised"]

Model = TypeVar("Model")
Labels = TypeVar("Labels")


class SupervisionTask(Protocol[Model, Labels]):
    """A task of weak-to-strong. Test items are read by ``rows`` alone: nothing can be chosen by them."""

    @property
    def metrics(self) -> Mapping[str, SystemMetric]:
        """What is computed from the rows, by name."""
        ...

    def weak(self, seed: int) -> Model:
        """The supervisor, trained on the truth of its own items."""
        ...

    def labels(self, model: Model, seed: int) -> Labels:
        """What ``model`` says of the student's items."""
        ...

    def truth(self) -> Labels:
        """The truth of the student's items, in the form of labels."""
        ...

    def student(self, labels: Labels, seed: int) -> Model:
        """A strong model trained on ``labels``."""
        ...

    def rows(self, model: Model, seed: int) -> FloatArray:
        """What is measured of ``model`` on the test items, [N, C], in one order."""
        ...


Strategy = Callable[[Any, Any, int], Any]
"""Task, weak labels and the student's seed to a student: what is done with the labels."""


def plain(task: SupervisionTask[Model, Labels], labels: Labels, seed: int) -> Model:
    """Learn from the labels as they are."""
    return task.student(labels, seed)


@dataclass(frozen=True)
class Supervised:
    """Rows [N, C] of "weak", "ceiling" and every student on the same test items, and the labels handed over."""

    arms: Mapping[str, FloatArray]
    labels: Any
    metrics: Mapping[str, SystemMetric]

    def values(self) -> dict[str, dict[str, float]]:
        """Every metric of every arm."""
        found: dict[str, dict[str, float]] = {}
        for arm, rows in self.arms.items():
            found[arm] = {name: one.of(rows.astype(np.float64)) for name, one in self.metrics.items()}
        return found

    def table(self, arm: str, **settings: Any) -> dict[str, GapRow]:
        """The gap that ``arm`` recovers, by every metric; ``settings`` are those of :func:`tutelage.stats.gap_table`.

        Raises:
            ConfigError: there is no such student.
        """
        if arm not in self.arms:
            raise ConfigError(f"there is no student {arm!r}", hint=", ".join(self.arms))
        return gap_table(self.arms["weak"], self.arms[arm], self.arms["ceiling"], self.metrics, **settings)


def supervised(
    task: SupervisionTask[Any, Any], strategies: Mapping[str, Strategy] | None = None, *, seed: int = 0
) -> Supervised:
    """Run the protocol once.

    Weak model, its labels, students and measurements have streams of their own; all students and the ceiling share
    theirs, so that they begin with the same weights and see items in the same order: only what they learn differs.

    Args:
        task: what is learnt and measured.
        strategies: by the name of the student; None: one student "plain" on the labels as they are.
        seed: of everything.

    Raises:
        ConfigError: a strategy is called "weak" or "ceiling".
        DataError: the arms were not measured on the same items.

    Source: arXiv 2312.09390, section 3, with the tasks of arXiv 2410.12621.
    """
    strategies = strategies if strategies is not None else {"plain": plain}
    taken = {"weak", "ceiling"} & set(strategies)
    if taken:
        raise ConfigError(f"a student called {sorted(taken)[0]!r}", hint="these two are always there")
    weak = task.weak(derive(seed, "supervision", "weak"))
    labels = task.labels(weak, derive(seed, "supervision", "labels"))
    learns, measures = derive(seed, "supervision", "student"), derive(seed, "supervision", "rows")
    models = {name: strategy(task, labels, learns) for name, strategy in strategies.items()}
    models |= {"weak": weak, "ceiling": task.student(task.truth(), learns)}
    arms = {name: task.rows(model, measures) for name, model in models.items()}
    if len({rows.shape for rows in arms.values()}) != 1:
        shapes = ", ".join(f"{name} {rows.shape}" for name, rows in arms.items())
        raise DataError(f"not every arm was measured on the same items: {shapes}")
    return Supervised(arms, labels, task.metrics)


@dataclass(frozen=True)
class ProbeLabels:
    """Distributions [M, K] for the places ``picked`` [M] among the student's items."""

    picked: IntArray
    probs: FloatArray

    def confident(self, share: float) -> ProbeLabels:
        """The surest ``share`` of each class; see :func:`tutelage.functional.weak_labels.confident_rows`."""
        kept = confident_rows(torch.from_numpy(self.probs), share).numpy()
        return ProbeLabels(self.picked[kept], self.probs[kept])

    def hardened(self) -> ProbeLabels:
        """The likeliest class, certain."""
        return ProbeLabels(self.picked, one_hot(self.probs.argmax(1), self.probs.shape[1]))

    def shuffled(self, seed: int) -> ProbeLabels:
        """The same labels on other items: a control from which nothing can be learnt but how frequent classes are."""
        order = np.random.default_rng(derive(seed, "supervision", "shuffled")).permutation(len(self.probs))
        return ProbeLabels(self.picked, self.probs[order])


@dataclass(frozen=True)
class ProbeTask:
    """Classification by classifiers on items that are kept apart.

    Attributes:
        first: items with truth for the weak model.
        pool: items with truth for the student; the truth is the ceiling's alone.
        test: items with truth.
        make_weak: makes the supervisor.
        make_student: makes the student.
        classes: how many there are.

    Raises:
        DataError: an id in two of the parts.
    """

    first: Items
    pool: Items
    test: Items
    make_weak: Maker
    make_student: Maker
    classes: int = 2
    metrics: Mapping[str, SystemMetric] = field(default_factory=lambda: CLASSIFIER_METRICS)

    def __post_init__(self) -> None:
        kept_apart({"the weak model's items": self.first, "the student's items": self.pool, "the test": self.test})

    def weak(self, seed: int) -> Classifier:
        """The supervisor on the truth of ``first``."""
        model = self.make_weak(seed)
        model.fit(self.first.inputs, one_hot(self.first.truth, self.classes))
        return model

    def labels(self, model: Classifier, seed: int = 0) -> ProbeLabels:
        """Its probabilities for ``pool``."""
        return ProbeLabels(np.arange(len(self.pool)), labels_of(model, self.pool, self.classes))

    def truth(self) -> ProbeLabels:
        """The truth of ``pool``."""
        return ProbeLabels(np.arange(len(self.pool)), one_hot(self.pool.truth, self.classes))

    def student(self, labels: ProbeLabels, seed: int, make: Maker | None = None) -> Classifier:
        """The student, or what ``make`` makes, on ``labels``."""
        model = (make or self.make_student)(seed)
        model.fit(self.pool.rows(labels.picked).inputs, labels.probs)
        return model

    def rows(self, model: Classifier, seed: int = 0) -> FloatArray:
        """Truth, answer and probabilities on ``test``."""
        return classifier_rows(self.test.truth, labels_of(model, self.test, self.classes))
