"""Which rows make up which optimizer step: a pure function of the seed, so that resuming needs no sampler state."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tutelage.errors import ConfigError, DataError
from tutelage.seeds import derive

__all__ = ["StepPlan"]


@dataclass(frozen=True)
class StepPlan:
    """Rows of every optimizer step.

    The rows are reshuffled for each epoch and read as one endless stream, ``batch_size`` at a time; a step that
    crosses the end of an epoch goes on with the next one, so every step has the same number of rows.
    ``len`` is the number of steps; ``plan[s]`` the row indices of step ``s``. ``start`` shifts the numbering: a
    resumed run sees only what is left.
    """

    rows: int
    batch_size: int
    steps: int
    seed: int
    start: int = 0

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise DataError(
                "there is nothing to train on", hint="every row was rejected or held out; see rejected.jsonl"
            )
        if self.steps < 1:
            raise ConfigError("a run needs at least one step", where="train.max_steps")

    @classmethod
    def of(cls, rows: int, *, batch_size: int, epochs: float, max_steps: int, seed: int) -> StepPlan:
        """Plan ``max_steps`` steps, or as many as ``epochs`` passes need (rounded up)."""
        steps = max_steps or math.ceil(rows * epochs / batch_size)
        return cls(rows, batch_size, steps, seed)

    def __len__(self) -> int:
        return self.steps

    def epoch_order(self, epoch: int) -> np.ndarray:
        """Permutation of the rows in ``epoch``."""
        return np.random.default_rng(derive(self.seed, "epoch", epoch)).permutation(self.rows)

    def __getitem__(self, step: int) -> list[int]:
        if not 0 <= step < self.steps:
            raise IndexError(step)
        first = (step + self.start) * self.batch_size
        positions = range(first, first + self.batch_size)
        orders = {epoch: self.epoch_order(epoch) for epoch in {p // self.rows for p in positions}}
        return [int(orders[p // self.rows][p % self.rows]) for p in positions]
