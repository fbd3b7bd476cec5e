"""What this machine can do on its own: tokens a second of plain generation, scoring and training at the bench's sizes.

Plain means: no adapter and no divergence while generating and scoring, full batches without a padded token, and no
vocabulary projection but where a token counts. A step that generates G tokens, scores S and trains on T cannot be
expected to take less than G / generating + S / scoring + T / training seconds by putting the three together. Tokens are
counted as sequences hold them; what several prompts begin with may be computed once, so a step can come out below this.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from tutelage.models.adapter import adapter_off
from tutelage.models.loading import LoadedModel
from tutelage.models.rollout import evaluating, sample
from tutelage.types import Sampling


def fastest(work: Callable[[], object], repeats: int = 2) -> float:
    """Least seconds of one call, after one call that is not counted."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def rates(loaded: LoadedModel, *, rows: int, prompt: int, scored: int, new: int) -> dict[str, float]:
    """Tokens a second of generating (tokens drawn), scoring and training (all tokens fed).

    Args:
        loaded: the model with its adapter.
        rows: sequences at a time.
        prompt: tokens before the completion.
        scored: tokens of a teacher's sequence.
        new: tokens of a completion.
    """
    model: Any = loaded.model
    decoder, head = model.get_base_model().get_decoder(), model.get_base_model().get_output_embeddings().weight
    draw = torch.Generator().manual_seed(0)

    def ids(length: int) -> torch.Tensor:
        return torch.randint(5, 40_000, (rows, length), generator=draw)

    prompts, teacher, student = ids(prompt).tolist(), ids(scored), ids(prompt + new)
    neutral = Sampling(new, 1.0, 1.0, 0)

    def generate() -> None:
        sample(model, loaded.tokenizer, prompts, neutral, list(range(rows)), frozenset())

    def score() -> None:
        decoder(input_ids=teacher, use_cache=False).last_hidden_state[:, -new:] @ head.T

    def train() -> None:
        hidden = decoder(input_ids=student, use_cache=False).last_hidden_state[:, -new:]
        torch.nn.functional.cross_entropy((hidden @ head.T).flatten(0, 1), student[:, -new:].flatten()).backward()
        model.zero_grad(set_to_none=True)

    with adapter_off(model), evaluating(model):
        generating, scoring = fastest(generate), fastest(score)
    model.train()
    return {
        "generating": rows * new / generating,
        "scoring": teacher.numel() / scoring,
        "training": student.numel() / fastest(train),
    }
