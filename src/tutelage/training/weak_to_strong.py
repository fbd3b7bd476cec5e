"""Weak-to-strong: a weak model learns from truth, labels fresh items, a strong one learns from its labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from tutelage.errors import DataError, RangeError, ShapeError
from tutelage.functional.weak_labels import check_labels
from tutelage.seeds import derive
from tutelage.training.labelled_items import Items, joined, kept_apart, one_hot
from tutelage.training.probes import Classifier
from tutelage.training.weak_to_strong_report import WeakToStrongReport
from tutelage.types import FloatArray

__all__ = [
    "Items",
    "Maker",
    "WeakToStrongSettings",
    "bootstrapped",
    "ceiling_of",
    "labels_of",
    "taught",
    "weak_to_strong",
]

Maker = Callable[[int], Classifier]
"""A seed to a classifier that has learnt nothing."""


@dataclass(frozen=True)
class WeakToStrongSettings:
    """The protocol.

    Attributes:
        split: share of the training items that the weak model learns from; the student gets the others.
        labels: "soft" hands over the weak model's probabilities, "hard" its likeliest class.
        ceiling_on: "student_split" trains the ceiling on the truth of the student's own items, "weak_split" on those of
            the weak model (the public sweep).
        classes: how many there are; None: as many as the labels name.
        fresh_split: of :func:`bootstrapped`: each hop has items of its own instead of labelling the same ones again.
        seed: of the split and of every model.

    Raises:
        RangeError: a value outside what is said above.
    """

    split: float = 0.5
    labels: Literal["soft", "hard"] = "soft"
    ceiling_on: Literal["student_split", "weak_split"] = "student_split"
    classes: int | None = None
    fresh_split: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 < self.split < 1.0:
            raise RangeError(f"split is {self.split}", hint="strictly between 0 and 1; 0.5 halves")
        if self.labels not in ("soft", "hard"):
            raise RangeError(f"labels is {self.labels!r}", hint="soft or hard")
        if self.ceiling_on not in ("student_split", "weak_split"):
            raise RangeError(f"ceiling_on is {self.ceiling_on!r}", hint="student_split or weak_split")
        if self.classes is not None and self.classes < 2:
            raise RangeError(f"{self.classes} classes", hint="2 or more")


def weak_to_strong(
    train: Items,
    test: Items,
    *,
    weak: Maker,
    student: Maker,
    ceiling: Maker | None = None,
    unlabelled: Items | None = None,
    settings: WeakToStrongSettings | None = None,
) -> WeakToStrongReport:
    """Train supervisor, student and ceiling; measure all three on the same test items.

    Args:
        train: items with truth, split between the weak model and the student.
        test: items with truth that nobody learns from.
        weak: makes the supervisor.
        student: makes the student, loss and all.
        ceiling: makes what learns from the truth; None: another ``student`` (cross-entropy is what the paper takes, so
            give one where the student's loss is another).
        unlabelled: further items for the student alone. The ceiling learns nothing from them.
        settings: the protocol.

    Raises:
        DataError: an id in two of the parts, a part without truth or items, a class beyond those there are.
        RangeError, NumericalError, ShapeError: probabilities of the supervisor that are none; name the item.

    Source: arXiv 2312.09390, section 3.
    """
    settings = settings or WeakToStrongSettings()
    classes = _prepared(train, test, unlabelled, settings)
    first, second = _halves(train, settings)
    supervisor = weak(derive(settings.seed, "weak"))
    supervisor.fit(first.inputs, one_hot(first.truth, classes))
    pool = second if unlabelled is None else joined(second, unlabelled)
    return taught(
        pool,
        labels_of(supervisor, pool, classes),
        labels_of(supervisor, test, classes),
        test,
        student=student,
        ceiling=ceiling,
        truth=second if settings.ceiling_on == "student_split" else first,
        settings=settings,
    )


def taught(
    pool: Items,
    labels: FloatArray,
    weak_on_test: FloatArray,
    test: Items,
    *,
    student: Maker,
    ceiling: Maker | None = None,
    truth: Items,
    ceiling_on_test: FloatArray | None = None,
    settings: WeakToStrongSettings | None = None,
) -> WeakToStrongReport:
    """The second half of :func:`weak_to_strong`, for labels from anywhere: people, debates, ensembles, a file.

    Args:
        pool: what the student learns from.
        labels: [N, K] probabilities for ``pool``.
        weak_on_test: [M, K] what the same supervisor says of ``test``.
        test: items with truth.
        student: makes the student.
        ceiling: see :func:`weak_to_strong`.
        truth: items with truth for the ceiling.
        ceiling_on_test: [M, K] what :func:`ceiling_of` gave before, for students that share one ceiling; none is
            trained then.
        settings: the protocol; ``split`` is not read.

    Raises:
        As :func:`weak_to_strong`.
    """
    settings = settings or WeakToStrongSettings()
    kept_apart({"the student's items": pool, "the test items": test}, {"the ceiling's items": truth})
    check_labels(torch.from_numpy(np.asarray(labels, dtype=np.float64)), pool.ids)
    check_labels(torch.from_numpy(np.asarray(weak_on_test, dtype=np.float64)), test.ids)
    classes = labels.shape[1]
    given = one_hot(labels.argmax(1), classes) if settings.labels == "hard" else labels
    learner = student(derive(settings.seed, "student"))
    if hasattr(learner, "watch"):
        learner.watch = test.inputs
    learner.fit(pool.inputs, given)
    if ceiling_on_test is None:
        ceiling_on_test = ceiling_of(ceiling or student, truth, test, classes, seed=settings.seed)
    return WeakToStrongReport(
        ids=test.ids,
        truth=test.truth,
        weak=np.asarray(weak_on_test, dtype=np.float64),
        student=labels_of(learner, test, classes),
        ceiling=ceiling_on_test,
        pool_ids=pool.ids,
        pool_labels=np.asarray(labels, dtype=np.float64),
        pool_truth=pool.labels,
        by_epoch=tuple(getattr(learner, "watched", ())),
        learner=learner,
    )


def ceiling_of(make: Maker, truth: Items, test: Items, classes: int, *, seed: int) -> FloatArray:
    """What the ceiling, trained on ``truth``, says of ``test`` [M, K]; the seed is that of :func:`taught`."""
    top = make(derive(seed, "student"))  # the student's weights and order: only labels differ
    top.fit(truth.inputs, one_hot(truth.truth, classes))
    return labels_of(top, test, classes)


def bootstrapped(
    train: Items, test: Items, chain: Sequence[Maker], *, settings: WeakToStrongSettings | None = None
) -> list[WeakToStrongReport]:
    """A chain of growing models: each labels for the next; the first alone has seen truth.

    Every hop labels the same items, the student's half, or with ``fresh_split`` an equal share of its own.

    Args:
        train: as in :func:`weak_to_strong`.
        test: as in :func:`weak_to_strong`.
        chain: two models or more, from weak to strong.
        settings: the protocol.

    Returns:
        A report a hop, all measured against the first model as supervisor; the last is that of the strongest. Its
        ceiling is the same model on the truth of the same items.

    Raises:
        RangeError: fewer than two models, too few items for the hops; the rest as in :func:`weak_to_strong`.

    Source: arXiv 2312.09390, section 4.3.1.
    """
    settings = settings or WeakToStrongSettings()
    hops = len(chain) - 1
    if hops < 1:
        raise RangeError(f"a chain of {len(chain)} models", hint="a weak one and a student at least")
    classes = _prepared(train, test, None, settings)
    first, second = _halves(train, settings)
    if settings.fresh_split and len(second) < 2 * hops:
        raise RangeError(f"{len(second)} items for {hops} hops", hint="fewer hops, or fresh_split=False")
    labeller = chain[0](derive(settings.seed, "weak"))
    labeller.fit(first.inputs, one_hot(first.truth, classes))
    weak_on_test = labels_of(labeller, test, classes)
    shares = np.array_split(np.arange(len(second)), hops) if settings.fresh_split else [np.arange(len(second))] * hops
    reports = []
    for make, rows in zip(chain[1:], shares, strict=True):
        pool = second.rows(rows)
        labels = labels_of(labeller, pool, classes)
        truth = pool if settings.ceiling_on == "student_split" else first
        report = taught(pool, labels, weak_on_test, test, student=make, truth=truth, settings=settings)
        reports.append(report)
        labeller = report.learner
    return reports


def labels_of(model: Classifier, items: Items, classes: int) -> FloatArray:
    """A model's probabilities [N, K], checked.

    Raises:
        RangeError, NumericalError, ShapeError: they are no distributions over ``classes`` classes; name the item.
    """
    found = np.asarray(model.predict_proba(items.inputs), dtype=np.float64)
    if found.shape != (len(items), classes):
        raise ShapeError(f"predict_proba gave {found.shape} for {len(items)} items of {classes} classes")
    check_labels(torch.from_numpy(found), items.ids)
    return found


def _prepared(train: Items, test: Items, unlabelled: Items | None, settings: WeakToStrongSettings) -> int:
    parts = {"train": train, "test": test} | ({} if unlabelled is None else {"unlabelled": unlabelled})
    for name, part in parts.items():
        if not len(part):
            raise DataError(f"{name} has no items")
    kept_apart(parts)
    most = max(int(train.truth.max()), int(test.truth.max())) + 1
    classes = settings.classes or most
    if classes < max(2, most):
        raise DataError(f"{classes} classes, but the labels name {most}", hint="two classes at least, counted from 0")
    return classes


def _halves(train: Items, settings: WeakToStrongSettings) -> tuple[Items, Items]:
    order = np.random.default_rng(derive(settings.seed, "weak-to-strong", "split")).permutation(len(train))
    cut = round(settings.split * len(train))
    if not 0 < cut < len(train):
        raise RangeError(f"a share of {settings.split} of {len(train)} items leaves a half empty", hint="more items")
    return train.rows(np.sort(order[:cut])), train.rows(np.sort(order[cut:]))
