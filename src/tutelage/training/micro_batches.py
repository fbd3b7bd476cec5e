"""The sequences of one part of an optimizer step, and how they are cut into micro-batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from tutelage.functional.fused import Projected
from tutelage.functional.reduction import sequence_mean_weights, token_mean_weights
from tutelage.models.rollout import plan_groups
from tutelage.objectives import Objective, TokenBatch
from tutelage.training.forward import TokenPair
from tutelage.training.task import Example

__all__ = ["Sequences", "sequences", "teacher_prompt"]


@dataclass(frozen=True)
class Sequences:
    """What is scored in a step, or a micro-batch of it.

    ``pairs`` [B] and, where there is a teacher, what it scores beside them; ``rows`` [B] the row of the step that each
    belongs to; ``places`` [B] where each stands in the whole step; ``scores`` [B] or empty. ``tokens``,
    ``sequences_in_step`` and ``rows_in_step`` are counts of the whole step.
    """

    pairs: list[TokenPair]
    teacher_pairs: list[TokenPair] | None
    rows: tuple[int, ...]
    places: tuple[int, ...]
    scores: tuple[float, ...]
    tokens: int
    sequences_in_step: int
    rows_in_step: int

    @property
    def targets(self) -> list[int]:
        """The counted tokens, one sequence after the other."""
        return [token for pair in self.pairs for token in pair.completion]

    def cut(self, budget: int) -> Iterator[Sequences]:
        """Micro-batches of at most ``budget`` padded tokens; the sequences of one row stay together."""
        members: dict[int, list[int]] = {}
        for place, row in enumerate(self.rows):
            members.setdefault(row, []).append(place)
        units = list(members.values())
        lengths = [len(unit) * max(len(self.pairs[i]) for i in unit) for unit in units]
        for group in plan_groups(lengths, budget=budget, rows=len(units)):
            yield self.only([i for unit in group for i in units[unit]])

    def batch(self, objective: Objective, device: torch.device, teacher: Projected | None) -> TokenBatch:
        """The counted tokens with their weights in the loss of the step."""
        lengths = tuple(len(pair.completion) for pair in self.pairs)
        counted = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
        if objective.reduction == "token_mean":
            table = token_mean_weights(counted, tokens=self.tokens)
        else:
            table = sequence_mean_weights(counted, sequences=self.sequences_in_step)
        targets = torch.tensor(self.targets, device=device)
        weights = table[counted].to(device)
        return TokenBatch(targets, weights, teacher, lengths, self.rows, self.scores, self.rows_in_step)

    def only(self, chosen: Sequence[int]) -> Sequences:
        """Those at ``chosen``; the counts stay those of the whole step."""
        teacher = self.teacher_pairs
        return Sequences(
            [self.pairs[i] for i in chosen],
            None if teacher is None else [teacher[i] for i in chosen],
            tuple(self.rows[i] for i in chosen),
            tuple(self.places[i] for i in chosen),
            tuple(self.scores[i] for i in chosen) if self.scores else (),
            self.tokens,
            self.sequences_in_step,
            self.rows_in_step,
        )


def teacher_prompt(example: Example) -> tuple[int, ...]:
    """What the teacher reads before the student's tokens: its own prompt, or the student's."""
    return example.teacher_prompt if example.teacher_prompt is not None else example.prompt


def sequences(objective: Objective, rows: Sequence[Example], rollouts: Sequence[TokenPair]) -> Sequences:
    """The sequences that an objective scores and, if it has a teacher, what the teacher scores beside them."""
    scores: tuple[float, ...] = ()
    if "responses" in objective.needs:
        pairs = [TokenPair(row.prompt, response) for row in rows for response in row.responses]
        owners = tuple(i for i, row in enumerate(rows) for _ in row.responses)
        scores = tuple(score for row in rows for score in row.scores)
    else:
        own = "rollout" in objective.needs
        pairs = list(rollouts) if own else [TokenPair(row.prompt, row.completion) for row in rows]
        owners = tuple(range(len(rows)))
    teacher = None
    if "teacher" in objective.needs:
        teacher = [TokenPair(teacher_prompt(rows[i]), p.completion) for i, p in zip(owners, pairs, strict=True)]
    tokens = sum(len(pair.completion) for pair in pairs)
    return Sequences(pairs, teacher, owners, tuple(range(len(pairs))), scores, tokens, len(pairs), len(rows))
