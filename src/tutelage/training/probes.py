"""Classifiers that learn from distributions over classes: a probe or small network in torch, and scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.errors import DataError, NumericalError, RangeError, ShapeError
from tutelage.functional.weak_labels import check_labels
from tutelage.objectives.weak_to_strong import WeakLoss, WeakLossSettings
from tutelage.seeds import derive
from tutelage.training.schedules import ScheduleSettings, schedule_multiplier
from tutelage.types import FloatArray

__all__ = ["Classifier", "FeatureClassifier", "ProbeSettings", "SklearnClassifier", "TorchProbe"]

Inputs = FloatArray | Sequence[Any]
TO_NOTHING = ScheduleSettings("cosine", 0.001, decay_share=1.0, warmup_ratio=0.0)


class Classifier(Protocol):
    """Anything that can be a weak supervisor, a student or a ceiling."""

    def fit(self, inputs: Any, probs: FloatArray) -> Any:
        """Learn from inputs [N] or [N, D] and a distribution over classes for each, [N, K]."""
        ...

    def predict_proba(self, inputs: Any) -> FloatArray:
        """Class probabilities [N, K] in the order that ``fit`` was given."""
        ...


@dataclass(frozen=True)
class ProbeSettings:
    """A probe and how it is trained.

    Attributes:
        hidden: widths of hidden layers; none is a linear probe, whose weights begin at zero.
        loss: on the labels.
        learning_rate: of Adam, falls to nothing along a cosine.
        epochs: passes over the items.
        batch_size: items a step. The threshold of the confidence loss is taken within it.
        weight_decay: decoupled.
        standardise: centre each feature and divide by its spread on what is learnt from.

    Raises:
        RangeError: a number that is not above 0 (``weight_decay``: below 0).
    """

    hidden: tuple[int, ...] = ()
    loss: WeakLossSettings = field(default_factory=WeakLossSettings)
    learning_rate: float = 0.01
    epochs: int = 30
    batch_size: int = 64
    weight_decay: float = 0.0
    standardise: bool = True

    def __post_init__(self) -> None:
        positive = {"learning_rate": self.learning_rate, "epochs": self.epochs, "batch_size": self.batch_size}
        for name, value in (positive | {f"hidden width {i}": one for i, one in enumerate(self.hidden)}).items():
            if not value > 0:
                raise RangeError(f"{name} is {value}", hint="above 0")
        if self.weight_decay < 0:
            raise RangeError(f"weight_decay is {self.weight_decay}", hint="0 or more")


class TorchProbe:
    """Linear probe or perceptron on features [N, D], trained on distributions by any loss on weak labels.

    Args:
        settings: what and how.
        seed: of initial weights and the order of items.

    Set ``watch`` to inputs before ``fit`` to have the probabilities on them after every epoch in ``watched``.
    """

    def __init__(self, settings: ProbeSettings | None = None, *, seed: int = 0) -> None:
        self.settings, self.seed = settings or ProbeSettings(), seed
        self.watch: FloatArray | None = None
        self.watched: list[FloatArray] = []
        self.network: nn.Module | None = None

    def fit(self, inputs: FloatArray, probs: FloatArray) -> TorchProbe:
        """Train anew.

        Raises:
            ShapeError: features that are not [N, D], or another number of labels.
            NumericalError: NaN in the features or labels.
            RangeError: a row of ``probs`` that is no distribution.
        """
        features = _features(inputs)
        weak = torch.tensor(np.asarray(probs), dtype=torch.float32)
        check_labels(weak)
        if len(features) != len(weak) or not len(features):
            raise ShapeError(f"{len(features)} items, but labels of {len(weak)}", hint="one row of labels an item")
        self.watched = []
        self._centre = features.mean(0) if self.settings.standardise else torch.zeros(features.shape[1])
        spread = features.std(0, unbiased=False) if self.settings.standardise else torch.ones(features.shape[1])
        self._spread = torch.where(spread > 1e-6, spread, torch.ones_like(spread))
        self.network = self._fresh(features.shape[1], weak.shape[1])
        self._train((features - self._centre) / self._spread, weak)
        return self

    def predict_proba(self, inputs: FloatArray) -> FloatArray:
        """Probabilities [N, K] float64.

        Raises:
            DataError: before ``fit``.
        """
        if self.network is None:
            raise DataError("the probe has learnt nothing yet", hint="call fit first")
        with torch.no_grad():
            logits = self.network((_features(inputs) - self._centre) / self._spread)
        found: FloatArray = logits.double().softmax(1).numpy()
        return found

    def _fresh(self, width: int, classes: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(self.seed, "probe", "weights"))
            layers: list[nn.Module] = []
            for wide in self.settings.hidden:
                layers += [nn.Linear(width, wide), nn.ReLU()]
                width = wide
            head = nn.Linear(width, classes)
        if not self.settings.hidden:
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        return nn.Sequential(*layers, head)

    def _train(self, features: Tensor, weak: Tensor) -> None:
        assert self.network is not None
        settings, loss = self.settings, WeakLoss(self.settings.loss)
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        size = min(settings.batch_size, len(features))
        steps = -(-len(features) // size)
        total, step = settings.epochs * steps, 0
        for epoch in range(settings.epochs):
            order = np.random.default_rng(derive(self.seed, "probe", "order", epoch)).permutation(len(features))
            for rows in np.array_split(order, steps):
                for group in optimizer.param_groups:
                    group["lr"] = settings.learning_rate * schedule_multiplier(step, total, TO_NOTHING)
                optimizer.zero_grad(set_to_none=True)
                loss(self.network(features[rows]), weak[rows], step / total).total.backward()
                optimizer.step()
                step += 1
            if self.watch is not None:
                self.watched.append(self.predict_proba(self.watch))


class SklearnClassifier:
    """An estimator of scikit-learn (``fit(X, y)``, ``predict_proba``) that learns from distributions.

    Soft labels become K weighted copies of each item where the estimator takes ``sample_weight``; with ``hard`` or
    without it, the likeliest class is learnt. Classes that never occur have probability 0.

    Args:
        estimator: not trained yet; it is trained in place.
        hard: learn the likeliest class in any case.
    """

    def __init__(self, estimator: Any, *, hard: bool = False) -> None:
        self.estimator, self.hard, self.classes = estimator, hard, 0

    def fit(self, inputs: Any, probs: FloatArray) -> SklearnClassifier:
        """Train; errors of labels as in :class:`TorchProbe`.

        Raises:
            DataError: all labels are of one class.
        """
        from sklearn.utils.validation import has_fit_parameter

        table = np.asarray(probs, dtype=np.float64)
        check_labels(torch.from_numpy(table))
        self.classes = table.shape[1]
        certain = bool((table.max(1) == 1.0).all())
        if self.hard or certain or not has_fit_parameter(self.estimator, "sample_weight"):
            labels = table.argmax(1)
            if len(set(labels.tolist())) < 2:
                raise DataError(f"all {len(labels)} labels are of class {labels[0]}", hint="give items of two classes")
            self.estimator.fit(inputs, labels)
            return self
        rows, labels = np.nonzero(table > 0)
        taken = inputs[rows] if hasattr(inputs, "shape") else [inputs[row] for row in rows]
        self.estimator.fit(taken, labels, sample_weight=table[rows, labels])
        return self

    def predict_proba(self, inputs: Any) -> FloatArray:
        """Probabilities [N, K]."""
        answers = self.estimator.predict_proba(inputs)
        found = np.zeros((len(answers), self.classes))
        found[:, self.estimator.classes_] = answers
        return found


class FeatureClassifier:
    """Another classifier that sees ``features(inputs)`` instead of the inputs: texts embedded, images cropped, ...

    Args:
        features: inputs [N] to what ``inner`` reads; frozen.
        inner: what learns.
    """

    def __init__(self, features: Callable[[Any], Any], inner: Classifier) -> None:
        self.features, self.inner = features, inner

    def fit(self, inputs: Any, probs: FloatArray) -> FeatureClassifier:
        """Train ``inner``."""
        self.inner.fit(self.features(inputs), probs)
        return self

    def predict_proba(self, inputs: Any) -> FloatArray:
        """Probabilities of ``inner``."""
        return self.inner.predict_proba(self.features(inputs))


def _features(inputs: Any) -> Tensor:
    found = torch.tensor(np.asarray(inputs), dtype=torch.float32)
    if found.ndim != 2:
        raise ShapeError(f"features are {tuple(found.shape)}", hint="numbers [items, features]")
    if not bool(torch.isfinite(found).all()):
        place = int((~torch.isfinite(found)).any(1).nonzero()[0])
        raise NumericalError("a feature is NaN or infinite", where=f"row {place}", hint="leave the row out or fill it")
    return found
