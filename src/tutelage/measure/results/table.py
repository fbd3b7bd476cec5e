"""What one system did on each item: the table that measuring writes and comparing reads, whoever made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tutelage.errors import DataError, ShapeError, nearest
from tutelage.types import FloatArray, Scores

__all__ = ["MetricFacts", "Results", "TaskResults"]


@dataclass(frozen=True)
class MetricFacts:
    """What a metric's numbers mean: their direction, their unit (for a report), and the version of their definition.

    ``baseline`` is what saying the same or guessing would score on these items, where that can be told.
    """

    higher_is_better: bool = True
    unit: str = ""
    version: int = 1
    baseline: float | None = None


@dataclass(frozen=True)
class TaskResults:
    """Every item of one task as one system answered it, in columns [N].

    ``values`` holds each metric's score of each item, NaN where there is none (``missing`` says why, by id).
    ``prompts``, ``targets``, ``outputs`` are texts for people to read; ``choices`` is the answer a choice task took,
    for flips between two wrong answers. ``clusters`` names what is not independent (seeds, paraphrases of one
    question); ``groups`` are breakdowns, by name of the breakdown (``{"topic": ("law", "law", ...)}``).
    ``asked`` is a fingerprint of what the item asks: under one id, two systems must have been asked the same.
    """

    task: str
    ids: tuple[str, ...]
    values: Mapping[str, FloatArray]
    metrics: Mapping[str, MetricFacts]
    version: str = ""
    prompts: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    choices: tuple[str, ...] | None = None
    clusters: tuple[str, ...] | None = None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asked: tuple[str, ...] | None = None
    missing: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.ids)
        if len(set(self.ids)) != n:
            seen: set[str] = set()
            twice = next(i for i in self.ids if i in seen or seen.add(i))  # type: ignore[func-returns-value]
            raise DataError("an item id stands twice", where=f"task {self.task}, item {twice!r}")
        columns = {
            "prompts": self.prompts,
            "targets": self.targets,
            "outputs": self.outputs,
            "choices": self.choices,
            "clusters": self.clusters,
            "asked": self.asked,
            **{f"groups.{name}": labels for name, labels in self.groups.items()},
        }
        for name, column in columns.items():
            if column is not None and len(column) != n:
                raise ShapeError(f"task {self.task}: {n} ids but {len(column)} {name}")
        for name, values in self.values.items():
            if values.shape != (n,):
                raise ShapeError(f"task {self.task}: {n} ids but values of {name} of shape {values.shape}")
        if set(self.values) != set(self.metrics):
            raise DataError(f"task {self.task}: values of {sorted(self.values)}, facts of {sorted(self.metrics)}")

    def scores(self, metric: str) -> Scores:
        """One metric's column, under the name ``TASK/METRIC``; items without a score hold NaN.

        Raises:
            DataError: the task has no such metric.
        """
        if metric not in self.values:
            close = nearest(metric, self.values)
            known = f"did you mean {close!r}?" if close else f"it has {', '.join(self.values)}"
            raise DataError(f"task {self.task} has no metric {metric!r}", hint=known)
        facts = self.metrics[metric]
        return Scores(
            metric=f"{self.task}/{metric}",
            ids=self.ids,
            values=np.asarray(self.values[metric], dtype=np.float64),
            clusters=self.clusters,
            outputs=self.outputs,
            higher_is_better=facts.higher_is_better,
            version=facts.version,
        )

    def only(self) -> Scores:
        """The column of a task that has one metric, under the name of the task.

        Raises:
            DataError: it has several.
        """
        if len(self.values) != 1:
            names = ", ".join(self.values)
            raise DataError(f"task {self.task} has {len(self.values)} metrics", hint=f"name one of: {names}")
        return replace(self.scores(next(iter(self.values))), metric=self.task)


@dataclass(frozen=True)
class Results:
    """Everything that is known of one system: its tasks by name, where they came from, facts about the system.

    ``notes`` are things a reader of the comparison must know (what was skipped on reading, what is incomplete).
    """

    name: str
    source: str
    tasks: Mapping[str, TaskResults]
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
