"""The student's own replies to the prompts of a step, drawn whole or block by block."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tutelage.models.rollout import Rollout, evaluating, sample
from tutelage.seeds import derive
from tutelage.training.forward import TokenPair, student_outputs, teacher_outputs
from tutelage.training.lean_adapter import lean_adapters
from tutelage.training.micro_batches import teacher_prompt
from tutelage.training.pruning import Reliability, in_blocks, topk_overlap
from tutelage.training.reweighting import as_table
from tutelage.training.task import Example
from tutelage.types import Sampling

if TYPE_CHECKING:
    from tutelage.training.trainer import Trainer

__all__ = ["rollouts"]


def rollouts(trainer: Trainer, rows: Sequence[Example], step: int) -> list[TokenPair]:
    """One completion per row, drawn from the student as it is now."""
    started = time.perf_counter()
    pruned = next((r for r in trainer.task.reweights.values() if isinstance(r, Reliability)), None)
    told, limits = trainer.rollout, [r.rollout_limit() for r in trainer.task.reweights.values()]
    limit = min([told.max_new_tokens, *(one for one in limits if one is not None)])

    def draw(chosen: list[int], said: list[tuple[int, ...]], most: int, block: int) -> list[Rollout]:
        sampling = Sampling(most, told.temperature, told.top_p, told.top_k)
        named = (block,) if block else ()
        seeds = [derive(trainer.task.seed, "rollout", step, place, *named) for place in chosen]
        prompts = [rows[i].prompt + text for i, text in zip(chosen, said, strict=True)]
        with lean_adapters(trainer.student):
            drawn = sample(trainer.student, trainer.tokenizer, prompts, sampling, seeds, trainer.task.stop_ids)
        trainer.cost.tokens_generated += sum(len(d.token_ids) for d in drawn)
        return drawn

    def dead(chosen: list[int], said: list[tuple[int, ...]]) -> list[bool]:
        assert pruned is not None
        pairs = [TokenPair(rows[i].prompt, text) for i, text in zip(chosen, said, strict=True)]
        theirs = [TokenPair(teacher_prompt(rows[i]), text) for i, text in zip(chosen, said, strict=True)]
        with evaluating(trainer.student):
            ours = student_outputs(trainer.backbone, pairs)
        seen = teacher_outputs(trainer.teacher, theirs, as_teacher=trainer.as_teacher, cache=trainer.prefixes)
        trainer.cost.tokens_scored += sum(len(p) for p in pairs) + sum(len(p) for p in theirs)
        table, mask = as_table(topk_overlap(ours, seen, pruned.settings.k), [len(text) for text in said])
        return [int(n) < len(text) for n, text in zip(pruned.weights(table, mask)[1], said, strict=True)]

    block = pruned.settings.block if pruned is not None and pruned.settings.block else limit
    said = in_blocks(len(rows), limit, block, draw, dead)
    trainer.cost.seconds_generating += time.perf_counter() - started
    return [TokenPair(r.prompt, text) for r, text in zip(rows, said, strict=True)]
