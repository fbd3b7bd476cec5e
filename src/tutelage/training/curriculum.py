"""Rows in an order of quality instead of at random: a pure function of scores, seed and epoch; no state to save."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from tutelage.errors import ConfigError, DataError, RangeError
from tutelage.seeds import derive
from tutelage.types import FloatArray, IntArray

__all__ = ["CurriculumSettings", "Order", "QualityCurriculum", "curriculum_order"]

Order = Literal["uniform", "ascend", "descend", "fold"]


@dataclass(frozen=True)
class CurriculumSettings:
    """In which order an epoch goes through the rows.

    Raises:
        ConfigError: an unknown order, fewer than one fold, folds without the order that uses them.
    """

    order: Order = field(
        default="ascend",
        metadata={"help": "uniform (shuffled), ascend (best rows last), descend, or fold (several ascents)"},
    )
    folds: int = field(default=1, metadata={"help": "ascents in one epoch, each over the whole range; for fold"})

    def __post_init__(self) -> None:
        if self.order not in get_args(Order):
            raise ConfigError(
                f"order is {self.order!r}", where="curriculum.order", hint=f"one of {', '.join(get_args(Order))}"
            )
        if self.folds < 1:
            raise ConfigError(f"folds is {self.folds}", where="curriculum.folds", hint="at least 1")
        if self.folds > 1 and self.order != "fold":
            raise ConfigError(
                f"{self.folds} folds with order {self.order!r}",
                where="curriculum.folds",
                hint='set order to "fold", or leave folds at 1',
            )


def curriculum_order(scores: FloatArray, epoch: int, seed: int, settings: CurriculumSettings) -> IntArray:
    """Row indices in the order in which ``epoch`` goes through them.

    ``uniform`` is a random permutation, ``ascend`` sorts by rising score, ``descend`` by falling score. ``fold`` deals
    the sorted rows out like cards to ``folds`` hands (hand j has the ranks j, j + folds, ...) and plays one hand after
    the other, so that each is an ascent over the whole range. Equal scores stand in random order, drawn anew for every
    epoch.

    Args:
        scores: [N] quality of each row, higher is better; any finite numbers, only their order counts.
        epoch: from 0.
        seed: of the run.
        settings: the order.

    Returns:
        [N] int64, a permutation.

    Raises:
        DataError: not one-dimensional, empty, or a score that is not finite (with its row).

    Source: CMA / CDMA (arXiv 2511.18903) for ascending order; dealing into folds follows the idea of folded
        curricula, our own derivation.

    Example:
        >>> scores = np.array([0.3, 0.1, 0.4, 0.2])
        >>> curriculum_order(scores, 0, 0, CurriculumSettings("ascend")).tolist()
        [1, 3, 0, 2]
        >>> curriculum_order(scores, 0, 0, CurriculumSettings("fold", folds=2)).tolist()
        [1, 0, 3, 2]
    """
    values = _checked(scores)
    shuffled = np.random.default_rng(derive(seed, "epoch", epoch)).permutation(len(values))
    if settings.order == "uniform":
        return shuffled.astype(np.int64)
    keys = values[shuffled]
    places = np.argsort(-keys if settings.order == "descend" else keys, kind="stable")
    ranked = shuffled[places].astype(np.int64)
    if settings.order != "fold":
        return ranked
    return np.concatenate([ranked[hand :: settings.folds] for hand in range(settings.folds)])


@dataclass(frozen=True, eq=False)
class QualityCurriculum:
    """The rows of every optimizer step under a curriculum: epochs read as one endless stream.

    ``scores`` [N]; step ``s`` takes the ``batch_size`` rows from place ``s * batch_size`` of the stream on. Nothing is
    remembered, so a resumed run asks for step ``s`` and gets what the uninterrupted one got. With several processes
    each takes every ``world``-th row of the step, so that together they see the step in its order.

    Example:
        >>> plan = QualityCurriculum(np.array([0.3, 0.1, 0.4, 0.2]), batch_size=2)
        >>> plan.rows(0), plan.rows(1), plan.rows(0, rank=1, world=2)
        ([1, 3], [0, 2], [3])
    """

    scores: FloatArray
    batch_size: int
    seed: int = 0
    settings: CurriculumSettings = field(default_factory=CurriculumSettings)

    def __post_init__(self) -> None:
        _checked(self.scores)
        if self.batch_size < 1:
            raise ConfigError(f"batch_size is {self.batch_size}", where="QualityCurriculum", hint="at least 1")

    def epoch_order(self, epoch: int) -> IntArray:
        """Permutation [N] of the rows in ``epoch``."""
        return curriculum_order(self.scores, epoch, self.seed, self.settings)

    def rows(self, step: int, *, rank: int = 0, world: int = 1) -> list[int]:
        """Row indices of optimizer step ``step`` that process ``rank`` of ``world`` works on.

        Raises:
            RangeError: a negative step, a rank outside the world.
        """
        if step < 0 or not 0 <= rank < world:
            raise RangeError(f"step {step} of process {rank} of {world}", hint="both count from 0")
        first = step * self.batch_size
        places = range(first + rank, first + self.batch_size, world)
        orders = {epoch: self.epoch_order(epoch) for epoch in {p // len(self.scores) for p in places}}
        return [int(orders[p // len(self.scores)][p % len(self.scores)]) for p in places]


def _checked(scores: FloatArray) -> FloatArray:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise DataError(f"quality scores of shape {values.shape}", hint="one number for each training row")
    odd = np.flatnonzero(~np.isfinite(values))
    if len(odd):
        raise DataError(
            f"the quality score is {values[odd[0]]}", where=f"row {int(odd[0])}", hint="score or drop this row"
        )
    return values
