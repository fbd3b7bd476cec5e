"""Which rows make up which optimizer step: a pure function of the seed, so that resuming needs no sampler state."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tutelage.errors import ConfigError, DataError
from tutelage.seeds import derive
from tutelage.training.curriculum import curriculum_order
from tutelage.training.task import TrainingTask
from tutelage.types import IntArray

__all__ = ["StepPlan", "epoch_orders"]


@dataclass(frozen=True)
class StepPlan:
    """Rows of every optimizer step.

    The rows are reshuffled for each epoch and read as one endless stream, ``batch_size`` at a time; a step that
    crosses the end of an epoch goes on with the next one, so every step has the same number of rows.
    ``len`` is the number of steps; ``plan[s]`` the row indices of step ``s``. ``start`` shifts the numbering: a
    resumed run sees only what is left. ``order`` gives the permutation of an epoch instead of a shuffle (a curriculum).
    """

    rows: int
    batch_size: int
    steps: int
    seed: int
    start: int = 0
    order: Callable[[int], IntArray] | None = None

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise DataError(
                "there is nothing to train on", hint="every row was rejected or held out; see rejected.jsonl"
            )
        if self.steps < 1:
            raise ConfigError("a run needs at least one step", where="train.max_steps")

    @classmethod
    def of(
        cls,
        rows: int,
        *,
        batch_size: int,
        epochs: float,
        max_steps: int,
        seed: int,
        order: Callable[[int], IntArray] | None = None,
    ) -> StepPlan:
        """Plan ``max_steps`` steps, or as many as ``epochs`` passes need (rounded up)."""
        steps = max_steps or math.ceil(rows * epochs / batch_size)
        return cls(rows, batch_size, steps, seed, order=order)

    def __len__(self) -> int:
        return self.steps

    def left(self, step: int) -> StepPlan:
        """What is left of the plan after ``step`` steps."""
        return replace(self, steps=self.steps - step, start=step)

    def epoch_order(self, epoch: int) -> IntArray:
        """Permutation of the rows in ``epoch``."""
        if self.order is not None:
            return self.order(epoch)
        return np.random.default_rng(derive(self.seed, "epoch", epoch)).permutation(self.rows)

    def __getitem__(self, step: int) -> list[int]:
        if not 0 <= step < self.steps:
            raise IndexError(step)
        first = (step + self.start) * self.batch_size
        positions = range(first, first + self.batch_size)
        orders = {epoch: self.epoch_order(epoch) for epoch in {p // self.rows for p in positions}}
        return [int(orders[p // self.rows][p % self.rows]) for p in positions]


def epoch_orders(task: TrainingTask) -> Callable[[int], IntArray] | None:
    """The order of each epoch under the task's curriculum; None without one."""
    curriculum = task.curriculum
    if curriculum is None:
        return None
    scores = np.array([0.0 if one.quality is None else one.quality for one in task.examples])
    return lambda epoch: curriculum_order(scores, epoch, task.seed, curriculum)
