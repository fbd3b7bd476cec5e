"""Teachers and students among the small classifiers of digits: one student for one method, setting and seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.measure.classifiers import fidelity
from tutelage.objectives.classifiers import FeatureDistillation, LogitDistillation
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.digit_classifiers import DigitPart, LoopSettings, Perceptron, fresh, hits, train_classifier
from tutelage.seeds import derive
from tutelage.types import IntArray

__all__ = ["DistillationLab", "Method", "Setting", "mean", "shuffled"]

Method = Literal["ce", "logit", "feature"]
Setting = tuple[float, float, float]
"""Learning rate, weight of the distillation, temperature; what a method does not use is 0."""


def shuffled(rows: int, seed: int, *labels: str | int) -> Callable[[int], IntArray]:
    """Epoch to a random order of ``rows``, a function of seed and labels."""

    def order(epoch: int) -> IntArray:
        return np.random.default_rng(derive(seed, "digits", "order", epoch, *labels)).permutation(rows)

    return order


def mean(values: Mapping[str, float]) -> float:
    """Mean over the items."""
    return float(np.mean(list(values.values())))


@dataclass
class DistillationLab:
    """Trains what is asked for, once; results are kept in the run's folder under ``name``.

    ``parts`` has train and validation and whatever else is to be scored; ``followed`` is the part on which the
    student's fidelity to its teacher is measured, for students of ``followed_width``.
    """

    place: RecipeFolder
    name: str
    parts: Mapping[str, DigitPart]
    loop: LoopSettings
    widths: Mapping[str, int]
    teacher_rate: float = 0.1
    followed: str = ""
    followed_width: int = 0

    def __post_init__(self) -> None:
        self._teachers: dict[tuple[str, int], nn.Module] = {}
        self.cost: dict[str, Mapping[str, float]] = {}

    def teacher(self, size: str, seed: int) -> nn.Module:
        """The teacher ``size``. A "large" one stops as soon as it is as good as the small one on validation."""
        if (size, seed) not in self._teachers:
            goal = mean(hits(self.teacher("small", seed), self.parts["validation"])) if size == "large" else 2.0
            model, cost = self._trained_teacher(size, seed, goal)
            self._teachers[size, seed] = model
            name = f"teachers/{self.name}-{size}-{seed}"
            part = "test" if "test" in self.parts else "validation"
            self.cost[name] = self.place.once(name, lambda: {"accuracy": mean(hits(model, self.parts[part])), **cost})
        return self._teachers[size, seed]

    def teacher_accuracy(self, size: str, seed: int) -> float:
        """On the test images."""
        self.teacher(size, seed)
        return self.cost[f"teachers/{self.name}-{size}-{seed}"]["accuracy"]

    def student(self, method: Method, size: str, width: int, setting: Setting, seed: int) -> dict[str, Any]:
        """What the student scores on each part, per item in the part's order, and its fidelity where followed."""
        words = [self.name, method, size, width, *(f"{one:g}" for one in setting), seed]
        name = "results/" + "-".join(str(one) for one in words if one != "")
        work = partial(self._trained_student, method, size, width, setting, seed)
        found: dict[str, Any] = self.place.once(name, work)
        self.cost[name] = found["cost"]
        return found

    def total_cost(self) -> dict[str, float]:
        """Summed over everything that was used."""
        keys = ("runs", "steps", "cpu_seconds")
        return {key: sum(float(cost[key]) for cost in self.cost.values()) for key in keys}

    def _trained_teacher(self, size: str, seed: int, goal: float) -> tuple[nn.Module, dict[str, float]]:
        train, validation = self.parts["train"], self.parts["validation"]
        model = fresh(Perceptron, self.widths[size], seed, "teacher")

        def good_enough(step: int, total: int) -> bool:
            return goal <= 1.0 and step % 4 == 0 and mean(hits(model, validation)) >= goal

        cost = train_classifier(
            {"teacher": model},
            train,
            lambda images, labels, _: nn.functional.cross_entropy(model(images)[0], labels),
            replace(self.loop, learning_rate=self.teacher_rate),
            shuffled(len(train), seed, "teacher"),
            after=good_enough,
        )
        return model.requires_grad_(False), cost

    def _trained_student(self, method: Method, size: str, width: int, setting: Setting, seed: int) -> dict[str, Any]:
        rate, weight, temperature = setting
        student = fresh(Perceptron, width, seed, "student")
        teacher = self.teacher(size, seed) if size else None
        modules: dict[str, nn.Module] = {"student": student}
        if method == "ce":
            loss = _supervised(student)
        elif method == "logit":
            assert teacher is not None
            loss = _by_logits(student, teacher, LogitDistillation(temperature, weight))
        else:
            assert teacher is not None
            modules["distillation"] = self._projections(teacher, width, self.widths[size], weight, seed)
            loss = _by_features(student, teacher, modules["distillation"])
        train = self.parts["train"]
        cost = train_classifier(
            modules, train, loss, replace(self.loop, learning_rate=rate), shuffled(len(train), seed)
        )
        scored = {name: list(hits(student, part).values()) for name, part in self.parts.items() if name != "train"}
        found: dict[str, Any] = {**scored, "cost": cost}
        if teacher is not None and width == self.followed_width:
            part = self.parts[self.followed]
            followed = fidelity(student(part.images)[0], teacher(part.images)[0], part.ids)
            found["fidelity"] = {name: [round(float(v), 6) for v in one.values] for name, one in followed.items()}
        return found

    def _projections(self, teacher: nn.Module, narrow: int, wide: int, weight: float, seed: int) -> FeatureDistillation:
        """Both hidden layers, each measured in the teacher's own spread."""
        features = teacher(self.parts["train"].images)[1]
        spreads = {layer: float(one.std()) for layer, one in features.items()}
        pairs = dict.fromkeys(features, (narrow, wide))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "digits", "projections", narrow))
            return FeatureDistillation(pairs, weight=weight, spreads=spreads)


def _supervised(student: nn.Module) -> Callable[[Tensor, Tensor, int], Tensor]:
    return lambda images, labels, _: nn.functional.cross_entropy(student(images)[0], labels)


def _by_logits(
    student: nn.Module, teacher: nn.Module, objective: LogitDistillation
) -> Callable[[Tensor, Tensor, int], Tensor]:
    return lambda images, labels, _: objective(student(images)[0], teacher(images)[0], labels).total


def _by_features(
    student: nn.Module, teacher: nn.Module, objective: nn.Module
) -> Callable[[Tensor, Tensor, int], Tensor]:
    def loss(images: Tensor, labels: Tensor, _: int) -> Tensor:
        logits, features = student(images)
        total: Tensor = objective(features, teacher(images)[1], logits, labels).total
        return total

    return loss
