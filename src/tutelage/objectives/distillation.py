"""Distillation of a teacher on the student's own rollouts: dense, top-K, tempered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from tutelage.errors import ConfigError
from tutelage.functional.divergence import DivergenceSettings
from tutelage.functional.fused import Projected
from tutelage.functional.projection import projected_divergence
from tutelage.objectives.objective import Need, TokenBatch, objectives
from tutelage.types import Loss

__all__ = ["RAFT_DIVERGENCE", "ContextDistillation"]

RAFT_DIVERGENCE = DivergenceSettings(support="teacher", k=512, temperature=1.5)
"""The paper's: forward KL on the teacher's 512 likeliest tokens at T = 1.5, tail dropped."""


@objectives.register("distillation", paper="https://arxiv.org/abs/2606.00147")
@dataclass(frozen=True)
class ContextDistillation:
    """Divergence between teacher and student at the student's own tokens, ``T^2 D(q || p)``, nats.

    By default, and as in the paper, ``q = softmax(u / T)`` from the teacher, which may see more than the student, and
    ``p = softmax(v / T)`` from the student, both restricted to the teacher's K likeliest tokens; ``divergence`` says
    otherwise. Mean over a sequence's tokens first, then over sequences (RAFT Eq. 9), so long rollouts do not count
    more than short ones.
    """

    divergence: DivergenceSettings = RAFT_DIVERGENCE
    chunk: int = 128
    needs: ClassVar[frozenset[Need]] = frozenset({"rollout", "teacher"})
    reduction: ClassVar[Literal["token_mean", "sequence_mean"]] = "sequence_mean"

    def __call__(self, student: Projected, batch: TokenBatch) -> Loss:
        """Weighted divergence from ``batch.teacher`` to ``student``."""
        if batch.teacher is None:
            raise ConfigError("distillation needs a teacher's outputs in the batch")
        result = projected_divergence(student, batch.teacher, batch.weights, self.divergence, chunk=self.chunk)
        stats = result.statistics.means() if result.statistics is not None else {}
        return Loss(total=result.loss, per_token=result.values, stats=stats)
