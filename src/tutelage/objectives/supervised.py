"""Supervised fine-tuning on reference completions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from tutelage.functional.fused import Projected
from tutelage.functional.logprobs import projected_cross_entropy
from tutelage.objectives.objective import Need, TokenBatch, objectives
from tutelage.types import Loss

__all__ = ["SupervisedFineTuning"]


@objectives.register("sft", paper="https://arxiv.org/abs/2203.02155")
@dataclass(frozen=True)
class SupervisedFineTuning:
    """Token cross-entropy on the completion, prompt masked: ``L = -sum_n w_n log p(target_n)``, nats.

    The mean is over the completion tokens of the whole optimizer step, whatever the micro-batches.
    """

    chunk: int = 256
    needs: ClassVar[frozenset[Need]] = frozenset({"completion"})
    reduction: ClassVar[Literal["token_mean", "sequence_mean"]] = "token_mean"

    def __call__(self, student: Projected, batch: TokenBatch) -> Loss:
        """Weighted cross-entropy of ``batch.targets`` under ``student``."""
        total, per_token = projected_cross_entropy(student, batch.targets, batch.weights, chunk=self.chunk)
        return Loss(total=total, per_token=per_token)
