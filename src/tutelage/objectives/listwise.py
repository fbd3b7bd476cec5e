"""Ranking several scored responses to one prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from tutelage.functional.fused import Projected
from tutelage.functional.logprobs import projected_logprobs
from tutelage.functional.ranking import ranking_loss
from tutelage.objectives.objective import Need, TokenBatch, objectives
from tutelage.types import Loss

__all__ = ["ConstraintRanking"]


@objectives.register("constraint-ranking", paper="https://arxiv.org/abs/2403.06326")
@dataclass(frozen=True)
class ConstraintRanking:
    """Responses in the order of their constraint satisfaction: :func:`tutelage.functional.ranking.ranking_loss`.

    The mean is over the rows of the whole optimizer step. ``stats`` holds the share of ordered pairs that the student
    has in the right order. ``margin`` and ``sft_weight`` are inferred; the paper's code was not published.
    """

    margin: float = 0.0
    sft_weight: float = 1.0
    chunk: int = 256
    needs: ClassVar[frozenset[Need]] = frozenset({"responses"})
    reduction: ClassVar[Literal["token_mean", "sequence_mean"]] = "sequence_mean"

    def __call__(self, student: Projected, batch: TokenBatch) -> Loss:
        """Loss of the rows in ``batch``, all responses of each of which are there."""
        values = projected_logprobs(student, batch.targets, chunk=self.chunk)
        sums = torch.stack([part.sum() for part in values.split(list(batch.lengths))])
        members: dict[int, list[int]] = {}
        for place, row in enumerate(batch.rows):
            members.setdefault(row, []).append(place)
        shape = len(members), max(map(len, members.values()))
        mask = torch.zeros(shape, dtype=torch.bool, device=sums.device)
        places = torch.zeros(shape, dtype=torch.long, device=sums.device)
        for i, some in enumerate(members.values()):
            mask[i, : len(some)] = True
            places[i, : len(some)] = torch.tensor(some, device=sums.device)
        logps = sums[places]
        lens = torch.tensor(batch.lengths, device=sums.device)[places]
        scores = torch.tensor(batch.scores, dtype=torch.float32, device=sums.device)[places]
        losses = ranking_loss(logps, lens, scores, mask, self.margin, self.sft_weight)
        total = losses.sum() / batch.rows_in_step
        return Loss(total, stats={"ordered": _ordered(logps.detach() / lens, scores, mask)})


def _ordered(per_token: torch.Tensor, scores: torch.Tensor, mask: torch.Tensor) -> float:
    """Share of the pairs with different scores in which the better response is the likelier one, per token."""
    pairs = (scores[:, :, None] < scores[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    right = pairs & (per_token[:, :, None] < per_token[:, None, :])
    return float(right.sum()) / max(1, int(pairs.sum()))
