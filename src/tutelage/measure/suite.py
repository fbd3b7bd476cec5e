"""Tasks and suites: what is measured of a model, one value an item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tutelage.errors import DataError, RangeError
from tutelage.io import content_hash
from tutelage.measure.asking import Item, Method
from tutelage.measure.results.table import TaskResults
from tutelage.types import Engine

__all__ = ["Suite", "Task"]

_SPOKEN, _READ = 126.0, 532.0  # tokens a second of SmolLM2-135M on two cores, in batches


@dataclass(frozen=True)
class Task:
    """Items that are all asked about in one way.

    ``version`` is raised whenever an item, a prompt or a check changes: results of different versions are never
    compared.
    """

    name: str
    items: tuple[Item, ...]
    method: Method
    version: str = "1"

    def measure(self, engine: Engine, *, seed: int = 0) -> TaskResults:
        """Ask about every item.

        Args:
            engine: the model.
            seed: of sampling, where the task samples at all.

        Returns:
            Every metric's value of every item, with prompts, targets, outputs and fingerprints.

        Raises:
            DataError: the task has no items.
        """
        if not self.items:
            raise DataError("the task has no items", where=f"task {self.name}")
        answers = self.method.ask(engine, self.items, seed=seed)
        baselines = {**self.method.baselines(self.items), **answers.baselines}
        names = sorted({name for item in self.items for name in item.groups})
        grouped = any(item.cluster is not None for item in self.items)
        return TaskResults(
            task=self.name,
            ids=tuple(item.id for item in self.items),
            values=answers.values,
            metrics={name: replace(f, baseline=baselines.get(name)) for name, f in self.method.metrics.items()},
            version=self.version,
            prompts=tuple(item.shown for item in self.items),
            targets=tuple(item.target for item in self.items) if any(i.target for i in self.items) else None,
            outputs=answers.outputs,
            choices=answers.choices,
            clusters=tuple(item.cluster or item.id for item in self.items) if grouped else None,
            groups={name: tuple(item.groups.get(name, "") for item in self.items) for name in names},
            asked=self.fingerprints(),
        )

    def fingerprints(self) -> tuple[str, ...]:
        """What each item asks, hashed: prompt, options, target, and how the answer is got out of the model."""
        settings = dict(self.method.settings())
        return tuple(
            content_hash([_plain(item.prompt), list(item.choices), item.target, settings])[:16] for item in self.items
        )

    def first(self, n: int) -> Task:
        """The task with its first ``n`` items only; the items of a suite stand in an order that is always the same.

        Raises:
            RangeError: ``n`` below 1.
        """
        if n < 1:
            raise RangeError(f"at least one item must be measured, not {n}")
        return self if n >= len(self.items) else replace(self, items=self.items[:n])


def _plain(prompt: str | Sequence[object]) -> object:
    return prompt if isinstance(prompt, str) else [dict(turn) for turn in prompt]  # type: ignore[call-overload]


@dataclass(frozen=True)
class Suite:
    """Tasks that belong together.

    ``assets`` are the embedded data it reads, for the record of licences; ``notes`` what a reader of its numbers must
    know; ``source`` is ``"built in"`` or the file it was read from.
    """

    name: str
    version: str
    tasks: tuple[Task, ...]
    summary: str = ""
    assets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    source: str = "built in"

    @property
    def items(self) -> int:
        """How many items all tasks have together."""
        return sum(len(task.items) for task in self.tasks)

    def first(self, n: int) -> Suite:
        """The suite with the first ``n`` items of each task.

        Raises:
            RangeError: ``n`` below 1.
        """
        return replace(self, tasks=tuple(task.first(n) for task in self.tasks))

    def fingerprint(self) -> str:
        """SHA-256 over names, versions and every item's fingerprint."""
        tasks = [[task.name, task.version, *task.fingerprints()] for task in self.tasks]
        return content_hash([self.name, self.version, tasks])

    def minutes(self) -> float:
        """About how long it takes on two processor cores with the embedded 135M model, answers at their longest."""
        costs = [task.method.cost(task.items) for task in self.tasks]
        return sum(spoken / _SPOKEN + read / _READ for spoken, read in costs) / 60
