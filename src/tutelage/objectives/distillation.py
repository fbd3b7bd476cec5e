"""Distillation of a teacher on the student's own rollouts: dense, top-K, tempered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from tutelage.errors import ConfigError
from tutelage.functional.projection import fused_divergence
from tutelage.objectives.objective import Need, Outputs, TokenBatch, objectives
from tutelage.types import Loss

__all__ = ["ContextDistillation"]


@objectives.register("distillation", paper="https://arxiv.org/abs/2606.00147")
@dataclass(frozen=True)
class ContextDistillation:
    """Divergence between teacher and student at the student's own tokens, ``T^2 D(q || p)``, nats.

    ``q = softmax(u / T)`` from the teacher, which may see more than the student, and ``p = softmax(v / T)`` from the
    student, both restricted to the teacher's ``top_k`` likeliest tokens. Mean over a sequence's tokens first, then over
    sequences (RAFT Eq. 9), so long rollouts do not count more than short ones.
    """

    temperature: float = 1.5
    top_k: int = 512
    support: Literal["teacher", "student", "union", "full"] = "teacher"
    tail: Literal["drop", "bucket"] = "drop"
    direction: Literal["forward", "reverse"] | float = "forward"
    chunk: int = 128
    needs: ClassVar[frozenset[Need]] = frozenset({"rollout", "teacher"})
    reduction: ClassVar[Literal["token_mean", "sequence_mean"]] = "sequence_mean"

    def __call__(self, student: Outputs, batch: TokenBatch) -> Loss:
        """Weighted divergence from ``batch.teacher`` to ``student``."""
        if batch.teacher is None:
            raise ConfigError("distillation needs a teacher's outputs in the batch")
        raise NotImplementedError
