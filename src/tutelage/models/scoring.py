"""Log-probabilities of given tokens, with the vocabulary projection only where a token counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tutelage.errors import NumericalError, RangeError
from tutelage.models.rollout import evaluating, plan_groups
from tutelage.types import TokenScores, TokenSequence

__all__ = ["check_sequences", "score_sequences"]

CHUNK = 256  # positions projected to the vocabulary at a time


def check_sequences(sequences: Sequence[TokenSequence]) -> None:
    """Raise RangeError unless every ``start`` lies in 1 .. length: a first token has nothing before it to be given."""
    for i, sequence in enumerate(sequences):
        if not 1 <= sequence.start <= len(sequence.ids):
            raise RangeError(
                f"start is {sequence.start} in a sequence of {len(sequence.ids)} tokens",
                where=f"sequence {i}",
                hint="start must leave at least one token before it and lie within the sequence",
            )


def score_sequences(
    model: PreTrainedModel,
    sequences: Sequence[TokenSequence],
    *,
    top_k: int = 0,
    candidates: Sequence[Sequence[int]] | None = None,
) -> list[TokenScores]:
    """log p(ids[t] | ids[:t]) for each t >= start, in float32.

    Args:
        model: causal LM in any mode; its mode is restored.
        sequences: [N], each with 1 <= start <= length.
        top_k: also the K likeliest tokens at every position, likeliest first.
        candidates: [N] ids to score at every position of the sequence instead; ``topk_ids`` repeats them.

    Returns:
        [N] scores in the order of the sequences; ``logprobs`` [T] with T = length - start.

    Raises:
        RangeError: a start or candidate out of range, or both top_k and candidates.
        NumericalError: the model's logits are not finite.
    """
    check_sequences(sequences)
    if top_k and candidates is not None:
        raise RangeError("top_k and candidates exclude each other", hint="call score twice")
    if candidates is not None and len(candidates) != len(sequences):
        raise RangeError(f"{len(sequences)} sequences but {len(candidates)} lists of candidates")
    scores: dict[int, TokenScores] = {}
    budget = 2048 if model.device.type == "cpu" else 65536
    lengths = [len(s.ids) for s in sequences]
    with evaluating(model):
        for group in plan_groups(lengths, budget=budget, rows=64):
            hidden = _last_hidden(model, [sequences[i].ids[:-1] for i in group])
            for row, i in enumerate(group):
                s = sequences[i]
                wanted = None if candidates is None else torch.tensor(candidates[i], dtype=torch.long)
                scores[i] = _score_rows(
                    model, hidden[row, s.start - 1 : len(s.ids) - 1], s.ids[s.start :], top_k, wanted
                )
    return [scores[i] for i in range(len(sequences))]


def _last_hidden(model: Any, rows: Sequence[Sequence[int]]) -> Tensor:
    ids = torch.zeros(len(rows), max(1, *map(len, rows)), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden: Tensor = causal.get_decoder()(input_ids=ids.to(model.device), use_cache=False).last_hidden_state
    return hidden


def _score_rows(model: Any, hidden: Tensor, targets: Sequence[int], top_k: int, wanted: Tensor | None) -> TokenScores:
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    head = causal.get_output_embeddings()
    parts = []
    for first in range(0, len(targets), CHUNK):
        logits = head(hidden[first : first + CHUNK]).float()
        norm = logits.logsumexp(-1, keepdim=True)
        if not bool(torch.isfinite(norm).all()):
            raise NumericalError("the model's logits are not finite", hint="load it in float32")
        ids = torch.tensor(targets[first : first + CHUNK], device=logits.device)
        own = logits.gather(-1, ids[:, None]) - norm
        if wanted is not None:
            best = wanted.to(logits.device).expand(len(ids), -1)
            values = logits.gather(-1, best)
        else:
            values, best = logits.topk(min(top_k, logits.shape[-1]), dim=-1)
        parts.append((own[:, 0].cpu(), best.cpu(), (values - norm).cpu()))
    k = top_k if wanted is None else len(wanted)
    if not parts:
        return TokenScores(np.zeros(0, np.float32), np.zeros((0, k), np.int64), np.zeros((0, k), np.float32))
    own, best, values = (torch.cat([p[j] for p in parts]).numpy() for j in range(3))
    return TokenScores(own, best, values)


_CHECKED: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
